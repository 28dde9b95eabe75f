//! The public test vectors: Wycheproof's JSON Web Signature and Key files, and the RFC 7520
//! cookbook.
//!
//! They are read from the folder that `VESTIBULE_VECTORS` names; without it these tests say so
//! and pass.
//! Where we differ from a label, the case is listed here with the reason, and the list is exact in
//! both directions.

#[cfg(test)]
mod vectors {
    use std::{collections::BTreeMap, fs, path::PathBuf};

    use auth::explain::check_signature;
    use serde_json::Value;

    fn folder() -> Option<PathBuf> {
        let folder = std::env::var_os("VESTIBULE_VECTORS").map(PathBuf::from);
        if folder.is_none() {
            eprintln!("skipped: VESTIBULE_VECTORS does not name a folder with test vectors");
        }
        folder
    }

    fn read(file: &str) -> Option<Value> {
        let text = fs::read(folder()?.join(file)).unwrap();
        Some(serde_json::from_slice(&text).unwrap())
    }

    /// Runs every case that has a `jws`; returns how many there were and those that differ from
    /// their label.
    fn run(file: &str) -> Option<(usize, BTreeMap<u64, bool>)> {
        let (mut count, mut differing) = (0, BTreeMap::new());
        let suite = read(file)?;
        for group in suite["testGroups"].as_array().unwrap() {
            let keys = group
                .get("public")
                .or_else(|| group.get("private"))
                .unwrap();
            for case in group["tests"].as_array().unwrap() {
                let Some(token) = case["jws"].as_str() else {
                    continue;
                };
                count += 1;
                let is_accepted = check_signature(token, keys.to_string().as_bytes()).ok;
                if is_accepted != (case["result"] == "valid") {
                    differing.insert(case["tcId"].as_u64().unwrap(), is_accepted);
                }
            }
        }
        Some((count, differing))
    }

    #[test]
    fn wycheproof_json_web_signature() {
        let Some((count, differing)) = run("json_web_signature_test.json") else {
            return;
        };
        let expected = BTreeMap::from([
            // The header is PS384, but the key says PS256: a key is for one algorithm.
            (346, false),
            (350, false),
            // The key says `ES521`, which does not exist; see the test below.
            (347, false),
            (351, false),
            // Labelled as padded, but byte for byte the same as the valid case 357.
            (367, true),
            (370, true),
            // A question mark inside base64url.
            (372, false),
            (373, false),
        ]);
        assert_eq!(differing, expected);
        assert_eq!(count, 401);
    }

    #[test]
    fn wycheproof_es512_passes_once_its_key_is_spelled_right() {
        let Some(suite) = read("json_web_signature_test.json") else {
            return;
        };
        let mut count = 0;
        for group in suite["testGroups"].as_array().unwrap() {
            if group["public"]["alg"] != "ES521" {
                continue;
            }
            let mut key = group["public"].clone();
            key.as_object_mut().unwrap().remove("alg");
            for case in group["tests"].as_array().unwrap() {
                count += 1;
                let checked =
                    check_signature(case["jws"].as_str().unwrap(), key.to_string().as_bytes());
                assert!(checked.ok, "{}", checked.reason);
            }
        }
        assert_eq!(count, 2);
    }

    #[test]
    fn wycheproof_json_web_key() {
        let Some((count, differing)) = run("json_web_key_test.json") else {
            return;
        };
        // A key with the ROCA weakness: telling those apart is not covered.
        assert_eq!(differing, BTreeMap::from([(7, true)]));
        assert_eq!(count, 26);
    }

    #[test]
    fn wycheproof_json_web_crypto() {
        let Some((count, differing)) = run("json_web_crypto_test.json") else {
            return;
        };
        assert_eq!(differing, BTreeMap::from([(46, true)]));
        assert_eq!(count, 48);
    }

    #[test]
    fn rfc7520_cookbook() {
        for (file, is_accepted) in [
            ("jws/4_1.rsa_v15_signature.json", true),
            // The key names no algorithm of its own, so the token's PS384 may use it.
            ("jws/4_2.rsa-pss_signature.json", true),
            ("jws/4_3.ecdsa_signature.json", true),
            ("jws/4_4.hmac-sha2_integrity_protection.json", true),
            // The payload is somewhere else.
            ("jws/4_5.signature_with_detached_content.json", false),
            ("curve25519/jws.json", true),
            // `b64: false`.
            ("rfc7797/hmac-sha2_b64_false.json", false),
        ] {
            let Some(example) = read(&format!("rfc7520-cookbook/{file}")) else {
                return;
            };
            let token = example["output"]["compact"].as_str().unwrap();
            let key = &example["input"]["key"];
            let checked = check_signature(token, key.to_string().as_bytes());
            assert_eq!(checked.ok, is_accepted, "{file}: {}", checked.reason);
            let json = example["output"]
                .get("json")
                .or_else(|| example["output"].get("json_flat"));
            if let Some(json) = json {
                let checked = check_signature(&json.to_string(), key.to_string().as_bytes());
                assert!(
                    checked.reason.starts_with("json_serialization: "),
                    "{file}: {}",
                    checked.reason
                );
            }
        }
    }
}
