//! `vestibule mcp check`: looks at tool servers as a turn would, and says what a model would be told.

use std::{collections::BTreeMap, fs, io::Read as _, path::PathBuf, sync::Arc};

use anyhow::{Context as _, bail, ensure};
use data_encoding::BASE64URL_NOPAD;
use engine::{
    RequestContext, User,
    ports::{Reply, ToolCall, ToolEvent, ToolStream, Tools},
};
use futures::{StreamExt, future::join_all};
use serde::Serialize;
use serde_json::{Map, Value};
use upstream::{
    McpTools,
    mcp::{Examined, Problem, offered_names},
};

use crate::{
    commands::{
        output::{plain, table},
        reach,
        workplace::Workplace,
    },
    compose,
    config::{RawMcpIdentity, RawMcpServer, RawWorkflow},
    telemetry::say,
};

/// The longest token or arguments that are read, in bytes.
const MAX_INPUT_BYTES: u64 = 1 << 20;
/// The longest description of a tool in the table, in characters; `--json` has the whole.
const MAX_DESCRIPTION_CHARS: usize = 60;

/// What to do with tool servers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Mcp {
    /// Asks a tool server what it offers, and says what models are told of it
    ///
    /// Connects as a turn would, for nobody in particular or for the person who is named. The exit code is 1 when a
    /// server cannot be used, or when the tool that was called failed. Where a tool asks the person something in the
    /// middle of a call, the defaults of what it asks are the answer, and it is declined where there is none for something
    /// that is required; what was asked and answered is printed.
    #[command(after_help = "Examples:\n  \
        vestibule mcp check                      # all of [[mcp_servers]]\n  \
        vestibule mcp check todo                 # one of them\n  \
        vestibule mcp check todo --call add_task --arguments '{\"title\":\"milk\"}'\n  \
        vestibule mcp check todo --issuer https://id.example.com --subject 42    # as this person\n  \
        vestibule mcp check todo --token-file - < token.txt    # with a person's own token")]
    Check(Check),
}

/// Options of `mcp check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The `name` of one of `[[mcp_servers]]`; all of them by default
    name: Option<String>,
    /// Call this tool of the server, and print what a model would be told
    #[arg(long, value_name = "TOOL", requires = "name")]
    call: Option<String>,
    /// The arguments of the call, a JSON object; `-` reads them from standard input
    #[arg(long, value_name = "JSON", requires = "call", default_value = "{}")]
    arguments: String,
    /// Ask as a person of this issuer (`iss`), for servers with `identity = "signed"`
    #[arg(long, value_name = "URL", requires = "subject")]
    issuer: Option<String>,
    /// Ask as the person of this name (`sub`)
    #[arg(long, value_name = "SUB", requires = "issuer")]
    subject: Option<String>,
    /// A file with a person's own token, for servers with `identity` "token" or "exchange"; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "issuer")]
    token_file: Option<PathBuf>,
}

/// Everything that was found.
#[derive(Serialize)]
struct Report {
    ok: bool,
    servers: Vec<ServerReport>,
    workflows: Vec<WorkflowReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<CallReport>,
}

#[derive(Serialize)]
struct ServerReport {
    name: String,
    ok: bool,
    transport: &'static str,
    address: String,
    identity: RawMcpIdentity,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Implementation>,
    /// The revision of MCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handshake: Option<bool>,
    tools: Vec<ToolReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Serialize)]
struct Implementation {
    name: String,
    version: String,
}

#[derive(Serialize)]
struct ToolReport {
    name: String,
    description: String,
    /// The schema of its arguments as the server gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Arc<Map<String, Value>>>,
    /// What of the schema models are not told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schema_without: Vec<String>,
    /// Why it is not offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<String>,
}

/// What becomes of the tools in a workflow.
#[derive(Serialize)]
struct WorkflowReport {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    offered: usize,
    max_tools: usize,
    /// Tools that have another name there, by `server/tool`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    renamed: BTreeMap<String, String>,
    /// Tools for which there is no room, by `server/tool`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// Servers that could not be looked at, so that names and room may be others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    without: Vec<String>,
}

