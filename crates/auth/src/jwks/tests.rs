//! Key sets, and what an issuer is and is not asked.

use serde_json::{Value, json};

use super::*;
use crate::jwk::KeySource;
use crate::testing::{TestFetch, TestKey, TestRandom, jwks, now};

const ADDRESS: &str = "https://issuer.example/jwks";

fn header(kid: Option<&str>) -> Header {
    Header {
        algorithm: Algorithm::EdDsa,
        key_id: kid.map(str::to_owned),
        typ: None,
    }
}

fn keys(ids: &[&str]) -> Vec<u8> {
    jwks(
        &ids.iter()
            .map(|kid| TestKey::ed25519().jwk(kid))
            .collect::<Vec<Value>>(),
    )
}

fn cache_with(fetch: &Arc<TestFetch>, limits: KeyCacheLimits) -> KeyCache {
    let address = KeyAddress::Jwks(Url::parse(ADDRESS).unwrap());
    cache_at(address, fetch, limits)
}

fn discovered(fetch: &Arc<TestFetch>, discovery: &str) -> KeyCache {
    let address = KeyAddress::Discovery(Url::parse(discovery).unwrap());
    cache_at(address, fetch, KeyCacheLimits::default())
}

fn cache_at(address: KeyAddress, fetch: &Arc<TestFetch>, limits: KeyCacheLimits) -> KeyCache {
    let fetch: Arc<dyn KeyFetch> = Arc::<TestFetch>::clone(fetch);
    let random = Arc::new(TestRandom::default());
    KeyCache::fetched(
        "https://issuer.example",
        address,
        &[Algorithm::EdDsa],
        limits,
        fetch,
        random,
    )
}

fn cache(fetch: &Arc<TestFetch>) -> KeyCache {
    cache_with(fetch, KeyCacheLimits::default())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn is_unavailable(outcome: &Result<Arc<Key>, NoKey>) -> bool {
    matches!(outcome, Err(NoKey::Unavailable { .. }))
}

#[test]
fn k07_one_bad_key_leaves_the_others() {
    let body = format!(
        r#"{{"keys":[{},{},{},{},17,{{"kty":"OKP","kty":"OKP"}},{{"kid":1,"kty":"OKP"}}]}}"#,
        json!({ "kty": "EC", "crv": "secp256k1", "kid": "a" }),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "b" }),
        TestKey::ed25519().jwk("good"),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA", "kid": "c" }),
    );
    let set = KeySet::parse(body.as_bytes(), Algorithm::ALL, KeySource::Fetched).unwrap();
    assert_eq!(set.keys().len(), 1);
    let problems: Vec<KeyProblem> = set
        .skipped()
        .iter()
        .map(|skipped| skipped.problem)
        .collect();
    assert_eq!(
        problems,
        [
            KeyProblem::Unsupported,
            KeyProblem::BadParts,
            KeyProblem::PrivateParts,
            KeyProblem::Malformed,
            KeyProblem::Malformed,
            KeyProblem::BadKeyId,
        ]
    );
}

#[tokio::test]
async fn k07_a_set_without_a_usable_key_says_why() {
    let fetch = Arc::new(TestFetch::default());
    let mut nameless = TestKey::of(Algorithm::Rs256).jwk("x");
    nameless.as_object_mut().unwrap().remove("kid");
    let forged = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "a\n2026 ERROR" });
    fetch.answer(ADDRESS, jwks(&[nameless, forged]));
    let cache = cache(&fetch);
    let outcome = cache.key(&header(Some("k")), true, now()).await;
    assert!(is_unavailable(&outcome), "{outcome:?}");
    assert_eq!(
        cache.health(now()).last_error.unwrap(),
        r#"the key set has no key that can be used (key 1 of the set: the issuer is not configured for the key's algorithm; key "a\n2026 ERROR": the key's parts are missing, of the wrong size, or no point of the curve that may be used)"#
    );
}

#[test]
fn k07_the_reasons_of_many_keys_are_one_line() {
    let skipped = |index| json!({ "kty": "EC", "crv": "secp256k1", "kid": format!("k{index}") });
    let reasons = |count| {
        let keys: Vec<Value> = (0..count).map(skipped).collect();
        KeySet::parse(&jwks(&keys), Algorithm::ALL, KeySource::Fetched)
            .unwrap()
            .reasons()
    };
    assert_eq!(
        reasons(1),
        r#"key "k0": the key's type or curve is not supported"#
    );
    assert_eq!(reasons(5).matches("not supported").count(), 5);
    assert!(!reasons(5).contains("more"), "{}", reasons(5));
    assert_eq!(reasons(100).matches("not supported").count(), 5);
    assert!(reasons(100).ends_with("; and 95 more"), "{}", reasons(100));
}

