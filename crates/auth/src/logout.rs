//! Back-channel logout: an issuer tells this server that somebody has signed out (OIDC
//! Back-Channel Logout 1.0).
//!
//! A logout token is signed with the same keys as a user's tokens and means something else, so each
//! is refused where the other is expected. This one has its own `typ` and event, and never a `nonce`.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    claims::{Audience, ClaimRules, LOGOUT_EVENT},
    error::Error,
    identity::{Identity, is_valid_subject},
    issuer::{CheckedIssuer, Issuers, TypRule, parse_claims},
    jws::{CompactJws, MAX_TOKEN_BYTES},
    ports::{CredentialStore, End, EndReason, SignOut, StoreError, UsedToken},
    rejection::{Reason, Rejection},
    sha256,
    time::Now,
};

/// The `typ` of logout tokens (§2.4).
const TYP: &str = "logout+jwt";
/// How old a logout token may be, and how long it may live; issuers are asked for two minutes.
const MAX_AGE: Duration = Duration::from_mins(10);
/// How long the id of a logout token is remembered: longer than it could be used again.
const REMEMBERED_FOR: Duration = Duration::from_mins(30);

impl SignOut {
    /// Whether an identity is one that has signed out. A login that carries no `sid` cannot be told
    /// from its user's others, so it ends with any of them.
    pub fn is_of(&self, identity: &Identity) -> bool {
        let session = identity.claims().get("sid").and_then(Value::as_str);
        let is_subject = |subject: &str| subject == identity.subject();
        self.issuer == identity.issuer()
            && match (&self.subject, &self.session, session) {
                (Some(subject), None, _) | (Some(subject), Some(_), None) => is_subject(subject),
                (subject, Some(ended), Some(own)) => {
                    ended == own && subject.as_deref().is_none_or(is_subject)
                }
                (None, ..) => false,
            }
    }
}

impl Issuers {
    /// Signs out whom a logout token names (§2.6): uses it up, ends the chat sessions of that login, and forgets what was
    /// verified for it. Who that is, and how many sessions ended.
    pub async fn sign_out(
        &self,
        token: &str,
        store: &dyn CredentialStore,
        now: Now,
    ) -> Result<(SignOut, u64), Error> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Reason::TooLarge.into());
        }
        let digest = sha256(token.as_bytes());
        let jws = CompactJws::parse(token)?;
        let claims = parse_claims(jws.payload())?;
        let issuer = self.choose(&claims)?;
        let key_id = jws.header().key_id.as_deref();
        let refuse = |rejection: Rejection| {
            rejection.with_token(&digest, key_id, Some(&issuer.rules.issuer))
        };
        let read = read(issuer, &jws, &claims, now);
        let (sign_out, token_id) = read.map_err(refuse)?;
        issuer.verify_signature(&jws, now, refuse).await?;
        self.forget(&sign_out);
        // Only after the signature, so that nobody else can fill this memory; and in one step with what the token asks for, so
        // that its issuer can send it again after an answer that is no success, as issuers do.
        let used = UsedToken {
            digest: sha256(format!("{}\n{token_id}", issuer.rules.issuer).as_bytes()),
            until: now.wall.plus(REMEMBERED_FOR),
        };
        let end = End {
            at: now.wall,
            reason: EndReason::Revoked,
        };
        let ended = store.end_chat_sessions_of_login(&sign_out, used, end);
        let ended = ended.await.map_err(|error| match error {
            StoreError::Conflict => refuse(Reason::Replayed.into()).into(),
            error => Error::from(error),
        })?;
        Ok((sign_out, ended))
    }
}

/// Every check but the signature; also gives the token's id.
fn read(
    issuer: &CheckedIssuer,
    jws: &CompactJws<'_>,
    claims: &Map<String, Value>,
    now: Now,
) -> Result<(SignOut, String), Rejection> {
    let rules = &issuer.rules;
    if rules.logout_audience.is_empty() {
        return Err(Reason::LogoutNotConfigured.into());
    }
    if !rules.algorithms.contains(&jws.header().algorithm) {
        return Err(Reason::AlgorithmNotAllowed.into());
    }
    TypRule::Exactly(TYP.to_owned()).check(jws.header().typ.as_deref())?;
    let audience = Audience::aud(&rules.logout_audience);
    let claim_rules = ClaimRules {
        audience: &audience,
        required: &[],
        is_access_token: false,
        are_machines_taken: false,
        subject_claim: &rules.subject_claim,
        leeway: rules.leeway,
        max_token_age: Some(MAX_AGE),
    };
    claim_rules.check_audience(claims)?;
    claim_rules.check_times(claims, now.wall)?;
    let not_a_logout = |text: &str| Rejection::new(Reason::NotALogout).with_detail(text.to_owned());
    let event = claims
        .get("events")
        .and_then(|events| events.get(LOGOUT_EVENT));
    if !event.is_some_and(Value::is_object) {
        return Err(not_a_logout("`events` does not name the logout event"));
    }
    if claims.contains_key("nonce") {
        return Err(not_a_logout("a logout token has no `nonce`"));
    }
    let text = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if is_valid_subject(text) => Ok(Some(text.clone())),
        Some(_) => Err(not_a_logout(&format!(
            "`{name}` is not a text of 1 to 255 bytes without control characters"
        ))),
    };
    let token_id = text("jti")?.ok_or_else(|| not_a_logout("`jti` is missing"))?;
    let (subject, session) = (text(&rules.subject_claim)?, text("sid")?);
    if subject.is_none() && session.is_none() {
        return Err(not_a_logout(
            "it names neither a user nor a session (`sid`)",
        ));
    }
    let sign_out = SignOut {
        issuer: rules.issuer.clone(),
        subject,
        session,
    };
    Ok((sign_out, token_id))
}

#[cfg(test)]
mod tests;
