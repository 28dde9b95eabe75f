//! `[[models]]`, `[[workflows]]` and `[[mcp_servers]]`: what answers and what can act.

mod builtin;
mod fallback;
mod tools;
mod workflow;

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
    num::NonZeroU32,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use auth::{
    Signer,
    ports::{Random, SystemRandom},
};
use engine::{
    Busy, ModelChoices, Titles, TurnLimits, Workflow, WorkflowId, Workflows,
    ports::{Clock, Model, Transcriber},
};
use secrecy::{ExposeSecret, SecretString};
use server::{RelayTakes, RelayTarget, RelayTargets};
use upstream::{
    ChatCompletions, Demo, HttpPolicy, IdentitySigner, McpTools, Metered, PdfReader,
    ProviderConfig, Relay, Responses,
    openai::{
        Gate, MarkKey, OutputField, Patience, PdfAs, PdfTexts, RequestOptions, Retries, SystemRole,
        Transcriptions, responses::ResponsesOptions,
    },
    relay::RelayLimits,
};
use url::Url;

use self::{
    tools::Toolbox,
    workflow::{action_rule, agent_of, client_tool, widgets},
};
use crate::{
    compose::random,
    config::{
        self, ModelKind, RawBusy, RawConfig, RawHeader, RawMaxTokens, RawModel, RawModelChoices,
        RawPdf, RawSystemRole, RawTitles, RawWorkflow, Variables,
    },
};

/// Where OpenAI's API is.
pub(crate) const OPENAI_BASE_URL: &str = "https://api.openai.com/v1";
/// The model that is used when `OPENAI_API_KEY` is set and nothing is configured.
const DEFAULT_OPENAI_MODEL: &str = "gpt-5-mini";
/// The workflow that is there when none is configured.
pub(crate) const DEFAULT_WORKFLOW: &str = "wf_demo";

/// How long an answer may get by default. Models behind the Responses API think before they write, and
/// both counts. Servers of the other kind often refuse a number that leaves no room for the question.
const RESPONSES_OUTPUT_TOKENS: Option<NonZeroU32> = NonZeroU32::new(16_384);
const COMPLETIONS_OUTPUT_TOKENS: Option<NonZeroU32> = NonZeroU32::new(4_096);

/// What answers, ready to be asked.
pub(crate) struct BuiltModels {
    /// The workflows, the default one first.
    pub(crate) workflows: Workflows,
    /// The tools of each workflow, to ask one server at a time whether it works.
    pub(crate) tools: Vec<(WorkflowId, Arc<McpTools>)>,
    /// Behind door 3's relay.
    pub(crate) relay: Option<RelayTargets>,
    /// Signs for the tools, with keys that can be replaced.
    pub(crate) signer: Arc<Signer>,
    /// For the banner: each workflow with its model, in words.
    pub(crate) summary: Vec<String>,
    /// Whether nothing but the demo model answers.
    pub(crate) is_demo_only: bool,
}

/// One `[[models]]` table, built.
struct BuiltModel {
    model: Arc<dyn Model>,
    relay: Relay,
    name: String,
    words: String,
    /// What writes down speech at the same address.
    transcriber: Option<Arc<dyn Transcriber>>,
    /// How long an answer may get where a workflow says nothing.
    output_tokens: Option<NonZeroU32>,
    is_demo: bool,
}

