//! Our own signatures: Ed25519 tokens for the development issuer, and for telling tools who the
//! user is.

use std::fmt;

use arc_swap::ArcSwap;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::{
    encoding::encode_base64url,
    error::Error,
    sha256,
    signing_key::{Seed, Seeds},
};

/// The name of the algorithm in our tokens: the older one, which every verifier knows.
const ALGORITHM: &str = "EdDSA";

/// Signs compact JWTs with one Ed25519 key at a time.
pub struct Signer {
    current: ArcSwap<Keys>,
}

struct Keys {
    pair: Ed25519KeyPair,
    key_id: String,
    /// Public keys of the time before, or of the time to come.
    others: Vec<Value>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Signer")
            .field("key_id", &self.current.load().key_id)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// The key with this seed (RFC 8032 §5.1.5). Its name is its thumbprint (RFC 7638), so the same
    /// seed has the same name on every node.
    pub fn from_seed(seed: &Seed) -> Result<Self, Error> {
        Keys::from_seed(seed).map(Self::of)
    }

    /// Signs with the first, and publishes the others, too.
    pub fn from_seeds(seeds: &Seeds) -> Result<Self, Error> {
        let mut keys = Keys::from_seed(&seeds.first)?;
        for seed in &seeds.others {
            keys.others.push(Keys::from_seed(seed)?.public_jwk());
        }
        Ok(Self::of(keys))
    }

    /// Goes on with another one's keys.
    pub fn replace(&self, other: Self) {
        self.current.store(other.current.into_inner());
    }

    fn of(keys: Keys) -> Self {
        Self {
            current: ArcSwap::from_pointee(keys),
        }
    }

    /// The `kid` of the tokens that it signs now.
    pub fn key_id(&self) -> String {
        self.current.load().key_id.clone()
    }

    /// Signs claims. `typ` goes into the header when it is given.
    pub fn sign(&self, claims: &Map<String, Value>, typ: Option<&str>) -> Result<String, Error> {
        self.current.load().sign(claims, typ)
    }

    /// The public key as a JWK.
    pub fn public_jwk(&self) -> Value {
        self.current.load().public_jwk()
    }

    /// The key set to publish.
    pub fn jwks(&self) -> Value {
        let keys = self.current.load();
        let mut published = vec![keys.public_jwk()];
        published.extend(keys.others.iter().cloned());
        json!({ "keys": published })
    }
}

impl Keys {
    fn from_seed(seed: &Seed) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose_secret())
            .map_err(|_| Error::Internal("the seed does not make an Ed25519 key".into()))?;
        let x = encode_base64url(pair.public_key());
        // RFC 7638 §3: the required members, in this order, without spaces.
        let thumbprint = sha256(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
        Ok(Self {
            pair,
            key_id: encode_base64url(thumbprint),
            others: Vec::new(),
        })
    }

    fn sign(&self, claims: &Map<String, Value>, typ: Option<&str>) -> Result<String, Error> {
        let mut header = json!({ "alg": ALGORITHM, "kid": self.key_id });
        if let Some(typ) = typ {
            header["typ"] = typ.into();
        }
        let claims =
            serde_json::to_vec(claims).map_err(|error| Error::Internal(Box::new(error)))?;
        let input = format!(
            "{}.{}",
            encode_base64url(header.to_string()),
            encode_base64url(claims)
        );
        let signature = self
            .pair
            .try_sign(input.as_bytes())
            .map_err(|_| Error::Internal("the Ed25519 key does not sign".into()))?;
        Ok(format!("{input}.{}", encode_base64url(signature)))
    }

    fn public_jwk(&self) -> Value {
        json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": ALGORITHM,
            "use": "sig",
            "kid": self.key_id,
            "x": encode_base64url(self.pair.public_key()),
        })
    }
}

#[cfg(test)]
mod tests;
