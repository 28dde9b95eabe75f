//! Keys that must be refused, and keys that must not be.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    encoding::{decode_base64url, encode_base64url},
    jws::CompactJws,
    rejection::Reason,
    testing::TestKey,
};

const ALL: &[Algorithm] = Algorithm::ALL;

fn read(jwk: &Value, allowed: &[Algorithm], source: KeySource) -> Result<Algorithm, KeyProblem> {
    Key::from_jwk(jwk.as_object().unwrap(), allowed, source).map(|key| key.algorithm())
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

#[test]
fn k01_alg_kty_and_crv_agree() {
    let (rsa, ec, ed) = (
        TestKey::of(Algorithm::Rs256),
        TestKey::of(Algorithm::Es256),
        TestKey::ed25519(),
    );
    for (jwk, expected) in [
        (rsa.jwk("k"), Ok(Algorithm::Rs256)),
        (
            with(rsa.jwk("k"), "alg", json!("PS512")),
            Ok(Algorithm::Ps512),
        ),
        (
            with(rsa.jwk("k"), "alg", json!("ES256")),
            Err(KeyProblem::WrongAlgorithm),
        ),
        (
            with(rsa.jwk("k"), "alg", json!("HS256")),
            Err(KeyProblem::WrongAlgorithm),
        ),
        (
            with(rsa.jwk("k"), "alg", json!("RSA-OAEP")),
            Err(KeyProblem::WrongAlgorithm),
        ),
        (
            with(rsa.jwk("k"), "alg", json!(256)),
            Err(KeyProblem::WrongAlgorithm),
        ),
        (
            with(ec.jwk("k"), "alg", json!("ES384")),
            Err(KeyProblem::WrongAlgorithm),
        ),
        (
            with(ec.jwk("k"), "crv", json!("P-384")),
            Err(KeyProblem::WrongAlgorithm),
        ),
        (
            with(ec.jwk("k"), "crv", json!("secp256k1")),
            Err(KeyProblem::Unsupported),
        ),
        (
            with(ed.jwk("k"), "crv", json!("X25519")),
            Err(KeyProblem::Unsupported),
        ),
        (
            with(ed.jwk("k"), "kty", json!("EC")),
            Err(KeyProblem::Unsupported),
        ),
        (without(ed.jwk("k"), "alg"), Ok(Algorithm::EdDsa)),
        (without(ec.jwk("k"), "alg"), Ok(Algorithm::Es256)),
        (without(rsa.jwk("k"), "alg"), Ok(Algorithm::Rs256)),
    ] {
        assert_eq!(read(&jwk, ALL, KeySource::Fetched), expected, "{jwk}");
    }
    let unnamed = without(rsa.jwk("k"), "alg");
    for (allowed, expected) in [
        // The order of the list says nothing.
        (
            &[Algorithm::Ps256, Algorithm::Rs512, Algorithm::Rs256][..],
            Ok(Algorithm::Rs256),
        ),
        (&[Algorithm::Ps256, Algorithm::Es256], Ok(Algorithm::Ps256)),
        // Which of these its issuer uses cannot be known.
        (
            &[Algorithm::Rs384, Algorithm::Ps256],
            Err(KeyProblem::Undecided),
        ),
        (&[Algorithm::Es256], Err(KeyProblem::NotAllowed)),
        (&[Algorithm::Hs256], Err(KeyProblem::NotAllowed)),
    ] {
        assert_eq!(
            read(&unnamed, allowed, KeySource::Fetched),
            expected,
            "{allowed:?}"
        );
    }
    assert_eq!(
        read(&rsa.jwk("k"), &[Algorithm::Ps256], KeySource::Fetched),
        Err(KeyProblem::NotAllowed)
    );
}

#[test]
fn k02_secrets_and_private_parts_in_a_published_set_are_a_leak() {
    let secret = TestKey::of(Algorithm::Hs256).jwk("k");
    assert_eq!(
        read(&secret, ALL, KeySource::Fetched),
        Err(KeyProblem::PrivateParts)
    );
    assert_eq!(
        read(&secret, ALL, KeySource::Configured),
        Ok(Algorithm::Hs256)
    );
    // A secret fits all three alike, and whoever configures it can say for which it is.
    assert_eq!(
        read(&without(secret, "alg"), ALL, KeySource::Configured),
        Err(KeyProblem::Undecided)
    );
    let private = with(TestKey::ed25519().jwk("k"), "d", json!("AAAA"));
    assert_eq!(
        read(&private, ALL, KeySource::Fetched),
        Err(KeyProblem::PrivateParts)
    );
    assert_eq!(
        read(&private, ALL, KeySource::Configured),
        Ok(Algorithm::EdDsa)
    );
}

#[test]
fn k04_only_keys_for_signatures() {
    let jwk = TestKey::ed25519().jwk("k");
    for (name, value, is_good) in [
        ("use", json!("sig"), true),
        ("use", json!("enc"), false),
        ("use", json!(null), true),
        ("use", json!(""), false),
        ("use", json!(1), false),
        ("key_ops", json!(["verify"]), true),
        ("key_ops", json!(["sign", "verify"]), true),
        ("key_ops", json!(["sign"]), false),
        ("key_ops", json!([]), false),
        ("key_ops", json!("verify"), false),
        ("key_ops", json!(["verify", 1]), false),
        ("key_ops", json!(null), true),
    ] {
        let expected = if is_good {
            Ok(Algorithm::EdDsa)
        } else {
            Err(KeyProblem::NotForSignatures)
        };
        assert_eq!(
            read(
                &with(jwk.clone(), name, value.clone()),
                ALL,
                KeySource::Fetched
            ),
            expected,
            "{name}: {value}"
        );
    }
}

#[test]
fn k05_parts_have_their_sizes_and_points_are_on_their_curve() {
    let (rsa, ec, ed) = (
        TestKey::of(Algorithm::Rs256),
        TestKey::of(Algorithm::Es256),
        TestKey::ed25519(),
    );
    let bytes = |length: usize, first: u8, last: u8| {
        let mut bytes = vec![0x55; length];
        bytes[0] = first;
        bytes[length - 1] |= last;
        json!(encode_base64url(bytes))
    };
    let x = decode_base64url(ec.jwk("k")["x"].as_str().unwrap()).unwrap();
    for jwk in [
        with(rsa.jwk("k"), "n", bytes(255, 0xff, 1)),
        with(rsa.jwk("k"), "n", bytes(256, 0x7f, 1)),
        with(rsa.jwk("k"), "n", bytes(1025, 0xff, 1)),
        with(rsa.jwk("k"), "n", bytes(256, 0, 1)),
        with(rsa.jwk("k"), "n", json!("")),
        with(rsa.jwk("k"), "n", json!(17)),
        with(rsa.jwk("k"), "n", json!("AQAB=")),
        without(rsa.jwk("k"), "n"),
        with(rsa.jwk("k"), "e", json!("AQ")),
        with(rsa.jwk("k"), "e", json!("Ag")),
        with(rsa.jwk("k"), "e", json!("AQAA")),
        with(rsa.jwk("k"), "e", json!("")),
        with(rsa.jwk("k"), "e", json!("AAAAAQ")),
        with(rsa.jwk("k"), "e", json!("AAAA")),
        with(rsa.jwk("k"), "e", bytes(6, 1, 1)),
        without(rsa.jwk("k"), "e"),
        with(ec.jwk("k"), "x", bytes(32, 1, 1)),
        with(ec.jwk("k"), "y", bytes(33, 1, 1)),
        with(ec.jwk("k"), "x", json!(encode_base64url(&x[..31]))),
        with(
            ec.jwk("k"),
            "x",
            json!(encode_base64url([x.as_slice(), &[0]].concat())),
        ),
        with(
            with(ec.jwk("k"), "x", json!(encode_base64url([0; 32]))),
            "y",
            json!(encode_base64url([0; 32])),
        ),
        without(ec.jwk("k"), "y"),
        with(ed.jwk("k"), "x", bytes(31, 1, 1)),
        with(ed.jwk("k"), "x", bytes(33, 1, 1)),
        with(ed.jwk("k"), "x", bytes(33, 0, 1)),
        with(ed.jwk("k"), "x", json!("")),
        with(ed.jwk("k"), "x", json!(null)),
        without(ed.jwk("k"), "kty"),
    ] {
        assert_eq!(
            read(
                &jwk,
                &[Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa],
                KeySource::Fetched
            ),
            Err(KeyProblem::BadParts),
            "{jwk}"
        );
    }
}

/// The same numbers as a Java program writes them, or one that knows plain base64 only.
#[test]
fn k05_a_number_is_the_same_with_zeros_and_padding_and_in_either_alphabet() {
    let part = |jwk: &Value, name: &str| decode_base64url(jwk[name].as_str().unwrap()).unwrap();
    let plain = |bytes: &[u8]| json!(STANDARD.encode(bytes));
    let with_zero = |bytes: &[u8]| json!(encode_base64url([&[0], bytes].concat()));
    let rsa = TestKey::of(Algorithm::Rs256);
    let (ec, short) = loop {
        let key = TestKey::of(Algorithm::Es256);
        let x = part(&key.jwk("k"), "x");
        if x[0] == 0 {
            break (key, json!(encode_base64url(&x[1..])));
        }
    };
    let ed = TestKey::ed25519();
    let (of_rsa, of_ec, of_ed) = (rsa.jwk("k"), ec.jwk("k"), ed.jwk("k"));
    let (n, y, x) = (part(&of_rsa, "n"), part(&of_ec, "y"), part(&of_ed, "x"));
    for (signer, jwk, other) in [
        (&rsa, &of_rsa, with(of_rsa.clone(), "n", with_zero(&n))),
        (&rsa, &of_rsa, with(of_rsa.clone(), "n", plain(&n))),
        (&rsa, &of_rsa, with(of_rsa.clone(), "e", json!("AAEAAQ=="))),
        (&rsa, &of_rsa, with(of_rsa.clone(), "alg", Value::Null)),
        (&rsa, &of_rsa, with(of_rsa.clone(), "d", Value::Null)),
        (&ec, &of_ec, with(of_ec.clone(), "x", short)),
        (&ec, &of_ec, with(of_ec.clone(), "y", with_zero(&y))),
        (&ec, &of_ec, with(of_ec.clone(), "y", plain(&y))),
        (&ed, &of_ed, with(of_ed.clone(), "x", plain(&x))),
    ] {
        let allowed = [signer.algorithm()];
        let read = |jwk: &Value| {
            Key::from_jwk(jwk.as_object().unwrap(), &allowed, KeySource::Fetched)
                .unwrap_or_else(|problem| panic!("{problem}: {jwk}"))
        };
        let key = read(&other);
        assert!(key.is_same(&read(jwk)), "{other}");
        let token = signer.token("k", &json!({}));
        assert_eq!(CompactJws::parse(&token).unwrap().verify(&key), Ok(()));
    }
}

#[test]
fn k05_an_ed25519_point_has_one_encoding_and_is_not_of_small_order() {
    let little_endian = |low: u8, middle: u8, high: u8| {
        let mut bytes = [middle; 32];
        (bytes[0], bytes[31]) = (low, high);
        bytes
    };
    let mut bad = vec![
        little_endian(1, 0, 0),          // the neutral element
        little_endian(0, 0, 0),          // of order 4
        little_endian(0xec, 0xff, 0x7f), // of order 2
    ];
    // Of order 8, and the same with the other sign of x.
    for hex in [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        let mut y = [0; 32];
        for (index, byte) in y.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * index..2 * index + 2], 16).unwrap();
        }
        bad.push(y);
        y[31] |= 0x80;
        bad.push(y);
    }
    // Coordinates that are not below the prime: 2^255 - 19 stands for 0, and so on.
    bad.extend((0xed..=0xff).map(|low| little_endian(low, 0xff, 0x7f)));
    for x in bad {
        let jwk = with(TestKey::ed25519().jwk("k"), "x", json!(encode_base64url(x)));
        assert_eq!(
            read(&jwk, &[Algorithm::EdDsa], KeySource::Fetched),
            Err(KeyProblem::BadParts),
            "{jwk}"
        );
    }
}