/// Builds the models, the tools and the workflows that use them.
pub(crate) fn build(
    config: &RawConfig,
    issuer: &str,
    signer: &Arc<Signer>,
    clock: &Arc<dyn Clock>,
    variables: &Variables,
) -> anyhow::Result<BuiltModels> {
    let default_models;
    let raw_models = if config.models.is_empty() {
        default_models = [default_model(variables)];
        &default_models[..]
    } else {
        &config.models
    };
    let reader = pdf_reader()?;
    let mut models = HashMap::new();
    for raw in raw_models {
        ensure!(!raw.id.is_empty(), "each of [[models]] needs an `id`");
        let built = model(raw, &reader, variables)
            .with_context(|| format!("failed to use [[models]] `{}`", raw.id))?;
        ensure!(
            models.insert(raw.id.clone(), built).is_none(),
            "[[models]] `{}` is there twice",
            raw.id
        );
    }
    fallback::add(raw_models, &mut models)?;
    let first_model = raw_models[0].id.as_str();
    let raw_workflows = &raw_workflows(config);
    let toolbox = Toolbox {
        servers: &config.mcp_servers,
        issuers: &config.issuers,
        signer: IdentitySigner::new(signer.clone(), random(), issuer),
        clock: Arc::clone(clock),
        variables,
        programs: RefCell::default(),
    };
    let mut workflows = Vec::new();
    let mut tools = Vec::new();
    let mut summary = Vec::new();
    let mut names = HashSet::new();
    for raw in raw_workflows {
        ensure!(
            names.insert((&raw.id, &raw.version)),
            "[[workflows]] `{}` is there twice; give one of them another `id` or `version`",
            raw.id
        );
        let context = || format!("failed to use [[workflows]] `{}`", raw.id);
        let most = raw.max_tools.saturating_sub(raw.client_tools.len());
        let of_workflow = toolbox.tools(&raw.tools, most).with_context(context)?;
        let of_workflow = Arc::new(of_workflow.with_audience());
        let mut built =
            workflow(raw, first_model, &models, of_workflow.clone()).with_context(context)?;
        if let Some(agent) = &raw.agent {
            let agent = Arc::new(
                agent_of(agent, &raw.id, Arc::clone(clock), variables)
                    .context("failed to use its `agent`")
                    .with_context(context)?,
            );
            if raw.agent.as_ref().is_some_and(|agent| agent.transcribes) {
                built.transcriber = Some(agent.clone());
            }
            built.agent = Some(agent);
        }
        tools.push((built.id.clone(), of_workflow));
        let model = raw.model.as_deref().unwrap_or(first_model);
        let version = raw.version.as_deref();
        let version = version.map_or_else(String::new, |version| format!(", version {version},"));
        let words = match &raw.agent {
            Some(agent) => &format!("the agent at {}", agent.url),
            None => &models[model].words,
        };
        summary.push(if config.workflows.is_empty() {
            let reason = if config.models.is_empty() && !models[model].is_demo {
                ", because OPENAI_API_KEY is set"
            } else {
                ""
            };
            format!(
                "the default workflow answers with {words}{reason} (its id is always {})",
                raw.id
            )
        } else {
            format!("{}{version} answers with {words}", raw.id)
        });
        workflows.push(built);
    }
    let relay = relay(config, raw_workflows, first_model, &models)?;
    Ok(BuiltModels {
        workflows: Workflows::new(workflows).context("there is no workflow")?,
        tools,
        relay,
        signer: Arc::clone(signer),
        summary,
        is_demo_only: models.values().all(|model| model.is_demo)
            && raw_workflows.iter().all(|raw| raw.agent.is_none()),
    })
}

/// The tools of these servers alone, for whoever looks at them.
pub(crate) fn tools(
    config: &RawConfig,
    issuer: &str,
    signer: &Arc<Signer>,
    clock: Arc<dyn Clock>,
    variables: &Variables,
    names: &[String],
) -> anyhow::Result<McpTools> {
    let toolbox = Toolbox {
        servers: &config.mcp_servers,
        issuers: &config.issuers,
        signer: IdentitySigner::new(signer.clone(), random(), issuer),
        clock,
        variables,
        programs: RefCell::default(),
    };
    toolbox.tools(names, usize::MAX)
}

fn default_model(variables: &Variables) -> RawModel {
    match variables.get("OPENAI_API_KEY") {
        Some(_) => RawModel {
            id: "openai".to_owned(),
            kind: ModelKind::OpenAiResponses,
            model: DEFAULT_OPENAI_MODEL.to_owned(),
            ..RawModel::default()
        },
        None => RawModel {
            id: "demo".to_owned(),
            kind: ModelKind::Demo,
            ..RawModel::default()
        },
    }
}