#[derive(Serialize)]
struct CallReport {
    tool: String,
    is_error: bool,
    /// What the model is told.
    output: String,
    progress: Vec<String>,
    /// What the server asked the person, who is not here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    asked: Vec<AskedReport>,
    /// What the model is shown besides.
    files: Vec<FileReport>,
}

#[derive(Serialize)]
struct AskedReport {
    message: String,
    /// "accept" or "decline".
    action: &'static str,
    /// The defaults, where they are the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Map<String, Value>>,
}

#[derive(Serialize)]
struct FileReport {
    name: String,
    media_type: String,
    bytes: usize,
}

/// Carries it out. Whether everything can be used.
pub(crate) async fn run(command: Mcp, workplace: &Workplace<'_>) -> anyhow::Result<bool> {
    let Mcp::Check(options) = command;
    let config = &workplace.config;
    let servers = &config.mcp_servers;
    ensure!(
        !servers.is_empty(),
        "no tool server is configured; add [[mcp_servers]] (`vestibule config print --default` shows how)"
    );
    if let Some(name) = &options.name {
        let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
        ensure!(
            names.contains(&name.as_str()),
            "`{name}` is not one of [[mcp_servers]]; there are: {}",
            names.join(", ")
        );
    }
    let context = options.context()?;
    let is_wanted = |name: &str| options.name.as_deref().is_none_or(|wanted| wanted == name);
    // Their workflows' other servers decide about names and room, too.
    let workflows: Vec<RawWorkflow> = compose::raw_workflows(config)
        .into_iter()
        .filter(|workflow| workflow.tools.iter().any(|name| is_wanted(name)))
        .collect();
    let looked_at: Vec<&RawMcpServer> = servers
        .iter()
        .filter(|server| {
            is_wanted(&server.name)
                || (options.call.is_none()
                    && workflows
                        .iter()
                        .any(|workflow| workflow.tools.contains(&server.name)))
        })
        .collect();
    let found = join_all(looked_at.iter().map(|raw| look(raw, &context, workplace))).await;
    let found: Vec<(&RawMcpServer, Found)> = looked_at.into_iter().zip(found).collect();
    let call = match (&options.name, &options.call) {
        (Some(name), Some(tool)) if found.iter().all(|(_, found)| found.is_ok()) => {
            Some(call(name, tool, &options, &context, workplace).await?)
        }
        _ => None,
    };
    let reports: Vec<ServerReport> = found
        .iter()
        .filter(|(raw, _)| is_wanted(&raw.name))
        .map(|(raw, found)| report(raw, found))
        .collect();
    let workflows = if options.call.is_some() {
        Vec::new()
    } else {
        workflows
            .iter()
            .map(|workflow| plan(workflow, &found))
            .collect()
    };
    let is_good =
        reports.iter().all(|report| report.ok) && call.as_ref().is_none_or(|call| !call.is_error);
    let report = Report {
        ok: is_good,
        servers: reports,
        workflows,
        call,
    };
    workplace.output.print(&report, Report::describe)?;
    Ok(is_good)
}

/// What a look at a server has shown; in words, where it was not tried.
type Found = Result<Examined, NotFound>;

enum NotFound {
    Problem(Problem),
    NotTried(String),
}

async fn look(raw: &RawMcpServer, context: &RequestContext, workplace: &Workplace<'_>) -> Found {
    let not_tried = |error: anyhow::Error| NotFound::NotTried(format!("{error:#}"));
    let tools = tools_of(raw, workplace).await.map_err(not_tried)?;
    let found = tools.examine(&raw.name, context).await;
    tools.close().await;
    match found {
        Some(found) => found.map_err(NotFound::Problem),
        None => Err(NotFound::NotTried("there is no such server".to_owned())),
    }
}

/// The one server, ready to be asked.
async fn tools_of(raw: &RawMcpServer, workplace: &Workplace<'_>) -> anyhow::Result<McpTools> {
    let config = &workplace.config;
    let mut seeds = None;
    if raw.identity == RawMcpIdentity::Signed {
        seeds = workplace.seeds().await?;
        ensure!(
            seeds.is_some(),
            "there is no signing key yet, which the server could know; the first `vestibule serve` makes it"
        );
    }
    let name = std::slice::from_ref(&raw.name);
    let tools = compose::mcp_tools(config, workplace.variables, name, seeds.as_ref())?;
    // Some servers offer more to whoever can be asked.
    Ok(tools.with_audience())
}

