//! What both APIs need done to a conversation before it is sent.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet, VecDeque},
    sync::LazyLock,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use engine::ports::{
    FileContent, ModelFile, ModelInput, ModelRequest, Parameters, ToolFile, UserInput,
};
use serde_json::json;

use super::{
    Mark, call, opaque_user,
    refused::{CALLS, DESCRIPTIONS, IDS, Kind, OUTPUT_LISTS, Refused, SCHEMAS, TOOLS},
};

/// What stands beside files that tools gave back, where a tool's result takes none.
const OF_TOOLS: &str =
    "[The files above came with the results of the tools, in their order, not from the user.]";
/// What stands before a result where the server takes none.
const IN_WORDS: &str = "[The tool answered; this does not come from the user:]";
/// What stands beside a picture that the model has drawn.
const OF_YOURS: &str = "[You have drawn the image above; it does not come from the user.]";
/// What stands for one where the model takes no images.
const DRAWN: &str = "[an image that you made]";
/// What stands behind a result whose files the model does not take.
const NOT_SHOWN: &str = "[Not all files of this result can be shown to you.]";

/// One entry of the conversation in the words that both APIs share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Message {
        /// `user` or `assistant`; instructions travel apart.
        role: &'static str,
        text: Cow<'a, str>,
        /// A user's only: what stands before the text.
        files: Vec<Part<'a>>,
    },
    /// See [`engine::ports::Thought`].
    Thought(Cow<'a, str>),
    Call {
        call_id: Cow<'a, str>,
        /// The id that the model gave it.
        given_id: &'a str,
        name: Cow<'a, str>,
        arguments: Cow<'a, str>,
    },
    Output {
        call_id: Cow<'a, str>,
        output: Cow<'a, str>,
        /// Where an API takes them there.
        files: Vec<Part<'a>>,
    },
}

/// What an API takes in the result of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Results {
    /// Text alone; a message behind the results shows their files.
    Texts,
    /// Text, images and documents. The API knows no sounds.
    Lists,
}

/// The conversation as it may be sent: with the user's language in front, and without tool calls
/// that have no output and outputs that have no call. Providers refuse a whole conversation for
/// one of those, and a turn that was cut short can leave one. Names and arguments are told as every provider takes them,
/// whatever a model wrote: what is refused once is refused with every question that follows. Calls whose id another one had
/// before get an id of their own: some models count anew in each answer, and others refuse that.
///
/// Only what the application says stands between `mark`s, whatever anybody writes.
pub(super) fn entries<'a>(
    request: &'a ModelRequest,
    results: Results,
    refused: &Refused,
    mark: &Mark,
) -> Vec<Entry<'a>> {
    let message = |role, text| {
        let files = Vec::new();
        Some(Entry::Message { role, text, files })
    };
    let language = request.locale.as_deref().and_then(|locale| {
        let text = format!("The user's language setting: {locale}");
        message("user", mark.context(&text).into())
    });
    let inputs = request
        .input
        .iter()
        .zip(call_ids(&request.input, refused.has(IDS)));
    let has_tools = !request.tools.is_empty() && !refused.has(TOOLS);
    let in_words = refused.has(TOOLS) || (refused.has(CALLS) && !has_tools);
    let entries = inputs.filter_map(move |(input, id)| match input {
        ModelInput::ToolCall(call) if in_words => {
            id?;
            let (name, arguments) = (&call.name, &call.arguments);
            let text = format!("[You have called the tool {name} with {arguments}]");
            message("assistant", mark.foreign(&text).into_owned().into())
        }
        ModelInput::Thought(_) if in_words || !refused.takes_thoughts() => None,
        // Servers refuse a blank message, and it says nothing anyway.
        ModelInput::Assistant(text) if text.trim().is_empty() => None,
        ModelInput::User(said) if said.text.trim().is_empty() && said.files.is_empty() => None,
        ModelInput::User(UserInput { text, files }) => Some(Entry::Message {
            role: "user",
            text: mark.foreign(text),
            files: files.iter().map(|file| part(file, refused, mark)).collect(),
        }),
        ModelInput::Assistant(text) => message("assistant", mark.foreign(text)),
        ModelInput::Drawn(file) => Some(drawn(file, refused, mark)),
        ModelInput::Context(text) => message("user", mark.context(text).into()),
        // The number is digits, so what is JSON stays JSON without it.
        ModelInput::Thought(thought) => Some(Entry::Thought(mark.foreign(&thought.0))),
        ModelInput::ToolCall(call) => Some(Entry::Call {
            call_id: id?,
            given_id: &call.call_id,
            name: call::told_name(&call.name),
            arguments: mark.foreign(call::told_arguments(&call.arguments)),
        }),
        ModelInput::ToolOutput { output, files, .. } => {
            let has_sounds = results == Results::Texts;
            let shown = files
                .iter()
                .filter_map(|file| tool_part(file, refused, mark))
                .filter(|part| has_sounds || !matches!(part, Part::Sound { .. }));
            let shown: Vec<Part<'_>> = shown.collect();
            let mut output = mark.foreign(output);
            if shown.len() < files.len() {
                output = format!("{output}\n{NOT_SHOWN}").into();
            }
            let call_id = id?;
            Some(if in_words {
                Entry::Message {
                    role: "user",
                    text: format!("{IN_WORDS}\n{output}").into(),
                    files: shown,
                }
            } else {
                Entry::Output {
                    call_id,
                    output,
                    files: shown,
                }
            })
        }
    });
    let entries = language.into_iter().chain(entries);
    if results == Results::Lists && !refused.has(OUTPUT_LISTS) {
        return entries.collect();
    }
    beside(entries)
}