#[test]
fn k08_ambiguous_names_are_refused_unless_the_algorithm_decides() {
    let ec = TestKey::of(Algorithm::Es256);
    let set =
        |keys: &[Value]| KeySet::parse(&jwks(keys), Algorithm::ALL, KeySource::Fetched).unwrap();
    let mixed = set(&[TestKey::ed25519().jwk("k"), ec.jwk("k")]);
    assert_eq!(
        mixed.find(&header(Some("k")), true).unwrap().algorithm(),
        Algorithm::EdDsa
    );
    let twice = set(&[TestKey::ed25519().jwk("k"), TestKey::ed25519().jwk("k")]);
    assert_eq!(
        twice.find(&header(Some("k")), true).unwrap_err(),
        Reason::AmbiguousKey
    );
    let other = set(&[ec.jwk("k")]);
    assert_eq!(
        other.find(&header(Some("k")), true).unwrap_err(),
        Reason::KeyMismatch
    );
    assert_eq!(
        mixed.find(&header(None), true).unwrap_err(),
        Reason::MissingKeyId
    );
    assert_eq!(
        mixed.find(&header(None), false).unwrap().algorithm(),
        Algorithm::EdDsa
    );
    assert_eq!(
        twice.find(&header(None), false).unwrap_err(),
        Reason::AmbiguousKey
    );
}

#[test]
fn k08_twins_are_one_key() {
    let set =
        |keys: &[Value]| KeySet::parse(&jwks(keys), Algorithm::ALL, KeySource::Fetched).unwrap();
    let (key, other) = (TestKey::ed25519(), TestKey::ed25519());
    let mut unnamed = key.jwk("k");
    unnamed.as_object_mut().unwrap().remove("alg");
    let certificate =
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": "k", "x5c": ["MIIB"], "use": "sig" });
    for twin in [key.jwk("k"), unnamed, key.jwk("l"), certificate] {
        for keys in [[key.jwk("k"), twin.clone()], [twin.clone(), key.jwk("k")]] {
            let set = set(&keys);
            assert!(set.find(&header(Some("k")), true).is_ok(), "{twin}");
            assert!(set.find(&header(None), false).is_ok(), "{twin}");
        }
    }
    // Beside another key they decide nothing.
    let three = set(&[key.jwk("k"), key.jwk("k"), other.jwk("k")]);
    assert_eq!(
        three.find(&header(Some("k")), true).unwrap_err(),
        Reason::AmbiguousKey
    );
    // What is broken may be the key that is meant.
    let mut broken = key.jwk("k");
    broken["x"] = json!("AA");
    let shadowed = set(&[key.jwk("k"), broken]);
    assert_eq!(
        shadowed.find(&header(Some("k")), true).unwrap_err(),
        Reason::AmbiguousKey
    );
}

#[tokio::test]
async fn a_byte_order_mark_in_front_of_a_document_is_passed_over() {
    let discovery = "https://issuer.example/.well-known/openid-configuration";
    let marked = |body: Vec<u8>| [b"\xef\xbb\xbf".as_slice(), &body].concat();
    let document = json!({ "issuer": "https://issuer.example", "jwks_uri": ADDRESS });
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(discovery, marked(document.to_string().into()));
    fetch.answer(ADDRESS, marked(keys(&["a"])));
    let (cache, asked) = (discovered(&fetch, discovery), header(Some("a")));
    assert!(cache.key(&asked, true, now()).await.is_ok());
}

#[test]
fn k02_configured_sets_do_not_mix_secrets_and_public_keys() {
    let mixed = jwks(&[
        TestKey::of(Algorithm::Hs256).jwk("a"),
        TestKey::ed25519().jwk("b"),
    ]);
    let set = |source| KeySet::parse(&mixed, &[Algorithm::Hs256, Algorithm::EdDsa], source);
    assert_eq!(set(KeySource::Configured).unwrap_err(), SetProblem::Mixed);
    // A published set is not at its reader's disposal: the secret is skipped, the others serve on.
    assert_eq!(set(KeySource::Fetched).unwrap().keys().len(), 1);
}

