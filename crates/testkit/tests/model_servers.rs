//! The model adapters against servers that nobody here wrote: llama.cpp's, and `LiteLLM`'s proxy.
//!
//! `VESTIBULE_MODEL_SERVERS` is the folder of a Python environment with both; `make test` sets it up. Without it these
//! tests say so and pass.
#![cfg(test)]

use std::{net::TcpStream, num::NonZeroU32, path::Path};

use engine::ports::{
    Model, ModelError, ModelEvent, ModelInput, ModelRequest, ToolCall, ToolSpec, Usage,
};
use futures::StreamExt as _;
use serde_json::json;
use testkit::services::ModelServers;
use upstream::{
    ChatCompletions, ProviderConfig, Responses,
    openai::{MarkKey, Retries, responses::ResponsesOptions},
};

/// `None` without the servers.
fn start(with_litellm: bool) -> Option<ModelServers> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the servers live differs by machine"
    )]
    let Ok(folder) = std::env::var("VESTIBULE_MODEL_SERVERS") else {
        eprintln!("SKIPPED: set VESTIBULE_MODEL_SERVERS to what conformance/models/setup makes");
        return None;
    };
    Some(ModelServers::start(Path::new(&folder), with_litellm).unwrap())
}

/// Both ways of asking one server.
fn models(base_url: &str, key: Option<&str>) -> [(&'static str, Box<dyn Model>); 2] {
    let config = ProviderConfig {
        api_key: key.map(Into::into),
        retries: Retries {
            times: 0,
            ..Retries::default()
        },
        ..ProviderConfig::new(base_url.parse().unwrap(), MarkKey::new(&[7; 32]))
    };
    // As the binary asks.
    let options = ResponsesOptions {
        wants_reasoning_summary: true,
        ..ResponsesOptions::default()
    };
    [
        (
            "chat",
            Box::new(ChatCompletions::new(config.clone()).unwrap()),
        ),
        (
            "responses",
            Box::new(Responses::new(config, options).unwrap()),
        ),
    ]
}

fn request(model: &str, text: &str) -> ModelRequest {
    ModelRequest {
        model: model.to_owned(),
        instructions: "Be kind.".to_owned(),
        input: vec![
            ModelInput::Context("Plan: gold.".to_owned()),
            ModelInput::User(text.into()),
        ],
        tools: Vec::new(),
        tool_choice: None,
        max_output_tokens: NonZeroU32::new(100),
        locale: Some("ja".to_owned()),
        end_user: "https://id.example.com ada".to_owned(),
        may_use_builtins: true,
    }
}

/// A tool as an MCP server may have it.
fn light() -> ToolSpec {
    ToolSpec {
        name: "light".to_owned(),
        description: "Switches the light.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "on": { "type": "boolean" } },
            "required": ["on"],
        })
        .into(),
    }
}

/// A whole answer.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    text: String,
    calls: Vec<ToolCall>,
    pieces: usize,
    is_truncated: bool,
    usage: Option<Usage>,
}

async fn ask(model: &dyn Model, request: ModelRequest) -> Result<Answer, ModelError> {
    let mut answer = Answer::default();
    let mut events = model.respond(request).await?;
    while let Some(event) = events.next().await {
        match event? {
            ModelEvent::TextDelta(text) => {
                answer.pieces += 1;
                answer.text.push_str(&text);
            }
            ModelEvent::ToolCall(call) => answer.calls.push(call),
            ModelEvent::Completed {
                is_truncated,
                usage,
            } => {
                answer.is_truncated = is_truncated;
                answer.usage = usage;
                return Ok(answer);
            }
            _ => {}
        }
    }
    Err(ModelError::Malformed("no end".into()))
}

