//! Why a token or a session is not accepted: a closed list of reasons, each with a code for
//! machines and a sentence.

use std::fmt;

/// Why a credential is refused. The code is stable; logs, metrics and `jwt check` use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Longer than the limit.
    TooLarge,
    /// Not three segments separated by dots.
    NotCompact,
    /// Five segments: an encrypted token (JWE).
    Encrypted,
    /// The JSON serialisation of RFC 7515 §7.2 instead of the compact one.
    JsonSerialization,
    /// A segment is not canonical base64url.
    BadEncoding,
    /// The header is not a JSON object.
    MalformedHeader,
    /// The header or the claims name a member twice.
    DuplicateMember,
    /// `alg` is missing, not a string, or not one that is implemented.
    UnsupportedAlgorithm,
    /// `alg` is implemented, but the issuer may not use it.
    AlgorithmNotAllowed,
    /// The header has `crit`, `b64`, `zip` or `enc`.
    UnsupportedExtension,
    /// `typ` says that the token is meant for something else.
    WrongType,
    /// `kid` is not a string of 1 to 256 bytes.
    BadKeyId,
    /// The issuer's tokens must name their key, and this one does not.
    MissingKeyId,
    /// The issuer has no key of that name.
    UnknownKey,
    /// More than one key fits.
    AmbiguousKey,
    /// The key of that name is for another algorithm.
    KeyMismatch,
    /// The signature is not by that key.
    BadSignature,
    /// The payload is empty and the signature does not cover an empty one.
    DetachedPayload,
    /// The claims are not a JSON object.
    MalformedClaims,
    /// `iss` is missing or not a string.
    MissingIssuer,
    /// Nobody configured this `iss`.
    UnknownIssuer,
    /// The audience claim is missing or not a string or list of strings.
    MissingAudience,
    /// The audience claim names somebody else.
    WrongAudience,
    /// `exp` is missing or not a usable number.
    MissingExpiry,
    /// `exp` is in the past.
    Expired,
    /// `nbf` is in the future.
    NotYetValid,
    /// `iat` is in the future.
    IssuedInFuture,
    /// `nbf` or `iat` is not a usable number.
    BadTime,
    /// `iat` is longer ago than the issuer's tokens may be, or missing although that limit is set.
    TooOld,
    /// The subject claim is missing or not usable.
    BadSubject,
    /// A claim that the issuer's tokens must (or must not) have is not as configured.
    WrongClaim,
    /// The token is bound to a key of its holder (`cnf`), which a bearer cannot prove.
    SenderConstrained,
    /// The token was issued to a client for itself, and names no person.
    MachineToken,
    /// The text looks like a secret key that another service makes.
    ForeignKey,
    /// The issuer says that the opaque token is not active (RFC 7662 §2.2).
    Inactive,
    /// The issuer says that the session cookie is worth nothing.
    NoSession,
    /// The issuer's answer about the session has no user or no end.
    MalformedSession,
    /// The session has ended.
    SessionExpired,
    /// The credential is of a kind that is not accepted here.
    WrongKind,
    /// The credential is not spelled like any that this server makes.
    Misspelled,
    /// This server never made the credential, or has forgotten it.
    UnknownCredential,
    /// The credential was revoked, or its session was ended.
    Revoked,
    /// The client secret was used for a refresh before, too long ago for this to be a retry.
    AlreadyRotated,
    /// The credential belongs to another user.
    OtherUser,
    /// A logout token of an issuer that is not configured for back-channel logout.
    LogoutNotConfigured,
    /// Not a logout token (OIDC Back-Channel Logout 1.0 §2.4).
    NotALogout,
    /// The logout token was used before.
    Replayed,
}