#[test]
fn w07_sets_have_limits() {
    let many: Vec<Value> = (0..101)
        .map(|index| json!({ "kid": index.to_string() }))
        .collect();
    let parse = |body: &[u8]| {
        KeySet::parse(body, Algorithm::ALL, KeySource::Fetched).map(|set| set.skipped().len())
    };
    assert_eq!(parse(&jwks(&many)), Err(SetProblem::TooMany));
    assert_eq!(parse(&jwks(&many[..100])), Ok(100));
    assert_eq!(parse(&jwks(&[])), Err(SetProblem::Empty));
    assert_eq!(
        parse(&vec![b' '; MAX_SET_BYTES + 1]),
        Err(SetProblem::TooLarge)
    );
    for bad in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":[{}],"keys":[{}]}"#,
        r#"{"keys":[{}]"#,
        "<html>",
        r#"{"kty":"OKP"}"#,
    ] {
        assert_eq!(parse(bad.as_bytes()), Err(SetProblem::Malformed), "{bad}");
    }
    let deep = format!(
        r#"{{"keys":[{}{}]}}"#,
        r#"{"a":"#.repeat(60_000),
        "}".repeat(60_000)
    );
    assert!(parse(deep.as_bytes()).is_err());
}

#[tokio::test]
async fn w01_known_keys_need_no_network() {
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(ADDRESS, keys(&["a"]));
    fetch.fail(ADDRESS, None);
    let (cache, start) = (cache(&fetch), now());
    for second in 0..1_000 {
        // Long after the time to refresh, and whatever the budget for unknown keys.
        let moment = start.plus(seconds(second * 60));
        assert!(cache.key(&header(Some("a")), true, moment).await.is_ok());
        if second < 8 {
            let _ = cache
                .key(&header(Some(&second.to_string())), true, start)
                .await;
        }
    }
    assert!(fetch.fetches() <= 8, "{}", fetch.fetches());
}

#[tokio::test]
async fn w02_many_waiters_share_one_fetch() {
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(ADDRESS, keys(&["a"]));
    let (cache, moment) = (Arc::new(cache(&fetch)), now());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let cache = Arc::clone(&cache);
        tasks.spawn(async move { cache.key(&header(Some("a")), true, moment).await.is_ok() });
    }
    assert!(tasks.join_all().await.into_iter().all(|is_found| is_found));
    assert_eq!(fetch.fetches(), 1);
}

#[tokio::test]
async fn w02_a_flood_of_unknown_keys_stays_within_the_budget_and_hides_no_rotation() {
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(ADDRESS, keys(&["a"]));
    let (cache, start) = (cache(&fetch), now());
    let mut unavailable = 0;
    for number in 0..10_000_u64 {
        let moment = start.plus(Duration::from_millis(number));
        let outcome = cache
            .key(&header(Some(&format!("forged-{number}"))), true, moment)
            .await;
        assert!(outcome.is_err());
        unavailable += usize::from(is_unavailable(&outcome));
        assert!(cache.key(&header(Some("a")), true, moment).await.is_ok() || number == 0);
    }
    assert!(fetch.fetches() <= 7, "{} fetches in 10 s", fetch.fetches());
    assert!(unavailable > 9_000, "{unavailable}");
    fetch.replace(ADDRESS, keys(&["a", "b"]));
    // The flood goes on; the new key is found with the next question that the budget allows.
    let found = |second: u64| {
        let cache = &cache;
        async move {
            cache
                .key(&header(Some("b")), true, start.plus(seconds(10 + second)))
                .await
        }
    };
    let mut waited = 0;
    while let Err(problem) = found(waited).await {
        assert!(matches!(problem, NoKey::Unavailable { .. }), "{problem:?}");
        waited += 1;
        assert!(waited <= 10, "the rotation was not seen in 10 s");
    }
    assert!(fetch.fetches() <= 9, "{}", fetch.fetches());
}