/// The workflows that are there, configured or not.
pub(crate) fn raw_workflows(config: &RawConfig) -> Vec<RawWorkflow> {
    if config.workflows.is_empty() {
        vec![default_workflow(config)]
    } else {
        config.workflows.clone()
    }
}

/// The one workflow of a server without any: it may use every configured tool.
fn default_workflow(config: &RawConfig) -> RawWorkflow {
    RawWorkflow {
        id: DEFAULT_WORKFLOW.to_owned(),
        instructions:
            "You are a helpful assistant in a chat. Answer briefly, in Markdown where it helps."
                .to_owned(),
        tools: config
            .mcp_servers
            .iter()
            .map(|server| server.name.clone())
            .collect(),
        ..RawWorkflow::default()
    }
}

fn model(raw: &RawModel, reader: &PdfReader, variables: &Variables) -> anyhow::Result<BuiltModel> {
    let options = ResponsesOptions {
        wants_reasoning_summary: raw.reasoning_summary,
        builtin_tools: builtin::builtin_tools(raw)?,
    };
    if raw.kind == ModelKind::Demo {
        let model: Arc<dyn Model> = Arc::new(Metered::new(&raw.id, Arc::new(Demo::default())));
        return Ok(BuiltModel {
            relay: Relay::Translate(model.clone()),
            model,
            transcriber: None,
            name: "demo".to_owned(),
            words: "the built-in demo model, which needs no key".to_owned(),
            output_tokens: None,
            is_demo: true,
        });
    }
    ensure!(
        !raw.model.is_empty(),
        "`model` must name the provider's model"
    );
    let base_url = match (&raw.base_url, variables.get("OPENAI_BASE_URL")) {
        (Some(url), _) => url.as_str(),
        (None, Some(url)) => url,
        (None, None) => OPENAI_BASE_URL,
    };
    check_base_url(base_url)?;
    let api_key = api_key(raw, variables)?;
    ensure!(
        api_key.is_some() || base_url != OPENAI_BASE_URL,
        "OpenAI's API needs a key: set OPENAI_API_KEY, or name one by `api_key_env` or `api_key_file`"
    );
    let mut headers = secrets("header", &raw.headers, variables)?;
    let is_bearer = raw.api_key_header.eq_ignore_ascii_case("authorization");
    if let Some(key) = &api_key {
        let check = if is_bearer {
            config::check_bearer
        } else {
            config::check_header
        };
        check(key)?;
    }
    let (bearer, key_header) = if is_bearer {
        (api_key, None)
    } else {
        (None, api_key)
    };
    // In front: a header that the file writes out wins.
    headers.splice(
        0..0,
        key_header.map(|key| (raw.api_key_header.clone(), key)),
    );
    let provider = ProviderConfig {
        base_url: Url::parse(base_url)
            .with_context(|| format!("`base_url` {base_url} is not a web address"))?,
        api_key: bearer,
        http: HttpPolicy {
            connect_timeout: seconds(raw.connect_timeout_seconds),
            idle_timeout: None,
            allow_insecure_http: raw.allow_insecure_http,
            ..HttpPolicy::STREAM
        },
        marks: mark_key()?,
        headers,
        options: request_options(raw, base_url),
        patience: Patience {
            first_token: seconds(raw.first_token_timeout_seconds),
            silence: seconds(raw.idle_timeout_seconds),
        },
        retries: Retries {
            times: raw.retries,
            ..Retries::default()
        },
        gate: gate(raw),
        pdf: Some(PdfTexts {
            reader: reader.clone(),
            characters: raw.pdf_characters,
        }),
    };
    let words = format!("{} at {base_url}", raw.model);
    let transcriber: Arc<dyn Transcriber> =
        Arc::new(Transcriptions::new(provider.clone(), raw.model.clone())?);
    let (model, relay, output_tokens): (Arc<dyn Model>, Relay, _) = match raw.kind {
        ModelKind::ChatCompletions => {
            let model = ChatCompletions::new(provider)?;
            let relay = Relay::PassOn(model.clone());
            (Arc::new(model), relay, COMPLETIONS_OUTPUT_TOKENS)
        }
        ModelKind::OpenAiResponses | ModelKind::Demo => {
            // Whoever relays has the model alone, without tools that cost.
            let bare = ResponsesOptions {
                builtin_tools: Vec::new(),
                ..options.clone()
            };
            let relay = Arc::new(Responses::new(provider.clone(), bare)?);
            let model = Arc::new(Responses::new(provider, options)?);
            (model, Relay::Translate(relay), RESPONSES_OUTPUT_TOKENS)
        }
    };
    Ok(BuiltModel {
        model: Arc::new(Metered::new(&raw.id, model)),
        relay,
        transcriber: Some(transcriber),
        name: raw.model.clone(),
        words,
        output_tokens,
        is_demo: false,
    })
}

