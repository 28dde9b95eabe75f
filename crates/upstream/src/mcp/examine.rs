//! A look at one server, for an operator: what it speaks, and what becomes of its tools.

use std::{error::Error, sync::Arc, time::Duration};

use engine::RequestContext;
use futures::StreamExt;
use reqwest::{Method, header::ACCEPT};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use url::Url;

use super::{
    FailureKind, ForwardedIdentity, McpServer, McpTools, Place, Trouble, failure::Failure, name,
};
use crate::http::HttpClient;

/// How long a server of the old transport may take to say so.
const GREETING: Duration = Duration::from_secs(3);
/// How much of a stream is read to see what it is.
const GREETING_BYTES: usize = 4 * 1024;

/// What a server is and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What it calls itself, and its version, where it says so.
    pub server: Option<(String, String)>,
    /// The revision of MCP that is spoken with it.
    pub protocol: String,
    /// Whether a session was opened by a handshake; servers of the revision of 2026-07-28 know none.
    pub has_handshake: bool,
    /// Its tools that can be offered, in its order.
    pub tools: Vec<FoundTool>,
    /// Its tools that cannot be.
    pub left_out: Vec<LeftOut>,
}

/// A tool that can be offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTool {
    /// The server's name for it.
    pub name: String,
    /// What it does, as models are told.
    pub description: String,
    /// The schema of its arguments, as it came.
    pub schema: Arc<Map<String, Value>>,
    /// What its schema has and models are not told, because some provider refuses it.
    pub dropped: Vec<String>,
}

/// A tool that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeftOut {
    /// The server's name for it.
    pub name: String,
    /// Why, in words.
    pub reason: String,
}

/// Why a server is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What can be done about it.
    pub kind: FailureKind,
    /// What it is, in words.
    pub words: String,
}

/// The names under which the tools of several servers stand beside each other, each server's with its own.
pub fn offered_names(servers: &[(&str, Vec<&str>)]) -> Vec<Vec<String>> {
    name::assign(servers)
}

impl McpTools {
    /// Looks whether a server works, and what it has. `None` when there is no server of this name.
    pub async fn examine(
        &self,
        name: &str,
        context: &RequestContext,
    ) -> Option<Result<Examined, Problem>> {
        let server = self.servers.iter().position(|server| server.name == name)?;
        let config = self.servers.get(server)?;
        let offer = match self.offer(server, context, false).await {
            Ok(offer) => offer,
            Err(error) => return Some(Err(self.problem(config, context, error).await)),
        };
        let session = offer.slot.session.get()?;
        let found = offer.listing.tools.iter().map(|tool| FoundTool {
            name: tool.name.clone(),
            description: tool.description.clone(),
            schema: Arc::clone(&tool.schema),
            dropped: tool.dropped.clone(),
        });
        let peer = session.peer_info();
        let server = peer.as_ref().and_then(|peer| peer.server_info.as_ref());
        Some(Ok(Examined {
            server: server
                .filter(|server| !server.name.is_empty())
                .map(|server| (server.name.clone(), server.version.clone())),
            protocol: peer.map_or_else(String::new, |peer| peer.protocol_version.to_string()),
            has_handshake: session.has_handshake,
            tools: found.collect(),
            left_out: offer.listing.left_out.to_vec(),
        }))
    }

    async fn problem(
        &self,
        config: &McpServer,
        context: &RequestContext,
        error: Trouble,
    ) -> Problem {
        let error = match (error, &config.place) {
            (Trouble::Opening(failure), Place::Http(url)) if failure.may_be_old_transport() => {
                let key = match config.identity {
                    ForwardedIdentity::None => config.api_key.as_ref(),
                    ForwardedIdentity::Token | ForwardedIdentity::AnyToken => {
                        context.user.token.as_ref()
                    }
                    ForwardedIdentity::Exchanged | ForwardedIdentity::Signed => None,
                };
                let http = self.http.with_insecure_http(config.allow_insecure_http);
                Trouble::Opening(if greets_as_of_old(&http, url, key).await {
                    Failure::old_transport()
                } else {
                    failure
                })
            }
            (error, _) => error,
        };
        let kind = match &error {
            Trouble::Opening(failure) | Trouble::Listing(failure) => failure.kind,
            Trouble::NoToken | Trouble::NotMeant => FailureKind::NeedsUser,
            Trouble::TimedOut => FailureKind::TimedOut,
            Trouble::Gone | Trouble::Exchange(_) | Trouble::BackingOff | Trouble::Signing(_) => {
                FailureKind::Other
            }
        };
        let mut words = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            words.push_str(": ");
            words.push_str(&cause.to_string());
            source = cause.source();
        }
        if let Place::Program(host) = &config.place {
            let said = host.last_words();
            if !said.is_empty() {
                words.push_str("; it said last: ");
                words.push_str(&said.join(" / "));
            }
        }
        Problem { kind, words }
    }
}

/// Whether a stream of events begins at this address that names another address to post to.
async fn greets_as_of_old(http: &HttpClient, url: &Url, key: Option<&SecretString>) -> bool {
    let Ok(mut request) = http.request(Method::GET, url) else {
        return false;
    };
    request = request.header(ACCEPT, "text/event-stream");
    if let Some(key) = key {
        request = request.bearer_auth(key.expose_secret());
    }
    let greeting = async {
        let mut body = request.send().await.ok()?.bytes_stream();
        let mut head = Vec::new();
        while let Some(Ok(piece)) = body.next().await {
            head.extend_from_slice(&piece);
            if memchr::memmem::find(&head, b"event: endpoint").is_some()
                || memchr::memmem::find(&head, b"event:endpoint").is_some()
            {
                return Some(());
            }
            if head.len() > GREETING_BYTES {
                break;
            }
        }
        None
    };
    matches!(tokio::time::timeout(GREETING, greeting).await, Ok(Some(())))
}
