//! What is not in the route table does not exist.

use axum::{Router, routing::get};
use http::{Request, StatusCode};
use server::router::{PUBLIC_ROUTES, ROUTES, guarded};
use tower::ServiceExt;

use crate::harness::TestApp;

#[tokio::test]
async fn a_handler_that_nobody_listed_is_refused() {
    let app = TestApp::start().await;
    let forgotten = Router::new()
        .route("/forgotten", get(|| async { "open to everybody" }))
        .route(
            "/healthz",
            get(|| async { "listed" }).post(|| async { "not with POST" }),
        );
    let router = guarded(&app.state, forgotten);
    for (method, path, status) in [
        ("GET", "/forgotten", StatusCode::NOT_FOUND),
        ("GET", "/healthz", StatusCode::OK),
        ("POST", "/healthz", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(axum::body::Body::empty())
            .unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
    }
}

#[test]
fn the_table_has_no_open_door_by_mistake() {
    for route in ROUTES {
        assert!(
            !route.takes.is_empty(),
            "{} takes no credential",
            route.path
        );
    }
    for route in PUBLIC_ROUTES {
        assert!(route.takes.is_empty(), "{} is public", route.path);
    }
    let public: Vec<&str> = PUBLIC_ROUTES.iter().map(|route| route.path).collect();
    assert_eq!(
        public,
        [
            "/api/chatkit/backchannel-logout",
            "/v1/chatkit/domain_keys/verify",
            // These carry their own permission.
            "/v1/chatkit/files/{id}/content",
            "/v1/chatkit/files/{id}/content",
            "/v1/chatkit/files/{id}/content",
            "/chatkit.js",
            "/chatkit/{*path}",
            "/.well-known/jwks.json",
            "/healthz",
            "/readyz",
        ],
        "a new public address is a decision: write it down here too"
    );
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_told_in_words() {
    let app = TestApp::start().await;
    for (method, path, status, code) in [
        ("GET", "/nothing", 404, "unknown_path"),
        ("GET", "/v1/chatkit/nothing", 404, "unknown_path"),
        ("GET", "/v1/chatkit/sessions", 405, "method_not_allowed"),
        ("GET", "/v1/chatkit/files", 405, "method_not_allowed"),
        ("GET", "/api/chat", 405, "method_not_allowed"),
        ("DELETE", "/api/chatkit/start", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("GET", "/", 404, "unknown_path"),
        ("POST", "/dev/token", 404, "unknown_path"),
    ] {
        let answer = app
            .request(method.parse().unwrap(), path)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        if status == 405 {
            assert!(answer.headers().contains_key("allow"), "{method} {path}");
        }
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], code, "{method} {path}");
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert!(body["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn head_is_get_without_a_body_and_options_names_the_methods() {
    let app = TestApp::start().await;
    let head = app
        .request("HEAD".parse().unwrap(), "/healthz")
        .send()
        .await
        .unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.text().await.unwrap(), "");
    let options = app
        .request("OPTIONS".parse().unwrap(), "/healthz")
        .send()
        .await
        .unwrap();
    assert_eq!(options.status(), 204);
    assert_eq!(options.headers()["allow"], "GET, HEAD, OPTIONS");
}
