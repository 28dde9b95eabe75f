//! Origins and the allowlist.

use proptest::prelude::*;

use super::*;
use crate::{
    error::Refusal,
    testing::{MemoryStore, NOW, TestRandom},
};

const LIVE: InHand = InHand::Nothing(Environment::Live);
const TEST: InHand = InHand::Nothing(Environment::Test);

fn domains_with(own: &[&str], only: Option<Environment>) -> (Domains, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::default());
    let port: Arc<dyn CredentialStore> = Arc::<MemoryStore>::clone(&store);
    let own = own
        .iter()
        .map(|origin| Origin::parse(origin).unwrap())
        .collect();
    (
        Domains::new(port, Arc::new(TestRandom::default()), own, only),
        store,
    )
}

fn domains() -> Domains {
    domains_with(&[], None).0
}

fn cause(outcome: Result<Origin, Error>) -> OriginCause {
    match outcome {
        Err(Error::Forbidden(refusal)) => match *refusal {
            Refusal::Origin(refusal) => refusal.cause().clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn d01_only_the_serialised_form_is_registered_and_the_error_shows_it() {
    for good in [
        "https://example.com",
        "http://example.com",
        "https://example.com:8443",
        "https://sub.example.com",
        "http://localhost:3000",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "https://xn--bcher-kva.example",
        "https://192.0.2.1",
        "https://[2001:db8::1]",
    ] {
        assert_eq!(Origin::parse(good).unwrap().as_str(), good);
    }
    for (bad, corrected) in [
        ("https://example.com/", "https://example.com"),
        ("HTTPS://Example.COM", "https://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("https://example.com/path?a#b", "https://example.com"),
        ("https://example.com?", "https://example.com"),
        ("https://example.com#", "https://example.com"),
        ("https://user@example.com", "https://example.com"),
        ("https://user:pass@example.com", "https://example.com"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://127.1", "https://127.0.0.1"),
        ("https://0x7f000001", "https://127.0.0.1"),
        ("https://[0:0:0:0:0:0:0:1]", "https://[::1]"),
        (" https://example.com", "https://example.com"),
        ("https:example.com", "https://example.com"),
        ("https:\\\\example.com", "https://example.com"),
        ("https://exa\tmple.com", "https://example.com"),
        ("https://example。com", "https://example.com"),
    ] {
        assert_eq!(
            Origin::parse(bad),
            Err(OriginError::NotSerialised(corrected.to_owned())),
            "{bad:?}"
        );
    }
    for (bad, expected) in [
        (
            "https://example.com.",
            OriginError::TrailingDot("https://example.com".to_owned()),
        ),
        (
            "https://example.com.:8443",
            OriginError::TrailingDot("https://example.com:8443".to_owned()),
        ),
        (
            "http://localhost.",
            OriginError::TrailingDot("http://localhost".to_owned()),
        ),
        ("https://*.example.com", OriginError::Wildcard),
        ("*", OriginError::Wildcard),
        ("https://$(reboot).example", OriginError::NotAnAddress),
        ("https://a;reboot;.example", OriginError::NotAnAddress),
        ("https://`id`.example", OriginError::NotAnAddress),
        ("https://a'b.example", OriginError::NotAnAddress),
        ("https://a&b.example", OriginError::NotAnAddress),
        ("example.com", OriginError::NotAnAddress),
        ("", OriginError::NotAnAddress),
        ("null", OriginError::NotAnAddress),
        ("https://", OriginError::NotAnAddress),
        ("https://exa mple.com", OriginError::NotAnAddress),
        ("https://[::1", OriginError::NotAnAddress),
        ("https://example.com:99999", OriginError::NotAnAddress),
        ("ftp://example.com", OriginError::OtherScheme),
        ("file:///etc", OriginError::OtherScheme),
        ("javascript:alert(1)", OriginError::OtherScheme),
        ("chrome-extension://abcdef", OriginError::OtherScheme),
        ("example.com:8443", OriginError::OtherScheme),
    ] {
        assert_eq!(Origin::parse(bad), Err(expected), "{bad:?}");
    }
    assert_eq!(
        Origin::parse(&format!("https://{}.example", "a".repeat(300))),
        Err(OriginError::TooLong)
    );
}

#[tokio::test]
async fn d02_origins_match_exactly() {
    let domains = domains();
    domains
        .add("https://example.com", Environment::Live, NOW)
        .await
        .unwrap();
    let check = |origin: &'static str| {
        let domains = &domains;
        async move { domains.check(&[origin], &LIVE, NOW).await }
    };
    assert!(check("https://example.com").await.is_ok());
    for other in [
        "https://www.example.com",
        "http://example.com",
        "https://example.com:8443",
        "https://example.com.evil.org",
        "https://evilexample.com",
        "https://example.co",
        "https://example.com.au",
        "https://xn--exmple-cua.com",
    ] {
        assert_eq!(
            cause(check(other).await),
            OriginCause::NotRegistered(Origin::parse(other).unwrap())
        );
    }
    for malformed in [
        "https://example.com.",
        "https://example.com@evil.org",
        "https://example.com/",
        "https://EXAMPLE.com",
        "https://example.com:443",
        "https://example.com https://evil.org",
        "https://evil.org,https://example.com",
        "",
        "https://example.com\n",
    ] {
        assert!(
            matches!(cause(check(malformed).await), OriginCause::Malformed(_)),
            "{malformed:?}"
        );
    }
}

#[tokio::test]
async fn d03_this_machine_is_free_for_test_and_never_for_live() {
    let domains = domains();
    for local in [
        "http://localhost",
        "http://localhost:3000",
        "https://localhost:8443",
        "http://app.localhost:5173",
        "http://127.0.0.1:8000",
        "http://127.255.0.7",
        "http://[::1]:3000",
        "https://[::1]",
    ] {
        assert!(domains.check(&[local], &TEST, NOW).await.is_ok(), "{local}");
        let refused = cause(domains.check(&[local], &LIVE, NOW).await);
        assert_eq!(
            refused,
            OriginCause::NotRegistered(Origin::parse(local).unwrap())
        );
        assert!(
            matches!(
                domains.add(local, Environment::Live, NOW).await,
                Err(Error::Unusable(_))
            ),
            "{local}"
        );
    }
    for other in [
        "http://localhost.evil.com",
        "http://127.0.0.1.nip.io",
        "http://0.0.0.0:8000",
        "http://[::]",
        "http://[::ffff:7f00:1]",
        "http://notlocalhost",
        "http://localhost.localdomain",
        "http://10.0.0.1",
        "http://192.168.0.1",
        "http://128.0.0.1",
        "https://evil-localhost",
    ] {
        let refused = cause(domains.check(&[other], &TEST, NOW).await);
        assert_eq!(
            refused,
            OriginCause::NotRegistered(Origin::parse(other).unwrap())
        );
    }
}

#[tokio::test]
async fn d03_a_live_page_comes_over_https() {
    let domains = domains();
    for origin in ["http://app.example.com", "http://10.0.0.1:8080"] {
        let outcome = domains.add(origin, Environment::Live, NOW).await;
        let Err(Error::Unusable(message)) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(message.contains("https"), "{message}");
        domains.add(origin, Environment::Test, NOW).await.unwrap();
    }
}

#[tokio::test]
async fn d04_pages_without_an_origin_are_refused() {
    let domains = domains();
    for environment in [Environment::Live, Environment::Test] {
        let check = |values: &'static [&'static str]| {
            let domains = &domains;
            async move {
                cause(
                    domains
                        .check(values, &InHand::Nothing(environment), NOW)
                        .await,
                )
            }
        };
        assert_eq!(check(&[]).await, OriginCause::Missing);
        assert_eq!(check(&["null"]).await, OriginCause::Opaque);
        assert_eq!(
            check(&["http://localhost", "http://localhost"]).await,
            OriginCause::Repeated
        );
    }
    // What cannot be added is not offered for adding.
    assert!(domains.refusals().await.unwrap().is_empty());
}

#[tokio::test]
async fn d05_keys_and_origins_stay_in_their_environment() {
    let (domains, _) = domains_with(&[], None);
    let live = domains
        .add("https://example.com", Environment::Live, NOW)
        .await
        .unwrap();
    let test = domains
        .add("https://staging.example.com", Environment::Test, NOW)
        .await
        .unwrap();
    assert!(live.key.starts_with("dk_live_") && test.key.starts_with("dk_test_"));
    let verify = |key: &str, origin: &'static str| {
        let (domains, key) = (&domains, key.to_owned());
        async move { domains.verify_key(&key, &[origin], NOW).await }
    };
    assert_eq!(
        verify(&live.key, "https://example.com").await.unwrap(),
        Environment::Live
    );
    assert_eq!(
        verify(&test.key, "https://staging.example.com")
            .await
            .unwrap(),
        Environment::Test
    );
    assert_eq!(
        verify(&test.key, "http://localhost:3000").await.unwrap(),
        Environment::Test
    );
    for (key, origin) in [
        (&live.key, "https://staging.example.com"),
        (&live.key, "http://localhost:3000"),
        (&test.key, "https://example.com"),
        (&test.key, "https://other.example"),
    ] {
        assert!(
            matches!(verify(key, origin).await, Err(Error::Forbidden(_))),
            "{key} at {origin}"
        );
    }
    domains
        .add("https://second.example", Environment::Live, NOW)
        .await
        .unwrap();
    let foreign = verify(&live.key, "https://second.example")
        .await
        .unwrap_err();
    let foreign = cause(Err(foreign));
    assert!(matches!(foreign, OriginCause::WrongKey(_)), "{foreign:?}");
    assert!(matches!(
        verify("pk_live_x", "https://example.com").await,
        Err(Error::Invalid(_))
    ));

    domains
        .remove("https://example.com", Environment::Live)
        .await
        .unwrap();
    // Removed and registered again: there is a new key, and the command that prints it is the same.
    domains
        .add("https://example.com", Environment::Live, NOW)
        .await
        .unwrap();
    let outdated = verify(&live.key, "https://example.com").await.unwrap_err();
    let outdated = cause(Err(outdated));
    assert!(matches!(outdated, OriginCause::WrongKey(_)), "{outdated:?}");

    let (pinned, _) = domains_with(&[], Some(Environment::Live));
    pinned
        .add("https://example.com", Environment::Live, NOW)
        .await
        .unwrap();
    let test = pinned
        .add("https://example.com", Environment::Test, NOW)
        .await
        .unwrap();
    assert_eq!(
        cause(pinned.check(&["http://localhost"], &TEST, NOW).await),
        OriginCause::OtherEnvironment
    );
    assert!(matches!(
        pinned
            .verify_key(&test.key, &["https://example.com"], NOW)
            .await,
        Err(Error::Forbidden(_))
    ));
}

#[tokio::test]
async fn adding_twice_gives_the_same_key_and_a_change_works_at_once() {
    let domains = domains();
    let first = domains
        .add("https://example.com", Environment::Live, NOW)
        .await
        .unwrap();
    let again = domains
        .add("https://example.com", Environment::Live, NOW)
        .await
        .unwrap();
    assert_eq!(first, again);
    assert!(
        domains
            .check(&["https://example.com"], &LIVE, NOW)
            .await
            .is_ok()
    );
    assert!(
        domains
            .remove("https://example.com", Environment::Live)
            .await
            .unwrap()
    );
    assert!(
        !domains
            .remove("https://example.com", Environment::Live)
            .await
            .unwrap()
    );
    assert!(
        domains
            .check(&["https://example.com"], &LIVE, NOW)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_refusal_says_what_came_what_is_registered_and_what_to_run() {
    let domains = domains();
    let told = |outcome: Result<Origin, Error>| match outcome {
        Err(Error::Forbidden(refusal)) => match *refusal {
            Refusal::Origin(refusal) => refusal.for_operator(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    assert_eq!(
        told(domains.check(&["https://new.example"], &LIVE, NOW).await),
        "the origin https://new.example is not registered for live (registered: none); \
         run the command on the server: vestibule domain add https://new.example --env live",
    );
    for number in 0..12 {
        domains
            .add(
                &format!("https://a{number:02}.example"),
                Environment::Live,
                NOW,
            )
            .await
            .unwrap();
    }
    domains
        .add("https://t.example", Environment::Test, NOW)
        .await
        .unwrap();
    let text = told(domains.check(&["https://new.example"], &LIVE, NOW).await);
    assert!(
        text.contains("https://a00.example, https://a01.example") && text.contains("and 2 more"),
        "{text}"
    );
    assert!(
        !text.contains("t.example,") && !text.contains("https://a11.example"),
        "{text}"
    );

    let refusals = domains.refusals().await.unwrap();
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        (refusals[0].origin.as_str(), refusals[0].count),
        ("https://new.example", 2)
    );
    domains
        .add("https://new.example", Environment::Live, NOW)
        .await
        .unwrap();
    assert!(domains.refusals().await.unwrap().is_empty());

    let error = domains
        .add("https://Example.com/x", Environment::Live, NOW)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("did you mean https://example.com?"),
        "{error}"
    );
}

#[tokio::test]
async fn a_flood_of_refusals_is_bounded() {
    let domains = domains();
    for number in 0..200 {
        let origin = format!("https://{number}.example");
        let moment = NOW.plus(std::time::Duration::from_secs(number));
        assert!(domains.check(&[&origin], &LIVE, moment).await.is_err());
    }
    let refusals = domains.refusals().await.unwrap();
    assert_eq!(refusals.len(), 50);
    assert_eq!(refusals[0].origin, "https://199.example");
}

#[tokio::test]
async fn a_flood_of_refusals_within_a_second_is_not_written_down_whole() {
    let (domains, _) = domains_with(&[], None);
    for moment in [NOW, NOW.plus(std::time::Duration::from_secs(1))] {
        for number in 0..100 {
            let origin = format!("https://{number}.example");
            assert!(domains.check(&[&origin], &LIVE, moment).await.is_err());
        }
    }
    let refusals = domains.refusals().await.unwrap();
    assert_eq!(
        refusals.iter().map(|refusal| refusal.count).sum::<u64>(),
        40
    );
}

#[tokio::test]
async fn one_list_drives_preflights_frames_and_the_servers_own_pages() {
    let (domains, _) = domains_with(&["https://chat.example"], None);
    domains
        .add("https://b.example", Environment::Live, NOW)
        .await
        .unwrap();
    domains
        .add("https://b.example", Environment::Test, NOW)
        .await
        .unwrap();
    domains
        .add("https://a.example", Environment::Test, NOW)
        .await
        .unwrap();
    assert_eq!(
        domains.frame_ancestors().await.unwrap(),
        "'self' https://a.example https://b.example"
    );
    for good in [
        "https://a.example",
        "https://b.example",
        "http://localhost:3000",
        "https://chat.example",
    ] {
        assert!(domains.check_preflight(&[good]).await.is_ok(), "{good}");
    }
    for bad in ["https://c.example", "null"] {
        assert!(domains.check_preflight(&[bad]).await.is_err(), "{bad}");
    }
    for environment in [Environment::Live, Environment::Test] {
        assert!(
            domains
                .check(
                    &["https://chat.example"],
                    &InHand::Nothing(environment),
                    NOW
                )
                .await
                .is_ok()
        );
    }
    let (pinned, _) = domains_with(&[], Some(Environment::Live));
    assert!(
        pinned
            .check_preflight(&["http://localhost:3000"])
            .await
            .is_err()
    );
}

proptest! {
    #[test]
    fn d01_what_parses_is_its_own_serialisation(text in "\\PC{0,60}", scheme in "(https?:/{0,3})?") {
        let text = format!("{scheme}{text}");
        if let Ok(origin) = Origin::parse(&text) {
            prop_assert_eq!(origin.as_str(), &text);
            prop_assert_eq!(Url::parse(&text).unwrap().origin().ascii_serialization(), text);
        }
    }

    #[test]
    fn d02_no_origin_but_the_registered_one_passes(
        host in "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}",
        other in "[a-z]{1,3}(\\.[a-z]{1,3}){0,2}",
        https in any::<bool>(),
        port in prop::option::of(1_u16..9000),
    ) {
        let spell = |host: &str| {
            let scheme = if https { "https" } else { "http" };
            let port = port.filter(|port| *port != 80 && *port != 443);
            port.map_or(format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}"))
        };
        let (registered, came) = (spell(&host), spell(&other));
        let outcome = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let domains = domains();
            domains.add(&registered, Environment::Test, NOW).await.unwrap();
            domains.check(&[&came], &TEST, NOW).await
        });
        prop_assert_eq!(outcome.is_ok(), registered == came);
    }

    #[test]
    fn d03_local_hosts_are_only_those(host in "[a-z0-9.]{0,12}(localhost|127\\.0\\.0\\.1)[a-z0-9.]{0,12}") {
        if let Ok(origin) = Origin::parse(&format!("http://{host}")) {
            let is_name = host == "localhost" || host.ends_with(".localhost");
            let is_address = host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.octets()[0] == 127);
            prop_assert_eq!(origin.is_local(), is_name || is_address);
        }
    }
}
