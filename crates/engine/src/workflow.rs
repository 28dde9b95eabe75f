//! A workflow: what OpenAI's hosted ChatKit calls by a `wf_…` id, here a table of the configuration.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Map, Value};

use crate::{
    context::WorkflowId,
    error::Error,
    limits::TurnLimits,
    ports::{Agent, Model, ToolSpec, Tools, Transcriber},
    template::{ArgumentsTemplate, WidgetTemplate},
    title::Titles,
};

/// One configured workflow.
#[derive(Clone)]
pub struct Workflow {
    /// Its id, `wf_…`.
    pub id: WorkflowId,
    /// Which version of that id it is; several workflows may share an id.
    pub version: Option<String>,
    /// The operator's instructions to the model.
    pub instructions: String,
    /// What the model is told about the user, with `{{placeholders}}` for state variables.
    pub user_context: Option<String>,
    /// What answers.
    pub model: Arc<dyn Model>,
    /// What answers in the model's place, where the application brings an agent of its own.
    pub agent: Option<Arc<dyn Agent>>,
    /// What writes down what people say.
    pub transcriber: Option<Arc<dyn Transcriber>>,
    /// The model's name at its provider, used where the client picks none.
    pub model_name: String,
    /// Other names that a client may pick by `inference_options.model`.
    pub model_choices: ModelChoices,
    /// What can act.
    pub tools: Arc<dyn Tools>,
    /// Tools that the page runs, by its own means.
    pub client_tools: Vec<ToolSpec>,
    /// What is shown of a tool's result, by the tool's name.
    pub widgets: Arc<HashMap<String, WidgetTemplate>>,
    /// What an action of a widget or of the page does, by its type. Others are told to the model.
    pub actions: HashMap<String, ActionRule>,
    /// Where a thread's title comes from.
    pub titles: Titles,
    /// Bounds of one turn.
    pub limits: TurnLimits,
    /// What becomes of a message that comes while another one is being answered.
    pub busy: Busy,
    /// How long a thread is kept after an answer began in it last; for good where nothing is said.
    pub kept: Option<Duration>,
}

/// A tool that runs when somebody acts.
#[derive(Debug, Clone)]
pub struct ActionRule {
    /// Its name.
    pub tool: String,
    /// What it is called with: places for `payload`, `sender`, `user`, `thread` and `state`.
    pub arguments: ArgumentsTemplate,
    /// Whether the model answers when it has run.
    pub answers: bool,
}

/// What becomes of a message that comes while another one is being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Busy {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It ends the answer that runs, and is answered in its place.
    Interrupt,
    /// The model hears it before it is asked the next time, in the answer that runs; where it is not asked again, the
    /// message waits for its turn.
    Steer,
    /// It is refused.
    Reject,
}

/// Which model names a client may pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelChoices {
    /// These, and the workflow's own.
    These(Vec<String>),
    /// Any: the provider decides.
    Any,
}

impl Workflow {
    /// The page's tool of this name.
    pub(crate) fn client_tool(&self, name: &str) -> Option<&ToolSpec> {
        self.client_tools.iter().find(|tool| tool.name == name)
    }

    /// The model name for a turn: the client's pick where it is allowed, else the workflow's own.
    pub(crate) fn pick_model(&self, wanted: Option<&str>) -> Result<String, Error> {
        match wanted {
            None => Ok(self.model_name.clone()),
            // What it means is the agent's affair.
            Some(name) if self.agent.is_some() => Ok(name.to_owned()),
            Some(name) if name == self.model_name => Ok(self.model_name.clone()),
            Some(name) => match &self.model_choices {
                ModelChoices::Any => Ok(name.to_owned()),
                ModelChoices::These(names) if names.iter().any(|known| known == name) => {
                    Ok(name.to_owned())
                }
                ModelChoices::These(_) => Err(Error::Invalid {
                    message: format!(
                        "the model '{name}' is not offered by this workflow; pick another one, or \
                         add it to the workflow's `models`"
                    )
                    .into(),
                    param: Some("params.input.inference_options.model".to_owned()),
                }),
            },
        }
    }

    /// The user context with every `{{name}}` replaced by the state variable of that name; a name
    /// without a value becomes empty. Values are data for the model, never instructions.
    pub(crate) fn fill_user_context(&self, variables: &Map<String, Value>) -> Option<String> {
        let template = self.user_context.as_deref()?;
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, from_open)) = rest.split_once("{{") {
            filled.push_str(before);
            let Some((name, after)) = from_open.split_once("}}") else {
                filled.push_str("{{");
                rest = from_open;
                continue;
            };
            match variables.get(name.trim()) {
                Some(Value::String(text)) => filled.push_str(text),
                Some(value) => filled.push_str(&value.to_string()),
                None => {}
            }
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// All configured workflows; one of them is the default.
#[derive(Clone)]
pub struct Workflows {
    /// The versions of each id, in the order of the configuration.
    by_id: HashMap<WorkflowId, Vec<Arc<Workflow>>>,
    default: WorkflowId,
}

impl Workflows {
    /// Takes the configured workflows; the first one is the default. `None` where there is none.
    pub fn new(workflows: Vec<Workflow>) -> Option<Self> {
        let default = workflows.first()?.id.clone();
        let mut by_id: HashMap<_, Vec<_>> = HashMap::new();
        for workflow in workflows {
            let versions = by_id.entry(workflow.id.clone()).or_default();
            versions.push(Arc::new(workflow));
        }
        Some(Self { by_id, default })
    }

    /// The workflow of this id, or the default one where none is named: its first version.
    pub fn get(&self, id: Option<&WorkflowId>) -> Result<&Arc<Workflow>, Error> {
        self.get_version(id, None)
    }

    /// The workflow of this id, or the default one where none is named, in this version, or its
    /// first one where none is named.
    pub fn get_version(
        &self,
        id: Option<&WorkflowId>,
        version: Option<&str>,
    ) -> Result<&Arc<Workflow>, Error> {
        let id = id.unwrap_or(&self.default);
        let versions = self.by_id.get(id).map(Vec::as_slice).unwrap_or_default();
        let found = match version {
            None => versions.first(),
            Some(_) => versions
                .iter()
                .find(|workflow| workflow.version.as_deref() == version),
        };
        found.ok_or_else(|| Error::UnknownWorkflow {
            id: id.to_string(),
            version: version.filter(|_| !versions.is_empty()).map(str::to_owned),
        })
    }

    /// Every version of every workflow.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Workflow>> {
        self.by_id.values().flatten()
    }

    /// The default workflow's id.
    pub fn default_id(&self) -> &WorkflowId {
        &self.default
    }
}
