//! What is known of an address before anybody is let in: which credentials it takes, which pages may
//! read its answers, and which methods it has.

use axum::response::IntoResponse;
use http::{HeaderValue, Method, header};

use crate::error::ApiError;

/// A kind of credential that an address takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Takes {
    /// `Authorization: Bearer` with a user's JWT of a configured issuer.
    UserToken,
    /// The same as the `subject_token` of a form (RFC 8693), in place of any other credential.
    SubjectToken,
    /// A session cookie that a configured issuer answers for.
    SessionCookie,
    /// Either of the two although a rule denies entry: for what has to end because of that.
    DeniedLogin,
    /// `Authorization: Bearer ek_…`.
    ClientSecret,
    /// `Authorization: Bearer pk_…` together with the cookie of a visitor of that token.
    Visitor,
    /// `Authorization: Bearer pk_…` alone, to become a visitor.
    PublicToken,
    /// `Authorization: Bearer` with a server key, ours or imported; never from a page.
    ServerKey,
}

/// Which pages may read the answers of an address (the CORS protocol of the Fetch standard).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pages {
    /// Those on the domain allowlist; others are refused before anything happens.
    Allowlisted,
    /// All: the answer is the same for everybody and holds nothing private.
    Any,
    /// Only the server's own; the address is not meant for scripts of others.
    Own,
}

/// One path of the table, with what it takes to answer for it.
pub(crate) struct Address {
    /// The path as it is in the table.
    pub(crate) path: &'static str,
    /// Pages that may read its answers.
    pub(crate) pages: Pages,
    /// Its methods, as the `Allow` header names them.
    pub(crate) methods: HeaderValue,
}

impl Address {
    pub(crate) fn new(path: &'static str, pages: Pages, methods: &[&Method]) -> Self {
        let mut methods: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        Self {
            path,
            pages,
            // Names of methods are text that a header may hold.
            methods: HeaderValue::try_from(methods.join(", "))
                .unwrap_or(HeaderValue::from_static("OPTIONS")),
        }
    }

    /// The refusal of a method that is not there.
    pub(crate) fn unknown_method(&self) -> impl IntoResponse + use<> {
        let methods = self.methods.to_str().unwrap_or_default();
        let refusal = ApiError::method_not_allowed(format!("this address takes {methods} only"));
        ([(header::ALLOW, self.methods.clone())], refusal)
    }
}
