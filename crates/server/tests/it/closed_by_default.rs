//! What is not in the route table does not exist.

use server::router::{PUBLIC_ROUTES, ROUTES};

use crate::harness::TestApp;

#[tokio::test]
async fn every_row_of_the_table_is_reached_and_asks_for_its_credential() {
    let app = TestApp::start().await;
    for route in ROUTES.iter().chain(PUBLIC_ROUTES) {
        let answer = app
            .request(route.method.clone(), route.path)
            .send()
            .await
            .unwrap();
        let what = format!("{} {}", route.method, route.path);
        if route.takes.is_empty() {
            assert_ne!(answer.status(), 401, "{what}");
        } else {
            assert_eq!(answer.status(), 401, "{what}");
        }
        let is_missing = answer.status() == 404;
        let body = answer.text().await.unwrap();
        assert!(!(is_missing && body.contains("unknown_path")), "{what}");
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
