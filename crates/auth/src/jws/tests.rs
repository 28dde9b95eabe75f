//! Token parsing and signatures: our own tables, and the public test vectors.

use serde_json::json;

use super::*;
use crate::{
    encoding::encode_base64url,
    jwk::KeySource,
    jwks::KeySet,
    testing::{TestKey, good_claims, jwks},
};

fn key(test_key: &TestKey) -> Key {
    let jwk = test_key.jwk("k");
    Key::from_jwk(
        jwk.as_object().unwrap(),
        Algorithm::ALL,
        KeySource::Configured,
    )
    .unwrap()
}

fn parse(token: &str) -> Result<Header, Reason> {
    CompactJws::parse(token).map(|jws| jws.header().clone())
}

#[test]
fn t01_length_is_checked_before_anything_else() {
    let key = TestKey::ed25519();
    let empty = key.token_with(&json!({ "alg": "EdDSA" }), "").len();
    // Four characters carry three bytes.
    let mut payload = vec![b'x'; (MAX_TOKEN_BYTES - empty) / 4 * 3];
    let mut token = key.token_with(&json!({ "alg": "EdDSA" }), &payload);
    while token.len() < MAX_TOKEN_BYTES {
        payload.push(b'x');
        token = key.token_with(&json!({ "alg": "EdDSA" }), &payload);
    }
    assert_eq!(token.len(), MAX_TOKEN_BYTES);
    assert!(CompactJws::parse(&token).is_ok());
    payload.push(b'x');
    let longer = key.token_with(&json!({ "alg": "EdDSA" }), &payload);
    assert_eq!(parse(&longer), Err(Reason::TooLarge));
    assert_eq!(parse(&"\u{1f600}".repeat(1 << 18)), Err(Reason::TooLarge));
}