/// Refuses the address of one call, as providers' examples show it, where the address of the API is meant.
fn check_base_url(base_url: &str) -> anyhow::Result<()> {
    let address = base_url.split(['?', '#']).next().unwrap_or(base_url);
    let address = address.trim_end_matches('/');
    for call in ["/chat/completions", "/responses"] {
        if let Some(base) = address.strip_suffix(call) {
            bail!(
                "`base_url` is the address of the API, to which `{call}` is added here: set it to {base}"
            );
        }
    }
    Ok(())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds.max(1))
}

fn gate(raw: &RawModel) -> Option<Gate> {
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let patience = Duration::from_secs(raw.waiting_seconds);
    (raw.max_concurrency > 0)
        .then(|| Gate::new(count(raw.max_concurrency), count(raw.max_waiting), patience))
}

/// What reads PDF documents: this program once more.
fn pdf_reader() -> anyhow::Result<PdfReader> {
    // The running program, also while a new one is being put in its place.
    let itself = PathBuf::from("/proc/self/exe");
    let program = if itself.exists() {
        itself
    } else {
        std::env::current_exe().context("the system does not say where this program is")?
    };
    Ok(PdfReader::new(program, ["pdf-text"]))
}

fn request_options(raw: &RawModel, base_url: &str) -> RequestOptions {
    // Of Chat Completions servers, few besides OpenAI's take files; the presets know some.
    let takes_files = raw.kind != ModelKind::ChatCompletions || base_url == OPENAI_BASE_URL;
    RequestOptions {
        stream_options: raw.stream_options,
        end_user: raw.end_user,
        thoughts: raw.return_reasoning,
        parallel_tool_calls: raw.parallel_tool_calls,
        alternating_roles: raw.alternating_roles,
        pdf: match raw.pdf {
            Some(RawPdf::File) => PdfAs::File,
            None if takes_files => PdfAs::File,
            Some(RawPdf::Text) | None => PdfAs::Text,
        },
        system_role: match raw.system_role {
            RawSystemRole::System => SystemRole::System,
            RawSystemRole::Developer => SystemRole::Developer,
        },
        output_field: raw.max_tokens_parameter.map(|name| match name {
            RawMaxTokens::MaxTokens => OutputField::MaxTokens,
            RawMaxTokens::MaxCompletionTokens => OutputField::MaxCompletionTokens,
        }),
    }
}

/// Texts with their values, wherever those are: headers, or variables of a program.
fn secrets(
    what: &str,
    texts: &BTreeMap<String, RawHeader>,
    variables: &Variables,
) -> anyhow::Result<Vec<(String, SecretString)>> {
    let value = |header: &RawHeader| match header {
        RawHeader::Text(text) => Ok(text.clone()),
        RawHeader::Env(header) => {
            let value = variables.get(&header.env).map(str::to_owned);
            value.with_context(|| format!("the variable {} is not set", header.env))
        }
        RawHeader::File(header) => config::secret_of_file(&header.file)
            .map(|secret| secret.expose_secret().to_owned())
            .with_context(|| format!("failed to read {}", header.file.display())),
    };
    let texts = texts.iter().map(|(name, text)| {
        let value = value(text).with_context(|| format!("failed to use the {what} `{name}`"))?;
        Ok((name.clone(), value.into()))
    });
    texts.collect()
}

