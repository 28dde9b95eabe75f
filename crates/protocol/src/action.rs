//! Actions: what a widget asks for, and what the server receives.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_with::skip_serializing_none;

/// An action as the browser sends it. The payload is the user's: check it before acting on it.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// The application's own name for what should happen.
    #[serde(rename = "type")]
    pub name: String,
    /// Its data, with form values merged in by the element.
    pub payload: Option<Value>,
}

/// An action as a widget declares it.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActionConfig {
    /// The application's own name for what should happen.
    #[serde(rename = "type")]
    pub name: String,
    pub payload: Option<Value>,
    #[serde(default)]
    pub handler: Handler,
    #[serde(default)]
    pub loading_behavior: LoadingBehavior,
    /// Whether the answer streams; a plain answer may come while another one streams.
    #[serde(default = "yes", deserialize_with = "boolean_or_word")]
    pub streaming: bool,
}

impl ActionConfig {
    /// An action handled by the server, with the protocol's defaults for the rest.
    pub fn new(name: impl Into<String>, payload: Option<Value>) -> Self {
        Self {
            name: name.into(),
            payload,
            handler: Handler::default(),
            loading_behavior: LoadingBehavior::default(),
            streaming: true,
        }
    }
}

/// Who handles an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Handler {
    /// The page, through its `onAction` callback.
    Client,
    /// The backend, through `threads.custom_action`.
    #[default]
    Server,
}

/// What the element shows while an action is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoadingBehavior {
    #[default]
    Auto,
    None,
    #[serde(rename = "self")]
    Own,
    /// The whole widget becomes inert.
    Container,
}

const fn yes() -> bool {
    true
}

/// ChatKit's own guide writes `streaming: "false"` once, and its SDK reads that.
fn boolean_or_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected true or false")]
    enum Either {
        Boolean(bool),
        Word(Word),
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Word {
        True,
        False,
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Boolean(value) => value,
        Either::Word(word) => matches!(word, Word::True),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn streaming_may_be_a_word() {
        for (value, expected) in [
            (json!(false), false),
            (json!("false"), false),
            (json!("true"), true),
        ] {
            let action: ActionConfig =
                serde_json::from_value(json!({"type": "save", "streaming": value}))
                    .expect("an action");
            assert_eq!(action.streaming, expected);
        }
        assert!(
            serde_json::from_value::<ActionConfig>(json!({"type": "a", "streaming": "no"}))
                .is_err()
        );
    }

    #[test]
    fn defaults_are_written_out() {
        assert_eq!(
            serde_json::to_value(ActionConfig::new("save", None)).expect("json"),
            json!({"type": "save", "handler": "server", "loadingBehavior": "auto", "streaming": true})
        );
    }
}
