//! Minting, checking, replacing and ending client secrets.

use std::sync::atomic::Ordering;

use serde_json::json;

use super::*;
use crate::{
    identity::Environment,
    testing::{MemoryStore, NOW, TestRandom},
};

const HOUR: Duration = Duration::from_hours(1);
const WORKFLOW: &str = "wf_demo";

fn setup() -> (ClientSecrets, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::default());
    let port: Arc<dyn CredentialStore> = Arc::<MemoryStore>::clone(&store);
    (
        ClientSecrets::new(
            port,
            Arc::new(TestRandom::default()),
            ClientSecretLimits::default(),
        ),
        store,
    )
}

fn user(subject: &str) -> Identity {
    let claims = json!({ "name": "Ada" }).as_object().unwrap().clone();
    Identity::new(
        "https://issuer.example",
        subject,
        Arc::new(claims),
        Environment::Live,
        NOW,
    )
    .unwrap()
}

fn new(identity: &Identity) -> NewChatSession<'_> {
    NewChatSession {
        identity,
        workflow: "wf_demo".to_owned(),
        origins: Vec::new(),
        state: Map::new(),
        opened_by: OpenedBy::User,
        secret_lifetime: HOUR,
        is_renewable: true,
    }
}

fn at(seconds: u64) -> UnixTime {
    NOW.plus(Duration::from_secs(seconds))
}

fn text(issued: &IssuedSecret) -> &str {
    issued.secret.expose_secret()
}

