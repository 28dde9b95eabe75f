//! JSON Web Keys (RFC 7517): one key at a time, so that one bad key never spoils the others.
//!
//! A key that leaves this module is for exactly one algorithm (RFC 8725bis §3.1), and the primitive
//! that will use it has parsed it already, so that a malformed key fails here and not during a request.

use std::fmt;

use aws_lc_rs::{
    digest, hmac,
    signature::{self, ParsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Map, Value};
use x509_cert::{
    der::{Decode, oid::ObjectIdentifier},
    spki::SubjectPublicKeyInfoRef,
};

use crate::{
    encoding::decode_loose_base64,
    jws::{Algorithm, MAX_KEY_ID_BYTES, Primitive, RsaComponents},
};

/// `id-Ed25519` (RFC 8410 §3).
const ID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// 2^255 - 19, little-endian.
const P_25519: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};
/// The y coordinates, little-endian and reduced, of the points whose order divides 8: 0, 1, -1 and the
/// two of order 8.
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = P_25519;
        minus_one[0] -= 1;
        minus_one
    },
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// Where a key comes from, which decides what is taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    /// The operator's configuration: may hold HMAC secrets; private parts are ignored.
    Configured,
    /// An issuer's published key set: a secret or a private part in it is a leak, and such a key is
    /// not used.
    Fetched,
}

/// Why a key is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// Not a JSON object without duplicate members.
    #[error("the key is not a JSON object without duplicate members")]
    Malformed,
    /// `kid` is not a string of 1 to 256 bytes.
    #[error("`kid` is not a string of 1 to 256 bytes")]
    BadKeyId,
    /// `use` or `key_ops` say that it is not for checking signatures.
    #[error("`use` or `key_ops` say that the key is not for checking signatures")]
    NotForSignatures,
    /// `kty` or `crv` are not ones that are implemented.
    #[error("the key's type or curve is not supported")]
    Unsupported,
    /// `alg` is not implemented, or does not fit `kty` and `crv`.
    #[error("`alg` is not supported, or does not fit the key")]
    WrongAlgorithm,
    /// The issuer may not use the key's algorithm.
    #[error("the issuer is not configured for the key's algorithm")]
    NotAllowed,
    /// The key does not name its algorithm, and the issuer may use more than one that fits: none of them RS256.
    #[error("the key names no `alg`, and the issuer is configured for more than one that fits")]
    Undecided,
    /// A number, point or secret in it is missing, of the wrong size, or wrong.
    #[error(
        "the key's parts are missing, of the wrong size, or no point of the curve that may be used"
    )]
    BadParts,
    /// The key itself is only in a certificate.
    #[error("the key is in its certificate (`x5c`) only, and its parts are not written out")]
    OnlyCertificate,
    /// A published key set holds a secret or a private part: the issuer should replace the key at
    /// once.
    #[error("the published key set holds private parts; the issuer must replace this key")]
    PrivateParts,
    /// The key says that it belongs to another issuer.
    #[error("the key's `issuer` is another one")]
    OtherIssuer,
    /// The certificate that holds it is not valid at this time.
    #[error("the certificate has expired, or is not valid yet")]
    Expired,
    /// The HMAC secret is shorter than its hash.
    #[error("the HMAC secret is too short: HS256 needs 32 bytes, HS384 48, HS512 64")]
    ShortSecret,
}

impl KeyProblem {
    /// Whether somebody should look at it; sets hold keys for other purposes and of other kinds as a matter of course.
    pub(crate) fn is_mistake(self) -> bool {
        match self {
            Self::NotForSignatures
            | Self::Unsupported
            | Self::NotAllowed
            | Self::OtherIssuer
            | Self::Expired => false,
            Self::Malformed
            | Self::BadKeyId
            | Self::WrongAlgorithm
            | Self::Undecided
            | Self::BadParts
            | Self::OnlyCertificate
            | Self::PrivateParts
            | Self::ShortSecret => true,
        }
    }
}

/// What a signature is checked with.
pub(crate) enum Material {
    /// A public key, parsed once.
    Public(Box<ParsedPublicKey>),
    /// An HMAC secret.
    Secret(Box<hmac::Key>),
}

/// A key for exactly one algorithm.
pub struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    material: Material,
    fingerprint: [u8; 32],
}

impl Key {
    /// Reads one JWK. `allowed` is what the issuer may use; a key without `alg` gets the only one
    /// of these that fits, and an RSA key RS256 where that is one of them.
    pub fn from_jwk(
        jwk: &Map<String, Value>,
        allowed: &[Algorithm],
        source: KeySource,
    ) -> Result<Self, KeyProblem> {
        let key_id = match jwk.get("kid") {
            None => None,
            Some(Value::String(text)) if (1..=MAX_KEY_ID_BYTES).contains(&text.len()) => {
                Some(text.clone())
            }
            Some(_) => return Err(KeyProblem::BadKeyId),
        };
        let is_secret = member(jwk, "kty")? == "oct";
        if source == KeySource::Fetched && (is_secret || given(jwk, "d").is_some()) {
            return Err(KeyProblem::PrivateParts);
        }
        if !is_for_verifying(jwk) {
            return Err(KeyProblem::NotForSignatures);
        }
        let algorithm = choose_algorithm(jwk, allowed)?;
        let (material, fingerprint) = read_parts(jwk, algorithm)?;
        Ok(Self {
            id: key_id,
            algorithm,
            material,
            fingerprint,
        })
    }

