//! The short-lived token that tells an MCP server who the user is.

use std::{fmt, sync::Arc, time::Duration};

use auth::{Signer, ports::Random};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use engine::RequestContext;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::Trouble;

/// How long a signed identity is good for, in seconds: long enough for any call that it starts.
const LIFETIME_SECONDS: i64 = 600;
/// When the next one is signed, so that nobody is handed one that ends at once.
pub(super) const RENEW_AFTER: Duration = Duration::from_mins(5);

/// The `typ` of these tokens, so that nobody takes one for a token of another kind (RFC 8725 §3.11).
pub const IDENTITY_TYP: &str = "vestibule-mcp+jwt";

/// Signs identities for tool servers (RFC 7519).
///
/// `iss` is our public address and `aud` the server's, so the token is worth nothing elsewhere; `jti`
/// makes each one different, and finds it again in a server's log.
/// `sub` is unique among all our users: the user's issuer, a space, the issuer's name for them.
/// Both parts are there by themselves as well, in `user.issuer` and `user.id`.
#[derive(Clone)]
pub struct IdentitySigner {
    signer: Arc<Signer>,
    random: Arc<dyn Random>,
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
    /// Takes the key, whose public half is in our JWK set, chance, and our public address.
    pub fn new(signer: Arc<Signer>, random: Arc<dyn Random>, issuer: impl Into<String>) -> Self {
        Self {
            signer,
            random,
            issuer: issuer.into(),
        }
    }

    /// A token for one server, from now (Unix seconds) on.
    pub(super) fn sign(
        &self,
        context: &RequestContext,
        audience: &str,
        now: i64,
    ) -> Result<SecretString, Trouble> {
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("iss", self.issuer.as_str().into());
        claim("aud", audience.into());
        claim("sub", context.owner.as_str().into());
        claim("jti", self.token_id()?.into());
        claim("iat", now.into());
        claim("exp", (now + LIFETIME_SECONDS).into());
        claim(
            "user",
            json!({ "id": context.user.id, "issuer": context.user.issuer }),
        );
        let token = self
            .signer
            .sign(&claims, Some(IDENTITY_TYP))
            .map_err(Trouble::Signing)?;
        Ok(token.into())
    }

    /// 128 bits of chance.
    fn token_id(&self) -> Result<String, Trouble> {
        let mut bytes = [0; 16];
        self.random
            .fill(&mut bytes)
            .map_err(|error| Trouble::Signing(auth::Error::Internal(error.into())))?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }
}
