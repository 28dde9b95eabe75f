//! Compact JWS (RFC 7515 §7.1): strict parsing, and verification with one key for one algorithm.
//!
//! Everything optional in the format is refused: unencoded payloads, critical extensions,
//! compression, embedded keys.
//! What is left has one spelling, so that the token which was checked is the token that everybody
//! else sees.

use aws_lc_rs::{hmac, rsa, signature};

use crate::{
    encoding::{JsonProblem, decode_base64url, parse_json_object},
    jwk::{Key, Material},
    rejection::Reason,
};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// The longest key id that is looked up, in bytes.
pub const MAX_KEY_ID_BYTES: usize = 256;

/// A signature algorithm of RFC 7518 §3, RFC 8037 or RFC 9864.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// ECDSA with P-384 and SHA-384.
    Es384,
    /// ECDSA with P-521 and SHA-512.
    Es512,
    /// Ed25519, under either of its names: `EdDSA` (RFC 8037) and `Ed25519` (RFC 9864).
    EdDsa,
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// All that are implemented.
    pub const ALL: &'static [Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
    ];

    /// The name in a header or a JWK; the comparison is exact, case included.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL
            .iter()
            .copied()
            .find(|algorithm| algorithm.name() == name)
    }

    /// The name in a header or a JWK; for Ed25519 the older one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// How the algorithm is carried out: the one place that maps names to primitives.
    pub(crate) const fn primitive(self) -> Primitive {
        match self {
            Self::Rs256 => Primitive::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Primitive::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Primitive::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Primitive::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Primitive::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Primitive::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Self::Es256 => Primitive::Ec(&signature::ECDSA_P256_SHA256_FIXED, "P-256", 32),
            Self::Es384 => Primitive::Ec(&signature::ECDSA_P384_SHA384_FIXED, "P-384", 48),
            Self::Es512 => Primitive::Ec(&signature::ECDSA_P521_SHA512_FIXED, "P-521", 66),
            Self::EdDsa => Primitive::Ed25519,
            Self::Hs256 => Primitive::Hmac(hmac::HMAC_SHA256, 32),
            Self::Hs384 => Primitive::Hmac(hmac::HMAC_SHA384, 48),
            Self::Hs512 => Primitive::Hmac(hmac::HMAC_SHA512, 64),
        }
    }

    /// Whether the key that verifies also signs; such keys come from the configuration only.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What an algorithm is made of.
pub(crate) enum Primitive {
    /// RSA with the size limits of its parameters (2048 to 8192 bits).
    Rsa(&'static signature::RsaParameters),
    /// ECDSA with its curve's JWK name and the length of a coordinate in bytes.
    Ec(
        &'static signature::EcdsaVerificationAlgorithm,
        &'static str,
        usize,
    ),
    /// Ed25519.
    Ed25519,
    /// HMAC with the shortest secret allowed, in bytes (RFC 7518 §3.2).
    Hmac(hmac::Algorithm, usize),
}

/// RSA public key parts as the primitive wants them.
pub(crate) type RsaComponents<'a> = rsa::PublicKeyComponents<&'a [u8]>;

/// The members of a JOSE header that mean something here; keys and addresses inside a header are
/// never looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The algorithm that the token claims.
    pub algorithm: Algorithm,
    /// The key that the token claims, 1 to 256 bytes.
    pub key_id: Option<String>,
    /// What kind of token it claims to be.
    pub typ: Option<String>,
}

/// A parsed token. Nothing in it can be trusted before [`CompactJws::verify`].
#[derive(Debug)]
pub struct CompactJws<'token> {
    header: Header,
    signing_input: &'token [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'token> CompactJws<'token> {
    /// Takes a token apart; strict about everything, and without a look at keys.
    pub fn parse(token: &'token str) -> Result<Self, Reason> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Reason::TooLarge);
        }
        let (signing_input, payload, signature, header) = split(token)?;
        Ok(Self {
            header: parse_header(&decode_base64url(header).ok_or(Reason::BadEncoding)?)?,
            signing_input: signing_input.as_bytes(),
            payload: decode_base64url(payload).ok_or(Reason::BadEncoding)?,
            signature: decode_base64url(signature).ok_or(Reason::BadEncoding)?,
        })
    }

    /// The header as the token claims it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload as the token claims it.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Checks the signature with a key, which must be for exactly the header's algorithm.
    pub fn verify(&self, key: &Key) -> Result<(), Reason> {
        if key.algorithm() != self.header.algorithm {
            return Err(Reason::KeyMismatch);
        }
        let (input, signature) = (self.signing_input, &self.signature);
        let is_good = match key.material() {
            Material::Public(public) => public.verify_sig(input, signature).is_ok(),
            Material::Secret(secret) => hmac::verify(secret, input, signature).is_ok(),
        };
        if is_good {
            return Ok(());
        }
        Err(if self.payload.is_empty() {
            Reason::DetachedPayload
        } else {
            Reason::BadSignature
        })
    }
}

/// The signing input, the payload, the signature and the header of three dotted segments.
fn split(token: &str) -> Result<(&str, &str, &str, &str), Reason> {
    if token.starts_with('{') {
        return Err(Reason::JsonSerialization);
    }
    let problem = || match token.matches('.').count() {
        4 => Reason::Encrypted,
        _ => Reason::NotCompact,
    };
    let (signing_input, signature) = token.rsplit_once('.').ok_or_else(problem)?;
    let (header, payload) = signing_input.split_once('.').ok_or_else(problem)?;
    if payload.contains('.') {
        return Err(problem());
    }
    Ok((signing_input, payload, signature, header))
}

fn parse_header(bytes: &[u8]) -> Result<Header, Reason> {
    let members = parse_json_object(bytes).map_err(|problem| match problem {
        JsonProblem::Malformed => Reason::MalformedHeader,
        JsonProblem::Duplicate => Reason::DuplicateMember,
    })?;
    // An extension can change what the token means, and we would not notice (RFC 7515 §4.1.11,
    // RFC 7797).
    if ["crit", "b64", "zip", "enc"]
        .iter()
        .any(|name| members.contains_key(*name))
    {
        return Err(Reason::UnsupportedExtension);
    }
    let algorithm = members
        .get("alg")
        .and_then(|value| value.as_str())
        .and_then(Algorithm::from_name)
        .ok_or(Reason::UnsupportedAlgorithm)?;
    let key_id = match members.get("kid") {
        None => None,
        Some(value) => {
            let text = value
                .as_str()
                .filter(|text| (1..=MAX_KEY_ID_BYTES).contains(&text.len()));
            Some(text.ok_or(Reason::BadKeyId)?.to_owned())
        }
    };
    let typ = match members.get("typ") {
        None => None,
        Some(value) => Some(value.as_str().ok_or(Reason::WrongType)?.to_owned()),
    };
    Ok(Header {
        algorithm,
        key_id,
        typ,
    })
}

#[cfg(test)]
mod tests;
