//! Which tools a person is asked about before they run.

use wildmatch::WildMatch;

use super::session::McpTool;

/// Which of a server's tools a person is asked about before they run.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Consent {
    /// None.
    Never,
    /// All.
    Always,
    /// Those that say of themselves that they destroy something (`destructiveHint` in MCP's tool annotations). A server
    /// that says nothing is not asked about: MCP's own default would ask about nearly every tool.
    #[default]
    Destructive,
    /// Those whose name at the server matches one of these; `*` stands for any characters, `?` for one.
    Matching(Vec<WildMatch>),
}

impl Consent {
    /// The names that match, as they are written: `delete_*`.
    pub fn matching<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Matching(patterns.into_iter().map(WildMatch::new).collect())
    }

    /// Whether a person is asked about this tool.
    pub(super) fn is_needed(&self, tool: &McpTool) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Destructive => tool.is_destructive,
            Self::Matching(patterns) => patterns.iter().any(|pattern| pattern.matches(&tool.name)),
        }
    }
}
