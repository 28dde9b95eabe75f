//! Server keys.

use super::*;
use crate::testing::{MemoryStore, NOW, TestRandom};

fn keys() -> ServerKeys {
    ServerKeys::new(
        Arc::new(MemoryStore::default()),
        Arc::new(TestRandom::default()),
    )
}

#[tokio::test]
async fn s09_server_keys_work_from_servers_and_never_from_pages() {
    let keys = keys();
    let (key, record) = keys
        .create("backend", "default", Environment::Live, NOW)
        .await
        .unwrap();
    let key = key.expose_secret();
    assert_eq!(keys.authenticate(key, &[]).await.unwrap(), record);
    for origin in ["https://a.example", "null", "http://localhost:3000"] {
        let error = keys.authenticate(key, &[origin]).await.unwrap_err();
        assert!(
            matches!(&error, Error::Forbidden(refusal) if **refusal == Refusal::ServerKeyInBrowser),
            "{error:?}"
        );
    }
    assert!(keys.revoke(&record.id, NOW).await.unwrap());
    let error = keys.authenticate(key, &[]).await.unwrap_err();
    assert!(matches!(error, Error::Invalid(rejection) if rejection.reason() == Reason::Revoked));
    assert_eq!(keys.list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn s10_other_kinds_are_not_server_keys() {
    let random = TestRandom::default();
    for kind in [
        Kind::PublicToken(Environment::Live),
        Kind::DomainKey(Environment::Live),
        Kind::ResumeToken,
    ] {
        let text = credential::mint(kind, &random).unwrap();
        let error = keys()
            .authenticate(text.expose_secret(), &[])
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Invalid(rejection) if rejection.reason() == Reason::WrongKind),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn users_of_a_server_belong_to_its_project() {
    let keys = keys();
    let (_, record) = keys
        .create("", "shop", Environment::Test, NOW)
        .await
        .unwrap();
    let user = user_of(&record, "customer 7", NOW).unwrap();
    assert_eq!(user.owner_key(), "key:shop:test customer 7");
    assert_eq!(user.environment(), Environment::Test);
    let (_, live) = keys
        .create("", "shop", Environment::Live, NOW)
        .await
        .unwrap();
    let live = user_of(&live, "customer 7", NOW).unwrap();
    assert_eq!(live.owner_key(), "key:shop customer 7");
    assert!(user_of(&record, &"ü".repeat(512), NOW).is_ok());
    for user in ["", "a\nb", &"x".repeat(2_049)] {
        assert!(matches!(
            user_of(&record, user, NOW),
            Err(Error::Unusable(_))
        ));
    }
    for project in ["", "a b", "a:b", &"x".repeat(65), "ü"] {
        let outcome = keys.create("", project, Environment::Test, NOW).await;
        assert!(matches!(outcome, Err(Error::Unusable(_))), "{project:?}");
    }
    assert!(matches!(
        keys.create("a\nb", "shop", Environment::Test, NOW).await,
        Err(Error::Unusable(_))
    ));
}

#[tokio::test]
async fn a_key_that_was_made_elsewhere_is_imported_and_found_by_its_digest() {
    let keys = keys();
    for (text, hint) in [
        ("sk-proj-T3vB9kQx7LmZ2pRw8HnYc5JdF1sG6a", "sk-proj-…"),
        ("my api key 9f86d081884c7d659a2feaa0c55ad015", "my api k…"),
    ] {
        let key = SecretString::from(text);
        let record = keys
            .import(&key, "moved", "shop", Environment::Live, NOW)
            .await
            .unwrap();
        assert_eq!(record.hint, hint);
        assert_eq!(record.digest, credential::digest(text));
        assert_eq!(keys.authenticate(text, &[]).await.unwrap(), record);
        assert!(
            keys.authenticate(text, &["https://a.example"])
                .await
                .is_err()
        );

        let again = keys.import(&key, "", "other", Environment::Live, NOW).await;
        assert!(matches!(again, Err(Error::Unusable(_))), "{again:?}");
        keys.revoke(&record.id, NOW).await.unwrap();
        let again = keys.import(&key, "", "shop", Environment::Live, NOW).await;
        assert!(
            matches!(again, Err(Error::Unusable(_))),
            "a revoked key stays revoked"
        );
    }
    let error = keys.authenticate("sk-proj-unknown", &[]).await.unwrap_err();
    assert!(
        matches!(error, Error::Invalid(rejection) if rejection.reason() == Reason::UnknownCredential)
    );
}

#[tokio::test]
async fn what_cannot_be_a_key_from_elsewhere_is_not_imported() {
    let keys = keys();
    let own = credential::mint(Kind::ServerKey, &TestRandom::default()).unwrap();
    for text in [
        "",
        "short",
        " padded key",
        "padded key ",
        "a\tb c d e f",
        "schlüssel",
        "\"sk-proj-T3vB9kQx7LmZ2pRw8HnYc5JdF1sG6aKe4UoXi0Mt\"",
        "Bearer sk-proj-T3vB9kQx7LmZ2pRw8HnYc5JdF1sG6aKe4UoXi0Mt",
        "OPENAI_API_KEY=sk-proj-T3vB9kQx7LmZ2pRw8HnYc5JdF1sG6aKe4UoXi0Mt",
        "sk_live_0123456789",
        "ek_0123456789",
        "pk_something",
        own.expose_secret(),
        &"x".repeat(513),
    ] {
        let outcome = keys
            .import(&text.into(), "", "shop", Environment::Live, NOW)
            .await;
        let Err(Error::Unusable(message)) = outcome else {
            panic!("{text:?} was imported")
        };
        assert!(text.len() < 6 || !message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn s12_a_key_that_could_be_guessed_is_taken_in_for_trying_out_only() {
    let keys = keys();
    let key = SecretString::from("My API Key");
    let outcome = keys.import(&key, "", "shop", Environment::Test, NOW).await;
    let Err(Error::Unusable(message)) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        message.contains("of its 10 characters") && message.contains("128"),
        "it says what it counted: {message}"
    );
    assert!(!message.contains("My API"), "{message}");
    let record = keys.import_weak(&key, "", "shop", NOW).await.unwrap();
    assert_eq!(record.environment, Environment::Test);
    assert_eq!(keys.authenticate("My API Key", &[]).await.unwrap(), record);
}
