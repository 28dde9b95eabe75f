//! What each reader is told, for each credential in hand.

use super::*;

const APP: &str = "https://app.example";
const LOCAL: &str = "http://localhost:3000";

fn refusal(origin: &str, in_hand: InHand) -> OriginRefusal {
    let cause = OriginCause::NotRegistered(Origin::parse(origin).unwrap());
    OriginRefusal::new(cause, in_hand, vec!["https://known.example".to_owned()])
}

fn public_token(environment: Environment, workflow: Option<&str>) -> InHand {
    InHand::PublicToken {
        environment,
        workflow: workflow.map(str::to_owned),
    }
}

fn login(environment: Environment) -> InHand {
    InHand::Login {
        issuer: "https://id.example".to_owned(),
        environment,
    }
}

#[test]
fn the_command_is_the_one_for_the_credential_in_hand() {
    use Environment::{Live, Test};
    for (origin, in_hand, command) in [
        (
            APP,
            InHand::Nothing(Test),
            Some("vestibule domain add https://app.example --env test"),
        ),
        (
            APP,
            InHand::Nothing(Live),
            Some("vestibule domain add https://app.example --env live"),
        ),
        (
            APP,
            InHand::DomainKey(Test),
            Some("vestibule domain add https://app.example --env test"),
        ),
        (
            APP,
            login(Test),
            Some("vestibule domain add https://app.example --env test"),
        ),
        (
            APP,
            login(Live),
            Some("vestibule domain add https://app.example --env live"),
        ),
        (
            APP,
            InHand::ServerKey(Test),
            Some("vestibule domain add https://app.example --env test"),
        ),
        (
            APP,
            public_token(Test, None),
            Some("vestibule token create --origin https://app.example --env test"),
        ),
        (
            APP,
            public_token(Live, Some("wf_shop")),
            Some(
                "vestibule token create --origin https://app.example --env live --workflow wf_shop",
            ),
        ),
        (
            LOCAL,
            InHand::DomainKey(Live),
            Some("vestibule domain add http://localhost:3000 --env test"),
        ),
        (
            LOCAL,
            public_token(Live, Some("wf_shop")),
            Some("vestibule token create --env test --workflow wf_shop"),
        ),
        (
            LOCAL,
            InHand::ServerKey(Live),
            Some("vestibule key create --env test"),
        ),
        (LOCAL, login(Live), None),
        (LOCAL, InHand::Nothing(Live), None),
        // Registering it would be refused.
        ("http://app.example", login(Live), None),
        (
            "http://app.example",
            login(Test),
            Some("vestibule domain add http://app.example --env test"),
        ),
        // Brackets mean something to a shell.
        (
            "https://[2001:db8::1]",
            login(Test),
            Some("vestibule domain add 'https://[2001:db8::1]' --env test"),
        ),
    ] {
        let refusal = refusal(origin, in_hand.clone());
        assert_eq!(
            refusal.command().as_deref(),
            command,
            "{origin} {in_hand:?}"
        );
        let details = refusal.details(false);
        assert!(details.next.is_some(), "{details:?}");
    }
}

#[test]
fn advice_names_nothing_that_the_page_did_not_show() {
    for in_hand in [
        InHand::Nothing(Environment::Live),
        InHand::DomainKey(Environment::Live),
        public_token(Environment::Live, None),
        InHand::ServerKey(Environment::Live),
    ] {
        for origin in [APP, LOCAL] {
            let refusal = refusal(origin, in_hand.clone());
            let text = refusal.for_operator();
            let may_name_issuer = matches!(in_hand, InHand::Nothing(_));
            assert!(may_name_issuer || !text.contains("issuer"), "{text}");
            let may_name_token = matches!(in_hand, InHand::Nothing(_) | InHand::PublicToken { .. });
            assert!(may_name_token || !text.contains("token"), "{text}");
        }
    }
}

#[test]
fn three_readers_read_what_is_theirs() {
    let refusal = refusal(APP, login(Environment::Test));
    assert_eq!(
        refusal.to_string(),
        "this chat is not open to the page https://app.example yet; ask whoever runs that page to have it allowed"
    );
    let developer = serde_json::to_value(refusal.details(false)).unwrap();
    assert_eq!(
        developer,
        serde_json::json!({
            "origin": APP,
            "environment": "test",
            "reason": "the origin https://app.example is not registered for test",
            "next": "run the command on the server",
            "command": "vestibule domain add https://app.example --env test",
        })
    );
    let near = serde_json::to_value(refusal.details(true)).unwrap();
    assert_eq!(
        near["registered"],
        serde_json::json!(["https://known.example"])
    );
    assert_eq!(
        refusal.for_operator(),
        "the origin https://app.example is not registered for test (registered: https://known.example); \
         run the command on the server: vestibule domain add https://app.example --env test"
    );
}

#[test]
fn a_request_without_a_page_is_told_why_and_nothing_to_run() {
    for cause in [
        OriginCause::Missing,
        OriginCause::Repeated,
        OriginCause::Opaque,
        OriginCause::Malformed("`x`".to_owned()),
        OriginCause::OtherEnvironment,
    ] {
        let refusal = OriginRefusal::new(cause, login(Environment::Live), Vec::new());
        assert_eq!(refusal.to_string(), refusal.for_operator());
        assert_eq!(refusal.command(), None);
    }
}

#[test]
fn a_word_stays_one_word_in_a_shell() {
    for (text, word) in [
        ("wf_shop", "wf_shop"),
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", r"'it'\''s'"),
        ("$(id)", "'$(id)'"),
    ] {
        assert_eq!(shell_word(text), word);
    }
}

#[test]
fn a_page_with_the_secret_of_another_pages_session_is_told_what_to_do() {
    let origin = Origin::parse(APP).unwrap();
    let bound = vec!["https://known.example".to_owned()];
    let refusal =
        OriginRefusal::not_for_session(origin, InHand::ServerKey(Environment::Live), bound);
    assert_eq!(
        refusal.to_string(),
        "this chat session is bound to other origins; start a new one from this page"
    );
    let details = serde_json::to_value(refusal.details(false)).unwrap();
    assert_eq!(details["origin"], APP);
    assert_eq!(
        details["next"],
        "open a new chat session from https://app.example; a client secret works only on the pages that its session was opened for"
    );
    assert!(details.get("command").is_none(), "{details}");
    assert!(details.get("registered").is_none(), "{details}");
}
