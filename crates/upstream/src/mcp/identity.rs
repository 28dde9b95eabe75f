//! The short-lived token that tells an MCP server who the user is.

use std::{fmt, sync::Arc, time::Duration};

use auth::Signer;
use engine::RequestContext;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use url::Url;

use super::Trouble;

/// How long a signed identity is good for, in seconds: long enough for any call that it starts.
const LIFETIME_SECONDS: i64 = 600;
/// When the next one is signed, so that nobody is handed one that ends at once.
pub(super) const RENEW_AFTER: Duration = Duration::from_mins(5);

/// Signs identities for tool servers (RFC 7519).
///
/// `iss` is our public address and `aud` the server's, so the token is worth nothing elsewhere.
/// `sub` is unique among all our users: the user's issuer, a space, the issuer's name for them.
/// Both parts are there by themselves as well, in `user.issuer` and `user.id`.
#[derive(Clone)]
pub struct IdentitySigner {
    signer: Arc<Signer>,
    issuer: String,
}

impl fmt::Debug for IdentitySigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IdentitySigner")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl IdentitySigner {
    /// Takes the key, whose public half is in our JWK set, and our public address.
    pub fn new(signer: Arc<Signer>, issuer: impl Into<String>) -> Self {
        Self {
            signer,
            issuer: issuer.into(),
        }
    }

    /// A token for one server, from now (Unix seconds) on.
    pub(super) fn sign(
        &self,
        context: &RequestContext,
        audience: &Url,
        now: i64,
    ) -> Result<SecretString, Trouble> {
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("iss", self.issuer.as_str().into());
        claim("aud", audience.as_str().into());
        claim("sub", context.owner.as_str().into());
        claim("iat", now.into());
        claim("exp", (now + LIFETIME_SECONDS).into());
        claim(
            "user",
            json!({ "id": context.user.id, "issuer": context.user.issuer }),
        );
        let token = self
            .signer
            .sign(&claims, Some("JWT"))
            .map_err(Trouble::Signing)?;
        Ok(token.into())
    }
}
