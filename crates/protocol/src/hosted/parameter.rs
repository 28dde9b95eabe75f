//! Parameters of the hosted API: how they are read, and what is wrong with them, in the API's words.
//!
//! Programs tell errors apart by `code` and people find the field by `param`, so both are as the
//! official SDKs' users know them. A field that nobody knows is an error, as it is there: an
//! `expires_afer` that is passed over in silence would be a session that lives too long.

use std::{fmt::Display, ops::RangeInclusive};

use serde_json::{Map, Value};

use crate::json;

/// What is wrong with a parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParameterError {
    code: &'static str,
    message: String,
    param: Option<String>,
}

impl ParameterError {
    fn new(code: &'static str, param: impl Into<String>, message: String) -> Self {
        Self {
            code,
            message,
            param: Some(param.into()),
        }
    }

    pub(super) fn not_json(error: &crate::RequestError) -> Self {
        Self {
            code: "invalid_json",
            message: format!("We could not parse the JSON body of your request: {error}."),
            param: None,
        }
    }

    pub(super) fn missing(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self::new("missing_required_parameter", param, message)
    }

    pub(super) fn unknown(param: &str) -> Self {
        let param = json::excerpt(param);
        let message = format!("Unknown parameter: '{param}'.");
        Self::new("unknown_parameter", param, message)
    }

    pub(super) fn repeated(param: &str) -> Self {
        let param = json::excerpt(param);
        let message = format!("Duplicate parameter: '{param}'. Send it once.");
        Self::new("duplicate_parameter", param, message)
    }

    pub(super) fn wrong_type(param: &str, expected: &str, found: &str) -> Self {
        let message =
            format!("Invalid type for '{param}': expected {expected}, but got {found} instead.");
        Self::new("invalid_type", param, message)
    }

    /// A value that is none of those that are allowed.
    pub fn invalid_value(param: &str, advice: &str) -> Self {
        let message = format!("Invalid value for '{param}'. {advice}");
        Self::new("invalid_value", param, message)
    }

    pub(super) fn too_small(param: &str, least: u32, found: impl Display) -> Self {
        let message = format!(
            "Invalid '{param}': integer below minimum value. Expected a value >= {least}, but got {found} instead."
        );
        Self::new("integer_below_min_value", param, message)
    }

    pub(super) fn too_large(param: &str, most: u32, found: impl Display) -> Self {
        let message = format!(
            "Invalid '{param}': integer above maximum value. Expected a value <= {most}, but got {found} instead."
        );
        Self::new("integer_above_max_value", param, message)
    }

    /// A programmatic name for the fault.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The parameter at fault, as a dotted path.
    pub fn param(&self) -> Option<&str> {
        self.param.as_deref()
    }
}

/// Checks that an id begins with one of the prefixes of its kind; the first one is the one to name.
pub fn check_id(param: &str, id: &str, prefixes: &[&str]) -> Result<(), ParameterError> {
    let rest = prefixes
        .iter()
        .find_map(|prefix| id.strip_prefix(prefix)?.strip_prefix('_'));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if rest.is_some_and(|rest| !rest.is_empty())
        && id.len() <= crate::id::MAX_LENGTH
        && id.bytes().all(is_plain)
    {
        return Ok(());
    }
    let expected = prefixes.first().copied().unwrap_or_default();
    let message = format!(
        "Invalid '{param}': '{}'. Expected an ID that begins with '{expected}'.",
        json::excerpt(id)
    );
    Err(ParameterError::new("invalid_value", param, message))
}

/// Checks how long a text is, in characters.
pub(super) fn check_length(
    param: &str,
    text: &str,
    length: &RangeInclusive<usize>,
) -> Result<(), ParameterError> {
    let (least, most) = (*length.start(), *length.end());
    if text.is_empty() && least > 0 {
        let message = format!(
            "Invalid '{param}': empty string. Expected a string with minimum length {least}, but got an empty string instead."
        );
        return Err(ParameterError::new("empty_string", param, message));
    }
    let found = text.chars().count();
    if found > most {
        let message = format!(
            "Invalid '{param}': string too long. Expected a string with maximum length {most}, but got a string with length {found} instead."
        );
        return Err(ParameterError::new(
            "string_above_max_length",
            param,
            message,
        ));
    }
    Ok(())
}