/// Puts the files of a round's results into a message behind them.
fn beside<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Vec<Entry<'a>> {
    let mut told = Vec::new();
    let mut shown = Vec::new();
    let show = |shown: &mut Vec<Part<'a>>, told: &mut Vec<Entry<'a>>| {
        if !shown.is_empty() {
            told.push(Entry::Message {
                role: "user",
                text: OF_TOOLS.into(),
                files: std::mem::take(shown),
            });
        }
    };
    for mut entry in entries {
        match &mut entry {
            Entry::Output { files, .. } => shown.append(files),
            _ => show(&mut shown, &mut told),
        }
        told.push(entry);
    }
    show(&mut shown, &mut told);
    told
}

/// For each input, the id of the call that it is or answers, each for one call only; none for a call
/// without an output and an output without a call. Outputs follow the calls of their round, in their order
/// where an id stands there twice.
///
/// An id goes back as it came: one proxy keeps Gemini's signature in it, and Kimi's template says it in place of the name.
/// Where a server has refused the shape of one, which another provider gave, all are ours (`are_ours`): nine letters and
/// digits, as Mistral wants them.
fn call_ids(input: &[ModelInput], are_ours: bool) -> Vec<Option<Cow<'_, str>>> {
    let mut given = HashSet::new();
    // By id, where the calls are that have no output yet.
    let mut open: HashMap<&str, VecDeque<usize>> = HashMap::new();
    let mut has_outputs = false;
    let mut pairs = Vec::new();
    for (place, input) in input.iter().enumerate() {
        match input {
            ModelInput::ToolCall(call) => {
                if std::mem::take(&mut has_outputs) {
                    open.clear();
                }
                given.insert(call.call_id.as_str());
                open.entry(&call.call_id).or_default().push_back(place);
            }
            ModelInput::ToolOutput { call_id, .. } => {
                has_outputs = true;
                let call = open.get_mut(call_id.as_str());
                if let Some(call) = call.and_then(VecDeque::pop_front) {
                    pairs.push((call, place, call_id.as_str()));
                }
            }
            ModelInput::User(_) => open.clear(),
            ModelInput::Assistant(_)
            | ModelInput::Drawn(_)
            | ModelInput::Context(_)
            | ModelInput::Thought(_) => {}
        }
    }
    pairs.sort_unstable();
    let mut ids = vec![None; input.len()];
    let mut taken = HashSet::new();
    let mut made = 0;
    for (number, (call, output, id)) in (1..).zip(pairs) {
        let mut own = Cow::Borrowed(id);
        if are_ours {
            own = format!("call{number:05}").into();
        } else if !taken.insert(id) {
            while given.contains(&*own) {
                made += 1;
                own = format!("call_{made}").into();
            }
        }
        for place in [call, output] {
            if let Some(slot) = ids.get_mut(place) {
                *slot = Some(own.clone());
            }
        }
    }
    ids
}

/// A part of a user's message that has files, or of a tool's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(Cow<'a, str>),
    Image {
        /// The bytes, as a `data:` address.
        url: String,
    },
    Document {
        name: Cow<'a, str>,
        /// The bytes, as a `data:` address.
        url: String,
    },
    Sound {
        /// The bytes, in Base64.
        data: String,
        /// `wav` or `mp3`.
        format: &'static str,
    },
}

/// A user's message in parts: the files, then what is said about them.
pub(super) fn parts<'a>(text: Cow<'a, str>, files: Vec<Part<'a>>) -> Vec<Part<'a>> {
    let mut parts = files;
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

/// A picture of the model's own. Neither API takes one in what the assistant said, so it stands in a user's message.
fn drawn<'a>(file: &'a ModelFile, refused: &Refused, mark: &Mark) -> Entry<'a> {
    let shown = match part(file, refused, mark) {
        shown @ Part::Image { .. } => Some(shown),
        _ => None,
    };
    let (role, text) = match &shown {
        Some(_) => ("user", OF_YOURS),
        None => ("assistant", DRAWN),
    };
    Entry::Message {
        role,
        text: text.into(),
        files: shown.into_iter().collect(),
    }
}

