//! Server keys: the operator's own servers, which open sessions for users that they know
//! themselves.
//!
//! A key is made here, or it was made elsewhere and is imported, so that a server that holds one
//! already goes on with it. An imported key has no spelling of ours, so nothing but a lookup by its
//! digest tells whether it is one.

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    bearer,
    credential::{self, Kind},
    error::{Error, Refusal},
    identity::{Environment, Identity, PROJECT_MARK},
    pasted,
    ports::{CredentialStore, Random, ServerKeyRecord, StoreError},
    public_token::check_label,
    rejection::Reason,
    strength::{self, ENOUGH_BITS},
    time::UnixTime,
};

/// The longest project name, in bytes.
const MAX_PROJECT_BYTES: usize = 64;
/// The shortest key that is imported, in bytes.
const MIN_IMPORTED_BYTES: usize = 8;

/// Makes, checks and revokes server keys.
pub struct ServerKeys {
    store: Arc<dyn CredentialStore>,
    random: Arc<dyn Random>,
}

impl fmt::Debug for ServerKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ServerKeys").finish_non_exhaustive()
    }
}

impl ServerKeys {
    /// Keys kept in this store.
    pub fn new(store: Arc<dyn CredentialStore>, random: Arc<dyn Random>) -> Self {
        Self { store, random }
    }

    /// Makes a key. Keys of one project see the same users.
    pub async fn create(
        &self,
        label: &str,
        project: &str,
        environment: Environment,
        now: UnixTime,
    ) -> Result<(SecretString, ServerKeyRecord), Error> {
        let key = credential::mint(Kind::ServerKey, &*self.random)?;
        let hint = credential::hint(Kind::ServerKey, key.expose_secret());
        let record = self.record(&key, hint, label, project, environment, now)?;
        self.store.insert_server_key(&record).await?;
        Ok((key, record))
    }

    /// Takes in a key that was made elsewhere. What begins like a credential of ours is none, and
    /// what could be guessed is refused: a key opens a whole project, and anybody may try.
    pub async fn import(
        &self,
        key: &SecretString,
        label: &str,
        project: &str,
        environment: Environment,
        now: UnixTime,
    ) -> Result<ServerKeyRecord, Error> {
        check_spelling(key)?;
        let found = strength::estimate(key.expose_secret());
        if found.bits < ENOUGH_BITS {
            return Err(Error::Unusable(format!(
                "this key could be guessed: {} of its {} characters are unpredictable, which makes about {} bits, and a key \
                 needs {ENOUGH_BITS} (words, runs, repetitions and a maker's mark in front count little or nothing); make \
                 another one with `vestibule key create`, or take it in for trying out with --weak --env test",
                found.unpredictable, found.characters, found.bits
            )));
        }
        self.take_in(key, label, project, environment, now).await
    }

    /// Takes in a key however easily it is guessed. It is of the test environment, which opens
    /// nothing of real users.
    pub async fn import_weak(
        &self,
        key: &SecretString,
        label: &str,
        project: &str,
        now: UnixTime,
    ) -> Result<ServerKeyRecord, Error> {
        check_spelling(key)?;
        self.take_in(key, label, project, Environment::Test, now)
            .await
    }

    async fn take_in(
        &self,
        key: &SecretString,
        label: &str,
        project: &str,
        environment: Environment,
        now: UnixTime,
    ) -> Result<ServerKeyRecord, Error> {
        let hint = credential::foreign_hint(key.expose_secret());
        let record = self.record(key, hint, label, project, environment, now)?;
        match self.store.insert_server_key(&record).await {
            Err(StoreError::Conflict) => Err(Error::Unusable(
                "this key is here already, live or revoked; see `vestibule key list`".to_owned(),
            )),
            inserted => Ok(inserted.map(|()| record)?),
        }
    }

