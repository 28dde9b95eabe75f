//! Asks everything that the server calls out to, as a first login and a first message would: issuers, models,
//! MCP servers. Shared by `doctor` and `config check --online`.

use std::{num::NonZeroU32, sync::Arc, time::Instant};

use auth::{Issuer, Issuers, Now, Signer};
use engine::{
    Owner, RequestContext, SessionRules, User, Workflow, WorkflowId,
    ports::{ModelError, ModelInput, ModelRequest},
};
use futures::TryStreamExt;
use jiff::fmt::rfc2822::DateTimeParser;
use upstream::{
    McpTools,
    mcp::{FailureKind, Problem},
};

use crate::{
    commands::{findings::Findings, workplace::Workplace},
    compose::{self, BuiltModels, now},
    config::{RawMcpIdentity, RawMcpServer},
};

/// How far clocks may differ; `leeway_seconds` of an issuer is as much.
const CLOCKS_DIFFER: u64 = 30;

/// Looks at all of them.
pub(crate) async fn look(findings: &mut Findings, workplace: &Workplace<'_>, built: &BuiltModels) {
    look_at_issuers(findings, workplace).await;
    look_at_models(findings, built, workplace).await;
}

/// Fetches every issuer's keys, as the first login would.
async fn look_at_issuers(findings: &mut Findings, workplace: &Workplace<'_>) {
    // What is wrong with the rules themselves, the configuration's check has told.
    let rules = compose::issuer_rules(&workplace.config.issuers, workplace.variables);
    let Ok(rules) = rules else { return };
    for issuer in &rules {
        look_at_clock(findings, issuer, workplace).await;
    }
    let Ok(issuers) = compose::issuers_of(rules, &workplace.config) else {
        return;
    };
    let now = Now::new(now(), Instant::now());
    look_at_keys(findings, &issuers, now).await;
    let asked = issuers.introspection_health(now);
    let Some(answers) = findings.wait("introspection", asked).await else {
        findings.wrong(
            "introspection",
            "no answer in 20 s",
            "opaque tokens cannot be checked",
            "see whether the issuer's introspection address answers from this machine",
        );
        return;
    };
    for (name, answer) in answers {
        let name = format!("introspection of {name}");
        match answer {
            Ok(()) => findings.good(name, "answers about opaque tokens"),
            Err(error) => {
                let detail = match error {
                    auth::Error::Unavailable { message, .. } => message,
                    other => other.to_string(),
                };
                findings.wrong(
                    name,
                    detail,
                    "people with an opaque access token cannot come in",
                    "check introspection_url, the client's id and its secret",
                );
            }
        }
    }
}

async fn look_at_keys(findings: &mut Findings, issuers: &Issuers, now: Now) {
    if findings
        .wait("the issuers' keys", issuers.refresh_due(now))
        .await
        .is_none()
    {
        findings.wrong(
            "issuers",
            "their keys did not come in 20 s",
            "nobody can sign in while an issuer's keys are missing",
            "see whether the issuers' addresses answer from this machine",
        );
        return;
    }
    for (name, health) in issuers.health(now) {
        let label = format!("issuer {name}");
        if health.keys > 0 {
            findings.good(label, format!("usable keys: {}", health.keys));
            continue;
        }
        findings.wrong(
            label,
            health
                .last_error
                .unwrap_or_else(|| "it has no usable key".to_owned()),
            "its users cannot sign in",
            "check that it runs and that its address in [[issuers]] is right; \
             `vestibule jwt check < token.txt` follows one token step by step",
        );
    }
}

/// Compares this machine's clock with an issuer's.
async fn look_at_clock(findings: &mut Findings, issuer: &Issuer, workplace: &Workplace<'_>) {
    let Ok(Some(address)) = issuer.key_address() else {
        return;
    };
    let Ok(http) = compose::issuer_client(&workplace.config) else {
        return;
    };
    // An issuer that does not answer is told when its keys are looked at.
    let asked = http.date(&address);
    let Some(Ok(Some(date))) = findings.wait(&issuer.issuer, asked).await else {
        return;
    };
    let Ok(theirs) = DateTimeParser::new().parse_timestamp(&date) else {
        return;
    };
    let ours = now().seconds();
    let differ = ours.abs_diff(theirs.as_second());
    if differ > CLOCKS_DIFFER {
        let direction = if ours > theirs.as_second() {
            "ahead of"
        } else {
            "behind"
        };
        findings.wrong(
            "clock",
            format!("{differ} s {direction} that of {}", issuer.issuer),
            "good tokens look expired or not valid yet",
            "set this machine's clock (`timedatectl set-ntp true`), or the issuer's",
        );
    }
}

