//! Which credential opens which address; how credentials may and may not be presented.

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use server::router::{PUBLIC_ROUTES, ROUTES, Route};

use crate::harness::{
    APP_ORIGIN, GOOD_COOKIE, ISSUER, Options, START, TEST_ISSUER, TestApp, session_server,
};

/// Every kind of credential, good and bad, in the order of the columns below.
const PRESENTED: &[&str] = &[
    "none", "token", "expired", "forged", "cookie", "cookie-", "secret", "visitor", "public",
    "domain", "server", "resume", "typo",
];

/// The whole matrix. A status of 2xx or a complaint about the body (400) means that the credential was
/// accepted and is written `ok`; everything else is its status. Reading it column by column: no kind of
/// credential works where another is meant, and `cookie-`, a session cookie without an `Origin`, works
/// for nothing that changes anything.
const EXPECTED: &str = "
                                                   none  token  expired  forged  cookie  cookie-  secret  visitor  public  domain  server  resume  typo
POST /api/chatkit/start                            401   ok     401      401     ok      403      401     401      401     401     401     401     401
POST /api/chatkit/refresh                          401   ok     401      401     ok      403      401     401      401     401     401     401     401
POST /api/chatkit/visitor                          401   401    401      401     401     401      401     ok       ok      401     401     401     401
GET /api/chatkit/me                                401   ok     401      401     ok      ok       ok      ok       401     401     401     401     401
POST /api/chat                                     401   ok     401      401     ok      403      ok      401      401     401     401     401     401
POST /chatkit                                      401   ok     401      401     ok      403      ok      401      401     401     401     401     401
POST /v1/chatkit/conversation                      401   401    401      401     401     401      ok      ok       401     401     401     401     401
POST /v1/chatkit/files                             401   ok     401      401     ok      403      ok      ok       401     401     401     401     401
POST /v1/chatkit/domain_keys/verify_hosted         401   401    401      401     401     401      ok      ok       401     401     401     401     401
POST /v1/chatkit/sessions                          401   401    401      401     401     401      401     401      401     401     ok      401     401
POST /v1/chatkit/sessions/{session_id}/cancel      401   401    401      401     401     401      401     401      401     401     ok      401     401
GET /v1/chatkit/threads                            401   401    401      401     401     401      401     401      401     401     ok      401     401
GET /v1/chatkit/threads/{thread_id}                401   401    401      401     401     401      401     401      401     401     ok      401     401
DELETE /v1/chatkit/threads/{thread_id}             401   401    401      401     401     401      401     401      401     401     ok      401     401
GET /v1/chatkit/threads/{thread_id}/items          401   401    401      401     401     401      401     401      401     401     ok      401     401
";

#[tokio::test]
async fn s10_every_credential_at_every_address() {
    let sessions = session_server().await;
    let app = TestApp::with(Options {
        sessions: Some(sessions),
        ..Options::default()
    })
    .await;
    let cookie = visitor_cookie(&app).await;
    let mut found = vec![PRESENTED.join(" ")];
    for route in ROUTES {
        let mut cells = vec![route.method.to_string(), route.path.to_owned()];
        for name in PRESENTED {
            cells.push(match present(&app, route, name, &cookie).await.as_u16() {
                200..=299 | 400 => "ok".to_owned(),
                other => other.to_string(),
            });
        }
        found.push(cells.join(" "));
    }
    let expected = compact(EXPECTED);
    assert_eq!(found, expected);
}

/// Columns apart by one space, whatever their width.
fn compact(table: &str) -> Vec<String> {
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect()
}

async fn present(app: &TestApp, route: &Route, name: &str, cookie: &str) -> StatusCode {
    let request = app.request(route.method.clone(), route.path);
    let request = match name {
        "none" => request,
        "token" => request.bearer_auth(app.token("ada")),
        "expired" => request.bearer_auth(app.token_with(json!({ "exp": START - 3_600 }))),
        "forged" => request.bearer_auth(forged(&app.token("ada"))),
        "cookie" => request
            .header(header::COOKIE, GOOD_COOKIE)
            .header(header::ORIGIN, APP_ORIGIN),
        "cookie-" => request.header(header::COOKIE, GOOD_COOKIE),
        "secret" => request.bearer_auth(app.client_secret("ada").await),
        "visitor" => request
            .bearer_auth(&app.public_token)
            .header(header::COOKIE, cookie)
            .header(header::ORIGIN, "http://localhost:3000"),
        "public" => request
            .bearer_auth(&app.public_token)
            .header(header::ORIGIN, "http://localhost:3000"),
        "domain" => request.bearer_auth(&app.domain_key),
        "server" => request.bearer_auth(&app.server_key),
        "resume" => request.bearer_auth(cookie.split_once('=').unwrap().1),
        "typo" => request.bearer_auth(app.client_secret("ada").await.replace("ek_", "ek_x")),
        other => panic!("{other} is not a column"),
    };
    with_body(request, &route.method)
        .send()
        .await
        .unwrap()
        .status()
}

