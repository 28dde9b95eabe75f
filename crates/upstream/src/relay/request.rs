//! What a relayed request may hold. Whoever sends one spends the operator's money, so everything is
//! refused that is not known to be bounded, and what is bounded by a number is cut to it.

use serde_json::{Map, Value};
use url::{Host, Url};

use super::RelayError;

/// More messages than this are taken for a mistake.
pub(super) const MAX_MESSAGES: usize = 2_000;
/// As many as OpenAI takes.
const MAX_TOOLS: usize = 128;
/// Every image is read by the model, whatever its address weighs here.
const MAX_IMAGES: usize = 16;
/// The longest address of an image that the provider fetches, in bytes.
const MAX_IMAGE_ADDRESS_BYTES: usize = 2_048;

/// Fields that are passed on as the client sent them, once [`check`] has seen them. What decides who
/// pays for what (`model`, `user`, `service_tier` and the like) is not the client's to say.
const PASSED_FIELDS: &[&str] = &[
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "verbosity",
];

/// Fields that clients send out of habit and that are replaced without a word.
const REPLACED_FIELDS: &[&str] = &["model", "stream", "user"];

/// Fields that say how long an answer may get; the newer one first.
pub(super) const OUTPUT_FIELDS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// How much one relayed request may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayLimits {
    /// The most tokens of one answer.
    pub max_tokens: u64,
    /// The most answers to choose from (`n`).
    pub choices: u64,
}

pub(super) type Fields = Map<String, Value>;

/// The request's fields, once it is clear that each may be there and how much it may ask for.
pub(super) fn check(body: &[u8], limits: RelayLimits) -> Result<Fields, RelayError> {
    let mut fields: Fields = serde_json::from_slice(body).map_err(|error| RelayError::Invalid {
        // Where, but not what: the error's own words repeat the text at fault.
        message: format!(
            "send a JSON object with `messages`; line {} column {} cannot be read",
            error.line(),
            error.column()
        ),
        param: None,
    })?;
    let messages = fields.get("messages").and_then(Value::as_array);
    let Some(messages) = messages.filter(|list| (1..=MAX_MESSAGES).contains(&list.len())) else {
        return Err(RelayError::invalid(
            format!("`messages` must be a list of 1 to {MAX_MESSAGES} messages"),
            "messages",
        ));
    };
    if fields.get("stream") == Some(&Value::Bool(false)) {
        return Err(RelayError::invalid(
            "the relay always streams; leave `stream` out or set it to true",
            "stream",
        ));
    }
    for name in fields.keys().map(String::as_str) {
        if !PASSED_FIELDS.contains(&name) && !REPLACED_FIELDS.contains(&name) {
            let shown: String = name.chars().take(64).collect();
            return Err(RelayError::invalid(
                format!("the relay does not pass on `{shown}`; leave it out"),
                shown,
            ));
        }
    }
    check_messages(messages)?;
    check_tools(&fields)?;
    for (name, most) in [
        (OUTPUT_FIELDS[0], limits.max_tokens),
        (OUTPUT_FIELDS[1], limits.max_tokens),
        ("n", limits.choices),
    ] {
        clamp(&mut fields, name, most)?;
    }
    Ok(fields)
}

/// Cuts a number to what is allowed; `null` is the same as leaving it out.
fn clamp(fields: &mut Fields, name: &str, most: u64) -> Result<(), RelayError> {
    match fields.get(name).map(|value| (value.as_u64(), value)) {
        None => {}
        Some((Some(number @ 1..), _)) => {
            fields.insert(name.to_owned(), number.min(most).into());
        }
        Some((_, Value::Null)) => {
            fields.remove(name);
        }
        Some(_) => {
            return Err(RelayError::invalid(
                format!("`{name}` must be a whole number from 1 on"),
                name,
            ));
        }
    }
    Ok(())
}

fn check_messages(messages: &[Value]) -> Result<(), RelayError> {
    let mut images = 0;
    for (index, message) in messages.iter().enumerate() {
        let place = format!("messages[{index}]");
        let Some(message) = message.as_object() else {
            return Err(RelayError::invalid("each message must be an object", place));
        };
        let parts = match message.get("content") {
            None | Some(Value::Null | Value::String(_)) => continue,
            Some(Value::Array(parts)) => parts,
            Some(_) => {
                return Err(RelayError::invalid(
                    "a message's `content` must be text or a list of parts",
                    format!("{place}.content"),
                ));
            }
        };
        for (index, part) in parts.iter().enumerate() {
            let place = format!("{place}.content[{index}]");
            match part.get("type").and_then(Value::as_str) {
                Some("text" | "refusal") => {}
                Some("image_url") => {
                    images += 1;
                    check_image(part, images, place)?;
                }
                _ => {
                    return Err(RelayError::invalid(
                        "a part of a message must be of type `text` or `image_url`; the relay passes \
                         on nothing else",
                        format!("{place}.type"),
                    ));
                }
            }
        }
    }
    Ok(())
}

fn check_image(part: &Value, count: usize, place: String) -> Result<(), RelayError> {
    if count > MAX_IMAGES {
        return Err(RelayError::invalid(
            format!("a request may hold {MAX_IMAGES} images; send fewer"),
            place,
        ));
    }
    let address = part.pointer("/image_url/url").and_then(Value::as_str);
    let is_allowed = address.is_some_and(|address| {
        address.starts_with("data:image/")
            || (address.len() <= MAX_IMAGE_ADDRESS_BYTES && is_public(address))
    });
    if is_allowed {
        return Ok(());
    }
    Err(RelayError::invalid(
        format!(
            "an image must be a `data:image/…` address, or an `https:` address of at most \
             {MAX_IMAGE_ADDRESS_BYTES} bytes at a public host name"
        ),
        format!("{place}.image_url.url"),
    ))
}

/// Whether an address may be given to a provider to fetch. One that runs on the operator's own
/// network must not be sent to its neighbours, so numbers and names without a dot do not pass.
fn is_public(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    let is_name = matches!(url.host(), Some(Host::Domain(name)) if {
        let name = name.trim_end_matches('.');
        name.contains('.') && !name.ends_with(".localhost")
    });
    url.scheme() == "https" && is_name && url.username().is_empty() && url.password().is_none()
}

/// Providers run some tools themselves, at a price (web search and the like); functions run at the
/// client.
fn check_tools(fields: &Fields) -> Result<(), RelayError> {
    let is_function = |value: &Value| value.get("type").and_then(Value::as_str) == Some("function");
    match fields.get("tools") {
        None | Some(Value::Null) => {}
        Some(Value::Array(tools)) if tools.len() <= MAX_TOOLS => {
            if let Some(index) = tools.iter().position(|tool| !is_function(tool)) {
                return Err(RelayError::invalid(
                    "the relay passes on tools of type `function` only",
                    format!("tools[{index}].type"),
                ));
            }
        }
        Some(_) => {
            return Err(RelayError::invalid(
                format!("`tools` must be a list of at most {MAX_TOOLS} tools"),
                "tools",
            ));
        }
    }
    match fields.get("tool_choice") {
        None | Some(Value::Null | Value::String(_)) => Ok(()),
        Some(choice) if is_function(choice) => Ok(()),
        Some(_) => Err(RelayError::invalid(
            "`tool_choice` must be a word, or name a tool of type `function`",
            "tool_choice",
        )),
    }
}
