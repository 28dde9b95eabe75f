//! Schemas of servers as they come, and the calls that their questions are about.

use engine::ports::Asking;
use rmcp::model::ElicitRequestParams;
use serde_json::{Value, json};

use super::*;

/// As it comes over the wire: a value would forget the order of its fields.
fn read_text(properties: &str) -> Result<Asking, Unaskable> {
    let schema = format!(r#"{{"type":"object","properties":{properties},"required":["b"]}}"#);
    let params = format!(r#"{{"message":"Please","requestedSchema":{schema}}}"#);
    let params: ElicitRequestParams = serde_json::from_str(&params).unwrap();
    read("shop", &params)
}

fn asked(properties: &Value) -> Result<Asking, Unaskable> {
    read_text(&properties.to_string())
}

#[test]
fn fields_keep_their_order_their_words_and_their_bounds() {
    let asking = read_text(
        r#"{
        "b": {"type": "string", "title": "Name", "description": "Yours", "minLength": 2, "maxLength": 9, "default": "Ada"},
        "a": {"type": "integer", "minimum": 1, "maximum": 8, "default": 9},
        "z": {"type": "boolean", "default": true},
        "d": {"type": "string", "format": "email"}
        }"#,
    )
    .unwrap();
    let names: Vec<&str> = asking.fields.iter().map(|field| &*field.name).collect();
    assert_eq!(names, ["b", "a", "z", "d"]);
    let [name, seats, gift, mail] = &asking.fields[..] else {
        panic!("four fields")
    };
    assert_eq!(name.title.as_deref(), Some("Name"));
    assert_eq!(name.description.as_deref(), Some("Yours"));
    assert_eq!(name.default, Some(json!("Ada")));
    assert!(name.is_required && !seats.is_required);
    assert_eq!(
        seats.kind,
        FieldKind::Number {
            is_whole: true,
            least: Some(1.0),
            most: Some(8.0)
        }
    );
    assert_eq!(seats.default, None, "one that does not fit is none");
    assert_eq!(gift.default, Some(json!(true)));
    assert!(matches!(
        mail.kind,
        FieldKind::Text {
            format: Some(TextFormat::Email),
            ..
        }
    ));
}

#[test]
fn choices_are_read_in_every_form_that_servers_write() {
    let asking = read_text(
        r#"{
        "plain": {"type": "string", "enum": ["a", "b"]},
        "named": {"type": "string", "enum": ["a", "b"], "enumNames": ["One", "Two"]},
        "titled": {"type": "string", "oneOf": [{"const": "a", "title": "Same"}, {"const": "b", "title": "Same"}]},
        "many": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string", "enum": ["a", "b"]}},
        "many_titled": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "One"}]}, "default": ["a"]}
        }"#,
    )
    .unwrap();
    let titles = |field: &Field| -> Vec<String> {
        let (FieldKind::Choice(choices) | FieldKind::Choices { choices, .. }) = &field.kind else {
            panic!("choices: {field:?}")
        };
        choices.iter().map(|choice| choice.title.clone()).collect()
    };
    let found: Vec<Vec<String>> = asking.fields.iter().map(titles).collect();
    assert_eq!(
        found,
        [
            vec!["a", "b"],
            vec!["One", "Two"],
            vec!["Same", "Same (b)"],
            vec!["a", "b"],
            vec!["One"]
        ]
    );
    assert!(matches!(
        asking.fields[3].kind,
        FieldKind::Choices {
            fewest: 1,
            most: Some(2),
            ..
        }
    ));
    assert_eq!(asking.fields[4].default, Some(json!(["a"])));
}

#[test]
fn what_is_too_much_for_a_person_is_refused_in_words() {
    let field = json!({"type": "boolean"});
    let many: serde_json::Map<String, Value> = (0..=MAX_FIELDS)
        .map(|n| (n.to_string(), field.clone()))
        .collect();
    assert_eq!(asked(&many.into()), Err(Unaskable::TooManyFields));
    let choices: Vec<String> = (0..=MAX_CHOICES).map(|n| n.to_string()).collect();
    assert_eq!(
        asked(&json!({"a": {"type": "string", "enum": choices}})),
        Err(Unaskable::Choices)
    );
    assert_eq!(
        asked(&json!({"x".repeat(MAX_NAME_BYTES + 1): field})),
        Err(Unaskable::TooLong)
    );
    let long = asked(&json!({"a": {"type": "boolean", "title": "x".repeat(999)}})).unwrap();
    let title = long.fields[0].title.as_deref().unwrap();
    assert_eq!(title.chars().count(), MAX_TITLE_CHARS + 1);
    let url: ElicitRequestParams = serde_json::from_value(json!({
        "mode": "url", "message": "Go there", "url": "https://example.com", "elicitationId": "1",
    }))
    .unwrap();
    assert_eq!(read("shop", &url), Err(Unaskable::Mode));
}

#[tokio::test(start_paused = true)]
async fn a_question_goes_to_a_call_that_runs_and_nowhere_else() {
    let askers = Askers::default();
    let asking = || asked(&json!({})).unwrap();
    assert_eq!(askers.ask(asking()).await, Reply::Cancel, "nobody calls");

    let mut call = askers.enter();
    for _ in 0..MAX_QUESTIONS {
        let answering = async {
            let asked = call.asked.recv().await.unwrap();
            asked.reply.send(Reply::Decline).unwrap();
        };
        let (reply, ()) = tokio::join!(askers.ask(asking()), answering);
        assert_eq!(reply, Reply::Decline);
    }
    assert_eq!(askers.ask(asking()).await, Reply::Cancel, "one too many");
    assert!(!askers.is_asking());

    // Nobody answers, or waits any more.
    let mut patient = askers.enter();
    assert_eq!(askers.ask(asking()).await, Reply::Cancel);
    let left = async {
        patient.asked.recv().await.unwrap();
    };
    let (reply, ()) = tokio::join!(askers.ask(asking()), left);
    assert_eq!(reply, Reply::Cancel);
}
