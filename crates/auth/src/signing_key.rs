//! The keys that this server signs with, where all nodes find the same ones: made once, known to every node before any
//! signs, and believed for as long as anything that they signed may live.
//!
//! [`Signing`] is what signs and verifies, and can be given other keys while it does. [`SigningKeys`] are the keys in a
//! store; [`SigningKeyStore`] is the port to it. Times are the store's, so that no node's clock decides.

mod seal;
mod store;

use std::{fmt, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretBox};

pub use self::{
    seal::SealingSecret,
    store::{KeptKey, KeptKeys, KeptSeed, KeyState, NewKey, SigningKeyStore},
};
use crate::{
    error::Error, file_link::FileLinks, operator::OperatorError, ports::Random, signer::Signer,
};

/// For how long a new key is known before anybody signs with it. Nodes learn of it within seconds; whoever reads our key
/// set may keep it for five minutes.
pub const LEAD: Duration = Duration::from_mins(10);
/// For how long a key is believed after the next one signs. What lives longest is the address of a file, 75 minutes.
pub const OVERLAP: Duration = Duration::from_hours(2);

/// What a key is made from.
pub type Seed = SecretBox<[u8; 32]>;

/// What this server signs with, and what else it believes.
pub struct Seeds {
    /// Signs.
    pub first: Seed,
    /// Of the time before, or of the time to come.
    pub others: Vec<Seed>,
}

impl Seeds {
    /// One key alone.
    pub fn alone(first: Seed) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }
}

impl fmt::Debug for Seeds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Seeds").finish_non_exhaustive()
    }
}

/// Everything that is made from the same seeds. Clones share the keys.
#[derive(Debug, Clone)]
pub struct Signing {
    /// Signs the users' identity for tool servers.
    pub signer: Arc<Signer>,
    /// Signs addresses of files.
    pub links: Arc<FileLinks>,
}

impl Signing {
    /// From these seeds on.
    pub fn new(seeds: &Seeds) -> Result<Self, Error> {
        Ok(Self {
            signer: Arc::new(Signer::from_seeds(seeds)?),
            links: Arc::new(FileLinks::from_seeds(seeds)),
        })
    }

    /// Goes on with other seeds, for everybody who shares them.
    pub fn replace(&self, seeds: &Seeds) -> Result<(), Error> {
        self.signer.replace(Signer::from_seeds(seeds)?);
        self.links.replace(FileLinks::from_seeds(seeds));
        Ok(())
    }
}

/// How a key takes the place of the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Known first, then signing, and the ones before it believed for a while: nobody notices.
    Gentle,
    /// At once, and the ones before it are removed, whether they can be read or not: what they signed ends.
    ForgetOthers,
}

/// The keys of a store, as they can be used.
pub struct KnownKeys {
    kept: KeptKeys,
    seeds: Vec<[u8; 32]>,
}

impl KnownKeys {
    /// The keys as they are kept.
    pub fn kept(&self) -> &KeptKeys {
        &self.kept
    }

    /// What signs and what is believed, so long after the keys were read; each key's id beside it, the one that signs first.
    pub fn seeds_after(&self, elapsed: Duration) -> Option<(Vec<&str>, Seeds)> {
        let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        let now = self.kept.now_ms.saturating_add(elapsed);
        let first = self.kept.signing_at(now)?;
        let others = (0..self.seeds.len())
            .filter(|place| *place != first && !self.kept.keys[*place].is_over_at(now));
        let mut order: Vec<usize> = vec![first];
        order.extend(others);
        let ids = order.iter().map(|place| &*self.kept.keys[*place].id);
        let mut seeds = order
            .iter()
            .map(|place| Seed::new(Box::new(self.seeds[*place])));
        let first = seeds.next()?;
        let others = seeds.collect();
        Some((ids.collect(), Seeds { first, others }))
    }
}

impl Drop for KnownKeys {
    fn drop(&mut self) {
        use secrecy::zeroize::Zeroize;
        self.seeds.zeroize();
    }
}

/// The keys in a store, with the secret that they are encrypted by, where the operator has given one.
pub struct SigningKeys {
    store: Arc<dyn SigningKeyStore>,
    random: Arc<dyn Random>,
    secret: Option<SealingSecret>,
}

impl SigningKeys {
    /// Takes the store, chance and the operator's secret.
    pub fn new(
        store: Arc<dyn SigningKeyStore>,
        random: Arc<dyn Random>,
        secret: Option<SealingSecret>,
    ) -> Self {
        Self {
            store,
            random,
            secret,
        }
    }

    /// What a server does at its start: reads the keys, makes the first one when there is none (of several servers at once
    /// one does), and encrypts what is in clear where there is a secret by now. Whether it made one.
    pub async fn start(&self) -> Result<(KnownKeys, bool), OperatorError> {
        let mut is_new = false;
        let mut known = self.read().await?;
        if known.is_none() {
            let (_, key) = self.make()?;
            is_new = self.store.add_first_signing_key(&key).await?;
            known = self.read().await?;
        }
        let Some(known) = known else {
            return Err(unusable(
                "the signing key was there and is gone; start again",
            ));
        };
        for (key, seed) in known.kept.keys.iter().zip(&known.seeds) {
            if let (Some(secret), KeptSeed::Clear(_)) = (&self.secret, &key.seed) {
                let sealed = secret.seal(&key.id, seed, &*self.random)?;
                self.store.seal_signing_key(&key.id, &sealed).await?;
            }
        }
        Ok((known, is_new))
    }

