//! Claims of every wrong shape, and tokens shaped like those of well-known issuers.

use serde_json::json;

use super::*;
use crate::testing::{NOW, claims_with, good_claims};

struct Case {
    audience: Audience,
    required: Vec<ClaimRule>,
    subject_claim: &'static str,
    leeway: u64,
    max_token_age: Option<u64>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            audience: Audience::aud(["https://chat.example"]),
            required: Vec::new(),
            subject_claim: "sub",
            leeway: 30,
            max_token_age: None,
        }
    }
}

impl Case {
    fn check(&self, claims: &Map<String, Value>) -> Result<String, Reason> {
        self.check_at(claims, NOW)
    }

    fn check_at(&self, claims: &Map<String, Value>, now: UnixTime) -> Result<String, Reason> {
        let rules = ClaimRules {
            audience: &self.audience,
            required: &self.required,
            is_access_token: false,
            are_machines_taken: false,
            subject_claim: self.subject_claim,
            leeway: Duration::from_secs(self.leeway),
            max_token_age: self.max_token_age.map(Duration::from_secs),
        };
        let accepted = rules
            .check(claims, now)
            .map_err(|rejection| rejection.reason())?;
        Ok(accepted.subject.to_owned())
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => unreachable!("claims are objects"),
    }
}

#[test]
fn j02_audience_is_a_string_or_a_list_of_strings_that_names_us() {
    let case = Case::default();
    for (audience, expected) in [
        (json!("https://chat.example"), Ok("user-1".to_owned())),
        (
            json!(["https://other.example", "https://chat.example"]),
            Ok("user-1".to_owned()),
        ),
        (json!("https://chat.example/"), Err(Reason::WrongAudience)),
        (json!("HTTPS://CHAT.EXAMPLE"), Err(Reason::WrongAudience)),
        (json!(["https://other.example"]), Err(Reason::WrongAudience)),
        (json!(null), Err(Reason::MissingAudience)),
        (json!(1), Err(Reason::MissingAudience)),
        (
            json!({ "0": "https://chat.example" }),
            Err(Reason::MissingAudience),
        ),
        (json!([]), Err(Reason::MissingAudience)),
        (json!(""), Err(Reason::MissingAudience)),
        (
            json!(["https://chat.example", ""]),
            Err(Reason::MissingAudience),
        ),
        (
            json!(["https://chat.example", 1]),
            Err(Reason::MissingAudience),
        ),
        (
            json!([["https://chat.example"]]),
            Err(Reason::MissingAudience),
        ),
        (json!(true), Err(Reason::MissingAudience)),
    ] {
        assert_eq!(
            case.check(&claims_with("aud", audience.clone())),
            expected,
            "{audience}"
        );
    }
    // Explicitly null is not there either.
    let mut claims = claims_with("aud", json!(null));
    claims.insert("aud".to_owned(), Value::Null);
    assert_eq!(case.check(&claims), Err(Reason::MissingAudience));
}

#[test]
fn j03_exp_is_required_and_a_usable_number() {
    let case = Case::default();
    let now = NOW.seconds();
    for (exp, expected) in [
        (json!(now + 900), true),
        (json!(now - 29), true),
        (json!(now - 30), false),
        (json!(now - 31), false),
        (json!(f64::from(i32::try_from(now).unwrap()) + 0.5), true),
        (json!(253_402_300_799_i64), true),
    ] {
        assert_eq!(
            case.check(&claims_with("exp", exp.clone())).is_ok(),
            expected,
            "{exp}"
        );
    }
    for exp in [
        json!(null),
        json!("1900000000"),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(253_402_300_800_i64),
        json!(u64::MAX),
        json!([now + 900]),
        json!({}),
    ] {
        assert_eq!(
            case.check(&claims_with("exp", exp.clone())),
            Err(Reason::MissingExpiry),
            "{exp}"
        );
    }
    assert_eq!(
        case.check(&claims_with("exp", json!(now - 31))),
        Err(Reason::Expired)
    );
    let strict = Case {
        leeway: 0,
        ..Case::default()
    };
    assert_eq!(
        strict.check(&claims_with("exp", json!(now))),
        Err(Reason::Expired)
    );
    assert!(strict.check(&claims_with("exp", json!(now + 1))).is_ok());
}

