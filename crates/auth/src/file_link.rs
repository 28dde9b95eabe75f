//! Links to files: addresses that carry their own permission, for a while.
//!
//! An `<img>` sends no `Authorization` header, so the address itself has to carry the permission: an HMAC over the
//! purpose, the owner, the file and the expiry. A link works for that one file and purpose only. It expires, and is
//! dead as soon as its file is deleted.

use arc_swap::ArcSwap;
use aws_lc_rs::{digest, hmac};
use secrecy::ExposeSecret;

use crate::{
    encoding::{decode_base64url, encode_base64url},
    signing_key::{Seed, Seeds},
    time::UnixTime,
};

/// Separates this key from other keys derived from the same seed.
const LABEL: &[u8] = b"vestibule file links 1";

/// What a link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Getting the bytes.
    Read,
    /// Sending the bytes.
    Write,
}

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// What a link is signed over. The checker knows all of it from elsewhere, except the expiry.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// What it is good for.
    pub purpose: Purpose,
    /// Whose file it is, as the store's owner column names them. It is not in the address.
    pub owner: &'a str,
    /// The file.
    pub id: &'a str,
    /// When it ends.
    pub expires_at: UnixTime,
}

/// Signs links and checks them.
pub struct FileLinks {
    /// The first one signs; the others are of the time before, or of the time to come.
    keys: ArcSwap<Vec<hmac::Key>>,
}

impl std::fmt::Debug for FileLinks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FileLinks").finish_non_exhaustive()
    }
}

impl FileLinks {
    /// Derives the key from the server's seed, so that every node with that seed has the same one.
    pub fn from_seed(seed: &Seed) -> Self {
        Self::of(vec![derive(seed)])
    }

    /// The same, which also believes what was signed with the other ones.
    pub fn from_seeds(seeds: &Seeds) -> Self {
        let all = std::iter::once(&seeds.first).chain(&seeds.others);
        Self::of(all.map(derive).collect())
    }

    /// Goes on with another one's keys.
    pub fn replace(&self, other: Self) {
        self.keys.store(other.keys.into_inner());
    }

    fn of(keys: Vec<hmac::Key>) -> Self {
        Self {
            keys: ArcSwap::from_pointee(keys),
        }
    }

    /// The signature for an address: 43 characters of base64url.
    pub fn sign(&self, claim: Claim<'_>) -> String {
        let keys = self.keys.load();
        // There is one always.
        let signature = keys.first().map(|key| hmac::sign(key, &message(claim)));
        signature.map_or_else(String::new, encode_base64url)
    }

    /// Whether a signature is right and the link has not ended.
    pub fn is_good(&self, claim: Claim<'_>, signature: &str, now: UnixTime) -> bool {
        now < claim.expires_at
            && decode_base64url(signature).is_some_and(|signature| {
                let message = message(claim);
                let keys = self.keys.load();
                keys.iter()
                    .any(|key| hmac::verify(key, &message, &signature).is_ok())
            })
    }
}

fn derive(seed: &Seed) -> hmac::Key {
    let seed = hmac::Key::new(hmac::HMAC_SHA256, seed.expose_secret());
    let key = hmac::sign(&seed, LABEL);
    hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())
}

/// Fields are hashed to a fixed length first, so that no byte can shift from one field into the next.
fn message(claim: Claim<'_>) -> Vec<u8> {
    let mut message = Vec::with_capacity(3 * digest::SHA256_OUTPUT_LEN + 8);
    for field in [claim.purpose.label(), claim.owner, claim.id] {
        message.extend_from_slice(digest::digest(&digest::SHA256, field.as_bytes()).as_ref());
    }
    message.extend_from_slice(&claim.expires_at.seconds().to_be_bytes());
    message
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;

    fn links(seed: u8) -> FileLinks {
        FileLinks::from_seed(&SecretBox::new(Box::new([seed; 32])))
    }

    fn claim() -> Claim<'static> {
        Claim {
            purpose: Purpose::Read,
            owner: "https://id.example ada",
            id: "cfile_1",
            expires_at: UnixTime::from_seconds(1_000),
        }
    }

    const BEFORE: UnixTime = UnixTime::from_seconds(999);

    /// Three nodes while a key is replaced: the first step has both believe the new one, the second signs with it.
    #[test]
    fn a_key_is_replaced_while_links_of_both_are_good() {
        let seed = |number: u8| SecretBox::new(Box::new([number; 32]));
        let before = links(1);
        let node = |first: u8, other: u8| {
            FileLinks::from_seeds(&Seeds {
                first: seed(first),
                others: vec![seed(other)],
            })
        };
        let between = node(1, 2);
        let after = node(2, 1);
        let (old, new) = (before.sign(claim()), after.sign(claim()));
        assert_eq!(between.sign(claim()), old);
        for node in [&between, &after] {
            assert!(node.is_good(claim(), &old, BEFORE));
            assert!(node.is_good(claim(), &new, BEFORE));
        }
        assert!(!before.is_good(claim(), &new, BEFORE));
        assert!(!links(2).is_good(claim(), &old, BEFORE));
        // A node that runs while it happens.
        before.replace(between);
        assert!(before.is_good(claim(), &new, BEFORE));
        before.replace(links(2));
        assert!(!before.is_good(claim(), &old, BEFORE));
    }

    #[test]
    fn a_link_is_good_for_what_it_was_signed_for_only() {
        let links = links(1);
        let signature = links.sign(claim());
        assert_eq!(signature.len(), 43);
        assert!(links.is_good(claim(), &signature, BEFORE));
        for other in [
            Claim {
                purpose: Purpose::Write,
                ..claim()
            },
            Claim {
                owner: "https://id.example grace",
                ..claim()
            },
            Claim {
                id: "cfile_2",
                ..claim()
            },
            Claim {
                owner: "https://id.example adac",
                id: "file_1",
                ..claim()
            },
            Claim {
                expires_at: UnixTime::from_seconds(1_001),
                ..claim()
            },
        ] {
            assert!(!links.is_good(other, &signature, BEFORE), "{other:?}");
        }
    }

    #[test]
    fn a_link_ends() {
        let links = links(1);
        let signature = links.sign(claim());
        assert!(!links.is_good(claim(), &signature, UnixTime::from_seconds(1_000)));
    }

    #[test]
    fn a_changed_signature_or_another_servers_is_refused() {
        let signature = links(1).sign(claim());
        assert!(!links(2).is_good(claim(), &signature, BEFORE));
        let short = &signature[..42];
        let padded = format!("{signature}=");
        for bad in ["", short, padded.as_str(), "not base64url !"] {
            assert!(!links(1).is_good(claim(), bad, BEFORE), "{bad}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_links_on_every_node() {
        assert_eq!(links(1).sign(claim()), links(1).sign(claim()));
    }
}