    fn record(
        &self,
        key: &SecretString,
        hint: String,
        label: &str,
        project: &str,
        environment: Environment,
        now: UnixTime,
    ) -> Result<ServerKeyRecord, Error> {
        check_label(label)?;
        let is_name = (1..=MAX_PROJECT_BYTES).contains(&project.len())
            && project
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_name {
            return Err(Error::Unusable(format!(
                "a project's name has 1 to {MAX_PROJECT_BYTES} letters, digits, dots, dashes and underscores"
            )));
        }
        Ok(ServerKeyRecord {
            id: credential::public_id("key_", now, &*self.random)?,
            digest: credential::digest(key.expose_secret()),
            hint,
            label: label.to_owned(),
            project: project.to_owned(),
            environment,
            created_at: now,
            revoked_at: None,
        })
    }

    /// Checks a presented key. `origin` are the request's `Origin` header values: browsers send
    /// one, servers do not, and a server key in a browser is a leak that its owner should hear
    /// about.
    pub async fn authenticate(
        &self,
        presented: &str,
        origin: &[&str],
    ) -> Result<ServerKeyRecord, Error> {
        // What is none of our kinds may have been imported; a typo in one of ours costs no read.
        credential::demand(presented, |kind| {
            matches!(kind, Kind::ServerKey | Kind::Jwt)
        })?;
        if !origin.is_empty() {
            return Err(Refusal::ServerKeyInBrowser.into());
        }
        let found = self
            .store
            .find_server_key(&credential::digest(presented))
            .await?;
        let record = found.ok_or(Reason::UnknownCredential)?;
        if record.revoked_at.is_some() {
            return Err(Reason::Revoked.into());
        }
        Ok(record)
    }

    /// All keys, newest first.
    pub async fn list(&self) -> Result<Vec<ServerKeyRecord>, Error> {
        Ok(self.store.list_server_keys().await?)
    }

    /// Revokes a key and ends the sessions that it opened at once. Whether it was live.
    pub async fn revoke(&self, id: &str, now: UnixTime) -> Result<bool, Error> {
        Ok(self.store.revoke_server_key(id, now).await?)
    }
}

/// Whether a text can be a key that was made elsewhere.
fn check_spelling(key: &SecretString) -> Result<(), Error> {
    let text = key.expose_secret();
    if let Some(wrapping) = pasted::wrapping(text) {
        return Err(Error::Unusable(format!("this key {wrapping}")));
    }
    if text.len() < MIN_IMPORTED_BYTES || !bearer::is_key(text) {
        return Err(Error::Unusable(format!(
            "a key has {MIN_IMPORTED_BYTES} to {} printable ASCII characters, and no space at either end",
            bearer::MAX_KEY_BYTES
        )));
    }
    if credential::classify(text) != Ok(Kind::Jwt) {
        return Err(Error::Unusable(
            "this text begins like a credential of this server; only keys that were made elsewhere can be \
             imported (make a new one with `vestibule key create`)"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Who vouches for the users whom a key's server names: `key:<project>`, and `key:<project>:test`
/// for keys of the test environment, so that a key that is lying about on a developer's machine
/// opens nothing of real users. A project's name holds no colon, so the two cannot be mixed up.
pub fn issuer_of(key: &ServerKeyRecord) -> String {
    let project = &key.project;
    match key.environment {
        Environment::Live => format!("{PROJECT_MARK}{project}"),
        Environment::Test => format!("{PROJECT_MARK}{project}:test"),
    }
}

/// The identity of a user whom a server names: its project's own, never mixed up with an issuer's
/// users.
pub fn user_of(key: &ServerKeyRecord, user: &str, expires_at: UnixTime) -> Result<Identity, Error> {
    Identity::new(
        issuer_of(key),
        user,
        Arc::default(),
        key.environment,
        expires_at,
    )
    .map_err(|_| {
        Error::Unusable(
            "`user` must have 1 to 512 characters, none of them a control character".to_owned(),
        )
    })
}

#[cfg(test)]
mod tests;