#[test]
fn j04_nbf_and_iat_are_enforced_when_present() {
    let case = Case::default();
    let now = NOW.seconds();
    for (nbf, is_good) in [
        (json!(now + 30), true),
        (json!(now + 31), false),
        (json!(0), true),
        (json!("0"), false),
        (json!(-1), false),
        (json!(1e300), false),
        (json!(true), false),
    ] {
        let expected = match nbf.as_i64() {
            _ if is_good => Ok("user-1".to_owned()),
            Some(0..) => Err(Reason::NotYetValid),
            _ => Err(Reason::BadTime),
        };
        assert_eq!(
            case.check(&claims_with("nbf", nbf.clone())),
            expected,
            "{nbf}"
        );
    }
    for (iat, is_good) in [
        (json!(null), true),
        (json!(now + 30), true),
        (json!(now + 31), false),
        (json!(0), true),
        (json!("0"), false),
        (json!(-5), false),
        (json!([]), false),
    ] {
        let expected = match iat.as_i64() {
            _ if is_good => Ok("user-1".to_owned()),
            Some(0..) => Err(Reason::IssuedInFuture),
            _ => Err(Reason::BadTime),
        };
        assert_eq!(
            case.check(&claims_with("iat", iat.clone())),
            expected,
            "{iat}"
        );
    }
}

#[test]
fn j04_tokens_have_a_greatest_age_when_the_issuer_is_configured_for_one() {
    let case = Case {
        max_token_age: Some(3_600),
        ..Case::default()
    };
    let now = NOW.seconds();
    let claims = |iat: Value, exp: i64| {
        object(json!({
            "aud": "https://chat.example", "sub": "user-1", "exp": exp, "iat": iat,
        }))
    };
    for (claims, is_good) in [
        (claims(json!(now - 10), now + 900), true),
        (claims(json!(now - 3_600), now), true),
        (claims(json!(now - 3_629), now - 29), true),
        (claims(json!(now - 3_631), now - 31 + 3), false),
        (claims(json!(now - 10), now + 3_591), false),
        (claims(json!(now - 7_200), now + 10), false),
    ] {
        assert_eq!(case.check(&claims).is_ok(), is_good, "{claims:?}");
    }
    assert_eq!(
        case.check(&claims_with("iat", json!(null))),
        Err(Reason::TooOld)
    );
}

#[test]
fn j05_subject_is_text() {
    let case = Case::default();
    for subject in [
        json!(null),
        json!(""),
        json!(1),
        json!(["a"]),
        json!("a\u{0}"),
        json!("x".repeat(256)),
        json!({}),
    ] {
        assert_eq!(
            case.check(&claims_with("sub", subject.clone())),
            Err(Reason::BadSubject),
            "{subject}"
        );
    }
    let other = Case {
        subject_claim: "oid",
        ..Case::default()
    };
    assert_eq!(
        other.check(&claims_with("oid", json!("object-1"))),
        Ok("object-1".to_owned())
    );
    assert_eq!(other.check(&object(good_claims())), Err(Reason::BadSubject));
}

#[test]
fn j06_times_near_the_epoch_do_not_wrap() {
    let claims = object(
        json!({ "aud": "https://chat.example", "sub": "user-1", "exp": 5, "iat": 0, "nbf": 0 }),
    );
    let case = Case {
        leeway: 300,
        max_token_age: Some(300),
        ..Case::default()
    };
    assert!(case.check_at(&claims, UnixTime::from_seconds(4)).is_ok());
    assert!(case.check_at(&claims, UnixTime::from_seconds(-1)).is_ok());
    assert!(
        case.check_at(&claims, UnixTime::from_seconds(i64::MAX))
            .is_err()
    );
    assert!(
        case.check_at(&claims, UnixTime::from_seconds(i64::MIN))
            .is_err()
    );
}