/// Keeps what the application tells the model apart from what users write, while this process runs.
fn mark_key() -> anyhow::Result<MarkKey> {
    let mut random = [0; 32];
    SystemRandom
        .fill(&mut random)
        .context("the system gives no random numbers")?;
    Ok(MarkKey::new(&random))
}

/// The configured key; without one, `OPENAI_API_KEY` where OpenAI's own address is meant. It is not
/// sent to any other server by itself.
fn api_key(raw: &RawModel, variables: &Variables) -> anyhow::Result<Option<SecretString>> {
    let configured = config::secret(
        "api_key",
        variables,
        raw.api_key_env.as_deref(),
        raw.api_key_file.as_deref(),
    )?;
    let is_default_address = raw
        .base_url
        .as_deref()
        .is_none_or(|url| url == OPENAI_BASE_URL);
    let from_environment = || {
        variables
            .get("OPENAI_API_KEY")
            .filter(|_| is_default_address)
            .map(SecretString::from)
    };
    let of_preset = || {
        raw.optional_key_env
            .and_then(|name| variables.get(name))
            .map(SecretString::from)
    };
    Ok(configured.or_else(of_preset).or_else(from_environment))
}

fn workflow(
    raw: &RawWorkflow,
    first_model: &str,
    models: &HashMap<String, BuiltModel>,
    tools: Arc<McpTools>,
) -> anyhow::Result<Workflow> {
    ensure!(
        raw.version.as_deref() != Some(""),
        "its `version` must not be empty; leave it out"
    );
    ensure!(
        is_name(&raw.id),
        "its `id` must have 1 to 64 letters, digits, '-', '_', '.' or ':', like wf_support"
    );
    let built = find_model(raw.model.as_deref().unwrap_or(first_model), models)?;
    let transcriber = match raw.transcription.as_deref() {
        None => None,
        Some(id) => Some(
            find_model(id, models)?
                .transcriber
                .clone()
                .context("`transcription` names the demo model, which does not hear")?,
        ),
    };
    Ok(Workflow {
        id: WorkflowId::new(raw.id.as_str()),
        version: raw.version.clone(),
        instructions: raw.instructions.clone(),
        user_context: raw.user_context.clone(),
        model: built.model.clone(),
        agent: None,
        transcriber,
        model_name: built.name.clone(),
        model_choices: match &raw.models {
            RawModelChoices::Any(_) => ModelChoices::Any,
            RawModelChoices::These(names) => ModelChoices::These(names.clone()),
        },
        tools,
        client_tools: raw
            .client_tools
            .iter()
            .map(client_tool)
            .collect::<anyhow::Result<_>>()?,
        widgets: Arc::new(widgets(raw)?),
        actions: raw
            .actions
            .iter()
            .map(|(name, action)| Ok((name.clone(), action_rule(name, action)?)))
            .collect::<anyhow::Result<_>>()?,
        titles: match raw.titles {
            RawTitles::Model => Titles::Model,
            RawTitles::FirstMessage => Titles::FirstMessage,
            RawTitles::Off => Titles::Off,
        },
        busy: match raw.busy {
            RawBusy::Queue => Busy::Queue,
            RawBusy::Interrupt => Busy::Interrupt,
            RawBusy::Steer => Busy::Steer,
            RawBusy::Reject => Busy::Reject,
        },
        kept: super::days(raw.retention_days),
        limits: TurnLimits {
            history_items: raw.history_items,
            history_tokens: raw.history_tokens,
            tool_rounds: raw.tool_rounds,
            tool_bytes: raw.tool_bytes,
            max_output_tokens: match raw.max_output_tokens {
                Some(tokens) => NonZeroU32::new(tokens),
                None => built.output_tokens,
            },
            answer_bytes: raw.answer_bytes,
            duration: Duration::from_secs(raw.turn_seconds.max(1)),
            ..TurnLimits::default()
        },
    })
}

/// OpenAI's ids begin with `wf_`; its SDKs pass on any text, so only what does not belong into a
/// name is refused.
fn is_name(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

fn find_model<'models>(
    id: &str,
    models: &'models HashMap<String, BuiltModel>,
) -> anyhow::Result<&'models BuiltModel> {
    models.get(id).with_context(|| {
        let mut known: Vec<&str> = models.keys().map(String::as_str).collect();
        known.sort_unstable();
        format!(
            "there is no model `{id}`; [[models]] has {}",
            known.join(", ")
        )
    })
}