/// Checks the name that a server gives a user.
pub(super) fn check_user(param: &str, name: &str) -> Result<(), ParameterError> {
    const MAX_CHARACTERS: usize = 512;
    check_length(param, name, &(1..=MAX_CHARACTERS))?;
    if name.chars().any(char::is_control) {
        let advice = "Expected a string without control characters.";
        return Err(ParameterError::invalid_value(param, advice));
    }
    Ok(())
}

/// The fields of an object that have not been read yet. `null` is the same as absent.
pub(super) struct Fields {
    path: String,
    rest: Map<String, Value>,
}

impl Fields {
    /// The fields of a value that must be an object.
    pub(super) fn of(path: String, value: Value) -> Result<Self, ParameterError> {
        match value {
            Value::Object(rest) => Ok(Self { path, rest }),
            other => {
                let name = if path.is_empty() { "body" } else { &path };
                Err(ParameterError::wrong_type(
                    name,
                    "an object",
                    type_name(&other),
                ))
            }
        }
    }

    pub(super) fn path(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    pub(super) fn required<T>(&self, name: &str, found: Option<T>) -> Result<T, ParameterError> {
        found.ok_or_else(|| ParameterError::missing(&self.path(name)))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.rest.remove(name).filter(|value| !value.is_null())
    }

    /// A text of this many characters.
    pub(super) fn string(
        &mut self,
        name: &str,
        length: &RangeInclusive<usize>,
    ) -> Result<Option<String>, ParameterError> {
        let path = self.path(name);
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => {
                check_length(&path, &text, length)?;
                Ok(Some(text))
            }
            Some(other) => Err(ParameterError::wrong_type(
                &path,
                "a string",
                type_name(&other),
            )),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ParameterError> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => {
                let path = self.path(name);
                Err(ParameterError::wrong_type(
                    &path,
                    "a boolean",
                    type_name(&other),
                ))
            }
        }
    }

    pub(super) fn integer(
        &mut self,
        name: &str,
        bounds: RangeInclusive<u32>,
    ) -> Result<Option<u32>, ParameterError> {
        let path = self.path(name);
        let number = match self.take(name) {
            None => return Ok(None),
            Some(Value::Number(number)) if !number.is_f64() => number,
            Some(other) => {
                return Err(ParameterError::wrong_type(
                    &path,
                    "an integer",
                    type_name(&other),
                ));
            }
        };
        match number.as_u64() {
            Some(value) if value > u64::from(*bounds.end()) => {
                Err(ParameterError::too_large(&path, *bounds.end(), number))
            }
            Some(value) if value >= u64::from(*bounds.start()) => {
                // Within a u32's bounds, as was just seen.
                Ok(u32::try_from(value).ok())
            }
            _ => Err(ParameterError::too_small(&path, *bounds.start(), number)),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, ParameterError> {
        let path = self.path(name);
        self.take(name)
            .map(|value| Self::of(path, value))
            .transpose()
    }

    /// An object whose fields are not prescribed: at most this many.
    pub(super) fn map(
        &mut self,
        name: &str,
        most: usize,
    ) -> Result<Option<Map<String, Value>>, ParameterError> {
        let Some(fields) = self.object(name)? else {
            return Ok(None);
        };
        let found = fields.rest.len();
        if found > most {
            let path = fields.path;
            let message = format!(
                "Invalid '{path}': too many properties. Expected an object with at most {most} properties, but got an object with {found} properties instead."
            );
            return Err(ParameterError::new(
                "object_above_max_properties",
                path,
                message,
            ));
        }
        Ok(Some(fields.rest))
    }

    /// Refuses the fields that were not read.
    pub(super) fn finish(self) -> Result<(), ParameterError> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(name) => Err(ParameterError::unknown(&self.path(name))),
        }
    }
}

/// What a JSON value is, in words.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a decimal number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