#[test]
fn j07_tokens_of_well_known_issuers() {
    let now = NOW.seconds();
    let base = |extra: Value| {
        let mut claims = object(json!({ "sub": "user-1", "iat": now - 10, "exp": now + 50 }));
        claims.extend(object(extra));
        claims
    };
    let clerk = Case {
        audience: Audience::in_claim("azp", ["https://app.example"]),
        required: vec![
            ClaimRule::Present("sid".to_owned()),
            ClaimRule::Not("sts".to_owned(), json!("pending")),
        ],
        ..Case::default()
    };
    let supabase = Case {
        audience: Audience::aud(["authenticated"]),
        required: vec![ClaimRule::OneOf(
            "role".to_owned(),
            vec![json!("authenticated")],
        )],
        ..Case::default()
    };
    let cognito = Case {
        audience: Audience::in_claim("client_id", ["client-1"]),
        required: vec![ClaimRule::OneOf(
            "token_use".to_owned(),
            vec![json!("access")],
        )],
        ..Case::default()
    };
    let keycloak = Case {
        audience: Audience::in_claim("azp", ["spa"]),
        required: vec![ClaimRule::OneOf("typ".to_owned(), vec![json!("Bearer")])],
        ..Case::default()
    };
    let auth0 = Case {
        audience: Audience::aud(["https://api.example"]),
        ..Case::default()
    };
    for (name, case, claims, expected) in [
        (
            "clerk",
            &clerk,
            base(json!({ "azp": "https://app.example", "sid": "s" })),
            Ok(()),
        ),
        (
            "clerk template",
            &clerk,
            base(json!({ "azp": "https://app.example" })),
            Err(Reason::WrongClaim),
        ),
        (
            "clerk null sid",
            &clerk,
            base(json!({ "azp": "https://app.example", "sid": null })),
            Err(Reason::WrongClaim),
        ),
        (
            "clerk pending",
            &clerk,
            base(json!({ "azp": "https://app.example", "sid": "s", "sts": "pending" })),
            Err(Reason::WrongClaim),
        ),
        (
            "clerk no azp",
            &clerk,
            base(json!({ "sid": "s" })),
            Err(Reason::MissingAudience),
        ),
        (
            "clerk other azp",
            &clerk,
            base(json!({ "azp": "https://evil.example", "sid": "s" })),
            Err(Reason::WrongAudience),
        ),
        (
            "supabase",
            &supabase,
            base(json!({ "aud": "authenticated", "role": "authenticated" })),
            Ok(()),
        ),
        (
            "supabase anon key",
            &supabase,
            object(json!({ "role": "anon", "exp": now + 50 })),
            Err(Reason::MissingAudience),
        ),
        (
            "supabase service key",
            &supabase,
            base(json!({ "aud": "authenticated", "role": "service_role" })),
            Err(Reason::WrongClaim),
        ),
        (
            "cognito access",
            &cognito,
            base(json!({ "client_id": "client-1", "token_use": "access" })),
            Ok(()),
        ),
        (
            "cognito id",
            &cognito,
            base(json!({ "aud": "client-1", "token_use": "id" })),
            Err(Reason::MissingAudience),
        ),
        (
            "keycloak",
            &keycloak,
            base(json!({ "azp": "spa", "typ": "Bearer", "aud": "account" })),
            Ok(()),
        ),
        (
            "keycloak refresh",
            &keycloak,
            base(json!({ "azp": "spa", "typ": "Refresh" })),
            Err(Reason::WrongClaim),
        ),
        (
            "auth0",
            &auth0,
            base(json!({ "aud": ["https://api.example", "https://t.auth0.example/userinfo"] })),
            Ok(()),
        ),
        (
            "auth0 id token",
            &auth0,
            base(json!({ "aud": "client-1" })),
            Err(Reason::WrongAudience),
        ),
    ] {
        assert_eq!(case.check(&claims).map(|_| ()), expected, "{name}");
    }
}

#[test]
fn p01_tokens_bound_to_a_key_are_no_bearer_tokens() {
    let claims = claims_with("cnf", json!({ "jkt": "x" }));
    assert_eq!(
        Case::default().check(&claims),
        Err(Reason::SenderConstrained)
    );
}

/// Nothing is demanded but what everybody has to have.
fn plain_rules(audience: &Audience) -> ClaimRules<'_> {
    ClaimRules {
        audience,
        required: &[],
        is_access_token: false,
        are_machines_taken: false,
        subject_claim: "sub",
        leeway: Duration::ZERO,
        max_token_age: None,
    }
}

#[test]
fn j09_details_quote_and_shorten_what_the_token_says() {
    let audience = Audience::aud(["https://chat.example"]);
    let rules = plain_rules(&audience);
    let long = format!("evil\r\n{}", "x".repeat(10_000));
    let rejection = rules
        .check(&claims_with("aud", json!([long, "b", "c", "d", "e"])), NOW)
        .unwrap_err();
    let text = rejection.to_string();
    assert!(text.len() < 400 && !text.contains('\n'), "{text}");
}

#[test]
fn access_tokens_have_what_rfc_9068_demands() {
    let audience = Audience::aud(["https://chat.example"]);
    let rules = ClaimRules {
        audience: &audience,
        required: &[],
        is_access_token: true,
        are_machines_taken: false,
        subject_claim: "sub",
        leeway: Duration::ZERO,
        max_token_age: None,
    };
    let good = claims_with("client_id", json!("app"));
    assert!(rules.check(&good, NOW).is_ok());
    let by_party = claims_with("azp", json!("app"));
    assert!(rules.check(&by_party, NOW).is_ok());
    let of_client = claims_with("azp", json!("user-1"));
    let refused = rules.check(&of_client, NOW).unwrap_err();
    assert_eq!(refused.reason(), Reason::MachineToken);
    for name in ["iss", "sub", "client_id", "iat"] {
        for bad in [None, Some(json!("")), Some(json!([])), Some(Value::Null)] {
            let mut claims = good.clone();
            claims.remove(name);
            claims.extend(bad.map(|bad| (name.to_owned(), bad)));
            assert!(rules.check(&claims, NOW).is_err(), "{name}: {claims:?}");
        }
    }
}