fn relay(
    config: &RawConfig,
    workflows: &[RawWorkflow],
    first_model: &str,
    models: &HashMap<String, BuiltModel>,
) -> anyhow::Result<Option<RelayTargets>> {
    let door = &config.doors.custom;
    if !door.relay {
        return Ok(None);
    }
    ensure!(
        door.relay_max_tokens > 0 && door.relay_choices > 0,
        "doors.custom.relay_max_tokens and relay_choices must be at least 1; `relay = false` switches \
         the relay off"
    );
    let mut by_workflow = HashMap::new();
    for raw in workflows {
        let built = find_model(raw.model.as_deref().unwrap_or(first_model), models)?;
        by_workflow
            .entry(WorkflowId::new(raw.id.as_str()))
            .or_insert_with(|| RelayTarget {
                relay: built.relay.clone(),
                model: built.name.clone(),
                takes: match raw.relay {
                    None => RelayTakes::Unpinned,
                    Some(true) => RelayTakes::Everybody,
                    Some(false) => RelayTakes::Nobody,
                },
            });
    }
    Ok(Some(RelayTargets {
        by_workflow,
        duration: Duration::from_secs(door.relay_seconds.max(1)),
        limits: RelayLimits {
            max_tokens: door.relay_max_tokens,
            choices: door.relay_choices,
        },
    }))
}

#[cfg(test)]
mod tests {
    use engine::ports::{ModelInput, ModelRequest};
    use futures::StreamExt;
    use secrecy::ExposeSecret;
    use serde_json::Value;
    use testkit::fake_model::{CapturedRequest, FakeModel, Reply};

    use super::*;

    /// What a server is sent for this table of [[models]], in which `KEY` holds a key.
    async fn sent(table: &str) -> CapturedRequest {
        let server = FakeModel::scripted([Reply::text(["ok"])]).await.unwrap();
        let text = format!(
            "[[models]]\nid = \"m\"\nmodel = \"x\"\nbase_url = \"{}\"\n{table}",
            server.base_url()
        );
        let config = config::parse(&text).unwrap();
        let names = [
            "KEY",
            "AZURE_OPENAI_API_KEY",
            "MISTRAL_API_KEY",
            "VLLM_API_KEY",
        ];
        let variables: Variables = names
            .map(|name| (name.to_owned(), format!("of-{name}")))
            .into_iter()
            .collect();
        let reader = pdf_reader().unwrap();
        let model = model(&config.models[0], &reader, &variables).unwrap().model;
        let request = ModelRequest {
            model: "x".to_owned(),
            instructions: "Be kind.".to_owned(),
            input: vec![ModelInput::User("hi".into())],
            tools: Vec::new(),
            tool_choice: None,
            max_output_tokens: NonZeroU32::new(100),
            locale: None,
            end_user: "ada".to_owned(),
            may_use_builtins: true,
        };
        let events: Vec<_> = model.respond(request).await.unwrap().collect().await;
        assert!(events.iter().all(Result::is_ok), "{events:?}");
        server.requests().remove(0)
    }

    #[tokio::test]
    async fn a_preset_is_what_its_server_is_sent() {
        let azure = sent("preset = \"azure-openai\"").await;
        assert_eq!(azure.headers["api-key"], "of-AZURE_OPENAI_API_KEY");
        assert_eq!(azure.bearer(), None);
        assert_eq!(azure.body["max_completion_tokens"], 100);
        assert_eq!(azure.body["stream_options"]["include_usage"], true);
        // The address is another one than Mistral's own, which the variable's key is for.
        let mistral = sent("preset = \"mistral\"").await;
        assert_eq!(mistral.bearer(), None);
        assert_eq!(mistral.body["max_tokens"], 100);
        for name in ["stream_options", "user", "max_completion_tokens"] {
            assert_eq!(mistral.body[name], Value::Null, "{name}");
        }
        let named = sent("preset = \"mistral\"\napi_key_env = \"KEY\"").await;
        assert_eq!(named.bearer(), Some("of-KEY"));
        let vllm = sent("preset = \"vllm\"").await;
        assert_eq!(vllm.bearer(), Some("of-VLLM_API_KEY"));
        let own = sent("preset = \"vllm\"\nmax_tokens_parameter = \"max_completion_tokens\"").await;
        assert_eq!(own.body["max_completion_tokens"], 100);
        assert_eq!(own.body["max_tokens"], Value::Null);
    }

