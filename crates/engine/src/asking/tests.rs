//! Forms of tools' servers: what is asked, and what the answers mean.

use protocol::item::StructuredAnswer;
use serde_json::json;

use super::*;

fn moment(id: u128) -> Moment {
    Moment {
        now: "2026-11-30T12:00:00Z".parse().expect("a time"),
        id,
    }
}

fn field(name: &str, kind: FieldKind) -> Field {
    Field {
        name: name.to_owned(),
        title: None,
        description: None,
        is_required: false,
        kind,
        default: None,
    }
}

fn text(format: Option<TextFormat>) -> FieldKind {
    FieldKind::Text {
        format,
        shortest: 0,
        longest: None,
    }
}

fn colours() -> Vec<Choice> {
    [("#f00", "Red"), ("#0f0", "Green")]
        .map(|(value, title)| Choice {
            value: value.to_owned(),
            title: title.to_owned(),
        })
        .into()
}

fn asking(fields: Vec<Field>) -> Asking {
    Asking {
        server: "shop".to_owned(),
        message: "How shall it be?".to_owned(),
        fields,
    }
}

fn shown(asking: &Asking, filled: &Filled, language: Language) -> StructuredInputItem {
    let thread = ThreadId::mint(1);
    match form(&thread, (asking, filled), moment(2), language) {
        ThreadItem::StructuredInput(form) => form,
        other => panic!("a form: {other:?}"),
    }
}

/// The form with these answers; the questions that are not named are passed over.
fn answered(mut form: StructuredInputItem, answers: &[(&str, &[&str])]) -> StructuredInputItem {
    form.status = StructuredInputStatus::Answered;
    for input in &mut form.inputs {
        let (id, place) = match input {
            StructuredInput::MultipleChoice(input) => (&input.id, &mut input.answer),
            StructuredInput::Freeform(input) => (&input.id, &mut input.answer),
        };
        let given = answers.iter().find(|(name, _)| name == id);
        *place = Some(StructuredAnswer {
            values: given.map_or_else(Vec::new, |(_, values)| {
                values.iter().map(|&value| value.to_owned()).collect()
            }),
            skipped: given.is_none(),
        });
    }
    form
}

fn judged(asking: &Asking, answers: &[(&str, &[&str])]) -> Verdict {
    let filled = Filled::default();
    let language = Language::German;
    let form = answered(shown(asking, &filled, language), answers);
    read((asking, &filled), &form, language)
}

fn content(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Reply(Reply::Accept(content)) => Value::Object(content.clone()),
        other => panic!("an answer: {other:?}"),
    }
}

fn ids(form: &StructuredInputItem) -> Vec<&str> {
    let id = |input: &'_ StructuredInput| match input {
        StructuredInput::MultipleChoice(_) => "choice",
        StructuredInput::Freeform(_) => "words",
    };
    form.inputs.iter().map(id).collect()
}

#[test]
fn each_kind_of_field_becomes_a_question_and_its_answer_a_value() {
    let asking = asking(vec![
        field("name", text(None)),
        field(
            "seats",
            FieldKind::Number {
                is_whole: true,
                least: Some(1.0),
                most: Some(8.0),
            },
        ),
        field(
            "price",
            FieldKind::Number {
                is_whole: false,
                least: None,
                most: None,
            },
        ),
        field("gift", FieldKind::Truth),
        field("colour", FieldKind::Choice(colours())),
        field(
            "others",
            FieldKind::Choices {
                choices: colours(),
                fewest: 1,
                most: None,
            },
        ),
    ]);
    let form = shown(&asking, &Filled::default(), Language::English);
    assert_eq!(
        ids(&form),
        ["words", "words", "words", "choice", "choice", "choice"]
    );
    let verdict = judged(
        &asking,
        &[
            ("name", &[" Ada "]),
            ("seats", &["2"]),
            ("price", &["3,5"]),
            ("gift", &["Ja"]),
            ("colour", &["Red"]),
            ("others", &["green", "Red", "Green"]),
        ],
    );
    assert_eq!(
        content(&verdict),
        json!({
            "name": "Ada", "seats": 2, "price": 3.5, "gift": true, "colour": "#f00",
            "others": ["#0f0", "#f00"]
        })
    );
}

