//! Public tokens and their visitors.

use super::*;
use crate::{
    client_secret::{ClientSecretLimits, ClientSecrets, NewChatSession},
    error::Refusal,
    ports::OpenedBy,
    testing::{MemoryStore, NOW, TestRandom},
};

fn setup() -> (PublicTokens, Arc<Domains>, Arc<dyn CredentialStore>) {
    let store: Arc<dyn CredentialStore> = Arc::new(MemoryStore::default());
    let random: Arc<dyn Random> = Arc::new(TestRandom::default());
    let domains = Arc::new(Domains::new(
        Arc::clone(&store),
        Arc::clone(&random),
        Vec::new(),
        None,
    ));
    (
        PublicTokens::new(Arc::clone(&store), random, Arc::clone(&domains)),
        domains,
        store,
    )
}

fn new(environment: Environment, origins: &[&str]) -> NewPublicToken {
    NewPublicToken {
        label: "demo".to_owned(),
        environment,
        origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        workflow: None,
        quotas: Quotas::default(),
    }
}

fn reason<T: fmt::Debug>(outcome: Result<T, Error>) -> Reason {
    match outcome {
        Err(Error::Invalid(rejection)) => rejection.reason(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn s09_a_token_works_for_pages_of_its_origins_only() {
    let (tokens, domains, _) = setup();
    let (token, record) = tokens
        .create(new(Environment::Live, &["https://a.example"]), NOW)
        .await
        .unwrap();
    domains
        .add("https://b.example", Environment::Live, NOW)
        .await
        .unwrap();
    let token = token.expose_secret();
    assert!(token.starts_with("pk_live_") && token.starts_with(record.hint.trim_end_matches('…')));
    assert_eq!(
        tokens
            .authenticate(token, &["https://a.example"], NOW)
            .await
            .unwrap(),
        record
    );
    let refused = tokens
        .authenticate(token, &["https://b.example"], NOW)
        .await
        .unwrap_err();
    let Error::Forbidden(refusal) = refused else {
        panic!("{refused}")
    };
    let Refusal::Origin(refusal) = *refusal else {
        panic!("{refusal}")
    };
    assert!(matches!(refusal.cause(), OriginCause::NotForToken(_)));
    assert_eq!(
        refusal.command().as_deref(),
        Some("vestibule token create --origin https://b.example --env live")
    );
    for origin in [
        &["https://c.example"][..],
        &["null"],
        &[],
        &["http://localhost:3000"],
    ] {
        let outcome = tokens.authenticate(token, origin, NOW).await;
        assert!(
            matches!(&outcome, Err(Error::Forbidden(refusal)) if matches!(**refusal, Refusal::Origin(_))),
            "{origin:?}"
        );
    }
    // The allowlist has the last word.
    domains
        .remove("https://a.example", Environment::Live)
        .await
        .unwrap();
    assert!(
        tokens
            .authenticate(token, &["https://a.example"], NOW)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn d03_test_tokens_work_on_this_machine_without_registration() {
    let (tokens, _, _) = setup();
    let (token, _) = tokens
        .create(new(Environment::Test, &[]), NOW)
        .await
        .unwrap();
    assert!(
        tokens
            .authenticate(token.expose_secret(), &["http://localhost:5173"], NOW)
            .await
            .is_ok()
    );
    assert!(
        tokens
            .authenticate(token.expose_secret(), &["https://a.example"], NOW)
            .await
            .is_err()
    );
    for (origins, environment) in [
        (&[][..], Environment::Live),
        (&["http://localhost:3000"], Environment::Live),
        (&["https://a.example/"], Environment::Live),
        (&["*"], Environment::Test),
    ] {
        assert!(
            matches!(
                tokens.create(new(environment, origins), NOW).await,
                Err(Error::Unusable(_))
            ),
            "{origins:?}"
        );
    }
    let many: Vec<String> = (0..21)
        .map(|number| format!("https://{number}.example"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(matches!(
        tokens.create(new(Environment::Live, &many), NOW).await,
        Err(Error::Unusable(_))
    ));
}

#[tokio::test]
async fn visitors_come_back_with_their_resume_token_and_never_to_another_token() {
    let (tokens, _, store) = setup();
    let (_, one) = tokens
        .create(new(Environment::Test, &[]), NOW)
        .await
        .unwrap();
    let (_, other) = tokens
        .create(new(Environment::Test, &[]), NOW)
        .await
        .unwrap();
    let first = tokens.visit(&one, None, NOW, NOW).await.unwrap();
    let resume = first.resume.as_ref().unwrap().expose_secret();
    assert_eq!(first.identity.issuer(), format!("visitor:{}", one.id));
    assert!(first.identity.subject().starts_with("vis_"));

    let later = NOW.plus(std::time::Duration::from_hours(24));
    let again = tokens
        .visit(&one, Some(resume), later, later)
        .await
        .unwrap();
    assert!(again.resume.is_none());
    assert!(again.identity.is_same_user(&first.identity));
    assert_eq!(
        store
            .find_visitor(&first.record.resume_digest)
            .await
            .unwrap()
            .unwrap()
            .last_seen_at,
        later
    );

    let unknown = credential::mint(Kind::ResumeToken, &TestRandom::default()).unwrap();
    for (token, resume) in [
        (&one, None),
        (&one, Some("")),
        (&one, Some("vk_typo")),
        (&other, Some(resume)),
        (
            &one,
            Some(unknown.expose_secret().trim_start_matches("vk_")),
        ),
    ] {
        let visitor = tokens.visit(token, resume, NOW, NOW).await.unwrap();
        assert!(
            visitor.resume.is_some() && !visitor.identity.is_same_user(&first.identity),
            "{resume:?}"
        );
    }
}

#[tokio::test]
async fn s07_revoking_a_token_ends_its_visitors_sessions_at_once() {
    let (tokens, _, store) = setup();
    let (token, record) = tokens
        .create(new(Environment::Test, &[]), NOW)
        .await
        .unwrap();
    let visitor = tokens.visit(&record, None, NOW, NOW).await.unwrap();
    let secrets = ClientSecrets::new(
        store,
        Arc::new(TestRandom::default()),
        ClientSecretLimits::default(),
    );
    let session = NewChatSession {
        identity: &visitor.identity,
        workflow: "wf_demo".to_owned(),
        origins: Vec::new(),
        state: serde_json::Map::new(),
        opened_by: OpenedBy::PublicToken(record.id.clone()),
        secret_lifetime: std::time::Duration::from_hours(1),
        is_renewable: true,
    };
    let issued = secrets.open(session, NOW).await.unwrap();
    assert!(
        secrets
            .authenticate(issued.secret.expose_secret(), NOW)
            .await
            .is_ok()
    );
    assert!(tokens.revoke(&record.id, NOW).await.unwrap());
    assert!(!tokens.revoke(&record.id, NOW).await.unwrap());
    assert_eq!(
        reason(
            secrets
                .authenticate(issued.secret.expose_secret(), NOW)
                .await
        ),
        Reason::Revoked
    );
    let outcome = tokens
        .authenticate(token.expose_secret(), &["http://localhost"], NOW)
        .await;
    assert_eq!(reason(outcome), Reason::Revoked);
    assert_eq!(tokens.list().await.unwrap()[0].revoked_at, Some(NOW));
}

#[tokio::test]
async fn s10_other_kinds_are_not_public_tokens() {
    let (tokens, _, _) = setup();
    let random = TestRandom::default();
    for kind in [
        Kind::ServerKey,
        Kind::DomainKey(Environment::Live),
        Kind::ResumeToken,
    ] {
        let text = credential::mint(kind, &random).unwrap();
        let outcome = tokens
            .authenticate(text.expose_secret(), &["https://a.example"], NOW)
            .await;
        assert_eq!(reason(outcome), Reason::WrongKind, "{kind:?}");
    }
}
