//! Door 2 over HTTP: anonymous visitors who come back, isolated, within their quotas.

use std::time::Duration;

use auth::{
    Environment, Identity,
    client_secret::NewChatSession,
    ports::{OpenedBy, Quotas},
};
use reqwest::{Response, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use server::{Doors, Rate};

use crate::{
    credentials::visitor_cookie,
    harness::{APP_ORIGIN, FOREIGN_ORIGIN, Options, TEST_ISSUER, TestApp, new_message},
};

const LOCAL_PAGE: &str = "http://localhost:3000";
const HOUR: Duration = Duration::from_hours(1);

async fn visit(app: &TestApp, cookie: Option<&str>) -> Response {
    let mut request = app
        .post("/api/chatkit/visitor")
        .bearer_auth(&app.public_token)
        .header(header::ORIGIN, LOCAL_PAGE);
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    request.send().await.unwrap()
}

async fn secret(answer: Response) -> String {
    let body: Value = answer.json().await.unwrap();
    body["client_secret"].as_str().unwrap().to_owned()
}

async fn say(app: &TestApp, secret: &str, body: &Value) -> (u16, String) {
    let answer = app
        .post("/v1/chatkit/conversation")
        .bearer_auth(secret)
        .header(header::ORIGIN, LOCAL_PAGE)
        .json(body)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn threads() -> Value {
    json!({ "type": "threads.list", "params": {} })
}

#[tokio::test]
async fn a_visitor_survives_a_reload_and_is_alone() {
    let app = TestApp::start().await;
    let cookie = visitor_cookie(&app).await;
    let first = secret(visit(&app, Some(&cookie)).await).await;
    let (status, stream) = say(&app, &first, &new_message("hello")).await;
    assert_eq!(status, 200, "{stream}");

    let again = secret(visit(&app, Some(&cookie)).await).await;
    assert_ne!(first, again);
    let (_, list) = say(&app, &again, &threads()).await;
    assert!(list.contains("thr_"), "{list}");

    let other = secret(visit(&app, None).await).await;
    let (_, list) = say(&app, &other, &threads()).await;
    assert!(list.contains("\"data\":[]"), "{list}");

    // The token with the cookie is as good as the secret.
    let answer = app
        .post("/v1/chatkit/conversation")
        .bearer_auth(&app.public_token)
        .header(header::ORIGIN, LOCAL_PAGE)
        .header(header::COOKIE, &cookie)
        .json(&threads())
        .send()
        .await
        .unwrap();
    assert!(answer.text().await.unwrap().contains("thr_"));
}

#[tokio::test]
async fn a_visitor_who_stays_away_is_removed_with_their_threads() {
    const DAY: i64 = 24 * 60 * 60;
    let app = TestApp::start().await;
    let cookie = visitor_cookie(&app).await;
    let first = secret(visit(&app, Some(&cookie)).await).await;
    say(&app, &first, &new_message("hello")).await;

    app.clock.advance(30 * DAY);
    server::purge_once(&app.state).await;
    let answer = visit(&app, Some(&cookie)).await;
    let cookie = kept(&answer);
    let back = secret(answer).await;
    let (_, list) = say(&app, &back, &threads()).await;
    assert!(list.contains("thr_"), "thirty days are kept: {list}");

    app.clock.advance(30 * DAY + 1);
    server::purge_once(&app.state).await;
    let answer = visit(&app, Some(&cookie)).await;
    let is_kept = answer.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .starts_with(&cookie);
    assert!(!is_kept, "this is somebody new");
    let (_, list) = say(&app, &secret(answer).await, &threads()).await;
    assert!(list.contains("\"data\":[]"), "{list}");
}

#[tokio::test]
async fn a_visitors_cookie_is_replaced_and_a_copy_of_the_old_one_dies() {
    const DAY: i64 = 24 * 60 * 60;
    let app = TestApp::start().await;
    let old = visitor_cookie(&app).await;
    assert_eq!(kept(&visit(&app, Some(&old)).await), old);
    say(
        &app,
        &secret(visit(&app, Some(&old)).await).await,
        &new_message("hello"),
    )
    .await;

    app.clock.advance(DAY);
    // Two tabs at once end with the same cookie, whichever answer comes last.
    let fresh = kept(&visit(&app, Some(&old)).await);
    assert_ne!(fresh, old);
    let answer = visit(&app, Some(&old)).await;
    assert_eq!(kept(&answer), fresh);
    let (_, list) = say(&app, &secret(answer).await, &threads()).await;
    assert!(list.contains("thr_"), "{list}");

    let answer = visit(&app, Some(&fresh)).await;
    assert_eq!(kept(&answer), fresh);
    let (_, list) = say(&app, &secret(answer).await, &threads()).await;
    assert!(list.contains("thr_"), "{list}");
    app.clock.advance(10 * 60);
    // Shown alone, the old one opens nothing; at the door it is a stranger's.
    let answer = app
        .post("/v1/chatkit/conversation")
        .bearer_auth(&app.public_token)
        .header(header::ORIGIN, LOCAL_PAGE)
        .header(header::COOKIE, &old)
        .json(&threads())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
    let answer = visit(&app, Some(&old)).await;
    let (_, list) = say(&app, &secret(answer).await, &threads()).await;
    assert!(list.contains("\"data\":[]"), "{list}");
}

/// The cookie that an answer sets, as a browser sends it back.
fn kept(answer: &Response) -> String {
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_cookie_that_is_not_known_makes_a_new_visitor() {
    let app = TestApp::start().await;
    for cookie in [
        "vestibule_visitor=rubbish",
        "vestibule_visitor=vk_x; vestibule_visitor=vk_y",
    ] {
        let answer = visit(&app, Some(cookie)).await;
        assert_eq!(answer.status(), 200);
        let kept = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(kept.starts_with("vestibule_visitor=vk_"), "{kept}");
    }
}

#[tokio::test]
async fn o03_over_https_the_cookie_has_every_guard() {
    let app = TestApp::with(Options {
        secure: true,
        ..Options::default()
    })
    .await;
    let answer = visit(&app, None).await;
    let kept = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(kept.starts_with("__Host-vestibule_visitor=vk_"), "{kept}");
    assert!(
        kept.ends_with("Secure; HttpOnly; SameSite=None; Partitioned"),
        "{kept}"
    );
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn o04_over_https_a_planted_plain_cookie_is_ignored_and_not_promoted() {
    let app = TestApp::with(Options {
        secure: true,
        ..Options::default()
    })
    .await;
    let own = visitor_cookie(&app).await;
    let planted = own.replace("__Host-", "");
    assert_ne!(own, planted);
    for (sent, is_known) in [(&own, true), (&planted, false)] {
        let answer = visit(&app, Some(sent)).await;
        let kept = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert_eq!(kept.starts_with(own.as_str()), is_known, "{kept}");
        let answer = app
            .post("/v1/chatkit/conversation")
            .bearer_auth(&app.public_token)
            .header(header::ORIGIN, LOCAL_PAGE)
            .header(header::COOKIE, sent)
            .json(&threads())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), if is_known { 200 } else { 401 });
    }
}

#[tokio::test]
async fn a_visitors_secret_works_on_the_pages_of_its_public_token_only() {
    const OTHER: &str = "https://other.example.com";
    let app = TestApp::start().await;
    let now = app.state.now().wall;
    let domains = &app.state.domains;
    domains.add(OTHER, Environment::Live, now).await.unwrap();
    domains.add(OTHER, Environment::Test, now).await.unwrap();
    let own = format!("http://{}", app.address);
    for (token, page, pages) in [
        (
            &app.live_public_token,
            APP_ORIGIN,
            [(APP_ORIGIN, 200), (OTHER, 403), (LOCAL_PAGE, 403)],
        ),
        (
            &app.public_token,
            LOCAL_PAGE,
            [("http://127.0.0.1:3000", 200), (OTHER, 403), (&own, 200)],
        ),
    ] {
        let answer = app
            .post("/api/chatkit/visitor")
            .bearer_auth(token)
            .header(header::ORIGIN, page)
            .send()
            .await
            .unwrap();
        let secret = secret(answer).await;
        for (page, status) in pages {
            let answer = app
                .post("/v1/chatkit/conversation")
                .bearer_auth(&secret)
                .header(header::ORIGIN, page)
                .json(&threads())
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), status, "{page}");
        }
    }
}

