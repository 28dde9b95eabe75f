//! What a tool answered, in words that a model can use, and the files that it can be shown besides.
//!
//! A model that is told nothing of an image or a file makes something up, so each is described: what it is, of which
//! type and size, and where. The words are kept with the conversation, the files are not.

use std::fmt::Write as _;

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use engine::{
    media,
    ports::{AS_DATA, FileContent, ToolFile},
};
use rmcp::model::{CallToolResult, ContentBlock, Resource, ResourceContents};
use serde_json::Value;

/// The longest name, address or description that is told of a file, in characters.
const MAX_WORD_CHARS: usize = 1_000;
/// As many files of one result are shown.
const MAX_FILES: usize = 8;
/// The largest file that is shown, in bytes.
const MAX_FILE_BYTES: u64 = 5 << 20;
/// Servers write Base64 as they like, with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
/// And some with the digits that addresses have.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
/// Stands for content that the protocol did not have when this was written, or in which there is nothing to read.
pub(super) const OTHER_CONTENT: &str = "[content of an unknown kind, which cannot be shown here]";
/// A model that is given an empty text asks again, or takes it for a failure.
const NOTHING: &str = "The tool has done its work and answered nothing.";
/// True also when it is read again in a later turn, without the file.
const SHOWN: &str = "shown to you with this result";
const NOTHING_FAILED: &str = "The tool failed and did not say why.";

/// A result as text of at most `max_bytes` bytes, a note about the rest excepted, with the files that it speaks of.
pub(super) fn told(result: &CallToolResult, max_bytes: usize) -> (String, Vec<ToolFile>) {
    let mut files = Vec::new();
    let blocks = result.content.iter();
    let mut parts: Vec<String> = blocks.map(|part| block(part, &mut files)).collect();
    parts.retain(|part| !part.trim().is_empty());
    // `null` is how many servers write that there is none.
    if let Some(structured) = &result.structured_content
        && !structured.is_null()
        && !says_the_same(&result.content, structured)
    {
        parts.push(if parts.is_empty() {
            structured.to_string()
        } else {
            format!("{AS_DATA}\n{structured}")
        });
    }
    let text = match (parts.is_empty(), result.is_error) {
        (true, Some(true)) => NOTHING_FAILED.to_owned(),
        (true, _) => NOTHING.to_owned(),
        (false, _) => parts.join("\n"),
    };
    (within(text, max_bytes), files)
}

fn block(block: &ContentBlock, files: &mut Vec<ToolFile>) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image)
            if image.data.starts_with("https://") || image.data.starts_with("http://") =>
        {
            format!("[an image, which is at {}]", word(&image.data))
        }
        ContentBlock::Image(image) => {
            let about = about(Some(&image.mime_type), Some(decoded_bytes(&image.data)));
            let verb = if show("image", &image.data, files) {
                SHOWN
            } else {
                "which you cannot see"
            };
            format!("[an image{about}, {verb}]")
        }
        ContentBlock::Audio(audio) => {
            let about = about(Some(&audio.mime_type), Some(decoded_bytes(&audio.data)));
            let verb = if show("sound", &audio.data, files) {
                "played to you with this result"
            } else {
                "which you cannot hear"
            };
            format!("[a sound{about}, {verb}]")
        }
        ContentBlock::ResourceLink(resource) => link(resource),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents {
                uri,
                mime_type,
                text,
                ..
            } => {
                let about = about(mime_type.as_deref(), None);
                format!("[the text of {}{about}:]\n{text}", word(uri))
            }
            ResourceContents::BlobResourceContents {
                uri,
                mime_type,
                blob,
                ..
            } => {
                let about = about(mime_type.as_deref(), Some(decoded_bytes(blob)));
                let name = word(uri);
                if let Some(text) = text_of(mime_type.as_deref(), blob) {
                    return format!("[the text of {name}{about}:]\n{text}");
                }
                let verb = if show(&name, blob, files) {
                    SHOWN
                } else {
                    "which you cannot read"
                };
                format!("[the file {name}{about}, {verb}]")
            }
            _ => OTHER_CONTENT.to_owned(),
        },
        _ => OTHER_CONTENT.to_owned(),
    }
}

/// Puts a file to those that are shown, where models know its kind and there is room for it. What it is, its bytes say:
/// a provider refuses the whole conversation for an image that is none.
fn show(name: &str, base64: &str, files: &mut Vec<ToolFile>) -> bool {
    if files.len() >= MAX_FILES || decoded_bytes(base64) > MAX_FILE_BYTES {
        return false;
    }
    let Some(bytes) = decoded(base64) else {
        return false;
    };
    let Some(media_type) = media::shown(&bytes) else {
        return false;
    };
    let bytes = Bytes::from(bytes);
    let content = match media_type {
        media::PDF => FileContent::Pdf(bytes),
        kind if kind.starts_with("audio/") => FileContent::Audio(bytes),
        _ => FileContent::Image(bytes),
    };
    files.push(ToolFile {
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        content,
    });
    true
}

