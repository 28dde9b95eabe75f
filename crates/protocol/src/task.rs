//! Workflows and their tasks: what the assistant does before it answers, as the user sees it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_with::skip_serializing_none;

use crate::icon::IconName;
use crate::source::{FileSource, Source, UrlSource};

/// A list of tasks that the user can unfold.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Workflow {
    #[serde(rename = "type")]
    pub kind: WorkflowKind,
    /// In the order they began.
    pub tasks: Vec<Task>,
    /// The one line that is left when the workflow is done.
    pub summary: Option<WorkflowSummary>,
    /// Whether the tasks are shown at first.
    #[serde(default)]
    pub expanded: bool,
}

/// Whose work a workflow shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkflowKind {
    Custom,
    Reasoning,
}

/// The one line that is left of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a workflow summary: an object with a `title` or a `duration`"
)]
pub enum WorkflowSummary {
    Custom(CustomSummary),
    Duration(DurationSummary),
}

/// A summary in words.
#[skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomSummary {
    pub title: String,
    pub icon: Option<IconName>,
}

/// A summary by time ("Thought for 12 seconds").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurationSummary {
    /// Whole seconds.
    pub duration: u64,
}

/// How far a task of a workflow has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusIndicator {
    #[default]
    None,
    Loading,
    Complete,
}

/// One thing the assistant does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Task {
    /// Words and an icon of the application's choice.
    Custom(CustomTask),
    WebSearch(SearchTask),
    Thought(ThoughtTask),
    File(FileTask),
    Image(ImageTask),
}

impl Task {
    /// How far it has come.
    pub const fn status_indicator_mut(&mut self) -> &mut StatusIndicator {
        match self {
            Self::Custom(task) => &mut task.status_indicator,
            Self::WebSearch(task) => &mut task.status_indicator,
            Self::Thought(task) => &mut task.status_indicator,
            Self::File(task) => &mut task.status_indicator,
            Self::Image(task) => &mut task.status_indicator,
        }
    }
}

macro_rules! tasks {
    ($($(#[$doc:meta])* $Name:ident {
        $($(#[$field_doc:meta])* $field:ident: $Type:ty,)*
    })*) => {$(
        $(#[$doc])*
        #[skip_serializing_none]
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct $Name {
            /// How far it has come, when it is shown in a workflow.
            #[serde(default)]
            pub status_indicator: StatusIndicator,
            pub title: Option<String>,
            $($(#[$field_doc])* pub $field: $Type,)*
        }

        impl From<$Name> for Task {
            fn from(task: $Name) -> Self {
                tasks!(@variant $Name)(task)
            }
        }
    )*};
    (@variant CustomTask) => { Task::Custom };
    (@variant SearchTask) => { Task::WebSearch };
    (@variant ThoughtTask) => { Task::Thought };
    (@variant FileTask) => { Task::File };
    (@variant ImageTask) => { Task::Image };
}

tasks! {
    /// Words and an icon of the application's choice.
    CustomTask {
        icon: Option<IconName>,
        /// Markdown below the title.
        content: Option<String>,
    }

    SearchTask {
        /// The query as part of the title.
        title_query: Option<String>,
        /// Everything that was searched for.
        #[serde(default)]
        queries: Vec<String>,
        #[serde(default, deserialize_with = "url_sources")]
        sources: Vec<UrlSource>,
    }

    ThoughtTask {
        /// The thought, in Markdown.
        content: String,
    }

    FileTask {
        #[serde(default, deserialize_with = "file_sources")]
        sources: Vec<FileSource>,
    }

    ImageTask {}
}

fn url_sources<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<UrlSource>, D::Error> {
    sources(deserializer, |source| match source {
        Source::Url(source) => Ok(source),
        Source::File(_) | Source::Entity(_) => Err("expected a source of type `url`"),
    })
}

fn file_sources<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<FileSource>, D::Error> {
    sources(deserializer, |source| match source {
        Source::File(source) => Ok(source),
        Source::Url(_) | Source::Entity(_) => Err("expected a source of type `file`"),
    })
}

/// Reads sources by their type, and takes those of one type.
fn sources<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    take: fn(Source) -> Result<T, &'static str>,
) -> Result<Vec<T>, D::Error> {
    let sources = Vec::<Source>::deserialize(deserializer)?;
    sources
        .into_iter()
        .map(|source| take(source).map_err(D::Error::custom))
        .collect()
}
