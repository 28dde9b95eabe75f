//! Why a page may not use this server, and what to do about it: one place that knows, and three readers.
//!
//! The person at the screen reads one sentence ([`OriginRefusal`]'s `Display`).
//! The page's developer reads the [`Details`]: the reason, the next step and the command.
//! The operator reads [`OriginRefusal::for_operator`] in the log, where the registered origins stand, too.
//!
//! The next step depends on the credential in hand ([`InHand`]): a public token has origins of its own,
//! a login's environment stands in the configuration, a server key's is chosen when it is made.
//! A command is printed only if the same request succeeds after it (a test runs each of them).

use std::fmt;

use serde::Serialize;

use crate::{domain::Origin, identity::Environment, ports::PublicTokenRecord};

/// How many registered origins the log names.
const ORIGINS_NAMED: usize = 10;

/// The credential that a page shows, as far as it decides which pages may show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InHand {
    /// None: a preflight, or a page that asks for itself. The environment is the deployment's usual one.
    Nothing(Environment),
    /// A domain key.
    DomainKey(Environment),
    /// A public token, or a visitor's secret that it opened.
    PublicToken {
        /// The token's.
        environment: Environment,
        /// The workflow that the token names.
        workflow: Option<String>,
    },
    /// A user's token, session cookie or client secret.
    Login {
        /// Who vouches for the user.
        issuer: String,
        /// The issuer's.
        environment: Environment,
    },
    /// A client secret that the operator's own server asked for with its key.
    ServerKey(Environment),
}

impl InHand {
    /// Which list of origins counts.
    pub fn environment(&self) -> Environment {
        match self {
            Self::Nothing(environment)
            | Self::DomainKey(environment)
            | Self::PublicToken { environment, .. }
            | Self::Login { environment, .. }
            | Self::ServerKey(environment) => *environment,
        }
    }
}

impl From<&PublicTokenRecord> for InHand {
    fn from(token: &PublicTokenRecord) -> Self {
        Self::PublicToken {
            environment: token.environment,
            workflow: token.workflow.clone(),
        }
    }
}

/// What is wrong with an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginCause {
    /// The request has no `Origin` header.
    Missing,
    /// The request has more than one `Origin` header.
    Repeated,
    /// `Origin: null`: a sandboxed frame, a file, or a redirect.
    Opaque,
    /// The header is not a serialised http(s) origin.
    Malformed(String),
    /// The origin is not registered for the environment.
    NotRegistered(Origin),
    /// The origin is not one of those that the public token is for.
    NotForToken(Origin),
    /// The chat session was opened for other origins than this one.
    NotForSession(Origin),
    /// The domain key belongs to another origin, or to nobody any more.
    WrongKey(Origin),
    /// The key or token is for an environment that this deployment does not serve.
    OtherEnvironment,
}

impl OriginCause {
    fn origin(&self) -> Option<&Origin> {
        match self {
            Self::NotRegistered(origin)
            | Self::NotForToken(origin)
            | Self::NotForSession(origin)
            | Self::WrongKey(origin) => Some(origin),
            Self::Missing
            | Self::Repeated
            | Self::Opaque
            | Self::Malformed(_)
            | Self::OtherEnvironment => None,
        }
    }
}

/// A page that may not use this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginRefusal {
    cause: OriginCause,
    in_hand: InHand,
    registered: Vec<String>,
}

/// What the page's developer is told, as the answer's `error.details`.
#[derive(Debug, Serialize)]
pub struct Details<'a> {
    /// Which page it was, where the request names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    /// Which list of origins was looked at.
    environment: Environment,
    /// What is wrong.
    reason: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The command that does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    /// The pages that may come. Nobody's business but the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    registered: Option<&'a [String]>,
}

/// The next step, in words, and as a command where one does it.
struct Advice {
    next: String,
    command: Option<String>,
}