/// Asks each model for a word, and each workflow's MCP servers for their tools.
async fn look_at_models(findings: &mut Findings, built: &BuiltModels, workplace: &Workplace<'_>) {
    let configured = &workplace.config.workflows;
    let mut ids: Vec<WorkflowId> = configured
        .iter()
        .map(|raw| WorkflowId::new(raw.id.as_str()))
        .collect();
    if ids.is_empty() {
        ids.push(built.workflows.default_id().clone());
    }
    let mut asked: Vec<Arc<Workflow>> = Vec::new();
    for id in &ids {
        let Ok(workflow) = built.workflows.get(Some(id)) else {
            continue;
        };
        let is_asked = asked.iter().any(|other| {
            Arc::ptr_eq(&other.model, &workflow.model) && other.model_name == workflow.model_name
        });
        if !is_asked {
            look_at_model(findings, workflow).await;
            asked.push(workflow.clone());
        }
        let tools = configured.iter().find(|raw| raw.id == id.as_str());
        let names = match tools {
            Some(raw) => raw.tools.clone(),
            None => workplace
                .config
                .mcp_servers
                .iter()
                .map(|server| server.name.clone())
                .collect(),
        };
        let tools = built.tools.iter().find(|(owner, _)| *owner == workflow.id);
        if let Some((_, tools)) = tools.filter(|_| !names.is_empty()) {
            let label = format!("tools of {}", workflow.id);
            let signer = &built.signer;
            look_at_tools(findings, label, (tools, signer), &names, workplace).await;
        }
    }
}

async fn look_at_model(findings: &mut Findings, workflow: &Workflow) {
    let label = format!("model {}", workflow.model_name);
    let why = "nobody gets an answer from it";
    match findings.wait(&label, first_word(workflow)).await {
        Some(Ok(())) => findings.good(label, "answers"),
        Some(Err(error)) => {
            let advice = match &error {
                ModelError::Misconfigured(_) => {
                    "check the key (api_key_env or OPENAI_API_KEY) and the name in `model`"
                }
                ModelError::RateLimited(_) => {
                    "wait, or raise the limit or the budget at the provider"
                }
                ModelError::Unavailable(_) | ModelError::TimedOut => {
                    "check base_url, and that it can be reached from this machine"
                }
                ModelError::TooLong(_) | ModelError::Declined(_) | ModelError::Malformed(_) => {
                    "check that `kind` is what the server at base_url speaks"
                }
            };
            findings.wrong(
                label,
                format!("{:#}", anyhow::Error::from(error)),
                why,
                advice,
            );
        }
        None => findings.wrong(
            label,
            "no answer in 20 s",
            why,
            "check base_url, and that it can be reached from this machine",
        ),
    }
}

/// The cheapest question: its answer is not read to the end.
async fn first_word(workflow: &Workflow) -> Result<(), ModelError> {
    let request = ModelRequest {
        model: workflow.model_name.clone(),
        instructions: "Answer with one word.".to_owned(),
        input: vec![ModelInput::User("Say: yes".into())],
        tools: Vec::new(),
        tool_choice: None,
        // Models that think count their thoughts.
        max_output_tokens: NonZeroU32::new(256),
        locale: None,
        end_user: "vestibule doctor".to_owned(),
        may_use_builtins: false,
    };
    let mut answer = workflow.model.respond(request).await?;
    answer.try_next().await.map(drop)
}

