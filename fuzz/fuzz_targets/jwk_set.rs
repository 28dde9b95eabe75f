//! Key sets: any bytes give keys, skipped keys or a named problem, and never more keys than there
//! may be.
#![no_main]

use auth::{
    jwk::KeySource,
    jwks::{KeySet, MAX_KEYS},
    jws::Algorithm,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Also as a member of a set, so that most inputs reach the reading of keys.
    let wrapped = [br#"{"keys":["#, data, b"]}"].concat();
    for body in [data, &wrapped] {
        for source in [KeySource::Fetched, KeySource::Configured] {
            if let Ok(set) = KeySet::parse(body, Algorithm::ALL, source) {
                assert!(set.keys().len() + set.skipped().len() <= MAX_KEYS);
                if source == KeySource::Fetched {
                    assert!(set.keys().iter().all(|key| !key.algorithm().is_symmetric()));
                }
            }
        }
    }
});
