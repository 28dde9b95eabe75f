//! What many tools cost a turn each time the model is asked: listing them, once the servers have been asked, and the
//! question that offers them, over HTTP and until its answer has ended.

use axum::{http::StatusCode, response::IntoResponse};
use engine::ports::Parameters;

use super::{tolerance::Odd, *};
use crate::{
    ChatCompletions, ProviderConfig, Responses,
    openai::{MarkKey, responses::ResponsesOptions},
};

const TIMES: usize = 200;

/// What a turn took with some tools, in microseconds: listing, and the question besides.
#[derive(Debug, Clone, Copy)]
struct Cost {
    listing: u128,
    question: u128,
}

/// The usual cost once the servers have been asked.
async fn cost(tools: &McpTools, model: &dyn Model) -> Cost {
    let ada = user("ada");
    assert!(!tools.list(&ada).await.is_empty());
    let (mut listings, mut questions) = (Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let begun = std::time::Instant::now();
        let tools = tools.list(&ada).await;
        listings.push(begun.elapsed().as_micros());
        assert!(!tools.is_empty());
        let mut answer = model.respond(question(tools)).await.unwrap();
        while let Some(event) = answer.next().await {
            event.unwrap();
        }
        questions.push(begun.elapsed().as_micros());
    }
    let median = |mut times: Vec<u128>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let listing = median(listings);
    Cost {
        listing,
        question: median(questions) - listing,
    }
}

fn question(tools: Vec<ToolSpec>) -> ModelRequest {
    ModelRequest {
        model: "m".to_owned(),
        instructions: "Be brief.".to_owned(),
        input: vec![ModelInput::User("hello".into())],
        tools,
        tool_choice: None,
        max_output_tokens: None,
        locale: None,
        end_user: "ada".to_owned(),
        may_use_builtins: true,
    }
}

/// A server with so many tools, each with a schema as they are.
async fn server(number: usize, count: usize) -> Odd {
    let tool = |index: usize| {
        json!({
            "name": format!("tool_{number}_{index}"),
            "description": "Searches the archive for entries, and gives the newest ones first. ".repeat(3),
            "inputSchema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "query": { "type": "string", "description": "What to look for", "minLength": 1 },
                    "limit": { "type": "integer", "minimum": 1, "maximum": 100, "default": 20 },
                    "filter": { "$ref": "#/$defs/filter" },
                },
                "required": ["query"],
                "$defs": { "filter": { "type": "object", "properties": {
                    "author": { "type": "string" },
                    "tags": { "type": "array", "items": { "type": "string" } },
                } } },
            },
        })
    };
    let list = (0..count).map(tool).collect();
    Odd::start(list, |_| StatusCode::NOT_FOUND.into_response()).await
}

/// A model server that takes a question without looking into it: what reading it costs is its own affair.
async fn quick_model() -> (SocketAddr, JoinSet<()>) {
    async fn answer(_question: axum::body::Bytes) -> impl IntoResponse {
        let chat = r#"{"choices":[{"index":0,"delta":{"content":"fine"},"finish_reason":"stop"}]}"#;
        let response = r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"fine"}]}]}}"#;
        let head = [("content-type", "text/event-stream")];
        (
            head,
            format!("data: {chat}\n\ndata: {response}\n\ndata: [DONE]\n\n"),
        )
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .fallback(answer)
        .layer(axum::extract::DefaultBodyLimit::disable());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, tasks)
}

/// The tools of 20 servers, and of one with ten.
async fn houses() -> (Vec<Odd>, Odd) {
    let mut servers = Vec::new();
    for number in 0..20 {
        servers.push(server(number, 50).await);
    }
    (servers, server(100, 10).await)
}

fn config((number, server): (usize, &Odd)) -> McpServer {
    McpServer {
        identity: ForwardedIdentity::None,
        ..McpServer::new(format!("server-{number}"), server.url.clone())
    }
}

#[tokio::test]
#[ignore = "a measurement: build with --config 'profile.dev.package.upstream.opt-level=3'"]
async fn a_thousand_tools_cost_a_turn_less_than_a_millisecond_more_than_ten() {
    let (servers, few) = houses().await;
    let (address, _tasks) = quick_model().await;
    let base_url = format!("http://{address}/v1");
    let provider = ProviderConfig::new(base_url.parse().unwrap(), MarkKey::new(&[7; 32]));
    let chat = ChatCompletions::new(provider.clone()).unwrap();
    let responses = Responses::new(provider, ResponsesOptions::default()).unwrap();
    let models: [(&str, &dyn Model); 2] = [("chat completions", &chat), ("responses", &responses)];
    for (wire, model) in models {
        let few = cost(&tools(vec![config((100, &few))]), model).await;
        let many = || tools(servers.iter().enumerate().map(config).collect());
        let all = cost(&many().with_max_tools(1_000), model).await;
        let many = cost(&many(), model).await;
        eprintln!(
            "{wire}: 10 of 10: {few:?}; 128 of 1,000: {many:?}; 1,000 of 1,000: {all:?}, in µs"
        );
        let total = |cost: Cost| cost.listing + cost.question;
        assert!(total(many) < total(few) + 1_000, "{few:?}, {many:?}");
    }
}

#[tokio::test]
async fn what_is_listed_again_is_worked_out_once_for_everybody() {
    let server = server(0, 3).await;
    let tools = tools(vec![config((0, &server))]);
    let (ada, bob) = (user("ada"), user("bob"));
    let of_ada = tools.offers(&ada, false).await.offers;
    let of_bob = tools.offers(&bob, true).await.offers;
    assert!(
        Arc::ptr_eq(&tools.offered(&of_ada), &tools.offered(&of_bob)),
        "the same list is kept once, whoever has it"
    );
    let text = |specs: &[ToolSpec]| specs[0].parameters.text().as_ptr();
    let listed = [tools.list(&ada).await, tools.list(&bob).await];
    assert_eq!(text(&listed[0]), text(&listed[1]), "and written once");
    let written = Parameters::from((*listed[0][0].parameters).clone());
    assert_eq!(listed[0][0].parameters, written);
}

#[tokio::test]
async fn a_list_that_changes_is_named_anew() {
    let server = Server::start(&["a", "b"]).await;
    let tools = tools(vec![server.config("one", ForwardedIdentity::None)]);
    let ada = user("ada");
    assert_eq!(names(&tools, &ada).await, ["a", "b"]);
    server.shared.tools.lock().unwrap().push("c");
    // Nothing that was not listed is called, and what is new is found.
    let (_, output, is_error) = run(&tools, &ada, "c", "{}").await;
    assert!(!is_error, "{output}");
    assert_eq!(names(&tools, &ada).await, ["a", "b", "c"]);
    server.shared.tools.lock().unwrap().remove(0);
    let offers = tools.offers(&ada, true).await.offers;
    assert!(tools.find(&offers, "a").is_none());
    assert_eq!(names(&tools, &ada).await, ["b", "c"]);
}
