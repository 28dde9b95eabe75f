//! What a test scripts: the parts of one answer and how it ends, said without any provider's words.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::Value;

/// One answer of the fake model, in the order in which it reaches the client.
///
/// Built with the constructors and the chained methods; the same reply can be sent in
/// either provider format.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) parts: Vec<Part>,
    pub(super) ending: Ending,
    pub(super) refusal: Option<HttpRefusal>,
    pub(super) piece_length: Option<usize>,
}

/// One part of an answer.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Visible text, one delta per string.
    Text(Vec<String>),
    /// A summary of the model's reasoning, one delta per string.
    Reasoning(Vec<String>),
    /// A tool call; the arguments are streamed in several deltas.
    ToolCall {
        call_id: String,
        name: String,
        arguments: String,
    },
    /// The model declines in words of its own.
    Refusal(String),
    /// Bytes as they are, for answers that no provider should send.
    Raw(Vec<u8>),
    /// Nothing more is sent until the test calls `FakeModel::release`.
    Hold,
}

/// How a stream ends.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// As the provider ends a finished answer.
    Complete,
    /// Out of output tokens.
    OutOfTokens,
    /// The provider reports a failure inside the stream.
    Failed { code: String, message: String },
    /// The body ends cleanly, but the provider's last event is missing.
    Missing,
    /// The connection breaks inside the body.
    Broken,
}

/// An answer that is not a stream at all.
#[derive(Clone, Debug)]
pub(super) struct HttpRefusal {
    pub(super) status: StatusCode,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) param: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

impl Reply {
    fn of(parts: Vec<Part>) -> Self {
        Self {
            parts,
            ending: Ending::Complete,
            refusal: None,
            piece_length: None,
        }
    }

    /// An answer with no parts; chain the parts that it should have.
    pub fn empty() -> Self {
        Self::of(Vec::new())
    }

    /// Streams text, one delta per string.
    pub fn text<T: Into<String>>(deltas: impl IntoIterator<Item = T>) -> Self {
        Self::empty().and_text(deltas)
    }

    /// Calls one tool with these arguments.
    pub fn tool_call(call_id: &str, name: &str, arguments: &Value) -> Self {
        Self::empty().and_tool_call(call_id, name, arguments)
    }

    /// Answers with an HTTP error in the provider's error shape instead of a stream.
    /// A `status` outside 100–999 becomes 500.
    pub fn http_error(status: u16, code: &str, message: &str) -> Self {
        Self {
            refusal: Some(HttpRefusal {
                status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                code: code.to_owned(),
                message: message.to_owned(),
                param: None,
                retry_after: None,
            }),
            ..Self::empty()
        }
    }

    /// Sends exactly these bytes as the event stream, and nothing around them.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            ending: Ending::Missing,
            ..Self::of(vec![Part::Raw(bytes.into())])
        }
    }

    /// Adds text, one delta per string.
    #[must_use]
    pub fn and_text<T: Into<String>>(mut self, deltas: impl IntoIterator<Item = T>) -> Self {
        self.parts
            .push(Part::Text(deltas.into_iter().map(Into::into).collect()));
        self
    }

    /// Adds a summary of reasoning. Chat Completions has no standard field for it: there it is
    /// sent as `reasoning_content`, as several compatible servers do.
    #[must_use]
    pub fn and_reasoning<T: Into<String>>(mut self, deltas: impl IntoIterator<Item = T>) -> Self {
        self.parts.push(Part::Reasoning(
            deltas.into_iter().map(Into::into).collect(),
        ));
        self
    }

    /// Adds a tool call; several calls in one answer are parallel calls.
    #[must_use]
    pub fn and_tool_call(self, call_id: &str, name: &str, arguments: &Value) -> Self {
        self.and_raw_tool_call(call_id, name, &arguments.to_string())
    }

    /// Adds a tool call whose arguments are any text, also text that is not JSON.
    #[must_use]
    pub fn and_raw_tool_call(mut self, call_id: &str, name: &str, arguments: &str) -> Self {
        self.parts.push(Part::ToolCall {
            call_id: call_id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        });
        self
    }

    /// Adds a refusal: the model declines in words of its own.
    #[must_use]
    pub fn and_refusal(mut self, text: &str) -> Self {
        self.parts.push(Part::Refusal(text.to_owned()));
        self
    }

    /// Adds bytes as they are, between well-formed events.
    #[must_use]
    pub fn and_raw(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.parts.push(Part::Raw(bytes.into()));
        self
    }

    /// Stops here until the test calls [`FakeModel::release`](super::FakeModel::release):
    /// a slow model without a clock.
    #[must_use]
    pub fn and_hold(mut self) -> Self {
        self.parts.push(Part::Hold);
        self
    }

    /// Ends because the output tokens are used up.
    #[must_use]
    pub fn out_of_tokens(mut self) -> Self {
        self.ending = Ending::OutOfTokens;
        self
    }

    /// Ends with a failure reported inside the stream.
    #[must_use]
    pub fn failed(mut self, code: &str, message: &str) -> Self {
        self.ending = Ending::Failed {
            code: code.to_owned(),
            message: message.to_owned(),
        };
        self
    }

    /// Ends the body cleanly without the provider's last event.
    #[must_use]
    pub fn without_ending(mut self) -> Self {
        self.ending = Ending::Missing;
        self
    }

    /// Breaks the connection after the parts.
    #[must_use]
    pub fn broken(mut self) -> Self {
        self.ending = Ending::Broken;
        self
    }

    /// Names the parameter that an HTTP error is about.
    #[must_use]
    pub fn about(mut self, param: &str) -> Self {
        if let Some(refusal) = &mut self.refusal {
            refusal.param = Some(param.to_owned());
        }
        self
    }

    /// Adds a `Retry-After` header to an HTTP error.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        if let Some(refusal) = &mut self.refusal {
            refusal.retry_after = Some(delay);
        }
        self
    }

    /// Writes the body in pieces of at most `length` bytes, which splits events, lines and
    /// multi-byte characters.
    #[must_use]
    pub fn in_pieces_of(mut self, length: usize) -> Self {
        self.piece_length = Some(length.max(1));
        self
    }
}