/// What a file says that came as bytes and is text by its type.
fn text_of(media_type: Option<&str>, base64: &str) -> Option<String> {
    let is_text = media_type.is_some_and(media::is_text);
    if !is_text || decoded_bytes(base64) > MAX_FILE_BYTES {
        return None;
    }
    let text = String::from_utf8(decoded(base64)?).ok()?;
    (!text.contains('\0')).then_some(text)
}

fn decoded(base64: &str) -> Option<Vec<u8>> {
    let base64 = digits(base64);
    let engine = if base64.contains(['-', '_']) {
        &BASE64_URL
    } else {
        &BASE64
    };
    let is_one_line = !base64.bytes().any(|byte| byte.is_ascii_whitespace());
    if is_one_line {
        return engine.decode(base64).ok();
    }
    let digits: String = base64.split_ascii_whitespace().collect();
    engine.decode(digits).ok()
}

/// The Base64 of a text that may be a whole `data:` address.
fn digits(text: &str) -> &str {
    let address = text.trim_start().strip_prefix("data:");
    let digits = address.and_then(|address| address.split_once(";base64,"));
    digits.map_or(text, |(_, digits)| digits)
}

/// A file that the answer only points to.
fn link(link: &Resource) -> String {
    let mut text = "[a link".to_owned();
    // Servers have to name it, and some give the address for a name.
    let names = [link.title.as_deref(), Some(link.name.as_str())];
    let mut names: Vec<String> = names.into_iter().flatten().map(word).collect();
    names.dedup();
    names.retain(|name| !name.is_empty() && *name != word(&link.uri));
    // Writing to a string cannot fail.
    if let Some((first, others)) = names.split_first() {
        let _ = write!(text, " to \"{first}\"");
        for other in others {
            let _ = write!(text, " (named {other})");
        }
    }
    let about = about(link.mime_type.as_deref(), link.size);
    let _ = write!(text, ": {}{about}", word(&link.uri));
    let description = link.description.as_deref().map(word).unwrap_or_default();
    if !description.is_empty() {
        let _ = write!(text, "; {description}");
    }
    text + "]"
}

/// Type and size, as far as they are known.
fn about(media_type: Option<&str>, bytes: Option<u64>) -> String {
    let media_type = media_type.map(word).filter(|kind| !kind.is_empty());
    let bytes = bytes.map(|bytes| format!("{bytes} bytes"));
    let known: Vec<String> = media_type.into_iter().chain(bytes).collect();
    if known.is_empty() {
        return String::new();
    }
    format!(" ({})", known.join(", "))
}

/// How many bytes a Base64 text stands for, line breaks in it left aside.
fn decoded_bytes(base64: &str) -> u64 {
    let marks = digits(base64)
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=');
    marks.count() as u64 * 3 / 4
}

/// Whether the texts of an answer hold its data already, as the protocol asks servers to do for older
/// clients: as JSON, or, where the data is one `result`, as its text or as one text for each entry.
fn says_the_same(content: &[ContentBlock], structured: &Value) -> bool {
    let texts: Vec<&str> = content
        .iter()
        .filter_map(|block| block.as_text().map(|text| text.text.trim()))
        .collect();
    let is = |text: &str, value: &Value| {
        value.as_str().map(str::trim) == Some(text)
            || serde_json::from_str::<Value>(text).is_ok_and(|said| said == *value)
    };
    let wrapped = match structured.as_object() {
        Some(fields) if fields.len() == 1 => fields.get("result"),
        _ => None,
    };
    let are_entries = |value: &Value| {
        value.as_array().is_some_and(|entries| {
            entries.len() == texts.len() && entries.iter().zip(&texts).all(|(a, b)| is(b, a))
        })
    };
    texts
        .iter()
        .any(|text| is(text, structured) || wrapped.is_some_and(|value| is(text, value)))
        || (!texts.is_empty() && wrapped.is_some_and(are_entries))
}

/// Something short of the server's, on one line.
fn word(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    cut(&line, MAX_WORD_CHARS)
}

/// A text of at most this many bytes; says so where something was cut off.
fn within(mut text: String, max_bytes: usize) -> String {
    if text.len() > max_bytes {
        let end = text.floor_char_boundary(max_bytes);
        let left = text.len() - end;
        text.truncate(end);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n[cut off here: {left} more bytes]");
    }
    text
}

/// The first characters of a text, with an ellipsis where that is not all.
pub(super) fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