/// A body that every address takes, or refuses with 400 once the caller is known.
fn with_body(request: RequestBuilder, method: &Method) -> RequestBuilder {
    if *method == Method::POST {
        request.json(&json!({ "type": "threads.list", "params": {}, "domain": APP_ORIGIN }))
    } else {
        request
    }
}

fn forged(token: &str) -> String {
    let (body, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    format!("{body}.{first}{}", &signature[1..])
}

/// Becomes a visitor; gives the cookie as a browser sends it back.
pub(crate) async fn visitor_cookie(app: &TestApp) -> String {
    let answer = app
        .post("/api/chatkit/visitor")
        .bearer_auth(&app.public_token)
        .header(header::ORIGIN, "http://localhost:3000")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn public_addresses_need_nothing() {
    let app = TestApp::start().await;
    for route in PUBLIC_ROUTES {
        let path = route.path.replace("{*path}", "manifest.json");
        let answer = app
            .request(route.method.clone(), &path)
            .send()
            .await
            .unwrap();
        assert!(
            !matches!(answer.status().as_u16(), 401 | 403 | 405 | 500..),
            "{path}"
        );
    }
}

#[tokio::test]
async fn b01_how_a_token_may_be_presented() {
    let app = TestApp::start().await;
    let token = app.token("ada");
    let me = |values: Vec<String>, query: &str| {
        let mut request = app.get(&format!("/api/chatkit/me{query}"));
        for value in values {
            request = request.header(header::AUTHORIZATION, value);
        }
        async move { request.send().await.unwrap() }
    };
    let good = format!("Bearer {token}");
    for (values, query, status, code) in [
        (vec![good.clone()], "", 200, None),
        (vec![good.replace("Bearer", "bEaReR")], "", 200, None),
        (
            vec![good.clone(), good.clone()],
            "",
            400,
            Some("invalid_request"),
        ),
        (vec!["Bearer".to_owned()], "", 400, Some("invalid_request")),
        (vec![format!("{good} x")], "", 400, Some("invalid_request")),
        (
            vec!["Basic YTpi".to_owned()],
            "",
            400,
            Some("invalid_request"),
        ),
        (
            vec![],
            &format!("?access_token={token}"),
            401,
            Some("missing_credentials"),
        ),
    ] {
        let answer = me(values.clone(), query).await;
        assert_eq!(answer.status(), status, "{values:?} {query}");
        let challenge = answer.headers().get(header::WWW_AUTHENTICATE).cloned();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"].as_str(), code, "{values:?}");
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned());
        // B02: no error code where no credential came.
        let expected = match (status, code) {
            (401, _) => Some("Bearer realm=\"vestibule\""),
            (400, _) => Some("Bearer realm=\"vestibule\", error=\"invalid_request\""),
            _ => None,
        };
        assert_eq!(challenge.as_deref(), expected);
    }
}

#[tokio::test]
async fn b02_a_refused_token_is_told_why_and_never_repeated() {
    let app = TestApp::start().await;
    for (changes, code) in [
        (json!({ "exp": START - 60 }), "expired"),
        (json!({ "iss": "https://other.example" }), "unknown_issuer"),
        (json!({ "aud": "https://other.example" }), "wrong_audience"),
        (json!({ "nbf": START + 3_600 }), "not_yet_valid"),
        (json!({ "sub": "" }), "bad_subject"),
        (json!({ "exp": null }), "missing_expiry"),
    ] {
        let token = app.token_with(changes);
        let answer = app
            .get("/api/chatkit/me")
            .bearer_auth(&token)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 401, "{code}");
        assert_eq!(
            answer.headers()[header::WWW_AUTHENTICATE],
            "Bearer realm=\"vestibule\", error=\"invalid_token\""
        );
        let text = answer.text().await.unwrap();
        assert!(text.contains(code), "{code}: {text}");
        assert!(
            !text.contains(&token) && !text.contains(&token[..40]),
            "{text}"
        );
    }
}

#[tokio::test]
async fn b03_a_token_and_a_cookie_must_be_the_same_person() {
    let sessions = session_server().await;
    let app = TestApp::with(Options {
        sessions: Some(sessions),
        ..Options::default()
    })
    .await;
    for (user, cookie, status) in [
        ("ada", GOOD_COOKIE, 200),
        ("grace", GOOD_COOKIE, 401),
        ("ada", "better-auth.session_token=signed-out", 401),
        ("ada", "other=cookie", 200),
    ] {
        let answer = app
            .get("/api/chatkit/me")
            .bearer_auth(app.token(user))
            .header(header::COOKIE, cookie)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{user} {cookie}");
    }
}