    /// An HMAC secret from the configuration.
    pub fn from_secret(
        secret: &SecretSlice<u8>,
        algorithm: Algorithm,
        key_id: Option<String>,
    ) -> Result<Self, KeyProblem> {
        let (material, fingerprint) = secret_material(secret.expose_secret(), algorithm)?;
        Ok(Self {
            id: key_id,
            algorithm,
            material,
            fingerprint,
        })
    }

    /// A public key from the configuration: PEM with the label `PUBLIC KEY` (SPKI, RFC 7468 §13).
    pub fn from_pem(
        pem: &str,
        algorithm: Algorithm,
        key_id: Option<String>,
    ) -> Result<Self, KeyProblem> {
        let der = pem
            .trim()
            .strip_prefix("-----BEGIN PUBLIC KEY-----")
            .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
            .map(|body| body.split_ascii_whitespace().collect::<String>())
            .and_then(|body| STANDARD.decode(body).ok())
            .ok_or(KeyProblem::Malformed)?;
        Self::from_spki(&der, algorithm, key_id)
    }

    /// A public key in DER (`SubjectPublicKeyInfo`, RFC 5280 §4.1.2.7).
    pub(crate) fn from_spki(
        der: &[u8],
        algorithm: Algorithm,
        key_id: Option<String>,
    ) -> Result<Self, KeyProblem> {
        let material = match algorithm.primitive() {
            Primitive::Rsa(parameters) => parsed(ParsedPublicKey::new(parameters, der))?,
            Primitive::Ec(parameters, ..) => parsed(ParsedPublicKey::new(parameters, der))?,
            Primitive::Ed25519 => ed25519_key(ed25519_bytes(der)?)?,
            Primitive::Hmac(..) => return Err(KeyProblem::WrongAlgorithm),
        };
        Ok(Self {
            id: key_id,
            algorithm,
            material,
            fingerprint: fingerprint(algorithm, &[der]),
        })
    }

    /// The name by which tokens choose this key.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The only algorithm that this key is used for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) fn material(&self) -> &Material {
        &self.material
    }

    /// Whether both are the same key under the same name for the same algorithm.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.is_twin(other)
    }

    /// Whether both are the same key for the same algorithm, under whatever names.
    pub(crate) fn is_twin(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Key")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn member<'jwk>(jwk: &'jwk Map<String, Value>, name: &str) -> Result<&'jwk str, KeyProblem> {
    jwk.get(name)
        .and_then(Value::as_str)
        .ok_or(KeyProblem::BadParts)
}

/// A member that says something: encoders write null for what is not set.
fn given<'jwk>(jwk: &'jwk Map<String, Value>, name: &str) -> Option<&'jwk Value> {
    jwk.get(name).filter(|value| !value.is_null())
}

fn is_for_verifying(jwk: &Map<String, Value>) -> bool {
    let usage = given(jwk, "use").is_none_or(|usage| usage == "sig");
    let operations = given(jwk, "key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|list| {
            list.iter().all(Value::is_string) && list.iter().any(|operation| operation == "verify")
        })
    });
    usage && operations
}

fn choose_algorithm(
    jwk: &Map<String, Value>,
    allowed: &[Algorithm],
) -> Result<Algorithm, KeyProblem> {
    let kty = member(jwk, "kty")?;
    let crv = jwk.get("crv").and_then(Value::as_str);
    let fits = |algorithm: &Algorithm| match algorithm.primitive() {
        Primitive::Rsa(_) => kty == "RSA",
        Primitive::Ec(_, name, _) => kty == "EC" && crv == Some(name),
        Primitive::Ed25519 => kty == "OKP" && crv == Some("Ed25519"),
        Primitive::Hmac(..) => kty == "oct",
    };
    if !Algorithm::ALL.iter().any(fits) {
        return Err(KeyProblem::Unsupported);
    }
    if let Some(named) = given(jwk, "alg") {
        let algorithm = named
            .as_str()
            .and_then(Algorithm::from_name)
            .filter(fits)
            .ok_or(KeyProblem::WrongAlgorithm)?;
        return if allowed.contains(&algorithm) {
            Ok(algorithm)
        } else {
            Err(KeyProblem::NotAllowed)
        };
    }
    // `alg` is optional (RFC 7517 §4.4), and who publishes an RSA key without it signs with RS256: the one that every
    // OpenID provider has to have (Discovery §3).
    if kty == "RSA" && allowed.contains(&Algorithm::Rs256) {
        return Ok(Algorithm::Rs256);
    }
    let mut candidates = allowed.iter().copied().filter(fits);
    match (candidates.next(), candidates.next()) {
        (Some(algorithm), None) => Ok(algorithm),
        (Some(_), Some(_)) => Err(KeyProblem::Undecided),
        (None, _) => Err(KeyProblem::NotAllowed),
    }
}

