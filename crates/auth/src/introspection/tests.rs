//! Answers that are under way while their person signs out. Whole introspections are tested over HTTP, by the test kit.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Notify;

use super::*;
use crate::{
    issuer::{Issuer, Issuers, Keys},
    jwk::Key,
    jwks::{KeyCacheLimits, KeySet},
    jws::Algorithm,
    ports::{KeyFetch, Random},
    testing::{NOW, TestFetch, TestRandom, now},
};

/// An issuer that answers when it is told to.
struct Slow {
    answer: Mutex<Value>,
    asked: AtomicUsize,
    go: Notify,
}

#[async_trait]
impl TokenIntrospection for Slow {
    async fn introspect(&self, _: Introspection<'_>) -> Result<Vec<u8>, LookupError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // What holds when it is asked, however long it takes to say so.
        let answer = self.answer.lock().unwrap().to_string();
        self.go.notified().await;
        Ok(answer.into())
    }
}

fn issuers(port: &Arc<Slow>) -> Issuers {
    let secret = vec![7; 32].into();
    let key = Key::from_secret(&secret, Algorithm::Hs256, None).unwrap();
    let audience = Audience::aud(["chat"]);
    let issuer = Issuer {
        introspection: Some(IntrospectionRule {
            address: Url::parse("https://issuer.example/introspect").unwrap(),
            client_id: "chat".to_owned(),
            client_secret: "secret".into(),
            auth_method: ClientAuthMethod::Basic,
            audience: audience.clone(),
            shape: OpaqueShape::Prefix("tok_".to_owned()),
            believed_for: MAX_BELIEVED_FOR,
        }),
        ..Issuer::new(
            "https://issuer.example",
            Keys::Configured(KeySet::from_keys([key])),
            &[Algorithm::Hs256],
            audience,
        )
    };
    let fetch: Arc<dyn KeyFetch> = Arc::new(TestFetch::default());
    let random: Arc<dyn Random> = Arc::new(TestRandom::default());
    let limits = KeyCacheLimits::default();
    let issuers = Issuers::new(vec![issuer], limits, &fetch, &random).unwrap();
    let port: Arc<dyn TokenIntrospection> = Arc::<Slow>::clone(port);
    issuers.with_introspection(port).unwrap()
}

#[tokio::test]
async fn s08_a_sign_out_while_the_answer_is_under_way_is_not_undone_by_it() {
    let end = NOW.seconds() + 900;
    let active = json!({ "active": true, "sub": "ada", "aud": "chat", "exp": end });
    let port = Arc::new(Slow {
        answer: Mutex::new(active),
        asked: AtomicUsize::new(0),
        go: Notify::new(),
    });
    let (issuers, moment) = (issuers(&port), now());
    let sign_out = SignOut {
        issuer: "https://issuer.example".to_owned(),
        subject: Some("ada".to_owned()),
        session: None,
    };
    let ask = || Box::pin(issuers.authenticate("tok_1", moment));
    let (mut before, mut after) = (ask(), ask());
    assert!(futures::poll!(&mut before).is_pending());
    issuers.forget(&sign_out);
    *port.answer.lock().unwrap() = json!({ "active": false });
    // It joins the question that is under way, which is from before.
    assert!(futures::poll!(&mut after).is_pending());
    assert_eq!(port.asked.load(Ordering::SeqCst), 1);
    port.go.notify_one();
    assert!(before.await.is_ok());
    port.go.notify_one();
    for refused in [after.await, ask().await] {
        assert!(
            matches!(&refused, Err(Error::Invalid(rejection)) if rejection.reason() == Reason::Inactive),
            "{refused:?}"
        );
    }
    assert_eq!(port.asked.load(Ordering::SeqCst), 2);
}