impl Advice {
    fn run(command: String, then: &str) -> Self {
        Self {
            next: format!("run the command on the server{then}"),
            command: Some(command),
        }
    }

    fn words(next: String) -> Self {
        Self {
            next,
            command: None,
        }
    }
}

impl OriginRefusal {
    pub(crate) fn new(cause: OriginCause, in_hand: InHand, registered: Vec<String>) -> Self {
        Self {
            cause,
            in_hand,
            registered,
        }
    }

    /// A page that shows the client secret of a session which was opened for other pages.
    pub fn not_for_session(origin: Origin, in_hand: InHand, origins: Vec<String>) -> Self {
        Self::new(OriginCause::NotForSession(origin), in_hand, origins)
    }

    /// What is wrong.
    pub fn cause(&self) -> &OriginCause {
        &self.cause
    }

    /// Which list of origins was looked at.
    pub fn environment(&self) -> Environment {
        self.in_hand.environment()
    }

    /// The command that lets the page in.
    pub fn command(&self) -> Option<String> {
        self.advice()?.command
    }

    /// What the page's developer is told; with the registered origins only if they are the operator,
    /// who sits at the server's own machine.
    pub fn details(&self, is_operator: bool) -> Details<'_> {
        let advice = self.advice();
        let (next, command) = match advice {
            Some(Advice { next, command }) => (Some(next), command),
            None => (None, None),
        };
        Details {
            origin: self.cause.origin().map(Origin::as_str),
            environment: self.in_hand.environment(),
            reason: self.reason(),
            next,
            command,
            registered: (is_operator && self.cause.origin().is_some())
                .then_some(&self.registered[..]),
        }
    }

    /// All of it on one line, for the log.
    pub fn for_operator(&self) -> String {
        let mut text = self.reason();
        if self.cause.origin().is_some() {
            text.push_str(&self.registered_in_brief());
        }
        if let Some(Advice { next, command }) = self.advice() {
            text.push_str("; ");
            text.push_str(&next);
            if let Some(command) = command {
                text.push_str(": ");
                text.push_str(&command);
            }
        }
        text
    }

    fn reason(&self) -> String {
        let environment = self.in_hand.environment();
        match &self.cause {
            OriginCause::Missing => {
                "the request has no Origin header; this credential is for browsers only".to_owned()
            }
            OriginCause::Repeated => "the request has more than one Origin header".to_owned(),
            OriginCause::Opaque => {
                "the page has no origin (`Origin: null`); serve it over http or https, and not in a sandboxed frame"
                    .to_owned()
            }
            OriginCause::Malformed(origin) => {
                format!("the Origin header {origin} is not a serialised http or https origin")
            }
            OriginCause::OtherEnvironment => {
                format!("the credential is for {environment}, which this deployment does not serve")
            }
            OriginCause::NotRegistered(origin)
                if origin.is_local() && environment == Environment::Live =>
            {
                let credential = match &self.in_hand {
                    InHand::Nothing(_) => "this deployment's logins and keys are",
                    InHand::DomainKey(_) => "the domain key is",
                    InHand::PublicToken { .. } => "the public token is",
                    InHand::Login { .. } => "the user's issuer is",
                    InHand::ServerKey(_) => "the server key that opened the session is",
                };
                format!("{origin} is a page on a developer's machine, and {credential} live")
            }
            OriginCause::NotRegistered(origin) => {
                format!("the origin {origin} is not registered for {environment}")
            }
            OriginCause::NotForToken(origin) => {
                format!("the public token is not for the origin {origin}")
            }
            OriginCause::NotForSession(origin) => {
                format!("the chat session of this client secret is not for the origin {origin}")
            }
            OriginCause::WrongKey(origin) => {
                format!("the domain key does not belong to the origin {origin}")
            }
        }
    }

    /// The one place where advice is made.
    fn advice(&self) -> Option<Advice> {
        let origin = self.cause.origin()?;
        if matches!(self.cause, OriginCause::NotForSession(_)) {
            return Some(Advice::words(format!(
                "open a new chat session from {origin}; a client secret works only on the pages that its session was opened for"
            )));
        }
        let environment = self.in_hand.environment();
        if environment == Environment::Live && origin.is_local() {
            return Some(self.advice_on_this_machine(origin));
        }
        if environment == Environment::Live && origin.as_str().starts_with("http:") {
            return Some(Advice::words(
                "serve the page over https; live pages are not taken over http".to_owned(),
            ));
        }
        Some(match &self.in_hand {
            InHand::PublicToken { workflow, .. } => Advice::run(
                token_create(Some(origin), environment, workflow.as_deref()),
                ", and give the page the token that it prints",
            ),
            InHand::DomainKey(_) => Advice::run(
                domain_add(origin, environment),
                ", and give the page the domain key that it prints",
            ),
            InHand::Nothing(_) | InHand::Login { .. } | InHand::ServerKey(_) => {
                Advice::run(domain_add(origin, environment), "")
            }
        })
    }

    /// A live credential is for the pages of live sites, so a page on a developer's machine needs
    /// another one; to register it for live would be refused.
    fn advice_on_this_machine(&self, origin: &Origin) -> Advice {
        let test = Environment::Test;
        match &self.in_hand {
            InHand::PublicToken { workflow, .. } => Advice::run(
                token_create(None, test, workflow.as_deref()),
                ", and give the page the token that it prints while you develop",
            ),
            InHand::DomainKey(_) => Advice::run(
                domain_add(origin, test),
                ", and give the page the domain key that it prints while you develop",
            ),
            InHand::ServerKey(_) => Advice::run(
                "vestibule key create --env test".to_owned(),
                ", and let your server use the key that it prints while you develop",
            ),
            InHand::Login { issuer, .. } => Advice::words(format!(
                "while you develop, set `environment = \"test\"` for the issuer {issuer} in vestibule.toml, and start the server again",
            )),
            InHand::Nothing(_) => Advice::words(
                "while you develop, use a key or token of the test environment (--env test), or an issuer with `environment = \"test\"`"
                    .to_owned(),
            ),
        }
    }

    fn registered_in_brief(&self) -> String {
        let (named, rest) = self
            .registered
            .split_at(self.registered.len().min(ORIGINS_NAMED));
        match (named, rest.len()) {
            ([], _) => " (registered: none)".to_owned(),
            (named, 0) => format!(" (registered: {})", named.join(", ")),
            (named, more) => format!(" (registered: {} and {more} more)", named.join(", ")),
        }
    }
}

