//! What is stored <-> what the product works with, the same for every engine.
//!
//! A row keeps ChatKit's own JSON next to the number of its form. Rows of older forms stay as they are until they are
//! written again, so that an upgrade need not touch every row; [`decode`] brings them up to date as they are read.
//! `tests/stored.rs` pins the form: whoever breaks old rows breaks that test.

pub(crate) mod audit;
pub(crate) mod change;
pub(crate) mod page;
pub(crate) mod session;

use protocol::request::FeedbackKind;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::error::Error;

/// The form that is written today.
const VERSION: i64 = 1;

/// A value in its stored form.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// The number of the form.
    pub(crate) version: i64,
    /// JSON.
    pub(crate) data: String,
}

/// Brings a value into the form of today.
pub(crate) fn encode(value: &impl Serialize) -> Result<Stored, Error> {
    let data = serde_json::to_string(value).map_err(Error::internal)?;
    Ok(Stored {
        version: VERSION,
        data,
    })
}

/// Reads a value of any form so far.
pub(crate) fn decode<T: DeserializeOwned>(version: i64, data: &str) -> Result<T, Error> {
    match version {
        VERSION => serde_json::from_str(data).map_err(Error::internal),
        version => Err(Error::internal(UnknownForm { version })),
    }
}

/// What is kept of an attachment beside its columns.
#[derive(Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) media_type: String,
}

/// A thumb's name.
pub(crate) const fn kind_name(kind: FeedbackKind) -> &'static str {
    match kind {
        FeedbackKind::Positive => "positive",
        FeedbackKind::Negative => "negative",
    }
}

/// A thumb by its name.
pub(crate) fn feedback_kind(name: &str) -> Result<FeedbackKind, Error> {
    match name {
        "positive" => Ok(FeedbackKind::Positive),
        "negative" => Ok(FeedbackKind::Negative),
        _ => Err(Error::internal(UnknownKind)),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("feedback of a kind that only a newer build knows")]
struct UnknownKind;

#[derive(Debug, thiserror::Error)]
#[error("a row has form {version}, which only a newer build can read")]
struct UnknownForm {
    version: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_newer_form_is_not_guessed_at() {
        let error = decode::<serde_json::Value>(VERSION + 1, "{}").unwrap_err();
        let Error::Internal(cause) = error else {
            panic!("{error:?}")
        };
        assert_eq!(
            cause.to_string(),
            "a row has form 2, which only a newer build can read"
        );
    }
}
