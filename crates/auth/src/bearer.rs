//! How a request presents its credentials: the `Authorization` header (RFC 6750 §2.1) and
//! `X-User-Id`.
//!
//! Pure rules on header values; which status an error becomes is the server's business.

use crate::{
    error::{Error, Refusal},
    identity::Identity,
    rejection::{Reason, Rejection},
};

/// A request whose credentials cannot be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// More than one `Authorization` header.
    #[error("the request has more than one Authorization header; send one")]
    Repeated,
    /// Another scheme than `Bearer`.
    #[error("the Authorization header must be `Bearer` and a token")]
    OtherScheme,
    /// No token, or something behind it, or characters that no token has.
    #[error("the Authorization header must be `Bearer`, one space, and a token without spaces")]
    Spelling,
    /// More than one `X-User-Id`.
    #[error("the request has more than one X-User-Id; send one, or none")]
    RepeatedUserId,
    /// Where a server's key is meant: nothing, or something that no key is.
    #[error(
        "the Authorization header must be `Bearer`, one space, and a key of 1 to 512 printable ASCII characters"
    )]
    KeySpelling,
    /// `X-User-Id` is not readable text.
    #[error("X-User-Id must be 1 to 255 bytes of text")]
    BadUserId,
    /// The session cookie came twice with different values, or in pieces that do not fit.
    #[error(
        "the session cookie came more than once with different values; clear the site's cookies and sign in again"
    )]
    AmbiguousCookie,
    /// The cookies are longer than what is looked at.
    #[error("the Cookie header is longer than 16 KiB; clear the site's cookies and sign in again")]
    CookieTooLong,
}

/// The longest server key that is read, in bytes.
pub const MAX_KEY_BYTES: usize = 512;

/// The token of an `Authorization: Bearer` header; `None` when there is no such header.
///
/// The scheme's case does not matter (RFC 9110 §11.1), everything else does.
pub fn bearer<T: AsRef<str>>(values: &[T]) -> Result<Option<&str>, BearerError> {
    let Some(token) = behind_scheme(values)? else {
        return Ok(None);
    };
    if is_b64token(token) {
        Ok(Some(token))
    } else {
        Err(BearerError::Spelling)
    }
}

/// A server's key in an `Authorization: Bearer` header; `None` when there is no such header.
///
/// A key that was made elsewhere may be any printable ASCII text, with spaces inside it, and so is
/// more than the token of [`bearer`]: it goes into one lookup by its digest and nowhere else.
pub fn server_key<T: AsRef<str>>(values: &[T]) -> Result<Option<&str>, BearerError> {
    match behind_scheme(values)? {
        None => Ok(None),
        Some(key) if is_key(key) => Ok(Some(key)),
        Some(_) => Err(BearerError::KeySpelling),
    }
}

/// Whether a text may be a server's key: what an HTTP header carries unchanged.
pub(crate) fn is_key(text: &str) -> bool {
    (1..=MAX_KEY_BYTES).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && text.trim() == text
}

/// What stands behind `Bearer` and a space in the one `Authorization` header.
fn behind_scheme<T: AsRef<str>>(values: &[T]) -> Result<Option<&str>, BearerError> {
    let value = match values {
        [] => return Ok(None),
        [value] => value.as_ref(),
        _ => return Err(BearerError::Repeated),
    };
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(rest))
    } else {
        Err(BearerError::OtherScheme)
    }
}

/// The `b64token` of RFC 6750 §2.1. Branch-free, so that the compiler can vectorise it: every byte of
/// every request's token passes through here.
fn is_b64token(text: &str) -> bool {
    let is_all = |is_good: bool, &byte: &u8| {
        // `-`, `.` and `/` lie before the digits, and capital letters differ from small ones in one bit.
        let is_letter = (byte | 0x20).is_ascii_lowercase();
        is_good & (is_letter | matches!(byte, b'-'..=b'9' | b'_' | b'~' | b'+' | b'='))
    };
    text.as_bytes().iter().fold(!text.is_empty(), is_all)
}

/// Checks `X-User-Id` against the verified identity. It is never a source of identity: without it
/// nothing changes.
pub fn check_user_id<T: AsRef<str>>(values: &[T], identity: &Identity) -> Result<(), Error> {
    let value = match values {
        [] => return Ok(()),
        [value] => value.as_ref(),
        _ => return Err(BearerError::RepeatedUserId.into()),
    };
    if value == identity.subject() {
        return Ok(());
    }
    if value.is_empty()
        || value.len() > crate::identity::MAX_SUBJECT_BYTES
        || value.chars().any(char::is_control)
    {
        return Err(BearerError::BadUserId.into());
    }
    // What a proxy makes of two headers.
    if value.contains(',') {
        return Err(BearerError::RepeatedUserId.into());
    }
    Err(Refusal::UserIdMismatch.into())
}

