//! Which calls wait for a person's consent.

use super::*;
use crate::mcp::Consent;

/// The tools of a server that answer without being allowed, and those that do so once they are.
async fn asked_about(consent: Consent) -> Vec<&'static str> {
    const NAMES: [&str; 3] = ["wipe", "delete_all", "list"];
    let server = Server::start(&NAMES).await;
    let tools = tools(vec![McpServer {
        consent,
        ..server.config("files", ForwardedIdentity::None)
    }]);
    let mut asked = Vec::new();
    for name in NAMES {
        let first = |is_approved| {
            let (tools, context) = (&tools, user("ada"));
            async move {
                let mut events = tools.call(&context, call(name, "{}"), is_approved).await;
                events.next().await.unwrap()
            }
        };
        let done = ToolEvent::done(format!("{name} of 3"), false);
        match first(false).await {
            ToolEvent::NeedsApproval => asked.push(name),
            event => assert_eq!(event, done),
        }
        assert_eq!(first(true).await, done, "a call that is allowed runs");
    }
    asked
}

#[tokio::test]
async fn a_person_is_asked_about_what_the_operator_says() {
    assert_eq!(asked_about(Consent::default()).await, ["wipe"]);
    assert_eq!(asked_about(Consent::Never).await, [""; 0]);
    let all = ["wipe", "delete_all", "list"];
    assert_eq!(asked_about(Consent::Always).await, all);
    let matching = Consent::matching(["delete_*", "l?st"]);
    assert_eq!(asked_about(matching).await, ["delete_all", "list"]);
}

#[tokio::test]
async fn what_cannot_run_is_told_at_once_and_nobody_is_asked() {
    let server = Server::start(&["wipe"]).await;
    let tools = tools(vec![server.config("files", ForwardedIdentity::None)]);
    for (name, arguments) in [("wipe", "not json"), ("unknown", "{}")] {
        let mut events = tools.call(&user("ada"), call(name, arguments), false).await;
        let event = events.next().await.unwrap();
        assert!(
            matches!(event, ToolEvent::Done { is_error: true, .. }),
            "{name}: {event:?}"
        );
    }
}