/// An answer, a tool round, and an answer that is cut off.
async fn talks(what: &str, model: &dyn Model, name: &str) {
    let answer = ask(model, request(name, "hi")).await.unwrap();
    assert_eq!(answer.text, ModelServers::ANSWER, "{what}");
    assert!(
        !answer.is_truncated && answer.pieces > 1,
        "{what}: {answer:?}"
    );
    let usage = answer.usage.unwrap_or_default();
    // Sixteen words, and three more tokens for the emoji.
    assert!(
        usage.input_tokens > 20 && (17..25).contains(&usage.output_tokens),
        "{what}: {usage:?}"
    );

    let mut with_tool = request(name, "light, please");
    with_tool.tools.push(light());
    let mut called = ask(model, with_tool.clone()).await.unwrap();
    assert_eq!(
        (called.calls.len(), called.text.as_str()),
        (1, ""),
        "{what}"
    );
    let call = called.calls.remove(0);
    assert_eq!(call.name, "light", "{what}");
    let arguments: serde_json::Value = call.arguments.parse().unwrap();
    assert_eq!(arguments, json!({ "on": true }), "{what}");
    let call_id = call.call_id.clone();
    with_tool.input.push(ModelInput::ToolCall(call));
    let output = "It is on. 明るい".to_owned();
    with_tool.input.push(ModelInput::ToolOutput {
        call_id,
        output,
        files: Vec::new(),
    });
    let answer = ask(model, with_tool).await.unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.calls.len()),
        (ModelServers::ANSWER, 0),
        "{what}"
    );

    let mut short = request(name, "hi");
    short.max_output_tokens = NonZeroU32::new(16);
    let answer = ask(model, short).await.unwrap();
    assert_eq!(answer.text, ModelServers::BEGINNING, "{what}");
    assert!(answer.is_truncated, "{what}");
}

async fn is_too_long(what: &str, model: &dyn Model, name: &str) {
    let much = "a ".repeat(5_000);
    let error = ask(model, request(name, &much)).await.unwrap_err();
    assert!(matches!(error, ModelError::TooLong(_)), "{what}: {error:?}");
}

#[tokio::test]
async fn llama_cpp_answers_in_both_apis() {
    let Some(servers) = start(false) else {
        return;
    };
    for (api, model) in models(servers.llama(), None) {
        talks(api, &*model, ModelServers::MODEL).await;
        is_too_long(api, &*model, ModelServers::MODEL).await;
    }
}

#[tokio::test]
async fn litellm_answers_in_both_apis_and_its_errors_are_understood() {
    let Some(servers) = start(true) else {
        return;
    };
    for (api, model) in models(servers.litellm(), Some(ModelServers::KEY)) {
        // The second one is asked for Chat Completions whatever LiteLLM is asked for.
        for name in [ModelServers::MODEL, "bridged", "picky"] {
            let what = format!("{api} {name}");
            talks(&what, &*model, name).await;
            is_too_long(&what, &*model, name).await;
        }
        // LiteLLM's mocks speak Chat Completions alone.
        let mocks: &[&str] = match api {
            "chat" => &["limited", "long", "broken", "nowhere"],
            _ => &["nowhere"],
        };
        if api == "chat" {
            let answer = ask(&*model, request("mock", "hi")).await.unwrap();
            assert_eq!(answer.text, "Hello from 日本語 🙂!");
        }
        for name in mocks {
            let error = ask(&*model, request(name, "hi")).await.unwrap_err();
            let is_right = match *name {
                "limited" => matches!(error, ModelError::RateLimited(_)),
                "long" => matches!(error, ModelError::TooLong(_)),
                "broken" => matches!(error, ModelError::Unavailable(_)),
                _ => matches!(error, ModelError::Misconfigured(_)),
            };
            assert!(is_right, "{api} {name}: {error:?}");
        }
    }
    for (api, model) in models(servers.litellm(), Some("sk-wrong")) {
        let error = ask(&*model, request("mock", "hi")).await.unwrap_err();
        assert!(
            matches!(error, ModelError::Misconfigured(_)),
            "{api}: {error:?}"
        );
        assert!(!format!("{error:?}").contains("sk-wrong"), "{error:?}");
    }
    let urls = [servers.llama().to_owned(), servers.litellm().to_owned()];
    drop(servers);
    for url in urls {
        let url: url::Url = url.parse().unwrap();
        let address = url.socket_addrs(|| None).unwrap()[0];
        assert!(TcpStream::connect(address).is_err(), "{url} is still there");
    }
}
