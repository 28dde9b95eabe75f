//! Our side of MCP before servers that others wrote: over HTTP with a handshake and without, and as programs.
#![cfg(test)]

mod asks;
mod calls;
mod programs;
mod shapes;

use std::sync::Arc;

use engine::{
    CallerLimits, Owner, RequestContext, SessionRules, UploadRules, User,
    ports::{Clock, ToolCall, ToolEvent, ToolFile, ToolStream, Tools},
};
use futures::StreamExt;
use protocol::Timestamp;
use testkit::services::{McpPeer, mcp_folder, mcp_python};
use upstream::{
    ForwardedIdentity, HttpClient, McpServer, McpTools,
    mcp::{HTTP_POLICY, Host, Program},
};

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        "2026-11-29T12:00:00Z".parse().unwrap()
    }
}

/// The tools of one server, by the name `peer`.
fn tools(server: McpServer) -> McpTools {
    let http = HttpClient::new(&HTTP_POLICY).unwrap();
    McpTools::new(vec![server], http, None, Arc::new(FixedClock)).unwrap()
}

fn at(peer: &McpPeer) -> McpTools {
    tools(McpServer {
        identity: ForwardedIdentity::None,
        ..McpServer::new("peer", peer.url().parse().unwrap())
    })
}

/// A program with this environment and nothing else.
fn program(command: &str, arguments: &[&str], variables: &[(&str, &str)]) -> McpTools {
    let host = Host::new(Program {
        command: command.to_owned(),
        arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
        variables: variables
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.into()))
            .collect(),
        folder: None,
    });
    tools(McpServer::program("peer", host))
}

const PATH: (&str, &str) = ("PATH", "/usr/local/bin:/usr/bin:/bin");

/// FastMCP as a program.
fn fast_program(variables: &[(&str, &str)]) -> McpTools {
    let script = mcp_folder().unwrap().join("fast.py");
    let script = script.to_str().unwrap();
    program(&mcp_python().unwrap(), &[script, "stdio"], variables)
}

/// `server-everything` as a program.
fn everything_program() -> McpTools {
    let script = "node_modules/@modelcontextprotocol/server-everything/dist/index.js";
    let script = mcp_folder().unwrap().join(script);
    program("node", &[script.to_str().unwrap(), "stdio"], &[PATH])
}

fn person(name: &str) -> RequestContext {
    RequestContext {
        owner: Owner::new(format!("https://id.example.com {name}")),
        user: User {
            id: name.to_owned(),
            issuer: "https://id.example.com".to_owned(),
            claims: Arc::default(),
            token: None,
        },
        workflow: None,
        state_variables: Arc::default(),
        rules: SessionRules::default(),
        uploads: UploadRules::default(),
        limits: CallerLimits::default(),
        locale: None,
    }
}

fn ada() -> RequestContext {
    person("ada")
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        call_id: "call_1".to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    }
}

/// What came of a call.
#[derive(Debug)]
struct Told {
    progress: Vec<String>,
    output: String,
    is_error: bool,
    files: Vec<ToolFile>,
}

async fn end_of(mut events: ToolStream) -> Told {
    let mut progress = Vec::new();
    loop {
        match events.next().await.unwrap() {
            ToolEvent::Progress(line) => progress.push(line),
            ToolEvent::Done {
                output,
                is_error,
                files,
            } => {
                return Told {
                    progress,
                    output,
                    is_error,
                    files,
                };
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn run(tools: &McpTools, name: &str, arguments: &str) -> Told {
    end_of(tools.call(&ada(), call(name, arguments), true).await).await
}

/// What a call answers that must not fail.
async fn said(tools: &McpTools, name: &str, arguments: &str) -> String {
    let told = run(tools, name, arguments).await;
    assert!(!told.is_error, "{name}: {told:?}");
    told.output
}