#[tokio::test]
async fn s09_a_public_token_works_on_its_own_pages_only() {
    let app = TestApp::start().await;
    for (token, origin, status) in [
        (&app.public_token, Some(LOCAL_PAGE), 200),
        (&app.public_token, Some(APP_ORIGIN), 403),
        (&app.public_token, None, 403),
        (&app.public_token, Some("null"), 403),
        (&app.public_token, Some(FOREIGN_ORIGIN), 403),
        (&app.live_public_token, Some(APP_ORIGIN), 200),
        (&app.live_public_token, Some(LOCAL_PAGE), 403),
    ] {
        let mut request = app.post("/api/chatkit/visitor").bearer_auth(token);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{origin:?}");
    }
}

#[tokio::test]
async fn r01_new_visitors_are_counted_by_address_and_by_token() {
    for (per_ip, per_token, full) in [
        (2, 9, "visitors_per_ip_per_hour"),
        (9, 2, "visitors_per_token_per_hour"),
    ] {
        let app = TestApp::with(Options {
            quotas: Quotas {
                visitors_per_ip_per_hour: per_ip,
                visitors_per_token_per_hour: per_token,
                ..Quotas::default()
            },
            ..Options::default()
        })
        .await;
        let cookie = visitor_cookie(&app).await;
        assert_eq!(visit(&app, None).await.status(), 200, "{full}: the second");
        let third = visit(&app, None).await;
        assert_eq!(third.status(), 429, "{full}");
        assert!(third.headers().contains_key(header::RETRY_AFTER), "{full}");
        let body: Value = third.json().await.unwrap();
        assert_eq!(body["error"]["code"], "quota_exceeded");
        assert_eq!(body["error"]["param"], full);
        let back = visit(&app, Some(&cookie)).await;
        assert_eq!(back.status(), 200, "{full}: a known one may come back");
        let other = app
            .post("/api/chatkit/visitor")
            .bearer_auth(&app.live_public_token)
            .header(header::ORIGIN, APP_ORIGIN);
        let other = other.send().await.unwrap();
        assert_eq!(other.status(), 200, "{full}: another token's");
    }
}