impl std::error::Error for OriginRefusal {}

impl fmt::Display for OriginRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self.cause, OriginCause::NotForSession(_)) {
            return formatter.write_str(
                "this chat session is bound to other origins; start a new one from this page",
            );
        }
        match self.cause.origin() {
            Some(origin) => write!(
                formatter,
                "this chat is not open to the page {origin} yet; ask whoever runs that page to have it allowed"
            ),
            None => formatter.write_str(&self.reason()),
        }
    }
}

fn domain_add(origin: &Origin, environment: Environment) -> String {
    let origin = shell_word(origin.as_str());
    format!("vestibule domain add {origin} --env {environment}")
}

/// Makes a token that differs from the one in hand by its origin alone; the origin is registered along.
fn token_create(
    origin: Option<&Origin>,
    environment: Environment,
    workflow: Option<&str>,
) -> String {
    let mut command = "vestibule token create".to_owned();
    let mut flag = |name: &str, value: &str| {
        command.push_str(name);
        command.push_str(&shell_word(value));
    };
    if let Some(origin) = origin {
        flag(" --origin ", origin.as_str());
    }
    flag(" --env ", &environment.to_string());
    if let Some(workflow) = workflow {
        flag(" --workflow ", workflow);
    }
    command
}

/// A text as one word of a command line: quoted, unless no shell reads anything into it.
fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests;