#[tokio::test]
async fn w03_missing_keys_are_remembered_for_a_while_and_not_without_end() {
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(ADDRESS, keys(&["a"]));
    let limits = KeyCacheLimits {
        missing_entries: 16,
        unknown_burst: u32::MAX,
        ..KeyCacheLimits::default()
    };
    let (cache, start) = (cache_with(&fetch, limits), now());
    for second in [0, 1, 29] {
        let refused = NoKey::Refused(Reason::UnknownKey);
        assert_eq!(
            cache
                .key(&header(Some("x")), true, start.plus(seconds(second)))
                .await
                .unwrap_err(),
            refused
        );
    }
    assert_eq!(fetch.fetches(), 1);
    let late = start.plus(seconds(31));
    assert!(cache.key(&header(Some("x")), true, late).await.is_err());
    assert_eq!(fetch.fetches(), 2);
    for number in 0..1_000 {
        let _ = cache
            .key(&header(Some(&number.to_string())), true, start)
            .await;
    }
    cache.missing.run_pending_tasks();
    assert!(
        cache.missing.entry_count() <= 16,
        "{}",
        cache.missing.entry_count()
    );
}

#[test]
fn keys_of_the_configuration_are_there_from_the_start() {
    for algorithm in [Algorithm::Hs256, Algorithm::EdDsa] {
        let set = jwks(&[TestKey::of(algorithm).jwk("a")]);
        let set = KeySet::parse(&set, &[algorithm], KeySource::Configured).unwrap();
        let fetch = Arc::new(TestFetch::default());
        let cache = KeyCache::configured(
            "https://issuer.example",
            set,
            KeyCacheLimits::default(),
            Arc::<TestFetch>::clone(&fetch),
            Arc::new(TestRandom::default()),
        );
        for at in [now(), now().plus(seconds(1_000_000))] {
            let health = cache.health(at);
            assert_eq!((health.keys, health.last_error), (1, None));
        }
        assert_eq!(fetch.fetches(), 0);
    }
}

#[tokio::test]
async fn w04_every_failure_keeps_the_old_keys_and_backs_off() {
    let oversized = vec![b' '; MAX_SET_BYTES + 1];
    let bodies: [&[u8]; 6] = [
        b"",
        b"not json",
        b"{\"keys\":[]}",
        b"{\"keys\":[{}]}",
        b"null",
        &oversized,
    ];
    for body in bodies {
        let fetch = Arc::new(TestFetch::default());
        fetch.answer(ADDRESS, keys(&["a"]));
        fetch.answer(ADDRESS, body);
        let (cache, start) = (cache(&fetch), now());
        cache.refresh_due(start).await;
        let later = start.plus(seconds(3_600));
        let pause = cache.refresh_due(later).await.unwrap();
        assert!((1..=2).contains(&pause.as_secs()), "{pause:?}");
        assert_eq!(fetch.fetches(), 2);
        assert!(cache.health(later).last_error.is_some());
        assert!(cache.key(&header(Some("a")), true, later).await.is_ok());
        assert!(is_unavailable(
            &cache.key(&header(Some("b")), true, later).await
        ));
        // Nothing is asked before the pause is over.
        assert_eq!(fetch.fetches(), 2);
    }
}

#[tokio::test]
async fn w04_pauses_grow_and_retry_after_counts() {
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(ADDRESS, keys(&["a"]));
    fetch.fail(ADDRESS, None);
    let (cache, start) = (cache(&fetch), now());
    let mut moment = start.plus(cache.refresh_due(start).await.unwrap());
    let mut pauses = Vec::new();
    for _ in 0..10 {
        let pause = cache.refresh_due(moment).await.unwrap();
        pauses.push(pause.as_secs_f64());
        moment = moment.plus(pause);
    }
    assert!(
        pauses.windows(2).take(4).all(|pair| pair[0] < pair[1]),
        "{pauses:?}"
    );
    assert!(
        pauses.iter().all(|pause| *pause <= 60.0) && pauses[9] >= 48.0,
        "{pauses:?}"
    );

    let fetch = Arc::new(TestFetch::default());
    fetch.fail(ADDRESS, Some(seconds(120)));
    fetch.fail(ADDRESS, Some(seconds(1_000_000)));
    let (cache, moment) = (self::cache(&fetch), now());
    assert_eq!(cache.refresh_due(moment).await, Some(seconds(120)));
    // An absurd wish is cut to the longest time to live.
    assert_eq!(
        cache.refresh_due(moment.plus(seconds(120))).await,
        Some(seconds(900))
    );
}

