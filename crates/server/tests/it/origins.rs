//! The domain allowlist in force: who may ask, what a preflight is told, what a refusal says.

use auth::Environment;
use reqwest::{Method, Response, header};
use serde_json::{Value, json};

use server::{Rate, Rates};

use crate::harness::{
    APP_ORIGIN, FOREIGN_ORIGIN, GOOD_COOKIE, Options, START, TEST_ISSUER, TestApp,
};

async fn preflight(app: &TestApp, path: &str, origin: &str) -> Response {
    app.request(Method::OPTIONS, path)
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            "authorization, chatkit-frame-instance-id, x-user-id",
        )
        .send()
        .await
        .unwrap()
}

fn header_of<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn o01_a_preflight_is_answered_for_allowed_origins_only() {
    let app = TestApp::start().await;
    for (path, origin, is_allowed) in [
        ("/api/chat", APP_ORIGIN, true),
        ("/v1/chatkit/conversation", APP_ORIGIN, true),
        ("/api/chat", "http://localhost:5173", true),
        ("/api/chat", "http://[::1]:5173", true),
        ("/api/chat", FOREIGN_ORIGIN, false),
        ("/api/chat", "https://app.example.com.evil.org", false),
        ("/api/chat", "https://sub.app.example.com", false),
        ("/api/chat", "http://app.example.com", false),
        ("/api/chat", "https://app.example.com:8443", false),
        ("/api/chat", "https://app.example.com/", false),
        ("/api/chat", "http://localhost.evil.com", false),
        ("/api/chat", "http://127.0.0.1.nip.io", false),
        ("/api/chat", "null", false),
    ] {
        let answer = preflight(&app, path, origin).await;
        let allowed = header_of(&answer, "access-control-allow-origin");
        assert_eq!(allowed, is_allowed.then_some(origin), "{path} {origin}");
        assert_eq!(
            answer.status(),
            if is_allowed { 204 } else { 403 },
            "{origin}"
        );
        assert_eq!(header_of(&answer, "vary"), Some("Origin"), "{origin}");
        if is_allowed {
            assert_eq!(
                header_of(&answer, "access-control-allow-credentials"),
                Some("true")
            );
            assert_eq!(
                header_of(&answer, "access-control-allow-methods"),
                Some("POST, OPTIONS")
            );
            let headers = header_of(&answer, "access-control-allow-headers").unwrap();
            for name in [
                "authorization",
                "content-type",
                "chatkit-frame-instance-id",
                "x-user-id",
            ] {
                assert!(headers.contains(name), "{headers}");
            }
        }
    }
    let everybody = preflight(&app, "/v1/chatkit/domain_keys/verify", FOREIGN_ORIGIN).await;
    assert_eq!(
        header_of(&everybody, "access-control-allow-origin"),
        Some("*")
    );
    assert_eq!(
        header_of(&everybody, "access-control-allow-credentials"),
        None
    );
}

#[tokio::test]
async fn a_page_with_a_wrong_path_can_read_that_it_is_wrong() {
    let app = TestApp::start().await;
    for (path, meant) in [
        ("/api/chat/", Some("`/api/chat`")),
        ("//api/chat", Some("`/api/chat`")),
        ("/api/chatkit/session", None),
    ] {
        let answer = preflight(&app, path, APP_ORIGIN).await;
        assert_eq!(answer.status(), 204, "{path}");
        for (name, value) in [
            ("access-control-allow-origin", APP_ORIGIN),
            ("access-control-allow-methods", "POST"),
            ("access-control-allow-credentials", "true"),
            ("vary", "Origin"),
        ] {
            assert_eq!(header_of(&answer, name), Some(value), "{path}");
        }
        let request = app.post(path).header(header::ORIGIN, APP_ORIGIN);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        let allowed = header_of(&answer, "access-control-allow-origin");
        assert_eq!(allowed, Some(APP_ORIGIN), "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], "unknown_path");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(
            message.contains(meant.unwrap_or("check the path")),
            "{message}"
        );

        // Other pages are told as little as before.
        for origin in [FOREIGN_ORIGIN, "null"] {
            let answer = preflight(&app, path, origin).await;
            assert_eq!(answer.status(), 404, "{path}");
            assert_eq!(header_of(&answer, "access-control-allow-origin"), None);
            let request = app.post(path).header(header::ORIGIN, origin);
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 404, "{path}");
            assert_eq!(header_of(&answer, "access-control-allow-origin"), None);
        }
    }
    let plain = app.request(Method::OPTIONS, "/api/chat/");
    assert_eq!(plain.send().await.unwrap().status(), 404);
    let refusals = app.state.credentials.list_refusals().await.unwrap();
    assert!(refusals.is_empty(), "nobody was refused: {refusals:?}");
}

