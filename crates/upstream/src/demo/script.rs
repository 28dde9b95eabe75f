//! What the demo assistant says to what.

use std::fmt::Write as _;

use engine::ports::{
    AS_DATA, FileContent, ModelError, ModelEvent, ModelFile, ModelInput, ModelRequest, ToolCall,
    UserInput,
};

use super::{
    Step,
    phrase::{self, Understood},
};

const INTRODUCTION: &str = "I am Vestibule's built-in **demo assistant**: a script, not a language \
    model. I need no API key and nothing you write leaves this server.\n\n";

const HELP: &str = "Write one of these words, and I show you what it looks like:\n\n\
    | word | shows |\n|---|---|\n\
    | `markdown` | headings, lists, quotes, links |\n\
    | `code` | a code block |\n\
    | `table` | a table |\n\
    | `long` | a long answer; good for trying Stop |\n\
    | `slow` | thinking before the answer |\n\
    | `sources` | an answer that cites a page |\n\
    | `error` | an answer that breaks off |\n\
    | `refuse` | an answer that is declined |\n\
    | `tools` | what I can do for you here |\n\n\
    With tools, plain words will do: *add a task: buy milk*, *list my tasks*, \
    *complete task 2*, *delete task 1*. And any tool takes *use* with its name and JSON: \
    `use add_task {\"title\": \"buy milk\"}`.\n\n\
    To talk to a real model, set `OPENAI_API_KEY` or configure a workflow.";

const MARKDOWN: &str = "# A heading\n\n\
    Text can be **strong**, *emphasised*, ~~struck out~~ or `code`, and it can \
    [link](https://commonmark.org/help/).\n\n\
    ## A list\n\n1. First\n2. Second\n   - with a point\n   - and another\n\n\
    > A quote,\n> on two lines.\n\n- [x] done\n- [ ] to do\n\n---\n\nThat is the end of it.";

const CODE: &str = "A function in Rust:\n\n```rust\n/// The greatest common divisor (Euclid).\n\
    fn gcd(a: u64, b: u64) -> u64 {\n    if b == 0 { a } else { gcd(b, a % b) }\n}\n\n\
    assert_eq!(gcd(48, 36), 12);\n```\n\nAnd a command:\n\n```sh\nvestibule domain add \
    https://app.example.com --env live\n```";

const TABLE: &str = "| door | who comes in |\n|:--|:--|\n\
    | 1, client secret | people of an app with a login |\n\
    | 2, public token | anybody |\n\
    | 3, custom endpoint | people with a token of your issuer |";

const PARAGRAPH: &str = "A vestibule is the room between the street and the house. Whoever comes in \
    is greeted there, says who they are, and is shown to the right door. Nobody lives in it, and \
    yet a house without one is draughty. ";

/// Longer texts are something to talk about, not a wish for one of the topics.
const MOST_WORDS_OF_A_WISH: usize = 6;

/// The whole answer to a request, step by step, with its end.
pub(super) fn answer(request: &ModelRequest) -> Vec<Step> {
    let mut script = Script::default();
    if request.instructions.starts_with("Write a title") {
        // The one instruction that a script can follow.
        script.say(&title(&last_message(request).0.text));
    } else {
        conversation(request, &mut script);
    }
    script.finish()
}

fn conversation(request: &ModelRequest, script: &mut Script) {
    let (UserInput { text, files }, since) = last_message(request);
    let results = tool_results(since);
    if !results.is_empty() {
        return script.say(&results);
    }
    let is_first = !request
        .input
        .iter()
        .any(|input| matches!(input, ModelInput::Assistant(_)));
    if is_first {
        script.say(INTRODUCTION);
    }
    if !files.is_empty() {
        script.say(&received(files));
        if text.is_empty() {
            return;
        }
    }
    let calls_before = request
        .input
        .iter()
        .filter(|input| matches!(input, ModelInput::ToolCall(_)))
        .count();
    let understood = phrase::understand(text, &request.tools, request.tool_choice.as_deref());
    if !understood.is_empty() {
        for (number, understood) in understood.into_iter().enumerate() {
            match understood {
                Understood::Call { name, arguments } => script.call(ToolCall {
                    call_id: format!("demo_call_{}", calls_before + number + 1),
                    name,
                    arguments,
                }),
                Understood::Unclear(explanation) => script.say(&explanation),
            }
        }
        return;
    }
    show(text, request, script);
}

/// Answers without tools.
fn show(text: &str, request: &ModelRequest, script: &mut Script) {
    match topic(&text.to_lowercase()) {
        "help" | "hilfe" => script.say(HELP),
        "markdown" => script.say(MARKDOWN),
        "code" => script.say(CODE),
        "table" => script.say(TABLE),
        "long" => {
            for number in 1..=40 {
                script.say(&format!("**{number}.** {PARAGRAPH}\n\n"));
            }
        }
        "slow" | "think" => {
            for thought in [
                "Reading the question. ",
                "Weighing two answers. ",
                "Choosing one.",
            ] {
                script.think(thought);
                script.wait(80);
            }
            script.say("That took a moment; the wait was shown while it lasted.");
        }
        "sources" | "source" => {
            script.say("CommonMark is a strict definition of Markdown.");
            script.steps.push(Step::Tell(ModelEvent::UrlCitation {
                url: "https://spec.commonmark.org/".to_owned(),
                title: "CommonMark Spec".to_owned(),
                index: None,
            }));
        }
        "error" => {
            script.say("This answer breaks off in the middle of");
            script.fail(ModelError::Unavailable(
                "the demo assistant was asked for an error".into(),
            ));
        }
        "refuse" => script.fail(ModelError::Declined(
            "the demo assistant was asked for a refusal".into(),
        )),
        "tools" => script.say(&tools(request)),
        _ => {
            script.say("You wrote:\n\n");
            for line in text.lines() {
                script.say(&format!("> {line}\n"));
            }
            script.say("\nI only follow a script. Write `help` to see what I can show you.");
        }
    }
}

