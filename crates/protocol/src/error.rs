//! Why a request cannot be read, in words for the person who wrote the client.
//!
//! The texts never repeat what was sent beyond short names: a body may hold credentials.

/// Why a request cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The body has more bytes than requests of its type may have.
    #[error("the request is larger than {limit} bytes; send less at once")]
    TooLarge {
        /// The most bytes.
        limit: usize,
    },
    #[error("the request is not valid UTF-8 from byte {position}; encode the JSON as UTF-8")]
    NotUtf8 {
        /// The first byte that is wrong, from 0.
        position: usize,
    },
    #[error("the request is not valid JSON at line {line}, column {column}; check its syntax")]
    NotJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// An object has a key twice. Readers differ on which one counts, so none does.
    #[error("the request has the key `{key}` twice in one object; send it once")]
    DuplicateKey { key: String },
    #[error("the request is nested deeper than {limit} levels; make it flatter")]
    TooDeep { limit: usize },
    #[error("there is no request of type `{found}`; send one of: {}", known())]
    UnknownType { found: String },
    /// A field is missing, or its value is not of the right kind.
    #[error("`{path}` is not right: {reason}")]
    Invalid {
        /// Where, such as `params.input.content[0]`.
        path: String,
        reason: String,
    },
    #[error("`{path}` has more than {limit} entries; send fewer at once")]
    TooMany { path: String, limit: usize },
    #[error("`{path}` is longer than {limit} bytes; shorten it")]
    TooLong {
        path: String,
        /// The most bytes.
        limit: usize,
    },
}

impl RequestError {
    /// A stable name for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "request_too_large",
            Self::NotUtf8 { .. } => "invalid_utf8",
            Self::NotJson { .. } => "invalid_json",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::TooDeep { .. } => "nested_too_deeply",
            Self::UnknownType { .. } => "unknown_request_type",
            Self::Invalid { .. } => "invalid_value",
            Self::TooMany { .. } => "too_many_entries",
            Self::TooLong { .. } => "value_too_long",
        }
    }

    /// The field at fault, if it is a field.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::UnknownType { .. } => Some("type"),
            Self::Invalid { path, .. }
            | Self::TooMany { path, .. }
            | Self::TooLong { path, .. } => Some(path),
            Self::TooLarge { .. }
            | Self::NotUtf8 { .. }
            | Self::NotJson { .. }
            | Self::DuplicateKey { .. }
            | Self::TooDeep { .. } => None,
        }
    }
}

fn known() -> String {
    crate::Request::TYPES.join(", ")
}