#[tokio::test]
async fn a_listed_page_may_reach_a_server_of_a_private_network() {
    let app = TestApp::start().await;
    let ask = async |path: &str, origin: &str, value: &'static str| {
        let request = app
            .request(Method::OPTIONS, path)
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header("access-control-request-private-network", value);
        let answer = request.send().await.unwrap();
        header_of(&answer, "access-control-allow-private-network").map(str::to_owned)
    };
    let verify = "/v1/chatkit/domain_keys/verify";
    for (path, origin, value, is_allowed) in [
        ("/api/chat", APP_ORIGIN, "true", true),
        (verify, APP_ORIGIN, "true", true),
        ("/api/chat", APP_ORIGIN, "false", false),
        ("/api/chat", FOREIGN_ORIGIN, "true", false),
        (verify, FOREIGN_ORIGIN, "true", false),
        ("/v1/chatkit/sessions", APP_ORIGIN, "true", false),
    ] {
        let answer = ask(path, origin, value).await;
        let expected = is_allowed.then_some("true");
        assert_eq!(answer.as_deref(), expected, "{path} {origin} {value}");
    }
}

#[tokio::test]
async fn o01_a_foreign_page_is_refused_in_words_and_nothing_happens() {
    let app = TestApp::start().await;
    let answer = app
        .post("/api/chat")
        .bearer_auth(app.token("ada"))
        .header(header::ORIGIN, FOREIGN_ORIGIN)
        .json(&crate::harness::new_message("hello"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(header_of(&answer, "access-control-allow-origin"), None);
    let body: Value = answer.json().await.unwrap();
    let message = body["error"]["message"].as_str().unwrap();
    assert!(message.contains(FOREIGN_ORIGIN), "{message}");
    assert_eq!(
        body["error"]["details"],
        json!({
            "origin": FOREIGN_ORIGIN,
            "environment": "live",
            "reason": "the origin https://evil.example is not registered for live",
            "next": "run the command on the server",
            "command": "vestibule domain add https://evil.example --env live",
            "registered": [APP_ORIGIN],
        })
    );
    let (_, list) = app
        .chat("ada", &json!({ "type": "threads.list", "params": {} }))
        .await;
    assert!(list.contains("\"data\":[]"), "nothing was stored: {list}");
    let refusals = app.state.credentials.list_refusals().await.unwrap();
    assert_eq!(refusals.len(), 1);
    assert_eq!(refusals[0].origin, FOREIGN_ORIGIN);
}

/// The server has a public token of either environment; a preflight does not say which will follow.
#[tokio::test]
async fn a_page_over_plain_http_is_listed_for_test_since_it_cannot_be_live() {
    let app = TestApp::start().await;
    let plain = "http://evil.example:8123";
    for origin in [plain, FOREIGN_ORIGIN] {
        let answer = preflight(&app, "/api/chatkit/visitor", origin).await;
        assert_eq!(answer.status(), 403);
    }
    // The preflight was taken for live; the request knows better, and the list has it at once.
    let answer = app
        .post("/api/chatkit/visitor")
        .bearer_auth(&app.public_token)
        .header(header::ORIGIN, FOREIGN_ORIGIN)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 403);
    let refusals = app.state.credentials.list_refusals().await.unwrap();
    let mut listed: Vec<_> = refusals
        .iter()
        .map(|refusal| (refusal.origin.as_str(), refusal.environment))
        .collect();
    listed.sort_unstable_by_key(|(origin, _)| *origin);
    assert_eq!(
        listed,
        [
            (plain, Environment::Test),
            (FOREIGN_ORIGIN, Environment::Test),
        ]
    );
}

#[tokio::test]
async fn o01_one_address_cannot_fill_the_list_of_refused_origins() {
    let app = TestApp::with(Options {
        trusted_proxies: vec!["127.0.0.0/8"],
        ..Options::default()
    })
    .await;
    let refuse = async |client: &str, origin: &str| {
        let request = app
            .get("/api/chatkit/me")
            .header("x-forwarded-for", client)
            .header(header::ORIGIN, origin);
        assert_eq!(request.send().await.unwrap().status(), 403);
    };
    refuse("203.0.113.7", "https://new.example").await;
    for number in 0..100 {
        let origin = format!("https://{number}.example");
        refuse("203.0.113.66", &origin).await;
        refuse("203.0.113.66", "https://new.example").await;
    }
    let refusals = app.state.credentials.list_refusals().await.unwrap();
    assert!(refusals.len() < 10, "{refusals:?}");
    let listed = refusals
        .iter()
        .filter(|refusal| refusal.origin == "https://new.example");
    assert_eq!(listed.count(), 1, "an origin has one entry");
}

#[tokio::test]
async fn which_pages_are_registered_is_told_on_this_machine_only() {
    let app = TestApp::start().await;
    let is_told = async |name: Option<&str>| {
        let mut request = app
            .post("/v1/chatkit/domain_keys/verify")
            .json(&json!({ "domain": FOREIGN_ORIGIN }));
        if let Some(name) = name {
            request = request.header(name, "203.0.113.5");
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 400);
        let text = answer.text().await.unwrap();
        assert!(text.contains("vestibule domain add"), "{text}");
        text.contains(APP_ORIGIN)
    };
    assert!(is_told(None).await);
    // Behind a proxy everybody seems to be on this machine.
    for name in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
        assert!(!is_told(Some(name)).await, "{name}");
    }
}