#[tokio::test]
async fn messages_are_counted_by_visitor_and_by_token() {
    let app = TestApp::with(Options {
        quotas: Quotas {
            messages_per_visitor_per_hour: 2,
            messages_per_ip_per_day: Some(0),
            messages_per_token_per_day: 3,
            ..Quotas::default()
        },
        ..Options::default()
    })
    .await;
    let one = secret(visit(&app, None).await).await;
    let two = secret(visit(&app, None).await).await;

    assert_eq!(say(&app, &one, &new_message("1")).await.0, 200);
    assert_eq!(say(&app, &one, &new_message("2")).await.0, 200);
    let (status, body) = say(&app, &one, &new_message("3")).await;
    assert_eq!(status, 429);
    assert!(body.contains("quota_exceeded"), "{body}");
    assert_eq!(say(&app, &one, &threads()).await.0, 200, "reading is free");
    assert_eq!(say(&app, &two, &new_message("1")).await.0, 200);
    assert_eq!(
        say(&app, &two, &new_message("2")).await.0,
        429,
        "the token's day is used up"
    );
}

#[tokio::test]
async fn one_address_cannot_use_up_a_public_tokens_day() {
    let app = TestApp::with(Options {
        quotas: Quotas {
            messages_per_token_per_day: 20,
            ..Quotas::default()
        },
        ..Options::default()
    })
    .await;
    let mut taken = 0;
    let full = loop {
        // A new visitor each time, so that only the address is the same.
        let visitor = secret(visit(&app, None).await).await;
        match say(&app, &visitor, &new_message("hi")).await {
            (200, _) => taken += 1,
            (status, body) => break (status, body),
        }
        assert!(taken < 20, "the token's whole day");
    };
    assert_eq!(taken, 2, "a tenth");
    let (status, body) = full;
    assert_eq!(status, 429);
    assert!(body.contains("messages_per_ip_per_day"), "{body}");
}

