//! What an object store answers when it does not do what it is asked, in words, without what might be a secret.

use std::error::Error;

use engine::ports::FilesError;
use object_store::client::{HttpError, HttpErrorKind};

/// Why a bucket could not be used.
///
/// The library's own texts quote whole answers, with the names of keys in them, and addresses; of them only the status,
/// the protocol's name for the error, and what the network said are kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// A variable of the environment has a value that cannot be, or one is there without another.
    #[error("the AWS_… variables do not go together")]
    Settings(#[source] Cause),
    /// There is no key, and nobody who gives one.
    #[error(
        "there are no credentials for the object store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this \
         machine a role"
    )]
    NoCredentials,
    /// The key is unknown or wrong, or may not do this.
    #[error("the object store refuses us ({0})")]
    Refused(Answer),
    /// There is no bucket of this name.
    #[error("there is no such bucket at the object store, or not in this region ({0})")]
    NoBucket(Answer),
    /// Something else, which trying again may mend.
    #[error("the object store failed ({0})")]
    Failed(Answer),
    /// No answer came.
    #[error("the object store did not answer in time")]
    TimedOut,
    /// Nobody is there.
    #[error("the object store cannot be reached")]
    Unreachable(#[source] Cause),
    /// It is no object store, or one that speaks differently.
    #[error("the object store's answer is not understood")]
    NotUnderstood(#[source] Cause),
}

type Cause = Box<dyn Error + Send + Sync>;

/// What was answered: a status, and the protocol's name for what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) code: Option<String>,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "HTTP {}", self.status)?;
        match &self.code {
            Some(code) => write!(formatter, ", {code}"),
            None => Ok(()),
        }
    }
}

impl Answer {
    /// From a status and a body, which may hold the error in XML.
    pub(super) fn new(status: u16, body: &str) -> Self {
        let code = between(body, "<Code>", "</Code>").filter(|code| {
            code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        Self {
            status,
            code: code.map(str::to_owned),
        }
    }

    /// Whether nothing is there, in a bucket that is.
    fn is_missing(&self) -> bool {
        self.status == 404 && self.code.as_deref() != Some("NoSuchBucket")
    }

    /// Whether the store has no such call.
    fn is_unknown_call(&self) -> bool {
        matches!(self.status, 405 | 501)
    }

    fn is_full(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default();
        self.status == 507 || code.ends_with("StorageFull") || code.ends_with("QuotaExceeded")
    }
}

/// What lies between two words of a text.
pub(super) fn between<'text>(text: &'text str, start: &str, end: &str) -> Option<&'text str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

/// What came of a call that failed.
#[derive(Debug)]
pub(super) enum Outcome {
    /// There is nothing under this name.
    Missing,
    /// There is something under this name.
    Exists,
    /// The store does not know the call.
    Unknown,
    /// It has no room.
    Full(BucketError),
    /// Something else.
    Failed(BucketError),
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        if answer.is_missing() {
            return Self::Missing;
        }
        if answer.is_unknown_call() {
            return Self::Unknown;
        }
        if answer.is_full() {
            return Self::Full(BucketError::Failed(answer));
        }
        Self::Failed(match (answer.status, answer.code.as_deref()) {
            (_, Some("NoSuchBucket")) | (301 | 307 | 308, _) => BucketError::NoBucket(answer),
            (401 | 403, _)
            | (400, Some("InvalidAccessKeyId" | "ExpiredToken" | "InvalidToken")) => {
                BucketError::Refused(answer)
            }
            _ => BucketError::Failed(answer),
        })
    }
}

impl From<object_store::Error> for Outcome {
    fn from(error: object_store::Error) -> Self {
        match &error {
            object_store::Error::AlreadyExists { .. }
            | object_store::Error::Precondition { .. } => {
                return Self::Exists;
            }
            object_store::Error::NotImplemented { .. } => return Self::Unknown,
            _ => {}
        }
        if let Some(answer) = answer_of(&error) {
            return answer.into();
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(found) = cause {
            if let Some(http) = found.downcast_ref::<HttpError>() {
                return Self::Failed(of_the_network(http));
            }
            cause = found.source();
        }
        match error {
            object_store::Error::NotFound { .. } => Self::Missing,
            error => Self::Failed(BucketError::NotUnderstood(Box::new(error))),
        }
    }
}

/// The library keeps the type that holds an answer to itself, but not its text.
fn answer_of(error: &object_store::Error) -> Option<Answer> {
    let text = error.to_string();
    if text.contains("redirect without LOCATION") {
        return Some(Answer::new(301, ""));
    }
    let (_, said) = text.split_once("status code: ")?;
    let status = said.get(..3)?.parse().ok()?;
    Some(Answer::new(status, said))
}

fn of_the_network(error: &HttpError) -> BucketError {
    if error.kind() == HttpErrorKind::Timeout {
        return BucketError::TimedOut;
    }
    // The cause of an HTTP client's error is what the system says, and its own text has no address.
    let mut words = error.to_string();
    let mut cause = error.source().and_then(Error::source);
    while let Some(found) = cause {
        words = found.to_string();
        cause = found.source();
    }
    BucketError::Unreachable(words.into())
}

impl From<Outcome> for FilesError {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Missing => Self::NotFound,
            Outcome::Exists => Self::Exists,
            Outcome::Unknown => Self::Internal(Box::new(BucketError::Failed(Answer::new(501, "")))),
            Outcome::Full(error) => Self::Full(Box::new(error)),
            Outcome::Failed(error) => Self::Internal(Box::new(error)),
        }
    }
}

/// What the library says, as the port says it.
pub(super) fn failed(error: object_store::Error) -> FilesError {
    Outcome::from(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16, body: &str) -> String {
        format!("{:?}", Outcome::from(Answer::new(status, body)))
    }

    #[test]
    fn an_answer_is_told_by_what_can_be_done_about_it() {
        for (status, body, word) in [
            (404, "", "Missing"),
            (404, "<Error><Code>NoSuchKey</Code></Error>", "Missing"),
            (404, "<Error><Code>NoSuchBucket</Code></Error>", "NoBucket"),
            (301, "", "NoBucket"),
            (501, "<Error><Code>NotImplemented</Code></Error>", "Unknown"),
            (403, "<Error><Code>AccessDenied</Code></Error>", "Refused"),
            (400, "<Error><Code>ExpiredToken</Code></Error>", "Refused"),
            (507, "<Error><Code>XMinioStorageFull</Code></Error>", "Full"),
            (503, "<Error><Code>SlowDown</Code></Error>", "Failed(Failed"),
        ] {
            let found = outcome(status, body);
            assert!(found.contains(word), "{status} {body}: {found}");
        }
    }

    #[test]
    fn of_an_answer_nothing_is_kept_but_its_name() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        let text = Answer::new(403, body).to_string();
        assert_eq!(text, "HTTP 403, SignatureDoesNotMatch");
        let strange = Answer::new(403, "<Code>what <i>ever</i></Code>");
        assert_eq!(strange.to_string(), "HTTP 403");
    }
}
