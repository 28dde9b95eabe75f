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
    assert_eq!(user.owner_key(), "key:shop customer 7");
    assert_eq!(user.environment(), Environment::Test);
    assert!(matches!(user_of(&record, "", NOW), Err(Error::Unusable(_))));
    for project in ["", "a b", "a:b", &"x".repeat(65), "ü"] {
        let outcome = keys.create("", project, Environment::Test, NOW).await;
        assert!(matches!(outcome, Err(Error::Unusable(_))), "{project:?}");
    }
    assert!(matches!(
        keys.create("a\nb", "shop", Environment::Test, NOW).await,
        Err(Error::Unusable(_))
    ));
}