/// As a browser sends it behind a proxy with a login of its own.
#[tokio::test]
async fn b01_another_scheme_beside_a_session_cookie_is_passed_over() {
    let sessions = session_server().await;
    let app = TestApp::with(Options {
        sessions: Some(sessions),
        ..Options::default()
    })
    .await;
    for (authorization, cookie, status) in [
        ("Basic YWRhOng=", GOOD_COOKIE, 200),
        ("", GOOD_COOKIE, 200),
        (
            "Basic YWRhOng=",
            "better-auth.session_token=signed-out",
            401,
        ),
        ("Basic YWRhOng=", "other=cookie", 400),
        ("Basic YWRhOng=", "", 400),
        // Whoever says Bearer means it.
        ("Bearer", GOOD_COOKIE, 400),
        ("Bearer not.a.token", GOOD_COOKIE, 401),
    ] {
        let answer = app
            .get("/api/chatkit/me")
            .header(header::AUTHORIZATION, authorization)
            .header(header::COOKIE, cookie)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{authorization:?} {cookie}");
    }
    // The rules for pages hold as without it, and no other door opens.
    for (path, origin, status) in [
        ("/api/chat", Some(APP_ORIGIN), 200),
        ("/api/chat", None, 403),
        ("/api/chat", Some("https://evil.example"), 403),
        ("/v1/chatkit/conversation", Some(APP_ORIGIN), 400),
    ] {
        let mut request = app
            .post(path)
            .header(header::AUTHORIZATION, "Basic YWRhOng=")
            .header(header::COOKIE, GOOD_COOKIE);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let body = json!({ "type": "threads.list", "params": {} });
        let answer = request.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path} {origin:?}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_away_is_no_reason_to_call_a_cookie_wrong() {
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let app = TestApp::with(Options {
        sessions: Some(nobody),
        ..Options::default()
    })
    .await;
    let me = || {
        app.get("/api/chatkit/me")
            .header(header::COOKIE, GOOD_COOKIE)
    };
    let answer = me().send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key(header::RETRY_AFTER));
    // A token holds by itself.
    let answer = me().bearer_auth(app.token("ada")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn o02_a_tampered_cookie_is_nobody_although_the_issuer_says_200() {
    let sessions = session_server().await;
    let app = TestApp::with(Options {
        sessions: Some(sessions),
        ..Options::default()
    })
    .await;
    for (cookie, status) in [
        (GOOD_COOKIE, 200),
        ("better-auth.session_token=tampered", 401),
        (
            "better-auth.session_token=good; better-auth.session_token=evil",
            400,
        ),
    ] {
        let answer = app
            .post("/api/chatkit/start")
            .header(header::COOKIE, cookie)
            .header(header::ORIGIN, APP_ORIGIN)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{cookie}");
    }
}

#[tokio::test]
async fn b04_x_user_id_is_compared_and_never_believed() {
    let app = TestApp::start().await;
    for (values, status) in [
        (vec!["ada"], 200),
        (vec!["grace"], 403),
        (vec!["ADA"], 403),
        (vec!["ada", "ada"], 400),
        (vec!["ada,grace"], 400),
        (vec![""], 400),
    ] {
        let mut request = app.get("/api/chatkit/me").bearer_auth(app.token("ada"));
        for value in &values {
            request = request.header("x-user-id", *value);
        }
        assert_eq!(request.send().await.unwrap().status(), status, "{values:?}");
    }
    // Alone it is nothing, and beside a public token it is out of place.
    let alone = app
        .get("/api/chatkit/me")
        .header("x-user-id", "ada")
        .send()
        .await
        .unwrap();
    assert_eq!(alone.status(), 401);
    let visitor = app
        .post("/api/chatkit/visitor")
        .bearer_auth(&app.public_token)
        .header(header::ORIGIN, "http://localhost:3000")
        .header("x-user-id", "ada")
        .send()
        .await
        .unwrap();
    assert_eq!(visitor.status(), 403);
}

#[tokio::test]
async fn me_says_who_it_is() {
    let app = TestApp::start().await;
    let me: Value = app
        .get("/api/chatkit/me")
        .bearer_auth(app.token_with(json!({ "iss": TEST_ISSUER })))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        me,
        json!({
            "issuer": TEST_ISSUER,
            "user_id": "ada",
            "environment": "test",
            "expires_at": START + 900,
        })
    );
    // The same name at another issuer is another person.
    let (thread, ..) = app.new_thread("ada", "hello").await;
    let body = json!({ "type": "threads.get_by_id", "params": { "thread_id": thread } });
    let other = app
        .post("/api/chat")
        .bearer_auth(app.token_with(json!({ "iss": TEST_ISSUER })))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), 404);
    assert_ne!(ISSUER, TEST_ISSUER);
}

#[tokio::test]
async fn a_server_key_in_a_browser_is_called_by_its_name() {
    let app = TestApp::start().await;
    let answer = app
        .post("/api/chat")
        .bearer_auth(&app.server_key)
        .header(header::ORIGIN, APP_ORIGIN)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 403);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"]["code"], "server_key_in_browser");
}
