//! What a workflow has besides a model and tools: widgets, actions, tools of the page, an agent.

use std::{collections::HashMap, sync::Arc};

use anyhow::{Context, ensure};
use engine::{
    ActionRule,
    ports::{Clock, ToolSpec},
    template::{ArgumentsTemplate, WidgetTemplate},
};
use serde_json::{Map, Value};
use upstream::{AgentConfig, HttpAgent};
use url::Url;

use super::seconds;
use crate::config::{
    self, RawAction, RawAgent, RawAgentProtocol, RawClientTool, RawWorkflow, Variables,
};

/// The widgets of tools' results.
pub(super) fn widgets(raw: &RawWorkflow) -> anyhow::Result<HashMap<String, WidgetTemplate>> {
    let widgets = raw.widgets.iter().map(|(tool, path)| {
        let template = std::fs::read_to_string(path)
            .map_err(anyhow::Error::from)
            .and_then(|text| Ok(WidgetTemplate::parse(&text)?))
            .with_context(|| format!("failed to use the widget of `{tool}`, {}", path.display()))?;
        Ok((tool.clone(), template))
    });
    widgets.collect()
}

pub(super) fn action_rule(name: &str, raw: &RawAction) -> anyhow::Result<ActionRule> {
    ensure!(
        !raw.tool.is_empty(),
        "the action `{name}` needs a `tool`; leave it out to have the model told of it"
    );
    Ok(ActionRule {
        tool: raw.tool.clone(),
        arguments: ArgumentsTemplate::new(raw.arguments.clone())
            .with_context(|| format!("failed to use the `arguments` of the action `{name}`"))?,
        answers: raw.answer,
    })
}

pub(super) fn agent_of(
    raw: &RawAgent,
    workflow: &str,
    clock: Arc<dyn Clock>,
    variables: &Variables,
) -> anyhow::Result<HttpAgent> {
    let RawAgentProtocol::Chatkit = raw.protocol;
    let secret = config::secret(
        "secret",
        variables,
        raw.secret_env.as_deref(),
        raw.secret_file.as_deref(),
    )?;
    if secret.is_none() {
        tracing::warn!(
            workflow,
            "calls of the agent are not signed, so anybody who reaches it can speak for any user: set `secret_env`"
        );
    }
    let agent = AgentConfig {
        url: Url::parse(&raw.url)
            .with_context(|| format!("`url` {:?} is no web address", raw.url))?,
        secret,
        workflow: workflow.to_owned(),
        silence: seconds(raw.timeout_seconds),
        document: seconds(raw.document_timeout_seconds),
        allow_insecure_http: raw.allow_insecure_http,
    };
    Ok(HttpAgent::new(agent, clock)?)
}

/// A tool that the page runs, under a name that every provider takes.
pub(super) fn client_tool(raw: &RawClientTool) -> anyhow::Result<ToolSpec> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    ensure!(
        (1..=64).contains(&raw.name.len()) && raw.name.bytes().all(is_plain),
        "the `name` of one of its `client_tools` must have 1 to 64 letters, digits, '_' or '-'; it is {:?}",
        raw.name
    );
    let mut parameters = raw.parameters.clone();
    if parameters.is_empty() {
        parameters.insert("type".to_owned(), "object".into());
        parameters.insert("properties".to_owned(), Value::Object(Map::new()));
    }
    ensure!(
        parameters.get("type").and_then(Value::as_str) == Some("object"),
        "the `parameters` of the client tool `{}` must be a JSON Schema of type \"object\"",
        raw.name
    );
    Ok(ToolSpec {
        name: raw.name.clone(),
        description: raw.description.clone(),
        parameters: Value::Object(parameters).into(),
    })
}