impl Reason {
    /// Every reason, in the order of the checks.
    pub const ALL: &'static [Self] = &[
        Self::TooLarge,
        Self::NotCompact,
        Self::Encrypted,
        Self::JsonSerialization,
        Self::BadEncoding,
        Self::MalformedHeader,
        Self::DuplicateMember,
        Self::UnsupportedAlgorithm,
        Self::AlgorithmNotAllowed,
        Self::UnsupportedExtension,
        Self::WrongType,
        Self::BadKeyId,
        Self::MissingKeyId,
        Self::UnknownKey,
        Self::AmbiguousKey,
        Self::KeyMismatch,
        Self::BadSignature,
        Self::DetachedPayload,
        Self::MalformedClaims,
        Self::MissingIssuer,
        Self::UnknownIssuer,
        Self::MissingAudience,
        Self::WrongAudience,
        Self::MissingExpiry,
        Self::Expired,
        Self::NotYetValid,
        Self::IssuedInFuture,
        Self::BadTime,
        Self::TooOld,
        Self::BadSubject,
        Self::WrongClaim,
        Self::SenderConstrained,
        Self::MachineToken,
        Self::ForeignKey,
        Self::Inactive,
        Self::NoSession,
        Self::MalformedSession,
        Self::SessionExpired,
        Self::WrongKind,
        Self::Misspelled,
        Self::UnknownCredential,
        Self::Revoked,
        Self::AlreadyRotated,
        Self::OtherUser,
        Self::LogoutNotConfigured,
        Self::NotALogout,
        Self::Replayed,
    ];

    /// The stable code, in snake case.
    pub const fn code(self) -> &'static str {
        self.texts().0
    }

    /// What is wrong and what to do, as a lowercase fragment.
    pub const fn sentence(self) -> &'static str {
        self.texts().1
    }

    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::TooLarge => (
                "too_large",
                "the token is longer than 16 KiB; have the issuer put fewer claims into it",
            ),
            Self::NotCompact => (
                "not_compact",
                "this is not a JWT: it does not have three parts separated by dots; send the token that the issuer \
                 calls a JWT, not a session id or an opaque access token",
            ),
            Self::Encrypted => (
                "encrypted",
                "this is an encrypted token (JWE), which only its own application can read: Auth.js sessions are of this kind, \
                 and Auth0's tokens when no `audience` was asked for; send a signed JWT of an issuer instead",
            ),
            Self::JsonSerialization => (
                "json_serialization",
                "this is the JSON form of a signature; send the compact form, three parts separated by dots",
            ),
            Self::BadEncoding => (
                "bad_encoding",
                "a part of the token is not base64url; send the token exactly as the issuer gave it",
            ),
            Self::MalformedHeader => (
                "malformed_header",
                "the token's header is not a JSON object",
            ),
            Self::DuplicateMember => ("duplicate_member", "the token names a member twice"),
            Self::UnsupportedAlgorithm => (
                "unsupported_algorithm",
                "the token's `alg` is none of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, \
                 Ed25519, HS256, HS384, HS512",
            ),
            Self::AlgorithmNotAllowed => (
                "algorithm_not_allowed",
                "the issuer is not configured for the token's `alg`; add it to the issuer's `algorithms` if it is meant",
            ),
            Self::UnsupportedExtension => (
                "unsupported_extension",
                "the token's header asks for an extension (`crit`, `b64`, `zip` or `enc`) that is not supported",
            ),
            Self::WrongType => (
                "wrong_type",
                "the token is of a type that is not taken from its issuer; send the user's session or access token",
            ),
            Self::BadKeyId => (
                "bad_key_id",
                "the token's `kid` is empty, or not a string, or longer than 256 bytes; have the issuer name its key, or leave \
                 `kid` out",
            ),
            Self::MissingKeyId => ("missing_key_id", "the token does not name its key (`kid`)"),
            Self::UnknownKey => (
                "unknown_key",
                "the issuer has no key with the token's `kid`; sign in again, and check that the key set's address \
                 belongs to the issuer that signed the token",
            ),
            Self::AmbiguousKey => (
                "ambiguous_key",
                "more than one of the issuer's keys fits the token",
            ),
            Self::KeyMismatch => (
                "key_mismatch",
                "the issuer's key for this token is for another algorithm",
            ),
            Self::BadSignature => (
                "bad_signature",
                "the signature does not match; the token was changed, or signed with another key",
            ),
            Self::DetachedPayload => (
                "detached_payload",
                "the token has no payload (a detached signature), which is not supported",
            ),
            Self::MalformedClaims => (
                "malformed_claims",
                "the token's claims are not a JSON object",
            ),
            Self::MissingIssuer => (
                "missing_issuer",
                "the token has no `iss`, or it is not a string",
            ),
            Self::UnknownIssuer => (
                "unknown_issuer",
                "no issuer with exactly the token's `iss` is configured; mind http and https, the port and a slash at the end",
            ),
            Self::MissingAudience => (
                "missing_audience",
                "the token does not say for whom it is (`aud`, or the claim that is configured for it)",
            ),
            Self::WrongAudience => ("wrong_audience", "the token is meant for another audience"),
            Self::MissingExpiry => (
                "missing_expiry",
                "the token has no `exp`, or it is not a usable number",
            ),
            Self::Expired => (
                "expired",
                "the token has expired; get a new one and try again",
            ),
            Self::NotYetValid => (
                "not_yet_valid",
                "the token is not valid yet (`nbf`); compare the clocks of this server and of the issuer",
            ),
            Self::IssuedInFuture => (
                "issued_in_future",
                "the token was issued in the future (`iat`); compare the clocks of this server and of the issuer",
            ),
            Self::BadTime => (
                "bad_time",
                "a time in the token is not a usable number of seconds since 1970",
            ),
            Self::TooOld => (
                "too_old",
                "the token was issued too long ago, or lives too long; sign in again",
            ),
            Self::BadSubject => (
                "bad_subject",
                "the token does not name its user (1 to 255 bytes, no control characters)",
            ),
            Self::WrongClaim => (
                "wrong_claim",
                "a claim of the token is not as the issuer's configuration demands",
            ),
            Self::SenderConstrained => (
                "sender_constrained",
                "the token is bound to a key of its holder (`cnf`), which is not supported; ask for a bearer token",
            ),
            Self::MachineToken => (
                "machine_token",
                "the token belongs to a client of the issuer and names no person; send the token of somebody who \
                 signed in, or, where clients are meant to chat, set `machine_tokens = true` for the issuer",
            ),
            Self::ForeignKey => (
                "foreign_key",
                "this looks like a secret key of another service, and was shown to nobody; if a browser holds it, \
                 revoke it there, and send the user's token",
            ),
            Self::Inactive => (
                "inactive",
                "the issuer says that the token is not active: it has expired, was revoked, or is not an access \
                 token of this issuer; get a new one and try again",
            ),
            Self::NoSession => ("no_session", "nobody is signed in; sign in and try again"),
            Self::MalformedSession => (
                "malformed_session",
                "the issuer's answer about the session names no user or no end",
            ),
            Self::SessionExpired => ("session_expired", "the session has ended; sign in again"),
            Self::WrongKind => ("wrong_kind", "this kind of credential is not accepted here"),
            Self::Misspelled => (
                "misspelled",
                "the credential is not spelled like any that this server makes; copy it again, whole, or make a new one",
            ),
            Self::UnknownCredential => (
                "unknown_credential",
                "this server does not know the credential; make a new one, and check that it belongs to this deployment",
            ),
            Self::Revoked => ("revoked", "the credential was revoked; start a new session"),
            Self::AlreadyRotated => (
                "already_rotated",
                "the client secret was replaced before, so its session was ended for safety; start a new session",
            ),
            Self::OtherUser => (
                "other_user",
                "the client secret belongs to another user; start a new session",
            ),
            Self::LogoutNotConfigured => (
                "logout_not_configured",
                "the issuer is not configured for back-channel logout; set `logout_audience` to the client that it \
                 names in its logout tokens",
            ),
            Self::NotALogout => (
                "not_a_logout",
                "this is not a logout token as OpenID Connect Back-Channel Logout 1.0 describes it",
            ),
            Self::Replayed => (
                "replayed",
                "the logout token was used before; send each one once",
            ),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.sentence())
    }
}

