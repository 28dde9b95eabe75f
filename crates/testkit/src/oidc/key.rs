//! Keys that sign as issuers do.

use anyhow::{Context as _, anyhow, bail};
use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd};
use serde_json::{Value, json};

enum Pair {
    Rsa(Box<rsa::KeyPair>, Box<KeyPair>),
    Ec(Box<EcdsaKeyPair>),
    Ed(Box<Ed25519KeyPair>),
    Secret(Box<hmac::Key>),
}

/// A key with its name.
pub struct SigningKey {
    id: String,
    pair: Pair,
}

impl SigningKey {
    /// RS256 with 2048 bits.
    pub fn rs256(id: &str) -> anyhow::Result<Self> {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let pair =
            rsa::KeyPair::from_pkcs8(key.serialized_der()).map_err(|error| anyhow!(error))?;
        Ok(Self::new(id, Pair::Rsa(Box::new(pair), Box::new(key))))
    }

    /// ES256.
    pub fn es256(id: &str) -> anyhow::Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|error| anyhow!(error))?;
        Ok(Self::new(id, Pair::Ec(Box::new(pair))))
    }

    /// `EdDSA` with Ed25519.
    pub fn ed25519(id: &str) -> anyhow::Result<Self> {
        let pair = Ed25519KeyPair::generate().map_err(|error| anyhow!(error))?;
        Ok(Self::new(id, Pair::Ed(Box::new(pair))))
    }

    /// HS256 with a shared secret.
    pub fn hs256(id: &str, secret: &[u8]) -> Self {
        Self::new(
            id,
            Pair::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret))),
        )
    }

    fn new(id: &str, pair: Pair) -> Self {
        Self {
            id: id.to_owned(),
            pair,
        }
    }

    /// The name of its algorithm.
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(..) => "RS256",
            Pair::Ec(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
            Pair::Secret(_) => "HS256",
        }
    }

    /// The public key as an issuer publishes it.
    pub fn jwk(&self) -> anyhow::Result<Value> {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair, _) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": encode(public.modulus().big_endian_without_leading_zero()),
                    "e": encode(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..).context("a point")?.split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
            }
            Pair::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
            Pair::Secret(_) => bail!("a shared secret is not published"),
        };
        jwk["kid"] = json!(self.id);
        jwk["alg"] = json!(self.algorithm());
        jwk["use"] = json!("sig");
        Ok(jwk)
    }

    /// A certificate over an RSA key, valid from the first day of one year to that of another.
    pub fn certificate(&self, from: i32, until: i32) -> anyhow::Result<String> {
        let Pair::Rsa(_, key) = &self.pair else {
            bail!("certificates are made for RSA keys")
        };
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.not_before = date_time_ymd(from, 1, 1);
        parameters.not_after = date_time_ymd(until, 1, 1);
        Ok(parameters.self_signed(key.as_ref())?.pem())
    }

    /// A token with the usual header and `typ`, when there is one.
    pub fn token(&self, typ: Option<&str>, claims: &Value) -> anyhow::Result<String> {
        let mut header = json!({ "alg": self.algorithm(), "kid": self.id });
        if let Some(typ) = typ {
            header["typ"] = json!(typ);
        }
        self.sign(&header, claims)
    }

    /// A token with exactly this header.
    pub fn sign(&self, header: &Value, claims: &Value) -> anyhow::Result<String> {
        let input = format!(
            "{}.{}",
            encode(header.to_string()),
            encode(claims.to_string())
        );
        let signature = match &self.pair {
            Pair::Rsa(pair, _) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    input.as_bytes(),
                    &mut signature,
                )
                .map_err(|error| anyhow!(error))?;
                signature
            }
            Pair::Ec(pair) => pair
                .sign(&SystemRandom::new(), input.as_bytes())
                .map_err(|error| anyhow!(error))?
                .as_ref()
                .to_vec(),
            Pair::Ed(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
            Pair::Secret(key) => hmac::sign(key, input.as_bytes()).as_ref().to_vec(),
        };
        Ok(format!("{input}.{}", encode(signature)))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
