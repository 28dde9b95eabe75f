//! Server keys: the operator's own servers, which open sessions for users that they know
//! themselves.

use std::{fmt, sync::Arc};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    credential::{self, Kind},
    error::{Error, Refusal},
    identity::{Environment, Identity},
    ports::{CredentialStore, Random, ServerKeyRecord},
    public_token::check_label,
    rejection::Reason,
    time::UnixTime,
};

/// The longest project name, in bytes.
const MAX_PROJECT_BYTES: usize = 64;

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
        let key = credential::mint(Kind::ServerKey, &*self.random)?;
        let record = ServerKeyRecord {
            id: credential::public_id("key_", &*self.random)?,
            digest: credential::digest(key.expose_secret()),
            hint: credential::hint(Kind::ServerKey, key.expose_secret()),
            label: label.to_owned(),
            project: project.to_owned(),
            environment,
            created_at: now,
            revoked_at: None,
        };
        self.store.insert_server_key(&record).await?;
        Ok((key, record))
    }

    /// Checks a presented key. `origin` are the request's `Origin` header values: browsers send
    /// one, servers do not, and a server key in a browser is a leak that its owner should hear
    /// about.
    pub async fn authenticate(
        &self,
        presented: &str,
        origin: &[&str],
    ) -> Result<ServerKeyRecord, Error> {
        credential::demand(presented, |kind| kind == Kind::ServerKey)?;
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

/// The identity of a user whom a server names: its project's own, never mixed up with an issuer's
/// users.
pub fn user_of(key: &ServerKeyRecord, user: &str, expires_at: UnixTime) -> Result<Identity, Error> {
    Identity::new(
        format!("key:{}", key.project),
        user,
        Arc::default(),
        key.environment,
        expires_at,
    )
    .map_err(|_| {
        Error::Unusable("`user` must have 1 to 255 bytes without control characters".to_owned())
    })
}

#[cfg(test)]
mod tests;