    /// The keys, where there are any and all of them can be read.
    pub async fn read(&self) -> Result<Option<KnownKeys>, OperatorError> {
        let kept = self.kept().await?;
        // What is over may be of a time that nobody remembers.
        let (over, keys): (Vec<_>, Vec<_>) = kept
            .keys
            .into_iter()
            .partition(|key| key.is_over_at(kept.now_ms));
        if !over.is_empty() {
            self.store.remove_ended_signing_keys().await?;
        }
        if keys.is_empty() {
            return Ok(None);
        }
        let seeds = keys.iter().map(|key| self.open(key));
        let seeds = seeds.collect::<Result<Vec<_>, _>>()?;
        let kept = KeptKeys {
            now_ms: kept.now_ms,
            keys,
        };
        Ok(Some(KnownKeys { kept, seeds }))
    }

    /// The keys as they are kept, whether they can be read or not.
    pub async fn kept(&self) -> Result<KeptKeys, OperatorError> {
        Ok(self.store.signing_keys().await?)
    }

    /// Whether keys that are made now are encrypted.
    pub fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// Adds a key; its id.
    pub(crate) async fn rotate(&self, rotation: Rotation) -> Result<String, OperatorError> {
        let (id, key) = self.make()?;
        if rotation == Rotation::ForgetOthers {
            self.store.replace_signing_keys(&key).await?;
            return Ok(id);
        }
        let Some(known) = self.read().await? else {
            return Err(unusable(
                "there is no signing key in the database yet; the first `vestibule serve` makes it",
            ));
        };
        let kept = known.kept();
        for key in &kept.keys {
            if let KeyState::Next { from_ms } = kept.state(key) {
                let minutes = (from_ms - kept.now_ms).div_euclid(60_000) + 1;
                return Err(unusable(format!(
                    "{} is on its way: it signs in {minutes} min; rotate again after that",
                    key.id
                )));
            }
            if self.secret.is_some() && matches!(key.seed, KeptSeed::Clear(_)) {
                return Err(unusable(
                    "server.signing_key_secret_env is set, and the key in the database is not encrypted: start the servers \
                     again with the secret, which encrypts it, then rotate; a server that does not have the secret could \
                     not read the new key",
                ));
            }
        }
        let newest = kept.keys.iter().map(|key| key.number).max().unwrap_or(0);
        let is_added = self
            .store
            .add_signing_key(&key, newest, LEAD, OVERLAP)
            .await?;
        if !is_added {
            return Err(unusable("somebody else has just rotated the key"));
        }
        Ok(id)
    }

    /// Takes in a key that was elsewhere so far, as the first one; its id.
    pub(crate) async fn import(&self, seed: &Seed) -> Result<String, OperatorError> {
        let (id, key) = self.prepare(seed)?;
        if self.store.add_first_signing_key(&key).await? {
            return Ok(id);
        }
        if self.kept().await?.keys.iter().any(|key| key.id == id) {
            return Ok(id);
        }
        Err(unusable(
            "there is another signing key in the database, which servers use; `vestibule signing-key list` names it",
        ))
    }

    fn make(&self) -> Result<(String, NewKey), OperatorError> {
        let mut seed = Box::new([0; 32]);
        self.random.fill(&mut *seed).map_err(Error::from)?;
        self.prepare(&Seed::new(seed))
    }

    fn prepare(&self, seed: &Seed) -> Result<(String, NewKey), OperatorError> {
        let id = id_of(seed)?;
        let seed = seed.expose_secret();
        let seed = match &self.secret {
            Some(secret) => KeptSeed::Sealed(secret.seal(&id, seed, &*self.random)?),
            None => KeptSeed::Clear(seed.to_vec().into()),
        };
        let key = NewKey {
            id: id.clone(),
            seed,
        };
        Ok((id, key))
    }

    /// The seed of a key, or what to do.
    fn open(&self, key: &KeptKey) -> Result<[u8; 32], OperatorError> {
        let id = &key.id;
        let seed = match (&key.seed, &self.secret) {
            (KeptSeed::Clear(seed), _) => seed.expose_secret().try_into().ok(),
            (KeptSeed::Sealed(_), None) => {
                return Err(unusable(format!(
                    "the signing key {id} in the database is encrypted, and there is no secret to read it: name the variable \
                     that holds the secret in server.signing_key_secret_env, as at the other nodes; where it is lost, \
                     `vestibule signing-key rotate --forget-others` makes a new key"
                )));
            }
            (KeptSeed::Sealed(sealed), Some(secret)) => match secret.open(id, sealed) {
                Ok(seed) => Some(seed),
                Err(seal::Unreadable::Form) => None,
                Err(seal::Unreadable::Secret) => {
                    return Err(unusable(format!(
                        "the signing key {id} in the database cannot be read with the secret that server.signing_key_secret_env \
                         names: it was encrypted with another one, or changed since. Set the secret that it was encrypted \
                         with; where it is lost, `vestibule signing-key rotate --forget-others` makes a new key"
                    )));
                }
            },
        };
        let seed = seed.filter(|seed| id_of(&Seed::new(Box::new(*seed))).is_ok_and(|of| of == *id));
        seed.ok_or_else(|| {
            unusable(format!(
                "the row {id} of signing_keys holds no signing key: restore it from a backup of the database, or have \
                 `vestibule signing-key rotate --forget-others` make a new key (addresses of files and tokens for MCP servers \
                 that were handed out before then end)"
            ))
        })
    }
}

/// The `kid` of a key.
pub fn id_of(seed: &Seed) -> Result<String, Error> {
    Ok(Signer::from_seed(seed)?.key_id())
}

fn unusable(text: impl Into<String>) -> OperatorError {
    OperatorError::Unusable(text.into())
}

#[cfg(test)]
mod tests;