/// Asks each server for its tools, as a turn of nobody in particular would.
async fn look_at_tools(
    findings: &mut Findings,
    label: String,
    (tools, signer): (&McpTools, &Signer),
    names: &[String],
    workplace: &Workplace<'_>,
) {
    let config = &workplace.config;
    let context = nobody();
    let mut good = Vec::new();
    let mut wrong = Vec::new();
    let mut advice = Vec::new();
    let mut all = Vec::new();
    for name in names {
        let raw = config.mcp_servers.iter().find(|raw| raw.name == *name);
        if raw.is_some_and(|raw| raw.identity == RawMcpIdentity::Signed) {
            let seeds = workplace.seeds().await;
            match seeds.and_then(|seeds| Ok(seeds.as_ref().map(Signer::from_seeds).transpose()?)) {
                Ok(Some(of_server)) => signer.replace(of_server),
                Ok(None) => {
                    good.push(format!(
                        "{name}: not tried: there is no signing key yet; the first `serve` makes it"
                    ));
                    continue;
                }
                Err(error) => {
                    wrong.push(format!("{name}: not tried: {error:#}"));
                    advice.push("mend the signing key as it says".to_owned());
                    continue;
                }
            }
        }
        match findings
            .wait(&label, tools.examine(name, &context))
            .await
            .flatten()
        {
            Some(Ok(found)) if !found.tools.is_empty() => {
                let tools: Vec<String> = found.tools.into_iter().map(|tool| tool.name).collect();
                good.push(tools.join(", "));
                all.extend(tools);
            }
            Some(Ok(_)) => {
                wrong.push(format!("{name} has no tools that can be offered"));
                advice.push(format!("give {name} a tool, or take it out of `tools`"));
            }
            Some(Err(problem)) if problem.kind == FailureKind::NeedsUser => good.push(format!(
                "{name}: not tried: it is asked with a user's own token only"
            )),
            Some(Err(problem)) => {
                wrong.push(format!("{name}: {}", problem.words));
                advice.push(tool_server_advice(&problem, name, raw));
            }
            None => {
                wrong.push(format!("{name}: no answer in 20 s"));
                advice.push(format!(
                    "check that the MCP server {name} runs at its `url`"
                ));
            }
        }
    }
    tools.close().await;
    let most = tools.max_tools();
    if let Some(rest @ [_, ..]) = all.get(most..) {
        wrong.push(format!(
            "there are {} tools, and {most} may be offered; left out: {}",
            all.len(),
            rest.join(", ")
        ));
        advice.push(
            "name fewer servers in `tools`, or raise `max_tools` if the model takes more"
                .to_owned(),
        );
    }
    if wrong.is_empty() {
        findings.good(label, good.join("; "));
    } else {
        findings.wrong(
            label,
            wrong.join("; "),
            "the assistant cannot use these tools, and goes on without them",
            advice.join("; "),
        );
    }
}

/// What to do about a tool server that is of no use.
pub(crate) fn tool_server_advice(
    problem: &Problem,
    name: &str,
    raw: Option<&RawMcpServer>,
) -> String {
    let url = raw.map_or("", |raw| raw.url.as_str());
    let of_program = || {
        format!(
            "run the `command` of {name} in a terminal to see what it says; from here it gets the variables in `env`, \
             PATH, HOME and LANG, and nothing else of the environment"
        )
    };
    if raw.is_some_and(|raw| raw.command.is_some()) {
        return of_program();
    }
    match problem.kind {
        FailureKind::Program => of_program(),
        FailureKind::Unauthorized => credential_advice(name, raw),
        FailureKind::OldTransport => match url.strip_suffix("/sse") {
            Some(rest) => format!(
                "try `url = \"{rest}/mcp\"` for {name}; newer versions of most servers have it"
            ),
            None => format!("look in the documentation of {name} for \"streamable HTTP\""),
        },
        FailureKind::NotThere | FailureKind::NotMcp => {
            format!("check the path in the `url` of {name}; most servers speak MCP at /mcp")
        }
        FailureKind::NeedsUser => format!(
            "{name} is asked with a user's own token: `vestibule mcp check {name} --token-file FILE` shows it one"
        ),
        FailureKind::Unreachable | FailureKind::TimedOut | FailureKind::Other => {
            format!(
                "check that the MCP server {name} runs at its `url`; `vestibule mcp check {name}` looks at it alone"
            )
        }
    }
}

/// What to do about a server that refuses what it was shown.
fn credential_advice(name: &str, raw: Option<&RawMcpServer>) -> String {
    match raw.map(|raw| raw.identity) {
        Some(RawMcpIdentity::Signed) => format!(
            "it runs; see that {name} takes the tokens of this server: its keys are at server.public_url, below \
             /.well-known/jwks.json (while `serve` runs), and `aud` is `audience`, or else the `url`, letter by letter"
        ),
        Some(RawMcpIdentity::None) => {
            format!("it runs; check `api_key_env` or `api_key_file` of {name}, or its `identity`")
        }
        Some(RawMcpIdentity::Token | RawMcpIdentity::Exchange) | None => {
            format!("it runs; check whose tokens {name} takes")
        }
    }
}

/// A turn of nobody in particular.
pub(crate) fn nobody() -> RequestContext {
    somebody(User {
        id: "nobody".to_owned(),
        issuer: "vestibule:doctor".to_owned(),
        claims: Arc::default(),
        token: None,
    })
}

/// A turn of this person, of which nothing is kept.
pub(crate) fn somebody(user: User) -> RequestContext {
    RequestContext {
        owner: Owner::new(format!("{} {}", user.issuer, user.id)),
        user,
        workflow: None,
        state_variables: Arc::default(),
        rules: SessionRules::default(),
        uploads: engine::UploadRules::default(),
        limits: engine::CallerLimits::default(),
        locale: None,
    }
}