fn read_parts(
    jwk: &Map<String, Value>,
    algorithm: Algorithm,
) -> Result<(Material, [u8; 32]), KeyProblem> {
    let is_given = |name: &&str| given(jwk, name).is_some();
    if is_given(&"x5c") && !["n", "e", "x", "y", "k"].iter().any(is_given) {
        return Err(KeyProblem::OnlyCertificate);
    }
    let part = |name: &str| decode_loose_base64(member(jwk, name)?).ok_or(KeyProblem::BadParts);
    let number = |name: &str| part(name).map(without_zeros);
    Ok(match algorithm.primitive() {
        Primitive::Hmac(..) => secret_material(&part("k")?, algorithm)?,
        Primitive::Rsa(parameters) => {
            let e = checked(number("e")?, is_exponent)?;
            let n = checked(number("n")?, is_modulus)?;
            let components = RsaComponents { n: &n, e: &e };
            (
                parsed(components.to_parsed_public_key(parameters))?,
                fingerprint(algorithm, &[&n, &e]),
            )
        }
        Primitive::Ec(parameters, _, length) => {
            let coordinate = |name: &str| padded(number(name)?, length);
            let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
            (
                parsed(ParsedPublicKey::new(parameters, &point))?,
                fingerprint(algorithm, &[&point]),
            )
        }
        Primitive::Ed25519 => {
            let x = part("x")?;
            (ed25519_key(&x)?, fingerprint(algorithm, &[&x]))
        }
    })
}

fn parsed<E>(key: Result<ParsedPublicKey, E>) -> Result<Material, KeyProblem> {
    let key = key.map_err(|_| KeyProblem::BadParts)?;
    Ok(Material::Public(Box::new(key)))
}

/// An Ed25519 public key in the one encoding that RFC 8032 §5.1.3 allows, and not of small order:
/// with one of those, a single signature fits many messages. aws-lc accepts both.
fn ed25519_key(bytes: &[u8]) -> Result<Material, KeyProblem> {
    let y = <[u8; 32]>::try_from(bytes)
        .map(|mut bytes| {
            bytes[31] &= 0x7f; // the topmost bit is the sign of x
            bytes
        })
        .map_err(|_| KeyProblem::BadParts)?;
    let is_reduced = y.iter().rev().lt(P_25519.iter().rev());
    if !is_reduced || SMALL_ORDER.contains(&y) {
        return Err(KeyProblem::BadParts);
    }
    parsed(ParsedPublicKey::new(&signature::ED25519, bytes))
}

/// The point in a `SubjectPublicKeyInfo` (RFC 8410 §4).
fn ed25519_bytes(der: &[u8]) -> Result<&[u8], KeyProblem> {
    SubjectPublicKeyInfoRef::from_der(der)
        .ok()
        .filter(|info| info.algorithm.oid == ID_ED25519 && info.algorithm.parameters.is_none())
        .and_then(|info| info.subject_public_key.as_bytes())
        .ok_or(KeyProblem::BadParts)
}

fn checked(bytes: Vec<u8>, is_good: impl FnOnce(&[u8]) -> bool) -> Result<Vec<u8>, KeyProblem> {
    if is_good(&bytes) {
        Ok(bytes)
    } else {
        Err(KeyProblem::BadParts)
    }
}

/// A number without the zeros in front of it. They have no place there (RFC 7518 §2), and Java's `BigInteger` writes one where
/// the first bit is set.
fn without_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    number
}

/// A coordinate in its full length (RFC 7518 §6.2.1.2), which who takes it for a number leaves out the zeros of.
fn padded(number: Vec<u8>, length: usize) -> Result<Vec<u8>, KeyProblem> {
    let zeros = length
        .checked_sub(number.len())
        .ok_or(KeyProblem::BadParts)?;
    Ok([vec![0; zeros], number].concat())
}

/// 2048 to 8192 bits.
fn is_modulus(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(|first| match bytes.len() {
        256 => *first >= 0x80,
        257..=1024 => *first != 0,
        _ => false,
    })
}

/// Odd, at least 3, and no longer than the primitive takes.
fn is_exponent(bytes: &[u8]) -> bool {
    match bytes {
        [] | [1] => false,
        [.., last] => last % 2 == 1 && bytes.len() <= 5,
    }
}

fn secret_material(
    secret: &[u8],
    algorithm: Algorithm,
) -> Result<(Material, [u8; 32]), KeyProblem> {
    let Primitive::Hmac(hash, shortest) = algorithm.primitive() else {
        return Err(KeyProblem::WrongAlgorithm);
    };
    if secret.len() < shortest {
        return Err(KeyProblem::ShortSecret);
    }
    let key = hmac::Key::new(hash, secret);
    Ok((
        Material::Secret(Box::new(key)),
        fingerprint(algorithm, &[secret]),
    ))
}

/// Tells keys apart without keeping their parts.
fn fingerprint(algorithm: Algorithm, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(algorithm.name().as_bytes());
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut fingerprint = [0; 32];
    fingerprint.copy_from_slice(context.finish().as_ref());
    fingerprint
}

#[cfg(test)]
mod tests;
