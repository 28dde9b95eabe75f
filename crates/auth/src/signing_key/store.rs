//! Where signing keys are kept, as a port, and what a kept key is at a moment.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretSlice;

use crate::ports::StoreError;

/// A seed as a row holds it.
#[derive(Debug, Clone)]
pub enum KeptSeed {
    /// As it is.
    Clear(SecretSlice<u8>),
    /// Encrypted by the operator's secret.
    Sealed(Vec<u8>),
}

/// A key as it is kept.
#[derive(Debug, Clone)]
pub struct KeptKey {
    /// 1, 2, …, in the order in which they came.
    pub number: i64,
    /// The `kid` of its tokens.
    pub id: String,
    /// What it is made from.
    pub seed: KeptSeed,
    /// From when on it signs, in milliseconds since 1970.
    pub signs_from_ms: i64,
    /// Until when it is believed, where another one follows it.
    pub believed_until_ms: Option<i64>,
}

impl KeptKey {
    /// Whether nobody believes it any more.
    pub(super) fn is_over_at(&self, now_ms: i64) -> bool {
        self.believed_until_ms.is_some_and(|until| until <= now_ms)
    }
}

/// What a key is good for at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Signs.
    Signs,
    /// Is published, and will sign.
    Next {
        /// From when on.
        from_ms: i64,
    },
    /// Has signed.
    Believed {
        /// Until when.
        until_ms: i64,
    },
    /// Is about to be removed.
    Over,
}

/// All keys of a store.
#[derive(Debug, Clone)]
pub struct KeptKeys {
    /// When they were read, by the store's clock, in milliseconds since 1970.
    pub now_ms: i64,
    /// By number.
    pub keys: Vec<KeptKey>,
}

impl KeptKeys {
    /// The place of the key that signs: of those that may by then, the one that began last. Before any may, the first one.
    pub(super) fn signing_at(&self, now_ms: i64) -> Option<usize> {
        let live = || {
            let keys = self.keys.iter().enumerate();
            keys.filter(|(_, key)| !key.is_over_at(now_ms))
        };
        live()
            .filter(|(_, key)| key.signs_from_ms <= now_ms)
            .max_by_key(|(_, key)| (key.signs_from_ms, key.number))
            .or_else(|| live().next())
            .map(|(place, _)| place)
    }

    /// What one of them is good for, at the time of reading.
    pub fn state(&self, key: &KeptKey) -> KeyState {
        let signing = self.signing_at(self.now_ms);
        if signing.is_some_and(|place| self.keys[place].number == key.number) {
            return KeyState::Signs;
        }
        match key.believed_until_ms {
            Some(until) if until <= self.now_ms => KeyState::Over,
            _ if key.signs_from_ms > self.now_ms => KeyState::Next {
                from_ms: key.signs_from_ms,
            },
            Some(until_ms) => KeyState::Believed { until_ms },
            // One that began before another, which its row does not know of: believed until somebody rotates.
            None => KeyState::Believed { until_ms: i64::MAX },
        }
    }
}

/// A key that is to be kept.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its `kid`.
    pub id: String,
    /// What it is made from.
    pub seed: KeptSeed,
}

/// Keeps the keys that all nodes over a store share. Each call is atomic, and times are the store's.
#[async_trait]
pub trait SigningKeyStore: Send + Sync + 'static {
    /// All of them.
    async fn signing_keys(&self) -> Result<KeptKeys, StoreError>;

    /// Adds the first one, which signs at once, unless there is one. Whether it was added.
    async fn add_first_signing_key(&self, key: &NewKey) -> Result<bool, StoreError>;

    /// Adds one that signs after `lead`, and ends the belief in the others `overlap` later; unless another one came after
    /// the number `newest`. Whether it was added.
    async fn add_signing_key(
        &self,
        key: &NewKey,
        newest: i64,
        lead: Duration,
        overlap: Duration,
    ) -> Result<bool, StoreError>;

    /// Puts one that signs at once in the place of all others.
    async fn replace_signing_keys(&self, key: &NewKey) -> Result<(), StoreError>;

    /// Puts an encrypted seed in the place of one in clear; nothing where that was done meanwhile.
    async fn seal_signing_key(&self, id: &str, sealed: &[u8]) -> Result<(), StoreError>;

    /// Removes those that nobody believes any more.
    async fn remove_ended_signing_keys(&self) -> Result<(), StoreError>;
}
