//! What many tools cost a turn each time the model is asked: listing them, once the servers have been asked. Writing their
//! schemas into the question comes on top, for those that are offered.

use axum::{http::StatusCode, response::IntoResponse};

use super::{tolerance::Odd, *};

/// The usual time that listing takes once the servers have been asked, in microseconds.
async fn microseconds(tools: &McpTools) -> u128 {
    let ada = user("ada");
    assert!(!tools.list(&ada).await.is_empty());
    let mut times = Vec::new();
    for _ in 0..200 {
        let begun = std::time::Instant::now();
        let offered = tools.list(&ada).await;
        times.push(begun.elapsed().as_micros());
        assert!(!offered.is_empty());
    }
    times.sort_unstable();
    times[times.len() / 2]
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

#[tokio::test]
#[ignore = "a measurement: build with --config 'profile.dev.package.upstream.opt-level=3'"]
async fn a_thousand_tools_cost_a_turn_less_than_a_millisecond_more_than_ten() {
    let mut servers = Vec::new();
    for number in 0..20 {
        servers.push(server(number, 50).await);
    }
    let config = |(number, server): (usize, &Odd)| McpServer {
        identity: ForwardedIdentity::None,
        ..McpServer::new(format!("server-{number}"), server.url.clone())
    };
    let few = server(100, 10).await;
    let few = microseconds(&tools(vec![config((100, &few))])).await;
    let many = tools(servers.iter().enumerate().map(config).collect());
    let many_all = microseconds(&many.with_max_tools(1_000)).await;
    let many = microseconds(&tools(servers.iter().enumerate().map(config).collect())).await;
    eprintln!("10 of 10: {few} µs; 128 of 1,000: {many} µs; 1,000 of 1,000: {many_all} µs");
    assert!(many < few + 1_000, "{few} µs, {many} µs");
}