#[tokio::test]
async fn a_refused_preflight_is_logged_with_the_command_for_what_can_follow_it() {
    let app = TestApp::start().await;
    for (path, command) in [
        (
            "/api/chat",
            "vestibule domain add https://evil.example --env live",
        ),
        (
            "/api/chatkit/visitor",
            "vestibule token create --origin https://evil.example --env live",
        ),
    ] {
        let answer = preflight(&app, path, FOREIGN_ORIGIN).await;
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["details"]["command"], command);
    }
}

#[tokio::test]
async fn d02_an_origin_counts_for_its_own_environment() {
    let app = TestApp::start().await;
    let test_token = app.token_with(json!({ "iss": TEST_ISSUER }));
    for (token, origin, status) in [
        (app.token("ada"), APP_ORIGIN, 200),
        (app.token("ada"), "http://localhost:3000", 403),
        (test_token.clone(), "http://localhost:3000", 200),
        (test_token, APP_ORIGIN, 403),
    ] {
        let answer = app
            .get("/api/chatkit/me")
            .bearer_auth(token)
            .header(header::ORIGIN, origin)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{origin}");
        if status == 200 {
            assert_eq!(
                header_of(&answer, "access-control-allow-origin"),
                Some(origin)
            );
            let exposed = header_of(&answer, "access-control-expose-headers").unwrap();
            assert!(exposed.contains("www-authenticate"), "{exposed}");
        }
    }
    let own = format!("http://{}", app.address);
    let answer = app
        .get("/api/chatkit/me")
        .bearer_auth(app.token("ada"))
        .header(header::ORIGIN, &own)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200, "the server's own pages");
}

#[tokio::test]
async fn a_change_of_the_list_works_on_the_next_request() {
    let app = TestApp::start().await;
    let now = auth::UnixTime::from_seconds(START);
    assert_eq!(
        preflight(&app, "/api/chat", FOREIGN_ORIGIN).await.status(),
        403
    );
    app.state
        .domains
        .add(FOREIGN_ORIGIN, Environment::Live, now)
        .await
        .unwrap();
    assert_eq!(
        preflight(&app, "/api/chat", FOREIGN_ORIGIN).await.status(),
        204
    );
    app.state
        .domains
        .remove(FOREIGN_ORIGIN, Environment::Live)
        .await
        .unwrap();
    assert_eq!(
        preflight(&app, "/api/chat", FOREIGN_ORIGIN).await.status(),
        403
    );
}

#[tokio::test]
async fn o02_a_cookie_from_no_page_is_refused_before_its_issuer_is_asked() {
    // Whoever asks this issuer learns that it is away, and answers 503.
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let app = TestApp::with(Options {
        sessions: Some(nobody),
        ..Options::default()
    })
    .await;
    for (cookie, origin, status) in [
        (GOOD_COOKIE, None, 403),
        (GOOD_COOKIE, Some(APP_ORIGIN), 503),
        // Not a session's: there is no credential, and that is what has to be said.
        ("theme=dark", None, 401),
        ("theme=dark", Some(APP_ORIGIN), 401),
    ] {
        let mut request = app
            .post("/api/chatkit/start")
            .header(header::COOKIE, cookie);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{cookie} from {origin:?}");
    }
}