/// Settles a request with both a token and a session cookie: both must be the same person.
///
/// Browsers attach the cookie on their own, so neither credential may silently win over the other.
pub fn settle(token: &Identity, cookie: &Identity) -> Result<(), Error> {
    if token.is_same_user(cookie) {
        return Ok(());
    }
    let detail = "the token and the session cookie belong to different users; send one of them";
    Err(Rejection::new(Reason::OtherUser).with_detail(detail).into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{identity::Environment, time::UnixTime};

    fn identity(issuer: &str, subject: &str) -> Identity {
        Identity::new(
            issuer,
            subject,
            Arc::default(),
            Environment::Live,
            UnixTime::from_seconds(1),
        )
        .unwrap()
    }

    #[test]
    fn a_token_has_the_letters_of_rfc_6750_and_no_others() {
        let good = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
        for letter in '\0'..='\u{ff}' {
            let is_good = good.contains(letter);
            assert_eq!(is_b64token(&letter.to_string()), is_good, "{letter:?}");
            let inside = format!("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{letter}bbbb");
            assert_eq!(is_b64token(&inside), is_good, "{letter:?}");
        }
        assert!(!is_b64token(""));
    }

    #[test]
    fn b01_one_bearer_header_with_one_token() {
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&["Bearer abc.def-_~+/="], Ok(Some("abc.def-_~+/="))),
            (&["bEARER abc"], Ok(Some("abc"))),
            (&["Bearer"], Err(BearerError::Spelling)),
            (&["Bearer "], Err(BearerError::Spelling)),
            (&["Bearer  abc"], Err(BearerError::Spelling)),
            (&["Bearer abc "], Err(BearerError::Spelling)),
            (&["Bearer abc def"], Err(BearerError::Spelling)),
            (&["Bearer abc,Bearer def"], Err(BearerError::Spelling)),
            (&["Bearer\tabc"], Err(BearerError::OtherScheme)),
            (&["Bearer abc\u{e9}"], Err(BearerError::Spelling)),
            (&["Basic abc"], Err(BearerError::OtherScheme)),
            (&[""], Err(BearerError::OtherScheme)),
            (&["Bearer abc", "Bearer abc"], Err(BearerError::Repeated)),
        ] {
            assert_eq!(bearer(values), expected, "{values:?}");
        }
    }

    #[test]
    fn b01_a_servers_key_may_have_spaces_inside_it() {
        let longest = format!("Bearer {}", "x".repeat(MAX_KEY_BYTES));
        let too_long = format!("{longest}x");
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&["Bearer My API Key"], Ok(Some("My API Key"))),
            (&["bearer sk-proj-a_b"], Ok(Some("sk-proj-a_b"))),
            (&[longest.as_str()], Ok(Some(&longest[7..]))),
            (&[too_long.as_str()], Err(BearerError::KeySpelling)),
            (&["Bearer"], Err(BearerError::KeySpelling)),
            (&["Bearer "], Err(BearerError::KeySpelling)),
            (&["Bearer  abc"], Err(BearerError::KeySpelling)),
            (&["Bearer abc "], Err(BearerError::KeySpelling)),
            (&["Bearer a\tb"], Err(BearerError::KeySpelling)),
            (&["Bearer abc\u{e9}"], Err(BearerError::KeySpelling)),
            (&["Basic abc"], Err(BearerError::OtherScheme)),
            (&["Bearer a", "Bearer a"], Err(BearerError::Repeated)),
        ] {
            assert_eq!(server_key(values), expected, "{values:?}");
        }
    }

    #[test]
    fn b03_token_and_cookie_must_be_the_same_person() {
        assert!(settle(&identity("a", "x"), &identity("a", "x")).is_ok());
        for other in [identity("a", "y"), identity("b", "x")] {
            let error = settle(&identity("a", "x"), &other).unwrap_err();
            assert!(
                matches!(error, Error::Invalid(rejection) if rejection.reason() == Reason::OtherUser)
            );
        }
    }

    #[test]
    fn b04_user_id_is_compared_and_never_believed() {
        let user = identity("a", "cn=ada,ou=x");
        assert!(check_user_id::<&str>(&[], &user).is_ok());
        assert!(check_user_id(&["cn=ada,ou=x"], &user).is_ok());
        for mismatch in ["CN=ada", "ada", "cn=ada ", "ü"] {
            let error = check_user_id(&[mismatch], &user).unwrap_err();
            assert!(
                matches!(&error, Error::Forbidden(refusal) if **refusal == Refusal::UserIdMismatch),
                "{error:?}"
            );
        }
        let error = check_user_id(&["ada"], &identity("a", "Ada")).unwrap_err();
        assert!(matches!(error, Error::Forbidden(_)), "case counts");
        for malformed in [
            &["a", "b"][..],
            &["cn=ada,ou=x", "cn=ada,ou=x"],
            &["a,b"],
            &[""],
            &["a\u{1}"],
            &[&"x".repeat(256)],
        ] {
            assert!(
                matches!(check_user_id(malformed, &user), Err(Error::Malformed(_))),
                "{malformed:?}"
            );
        }
    }
}