#[tokio::test]
async fn w09_an_issuer_that_was_never_there_is_asked_again_within_seconds() {
    let fetch = Arc::new(TestFetch::default());
    fetch.fail(ADDRESS, None);
    let (cache, start) = (cache(&fetch), now());
    let mut moment = start;
    for _ in 0..30 {
        let pause = cache.refresh_due(moment).await.unwrap();
        assert!((1..=5).contains(&pause.as_secs()), "{pause:?}");
        moment = moment.plus(pause);
        // Requests in between ask nothing of their own before the pause is over.
        let before = fetch.fetches();
        let early = moment.plus(Duration::ZERO);
        let early = Now::new(early.wall, early.monotonic.checked_sub(pause / 2).unwrap());
        assert!(is_unavailable(
            &cache.key(&header(Some("a")), true, early).await
        ));
        assert_eq!(fetch.fetches(), before);
    }
    fetch.replace(ADDRESS, keys(&["a"]));
    cache.refresh_due(moment).await;
    assert!(cache.key(&header(Some("a")), true, moment).await.is_ok());
}

#[tokio::test]
async fn w02_without_any_keys_requests_stay_within_the_budget_too() {
    let fetch = Arc::new(TestFetch::default());
    fetch.fail(ADDRESS, None);
    let (cache, start) = (cache(&fetch), now());
    for second in 0..120 {
        for _ in 0..10 {
            let outcome = cache
                .key(&header(Some("a")), true, start.plus(seconds(second)))
                .await;
            assert!(is_unavailable(&outcome));
        }
    }
    // Six at once, and then one in ten seconds.
    assert!((6..=18).contains(&fetch.fetches()), "{}", fetch.fetches());
}

#[tokio::test]
async fn w05_keys_end_at_the_age_limit_and_removed_keys_at_the_next_refresh() {
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(ADDRESS, keys(&["a", "b"]));
    fetch.fail(ADDRESS, None);
    let (cache, start) = (cache(&fetch), now());
    cache.refresh_due(start).await;
    let day = seconds(24 * 60 * 60);
    assert!(
        cache
            .key(&header(Some("a")), true, start.plus(day))
            .await
            .is_ok()
    );
    let late = start.plus(day + seconds(1));
    assert!(is_unavailable(
        &cache.key(&header(Some("a")), true, late).await
    ));
    assert_eq!(cache.health(late).keys, 0);

    let epoch = cache.epoch();
    fetch.replace(ADDRESS, keys(&["b"]));
    cache.refresh_due(late.plus(seconds(3_600))).await;
    let after = late.plus(seconds(3_601));
    assert!(cache.key(&header(Some("b")), true, after).await.is_ok());
    assert_eq!(
        cache
            .key(&header(Some("a")), true, after)
            .await
            .unwrap_err(),
        NoKey::Refused(Reason::UnknownKey)
    );
    assert_ne!(cache.epoch(), epoch);
}

#[tokio::test]
async fn w04_how_the_keys_are_is_told_while_the_issuer_is_asked() {
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(ADDRESS, keys(&["a"]));
    let (cache, start) = (cache(&fetch), now());
    cache.refresh_due(start).await;
    let late = start.plus(seconds(3_600));
    let mut asking = std::pin::pin!(cache.refresh_due(late));
    assert!(futures::poll!(&mut asking).is_pending());
    assert_eq!(cache.health(late).keys, 1);
    asking.await;
}

#[tokio::test]
async fn w05_the_epoch_changes_only_when_a_key_goes() {
    let fetch = Arc::new(TestFetch::default());
    let (a, b) = (TestKey::ed25519().jwk("a"), TestKey::ed25519().jwk("b"));
    fetch.answer(ADDRESS, jwks(std::slice::from_ref(&a)));
    fetch.answer(ADDRESS, jwks(&[b.clone(), a]));
    fetch.answer(ADDRESS, jwks(&[b]));
    let (cache, start) = (cache(&fetch), now());
    let mut epochs = Vec::new();
    for hour in 0..3 {
        cache.refresh_due(start.plus(seconds(hour * 3_600))).await;
        epochs.push(cache.epoch());
    }
    assert_eq!(fetch.fetches(), 3);
    assert_eq!(epochs[0], epochs[1]);
    assert_ne!(epochs[1], epochs[2]);
}

