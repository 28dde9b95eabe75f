//! A seed at rest, encrypted by a secret that the operator gives and the database never sees.
//!
//! AES-256-GCM with a key that HKDF-SHA256 (RFC 5869) derives from the secret and a salt of the row's own, and with the
//! row's id as associated data, so that no row passes for another. The form: 1, the salt, the nonce, the ciphertext with its
//! tag.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf,
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use crate::{error::Error, ports::Random};

/// The shortest secret, in bytes.
const SHORTEST: usize = 16;
/// The form of what is sealed here.
const FORM: u8 = 1;
const SALT_LEN: usize = 32;
/// Separates this key from other keys derived from the same secret.
const INFO: &[u8] = b"vestibule signing key 1";

/// The operator's secret.
pub struct SealingSecret(SecretString);

/// Why a seed cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is no sealed seed, or one of a form that this build does not know.
    Form,
    /// Another secret, another row, or a changed byte.
    Secret,
}

impl SealingSecret {
    /// Refuses a secret that is too short to be one; the text says what to do.
    pub fn new(secret: SecretString) -> Result<Self, Error> {
        let length = secret.expose_secret().len();
        if length < SHORTEST {
            return Err(Error::Unusable(format!(
                "it has {length} bytes, and needs {SHORTEST} at least: `openssl rand -hex 32` makes one"
            )));
        }
        Ok(Self(secret))
    }

    pub(super) fn seal(
        &self,
        id: &str,
        seed: &[u8; 32],
        random: &dyn Random,
    ) -> Result<Vec<u8>, Error> {
        let (mut salt, mut nonce) = ([0; SALT_LEN], [0; NONCE_LEN]);
        random.fill(&mut salt)?;
        random.fill(&mut nonce)?;
        let broken = || Error::Internal("the signing key cannot be encrypted".into());
        let key = self.key(&salt).ok_or_else(broken)?;
        let mut sealed = Zeroizing::new(seed.to_vec());
        let nonce_bytes = nonce;
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce, Aad::from(id), &mut *sealed)
            .map_err(|_| broken())?;
        Ok([&[FORM], &salt[..], &nonce_bytes, &sealed].concat())
    }

    pub(super) fn open(&self, id: &str, sealed: &[u8]) -> Result<[u8; 32], Unreadable> {
        let (form, rest) = sealed.split_first().ok_or(Unreadable::Form)?;
        let (salt, rest) = rest
            .split_first_chunk::<SALT_LEN>()
            .ok_or(Unreadable::Form)?;
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(Unreadable::Form)?;
        if *form != FORM || sealed.len() != 32 + AES_256_GCM.tag_len() {
            return Err(Unreadable::Form);
        }
        let key = self.key(salt).ok_or(Unreadable::Form)?;
        let mut bytes = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = key.open_in_place(nonce, Aad::from(id), &mut bytes);
        let opened = opened.map_err(|_| Unreadable::Secret)?;
        (&*opened).try_into().map_err(|_| Unreadable::Form)
    }

    /// `None` is a defect of the library.
    fn key(&self, salt: &[u8; SALT_LEN]) -> Option<LessSafeKey> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, salt);
        let derived = salt.extract(self.0.expose_secret().as_bytes());
        let key = derived.expand(&[INFO], &AES_256_GCM).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemRandom;

    fn secret(text: &str) -> SealingSecret {
        SealingSecret::new(text.into()).unwrap()
    }

    const SECRET: &str = "sixteen bytes !!";

    #[test]
    fn what_is_sealed_opens_with_the_same_secret_for_the_same_row_only() {
        let seed = [7; 32];
        let sealed = secret(SECRET).seal("kid", &seed, &SystemRandom).unwrap();
        assert_eq!(secret(SECRET).open("kid", &sealed), Ok(seed));
        assert!(!sealed.windows(8).any(|part| part == [7; 8]));
        let other = secret("seventeen bytes !");
        assert_eq!(other.open("kid", &sealed), Err(Unreadable::Secret));
        assert_eq!(
            secret(SECRET).open("dik", &sealed),
            Err(Unreadable::Secret),
            "a row does not pass for another"
        );
        let again = secret(SECRET).seal("kid", &seed, &SystemRandom).unwrap();
        assert_ne!(sealed, again, "each row has a key of its own");
    }

    #[test]
    fn a_changed_byte_is_found_wherever_it_is() {
        let sealed = secret(SECRET).seal("kid", &[7; 32], &SystemRandom).unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(secret(SECRET).open("kid", &changed).is_err(), "{place}");
        }
        for length in 0..sealed.len() {
            let opened = secret(SECRET).open("kid", &sealed[..length]);
            assert_eq!(opened, Err(Unreadable::Form), "{length}");
        }
    }

    #[test]
    fn a_secret_that_is_too_short_is_refused_without_repeating_it() {
        let error = SealingSecret::new("hunter2".into()).err().unwrap();
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("16 at least") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