#[test]
fn what_is_passed_over_is_its_default_or_left_out_and_a_refusal_where_it_is_required() {
    let with_default = Field {
        default: Some(json!("blue")),
        is_required: true,
        ..field("paint", text(None))
    };
    let free = field("note", text(None));
    let needed = Field {
        is_required: true,
        ..field("name", text(None))
    };
    let both = asking(vec![with_default, free.clone()]);
    assert_eq!(content(&judged(&both, &[])), json!({"paint": "blue"}));
    assert_eq!(
        both.defaults(),
        Reply::Accept(JsonObject::from_iter([("paint".to_owned(), json!("blue"))]))
    );
    let strict = asking(vec![needed, free]);
    assert_eq!(
        judged(&strict, &[("note", &["x"])]),
        Verdict::Reply(Reply::Decline)
    );
    assert_eq!(strict.defaults(), Reply::Decline);
    let mut skipped = shown(&both, &Filled::default(), Language::English);
    skipped.status = StructuredInputStatus::Skipped;
    assert_eq!(
        read((&both, &Filled::default()), &skipped, Language::English),
        Verdict::Reply(Reply::Decline)
    );
}

#[test]
fn what_does_not_fit_is_asked_for_again_with_the_reason_and_then_given_up() {
    let asking = asking(vec![
        field("mail", text(Some(TextFormat::Email))),
        field("note", text(None)),
    ]);
    let Verdict::Again(filled) = judged(&asking, &[("mail", &["nobody"]), ("note", &["hi"])])
    else {
        panic!("once more")
    };
    let form = shown(&asking, &filled, Language::English);
    let [StructuredInput::Freeform(question)] = &form.inputs[..] else {
        panic!("only what did not fit: {form:?}")
    };
    assert_eq!(
        question.description.as_deref(),
        Some("“nobody” does not fit here. · an e-mail address")
    );
    let better = answered(form.clone(), &[("mail", &["ada@example.com"])]);
    assert_eq!(
        content(&read((&asking, &filled), &better, Language::English)),
        json!({"mail": "ada@example.com", "note": "hi"})
    );
    let mut filled = filled;
    for is_last in [false, true] {
        let worse = answered(form.clone(), &[("mail", &["?"])]);
        match read((&asking, &filled), &worse, Language::English) {
            Verdict::Again(next) if !is_last => filled = next,
            verdict => assert_eq!(verdict, Verdict::Reply(Reply::Cancel)),
        }
    }
}

#[test]
fn a_form_without_fields_is_agreed_to_or_not() {
    let asking = asking(Vec::new());
    let said = |word: &str| judged(&asking, &[(CONFIRM, &[word])]);
    assert_eq!(content(&said("Erlauben")), json!({}));
    assert_eq!(said("Ablehnen"), Verdict::Reply(Reply::Decline));
    assert!(matches!(said("vielleicht"), Verdict::Again(_)));
    assert_eq!(judged(&asking, &[]), Verdict::Reply(Reply::Decline));
    assert_eq!(asking.defaults(), Reply::Decline);
}

#[test]
fn only_values_that_the_server_allows_are_given_to_it() {
    let kind = |least, most| FieldKind::Number {
        is_whole: true,
        least,
        most,
    };
    for (kind, good, bad) in [
        (kind(Some(1.0), Some(3.0)), json!(3), json!(4)),
        (kind(None, None), json!(-1), json!(1.5)),
        (text(Some(TextFormat::Uri)), json!("a:b"), json!("a b")),
        (
            text(Some(TextFormat::Date)),
            json!("2026-02-28"),
            json!("2026-02-29"),
        ),
        (
            text(Some(TextFormat::Date)),
            json!("2026-11-30"),
            json!("2026-11-30T09:00:00Z"),
        ),
        (
            text(Some(TextFormat::DateTime)),
            json!("2026-11-30T09:00:00+01:00"),
            json!("2026-11-30"),
        ),
        (
            FieldKind::Text {
                format: None,
                shortest: 2,
                longest: Some(3),
            },
            json!("äöü"),
            json!("ä"),
        ),
        (FieldKind::Choice(colours()), json!("#f00"), json!("Red")),
        (FieldKind::Truth, json!(false), json!("false")),
    ] {
        assert!(kind.allows(&good), "{kind:?}: {good}");
        assert!(!kind.allows(&bad), "{kind:?}: {bad}");
    }
}

#[test]
fn the_person_reads_which_server_asks_and_that_it_must_not_be_told_secrets() {
    let card = card(
        &ThreadId::mint(1),
        &asking(Vec::new()),
        moment(3),
        Language::English,
    );
    let shown = serde_json::to_string(&card).expect("json");
    for words in ["“shop” asks you", "How shall it be?", "passwords"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}