async fn call(
    name: &str,
    tool: &str,
    options: &Check,
    context: &RequestContext,
    workplace: &Workplace<'_>,
) -> anyhow::Result<CallReport> {
    let arguments = match options.arguments.as_str() {
        "-" => read("standard input", std::io::stdin().lock())?,
        text => text.to_owned(),
    };
    serde_json::from_str::<Map<String, Value>>(&arguments)
        .context("--arguments must be a JSON object, like '{\"title\":\"milk\"}'")?;
    let raw = workplace
        .config
        .mcp_servers
        .iter()
        .find(|raw| raw.name == name);
    let raw = raw.context("there is no such server")?;
    let tools = tools_of(raw, workplace).await?;
    // The name as models are told it; people know the server's own.
    let known: Vec<String> = match tools.examine(name, context).await {
        Some(Ok(found)) => found.tools.into_iter().map(|tool| tool.name).collect(),
        _ => Vec::new(),
    };
    let offered = offered_names(&[(name, known.iter().map(String::as_str).collect())]).concat();
    let place = known.iter().position(|known| known == tool);
    let place = place.or_else(|| offered.iter().position(|offered| offered == tool));
    let Some(offered) = place.and_then(|place| offered.get(place)) else {
        bail!(
            "{name} offers no tool `{}`; there are: {}",
            plain(tool),
            plain(&known.join(", "))
        );
    };
    let called = ToolCall {
        call_id: "call_check".to_owned(),
        name: offered.clone(),
        arguments,
    };
    // Whoever types a call has thought about it.
    let told = listen(tool, tools.call(context, called, true).await, workplace).await;
    tools.close().await;
    told
}

/// The result of a call, with what it reports on the way.
async fn listen(
    tool: &str,
    mut events: ToolStream,
    workplace: &Workplace<'_>,
) -> anyhow::Result<CallReport> {
    let mut progress = Vec::new();
    let mut asked = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            ToolEvent::Progress(line) => {
                if !workplace.output.is_json() {
                    say(&format!("… {}", plain(&line)));
                }
                progress.push(line);
            }
            ToolEvent::Done {
                output,
                is_error,
                files,
            } => {
                return Ok(CallReport {
                    tool: tool.to_owned(),
                    is_error,
                    output,
                    progress,
                    asked,
                    files: files
                        .into_iter()
                        .map(|file| FileReport {
                            bytes: file.len(),
                            name: file.name,
                            media_type: file.media_type,
                        })
                        .collect(),
                });
            }
            ToolEvent::Asks(asking, waiting) => {
                let reply = asking.defaults();
                let report = AskedReport::of(asking.message, &reply);
                if !workplace.output.is_json() {
                    say(&report.describe());
                }
                asked.push(report);
                let Some(more) = waiting.answer(reply) else {
                    break;
                };
                events = more;
            }
            ToolEvent::NeedsApproval | ToolEvent::ForPage(_) => break,
        }
    }
    bail!("the call ended without a result")
}

fn report(raw: &RawMcpServer, found: &Found) -> ServerReport {
    let mut report = ServerReport {
        name: raw.name.clone(),
        ok: found.is_ok(),
        transport: if raw.command.is_some() {
            "stdio"
        } else {
            "streamable HTTP"
        },
        address: match &raw.command {
            // Its arguments may hold a key.
            Some(command) => command.clone(),
            None => raw.url.clone(),
        },
        identity: raw.identity,
        server: None,
        protocol: None,
        handshake: None,
        tools: Vec::new(),
        problem: None,
        advice: None,
    };
    match found {
        Ok(found) => {
            let server = found.server.clone();
            report.server = server.map(|(name, version)| Implementation { name, version });
            report.protocol = Some(found.protocol.clone());
            report.handshake = Some(found.has_handshake);
            let offered = found.tools.iter().map(|tool| ToolReport {
                name: tool.name.clone(),
                description: tool.description.clone(),
                schema: Some(Arc::clone(&tool.schema)),
                schema_without: tool.dropped.clone(),
                left_out: None,
            });
            let left_out = found.left_out.iter().map(|tool| ToolReport {
                name: tool.name.clone(),
                description: String::new(),
                schema: None,
                schema_without: Vec::new(),
                left_out: Some(tool.reason.clone()),
            });
            report.tools = offered.chain(left_out).collect();
        }
        Err(NotFound::Problem(problem)) => {
            report.problem = Some(problem.words.clone());
            report.advice = Some(reach::tool_server_advice(problem, &raw.name, Some(raw)));
        }
        Err(NotFound::NotTried(why)) => report.problem = Some(format!("not tried: {why}")),
    }
    report
}

