//! The demo assistant, asked as a person asks.

use engine::ports::{FileContent, ModelFile, ModelInput, ToolCall, ToolSpec, UserInput};
use futures::StreamExt;
use serde_json::json;

use super::*;
use engine::ports::AS_DATA;

fn task_tools() -> Vec<ToolSpec> {
    let id = json!({"type": "object", "properties": {"task_id": {"type": "integer"}}, "required": ["task_id"]});
    [
        (
            "add_task",
            json!({"type": "object", "properties": {"description": {"type": "string"}, "title": {"type": "string"}}, "required": ["title"]}),
        ),
        (
            "list_tasks",
            json!({"type": "object", "properties": {"status": {"type": "string", "enum": ["all", "open"]}}}),
        ),
        ("complete_task", id.clone()),
        (
            "update_task",
            json!({"type": "object", "properties": {
                "description": {"type": ["string", "null"]}, "task_id": {"type": "integer"}, "title": {"type": ["string", "null"]}
            }, "required": ["task_id"]}),
        ),
        ("todo_deleteTask", id),
    ]
    .into_iter()
    .map(|(name, parameters)| ToolSpec {
        name: name.to_owned(),
        description: format!("The tool {name}."),
        parameters: parameters.into(),
    })
    .collect()
}

fn request(input: Vec<ModelInput>, tools: Vec<ToolSpec>) -> ModelRequest {
    ModelRequest {
        model: "demo".to_owned(),
        instructions: String::new(),
        input,
        tools,
        tool_choice: None,
        max_output_tokens: None,
        locale: None,
        end_user: String::new(),
        may_use_builtins: true,
    }
}

/// All text, and a line for everything else.
async fn told(request: ModelRequest) -> String {
    let events = Demo::new(Duration::ZERO).respond(request).await.unwrap();
    let lines = events.map(|event| match event {
        Ok(ModelEvent::TextDelta(text)) => text,
        Ok(ModelEvent::ReasoningDelta(text)) => format!("[thinks: {text}]\n"),
        Ok(ModelEvent::ToolCall(call)) => {
            format!("[{}] {} {}\n", call.call_id, call.name, call.arguments)
        }
        Ok(ModelEvent::Thought(_) | ModelEvent::ThoughtEnd(_)) => String::new(),
        Ok(ModelEvent::UrlCitation { url, .. }) => format!("[{url}]\n"),
        Ok(ModelEvent::FileCitation { name, .. }) => format!("[{name}]\n"),
        Ok(ModelEvent::Builtin(event)) => format!("[{event:?}]\n"),
        Ok(ModelEvent::Completed { .. }) => "[end]".to_owned(),
        Err(error) => format!("[{error}]"),
    });
    lines.collect::<Vec<_>>().await.concat()
}

/// The answer to a message in the middle of a conversation.
async fn later(text: &str, tools: Vec<ToolSpec>) -> String {
    let input = vec![
        ModelInput::Assistant("Hello.".to_owned()),
        ModelInput::User(text.into()),
    ];
    told(request(input, tools)).await
}

#[tokio::test]
async fn the_first_answer_says_what_it_is() {
    let first = told(request(vec![ModelInput::User("hi".into())], Vec::new())).await;
    assert!(first.contains("a script, not a language model"), "{first}");
    assert!(!later("hi", Vec::new()).await.contains("language model"));
}