#[tokio::test]
async fn w06_time_to_live_is_clamped_and_spread() {
    for (max_age, range) in [
        (Some(0), 48..=60),
        (Some(120), 96..=120),
        (Some(1_000_000), 720..=900),
        (None, 480..=600),
    ] {
        let fetch = Arc::new(TestFetch::default());
        match max_age {
            Some(age) => fetch.answer_for(ADDRESS, keys(&["a"]), seconds(age)),
            None => fetch.answer(ADDRESS, keys(&["a"])),
        }
        let due = cache(&fetch).refresh_due(now()).await.unwrap();
        assert!(range.contains(&due.as_secs()), "{max_age:?}: {due:?}");
    }
}

#[tokio::test]
async fn w09_no_keys_at_all_is_not_the_tokens_fault() {
    let fetch = Arc::new(TestFetch::default());
    fetch.fail(ADDRESS, Some(seconds(7)));
    let cache = cache(&fetch);
    match cache.key(&header(Some("a")), true, now()).await {
        Err(NoKey::Unavailable { retry_after, .. }) => assert_eq!(retry_after, seconds(7)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cancelled_fetch_does_not_block_the_next() {
    let fetch = Arc::new(TestFetch::default());
    fetch.answer(ADDRESS, keys(&["a"]));
    let (cache, moment) = (cache(&fetch), now());
    let asked = header(Some("a"));
    {
        let mut first = Box::pin(cache.key(&asked, true, moment));
        // Polled once, so that it holds the lock and waits for the issuer; then dropped.
        assert!(futures_poll_once(&mut first).await.is_none());
    }
    assert!(cache.key(&asked, true, moment).await.is_ok());
}

async fn futures_poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        let polled = std::pin::Pin::new(&mut *future).poll(context);
        std::task::Poll::Ready(match polled {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn discovery_must_be_about_the_configured_issuer() {
    let discovery = "https://issuer.example/.well-known/openid-configuration";
    let good = json!({ "issuer": "https://issuer.example", "jwks_uri": ADDRESS }).to_string();
    for (document, is_good) in [
        (good.as_str(), true),
        (
            r#"{"issuer":"https://issuer.example/","jwks_uri":"https://issuer.example/jwks"}"#,
            false,
        ),
        (
            r#"{"issuer":"https://evil.example","jwks_uri":"https://issuer.example/jwks"}"#,
            false,
        ),
        (r#"{"jwks_uri":"https://issuer.example/jwks"}"#, false),
        (r#"{"issuer":"https://issuer.example"}"#, false),
        (
            r#"{"issuer":"https://issuer.example","jwks_uri":"/jwks"}"#,
            false,
        ),
        ("[]", false),
    ] {
        let fetch = Arc::new(TestFetch::default());
        fetch.answer(discovery, document);
        fetch.answer(ADDRESS, keys(&["a"]));
        let cache = discovered(&fetch, discovery);
        let found = cache.key(&header(Some("a")), true, now()).await;
        assert_eq!(found.is_ok(), is_good, "{document}");
        if document.contains("issuer.example/\"") {
            let told = cache.health(now()).last_error.unwrap();
            for named in [
                r#""https://issuer.example/""#,
                r#""https://issuer.example""#,
            ] {
                assert!(told.contains(named), "{told}");
            }
        }
        if is_good {
            // The last good address stands in when discovery fails later.
            fetch.replace(discovery, "broken");
            cache.refresh_due(now().plus(seconds(3_600))).await;
            assert_eq!(cache.health(now()).last_error, None);
        }
    }
}

#[test]
fn a_key_that_names_its_issuer_is_used_for_no_other() {
    let issuer = "https://login.example/11111111/v2.0";
    let key = |named: Value| {
        let mut key = TestKey::ed25519().jwk("k");
        key["issuer"] = named;
        key
    };
    for (named, is_used) in [
        (json!(issuer), true),
        (json!("https://login.example/{tenantid}/v2.0"), true),
        (json!("https://login.example/22222222/v2.0"), false),
        (json!("https://login.example/{tenantid}/v1.0"), false),
        (json!("https://other.example/{tenantid}/v2.0"), false),
        (json!("{tenantid}"), false),
        (json!(null), false),
        (json!([issuer]), false),
    ] {
        let body = jwks(&[key(named.clone())]);
        let set = KeySet::parse_published(issuer, &body, Algorithm::ALL).unwrap();
        assert_eq!(set.keys().len() == 1, is_used, "{named}");
    }
}