/// The names in a workflow, and for which tools there is no room.
fn plan(workflow: &RawWorkflow, found: &[(&RawMcpServer, Found)]) -> WorkflowReport {
    let mut servers = Vec::new();
    let mut without = Vec::new();
    for name in &workflow.tools {
        match found.iter().find(|(raw, _)| raw.name == *name) {
            Some((_, Ok(found))) => {
                let tools = found.tools.iter().map(|tool| tool.name.as_str());
                servers.push((name.as_str(), tools.collect::<Vec<_>>()));
            }
            _ => without.push(name.clone()),
        }
    }
    let names = offered_names(&servers).into_iter().flatten();
    let tools = servers
        .iter()
        .flat_map(|(server, tools)| tools.iter().map(move |tool| (server, tool)));
    let mut report = WorkflowReport {
        id: workflow.id.clone(),
        version: workflow.version.clone(),
        offered: 0,
        max_tools: workflow.max_tools,
        renamed: BTreeMap::new(),
        left_out: Vec::new(),
        without,
    };
    for ((server, tool), name) in tools.zip(names) {
        let own = format!("{server}/{tool}");
        if report.offered == workflow.max_tools {
            report.left_out.push(own);
            continue;
        }
        report.offered += 1;
        if name != **tool {
            report.renamed.insert(own, name);
        }
    }
    report
}

impl Report {
    fn describe(&self) -> String {
        let mut lines = Vec::new();
        for server in &self.servers {
            lines.push(server.describe(self.call.is_none()));
        }
        for workflow in &self.workflows {
            lines.push(workflow.describe());
        }
        if let Some(call) = &self.call {
            lines.push(call.describe());
        }
        lines.join("\n\n")
    }
}

impl ServerReport {
    fn describe(&self, has_tools: bool) -> String {
        let mark = if self.ok { "ok" } else { "FAILED" };
        let mut lines = vec![format!(
            "{mark}  {}: {} at {}",
            plain(&self.name),
            self.transport,
            plain(&self.address)
        )];
        if let Some(protocol) = &self.protocol {
            let how = if self.handshake == Some(true) {
                "with a handshake"
            } else {
                "without a handshake"
            };
            let server = match &self.server {
                Some(server) => format!("{} {}", plain(&server.name), plain(&server.version)),
                None => "a server that does not name itself".to_owned(),
            };
            lines.push(format!("    {server}, MCP {} {how}", plain(protocol)));
        }
        if let Some(problem) = &self.problem {
            lines.push(format!("    {}", plain(problem)));
        }
        if let Some(advice) = &self.advice {
            lines.push(format!("    what to do: {}", plain(advice)));
        }
        if self.ok && has_tools {
            let rows = self.tools.iter().map(ToolReport::row);
            lines.push(table(
                ["TOOL", "WHAT BECOMES OF IT", "DESCRIPTION"],
                rows,
                "    it has no tools",
            ));
        }
        lines.join("\n")
    }
}

impl ToolReport {
    fn row(&self) -> [String; 3] {
        let fate = match &self.left_out {
            Some(reason) => format!("left out: {reason}"),
            None if self.schema_without.is_empty() => "offered".to_owned(),
            None => format!("offered without {}", self.schema_without.join(", ")),
        };
        let line = self
            .description
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let description = match line.char_indices().nth(MAX_DESCRIPTION_CHARS) {
            Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
            None => line,
        };
        [self.name.clone(), fate, description]
    }
}

