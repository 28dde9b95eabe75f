//! Session cookies: how they are read, and what an issuer's answer is worth.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Notify;

use super::*;
use crate::{
    bearer::BearerError,
    claims::Audience,
    issuer::Keys,
    jwks::KeyCacheLimits,
    jws::Algorithm,
    ports::{KeyFetch, Random, SignOut},
    testing::{NOW, TestFetch, TestRandom, now},
};

/// An issuer that answers as it is told, and writes down what it was asked.
#[derive(Default)]
struct TestLookup {
    answer: Mutex<Option<Vec<u8>>>,
    problem: Mutex<Option<LookupError>>,
    asked: Mutex<Vec<String>>,
    running: AtomicUsize,
    most_running: AtomicUsize,
    hold: Option<Arc<Notify>>,
}

#[async_trait]
impl SessionLookup for TestLookup {
    async fn lookup(&self, url: &Url, cookie: &str) -> Result<Vec<u8>, LookupError> {
        self.asked.lock().unwrap().push(format!("{url} {cookie}"));
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(running, Ordering::SeqCst);
        if let Some(hold) = &self.hold {
            hold.notified().await;
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        if let Some(problem) = self.problem.lock().unwrap().take() {
            return Err(problem);
        }
        Ok(self.answer.lock().unwrap().clone().unwrap())
    }
}

fn answering(answer: impl Into<Vec<u8>>) -> Arc<TestLookup> {
    Arc::new(TestLookup {
        answer: Mutex::new(Some(answer.into())),
        ..TestLookup::default()
    })
}

fn sessions(lookup: &Arc<TestLookup>) -> LoginSessions {
    sessions_at(lookup, &["https://issuer.example"])
}

fn sessions_at(lookup: &Arc<TestLookup>, names: &[&str]) -> LoginSessions {
    let fetch: Arc<dyn KeyFetch> = Arc::new(TestFetch::default());
    let random: Arc<dyn Random> = Arc::new(TestRandom::default());
    let row = |name: &&str| {
        let address = |path: &str| Url::parse(&format!("{name}/{path}")).unwrap();
        let (keys, audience) = (Keys::Jwks(address("jwks")), Audience::aud(["x"]));
        Issuer {
            session: Some(SessionRule::better_auth(address("get-session"))),
            ..Issuer::new(*name, keys, &[Algorithm::EdDsa], audience)
        }
    };
    let rows = names.iter().map(row).collect();
    let issuers = Issuers::new(rows, KeyCacheLimits::default(), &fetch, &random).unwrap();
    let lookup = Arc::<TestLookup>::clone(lookup) as Arc<dyn SessionLookup>;
    LoginSessions::new(Arc::new(issuers), lookup)
}

#[tokio::test]
async fn w10_of_two_issuers_with_one_cookie_name_the_one_that_knows_it_counts() {
    let lookup = answering(good_answer());
    let sessions = sessions_at(&lookup, &["https://b.example", "https://a.example"]);
    *lookup.problem.lock().unwrap() = Some(LookupError::Refused);
    let outcome = reason(sessions.authenticate(None, &[COOKIE], now()).await);
    assert_eq!(outcome, Ok(Some("https://b.example user-1".to_owned())));
    *lookup.answer.lock().unwrap() = Some(b"null".to_vec());
    let other = ["better-auth.session_token=other"];
    assert_eq!(
        reason(sessions.authenticate(None, &other, now()).await),
        Err(Reason::NoSession)
    );
    assert_eq!(lookup.asked.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_refused_cookie_is_not_asked_about_again_for_a_while() {
    for problem in [None, Some(LookupError::Refused)] {
        let lookup = answering("null");
        let sessions = sessions(&lookup);
        *lookup.problem.lock().unwrap() = problem;
        let first = now();
        let later = |seconds| Now::new(NOW, first.monotonic + Duration::from_secs(seconds));
        for (seconds, asked) in [(0, 1), (4, 1), (5, 2), (9, 2)] {
            assert_eq!(
                reason(sessions.authenticate(None, &[COOKIE], later(seconds)).await),
                Err(Reason::NoSession)
            );
            assert_eq!(lookup.asked.lock().unwrap().len(), asked, "{seconds} s");
        }
        let other = ["better-auth.session_token=other"];
        *lookup.answer.lock().unwrap() = Some(good_answer().into_bytes());
        assert!(sessions.authenticate(None, &other, later(9)).await.is_ok());
    }
}

fn good_answer() -> String {
    json!({
        "session": { "expiresAt": "2030-01-01T00:00:00.000Z", "userId": "user-1", "token": "the-live-session-token" },
        "user": { "id": "user-1", "name": "Ada" },
    })
    .to_string()
}

const COOKIE: &str = "better-auth.session_token=abc.def%3D";

fn reason(outcome: Result<Option<Arc<Identity>>, Error>) -> Result<Option<String>, Reason> {
    match outcome {
        Ok(identity) => Ok(identity.map(|identity| identity.owner_key().to_owned())),
        Err(Error::Invalid(rejection)) => Err(rejection.reason()),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_becomes_the_same_identity_as_its_token() {
    let lookup = answering(good_answer());
    let sessions = sessions(&lookup);
    let identity = sessions
        .authenticate(
            None,
            &["a=1; better-auth.session_token=abc.def%3D; b=2"],
            now(),
        )
        .await
        .unwrap()
        .unwrap();
    assert_eq!(identity.owner_key(), "https://issuer.example user-1");
    assert_eq!(identity.claims()["sub"], "user-1");
    assert!(!format!("{identity:?}").contains("the-live-session-token"));
    // Only the session's own cookie travels on.
    assert_eq!(
        *lookup.asked.lock().unwrap(),
        [format!("https://issuer.example/get-session {COOKIE}")]
    );
    assert_eq!(
        reason(sessions.authenticate(None, &[""; 0], now()).await),
        Ok(None)
    );
    assert_eq!(
        reason(sessions.authenticate(None, &["other=1"], now()).await),
        Ok(None)
    );
}

#[tokio::test]
async fn an_answer_of_200_is_not_yet_a_session() {
    for (answer, expected) in [
        (json!(null), Reason::NoSession),
        (json!({}), Reason::MalformedSession),
        (json!([]), Reason::MalformedSession),
        (json!(true), Reason::MalformedSession),
        (
            json!({ "user": { "id": "user-1" } }),
            Reason::MalformedSession,
        ),
        (
            json!({ "user": { "id": "user-1" }, "session": null }),
            Reason::MalformedSession,
        ),
        (
            json!({ "user": { "id": "user-1" }, "session": {} }),
            Reason::MalformedSession,
        ),
        (
            json!({ "user": { "id": "" }, "session": { "expiresAt": "2030-01-01T00:00:00Z" } }),
            Reason::MalformedSession,
        ),
        (
            json!({ "user": { "id": 1 }, "session": { "expiresAt": "2030-01-01T00:00:00Z" } }),
            Reason::MalformedSession,
        ),
        (
            json!({ "user": { "id": "a" }, "session": { "expiresAt": "2030-01-01T00:00:00Z", "userId": "b" } }),
            Reason::MalformedSession,
        ),
        (
            json!({ "user": { "id": "a" }, "session": { "expiresAt": 1_900_000_000 } }),
            Reason::MalformedSession,
        ),
        (
            json!({ "user": { "id": "a" }, "session": { "expiresAt": "soon" } }),
            Reason::MalformedSession,
        ),
        (
            json!({ "user": { "id": "a" }, "session": { "expiresAt": "2020-01-01T00:00:00Z" } }),
            Reason::SessionExpired,
        ),
    ] {
        let lookup = answering(answer.to_string());
        assert_eq!(
            reason(sessions(&lookup).authenticate(None, &[COOKIE], now()).await),
            Err(expected),
            "{answer}"
        );
    }
    for body in [
        "",
        "<html>",
        "{\"user\":{\"id\":\"a\"},\"user\":{\"id\":\"b\"}}",
    ] {
        let outcome = sessions(&answering(body))
            .authenticate(None, &[COOKIE], now())
            .await;
        assert_eq!(reason(outcome), Err(Reason::MalformedSession), "{body}");
    }
}

#[tokio::test]
async fn a_refusal_is_invalid_and_a_failure_is_unavailable() {
    let lookup = answering(good_answer());
    let sessions = sessions(&lookup);
    *lookup.problem.lock().unwrap() = Some(LookupError::Refused);
    assert_eq!(
        reason(sessions.authenticate(None, &[COOKIE], now()).await),
        Err(Reason::NoSession)
    );
    let retry_after = Some(Duration::from_secs(5));
    *lookup.problem.lock().unwrap() = Some(LookupError::Unavailable {
        message: "answered 500".to_owned(),
        retry_after,
    });
    let later = now().plus(REFUSED_FOR);
    let outcome = sessions.authenticate(None, &[COOKIE], later).await;
    assert!(
        matches!(outcome, Err(Error::Unavailable { retry_after, .. }) if retry_after.as_secs() == 5),
        "{outcome:?}"
    );
    assert!(sessions.authenticate(None, &[COOKIE], later).await.is_ok());
}

#[tokio::test]
async fn r02_one_address_that_guesses_cookies_shuts_out_itself_alone() {
    let lookup = answering("null");
    let (sessions, moment) = (sessions(&lookup), now());
    let guess = async |client: &str, cookie: String| {
        let cookie = format!("better-auth.session_token={cookie}");
        let client = Some(client.parse().unwrap());
        sessions.authenticate(client, &[cookie], moment).await
    };
    let mut asked = 0;
    for number in 0..1_000 {
        match guess("192.0.2.1", number.to_string()).await {
            Err(Error::Invalid(_)) => asked += 1,
            Err(Error::Unavailable { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lookup.asked.lock().unwrap().len(), asked);
    assert!(asked < 100, "{asked}");
    *lookup.answer.lock().unwrap() = Some(good_answer().into_bytes());
    assert!(guess("192.0.2.2", "own".to_owned()).await.is_ok());
    assert!(
        guess("192.0.2.1", "own".to_owned()).await.is_ok(),
        "known meanwhile"
    );
}

#[tokio::test]
async fn answers_are_believed_for_seconds() {
    let lookup = answering(good_answer());
    let (sessions, start) = (sessions(&lookup), now());
    for second in [0, 5, 9] {
        assert!(
            sessions
                .authenticate(None, &[COOKIE], start.plus(Duration::from_secs(second)))
                .await
                .is_ok()
        );
    }
    assert_eq!(lookup.asked.lock().unwrap().len(), 1);
    *lookup.answer.lock().unwrap() = Some(b"null".to_vec());
    for (second, count) in [(10, 2), (14, 2), (15, 3)] {
        let outcome = sessions
            .authenticate(None, &[COOKIE], start.plus(Duration::from_secs(second)))
            .await;
        assert_eq!(reason(outcome), Err(Reason::NoSession));
        assert_eq!(lookup.asked.lock().unwrap().len(), count);
    }
}

#[tokio::test]
async fn s08_a_sign_out_while_the_answer_is_under_way_is_not_undone_by_it() {
    let hold = Arc::new(Notify::new());
    let lookup = Arc::new(TestLookup {
        answer: Mutex::new(Some(good_answer().into())),
        hold: Some(Arc::clone(&hold)),
        ..TestLookup::default()
    });
    let sessions = sessions(&lookup);
    let sign_out = SignOut {
        issuer: "https://issuer.example".to_owned(),
        subject: Some("user-1".to_owned()),
        session: None,
    };
    let start = now();
    let mut first = Box::pin(sessions.authenticate(None, &[COOKIE], start));
    assert!(futures::poll!(&mut first).is_pending());
    sessions.forget(&sign_out);
    hold.notify_one();
    // It came before.
    assert!(first.await.is_ok());
    *lookup.answer.lock().unwrap() = Some(b"null".to_vec());
    hold.notify_one();
    let after = sessions.authenticate(None, &[COOKIE], start).await;
    assert_eq!(reason(after), Err(Reason::NoSession));
    assert_eq!(lookup.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn questions_are_bounded() {
    let hold = Arc::new(Notify::new());
    let lookup = Arc::new(TestLookup {
        answer: Mutex::new(Some(good_answer().into_bytes())),
        hold: Some(Arc::clone(&hold)),
        ..TestLookup::default()
    });
    let sessions = Arc::new(sessions(&lookup));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..300 {
        let sessions = Arc::clone(&sessions);
        tasks.spawn(async move {
            let cookie = format!("better-auth.session_token=user{number}");
            sessions.authenticate(None, &[&cookie], now()).await.is_ok()
        });
    }
    let mut outcomes = Vec::new();
    while outcomes.len() < 300 - MAX_WAITING {
        outcomes.push(tasks.join_next().await.unwrap().unwrap());
    }
    assert!(
        outcomes.iter().all(|is_ok| !is_ok),
        "those beyond the queue are told to come back"
    );
    while !tasks.is_empty() {
        hold.notify_waiters();
        tokio::task::yield_now().await;
        while let Some(outcome) = tasks.try_join_next() {
            outcomes.push(outcome.unwrap());
        }
    }
    assert_eq!(outcomes.iter().filter(|is_ok| **is_ok).count(), MAX_WAITING);
    assert_eq!(lookup.most_running.load(Ordering::SeqCst), MAX_LOOKUPS);
}

#[test]
fn o03_o04_cookies_in_pieces_and_cookies_that_came_twice() {
    let name = "s";
    for (headers, expected) in [
        (&["s=1"][..], Ok(Some("s=1"))),
        (&["a=0; s=1;b=2"], Ok(Some("s=1"))),
        (&["a=0", "s=1"], Ok(Some("s=1"))),
        (&["s=a=b"], Ok(Some("s=a=b"))),
        (&["s="], Ok(None)),
        (&["S=1; ss=2; s2=3; as=4; s"], Ok(None)),
        (&[""], Ok(None)),
        (&[], Ok(None)),
        (&["s=1; s=1"], Ok(Some("s=1"))),
        (&["s=1; s=2"], Err(BearerError::AmbiguousCookie)),
        (&["s=1", "s=2"], Err(BearerError::AmbiguousCookie)),
        (&["s.1=b; s.0=a"], Ok(Some("s.0=a; s.1=b"))),
        (&["s.0=a; s.2=c"], Err(BearerError::AmbiguousCookie)),
        (&["s.1=b"], Err(BearerError::AmbiguousCookie)),
        (&["s=1; s.0=a"], Err(BearerError::AmbiguousCookie)),
        (&["s.0=a; s.0=b"], Err(BearerError::AmbiguousCookie)),
        (&["s.8=a"], Err(BearerError::AmbiguousCookie)),
        (&["s.00=a"], Err(BearerError::AmbiguousCookie)),
        (&["s.0=a; s.+1=b"], Err(BearerError::AmbiguousCookie)),
        (&["s.x=a"], Ok(None)),
    ] {
        let outcome = session_cookie(headers, name).map_err(|error| match error {
            Error::Malformed(problem) => problem,
            other => panic!("{other:?}"),
        });
        assert_eq!(
            outcome,
            expected.map(|cookie: Option<&str>| cookie.map(str::to_owned)),
            "{headers:?}"
        );
    }
    let long = format!("s={}", "x".repeat(MAX_COOKIE_BYTES));
    assert!(matches!(
        session_cookie(&[&long], name),
        Err(Error::Malformed(BearerError::CookieTooLong))
    ));
    let whole: Vec<String> = (0..8).map(|piece| format!("s.{piece}={piece}")).collect();
    assert_eq!(
        session_cookie(&[&whole.join("; ")], name).unwrap().unwrap(),
        whole.join("; ")
    );
}

#[tokio::test]
async fn recorded_better_auth_sessions_are_read() {
    let recorded: Value =
        serde_json::from_str(include_str!("../../tests/data/better_auth.json")).unwrap();
    let sample = &recorded["EdDSA"];
    let base = Url::parse(sample["issuer"].as_str().unwrap()).unwrap();
    let row = Issuer::better_auth(&base).unwrap();
    let moment = UnixTime::from_seconds(sample["issued_at"].as_i64().unwrap());
    let identity =
        read_session(sample["get_session"].to_string().as_bytes(), &row, moment).unwrap();
    assert_eq!(identity.subject(), sample["subject"]);
    assert_eq!(identity.issuer(), sample["issuer"]);
    let later = NOW.plus(Duration::from_hours(24 * 365));
    assert_eq!(
        read_session(sample["get_session"].to_string().as_bytes(), &row, later),
        Err(Reason::SessionExpired)
    );
    let anonymous = sample["get_session_anonymous"].as_str().unwrap();
    assert_eq!(
        read_session(anonymous.as_bytes(), &row, moment),
        Err(Reason::NoSession)
    );
    let cookie = sample["cookie"].as_str().unwrap();
    assert_eq!(
        session_cookie(&[cookie], "better-auth.session_token")
            .unwrap()
            .as_deref(),
        Some(cookie)
    );
}
