//! The identity provider of a run: one Ed25519 key, which opens nothing but the benchmark.

use anyhow::{Context as _, Result};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

const KEY_ID: &str = "bench-1";

/// What is wrong with a token, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nothing.
    Valid,
    /// The signature is another one; everything else, and the work to find out, is as in a valid one.
    Forged,
    /// The key id is one that the issuer does not have.
    UnknownKey,
}

/// Signs tokens (RFC 7519, `EdDSA` of RFC 8037) and publishes its key (RFC 7517).
pub struct Issuer {
    key: Ed25519KeyPair,
    name: String,
}

impl Issuer {
    /// An issuer whose `iss` is `name`, with a key of its own.
    pub fn generate(name: impl Into<String>) -> Result<Self> {
        Ok(Self {
            key: Ed25519KeyPair::generate().context("generate an Ed25519 key")?,
            name: name.into(),
        })
    }

    /// The same with the key of a seed, for counts that must come out the same each time.
    pub fn from_seed(name: impl Into<String>, seed: &[u8; 32]) -> Result<Self> {
        Ok(Self {
            key: Ed25519KeyPair::from_seed_unchecked(seed).context("read an Ed25519 seed")?,
            name: name.into(),
        })
    }

    /// The key set.
    pub fn jwks(&self) -> Value {
        json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": KEY_ID,
            "x": URL_SAFE_NO_PAD.encode(self.key.public_key()),
        }]})
    }

    /// A token for `subject` and `audience`, valid for an hour from `now` (seconds since 1970), with the
    /// claims Better Auth puts into its tokens.
    pub fn token(&self, subject: &str, audience: &str, now: u64) -> String {
        self.token_of(Kind::Valid, subject, audience, now)
    }

    /// The same, with something wrong.
    pub fn token_of(&self, kind: Kind, subject: &str, audience: &str, now: u64) -> String {
        let key_id = match kind {
            Kind::Valid | Kind::Forged => KEY_ID.to_owned(),
            Kind::UnknownKey => format!("unknown-{subject}"),
        };
        let header = json!({"alg": "EdDSA", "kid": key_id, "typ": "JWT"});
        let claims = json!({
            "iss": self.name, "aud": audience, "sub": subject, "iat": now, "exp": now + 3600,
            "id": subject, "name": "Bench Person", "email": format!("{subject}@example.com"),
        });
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
        let mut signature = self.key.sign(token.as_bytes()).as_ref().to_vec();
        if kind == Kind::Forged
            && let Some(first) = signature.first_mut()
        {
            // In the point R: the scalar S is looked at first, and is still one.
            *first ^= 1;
        }
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    /// Whether a token verifies with the issuer's published key, and the key id it names.
    fn verify(issuer: &Issuer, token: &str) -> (bool, Value) {
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let jwks = issuer.jwks();
        let public = URL_SAFE_NO_PAD
            .decode(jwks["keys"][0]["x"].as_str().unwrap())
            .unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let verified =
            UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature);
        let header = URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap());
        let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
        (verified.is_ok(), header["kid"].clone())
    }

    #[test]
    fn only_a_valid_token_verifies_with_the_published_key() {
        let issuer = Issuer::generate("http://127.0.0.1:9000").unwrap();
        let token = |kind| issuer.token_of(kind, "user-1", "bench", 1_700_000_000);
        assert_eq!(
            verify(&issuer, &token(Kind::Valid)),
            (true, json!("bench-1"))
        );
        assert_eq!(
            verify(&issuer, &token(Kind::Forged)),
            (false, json!("bench-1"))
        );
        assert_eq!(
            verify(&issuer, &token(Kind::UnknownKey)),
            (true, json!("unknown-user-1"))
        );
    }
}
