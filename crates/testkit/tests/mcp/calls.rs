//! What happens while calls run: progress, calls beside each other, and calls that nobody waits for any more.

use std::time::Duration;

use futures::{FutureExt, future::join};

use super::*;

/// Waits until the server says that so many calls were cancelled.
async fn until_cancelled(tools: &McpTools, count: &str) {
    let looking = async {
        while said(tools, "cancelled", "{}").await != count {
            tokio::task::yield_now().await;
        }
    };
    let looked = tokio::time::timeout(Duration::from_secs(20), looking).await;
    looked.expect("the server hears that nobody waits");
}

/// Calls `wait`, and goes away once the server is at work.
async fn go_away(tools: &McpTools) {
    let mut events = tools.call(&ada(), call("wait", "{}"), true).await;
    // The call has been sent; another one that is answered meanwhile has seen it begin.
    assert!(events.next().now_or_never().is_none());
    said(tools, "add", r#"{"a":1,"b":1}"#).await;
    drop(events);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_cancelled() {
    let stateful = McpPeer::fast("stateful").await.unwrap();
    let modern = McpPeer::modern().await.unwrap();
    for tools in [at(&stateful), at(&modern), fast_program(&[PATH])] {
        go_away(&tools).await;
        until_cancelled(&tools, "1").await;
        tools.close().await;
    }
}

#[tokio::test]
async fn a_call_that_is_silent_for_too_long_is_cancelled() {
    let peer = McpPeer::fast("stateful").await.unwrap();
    let server = McpServer {
        identity: ForwardedIdentity::None,
        call_timeout: Duration::from_millis(300),
        ..McpServer::new("peer", peer.url().parse().unwrap())
    };
    let tools = tools(server);
    let told = run(&tools, "wait", "{}").await;
    assert!(
        told.is_error && told.output.contains("did not answer within"),
        "{told:?}"
    );
    until_cancelled(&tools, "1").await;
}

#[tokio::test]
async fn calls_run_beside_each_other_and_report_on_the_way() {
    let stateful = McpPeer::fast("stateful").await.unwrap();
    let stateless = McpPeer::fast("stateless").await.unwrap();
    let modern = McpPeer::modern().await.unwrap();
    for (name, tools) in [
        ("stateful", at(&stateful)),
        ("stateless", at(&stateless)),
        ("modern", at(&modern)),
        ("program", fast_program(&[PATH])),
    ] {
        // Neither ends before both have begun.
        let both = join(said(&tools, "meet", "{}"), said(&tools, "meet", "{}"));
        let met = tokio::time::timeout(Duration::from_secs(20), both).await;
        assert_eq!(met.expect(name), ("met".to_owned(), "met".to_owned()));
        let steps = run(&tools, "steps", "{}").await;
        // A single document as an answer has no place for what comes before it.
        if name != "stateless" {
            assert_eq!(steps.progress, ["step 1", "step 2"], "{name}");
        }
        assert_eq!(steps.output, "done");
        tools.close().await;
    }
}
