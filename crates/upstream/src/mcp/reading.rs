//! Results that are not as the protocol has them, read block by block.
//!
//! What is text in any way is text, what is other JSON is told as data, and only a block in which there is nothing to
//! read is left out, with a word about it: one block that is not as it should be does not make the others unreadable.

use rmcp::model::{CallToolResult, ContentBlock};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::result::OTHER_CONTENT;

/// How deep a result may lie inside another.
const MAX_DEPTH: usize = 3;
/// What a file is called whose server does not say.
const NAMELESS: &str = "a file without a name";

/// The result of a call; nothing, where it says itself that it is no result but a further question, or something that
/// runs on.
pub(super) fn read(result: Value) -> Option<CallToolResult> {
    match result.get("resultType") {
        None | Some(Value::Null) => {}
        Some(kind) if kind == "complete" => {}
        Some(_) => return None,
    }
    Some(whole(result, 0))
}

fn whole(result: Value, depth: usize) -> CallToolResult {
    let mut fields = match result {
        Value::Null => return holding(Vec::new()),
        Value::String(text) => return holding(vec![ContentBlock::text(text)]),
        Value::Array(entries) if entries.iter().any(is_block) => return holding(blocks(entries)),
        Value::Object(fields) => fields,
        data => return with_data(holding(Vec::new()), data),
    };
    let is_result = ["content", "structuredContent", "isError"]
        .into_iter()
        .any(|field| fields.get(field).is_some_and(|value| !value.is_null()));
    if !is_result {
        // The form of the first revision, before there were blocks.
        if let Some(result) = fields.remove("toolResult")
            && depth < MAX_DEPTH
        {
            return whole(result, depth + 1);
        }
        // It is not wrapped at all.
        for field in [
            "content",
            "structuredContent",
            "isError",
            "resultType",
            "_meta",
        ] {
            fields.remove(field);
        }
        let result = holding(Vec::new());
        return if fields.is_empty() {
            result
        } else {
            with_data(result, Value::Object(fields))
        };
    }
    let content = match fields.remove("content") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(entries)) => blocks(entries),
        Some(entry) => blocks(vec![entry]),
    };
    let mut result = holding(content);
    result.is_error = Some(fields.get("isError").is_some_and(is_true));
    match fields.remove("structuredContent") {
        Some(data) => with_data(result, data),
        None => result,
    }
}

fn holding(content: Vec<ContentBlock>) -> CallToolResult {
    CallToolResult::success(content)
}

fn with_data(mut result: CallToolResult, data: Value) -> CallToolResult {
    result.structured_content = Some(data);
    result
}

/// Whether an entry of a list is a part of an answer, and not of some data.
fn is_block(entry: &Value) -> bool {
    entry["type"].is_string() || entry["text"].is_string()
}

/// Whether a flag is set, also one that is written as a text or a number.
fn is_true(flag: &Value) -> bool {
    match flag {
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => matches!(
            text.trim().to_ascii_lowercase().as_str(),
            "true" | "yes" | "1"
        ),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn blocks(entries: Vec<Value>) -> Vec<ContentBlock> {
    entries.into_iter().filter_map(block).collect()
}

/// A block, whatever it is; nothing where nothing is said.
fn block(entry: Value) -> Option<ContentBlock> {
    let mut fields = match entry {
        Value::Object(fields) => fields,
        other => return words(other).map(ContentBlock::text),
    };
    // Whom a block is for, and how much it matters, is not used here.
    fields.remove("annotations");
    fields.remove("_meta");
    let entry = Value::Object(fields);
    if let Ok(block) = ContentBlock::deserialize(&entry) {
        return Some(block);
    }
    let Value::Object(mut fields) = entry else {
        return None;
    };
    let kind = fields
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mended = match kind {
        "image" | "audio" => file(&fields),
        // As those say it who pass on what they would tell a model.
        "image_url" => address(&fields),
        "resource" => resource(&fields),
        "resource_link" => link(&fields),
        // A text, also one of a kind that the protocol does not have.
        _ if fields.contains_key("text") => {
            return words(fields.remove("text")?).map(ContentBlock::text);
        }
        _ => return words(Value::Object(fields)).map(ContentBlock::text),
    };
    let mended = mended.and_then(|block| serde_json::from_value(block).ok());
    Some(mended.unwrap_or_else(|| ContentBlock::text(OTHER_CONTENT)))
}

/// A text as it is, and other JSON as JSON.
fn words(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        data => Some(data.to_string()),
    }
}

/// The text of a field, under the first of its names that has one.
fn text<'a>(fields: &'a Map<String, Value>, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| fields.get(*name)?.as_str())
}

/// An image or a sound. What it is, its bytes say.
fn file(fields: &Map<String, Value>) -> Option<Value> {
    let kind = fields.get("type")?;
    let fields = match fields.get("source") {
        Some(Value::Object(source)) => source,
        _ => fields,
    };
    Some(json!({
        "type": kind,
        "data": text(fields, &["data"])?,
        "mimeType": text(fields, &["mimeType", "mime_type", "media_type"]).unwrap_or_default(),
    }))
}

/// An image whose bytes are in its address.
fn address(fields: &Map<String, Value>) -> Option<Value> {
    let url = match fields.get("image_url")? {
        Value::Object(inner) => text(inner, &["url"])?,
        url => url.as_str()?,
    };
    let Some(inner) = url.strip_prefix("data:") else {
        return Some(json!({ "type": "resource_link", "uri": url, "name": url }));
    };
    let media_type = inner.split([';', ',']).next().unwrap_or_default();
    Some(json!({ "type": "image", "data": url, "mimeType": media_type }))
}

/// A file that is in the answer.
fn resource(fields: &Map<String, Value>) -> Option<Value> {
    let Value::Object(inner) = fields.get("resource").unwrap_or(&Value::Null) else {
        return None;
    };
    let mut resource = json!({ "uri": text(inner, &["uri", "name"]).unwrap_or(NAMELESS) });
    if let Some(media_type) = text(inner, &["mimeType", "mime_type"]) {
        resource["mimeType"] = json!(media_type);
    }
    if let Some(blob) = text(inner, &["blob"]) {
        resource["blob"] = json!(blob);
    } else {
        let text = inner.get("text").cloned().and_then(words)?;
        resource["text"] = json!(text);
    }
    Some(json!({ "type": "resource", "resource": resource }))
}

/// A file that is elsewhere.
fn link(fields: &Map<String, Value>) -> Option<Value> {
    let uri = text(fields, &["uri", "url"])?;
    let name = text(fields, &["name"]).unwrap_or(uri);
    let mut link = json!({ "type": "resource_link", "uri": uri, "name": name });
    for field in ["title", "description", "mimeType"] {
        if let Some(text) = text(fields, &[field]) {
            link[field] = json!(text);
        }
    }
    if let Some(size) = fields.get("size").and_then(Value::as_u64) {
        link["size"] = json!(size);
    }
    Some(link)
}

#[cfg(test)]
mod tests;