#[test]
fn j03_j04_a_clock_that_is_off_is_told_by_how_much() {
    let audience = Audience::aud(["https://chat.example"]);
    let rules = ClaimRules {
        audience: &audience,
        required: &[],
        is_access_token: false,
        are_machines_taken: false,
        subject_claim: "sub",
        leeway: Duration::from_secs(30),
        max_token_age: None,
    };
    let told = |name: &str, seconds: i64| {
        let claims = claims_with(name, json!(NOW.seconds() + seconds));
        rules.check(&claims, NOW).unwrap_err().to_string()
    };
    for (name, seconds, expected) in [
        ("nbf", 120, "120 s ahead of this server's clock"),
        ("iat", 31, "31 s ahead of this server's clock"),
        ("exp", -45, "expired 45 s ago"),
    ] {
        let text = told(name, seconds);
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("clock") && text.contains("30 s"), "{text}");
    }
}

#[test]
fn j09_a_claim_of_the_wrong_kind_is_told_by_what_it_is() {
    let audience = Audience::aud(["https://chat.example"]);
    let rules = plain_rules(&audience);
    for (name, value, expected) in [
        ("iat", Value::Null, "`iat` is null"),
        ("nbf", Value::Null, "`nbf` is null"),
        ("nbf", json!("1"), "`nbf` is not a usable number"),
        ("sub", json!(42), "`sub` is a number"),
        (
            "aud",
            json!(["https://chat.example", ""]),
            "`aud` is a list with",
        ),
        (
            "aud",
            json!(["https://chat.example", null]),
            "`aud` is a list with",
        ),
        ("aud", json!([]), "`aud` is needed"),
    ] {
        let mut claims = object(good_claims());
        claims.insert(name.to_owned(), value);
        let text = rules.check(&claims, NOW).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
        assert!(
            !text.contains("future") && !text.contains("clock"),
            "{text}"
        );
    }
}

#[test]
fn j08_what_reports_an_event_is_no_login() {
    let case = Case::default();
    for (events, expected) in [
        (json!({ LOGOUT_EVENT: {} }), Err(Reason::WrongType)),
        (
            json!({ LOGOUT_EVENT: {}, "https://x.example/e": {} }),
            Err(Reason::WrongType),
        ),
        (
            json!({ "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {} }),
            Err(Reason::WrongType),
        ),
        (json!({ "urn:example:event": {} }), Err(Reason::WrongType)),
        // An application's own claim of that name.
        (json!(["concert"]), Ok("user-1".to_owned())),
        (json!({ "concert": true }), Ok("user-1".to_owned())),
    ] {
        let claims = claims_with("events", events.clone());
        assert_eq!(case.check(&claims), expected, "{events}");
    }
}

#[test]
fn j07_a_clients_own_token_is_no_person() {
    let audience = Audience::aud(["https://chat.example"]);
    let check = |claims: &Value, are_machines_taken: bool| {
        let mut all = object(good_claims());
        all.extend(object(claims.clone()));
        let rules = ClaimRules {
            audience: &audience,
            required: &[],
            is_access_token: false,
            are_machines_taken,
            subject_claim: "sub",
            leeway: Duration::from_secs(30),
            max_token_age: None,
        };
        rules
            .check(&all, NOW)
            .map(drop)
            .map_err(|rejection| rejection.reason())
    };
    for machine in [
        json!({ "sub": "app", "client_id": "app" }),
        json!({ "sub": "app", "azp": "app" }),
        json!({ "sub": "app", "client_id": "app", "scope": "chat", "jti": "1" }),
        json!({ "sub": "app@clients", "azp": "app", "gty": "client-credentials" }),
        json!({ "sub": "app@clients", "azp": "app" }),
        json!({ "sub": "0d1c", "azp": "0aa1", "idtyp": "app" }),
        json!({ "sub": "5f0e", "azp": "Reports", "preferred_username": "service-account-reports" }),
    ] {
        assert_eq!(
            check(&machine, false),
            Err(Reason::MachineToken),
            "{machine}"
        );
        assert_eq!(check(&machine, true), Ok(()), "{machine}");
    }
    for person in [
        json!({ "client_id": "app", "azp": "app" }),
        json!({ "sub": "app", "client_id": "app", "email": "app@example.com" }),
        json!({ "sub": "app", "azp": "app", "sid": "1" }),
        json!({ "sub": "service-account-x", "azp": "app", "preferred_username": "service-account-x" }),
        json!({ "sub": "ada@clients", "azp": "app" }),
        json!({ "idtyp": "user", "gty": "password" }),
        json!({ "client_id": 7, "sub": "7" }),
    ] {
        assert_eq!(check(&person, false), Ok(()), "{person}");
    }
}
