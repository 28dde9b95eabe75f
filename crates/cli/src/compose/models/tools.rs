//! `[[mcp_servers]]`: the tools that a workflow may use.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use anyhow::{Context, bail, ensure};
use engine::ports::Clock;
use upstream::{
    ForwardedIdentity, HttpClient, IdentitySigner, McpServer, McpTools,
    mcp::{Consent, HTTP_POLICY, Host, Program},
};
use url::Url;

use super::{seconds, secrets};
use crate::{
    compose::issuers,
    config::{
        self, RawApprove, RawApproveWord, RawIssuer, RawMcpIdentity, RawMcpServer, RawPassthrough,
        Variables,
    },
};

/// Makes the tools of a workflow out of the configured servers.
pub(super) struct Toolbox<'config> {
    pub(super) servers: &'config [RawMcpServer],
    pub(super) issuers: &'config [RawIssuer],
    pub(super) signer: IdentitySigner,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) variables: &'config Variables,
    /// The programs, each once, however many workflows use it.
    pub(super) programs: RefCell<HashMap<String, McpServer>>,
}

impl Toolbox<'_> {
    pub(super) fn tools(&self, names: &[String], max_tools: usize) -> anyhow::Result<McpTools> {
        let mut servers = Vec::new();
        for name in names {
            let Some(raw) = self.servers.iter().find(|server| server.name == *name) else {
                bail!("`tools` names `{name}`, which is not one of [[mcp_servers]]");
            };
            servers.push(self.server(raw)?);
        }
        let exchange = issuers::token_exchange(self.issuers, self.variables)?;
        ensure!(
            !exchange.is_empty()
                || !servers
                    .iter()
                    .any(|server| server.identity == ForwardedIdentity::Exchanged),
            "`identity = \"exchange\"` needs a client that exchanges tokens: set `exchange_client_id` \
             and its secret in [[issuers]]"
        );
        let http = HttpClient::new(&HTTP_POLICY)?;
        let tools = McpTools::new(servers, http, Some(self.signer.clone()), self.clock.clone())?;
        Ok(tools.with_exchange(exchange).with_max_tools(max_tools))
    }

    fn server(&self, raw: &RawMcpServer) -> anyhow::Result<McpServer> {
        let name = raw.name.as_str();
        ensure!(
            raw.url.is_empty() == raw.command.is_some(),
            "[[mcp_servers]] `{name}` needs a `url`, or a `command` that is run here, and not both"
        );
        let place = match &raw.command {
            Some(command) => return self.program(raw, command),
            None => Url::parse(&raw.url)
                .with_context(|| format!("[[mcp_servers]] `{name}`: `url` {}", raw.url))?,
        };
        ensure!(
            raw.args.is_empty() && raw.env.is_empty() && raw.cwd.is_none(),
            "[[mcp_servers]] `{name}`: `args`, `env` and `cwd` mean nothing without `command`"
        );
        let api_key = config::secret(
            "api_key",
            self.variables,
            raw.api_key_env.as_deref(),
            raw.api_key_file.as_deref(),
        )
        .and_then(|key| {
            key.as_ref()
                .map_or(Ok(()), config::check_bearer)
                .map(|()| key)
        })
        .with_context(|| format!("failed to use [[mcp_servers]] `{}`", raw.name))?;
        ensure!(
            raw.passthrough.is_none() || raw.identity == RawMcpIdentity::Token,
            "[[mcp_servers]] `{}`: `passthrough` means nothing without `identity = \"token\"`",
            raw.name
        );
        Ok(McpServer {
            identity: match (raw.identity, raw.passthrough) {
                (RawMcpIdentity::Signed, _) => ForwardedIdentity::Signed,
                (RawMcpIdentity::Exchange, _) => ForwardedIdentity::Exchanged,
                (RawMcpIdentity::Token, None) => ForwardedIdentity::Token,
                (RawMcpIdentity::Token, Some(RawPassthrough::IKnow)) => ForwardedIdentity::AnyToken,
                (RawMcpIdentity::None, _) => ForwardedIdentity::None,
            },
            audience: raw.audience.clone(),
            allow_insecure_http: raw.allow_insecure_http,
            api_key,
            consent: match &raw.approve {
                RawApprove::Word(RawApproveWord::Destructive) => Consent::Destructive,
                RawApprove::Word(RawApproveWord::Always) => Consent::Always,
                RawApprove::Word(RawApproveWord::Never) => Consent::Never,
                RawApprove::These(names) => Consent::matching(names.iter().map(String::as_str)),
            },
            call_timeout: seconds(raw.timeout_seconds),
            total_timeout: seconds(raw.total_timeout_seconds),
            max_result_bytes: raw.result_bytes,
            ..McpServer::new(name, place)
        })
    }

    /// A program. All it is told of our environment is where programs are, whose files it may want, and the language.
    fn program(&self, raw: &RawMcpServer, command: &str) -> anyhow::Result<McpServer> {
        let name = raw.name.as_str();
        ensure!(
            raw.identity == RawMcpIdentity::None,
            "[[mcp_servers]] `{name}`: all users share one process of a `command`, so it cannot know who the user is; \
             say so by `identity = \"none\"`, or run it as a server and set `url`"
        );
        ensure!(
            raw.audience.is_none()
                && raw.passthrough.is_none()
                && raw.api_key_env.is_none()
                && raw.api_key_file.is_none()
                && !raw.allow_insecure_http,
            "[[mcp_servers]] `{name}`: a `command` gets its keys by `env`, and has no `audience`, `passthrough`, \
             `api_key_env`, `api_key_file` or `allow_insecure_http`"
        );
        let mut programs = self.programs.borrow_mut();
        if let Some(server) = programs.get(name) {
            return Ok(server.clone());
        }
        let inherited = ["PATH", "HOME", "LANG"].into_iter().filter_map(|name| {
            let value = self.variables.get(name)?;
            Some((name.to_owned(), value.into()))
        });
        let own = secrets("variable", &raw.env, self.variables)
            .with_context(|| format!("failed to use [[mcp_servers]] `{name}`"))?;
        let host = Host::new(Program {
            command: command.to_owned(),
            arguments: raw.args.clone(),
            variables: inherited.chain(own).collect(),
            folder: raw.cwd.clone(),
        });
        let server = McpServer {
            call_timeout: seconds(raw.timeout_seconds),
            total_timeout: seconds(raw.total_timeout_seconds),
            max_result_bytes: raw.result_bytes,
            ..McpServer::program(name, host)
        };
        programs.insert(name.to_owned(), server.clone());
        Ok(server)
    }
}
