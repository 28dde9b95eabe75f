//! What the tests of several modules share: keys that sign, ports that are scripted, and a store in
//! memory.

mod memory;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use aws_lc_rs::{
    hmac,
    rand::SystemRandom as Rng,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    },
};
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    encoding::encode_base64url,
    jws::Algorithm,
    ports::{FetchError, FetchedKeys, KeyFetch, Random, RandomError},
    time::{Now, UnixTime},
};

pub(crate) use crate::testing::memory::MemoryStore;

/// The moment at which most tests happen.
pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// That moment on both clocks.
pub(crate) fn now() -> Now {
    Now::new(NOW, Instant::now())
}

/// A key that signs, of any algorithm.
pub(crate) enum TestKey {
    Rsa(Arc<RsaKeyPair>, Algorithm),
    Ec(EcdsaKeyPair, Algorithm),
    Ed(Ed25519KeyPair),
    Hmac(Vec<u8>, Algorithm),
}

impl TestKey {
    pub(crate) fn ed25519() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    /// A new key; RSA keys are made once, because that takes long.
    pub(crate) fn of(algorithm: Algorithm) -> Self {
        static RSA: std::sync::LazyLock<Arc<RsaKeyPair>> =
            std::sync::LazyLock::new(|| Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
        match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => Self::Rsa(Arc::clone(&RSA), algorithm),
            Algorithm::Es256 => Self::Ec(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
                algorithm,
            ),
            Algorithm::Es384 => Self::Ec(
                EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
                algorithm,
            ),
            Algorithm::Es512 => Self::Ec(
                EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap(),
                algorithm,
            ),
            Algorithm::EdDsa => Self::ed25519(),
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                Self::Hmac((0..64).collect(), algorithm)
            }
        }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_, algorithm) | Self::Ec(_, algorithm) | Self::Hmac(_, algorithm) => {
                *algorithm
            }
            Self::Ed(_) => Algorithm::EdDsa,
        }
    }

    pub(crate) fn sign_bytes(&self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair, algorithm) => {
                let padding: &dyn aws_lc_rs::signature::RsaEncoding = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_SHA256,
                    Algorithm::Rs384 => &RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &Rng::new(), input, &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec(pair, _) => pair.sign(&Rng::new(), input).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(input).as_ref().to_vec(),
            Self::Hmac(secret, algorithm) => {
                let hash = match algorithm {
                    Algorithm::Hs256 => hmac::HMAC_SHA256,
                    Algorithm::Hs384 => hmac::HMAC_SHA384,
                    _ => hmac::HMAC_SHA512,
                };
                hmac::sign(&hmac::Key::new(hash, secret), input)
                    .as_ref()
                    .to_vec()
            }
        }
    }

    /// A token with exactly this header.
    pub(crate) fn token_with(&self, header: &Value, payload: impl AsRef<[u8]>) -> String {
        self.raw_token(header.to_string().as_bytes(), payload)
    }

    /// A token with exactly these bytes as its header.
    pub(crate) fn raw_token(&self, header: &[u8], payload: impl AsRef<[u8]>) -> String {
        let input = format!("{}.{}", encode_base64url(header), encode_base64url(payload));
        let signature = encode_base64url(self.sign_bytes(input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// A token with the usual header.
    pub(crate) fn token(&self, kid: &str, claims: &Value) -> String {
        self.token_with(
            &json!({ "alg": self.algorithm().name(), "kid": kid }),
            claims.to_string(),
        )
    }

    /// The public key (or the secret) as a JWK.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Rsa(pair, _) => json!({
                "kty": "RSA",
                "n": encode_base64url(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": encode_base64url(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Self::Ec(pair, algorithm) => {
                let (x, y) =
                    pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                let crv = match algorithm {
                    Algorithm::Es256 => "P-256",
                    Algorithm::Es384 => "P-384",
                    _ => "P-521",
                };
                json!({ "kty": "EC", "crv": crv, "x": encode_base64url(x), "y": encode_base64url(y) })
            }
            Self::Ed(pair) => json!({
                "kty": "OKP",
                "crv": "Ed25519",
                "x": encode_base64url(pair.public_key().as_ref()),
            }),
            Self::Hmac(secret, _) => json!({ "kty": "oct", "k": encode_base64url(secret) }),
        };
        jwk["kid"] = kid.into();
        jwk["alg"] = self.algorithm().name().into();
        jwk
    }
}

/// A JWK set.
pub(crate) fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({ "keys": keys }).to_string().into_bytes()
}

/// Claims that pass everywhere in these tests.
pub(crate) fn good_claims() -> Value {
    json!({
        "iss": "https://issuer.example",
        "aud": "https://chat.example",
        "sub": "user-1",
        "iat": NOW.seconds() - 10,
        "exp": NOW.seconds() + 900,
    })
}

/// Good claims with one of them replaced, or removed by null.
pub(crate) fn claims_with(name: &str, value: Value) -> Map<String, Value> {
    let Value::Object(mut claims) = good_claims() else {
        unreachable!()
    };
    if value.is_null() {
        claims.remove(name);
    } else {
        claims.insert(name.to_owned(), value);
    }
    claims
}

type Answer = Result<FetchedKeys, (String, Option<Duration>)>;

/// An issuer with scripted answers; the last one stays.
#[derive(Default)]
pub(crate) struct TestFetch {
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    pub(crate) count: AtomicUsize,
}

impl TestFetch {
    fn push(&self, url: &str, answer: Answer) {
        self.answers
            .lock()
            .unwrap()
            .entry(url.to_owned())
            .or_default()
            .push_back(answer);
    }

    pub(crate) fn answer(&self, url: &str, body: impl Into<Vec<u8>>) {
        self.push(
            url,
            Ok(FetchedKeys {
                body: body.into(),
                max_age: None,
            }),
        );
    }

    pub(crate) fn answer_for(&self, url: &str, body: impl Into<Vec<u8>>, max_age: Duration) {
        self.push(
            url,
            Ok(FetchedKeys {
                body: body.into(),
                max_age: Some(max_age),
            }),
        );
    }

    pub(crate) fn fail(&self, url: &str, retry_after: Option<Duration>) {
        self.push(url, Err(("answered 503".to_owned(), retry_after)));
    }

    /// Forgets what was scripted for an address and scripts this.
    pub(crate) fn replace(&self, url: &str, body: impl Into<Vec<u8>>) {
        self.answers.lock().unwrap().remove(url);
        self.answer(url, body);
    }

    pub(crate) fn fetches(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl KeyFetch for TestFetch {
    async fn fetch(&self, url: &Url) -> Result<FetchedKeys, FetchError> {
        self.count.fetch_add(1, Ordering::SeqCst);
        // Lets every other task run first, as a real request would.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let mut answers = self.answers.lock().unwrap();
        let failure = |message: String, retry_after| FetchError {
            message,
            retry_after,
        };
        let Some(queue) = answers.get_mut(url.as_str()) else {
            return Err(failure(format!("nothing at {url}"), None));
        };
        let answer = if queue.len() > 1 {
            queue.pop_front().unwrap()
        } else {
            queue[0].clone()
        };
        answer.map_err(|(message, retry_after)| failure(message, retry_after))
    }
}

/// Chance that repeats itself: every fill is a different, known block.
#[derive(Default)]
pub(crate) struct TestRandom(AtomicU64);

impl Random for TestRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        let block = crate::sha256(&self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        for (byte, random) in bytes.iter_mut().zip(block.iter().cycle()) {
            *byte = *random;
        }
        Ok(())
    }
}
