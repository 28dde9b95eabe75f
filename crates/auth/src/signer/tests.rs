//! Our own tokens, read by our own verifier.

use secrecy::SecretBox;

use super::*;
use crate::{
    jwk::KeySource,
    jwks::KeySet,
    jws::{Algorithm, CompactJws},
    testing::good_claims,
};

fn signer(seed: u8) -> Signer {
    Signer::from_seed(&SecretBox::new(Box::new([seed; 32]))).unwrap()
}

#[test]
fn what_is_signed_verifies_with_the_published_key() {
    let signer = signer(1);
    let set = signer.jwks().to_string();
    let set = KeySet::parse(set.as_bytes(), &[Algorithm::EdDsa], KeySource::Fetched).unwrap();
    for typ in [None, Some("at+jwt")] {
        let token = signer
            .sign(good_claims().as_object().unwrap(), typ)
            .unwrap();
        let jws = CompactJws::parse(&token).unwrap();
        assert_eq!(jws.header().typ.as_deref(), typ);
        assert_eq!(jws.header().key_id.as_deref(), Some(&*signer.key_id()));
        assert_eq!(jws.verify(set.find(jws.header(), true).unwrap()), Ok(()));
        assert_eq!(
            serde_json::from_slice::<Value>(jws.payload()).unwrap(),
            good_claims()
        );
    }
}

#[test]
fn keys_are_named_by_their_thumbprint() {
    // RFC 8037 appendix A.3: the thumbprint of the key of appendix A.1.
    let seed =
        crate::encoding::decode_base64url("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
    let seed: [u8; 32] = seed.try_into().unwrap();
    let signer = Signer::from_seed(&SecretBox::new(Box::new(seed))).unwrap();
    assert_eq!(
        signer.public_jwk()["x"],
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    );
    assert_eq!(
        signer.key_id(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}

#[test]
fn s12_the_private_key_is_neither_published_nor_printed() {
    let signer = signer(7);
    assert!(signer.public_jwk().get("d").is_none());
    let printed = format!("{signer:?}");
    assert!(
        printed.contains(&signer.key_id()) && printed.len() < 100,
        "{printed}"
    );
}

#[test]
fn keys_of_other_nodes_are_published_and_sign_nothing() {
    let seed = |number: u8| SecretBox::new(Box::new([number; 32]));
    let other = Signer::from_seed(&seed(2)).unwrap();
    let own = Signer::from_seed(&seed(1)).unwrap();
    let signer = Signer::from_seeds(&Seeds {
        first: seed(1),
        others: vec![seed(2)],
    });
    let signer = signer.unwrap();
    let set = json!({ "keys": [own.public_jwk(), other.public_jwk()] });
    assert_eq!(signer.jwks(), set);
    assert_eq!(signer.key_id(), own.key_id());
}

#[test]
fn a_signer_goes_on_with_other_keys() {
    let signer = signer(1);
    signer.replace(super::Signer::from_seed(&SecretBox::new(Box::new([2; 32]))).unwrap());
    let token = signer.sign(good_claims().as_object().unwrap(), None);
    let token = token.unwrap();
    let jws = CompactJws::parse(&token).unwrap();
    let set = signer.jwks().to_string();
    let set = KeySet::parse(set.as_bytes(), &[Algorithm::EdDsa], KeySource::Fetched).unwrap();
    assert_eq!(jws.verify(set.find(jws.header(), true).unwrap()), Ok(()));
    assert_eq!(signer.key_id(), self::signer(2).key_id());
}
