//! Door 1 in the form of OAuth's token exchange (RFC 8693).

use reqwest::header;
use serde_json::{Value, json};

use crate::harness::{APP_ORIGIN, TestApp};

const GRANT: (&str, &str) = (
    "grant_type",
    "urn:ietf:params:oauth:grant-type:token-exchange",
);
const JWT: (&str, &str) = ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt");

async fn exchange(app: &TestApp, fields: &[(&str, &str)]) -> (u16, Value) {
    exchange_with(app, fields, |request| request).await
}

async fn exchange_with(
    app: &TestApp,
    fields: &[(&str, &str)],
    change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
) -> (u16, Value) {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = app
        .post("/api/chatkit/start")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    let answer = change(request).send().await.unwrap();
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    let status = answer.status().as_u16();
    let length = answer.headers().get(header::CONTENT_LENGTH).cloned();
    let text = answer.text().await.unwrap();
    assert_eq!(length.unwrap().to_str().unwrap(), text.len().to_string());
    (status, serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn p02_a_users_token_is_exchanged_for_a_client_secret() {
    let app = TestApp::start().await;
    let token = app.token("ada");
    for kind in ["jwt", "access_token", "id_token"] {
        let kind = format!("urn:ietf:params:oauth:token-type:{kind}");
        let fields = [
            GRANT,
            ("subject_token", &*token),
            ("subject_token_type", &*kind),
        ];
        let (status, body) = exchange(&app, &fields).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(
            body["issued_token_type"],
            "urn:ietf:params:oauth:token-type:access_token"
        );
        assert_eq!(body["token_type"], "Bearer");
        assert_eq!(body["expires_in"], 60);
        let secret = body["access_token"].as_str().unwrap();
        assert!(secret.starts_with("ek_"));
        let me = app
            .get("/api/chatkit/me")
            .bearer_auth(secret)
            .send()
            .await
            .unwrap();
        assert_eq!(me.status(), 200);
    }
    let fields = [
        GRANT,
        JWT,
        ("subject_token", &token),
        ("audience", "wf_test"),
    ];
    assert_eq!(exchange(&app, &fields).await.0, 200);
}

#[tokio::test]
async fn p02_errors_are_spelled_as_oauth_spells_them_and_hold_no_token() {
    let app = TestApp::start().await;
    let token = app.token("ada");
    let expired = app.token_with(json!({ "exp": 5 }));
    let secret = app.client_secret("ada").await;
    let good = [GRANT, JWT, ("subject_token", &*token)];
    let and = |other: (&'static str, &'static str)| [&good[..], &[other]].concat();
    for (fields, error) in [
        (vec![GRANT, JWT], "invalid_request"),
        (vec![GRANT, ("subject_token", &*token)], "invalid_request"),
        (vec![JWT, ("subject_token", &*token)], "invalid_request"),
        (vec![GRANT, JWT, ("subject_token", "")], "invalid_request"),
        (
            vec![GRANT, JWT, ("subject_token", &*expired)],
            "invalid_request",
        ),
        (vec![GRANT, JWT, ("subject_token", "x")], "invalid_request"),
        // No secret is made with a secret, and no other kind of ours is a login.
        (
            vec![GRANT, JWT, ("subject_token", &*secret)],
            "invalid_request",
        ),
        (
            vec![GRANT, JWT, ("subject_token", &*app.server_key)],
            "invalid_request",
        ),
        (
            vec![GRANT, JWT, ("subject_token", &*app.public_token)],
            "invalid_request",
        ),
        (
            vec![
                ("grant_type", "client_credentials"),
                JWT,
                ("subject_token", &*token),
            ],
            "unsupported_grant_type",
        ),
        (and(("subject_token", "x")), "invalid_request"),
        (and(("grant_type", "x")), "invalid_request"),
        (and(("actor_token", "x")), "invalid_request"),
        (
            and((
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:jwt",
            )),
            "invalid_request",
        ),
        (and(("resource", "https://x.example")), "invalid_target"),
        (and(("audience", "wf_unknown")), "invalid_target"),
    ] {
        let (status, body) = exchange(&app, &fields).await;
        assert_eq!(
            (status, &body["error"]),
            (400, &json!(error)),
            "{fields:?} {body}"
        );
        let text = body["error_description"].as_str().unwrap();
        for (name, value) in &fields {
            assert!(
                *name != "subject_token" || value.len() < 2 || !text.contains(value),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn p02_the_form_is_the_only_credential_and_pages_need_the_allowlist() {
    let app = TestApp::start().await;
    let token = app.token("ada");
    let good = [GRANT, JWT, ("subject_token", &*token)];
    let (status, body) = exchange_with(&app, &good, |request| request.bearer_auth(&token)).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
    let origin = |origin: &'static str| {
        move |request: reqwest::RequestBuilder| request.header(header::ORIGIN, origin)
    };
    assert_eq!(exchange_with(&app, &good, origin(APP_ORIGIN)).await.0, 200);
    let answer = app
        .post("/api/chatkit/start")
        .header(header::ORIGIN, "https://evil.example")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("grant_type=x")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 403);
    // No other address takes a form.
    let refresh = app
        .post("/api/chatkit/refresh")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("subject_token={token}"))
        .send()
        .await
        .unwrap();
    assert_eq!(refresh.status(), 401);
}

#[tokio::test]
async fn a_form_that_is_too_long_is_refused() {
    let app = TestApp::start().await;
    let long = "x".repeat(70_000);
    let (status, body) = exchange(&app, &[GRANT, JWT, ("subject_token", &*long)]).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_request")));
}
