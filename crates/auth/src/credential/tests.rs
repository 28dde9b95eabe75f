//! Spelling of credentials, and telling them apart.

use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;
use crate::testing::{NOW, TestRandom};

/// One of each kind that this server makes.
fn specimens() -> Vec<(Kind, String)> {
    let random = TestRandom::default();
    OWN_KINDS
        .into_iter()
        .map(|kind| {
            let text = match kind {
                Kind::ClientSecret => client_secret(&[7; 32], NOW).unwrap(),
                _ => mint(kind, &random).unwrap(),
            };
            (kind, text.expose_secret().to_owned())
        })
        .collect()
}

fn reason_of(text: &str) -> Reason {
    classify(text).unwrap_err().reason()
}

#[test]
fn what_is_misspelled_is_told_without_being_repeated() {
    let secret = "QpX7dLs9vTn2BkW4rYc8";
    for (text, told) in [
        (
            format!("sk_{secret}"),
            "begins like a server key (sk_) and has 23 characters; a whole one has 53",
        ),
        (
            format!("pk_live_{secret}"),
            "has 28 characters; a whole one has 58",
        ),
        (
            format!("pk_prod_{secret}"),
            "behind that comes `live_` or `test_`",
        ),
        (
            format!("ek_{secret}"),
            "begins like a client secret (ek_) and has 23 characters",
        ),
        (
            format!("sk_{}_{}", "x".repeat(43), "y".repeat(6)),
            "check digits do not fit",
        ),
        (format!("sk_live_{secret}"), "a key of Stripe"),
    ] {
        let message = classify(&text).unwrap_err().to_string();
        assert!(message.contains(told), "{message}");
        for kind in OWN_KINDS {
            assert!(message.contains(kind.prefix()), "{message}");
        }
        assert!(!message.contains(secret), "{message}");
    }
}

#[test]
fn s01_credentials_have_their_published_form() {
    for (kind, text) in specimens() {
        let rest = text.strip_prefix(kind.prefix()).unwrap();
        if kind == Kind::ClientSecret {
            assert_eq!(&rest[49..52], "_00");
            assert!(is_base62(&rest[..49]));
        } else {
            assert_eq!(rest.len(), 50, "{kind:?}");
            assert_eq!(rest.as_bytes()[43], b'_');
            assert!(is_base62(&rest[..43]) && is_base62(&rest[44..]));
        }
        assert_eq!(classify(&text), Ok(kind));
    }
}

#[test]
fn s01_check_is_crc32_and_digits_are_base62() {
    assert_eq!(crc32(&["1234", "56789"]), 0xCBF4_3926);
    assert_eq!(base62::<6>(&0_u32.to_be_bytes()), "000000");
    assert_eq!(base62::<6>(&61_u32.to_be_bytes()), "00000z");
    assert_eq!(base62::<6>(&62_u32.to_be_bytes()), "000010");
    assert_eq!(base62::<6>(&u32::MAX.to_be_bytes()), "4gfFC3");
    // The largest number of 32 bytes still fits into 43 digits: nothing is lost.
    assert_ne!(base62::<43>(&[0xff; 32]), base62::<43>(&[0x7f; 32]));
    assert!(!base62::<43>(&[0xff; 32]).starts_with('0'));
}

#[test]
fn public_ids_begin_with_the_time() {
    let random = TestRandom::default();
    let id = |seconds| public_id("x_", UnixTime::from_seconds(seconds), &random).unwrap();
    let ids = [0, 1, 61, 3_844, 1_700_000_000, 1_700_000_001, 4_102_444_800].map(id);
    assert!(ids.is_sorted(), "{ids:?}");
    assert!(ids.iter().all(|id| id.len() == 24), "{ids:?}");
    assert_ne!(id(7), id(7), "the rest is chance");

    let time = |seconds, micros| {
        time_bytes(
            UnixTime::from_seconds(seconds),
            Duration::from_micros(micros),
        )
    };
    assert_eq!(time(1, 2), 1 << 24 | 2);
    assert!(time(7, 5) < time(7, 6) && time(7, 6) < time(8, 0));
    // The microseconds begin again, and never reach into the seconds.
    assert_eq!(time(7, 1 << 24), time(7, 0));
    assert_eq!(time((1 << 40) + 7, 0), time(7, 0));
}

#[test]
fn s01_every_typo_is_found_before_the_database_is_asked() {
    for (_, text) in specimens() {
        let prefix = text.find('_').unwrap() + 1;
        for index in prefix..text.len() {
            let mut typo = text.clone().into_bytes();
            typo[index] = if typo[index] == b'x' { b'y' } else { b'x' };
            let typo = String::from_utf8(typo).unwrap();
            assert_eq!(reason_of(&typo), Reason::Misspelled, "{text} -> {typo}");
        }
        for other in [
            &text[..text.len() - 1],
            &format!("{text}0"),
            &format!("{text} "),
            &text.to_uppercase().replacen("K_", "k_", 1),
        ] {
            if other.starts_with("ek_")
                || other.starts_with("pk_")
                || other.starts_with("dk_")
                || other.starts_with("sk_")
            {
                assert_eq!(reason_of(other), Reason::Misspelled, "{other}");
            }
        }
    }
    for short in [
        "ek_",
        "pk_",
        "pk_live_",
        "pk_prod_abc",
        "dk_",
        "dk_test_",
        "sk_",
        "vk_",
        "ek_é",
        "sk_ééééééééééééééééééééééé",
    ] {
        assert_eq!(reason_of(short), Reason::Misspelled, "{short}");
    }
}