fn reason<T: fmt::Debug>(outcome: Result<T, Error>) -> Reason {
    match outcome {
        Err(Error::Invalid(rejection)) => rejection.reason(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn s04_a_secret_is_bound_to_its_user_environment_and_workflow() {
    let (secrets, _) = setup();
    let issued = secrets.open(new(&user("ada")), NOW).await.unwrap();
    assert_eq!(issued.expires_at, NOW.plus(HOUR));
    assert_eq!(
        credential::expiry_of(text(&issued)),
        Some(issued.expires_at)
    );
    let session = secrets.authenticate(text(&issued), at(10)).await.unwrap();
    assert_eq!(session.identity.owner_key(), "https://issuer.example ada");
    assert_eq!(session.identity.environment(), Environment::Live);
    assert_eq!(session.identity.claims()["name"], "Ada");
    assert_eq!(session.identity.expires_at(), issued.expires_at);
    assert_eq!(session.record.workflow, "wf_demo");
    assert_eq!(session.record.opened_by, OpenedBy::User);
    assert!(session.record.id.starts_with("cksess_"));

    assert!(secrets.authenticate(text(&issued), at(3_599)).await.is_ok());
    assert_eq!(
        reason(secrets.authenticate(text(&issued), at(3_600)).await),
        Reason::Expired
    );
    let ada = user("ada");
    let many = NewChatSession {
        origins: vec![String::new(); 21],
        ..new(&ada)
    };
    assert!(matches!(
        secrets.open(many, NOW).await,
        Err(Error::Unusable(_))
    ));
}

#[tokio::test]
async fn s01_typos_and_other_kinds_cost_no_read() {
    let (secrets, store) = setup();
    let issued = secrets.open(new(&user("ada")), NOW).await.unwrap();
    let calls = store.calls.load(Ordering::SeqCst);
    let mut typo = text(&issued).to_owned();
    typo.replace_range(10..11, if &typo[10..11] == "A" { "B" } else { "A" });
    let public = credential::mint(Kind::ServerKey, &TestRandom::default()).unwrap();
    for (presented, expected) in [
        (typo.as_str(), Reason::Misspelled),
        (public.expose_secret(), Reason::WrongKind),
        ("eyJhbGciOiJFZERTQSJ9.e30.AA", Reason::WrongKind),
        ("", Reason::WrongKind),
    ] {
        assert_eq!(reason(secrets.authenticate(presented, NOW).await), expected);
        assert_eq!(
            reason(
                secrets
                    .rotate(presented, &user("ada"), Some(WORKFLOW), HOUR, NOW)
                    .await
            ),
            expected
        );
    }
    assert_eq!(store.calls.load(Ordering::SeqCst), calls);
    let unknown = credential::client_secret(&[9; 32], NOW.plus(HOUR)).unwrap();
    assert_eq!(
        reason(secrets.authenticate(unknown.expose_secret(), NOW).await),
        Reason::UnknownCredential
    );
}

#[tokio::test]
async fn s02_nothing_at_rest_can_be_used() {
    let (secrets, store) = setup();
    let ada = user("ada");
    let first = secrets.open(new(&ada), NOW).await.unwrap();
    let second = secrets
        .rotate(text(&first), &ada, Some(WORKFLOW), HOUR, at(1))
        .await
        .unwrap();
    let dump = store.dump();
    for issued in [&first, &second] {
        assert!(!dump.contains(text(issued)));
        assert!(!dump.contains(&text(issued)[3..46]));
        assert!(!format!("{issued:?}").contains(&text(issued)[3..46]));
    }
}

#[tokio::test]
async fn s06_rotation_replaces_and_a_retry_gets_the_same_answer() {
    let (secrets, store) = setup();
    let ada = user("ada");
    let first = secrets.open(new(&ada), NOW).await.unwrap();
    let calls = store.calls.load(Ordering::SeqCst);
    let second = secrets
        .rotate(text(&first), &ada, Some(WORKFLOW), HOUR, at(100))
        .await
        .unwrap();
    assert_eq!(store.calls.load(Ordering::SeqCst), calls + 1);
    assert_ne!(text(&first), text(&second));
    assert_eq!(second.expires_at, at(3_700));
    assert_eq!(second.session.id, first.session.id);
    // The answer was lost; another lifetime in the configuration meanwhile changes nothing.
    for second_later in [0, 1, 30] {
        let retry = secrets
            .rotate(
                text(&first),
                &ada,
                Some(WORKFLOW),
                HOUR * 2,
                at(100 + second_later),
            )
            .await
            .unwrap();
        assert_eq!(
            (text(&retry), retry.expires_at),
            (text(&second), second.expires_at)
        );
    }
    // Requests that are under way with the old one do not fail.
    assert!(secrets.authenticate(text(&first), at(130)).await.is_ok());
    assert_eq!(
        reason(secrets.authenticate(text(&first), at(131)).await),
        Reason::Revoked
    );
    assert!(secrets.authenticate(text(&second), at(131)).await.is_ok());
}

#[tokio::test]
async fn s06_reuse_after_the_window_ends_the_family() {
    let (secrets, _) = setup();
    let ada = user("ada");
    let first = secrets.open(new(&ada), NOW).await.unwrap();
    let second = secrets
        .rotate(text(&first), &ada, Some(WORKFLOW), HOUR, NOW)
        .await
        .unwrap();
    let third = secrets
        .rotate(text(&second), &ada, Some(WORKFLOW), HOUR, at(10))
        .await
        .unwrap();
    // Somebody else's login does not end it: they learn nothing and change nothing.
    assert_eq!(
        reason(
            secrets
                .rotate(text(&first), &user("eve"), Some(WORKFLOW), HOUR, at(31))
                .await
        ),
        Reason::OtherUser
    );
    assert!(secrets.authenticate(text(&third), at(31)).await.is_ok());
    assert_eq!(
        reason(
            secrets
                .rotate(text(&first), &ada, Some(WORKFLOW), HOUR, at(31))
                .await
        ),
        Reason::AlreadyRotated
    );
    for issued in [&first, &second, &third] {
        assert_eq!(
            reason(secrets.authenticate(text(issued), at(32)).await),
            Reason::AlreadyRotated
        );
        assert_eq!(
            reason(
                secrets
                    .rotate(text(issued), &ada, Some(WORKFLOW), HOUR, at(32))
                    .await
            ),
            Reason::AlreadyRotated
        );
    }
    let session = secrets.get(&first.session.id).await.unwrap().unwrap();
    assert_eq!(
        session.ended,
        Some(End {
            at: at(31),
            reason: EndReason::Reused
        })
    );
}

#[tokio::test]
async fn s06_two_rotations_at_once_agree() {
    let (secrets, store) = setup();
    let ada = user("ada");
    let first = secrets.open(new(&ada), NOW).await.unwrap();
    // The second node reads before the first one writes: it loses the swap and gets the winner's
    // answer.
    let digest = credential::digest(text(&first));
    let nonce = [3; 32];
    let expires_at = at(500);
    let winner = derive(text(&first), &nonce, expires_at).unwrap();
    let next = secret_record(&winner, &first.session.id, at(5), expires_at);
    let rotation = Rotation {
        at: at(5),
        nonce,
        next: next.digest,
    };
    *store.overtaken_by.lock().unwrap() = Some((digest, rotation, next));
    // Also when it has to ask again, because the secret would outlive its session.
    let answer = secrets
        .rotate(text(&first), &ada, Some(WORKFLOW), HOUR * 24, at(5))
        .await
        .unwrap();
    assert!(store.overtaken_by.lock().unwrap().is_none());
    assert_eq!(
        (text(&answer), answer.expires_at),
        (winner.expose_secret(), expires_at)
    );
    assert!(secrets.authenticate(text(&answer), at(6)).await.is_ok());

    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (secrets, presented) = (secrets.clone(), text(&answer).to_owned());
        tasks.spawn(async move {
            let issued = secrets
                .rotate(&presented, &user("ada"), Some(WORKFLOW), HOUR, at(7))
                .await
                .unwrap();
            text(&issued).to_owned()
        });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn s06_a_family_has_an_absolute_end() {
    let (secrets, _) = setup();
    let ada = user("ada");
    let mut current = secrets.open(new(&ada), NOW).await.unwrap();
    let day = 24 * 60 * 60;
    for hour in 1..24 {
        current = secrets
            .rotate(text(&current), &ada, Some(WORKFLOW), HOUR, at(hour * 3_600))
            .await
            .unwrap();
    }
    current = secrets
        .rotate(text(&current), &ada, Some(WORKFLOW), HOUR, at(day - 60))
        .await
        .unwrap();
    assert_eq!(current.expires_at, at(day));
    assert_eq!(
        reason(
            secrets
                .rotate(text(&current), &ada, Some(WORKFLOW), HOUR, at(day))
                .await
        ),
        Reason::SessionExpired
    );
    assert_eq!(
        reason(secrets.authenticate(text(&current), at(day)).await),
        Reason::SessionExpired
    );
}

#[tokio::test]
async fn s06_a_page_that_was_asleep_can_still_refresh() {
    let (secrets, _) = setup();
    let ada = user("ada");
    let first = secrets.open(new(&ada), NOW).await.unwrap();
    assert_eq!(
        reason(secrets.authenticate(text(&first), at(7_200)).await),
        Reason::Expired
    );
    let second = secrets
        .rotate(text(&first), &ada, Some(WORKFLOW), HOUR, at(7_200))
        .await
        .unwrap();
    assert!(secrets.authenticate(text(&second), at(7_300)).await.is_ok());
}

#[tokio::test]
async fn s06_only_the_owner_refreshes() {
    let (secrets, _) = setup();
    let first = secrets.open(new(&user("ada")), NOW).await.unwrap();
    let same_subject = |issuer: &str, environment| {
        Identity::new(issuer, "ada", Arc::default(), environment, NOW).unwrap()
    };
    for other in [
        user("eve"),
        same_subject("https://other.example", Environment::Live),
        same_subject("https://issuer.example", Environment::Test),
    ] {
        assert_eq!(
            reason(
                secrets
                    .rotate(text(&first), &other, Some(WORKFLOW), HOUR, NOW)
                    .await
            ),
            Reason::OtherUser
        );
    }
    assert!(
        secrets
            .rotate(text(&first), &user("ada"), Some(WORKFLOW), HOUR, NOW)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn s05_a_user_has_a_bounded_number_of_sessions() {
    let (secrets, _) = setup();
    let ada = user("ada");
    let mut all = Vec::new();
    for number in 0..25 {
        all.push(secrets.open(new(&ada), at(number)).await.unwrap());
    }
    let other = secrets.open(new(&user("eve")), at(30)).await.unwrap();
    for (number, issued) in all.iter().enumerate() {
        let outcome = secrets.authenticate(text(issued), at(60)).await;
        assert_eq!(outcome.is_ok(), number >= 5, "{number}");
    }
    assert!(secrets.authenticate(text(&other), at(60)).await.is_ok());
    let ended = secrets
        .get(&all[0].session.id)
        .await
        .unwrap()
        .unwrap()
        .ended
        .unwrap();
    assert_eq!(ended.reason, EndReason::Displaced);
}

#[tokio::test]
async fn s07_revocation_works_at_once_and_unknown_ids_are_no_error() {
    let (secrets, _) = setup();
    let ada = user("ada");
    let one = secrets.open(new(&ada), NOW).await.unwrap();
    let two = secrets.open(new(&ada), NOW).await.unwrap();
    assert!(secrets.end(&one.session.id, at(1)).await.unwrap());
    assert!(!secrets.end(&one.session.id, at(2)).await.unwrap());
    assert!(!secrets.end("cksess_unknown", at(2)).await.unwrap());
    assert_eq!(
        reason(secrets.authenticate(text(&one), at(1)).await),
        Reason::Revoked
    );
    assert_eq!(
        reason(
            secrets
                .rotate(text(&one), &ada, Some(WORKFLOW), HOUR, at(1))
                .await
        ),
        Reason::Revoked
    );
    assert!(secrets.authenticate(text(&two), at(1)).await.is_ok());
    assert_eq!(
        secrets
            .end_all("https://issuer.example", "ada", at(3))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        reason(secrets.authenticate(text(&two), at(3)).await),
        Reason::Revoked
    );
    assert!(matches!(
        secrets.end_all("a b", "ada", at(3)).await,
        Err(Error::Unusable(_))
    ));
    let listed = secrets
        .list(&ChatSessionFilter::default(), 1_000)
        .await
        .unwrap();
    assert_eq!(listed.len(), 2);
}

#[tokio::test]
async fn s06_housekeeping_does_not_forget_what_may_be_reused() {
    let (secrets, store) = setup();
    let ada = user("ada");
    let first = secrets.open(new(&ada), NOW).await.unwrap();
    secrets
        .rotate(text(&first), &ada, Some(WORKFLOW), HOUR, NOW)
        .await
        .unwrap();
    let day = 24 * 60 * 60;
    // For a day and as long as the session lasts, although the secret has long expired.
    assert_eq!(secrets.purge(at(2 * day)).await.unwrap(), 0);
    assert_eq!(
        reason(
            secrets
                .rotate(text(&first), &ada, Some(WORKFLOW), HOUR, at(day - 1))
                .await
        ),
        Reason::AlreadyRotated
    );
    assert_eq!(secrets.purge(at(2 * day + 1)).await.unwrap(), 1);
    assert!(!store.dump().contains("digest"));
}

#[test]
fn derived_secrets_depend_on_everything() {
    let base = derive("ek_a", &[1; 32], NOW).unwrap();
    for other in [
        derive("ek_b", &[1; 32], NOW).unwrap(),
        derive("ek_a", &[2; 32], NOW).unwrap(),
        derive("ek_a", &[1; 32], at(1)).unwrap(),
    ] {
        assert_ne!(base.expose_secret(), other.expose_secret());
    }
    assert_eq!(
        base.expose_secret(),
        derive("ek_a", &[1; 32], NOW).unwrap().expose_secret()
    );
}