#[tokio::test]
async fn files_are_told_by_name_type_and_size() {
    let file = |name: &str, size, content| ModelFile {
        id: protocol::AttachmentId::mint(1),
        name: name.to_owned(),
        media_type: "text/csv".to_owned(),
        size,
        content,
    };
    let said = UserInput {
        text: "table".to_owned(),
        files: vec![
            file(
                "a`b.csv",
                Some(7),
                Some(FileContent::Text("a,b\n1,2".to_owned())),
            ),
            file(
                "one.txt",
                Some(3),
                Some(FileContent::Text("one".to_owned())),
            ),
            file("gone.csv", None, None),
        ],
    };
    let told = told(request(vec![ModelInput::User(said)], Vec::new())).await;
    for part in [
        "- `a'b.csv` (text/csv, 7 bytes): 2 lines of text\n",
        "- `one.txt` (text/csv, 3 bytes): 1 line of text\n",
        "- `gone.csv` (text/csv, size unknown): by its name only\n",
        "| door |",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test]
async fn help_lists_words_and_each_of_them_shows_something() {
    let help = later("Help!", Vec::new()).await;
    for word in [
        "markdown", "code", "table", "long", "slow", "sources", "error", "refuse", "tools",
    ] {
        assert!(help.contains(&format!("| `{word}` |")), "{word}");
        let shown = later(word, Vec::new()).await;
        assert!(!shown.contains("I only follow a script"), "{word}: {shown}");
    }
    assert!(
        later("error", Vec::new())
            .await
            .ends_with("[the model is unavailable]")
    );
    assert_eq!(
        later("refuse", Vec::new()).await,
        "[the model declined to answer]"
    );
    assert!(later("slow", Vec::new()).await.starts_with("[thinks: "));
    assert!(later("sources", Vec::new()).await.contains("[https://"));
}

#[tokio::test]
async fn plain_words_become_tool_calls() {
    for (text, call) in [
        ("add a task: buy milk", r#"add_task {"title":"buy milk"}"#),
        (
            "Please add a task to buy milk",
            r#"add_task {"title":"buy milk"}"#,
        ),
        (
            "new task: call Ada: 5 pm",
            r#"add_task {"title":"call Ada: 5 pm"}"#,
        ),
        ("add task: 2 loaves", r#"add_task {"title":"2 loaves"}"#),
        ("list my tasks", "list_tasks {}"),
        ("What are my tasks?", "list_tasks {}"),
        ("complete task: 2", r#"complete_task {"task_id":2}"#),
        ("complete task 2", r#"complete_task {"task_id":2}"#),
        (
            "rename task 2: buy bread",
            r#"update_task {"task_id":2,"title":"buy bread"}"#,
        ),
        ("Delete task #1.", r#"todo_deleteTask {"task_id":1}"#),
        (
            r#"use list_tasks {"status":"open"}"#,
            r#"list_tasks {"status":"open"}"#,
        ),
    ] {
        let told = later(text, task_tools()).await;
        assert_eq!(told, format!("[demo_call_1] {call}\n[end]"), "{text}");
    }
}

#[tokio::test]
async fn two_commands_become_two_calls() {
    assert_eq!(
        later("add a task: milk; list tasks", task_tools()).await,
        "[demo_call_1] add_task {\"title\":\"milk\"}\n[demo_call_2] list_tasks {}\n[end]"
    );
}

#[tokio::test]
async fn what_is_missing_is_said_and_nothing_is_called() {
    for text in [
        "complete the task",
        "add a task",
        "use add_task milk",
        "use rm_rf {}",
    ] {
        let told = later(text, task_tools()).await;
        assert!(!told.contains("demo_call"), "{text}: {told}");
    }
    // Without tools the same words are only words.
    assert!(
        later("list my tasks", Vec::new())
            .await
            .contains("> list my tasks")
    );
}

#[tokio::test]
async fn the_tool_that_was_picked_is_used() {
    let mut request = request(vec![ModelInput::User("buy milk".into())], task_tools());
    request.tool_choice = Some("add_task".to_owned());
    let told = told(request).await;
    assert!(told.contains(r#"add_task {"title":"buy milk"}"#), "{told}");
}

#[tokio::test]
async fn results_are_told_once_and_no_tool_is_called_again() {
    let input = vec![
        ModelInput::User("add a task: milk".into()),
        ModelInput::ToolCall(ToolCall {
            call_id: "demo_call_1".to_owned(),
            name: "add_task".to_owned(),
            arguments: "{}".to_owned(),
        }),
        ModelInput::ToolOutput {
            call_id: "demo_call_1".to_owned(),
            output: format!("Added task 1: milk\n{AS_DATA}\n{{\"id\":1}}"),
            files: Vec::new(),
        },
    ];
    assert_eq!(
        told(request(input, task_tools())).await,
        "Added task 1: milk\n\n*from the tool* `add_task`[end]"
    );
}

#[tokio::test]
async fn a_title_is_a_title() {
    let mut request = request(
        vec![ModelInput::User("show me how to bake bread at home".into())],
        Vec::new(),
    );
    request.instructions = "Write a title for the conversation".to_owned();
    assert_eq!(told(request).await, "Show me how to bake bread[end]");
}

#[tokio::test(start_paused = true)]
async fn words_come_one_after_another() {
    let start = tokio::time::Instant::now();
    let events = Demo::default()
        .respond(request(vec![ModelInput::User("hi".into())], Vec::new()))
        .await
        .unwrap();
    let count = u32::try_from(events.count().await).unwrap();
    assert_eq!(start.elapsed(), Demo::PAUSE * count);
}

#[tokio::test]
async fn a_wish_of_a_few_words_is_understood_and_a_story_is_not() {
    for (wish, shown) in [
        ("table", "| door |"),
        ("Show me a table, please!", "| door |"),
        ("show me some code", "```rust"),
        ("What can you do?", "Write one of these words"),
        ("what can you show me", "Write one of these words"),
        ("I put the keys on the table in the hall", "You wrote:"),
        ("timetable", "You wrote:"),
    ] {
        let told = told(request(vec![ModelInput::User(wish.into())], Vec::new())).await;
        assert!(told.contains(shown), "{wish}: {told}");
    }
}