/// A refused credential: the reason, and what helps to find the cause. Never holds the credential
/// itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    reason: Reason,
    detail: Option<String>,
    key_id: Option<String>,
    issuer: Option<String>,
    token_hash: Option<String>,
    ended_session: Option<Box<str>>,
}

impl Rejection {
    /// A refusal for this reason, without particulars.
    pub const fn new(reason: Reason) -> Self {
        Self {
            reason,
            detail: None,
            key_id: None,
            issuer: None,
            token_hash: None,
            ended_session: None,
        }
    }

    /// Adds a particular that may be shown to whoever sent the credential.
    #[must_use]
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what a log line needs to find the token again without holding it.
    #[must_use]
    pub(crate) fn with_token(
        mut self,
        digest: &[u8; 32],
        key_id: Option<&str>,
        issuer: Option<&str>,
    ) -> Self {
        self.token_hash = Some(hex_prefix(digest));
        self.key_id = key_id.map(quote);
        self.issuer = issuer.map(quote);
        self
    }

    /// Names the chat session that was ended because of this credential.
    #[must_use]
    pub(crate) fn with_ended_session(mut self, id: String) -> Self {
        self.ended_session = Some(id.into());
        self
    }

    /// The chat session that was ended because of this credential, by this very refusal.
    pub fn ended_session(&self) -> Option<&str> {
        self.ended_session.as_deref()
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What the configuration expected and what came, when that can be said.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The token's `kid`, quoted and shortened for a log line.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The token's `iss`, quoted and shortened for a log line.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The first 8 hexadecimal digits of the token's SHA-256, for a log line.
    pub fn token_hash(&self) -> Option<&str> {
        self.token_hash.as_deref()
    }
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(formatter)?;
        self.detail
            .as_ref()
            .map_or(Ok(()), |detail| write!(formatter, " ({detail})"))
    }
}

/// Text from a token, safe for a log line or a message: quoted, control characters escaped, at most
/// 80 characters.
pub(crate) fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

fn hex_prefix(digest: &[u8; 32]) -> String {
    let [a, b, c, d, ..] = *digest;
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn j09_codes_are_unique_and_sentences_are_fragments() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let sentence = reason.sentence();
            assert!(
                sentence.starts_with(char::is_lowercase) && !sentence.ends_with('.'),
                "{sentence}"
            );
            assert!(!sentence.contains("  "), "{sentence}");
        }
    }

    #[test]
    fn t09_quoted_text_cannot_break_a_log_line() {
        assert_eq!(quote("a\r\nb\u{1b}"), r#""a\r\nb\u{1b}""#);
        assert!(quote(&"x".repeat(300)).chars().count() < 90);
    }
}