/// The first word that the script knows, in a wish of a few words: "show me a table, please".
fn topic(wish: &str) -> &str {
    const TOPICS: &[&str] = &[
        "help", "hilfe", "markdown", "code", "table", "long", "slow", "think", "sources", "source",
        "error", "refuse", "tools",
    ];
    let words = || wish.split(|character: char| !character.is_alphanumeric());
    if words().filter(|word| !word.is_empty()).count() > MOST_WORDS_OF_A_WISH {
        return "";
    }
    if wish.starts_with("what can you") {
        return "help";
    }
    words().find(|word| TOPICS.contains(word)).unwrap_or("")
}

fn tools(request: &ModelRequest) -> String {
    if request.tools.is_empty() {
        return "There are no tools in this conversation. Configure an MCP server, and its tools \
                appear here."
            .to_owned();
    }
    let mut text = "I can use these tools for you:\n\n".to_owned();
    for tool in &request.tools {
        let summary = tool.description.lines().next().unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- `{}`: {summary}", tool.name);
    }
    text
}

/// What came with a message, as far as a script can tell.
fn received(files: &[ModelFile]) -> String {
    let mut text = "I got:\n\n".to_owned();
    for ModelFile {
        name,
        media_type,
        size,
        content,
        ..
    } in files
    {
        // A name is somebody's text: nothing in it is Markdown.
        let name = name.replace('`', "'");
        let size = size.map_or_else(|| "size unknown".to_owned(), |size| format!("{size} bytes"));
        let content = match content {
            Some(FileContent::Text(text)) => match text.lines().count() {
                1 => "1 line of text".to_owned(),
                lines => format!("{lines} lines of text"),
            },
            Some(FileContent::Image(_)) => "an image".to_owned(),
            Some(FileContent::Pdf(_)) => "a document".to_owned(),
            Some(FileContent::Audio(_)) => "a sound".to_owned(),
            None => "by its name only".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "- `{name}` ({media_type}, {size}): {content}");
    }
    text.push('\n');
    text
}

/// The last thing the person wrote, and what has happened since.
fn last_message(request: &ModelRequest) -> (&UserInput, &[ModelInput]) {
    static NOTHING: UserInput = UserInput {
        text: String::new(),
        files: Vec::new(),
    };
    let said = request
        .input
        .iter()
        .enumerate()
        .rev()
        .find_map(|(index, input)| match input {
            ModelInput::User(said) => Some((index, said)),
            _ => None,
        });
    match said {
        Some((index, said)) => (said, request.input.get(index + 1..).unwrap_or_default()),
        None => (&NOTHING, &request.input),
    }
}

/// What the tools gave back, in words; empty if none were asked.
fn tool_results(since: &[ModelInput]) -> String {
    let mut text = String::new();
    for input in since {
        let ModelInput::ToolOutput {
            call_id, output, ..
        } = input
        else {
            continue;
        };
        let tool = since.iter().find_map(|input| match input {
            ModelInput::ToolCall(call) if call.call_id == *call_id => Some(call.name.as_str()),
            _ => None,
        });
        // People read the words.
        let words = output.split(AS_DATA).next().unwrap_or_default();
        let output = words.trim();
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        match output.chars().next() {
            None => text.push_str("The tool said nothing."),
            Some('{' | '[') => {
                let _ = write!(text, "```json\n{output}\n```");
            }
            Some(_) => text.push_str(output),
        }
        let _ = write!(text, "\n\n*from the tool* `{}`", tool.unwrap_or("?"));
    }
    text
}

/// The first words of a message.
fn title(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().take(6).collect();
    let mut title = words.join(" ");
    if let Some(first) = title.chars().next() {
        let rest = title.split_off(first.len_utf8());
        title = first.to_uppercase().chain(rest.chars()).collect();
    }
    title
}

/// Collects the steps of an answer.
#[derive(Debug, Default)]
struct Script {
    steps: Vec<Step>,
    has_failed: bool,
}

impl Script {
    /// Says a text word by word, as a model would.
    fn say(&mut self, text: &str) {
        let words = text.split_inclusive([' ', '\n']);
        self.steps
            .extend(words.map(|word| Step::Tell(ModelEvent::TextDelta(word.to_owned()))));
    }

    fn think(&mut self, text: &str) {
        self.steps
            .push(Step::Tell(ModelEvent::ReasoningDelta(text.to_owned())));
    }

    fn wait(&mut self, words: u32) {
        self.steps.push(Step::Wait(words));
    }

    fn call(&mut self, call: ToolCall) {
        self.steps.push(Step::Tell(ModelEvent::ToolCall(call)));
    }

    fn fail(&mut self, error: ModelError) {
        self.has_failed = true;
        self.steps.push(Step::Fail(error));
    }

    fn finish(mut self) -> Vec<Step> {
        if !self.has_failed {
            self.steps.push(Step::Tell(ModelEvent::Completed {
                is_truncated: false,
                usage: None,
            }));
        }
        self.steps
    }
}