impl WorkflowReport {
    fn describe(&self) -> String {
        let version = self.version.as_deref();
        let version = version.map_or_else(String::new, |version| format!(", version {version}"));
        let mut lines = vec![format!(
            "workflow {}{}: {} of at most {} tools are offered",
            plain(&self.id),
            plain(&version),
            self.offered,
            self.max_tools
        )];
        for (tool, name) in &self.renamed {
            lines.push(format!("    {} is called {}", plain(tool), plain(name)));
        }
        if !self.left_out.is_empty() {
            lines.push(format!(
                "    no room for: {}",
                plain(&self.left_out.join(", "))
            ));
            lines.push(
                "    what to do: name fewer servers in `tools`, or raise `max_tools` if the model takes more"
                    .to_owned(),
            );
        }
        if !self.without.is_empty() {
            lines.push(format!(
                "    not counted, because they could not be looked at: {}",
                plain(&self.without.join(", "))
            ));
        }
        lines.join("\n")
    }
}

impl AskedReport {
    fn of(message: String, reply: &Reply) -> Self {
        let (action, content) = match reply {
            Reply::Accept(content) => ("accept", Some(content.clone())),
            Reply::Decline => ("decline", None),
            Reply::Cancel => ("cancel", None),
        };
        Self {
            message,
            action,
            content,
        }
    }

    fn describe(&self) -> String {
        let message = plain(&self.message);
        match &self.content {
            Some(content) => {
                let content = Value::Object(content.clone()).to_string();
                format!(
                    "? {message}\n  answered with the defaults: {}",
                    plain(&content)
                )
            }
            None => format!("? {message}\n  declined: a person would have to answer this"),
        }
    }
}

impl CallReport {
    fn describe(&self) -> String {
        let verb = if self.is_error { "failed" } else { "answered" };
        let mut lines = vec![format!("{} {verb}; a model is told:", plain(&self.tool))];
        lines.extend(self.output.lines().map(|line| plain(line).into_owned()));
        for file in &self.files {
            lines.push(format!(
                "… and shown: {} ({}, {} bytes)",
                plain(&file.name),
                file.media_type,
                file.bytes
            ));
        }
        lines.join("\n")
    }
}

impl Check {
    /// For whom the servers are asked.
    fn context(&self) -> anyhow::Result<RequestContext> {
        if let Some(file) = &self.token_file {
            let token = if file.as_os_str() == "-" {
                ensure!(
                    self.arguments != "-",
                    "only one of both can be standard input"
                );
                read("standard input", std::io::stdin().lock())?
            } else {
                let shown = file.display().to_string();
                let opened =
                    fs::File::open(file).with_context(|| format!("failed to read {shown}"))?;
                read(&shown, opened)?
            };
            return of_token(token.trim());
        }
        Ok(match (&self.issuer, &self.subject) {
            (Some(issuer), Some(subject)) => reach::somebody(User {
                id: subject.clone(),
                issuer: issuer.clone(),
                claims: Arc::default(),
                token: None,
            }),
            _ => reach::nobody(),
        })
    }
}

fn read(name: &str, source: impl std::io::Read) -> anyhow::Result<String> {
    let mut text = String::new();
    source
        .take(MAX_INPUT_BYTES)
        .read_to_string(&mut text)
        .with_context(|| format!("failed to read {name}"))?;
    Ok(text)
}

/// Whoever holds the token. Its signature is the tool server's to verify; `vestibule jwt check` verifies it for us.
fn of_token(token: &str) -> anyhow::Result<RequestContext> {
    ensure!(!token.is_empty(), "the file with the token is empty");
    let claims: Map<String, Value> = token
        .split('.')
        .nth(1)
        .and_then(|part| BASE64URL_NOPAD.decode(part.as_bytes()).ok())
        .and_then(|json| serde_json::from_slice(&json).ok())
        .unwrap_or_default();
    let claim = |name: &str| {
        claims
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or("unknown")
    };
    Ok(reach::somebody(User {
        id: claim("sub").to_owned(),
        issuer: claim("iss").to_owned(),
        token: Some(token.into()),
        claims: Arc::new(claims.clone()),
    }))
}
