//! Tokens: whatever is accepted has one spelling, and nothing without a key is ever verified.
#![no_main]

use auth::{explain::check_signature, jws::CompactJws};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;

/// The key of RFC 8037 appendix A; its private half is not used here.
const KEY: &[u8] =
    br#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn check(token: &str) {
    if CompactJws::parse(token).is_ok() {
        for segment in token.split('.') {
            let bytes = URL_SAFE_NO_PAD
                .decode(segment)
                .expect("accepted segments are base64url");
            assert_eq!(URL_SAFE_NO_PAD.encode(bytes), segment);
        }
    }
    assert!(!check_signature(token, KEY).ok, "nobody here can sign");
}

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
    }
    // The same bytes as header, payload and signature, so that the fuzzer need not learn base64.
    let mut parts = data
        .splitn(3, |byte| *byte == b'\n')
        .map(|part| URL_SAFE_NO_PAD.encode(part));
    let mut part = || parts.next().unwrap_or_default();
    check(&format!("{}.{}.{}", part(), part(), part()));
});