#[test]
fn s10_no_kind_passes_for_another() {
    for (kind, text) in specimens() {
        let rest = text.strip_prefix(kind.prefix()).unwrap();
        for other in OWN_KINDS.into_iter().filter(|other| *other != kind) {
            // The check covers the prefix, so a relabelled credential is a typo.
            assert_eq!(
                reason_of(&format!("{}{rest}", other.prefix())),
                Reason::Misspelled,
                "{kind:?} as {other:?}"
            );
            let refused = demand(&text, |wanted| wanted == other).unwrap_err();
            assert_eq!(refused.reason(), Reason::WrongKind);
            assert!(!refused.to_string().contains(rest), "{refused}");
        }
        assert_eq!(demand(&text, |wanted| wanted == kind), Ok(kind));
    }
    for jwt in ["eyJhbGciOiJFZERTQSJ9.e30.AA", "", "abc", "Ek_abc", "k_abc"] {
        assert_eq!(classify(jwt), Ok(Kind::Jwt), "{jwt}");
    }
}

#[test]
fn client_secrets_carry_their_expiry_where_hosted_code_looks_for_it() {
    let text = client_secret(&[7; 32], NOW)
        .unwrap()
        .expose_secret()
        .to_owned();
    let (_, payload) = text.split_once("_00").unwrap();
    let payload = STANDARD.decode(payload).unwrap();
    assert_eq!(payload, br#"{"expires_at":1800000000}"#);
    assert_eq!(expiry_of(&text), Some(NOW));
    // Another expiry in clear is a typo like any other.
    let forged = text.replace(
        &STANDARD.encode(r#"{"expires_at":1800000000}"#),
        &STANDARD.encode(r#"{"expires_at":1900000000}"#),
    );
    assert_ne!(forged, text);
    assert_eq!(expiry_of(&forged), None);
    // Digits that would move the mark are not used.
    assert!(client_secret(&[0; 32], NOW).is_none());
    let (body, payload) = (
        format!("ek_00{}", "x".repeat(41)),
        STANDARD.encode("{\"expires_at\":1}"),
    );
    let moved = format!("{body}{}_00{payload}", check_digits(&[&body, &payload]));
    assert_eq!(expiry_of(&moved), None);
    assert_eq!(expiry_of(&moved.replacen("ek_00", "ek_01", 1)), None);
    for expires_at in [i64::MIN, -1, 0, i64::MAX] {
        let expires_at = UnixTime::from_seconds(expires_at);
        let text = client_secret(&[7; 32], expires_at).unwrap();
        assert_eq!(expiry_of(text.expose_secret()), Some(expires_at));
    }
}

#[test]
fn s12_secrets_do_not_print() {
    let secret = client_secret(&[7; 32], NOW).unwrap();
    assert!(!format!("{secret:?}").contains("ek_"));
    let text = secret.expose_secret();
    assert_eq!(hint(Kind::ClientSecret, text).chars().count(), 8);
}

proptest! {
    #[test]
    fn base62_is_long_division(number in any::<u128>()) {
        let mut digits = Vec::new();
        let mut rest = number;
        for _ in 0..22 {
            let digit = u32::try_from(rest % 62).unwrap();
            digits.push(match digit {
                0..10 => char::from_digit(digit, 10).unwrap(),
                10..36 => char::from_digit(digit, 36).unwrap().to_ascii_uppercase(),
                _ => char::from_digit(digit - 26, 36).unwrap(),
            });
            rest /= 62;
        }
        let expected: String = digits.iter().rev().collect();
        prop_assert_eq!(base62::<22>(&number.to_be_bytes()), expected);
    }

    #[test]
    fn s01_minted_credentials_always_classify(bytes in any::<[u8; 32]>(), expires_at in any::<i64>()) {
        if let Some(secret) = client_secret(&bytes, UnixTime::from_seconds(expires_at)) {
            prop_assert_eq!(classify(secret.expose_secret()), Ok(Kind::ClientSecret));
            prop_assert_eq!(secret.expose_secret().match_indices("_00").count(), 1);
        }
    }

    #[test]
    fn s10_classify_takes_any_text(text in "\\PC{0,300}", prefix in "(ek_|pk_live_|pk_|dk_test_|sk_|vk_)?") {
        let _ = classify(&format!("{prefix}{text}"));
    }
}
