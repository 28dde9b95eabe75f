//! Keys that an issuer publishes as certificates: a JSON object from key id to PEM (RFC 7468 §5).
//!
//! Nothing but the public key and the time of validity is taken from a certificate: whoever serves
//! the document at the configured address over TLS is believed about keys anyway, and the signature
//! on it says nothing more.

use serde_json::Value;
use x509_cert::{
    Certificate,
    der::{DecodePem, Encode},
};

use super::{KeySet, MAX_KEYS, MAX_SET_BYTES, SetProblem, SkippedKey};
use crate::{
    encoding::{parse_json_object, without_mark},
    jwk::{Key, KeyProblem},
    jws::{Algorithm, MAX_KEY_ID_BYTES},
    time::UnixTime,
};

impl KeySet {
    /// Reads a map of certificates; all keys are for one algorithm, because certificates name none.
    ///
    /// Certificates that cannot be used now are set aside with the reason.
    pub(crate) fn parse_x509_map(
        body: &[u8],
        algorithm: Algorithm,
        now: UnixTime,
    ) -> Result<Self, SetProblem> {
        if body.len() > MAX_SET_BYTES {
            return Err(SetProblem::TooLarge);
        }
        let members = parse_json_object(without_mark(body)).map_err(|_| SetProblem::Malformed)?;
        match members.len() {
            0 => return Err(SetProblem::Empty),
            1..=MAX_KEYS => {}
            _ => return Err(SetProblem::TooMany),
        }
        let mut set = Self::default();
        for (index, (key_id, pem)) in members.into_iter().enumerate() {
            match read_certificate(&key_id, &pem, algorithm, now) {
                Ok(key) => set.insert(key),
                Err(problem) => set.skipped.push(SkippedKey {
                    index,
                    key_id: Some(key_id.chars().take(MAX_KEY_ID_BYTES).collect()),
                    problem,
                }),
            }
        }
        Ok(set)
    }
}

fn read_certificate(
    key_id: &str,
    pem: &Value,
    algorithm: Algorithm,
    now: UnixTime,
) -> Result<Key, KeyProblem> {
    if !(1..=MAX_KEY_ID_BYTES).contains(&key_id.len()) {
        return Err(KeyProblem::BadKeyId);
    }
    let pem = pem.as_str().ok_or(KeyProblem::Malformed)?;
    let certificate = Certificate::from_pem(pem.trim()).map_err(|_| KeyProblem::Malformed)?;
    let certificate = certificate.tbs_certificate();
    let validity = certificate.validity();
    let seconds = u64::try_from(now.seconds()).unwrap_or_default();
    let from = validity.not_before.to_unix_duration().as_secs();
    let until = validity.not_after.to_unix_duration().as_secs();
    if !(from..=until).contains(&seconds) {
        return Err(KeyProblem::Expired);
    }
    let spki = certificate.subject_public_key_info().to_der();
    let spki = spki.map_err(|_| KeyProblem::BadParts)?;
    Key::from_spki(&spki, algorithm, Some(key_id.to_owned()))
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::NOW;

    fn parse(map: &Value) -> Result<KeySet, SetProblem> {
        KeySet::parse_x509_map(map.to_string().as_bytes(), Algorithm::Rs256, NOW)
    }

    #[test]
    fn a_map_is_one_object_of_some_certificates() {
        for (map, problem) in [
            (json!({}), SetProblem::Empty),
            (json!([]), SetProblem::Malformed),
            (
                json!({ "keys": "x".repeat(MAX_SET_BYTES) }),
                SetProblem::TooLarge,
            ),
            (
                (0..=MAX_KEYS)
                    .map(|key| (key.to_string(), json!("")))
                    .collect(),
                SetProblem::TooMany,
            ),
        ] {
            assert_eq!(parse(&map).unwrap_err(), problem);
        }
        let set = parse(&json!({ "": "x", "a": 1, "b": null, "c": "x" })).unwrap();
        assert!(set.keys().is_empty());
        assert_eq!(set.skipped().len(), 4);
    }

    proptest! {
        #[test]
        fn k05_no_certificate_makes_it_panic(der: Vec<u8>, text: String) {
            let begun = [&[0x30, 0x82, 0x02, 0x00, 0x30, 0x82, 0x01, 0x00], &*der].concat();
            for der in [der, begun] {
                let body = STANDARD.encode(&der);
                let pem = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
                let set = parse(&json!({ "a": pem, "b": text.clone() })).unwrap();
                prop_assert_eq!(set.skipped().len(), 2);
            }
        }
    }
}