#[tokio::test]
async fn whatever_costs_is_counted_and_not_only_what_streams() {
    let transcribe = json!({"type": "input.transcribe",
        "params": {"audio_base64": "AAAA", "mime_type": "audio/webm"}});
    let act = json!({"type": "threads.sync_custom_action",
        "params": {"thread_id": "cthr_1", "action": {"type": "note"}}});
    let judge = json!({"type": "items.feedback",
        "params": {"thread_id": "cthr_1", "item_ids": [], "kind": "positive"}});
    for (request, per_visitor, per_person) in [
        (
            transcribe,
            Some("messages_per_visitor_per_hour"),
            "turns_per_user_per_minute",
        ),
        (act, None, "turns_per_user_per_minute"),
        (judge, None, "turns_per_user_per_minute"),
    ] {
        for (messages, turns, expected) in [(1, 9, per_visitor), (9, 1, Some(per_person))] {
            let mut options = Options {
                quotas: Quotas {
                    messages_per_visitor_per_hour: messages,
                    ..Quotas::default()
                },
                ..Options::default()
            };
            options.rates.turns_per_user = Rate::per_minute(turns);
            let app = TestApp::with(options).await;
            let visitor = secret(visit(&app, None).await).await;
            assert_ne!(say(&app, &visitor, &request).await.0, 429);
            let (status, body) = say(&app, &visitor, &request).await;
            assert_eq!(
                status == 429,
                expected.is_some(),
                "{request} {status} {body}"
            );
            assert!(expected.is_none_or(|limit| body.contains(limit)), "{body}");
        }
    }
}

#[tokio::test]
async fn a_visitors_message_is_shorter_than_a_users() {
    let app = TestApp::start().await;
    let visitor = secret(visit(&app, None).await).await;
    let (status, body) = say(&app, &visitor, &new_message(&"x".repeat(8 * 1024))).await;
    assert_eq!(status, 200, "{body}");
    let too_long = new_message(&"x".repeat(8 * 1024 + 1));
    let (status, body) = say(&app, &visitor, &too_long).await;
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("longer than the 8 KB"), "{body}");
    let user = app.token_with(json!({}));
    let answer = app
        .post("/api/chat")
        .bearer_auth(user)
        .json(&too_long)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_door_that_was_closed_shuts_out_those_who_came_in_before() {
    let open = Options::default().doors;
    for (doors, user, visitor) in [
        (open, 200, 200),
        (
            Doors {
                client_secret: false,
                ..open
            },
            403,
            200,
        ),
        (
            Doors {
                public_token: false,
                ..open
            },
            200,
            403,
        ),
    ] {
        let app = TestApp::with(Options {
            doors,
            ..Options::default()
        })
        .await;
        // What was given out while the doors were open.
        let (now, tokens) = (app.state.now(), &app.state.public_tokens);
        let token = tokens
            .authenticate(&app.public_token, &[LOCAL_PAGE])
            .await
            .unwrap();
        let came = tokens
            .visit(&token, None, now.wall.plus(HOUR), now.wall)
            .await
            .unwrap();
        let ada = app
            .state
            .issuers
            .authenticate(&app.token_with(json!({ "iss": TEST_ISSUER })), now)
            .await
            .unwrap();
        let secret = async |identity: &Identity, opened_by| {
            let new = NewChatSession {
                identity,
                workflow: "wf_test".to_owned(),
                origins: Vec::new(),
                state: serde_json::Map::new(),
                opened_by,
                secret_lifetime: HOUR,
                is_renewable: true,
            };
            let issued = app.state.client_secrets.open(new, now.wall).await;
            issued.unwrap().secret.expose_secret().to_owned()
        };
        let of_user = secret(&ada, OpenedBy::User).await;
        let of_visitor = secret(&came.identity, OpenedBy::PublicToken(token.id.clone())).await;

        let (status, text) = say(&app, &of_user, &threads()).await;
        assert_eq!(status, user, "{text}");
        assert_eq!(text.contains("door_closed"), status == 403, "{text}");
        let (status, text) = say(&app, &of_visitor, &threads()).await;
        assert_eq!(status, visitor, "{text}");
        assert_eq!(text.contains("door_closed"), status == 403, "{text}");
        let resume = came.resume.unwrap();
        let answer = app
            .get("/api/chatkit/me")
            .bearer_auth(&app.public_token)
            .header(header::ORIGIN, LOCAL_PAGE)
            .header(
                header::COOKIE,
                format!("vestibule_visitor={}", resume.expose_secret()),
            )
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), visitor);
    }
}

#[tokio::test]
async fn a_revoked_token_ends_its_visitors_at_once() {
    let app = TestApp::start().await;
    let secret = secret(visit(&app, None).await).await;
    let tokens = app.state.public_tokens.list().await.unwrap();
    for token in tokens {
        app.state
            .public_tokens
            .revoke(&token.id, app.state.now().wall)
            .await
            .unwrap();
    }
    assert_eq!(say(&app, &secret, &threads()).await.0, 401);
    assert_eq!(visit(&app, None).await.status(), 401);
}