    #[tokio::test]
    async fn a_key_may_stand_in_a_header_of_its_own() {
        let table =
            "kind = \"chat-completions\"\napi_key_env = \"KEY\"\napi_key_header = \"X-Key\"\n";
        let own = sent(table).await;
        assert_eq!(
            (own.bearer(), &own.headers["x-key"]),
            (None, &"of-KEY".parse().unwrap())
        );
        let written = sent(&format!("{table}headers = {{ \"X-Key\" = \"mine\" }}")).await;
        assert_eq!(
            written.headers["x-key"], "mine",
            "what the file writes out wins"
        );
    }

    #[test]
    fn headers_are_texts_or_stand_in_variables_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "from a file\n").unwrap();
        let variables = [("KEY".to_owned(), "from a variable".to_owned())];
        let variables: Variables = variables.into_iter().collect();
        let headers_of = |value: &str| {
            let text = format!("[[models]]\nid = \"m\"\nheaders = {{ \"X-Key\" = {value} }}\n");
            let config = config::parse(&text)?;
            let headers = secrets("header", &config.models[0].headers, &variables)?;
            let (name, value) = &headers[0];
            anyhow::Ok(format!("{name}: {}", value.expose_secret()))
        };
        assert_eq!(headers_of("\"a text\"").unwrap(), "X-Key: a text");
        assert_eq!(
            headers_of("{ env = \"KEY\" }").unwrap(),
            "X-Key: from a variable"
        );
        let path = format!("{{ file = {:?} }}", file.display().to_string());
        assert_eq!(headers_of(&path).unwrap(), "X-Key: from a file");
        for (value, said) in [
            ("{ env = \"GONE\" }", "the variable GONE is not set"),
            ("{ file = \"/gone\" }", "failed to read /gone"),
            ("{ env = \"KEY\", file = \"/gone\" }", "expected a text"),
            ("7", "expected a text"),
        ] {
            let error = format!("{:#}", headers_of(value).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn documents_go_out_as_the_server_takes_them() {
        for (table, expected) in [
            ("kind = \"openai-responses\"", PdfAs::File),
            ("kind = \"openai-responses\"\npdf = \"text\"", PdfAs::Text),
            ("kind = \"chat-completions\"", PdfAs::Text),
            ("kind = \"chat-completions\"\npdf = \"file\"", PdfAs::File),
            ("preset = \"ollama\"", PdfAs::Text),
            ("preset = \"ollama\"\npdf = \"file\"", PdfAs::File),
            (
                "preset = \"vllm\"\nkind = \"openai-responses\"",
                PdfAs::File,
            ),
            ("preset = \"openrouter\"", PdfAs::File),
            ("preset = \"litellm\"", PdfAs::File),
            (
                "preset = \"azure-openai\"\nbase_url = \"https://a.example\"",
                PdfAs::Text,
            ),
        ] {
            let config = config::parse(&format!("[[models]]\nid = \"m\"\n{table}")).unwrap();
            let pdf = request_options(&config.models[0], "https://a.example").pdf;
            assert_eq!(pdf, expected, "{table}");
        }
        let completions = config::parse("[[models]]\nid = \"m\"\nkind = \"chat-completions\"");
        let model = &completions.unwrap().models[0];
        assert_eq!(request_options(model, OPENAI_BASE_URL).pdf, PdfAs::File);
    }

    #[test]
    fn a_workflow_may_have_any_plain_name() {
        for name in ["wf_support", "wf_68e8283b23088190", "id", "a.b:c-d"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "two words", "wf/support", "wf_ü", &"x".repeat(65)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
