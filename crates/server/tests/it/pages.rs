//! What a browser loads: the element, the demo page, the keys, and the development issuer.

use auth::Environment;
use reqwest::header;
use serde_json::{Value, json};

use crate::harness::{Options, START, TestApp};

async fn development() -> TestApp {
    TestApp::with(Options {
        development: true,
        ..Options::default()
    })
    .await
}

#[tokio::test]
async fn the_element_is_served_to_every_page_and_kept_by_version() {
    let app = TestApp::start().await;
    let answer = app.get("/chatkit.js").send().await.unwrap();
    if answer.status() == 404 {
        // A build without the element says how to make one.
        assert!(answer.text().await.unwrap().contains("make web"));
        return;
    }
    assert_eq!(
        answer.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(answer.headers()["cache-control"], "public, max-age=300");
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(
        answer.headers()["cross-origin-resource-policy"],
        "cross-origin"
    );
    let etag = answer.headers()["etag"].clone();
    let again = app
        .get("/chatkit.js")
        .header(header::IF_NONE_MATCH, etag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    let versioned = app.get("/chatkit.js?v=1").send().await.unwrap();
    assert_eq!(
        versioned.headers()["cache-control"],
        "public, max-age=31536000, immutable"
    );
    for path in [
        "/chatkit/../../Cargo.toml",
        "/chatkit/%2e%2e/%2e%2e/Cargo.toml",
        "/chatkit/none.js",
    ] {
        assert_eq!(app.get(path).send().await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn without_a_demo_a_person_reads_what_this_is_and_the_operator_what_to_do_next() {
    let app = TestApp::start().await;
    let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
    let page = async |forwarded: bool, accept: &str| {
        let mut request = app.get("/").header(header::ACCEPT, accept);
        if forwarded {
            request = request.header("x-forwarded-for", "203.0.113.5");
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let policy = answer.headers()["content-security-policy"].clone();
        let kind = answer.headers()["content-type"].clone();
        (kind, policy, answer.text().await.unwrap())
    };
    let (kind, policy, text) = page(false, browser).await;
    assert_eq!(kind, "text/html; charset=utf-8");
    let policy = policy.to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    for part in [
        "Vestibule",
        "door 2",
        "https://id.example.com",
        "/chatkit.js",
        "vestibule doctor",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for secret in [&app.public_token, &app.server_key, &app.domain_key] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
    // From anywhere else, only what it is.
    let (_, _, text) = page(true, browser).await;
    assert!(
        text.contains("Vestibule") && !text.contains("id.example.com"),
        "{text}"
    );

    let (kind, _, text) = page(false, "*/*").await;
    assert_eq!(kind, "application/json");
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["name"], "vestibule");
    assert!(told["operator"]["next"].is_array(), "{told}");
    let (_, _, text) = page(true, "application/json").await;
    assert!(!text.contains("operator"), "{text}");
}

#[tokio::test]
async fn the_demo_page_is_strict_about_its_content() {
    let app = development().await;
    let page = app.get("/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "require-trusted-types-for 'script'",
        "frame-ancestors 'self'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let html = page.text().await.unwrap();
    assert!(!html.contains("<script>") && !html.contains(" style=") && !html.contains(" onclick="));
    for path in ["/demo/demo.js", "/demo/demo.css", "/demo/icon.svg"] {
        assert_eq!(app.get(path).send().await.unwrap().status(), 200, "{path}");
    }
    assert_eq!(
        app.get("/demo/..%2fdemo.js").send().await.unwrap().status(),
        404
    );
    let config: Value = app
        .get("/demo/config.json")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(config["users"].as_array().unwrap().len(), 2);
    assert!(
        config["public_token"]
            .as_str()
            .unwrap()
            .starts_with("pk_test_")
    );
}

#[tokio::test]
async fn every_page_of_the_demo_has_the_same_policy_and_the_gallery_is_for_development() {
    let app = development().await;
    let policy = app.get("/").send().await.unwrap().headers()["content-security-policy"].clone();
    for path in ["/demo/launcher.html", "/chatkit/gallery"] {
        let page = app.get(path).send().await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(page.headers()["content-security-policy"], policy, "{path}");
        assert_eq!(
            page.headers()["content-type"],
            "text/html; charset=utf-8",
            "{path}"
        );
    }
    let missing = app.get("/demo/none.html").send().await.unwrap();
    assert_eq!(missing.status(), 404);
    let production = TestApp::start().await;
    let gallery = production.get("/chatkit/gallery").send().await.unwrap();
    assert_eq!(gallery.status(), 404);
}

#[tokio::test]
async fn pages_of_the_allowlist_may_frame_the_demo_page_at_once() {
    let app = development().await;
    let ancestors = async || {
        let page = app.get("/").send().await.unwrap();
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        let (_, ancestors) = policy.split_once("frame-ancestors ").unwrap();
        ancestors.to_owned()
    };
    let origin = "https://frames.example";
    assert!(!ancestors().await.contains(origin));
    let domains = &app.state.domains;
    let now = auth::UnixTime::from_seconds(START);
    domains.add(origin, Environment::Test, now).await.unwrap();
    assert!(ancestors().await.split(' ').any(|source| source == origin));
    // A list that no proxy would let through becomes the shortest one.
    for number in 0..100 {
        let origin = format!("https://customer-{number}.frames.example");
        domains.add(&origin, Environment::Test, now).await.unwrap();
    }
    assert_eq!(ancestors().await, "'self'");
    // Only a page is something to frame.
    for path in ["/demo/demo.js", "/healthz"] {
        let answer = app.get(path).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(
            policy.ends_with("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
    }
}

#[tokio::test]
async fn the_development_issuer_signs_real_tokens_for_this_machine_only() {
    let app = development().await;
    let sign_in = || app.post("/dev/token").json(&json!({ "user": "ada" }));
    let body: Value = sign_in().send().await.unwrap().json().await.unwrap();
    let me = app
        .get("/api/chatkit/me")
        .bearer_auth(body["token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let me: Value = me.json().await.unwrap();
    assert_eq!(me["user_id"], "ada");
    assert_eq!(me["environment"], "test");
    for (name, value) in [
        (header::HOST, "evil.example"),
        (header::ORIGIN, "https://evil.example"),
        (header::ORIGIN, "null"),
    ] {
        let answer = sign_in().header(name.clone(), value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}: {value}");
    }
    // A proxy on this machine connects from here for people who are anywhere.
    for (name, value) in [
        ("forwarded", "for=203.0.113.7"),
        ("via", "1.1 tunnel"),
        ("x-real-ip", "203.0.113.7"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "chat.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let answer = sign_in().header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}: {value}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["code"], "loopback_only", "{name}");
    }
    // A page of this machine on another port is another site, and says where it is.
    let answer = sign_in()
        .header("sec-fetch-site", "cross-site")
        .header(header::ORIGIN, "http://localhost:5173")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let unknown = app
        .post("/dev/token")
        .json(&json!({ "user": "eve" }))
        .send()
        .await
        .unwrap();
    assert_eq!(unknown.status(), 400);
}

#[tokio::test]
async fn keys_and_health_are_there() {
    let app = TestApp::start().await;
    let keys: Value = app
        .get("/.well-known/jwks.json")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(keys["keys"][0]["kty"], "OKP");
    assert!(
        keys["keys"][0].get("d").is_none(),
        "the private half stays here"
    );
    for path in ["/healthz", "/readyz"] {
        assert_eq!(app.get(path).send().await.unwrap().status(), 200, "{path}");
    }
}