/// What models take differs; all take text, and images and PDF are what our two APIs take besides.
fn part<'a>(file: &'a ModelFile, refused: &Refused, mark: &Mark) -> Part<'a> {
    let ModelFile {
        name, media_type, ..
    } = file;
    let name = mark.foreign(name);
    // A name must not end the tag that it stands in.
    let tag_name = name.replace(['"', '<', '>', '&'], "_");
    match &file.content {
        Some(FileContent::Image(bytes)) if refused.takes(Kind::Image) => Part::Image {
            url: data_url(media_type, bytes),
        },
        Some(FileContent::Pdf(bytes)) if refused.takes(Kind::Document) => Part::Document {
            name,
            url: data_url(media_type, bytes),
        },
        Some(FileContent::Text(text)) => Part::Text(
            format!(
                "<file name=\"{tag_name}\" type=\"{media_type}\">\n{}\n</file>",
                mark.foreign(text)
            )
            .into(),
        ),
        // People's sounds are told by their names.
        Some(FileContent::Image(_) | FileContent::Pdf(_) | FileContent::Audio(_)) | None => {
            Part::Text(
                format!("<file name=\"{tag_name}\" type=\"{media_type}\">(not shown)</file>")
                    .into(),
            )
        }
    }
}

/// A file that a tool gave back; nothing, where the model does not take it.
fn tool_part<'a>(file: &'a ToolFile, refused: &Refused, mark: &Mark) -> Option<Part<'a>> {
    let ToolFile {
        name, media_type, ..
    } = file;
    let (kind, part) = match &file.content {
        FileContent::Image(bytes) => {
            let url = data_url(media_type, bytes);
            (Kind::Image, Part::Image { url })
        }
        FileContent::Pdf(bytes) => {
            let url = data_url(media_type, bytes);
            let name = mark.foreign(name);
            (Kind::Document, Part::Document { name, url })
        }
        FileContent::Audio(bytes) => {
            let data = STANDARD.encode(bytes);
            let format = match media_type.as_str() {
                "audio/mpeg" => "mp3",
                _ => "wav",
            };
            (Kind::Sound, Part::Sound { data, format })
        }
        FileContent::Text(text) => return Some(Part::Text(mark.foreign(text))),
    };
    refused.takes(kind).then_some(part)
}

fn data_url(media_type: &str, bytes: &[u8]) -> String {
    let mut url = format!("data:{media_type};base64,");
    STANDARD.encode_string(bytes, &mut url);
    url
}

/// The opaque name of the person for the parameter of this name; empty where it is refused.
pub(super) fn end_user(request: &ModelRequest, refused: &Refused, name: &str) -> String {
    if refused.has(name) {
        return String::new();
    }
    opaque_user(&request.end_user)
}

/// A tool as it is offered.
pub(super) struct Offered<'a> {
    pub(super) name: &'a str,
    pub(super) description: Cow<'a, str>,
    pub(super) parameters: &'a Parameters,
}

/// The longest description that the strictest servers take (Azure), in characters.
const MAX_DESCRIPTION: usize = 1024;

fn shortened(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.chars().nth(MAX_DESCRIPTION).is_none() {
        return text;
    }
    let start: String = text.chars().take(MAX_DESCRIPTION - 1).collect();
    format!("{start}…").into()
}

/// The schema of any object, said twice: a grammar of one that has no properties would allow none.
static ANY: LazyLock<Parameters> =
    LazyLock::new(|| json!({ "type": "object", "additionalProperties": true }).into());

/// The tools that are offered. Where schemas are refused, they are told in words.
pub(super) fn offered<'a>(
    request: &'a ModelRequest,
    refused: &Refused,
) -> impl Iterator<Item = Offered<'a>> {
    let tools = request.tools.iter();
    tools
        .filter(|tool| !refused.has(TOOLS) && !refused.has_tool(tool))
        .map(|tool| {
            let description = tool.description.trim();
            let (description, parameters) = if refused.has(SCHEMAS) {
                let schema = tool.parameters.text();
                let told = format!("{description}\n\nIts arguments, as a JSON Schema: {schema}");
                (told.trim_start().to_owned().into(), &*ANY)
            } else {
                (description.into(), &tool.parameters)
            };
            Offered {
                name: &tool.name,
                description: if refused.has(DESCRIPTIONS) {
                    shortened(description)
                } else {
                    description
                },
                parameters,
            }
        })
}

/// The tool that has to be used, where it is still offered.
pub(super) fn tool_choice<'a>(request: &'a ModelRequest, refused: &Refused) -> Option<&'a str> {
    let is_refused = |name: &str| {
        request
            .tools
            .iter()
            .any(|tool| tool.name == name && refused.has_tool(tool))
    };
    let chosen = request
        .tool_choice
        .as_deref()
        .filter(|_| !refused.has("tool_choice") && !refused.has(TOOLS));
    chosen.filter(|name| !is_refused(name))
}