/// Whether a y coordinate has a point is found out when a signature is checked, and not before.
#[test]
fn k05_an_ed25519_key_that_is_no_point_verifies_nothing() {
    let mut x = [0; 32];
    x[0] = 2;
    let jwk = with(TestKey::ed25519().jwk("k"), "x", json!(encode_base64url(x)));
    let key = Key::from_jwk(
        jwk.as_object().unwrap(),
        &[Algorithm::EdDsa],
        KeySource::Fetched,
    )
    .unwrap();
    let identity = [&[1][..], &[0; 63]].concat();
    for signature in [identity, vec![0; 64], TestKey::ed25519().sign_bytes(b"x")] {
        let input = format!(
            "{}.{}",
            encode_base64url(br#"{"alg":"EdDSA"}"#),
            encode_base64url("{}")
        );
        let token = format!("{input}.{}", encode_base64url(signature));
        let outcome = CompactJws::parse(&token).unwrap().verify(&key);
        assert_eq!(outcome, Err(Reason::BadSignature));
    }
}

#[test]
fn k06_hmac_secrets_are_as_long_as_their_hash() {
    for (algorithm, shortest) in [
        (Algorithm::Hs256, 32),
        (Algorithm::Hs384, 48),
        (Algorithm::Hs512, 64),
    ] {
        let key = |length: usize| Key::from_secret(&vec![7; length].into(), algorithm, None);
        assert!(key(shortest).is_ok());
        assert_eq!(key(shortest - 1).unwrap_err(), KeyProblem::ShortSecret);
        assert_eq!(key(0).unwrap_err(), KeyProblem::ShortSecret);
    }
    let public = Key::from_secret(&vec![7; 64].into(), Algorithm::Rs256, None);
    assert_eq!(public.unwrap_err(), KeyProblem::WrongAlgorithm);
}

#[test]
fn k07_kid_must_be_readable() {
    for kid in [json!(1), json!(""), json!(null), json!("k".repeat(257))] {
        let jwk = with(TestKey::ed25519().jwk("k"), "kid", kid.clone());
        assert_eq!(
            read(&jwk, ALL, KeySource::Fetched),
            Err(KeyProblem::BadKeyId),
            "{kid}"
        );
    }
}

#[test]
fn pem_keys_work_for_the_algorithm_they_are_configured_for() {
    use aws_lc_rs::{encoding::AsDer, signature::KeyPair};
    let TestKey::Rsa(pair, _) = TestKey::of(Algorithm::Rs256) else {
        unreachable!()
    };
    let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let key = Key::from_pem(&pem, Algorithm::Rs256, None).unwrap();
    let token = TestKey::of(Algorithm::Rs256).token("k", &json!({}));
    assert_eq!(
        crate::jws::CompactJws::parse(&token).unwrap().verify(&key),
        Ok(())
    );
    assert_eq!(
        Key::from_pem(&pem, Algorithm::Es256, None).unwrap_err(),
        KeyProblem::BadParts
    );
    assert_eq!(
        Key::from_pem(&pem, Algorithm::Hs256, None).unwrap_err(),
        KeyProblem::WrongAlgorithm
    );
    assert_eq!(
        Key::from_pem(&pem, Algorithm::EdDsa, None).unwrap_err(),
        KeyProblem::BadParts
    );
    for bad in [
        "",
        "-----BEGIN PUBLIC KEY-----",
        &pem.replace("PUBLIC", "PRIVATE"),
        &pem.replace('M', "!"),
    ] {
        assert_eq!(
            Key::from_pem(bad, Algorithm::Rs256, None).unwrap_err(),
            KeyProblem::Malformed,
            "{bad}"
        );
    }
}

#[test]
fn an_ed25519_key_info_is_that_of_rfc_8410_and_nothing_more() {
    use aws_lc_rs::{encoding::AsDer, signature::KeyPair};
    let signer = TestKey::ed25519();
    let TestKey::Ed(pair) = &signer else {
        unreachable!()
    };
    let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let (head, point) = der.as_ref().split_at(12);
    let key = Key::from_spki(&[head, point].concat(), Algorithm::EdDsa, None).unwrap();
    let token = signer.token("k", &json!({}));
    let jws = crate::jws::CompactJws::parse(&token).unwrap();
    assert_eq!(jws.verify(&key), Ok(()));

    let of_x25519 = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x6e\x03\x21\x00";
    let with_parameters = b"\x30\x2c\x30\x07\x06\x03\x2b\x65\x70\x05\x00\x03\x21\x00";
    for (name, bad) in [
        ("another algorithm", [of_x25519, point].concat()),
        ("parameters", [&with_parameters[..], point].concat()),
        ("a byte too many", [head, point, &[0]].concat()),
        ("a byte too few", [head, &point[1..]].concat()),
    ] {
        let outcome = Key::from_spki(&bad, Algorithm::EdDsa, None);
        assert_eq!(outcome.unwrap_err(), KeyProblem::BadParts, "{name}");
    }
}

#[test]
fn s12_a_key_does_not_print_its_parts() {
    let key = Key::from_secret(
        &vec![b'Q'; 64].into(),
        Algorithm::Hs256,
        Some("k".to_owned()),
    )
    .unwrap();
    assert_eq!(
        format!("{key:?}"),
        r#"Key { id: Some("k"), algorithm: Hs256, .. }"#
    );
}

proptest! {
    #[test]
    fn k05_no_jwk_panics(
        kty in "RSA|EC|OKP|oct|x",
        crv in "P-256|P-384|P-521|Ed25519|x",
        alg in prop::option::of("RS256|PS384|ES256|ES384|ES512|EdDSA|HS256|x"),
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 5),
    ) {
        let mut jwk = json!({ "kty": kty, "crv": crv });
        for (name, part) in ["n", "e", "x", "y", "k"].into_iter().zip(&parts) {
            jwk[name] = encode_base64url(part).into();
        }
        if let Some(alg) = alg {
            jwk["alg"] = alg.into();
        }
        for source in [KeySource::Fetched, KeySource::Configured] {
            let _ = read(&jwk, ALL, source);
        }
    }
}
