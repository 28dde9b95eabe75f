//! `builtin_tools` of `[[models]]`: tools that the provider runs by itself.

use anyhow::{bail, ensure};
use serde_json::{Value, json};

use crate::config::{ModelKind, RawBuiltinTool, RawModel};

/// Those whose progress is understood. Others would need answers of ours.
const KNOWN: [&str; 5] = [
    "web_search",
    "web_search_preview",
    "file_search",
    "code_interpreter",
    "image_generation",
];

/// The tools as the provider is told of them.
pub(super) fn builtin_tools(raw: &RawModel) -> anyhow::Result<Vec<Value>> {
    ensure!(
        raw.builtin_tools.is_empty() || raw.kind == ModelKind::OpenAiResponses,
        "`builtin_tools` are of the Responses API; use `kind = \"openai-responses\"`, or leave them out"
    );
    raw.builtin_tools.iter().map(builtin_tool).collect()
}

fn builtin_tool(raw: &RawBuiltinTool) -> anyhow::Result<Value> {
    let mut tool = match raw {
        RawBuiltinTool::Name(name) => json!({ "type": name }),
        RawBuiltinTool::Table(table) => json!(table),
    };
    let kind = tool["type"].as_str().unwrap_or_default().to_owned();
    if !KNOWN.contains(&kind.as_str()) {
        bail!(
            "`builtin_tools` has a tool of type `{kind}`; known are {}",
            KNOWN.join(", ")
        );
    }
    if kind == "file_search" {
        let stores = tool["vector_store_ids"].as_array();
        ensure!(
            stores.is_some_and(|stores| !stores.is_empty()),
            "`file_search` needs the stores to search: \
             {{ type = \"file_search\", vector_store_ids = [\"vs_…\"] }}"
        );
    }
    if kind == "code_interpreter" && tool["container"].is_null() {
        tool["container"] = json!({ "type": "auto" });
    }
    Ok(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tools(table: &str) -> Result<Vec<Value>, String> {
        let table = format!("id = \"a\"\n{table}");
        let raw = toml::from_str(&table).map_err(|error| error.to_string())?;
        builtin_tools(&raw).map_err(|error| error.to_string())
    }

    #[test]
    fn tools_are_names_or_tables_that_are_passed_on() {
        let list = r#"builtin_tools = ["web_search", "code_interpreter",
            { type = "file_search", vector_store_ids = ["vs_1"], max_num_results = 3 },
            { type = "code_interpreter", container = { type = "auto", file_ids = ["file-1"] } }]"#;
        assert_eq!(
            tools(list).unwrap(),
            [
                json!({ "type": "web_search" }),
                json!({ "type": "code_interpreter", "container": { "type": "auto" } }),
                json!({ "type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 3 }),
                json!({ "type": "code_interpreter", "container": { "type": "auto", "file_ids": ["file-1"] } }),
            ]
        );
        assert!(tools("").unwrap().is_empty());
    }

    #[test]
    fn what_cannot_work_is_refused_in_words() {
        for (list, words) in [
            (r#"builtin_tools = ["mcp"]"#, "known are web_search"),
            (r#"builtin_tools = ["file_search"]"#, "vector_store_ids"),
            (
                r#"builtin_tools = [{ type = "file_search", vector_store_ids = [] }]"#,
                "vector_store_ids",
            ),
            ("builtin_tools = [7]", "expected a name such as"),
            (
                "kind = \"chat-completions\"\nbuiltin_tools = [\"web_search\"]",
                "Responses API",
            ),
        ] {
            let said = tools(list).unwrap_err();
            assert!(said.contains(words), "{list}: {said}");
        }
    }
}
