//! Questions of a tool's server to the person: the form that asks them, and what its answers mean.

use std::borrow::Cow;

use protocol::{
    ItemId, JsonObject, ThreadId, ThreadItem, WidgetRoot,
    item::{
        ChoiceOption, FreeformInput, MultipleChoiceInput, StructuredAnswer, StructuredInput,
        StructuredInputItem, StructuredInputStatus, WidgetItem,
    },
    widget::{Caption, Card, CardSize, Text, Title},
};
use serde_json::{Number, Value};

use crate::{
    ports::{Asking, Choice, Field, FieldKind, Moment, Reply, TextFormat},
    words::{Language, Words},
};

/// How often a person is asked for something that fits.
const MOST_ATTEMPTS: u32 = 3;
/// The question of a form without fields.
const CONFIRM: &str = "vestibule.confirm";
/// How much of an answer that does not fit is said again, in characters.
const MAX_QUOTED_CHARS: usize = 60;

/// What is known of the answers so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filled {
    /// What fits.
    content: JsonObject,
    /// What is asked for once more: the field, and what was answered.
    wrong: Vec<(String, String)>,
    attempts: u32,
}

/// What a form's answers mean.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The server is answered.
    Reply(Reply),
    /// Something does not fit, and is asked for once more.
    Again(Filled),
}

/// The card that says who asks what. It stands in the thread when the form has gone.
pub(crate) fn card(
    thread: &ThreadId,
    asking: &Asking,
    Moment { now, id }: Moment,
    language: Language,
) -> ThreadItem {
    let title = Words::ServerAsks {
        server: asking.server.clone(),
    };
    WidgetItem {
        id: ItemId::mint(id),
        thread_id: thread.clone(),
        created_at: now,
        widget: WidgetRoot::from(Card {
            size: Some(CardSize::Md),
            children: vec![
                Title {
                    value: title.text(language).into_owned(),
                    ..Title::default()
                }
                .into(),
                Text {
                    value: asking.message.clone(),
                    ..Text::default()
                }
                .into(),
                Caption {
                    value: Words::NoPasswords.text(language).into_owned(),
                    ..Caption::default()
                }
                .into(),
            ],
            ..Card::default()
        }),
        copy_text: None,
    }
    .into()
}

/// The form: all that is asked, or what has to be asked for once more.
pub(crate) fn form(
    thread: &ThreadId,
    (asking, filled): (&Asking, &Filled),
    Moment { now, id }: Moment,
    language: Language,
) -> ThreadItem {
    let mut inputs: Vec<StructuredInput> = asked(asking, filled)
        .map(|(field, wrong)| {
            let is_one = asking.fields.len() == 1;
            question(field, wrong, is_one, language)
        })
        .collect();
    if asking.fields.is_empty() {
        let words = [Words::Allow, Words::Refuse];
        inputs.push(choosing(
            CONFIRM,
            Words::Agree.text(language).into_owned(),
            words.map(|words| words.text(language).into_owned()),
            false,
        ));
    }
    StructuredInputItem {
        id: ItemId::mint(id),
        thread_id: thread.clone(),
        created_at: now,
        status: StructuredInputStatus::Pending,
        inputs,
    }
    .into()
}

/// The fields of a form, with what was answered that does not fit.
fn asked<'a>(
    asking: &'a Asking,
    filled: &'a Filled,
) -> impl Iterator<Item = (&'a Field, Option<&'a str>)> {
    let is_first = filled.attempts == 0;
    asking.fields.iter().filter_map(move |field| {
        let wrong = filled.wrong.iter().find(|(name, _)| *name == field.name);
        (is_first || wrong.is_some()).then(|| (field, wrong.map(|(_, given)| given.as_str())))
    })
}

fn question(
    field: &Field,
    wrong: Option<&str>,
    is_one: bool,
    language: Language,
) -> StructuredInput {
    let title = field.title.as_deref().unwrap_or(&field.name);
    let mut hints: Vec<Cow<'static, str>> = Vec::new();
    if let Some(given) = wrong {
        let mut answer: String = given.chars().take(MAX_QUOTED_CHARS).collect();
        if answer.len() < given.len() {
            answer.push('…');
        }
        hints.push(Words::DoesNotFit { answer }.text(language));
    }
    hints.extend(field.description.clone().map(Cow::Owned));
    let mut said = expected(&field.kind, wrong.is_some());
    match &field.default {
        Some(value) => said.push(Words::DefaultIs {
            value: shown(&field.kind, value, language),
        }),
        None if field.is_required && !is_one => said.push(Words::Required),
        None => {}
    }
    hints.extend(said.iter().map(|words| words.text(language)));
    let hints = hints.join(" · ");
    let titled = |hints: &str| match hints {
        "" => title.to_owned(),
        hints => format!("{title} ({hints})"),
    };
    match &field.kind {
        FieldKind::Text { .. } | FieldKind::Number { .. } => {
            StructuredInput::Freeform(FreeformInput {
                id: field.name.clone(),
                question: title.to_owned(),
                answer: None,
                description: (!hints.is_empty()).then_some(hints),
            })
        }
        FieldKind::Truth => {
            let words = [Words::Yes, Words::No].map(|words| words.text(language).into_owned());
            choosing(&field.name, titled(&hints), words, false)
        }
        FieldKind::Choice(choices) | FieldKind::Choices { choices, .. } => choosing(
            &field.name,
            titled(&hints),
            choices.iter().map(|choice| choice.title.clone()),
            matches!(field.kind, FieldKind::Choices { .. }),
        ),
    }
}