#[test]
fn t02_three_base64url_segments_and_nothing_else() {
    let token = TestKey::ed25519().token("k", &good_claims());
    let parts: Vec<&str> = token.split('.').collect();
    let with = |index: usize, change: &dyn Fn(&str) -> String| {
        let mut parts: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
        parts[index] = change(&parts[index]);
        parts.join(".")
    };
    for index in 0..3 {
        for bad in ["=", "==", "+", "/", " ", "\n", "?", "\u{0}", "é", "%3D"] {
            let token = with(index, &|part| format!("{part}{bad}"));
            assert_eq!(
                parse(&token),
                Err(Reason::BadEncoding),
                "{bad:?} in segment {index}"
            );
            let token = with(index, &|part| format!("{bad}{part}"));
            assert_eq!(
                parse(&token),
                Err(Reason::BadEncoding),
                "{bad:?} before segment {index}"
            );
        }
    }
    for (bad, expected) in [
        ("", Reason::NotCompact),
        ("abc", Reason::NotCompact),
        ("a.b", Reason::NotCompact),
        ("a.b.c.d", Reason::NotCompact),
        ("a.b.c.d.e.f", Reason::NotCompact),
        ("a.b.c.d.e", Reason::Encrypted),
        (
            r#"{"payload":"","signatures":[]}"#,
            Reason::JsonSerialization,
        ),
        (r#"{"protected":"a.b.c.d.e"}"#, Reason::JsonSerialization),
        ("..", Reason::MalformedHeader),
    ] {
        assert_eq!(parse(bad), Err(expected), "{bad:?}");
    }
}

#[test]
fn t03_trailing_bits_must_be_zero() {
    let key = TestKey::ed25519();
    let token = key.token("k", &good_claims());
    // 64 bytes are 86 characters; the last one carries 4 bits, so 2 of its bits must be zero.
    let last = token.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet
        .chars()
        .nth(alphabet.find(last).unwrap() + 1)
        .unwrap();
    let forged = format!("{}{next}", &token[..token.len() - 1]);
    assert_eq!(parse(&forged), Err(Reason::BadEncoding));
}

#[test]
fn t04_header_is_one_object_without_duplicates() {
    let key = TestKey::ed25519();
    for (header, expected) in [
        (
            &br#"{"alg":"EdDSA","alg":"EdDSA"}"#[..],
            Reason::DuplicateMember,
        ),
        (
            br#"{"alg":"EdDSA","kid":"a","\u006bid":"b"}"#,
            Reason::DuplicateMember,
        ),
        (
            br#"{"alg":"EdDSA","x":{"y":1,"y":2}}"#,
            Reason::DuplicateMember,
        ),
        (br#"["EdDSA"]"#, Reason::MalformedHeader),
        (br#""EdDSA""#, Reason::MalformedHeader),
        (b"\xef\xbb\xbf{\"alg\":\"EdDSA\"}", Reason::MalformedHeader),
        (
            b"{\"alg\":\"EdDSA\",\"x\":\"\xff\"}",
            Reason::MalformedHeader,
        ),
        (br#"{"alg":"EdDSA"}{}"#, Reason::MalformedHeader),
        (b"", Reason::MalformedHeader),
    ] {
        let text = String::from_utf8_lossy(header).into_owned();
        assert_eq!(parse(&key.raw_token(header, "x")), Err(expected), "{text}");
    }
}

#[test]
fn t05_alg_is_exact() {
    let key = TestKey::ed25519();
    for alg in [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!("NONE"),
        json!(""),
        json!(null),
        json!(1),
        json!(["EdDSA"]),
        json!("eddsa"),
        json!("EDDSA"),
        json!("rs256"),
        json!("RS256 "),
        json!("Ed448"),
        json!("ES256K"),
        json!("RSA-OAEP"),
        json!("dir"),
        json!("A256KW"),
        json!("HS1"),
        json!("ES521"),
    ] {
        let token = key.token_with(&json!({ "alg": alg }), "x");
        assert_eq!(parse(&token), Err(Reason::UnsupportedAlgorithm), "{alg}");
    }
    assert_eq!(
        parse(&key.token_with(&json!({ "kid": "k" }), "x")),
        Err(Reason::UnsupportedAlgorithm)
    );
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(*algorithm));
    }
}

#[test]
fn t02_an_ed25519_signature_has_one_spelling() {
    /// The order of the group, least byte first (RFC 8032 §5.1).
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let signer = TestKey::ed25519();
    let set = KeySet::parse(
        &jwks(&[signer.jwk("k")]),
        Algorithm::ALL,
        KeySource::Fetched,
    )
    .unwrap();
    let token = signer.token("k", &good_claims());
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = decode_base64url(signature).unwrap();
    let verify = |signature: &[u8]| {
        let token = format!("{input}.{}", encode_base64url(signature));
        let jws = CompactJws::parse(&token).unwrap();
        jws.verify(set.find(jws.header(), true).unwrap())
    };
    assert_eq!(verify(&signature), Ok(()));
    // s + order gives the same point as s, so a lenient verifier takes it as well.
    let mut other = signature.clone();
    let mut carry = 0;
    for (byte, more) in other[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    assert_eq!((carry, verify(&other)), (0, Err(Reason::BadSignature)));
    let mut bad = vec![
        signature[..63].to_vec(),
        [&signature[..], &[0]].concat(),
        Vec::new(),
    ];
    for place in [0, 31, 32, 63] {
        for bit in [1, 0x80] {
            bad.push(signature.clone());
            bad.last_mut().unwrap()[place] ^= bit;
        }
    }
    for bad in bad {
        assert_eq!(verify(&bad), Err(Reason::BadSignature), "{bad:?}");
    }
}

#[test]
fn t06_extensions_are_refused() {
    let key = TestKey::ed25519();
    for (name, value) in [
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        let token = key.token_with(&json!({ "alg": "EdDSA", name: value }), "x");
        assert_eq!(
            parse(&token),
            Err(Reason::UnsupportedExtension),
            "{name}: {value}"
        );
    }
}

#[test]
fn t07_k03_keys_in_the_header_are_never_used() {
    let (real, forger) = (TestKey::ed25519(), TestKey::ed25519());
    let set = KeySet::parse(&jwks(&[real.jwk("k")]), Algorithm::ALL, KeySource::Fetched).unwrap();
    for (name, value) in [
        ("jwk", forger.jwk("k")),
        ("jku", json!("http://127.0.0.1:9/jwks")),
        ("x5u", json!("http://127.0.0.1:9/x5u")),
        ("x5c", json!(["MIIB"])),
    ] {
        let header = json!({ "alg": "EdDSA", "kid": "k", name: value });
        let forged = forger.token_with(&header, "x");
        let jws = CompactJws::parse(&forged).unwrap();
        let key = set.find(jws.header(), true).unwrap();
        assert_eq!(jws.verify(key), Err(Reason::BadSignature), "{name}");
        let honest = real.token_with(&header, "x");
        assert_eq!(
            CompactJws::parse(&honest).unwrap().verify(key),
            Ok(()),
            "{name}"
        );
    }
}

#[test]
fn t09_kid_is_a_short_string() {
    let key = TestKey::ed25519();
    for kid in [
        json!(""),
        json!(1),
        json!(null),
        json!(["k"]),
        json!("k".repeat(257)),
    ] {
        let token = key.token_with(&json!({ "alg": "EdDSA", "kid": kid }), "x");
        assert_eq!(parse(&token), Err(Reason::BadKeyId), "{kid}");
    }
    let set = KeySet::parse(&jwks(&[key.jwk("k")]), Algorithm::ALL, KeySource::Fetched).unwrap();
    for kid in [
        "k' OR '1'='1",
        "*)(uid=*",
        "k\r\nX: y",
        "../../etc/passwd",
        "k\u{1}",
        " k",
        &"k".repeat(256),
    ] {
        let token = key.token_with(&json!({ "alg": "EdDSA", "kid": kid }), "x");
        let header = parse(&token).unwrap();
        assert_eq!(
            set.find(&header, true).unwrap_err(),
            Reason::UnknownKey,
            "{kid:?}"
        );
    }
    // No JSON that is read here holds U+0000.
    let token = key.token_with(&json!({ "alg": "EdDSA", "kid": "k\u{0}" }), "x");
    assert_eq!(parse(&token), Err(Reason::MalformedHeader));
}

#[test]
fn k01_every_algorithm_verifies_its_own_and_no_other() {
    let keys: Vec<TestKey> = Algorithm::ALL
        .iter()
        .map(|algorithm| TestKey::of(*algorithm))
        .collect();
    for signer in &keys {
        let token = signer.token("k", &good_claims());
        let jws = CompactJws::parse(&token).unwrap();
        for verifier in &keys {
            let expected = if signer.algorithm() == verifier.algorithm() {
                Ok(())
            } else {
                Err(Reason::KeyMismatch)
            };
            assert_eq!(
                jws.verify(&key(verifier)),
                expected,
                "{} by {}",
                signer.algorithm(),
                verifier.algorithm()
            );
        }
        let (head, signature) = token.rsplit_once('.').unwrap();
        let other = signer.token("k", &json!({}));
        let (_, other_signature) = other.rsplit_once('.').unwrap();
        for forged in [
            format!("{head}.{other_signature}"),
            format!("{head}."),
            format!("{head}.{signature}AAAA"),
        ] {
            let verified = CompactJws::parse(&forged).unwrap().verify(&key(signer));
            assert_eq!(
                verified,
                Err(Reason::BadSignature),
                "{}",
                signer.algorithm()
            );
        }
    }
}

#[test]
fn k02_a_public_key_is_never_an_hmac_secret() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let victim = TestKey::of(algorithm);
        let jwk = victim.jwk("k");
        let material = match &victim {
            TestKey::Rsa(..) => jwk["n"].as_str(),
            _ => jwk["x"].as_str(),
        };
        for secret in [
            jwk.to_string().into_bytes(),
            decode_base64url(material.unwrap()).unwrap(),
        ] {
            let forged = TestKey::Hmac(secret, Algorithm::Hs256).token("k", &good_claims());
            let jws = CompactJws::parse(&forged).unwrap();
            assert_eq!(
                jws.verify(&key(&victim)),
                Err(Reason::KeyMismatch),
                "{algorithm}"
            );
        }
    }
}

#[test]
fn k09_both_names_of_ed25519() {
    let signer = TestKey::ed25519();
    for (header_name, key_name) in [
        ("EdDSA", "Ed25519"),
        ("Ed25519", "EdDSA"),
        ("Ed25519", "Ed25519"),
    ] {
        let mut jwk = signer.jwk("k");
        jwk["alg"] = key_name.into();
        let key = Key::from_jwk(
            jwk.as_object().unwrap(),
            &[Algorithm::EdDsa],
            KeySource::Fetched,
        )
        .unwrap();
        let token = signer.token_with(&json!({ "alg": header_name }), "x");
        assert_eq!(CompactJws::parse(&token).unwrap().verify(&key), Ok(()));
    }
}

#[test]
fn an_empty_payload_is_fine_when_it_is_what_was_signed() {
    let signer = TestKey::ed25519();
    let token = signer.token_with(&json!({ "alg": "EdDSA" }), "");
    assert_eq!(
        CompactJws::parse(&token).unwrap().verify(&key(&signer)),
        Ok(())
    );
    let detached = signer
        .token_with(&json!({ "alg": "EdDSA" }), "x")
        .replacen(".eA.", "..", 1);
    assert_eq!(
        CompactJws::parse(&detached).unwrap().verify(&key(&signer)),
        Err(Reason::DetachedPayload)
    );
}