#[tokio::test]
async fn r01_a_page_can_read_that_its_address_asked_too_often() {
    let app = TestApp::with(Options {
        rates: Rates {
            requests_per_ip: Rate::per_hour(2),
            ..Options::default().rates
        },
        ..Options::default()
    })
    .await;
    for (origin, status, readable) in [
        (APP_ORIGIN, 401, Some(APP_ORIGIN)),
        (APP_ORIGIN, 401, Some(APP_ORIGIN)),
        (APP_ORIGIN, 429, Some(APP_ORIGIN)),
        (FOREIGN_ORIGIN, 429, None),
    ] {
        let request = app
            .post("/api/chatkit/start")
            .header(header::ORIGIN, origin);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{origin}");
        let allowed = header_of(&answer, "access-control-allow-origin");
        assert_eq!(allowed, readable, "{origin} {status}");
        if status == 429 {
            assert!(answer.headers().contains_key(header::RETRY_AFTER));
        }
    }
}

#[tokio::test]
async fn o01_a_page_may_send_headers_of_its_own_except_those_of_proxies() {
    let app = TestApp::start().await;
    let ask = async |origin: &str, names: &str| {
        app.request(Method::OPTIONS, "/api/chat")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, names)
            .send()
            .await
            .unwrap()
    };
    let added = [
        "sentry-trace",
        "baggage",
        "traceparent",
        "x-tenant",
        "article-id",
    ];
    let answer = ask(APP_ORIGIN, &format!("authorization,{}", added.join(","))).await;
    assert_eq!(answer.status(), 204);
    let allowed = header_of(&answer, "access-control-allow-headers").unwrap();
    let allowed: Vec<&str> = allowed.split(", ").collect();
    for name in added.into_iter().chain(["authorization", "x-user-id"]) {
        assert!(allowed.contains(&name), "{name}: {allowed:?}");
    }

    let refused = ask(APP_ORIGIN, "content-type,x-forwarded-for").await;
    assert_eq!(refused.status(), 403);
    assert_eq!(header_of(&refused, "access-control-allow-headers"), None);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["error"]["code"], "header_not_allowed");
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("x-forwarded-for")
    );

    let foreign = ask(FOREIGN_ORIGIN, "x-tenant").await;
    assert_eq!(foreign.status(), 403);
    assert_eq!(header_of(&foreign, "access-control-allow-headers"), None);
}

#[tokio::test]
async fn two_origin_headers_are_no_origin() {
    let app = TestApp::start().await;
    let answer = app
        .get("/api/chatkit/me")
        .bearer_auth(app.token("ada"))
        .header(header::ORIGIN, APP_ORIGIN)
        .header(header::ORIGIN, FOREIGN_ORIGIN)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 403);
}

#[tokio::test]
async fn domain_keys_are_verified_in_words() {
    let app = TestApp::start().await;
    let live = app.domain_key.clone();
    for (key, domain, is_verified) in [
        (live.as_str(), APP_ORIGIN, true),
        (live.as_str(), FOREIGN_ORIGIN, false),
        (live.as_str(), "http://localhost:3000", false),
        ("local-dev", "http://localhost:3000", true),
        ("local-dev", APP_ORIGIN, false),
        ("dk_live_rubbish", APP_ORIGIN, false),
        (live.as_str(), "null", false),
    ] {
        let answer = app
            .post("/v1/chatkit/domain_keys/verify")
            .json(&json!({ "domain_key": key, "domain": domain }))
            .send()
            .await
            .unwrap();
        assert_eq!(
            answer.status(),
            if is_verified { 200 } else { 400 },
            "{key} {domain}"
        );
        assert_eq!(header_of(&answer, "access-control-allow-origin"), Some("*"));
        let body: Value = answer.json().await.unwrap();
        if is_verified {
            assert_eq!(body["verified"], true);
        } else {
            assert_eq!(body["error"]["code"], "domain_not_verified");
            assert!(
                body["error"]["message"].as_str().unwrap().len() > 20,
                "{body}"
            );
        }
    }
    let incomplete = app
        .post("/v1/chatkit/domain_keys/verify")
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(incomplete.status(), 400);
}
