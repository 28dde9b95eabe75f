//! Limits of W07 and what an issuer's answers become, for key sets and session look-ups.

use auth::ports::{LookupError, SessionLookup};

use super::*;
use crate::{
    http::HttpPolicy,
    session::HttpSessionLookup,
    testing::{BareServer, answer},
};

fn client() -> HttpClient {
    HttpClient::new(&HttpPolicy::DOCUMENT).unwrap()
}

async fn fetch(server: &BareServer) -> Result<FetchedKeys, FetchError> {
    let url = server.url("/jwks").parse().unwrap();
    HttpKeyFetch::new(client()).fetch(&url).await
}

#[tokio::test]
async fn a_key_set_comes_with_its_age() {
    for (headers, age) in [
        ("", None),
        ("cache-control: public, max-age=600\r\n", Some(600)),
        ("cache-control: Max-Age=\"60\"\r\n", Some(60)),
        ("cache-control: max-age=600, no-store\r\n", Some(0)),
        ("cache-control: max-age=soon\r\n", None),
    ] {
        let server = BareServer::start([answer("200 OK", headers, "{\"keys\":[]}")]).await;
        let fetched = fetch(&server).await.unwrap();
        assert_eq!(fetched.body, b"{\"keys\":[]}");
        assert_eq!(fetched.max_age, age.map(Duration::from_secs), "{headers}");
    }
}

#[tokio::test]
async fn w07_one_plain_get_without_cookies() {
    let headers = "set-cookie: a=b\r\n";
    let server = BareServer::start([answer("200 OK", headers, "{}")]).await;
    let url = server.url("/jwks").parse().unwrap();
    let keys = HttpKeyFetch::new(client());
    keys.fetch(&url).await.unwrap();
    keys.fetch(&url).await.unwrap();
    for request in server.requests() {
        assert!(request.starts_with("GET /jwks HTTP/1.1\r\n"), "{request}");
        assert!(!request.to_lowercase().contains("cookie"), "{request}");
    }
}

#[tokio::test]
async fn w07_redirects_large_bodies_and_other_statuses_are_errors() {
    let target = BareServer::start([answer("200 OK", "", "{}")]).await;
    let location = format!("location: {}\r\n", target.url("/elsewhere"));
    let large = "x".repeat(MAX_BODY_BYTES + 1);
    for (answer, part) in [
        (
            answer("302 Found", &location, ""),
            "redirects are not followed",
        ),
        (answer("200 OK", "", &large), "longer than 262144 bytes"),
        // Without an announced length the limit holds while reading.
        (
            format!("HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n{large}"),
            "longer than 262144 bytes",
        ),
        (answer("404 Not Found", "", "nothing"), "404 Not Found"),
        (answer("204 No Content", "", ""), "204 No Content"),
    ] {
        let server = BareServer::start([answer]).await;
        let error = fetch(&server).await.unwrap_err();
        assert!(error.message.contains(part), "{}", error.message);
    }
    assert!(target.requests().is_empty());
}

#[tokio::test]
async fn w04_how_long_to_wait_is_passed_on() {
    for (headers, seconds) in [
        ("retry-after: 7\r\n", Some(7)),
        // What Better Auth's rate limiter sends.
        ("x-retry-after: 10\r\n", Some(10)),
        ("retry-after: 99999999999\r\n", Some(86_400)),
        ("retry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\n", None),
        ("", None),
    ] {
        let server = BareServer::start([answer("429 Too Many Requests", headers, "")]).await;
        let error = fetch(&server).await.unwrap_err();
        assert_eq!(
            error.retry_after,
            seconds.map(Duration::from_secs),
            "{headers}"
        );
    }
}

#[tokio::test]
async fn w07_a_silent_issuer_is_given_up() {
    let server = BareServer::start([]).await;
    let policy = HttpPolicy {
        total_timeout: Some(Duration::from_millis(100)),
        ..HttpPolicy::DOCUMENT
    };
    let url = server.url("/jwks").parse().unwrap();
    let keys = HttpKeyFetch::new(HttpClient::new(&policy).unwrap());
    let error = keys.fetch(&url).await.unwrap_err();
    assert_eq!(error.message, "the issuer did not answer in time");
}

#[tokio::test]
async fn w07_an_issuer_that_does_not_speak_tls_is_not_believed() {
    let server = BareServer::start([answer("200 OK", "", "{}")]).await;
    let url = server.url("/jwks").replace("http:", "https:");
    let policy = HttpPolicy {
        total_timeout: Some(Duration::from_secs(1)),
        ..HttpPolicy::DOCUMENT
    };
    let keys = HttpKeyFetch::new(HttpClient::new(&policy).unwrap());
    keys.fetch(&url.parse().unwrap()).await.unwrap_err();
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn w07_plain_http_to_another_host_is_not_even_tried() {
    let url = "http://issuer.example.com/jwks".parse().unwrap();
    let error = HttpKeyFetch::new(client()).fetch(&url).await.unwrap_err();
    assert!(
        error.message.contains("allow_insecure_http"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn a_session_is_asked_for_with_the_cookie_alone() {
    let server = BareServer::start([answer("200 OK", "", "null")]).await;
    let url = server.url("/api/auth/get-session").parse().unwrap();
    let lookup = HttpSessionLookup::new(client());
    let cookie = "better-auth.session_token=abc.def%3D; other=1";
    // A 200 with `null` is handed on as it is: that it is nobody is for `auth` to say.
    assert_eq!(lookup.lookup(&url, cookie).await.unwrap(), b"null");
    let request = server.requests().concat();
    assert!(
        request.contains(&format!("\r\ncookie: {cookie}\r\n")),
        "{request}"
    );
    assert!(!request.contains("authorization"), "{request}");
}

#[tokio::test]
async fn a_session_look_up_tells_refusals_from_trouble() {
    let large = "x".repeat(64 * 1024 + 1);
    for (status, body, is_refused) in [
        ("401 Unauthorized", "", true),
        ("403 Forbidden", "", true),
        ("500 Internal Server Error", "", false),
        ("302 Found", "", false),
        ("200 OK", large.as_str(), false),
    ] {
        let server = BareServer::start([answer(status, "", body)]).await;
        let url = server.url("/get-session").parse().unwrap();
        let error = HttpSessionLookup::new(client())
            .lookup(&url, "a=b")
            .await
            .unwrap_err();
        assert_eq!(
            matches!(error, LookupError::Refused),
            is_refused,
            "{status}"
        );
    }
    let url = "http://127.0.0.1:1/".parse().unwrap();
    let error = HttpSessionLookup::new(client()).lookup(&url, "a=\n").await;
    assert!(matches!(error, Err(LookupError::Refused)));
}