fn choosing(
    id: &str,
    question: String,
    options: impl IntoIterator<Item = String>,
    multiple: bool,
) -> StructuredInput {
    let options = options.into_iter().map(|value| ChoiceOption { value });
    StructuredInput::MultipleChoice(MultipleChoiceInput {
        id: id.to_owned(),
        question,
        answer: None,
        options: options.collect(),
        multiple,
    })
}

/// What has to be said of what fits. That one has to choose is said only to somebody who has not.
fn expected(kind: &FieldKind, was_wrong: bool) -> Vec<Words> {
    let mut said = Vec::new();
    match kind {
        FieldKind::Text {
            format,
            shortest,
            longest,
        } => {
            said.extend(format.map(|format| match format {
                TextFormat::Email => Words::ExpectEmail,
                TextFormat::Uri => Words::ExpectUri,
                TextFormat::Date => Words::ExpectDate,
                TextFormat::DateTime => Words::ExpectDateTime,
            }));
            // That nothing is no answer goes without saying.
            said.extend((*shortest > 1).then_some(Words::CharactersAtLeast { count: *shortest }));
            said.extend(longest.map(|count| Words::CharactersAtMost { count }));
        }
        FieldKind::Number {
            is_whole,
            least,
            most,
        } => {
            said.push(if *is_whole {
                Words::ExpectWholeNumber
            } else {
                Words::ExpectNumber
            });
            said.extend(least.map(|least| Words::AtLeast {
                least: least.to_string(),
            }));
            said.extend(most.map(|most| Words::AtMost {
                most: most.to_string(),
            }));
        }
        FieldKind::Truth | FieldKind::Choice(_) if was_wrong => said.push(Words::ExpectChoice),
        FieldKind::Truth | FieldKind::Choice(_) => {}
        FieldKind::Choices { fewest, most, .. } => {
            said.extend((*fewest > 0).then_some(Words::ChoicesAtLeast { count: *fewest }));
            said.extend(most.map(|count| Words::ChoicesAtMost { count }));
        }
    }
    said
}

/// A value as the person reads it.
fn shown(kind: &FieldKind, value: &Value, language: Language) -> String {
    let title = |choices: &[Choice], value: &Value| {
        let chosen = choices.iter().find(|choice| *value == *choice.value);
        chosen.map(|choice| choice.title.clone())
    };
    match (kind, value) {
        (FieldKind::Truth, Value::Bool(value)) => truth(*value, language),
        (FieldKind::Choice(choices), value) => title(choices, value).unwrap_or_default(),
        (FieldKind::Choices { choices, .. }, Value::Array(values)) => {
            let titles = values.iter().filter_map(|value| title(choices, value));
            titles.collect::<Vec<_>>().join(", ")
        }
        (_, Value::String(text)) => text.clone(),
        (_, value) => value.to_string(),
    }
}

fn truth(value: bool, language: Language) -> String {
    let words = if value { Words::Yes } else { Words::No };
    words.text(language).into_owned()
}

/// What the answers of a form mean. What is passed over counts as its default, or is left out; without what is required
/// there is no answer.
pub(crate) fn read(
    (asking, filled): (&Asking, &Filled),
    form: &StructuredInputItem,
    language: Language,
) -> Verdict {
    if form.status == StructuredInputStatus::Skipped {
        return Verdict::Reply(Reply::Decline);
    }
    if asking.fields.is_empty() {
        return confirmed(answer_to(form, CONFIRM), filled, language);
    }
    let mut next = Filled {
        content: filled.content.clone(),
        wrong: Vec::new(),
        attempts: filled.attempts + 1,
    };
    for (field, _) in asked(asking, filled) {
        let given = answer_to(form, &field.name).map(|answer| answer.values.as_slice());
        let value = match given {
            None | Some([]) => match &field.default {
                Some(default) => Some(default.clone()),
                None if field.is_required => return Verdict::Reply(Reply::Decline),
                None => None,
            },
            Some(values) => {
                let value = field.read(values, language);
                if value.is_none() {
                    next.wrong.push((field.name.clone(), values.join(", ")));
                }
                value
            }
        };
        if let Some(value) = value {
            next.content.insert(field.name.clone(), value);
        }
    }
    match (next.wrong.is_empty(), next.attempts) {
        (true, _) => Verdict::Reply(Reply::Accept(next.content)),
        (false, MOST_ATTEMPTS..) => Verdict::Reply(Reply::Cancel),
        (false, _) => Verdict::Again(next),
    }
}

/// Only a clear yes is one.
fn confirmed(answer: Option<&StructuredAnswer>, filled: &Filled, language: Language) -> Verdict {
    let said = answer.and_then(|answer| answer.values.first());
    let says = |words: Words| said.is_some_and(|said| *said == words.text(language));
    if says(Words::Allow) {
        return Verdict::Reply(Reply::Accept(JsonObject::new()));
    }
    let attempts = filled.attempts + 1;
    if said.is_none() || says(Words::Refuse) || attempts >= MOST_ATTEMPTS {
        return Verdict::Reply(Reply::Decline);
    }
    Verdict::Again(Filled {
        attempts,
        ..Filled::default()
    })
}

fn answer_to<'a>(form: &'a StructuredInputItem, question: &str) -> Option<&'a StructuredAnswer> {
    form.inputs.iter().find_map(|input| {
        let (id, answer) = match input {
            StructuredInput::MultipleChoice(input) => (&input.id, &input.answer),
            StructuredInput::Freeform(input) => (&input.id, &input.answer),
        };
        let answer = answer.as_ref().filter(|answer| !answer.skipped);
        answer.filter(|_| id == question)
    })
}

impl Field {
    /// What was answered as the server takes it; nothing, where it does not fit.
    fn read(&self, values: &[String], language: Language) -> Option<Value> {
        let first = values.first()?.trim();
        match &self.kind {
            FieldKind::Text { .. } => Some(Value::from(first)),
            FieldKind::Number { is_whole, .. } => number(first, *is_whole).map(Value::Number),
            FieldKind::Truth => [true, false]
                .into_iter()
                .find(|value| {
                    [truth(*value, language), value.to_string()]
                        .iter()
                        .any(|word| word.eq_ignore_ascii_case(first))
                })
                .map(Value::Bool),
            FieldKind::Choice(choices) => chosen(choices, first),
            FieldKind::Choices { choices, .. } => {
                let mut picked = Vec::new();
                for value in values {
                    let value = chosen(choices, value.trim())?;
                    if !picked.contains(&value) {
                        picked.push(value);
                    }
                }
                Some(Value::Array(picked))
            }
        }
        .filter(|value| self.kind.allows(value))
    }
}

fn chosen(choices: &[Choice], said: &str) -> Option<Value> {
    let by_title = choices.iter().find(|choice| choice.title == said);
    let found = by_title.or_else(|| {
        let is_meant = |choice: &&Choice| {
            choice.value == said || choice.title.to_lowercase() == said.to_lowercase()
        };
        choices.iter().find(is_meant)
    });
    Some(Value::from(found?.value.clone()))
}

/// A number as people write it: with a comma for the point, too.
fn number(text: &str, is_whole: bool) -> Option<Number> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let value: f64 = match text.parse() {
        Ok(value) => value,
        Err(_) if text.matches(',').count() == 1 && !text.contains('.') => {
            text.replace(',', ".").parse().ok()?
        }
        Err(_) => return None,
    };
    Number::from_f64(value).filter(|_| !is_whole)
}

impl FieldKind {
    /// Whether a server that asks for this takes the value.
    pub fn allows(&self, value: &Value) -> bool {
        match (self, value) {
            (
                Self::Text {
                    format,
                    shortest,
                    longest,
                },
                Value::String(text),
            ) => {
                let length = text.chars().count();
                length >= *shortest
                    && longest.is_none_or(|longest| length <= longest)
                    && format.is_none_or(|format| format.is_of(text))
            }
            (
                Self::Number {
                    is_whole,
                    least,
                    most,
                },
                Value::Number(number),
            ) => {
                let is_within = |number: f64| {
                    least.is_none_or(|least| number >= least)
                        && most.is_none_or(|most| number <= most)
                };
                (!is_whole || !number.is_f64()) && number.as_f64().is_some_and(is_within)
            }
            (Self::Truth, Value::Bool(_)) => true,
            (Self::Choice(choices), Value::String(value)) => {
                choices.iter().any(|choice| choice.value == *value)
            }
            (
                Self::Choices {
                    choices,
                    fewest,
                    most,
                },
                Value::Array(values),
            ) => {
                let is_there = |value: &Value| choices.iter().any(|choice| *value == *choice.value);
                values.len() >= *fewest
                    && most.is_none_or(|most| values.len() <= most)
                    && values.iter().all(is_there)
            }
            _ => false,
        }
    }
}

impl TextFormat {
    fn is_of(self, text: &str) -> bool {
        match self {
            Self::Email => text.split_once('@').is_some_and(|(name, host)| {
                let is_part = |part: &str| {
                    !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c == '@')
                };
                is_part(name) && is_part(host)
            }),
            Self::Uri => text.split_once(':').is_some_and(|(scheme, rest)| {
                scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                    && scheme
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
                    && !rest.is_empty()
                    && !rest.contains(char::is_whitespace)
            }),
            // The day alone: a parser that is kind takes a time with it.
            Self::Date => {
                text.len() == "2026-11-30".len() && text.parse::<jiff::civil::Date>().is_ok()
            }
            Self::DateTime => text.parse::<jiff::Timestamp>().is_ok(),
        }
    }
}

#[cfg(test)]
mod tests;
