//! The path below which the server is, where a proxy gives it a part of a site: `https://example.com/support`.
//!
//! Some proxies take the path off before they pass a request on, and some do not, so both forms are answered; what the
//! server writes (links of files, its issuer's name) always has the path.

use std::{str::FromStr, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, StatusCode, Uri, header, uri::PathAndQuery};

/// A path like `/support`: one or several segments, without a slash at the end. Or none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BasePath(Option<Arc<str>>);

/// A text that is no base path.
#[derive(Debug, thiserror::Error)]
#[error(
    "a base path begins with a slash, does not end with one, and has only letters, digits, `-`, `_`, `.` and `~` between them, like /support"
)]
pub struct InvalidBasePath;

impl FromStr for BasePath {
    type Err = InvalidBasePath;

    /// Takes `/support`; nothing and `/` are no path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(path) = text.strip_prefix('/') else {
            return if text.is_empty() {
                Ok(Self(None))
            } else {
                Err(InvalidBasePath)
            };
        };
        if path.is_empty() {
            return Ok(Self(None));
        }
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.~".contains(letter);
        let is_segment =
            |segment: &str| !matches!(segment, "" | "." | "..") && segment.chars().all(is_plain);
        if path.split('/').all(is_segment) {
            Ok(Self(Some(text.into())))
        } else {
            Err(InvalidBasePath)
        }
    }
}

impl BasePath {
    /// The path, or nothing.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }

    /// Takes the path off a request's address; an answer, where the request needs another one: relative links of the
    /// page at `/support` would lead beside it.
    pub(crate) fn enter<B>(&self, request: &mut Request<B>) -> Option<Response> {
        let base = self.0.as_deref()?;
        let uri = request.uri();
        let rest = uri.path().strip_prefix(base)?;
        let query = uri
            .query()
            .map_or_else(String::new, |query| format!("?{query}"));
        if rest.is_empty() {
            let place = HeaderValue::try_from(format!("{base}/{query}")).ok()?;
            return Some(
                (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, place)]).into_response(),
            );
        }
        if rest.starts_with('/') {
            let mut parts = uri.clone().into_parts();
            parts.path_and_query = Some(PathAndQuery::try_from(format!("{rest}{query}")).ok()?);
            *request.uri_mut() = Uri::from_parts(parts).ok()?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enters(base: &str, uri: &str) -> String {
        let base: BasePath = base.parse().unwrap();
        let mut request = Request::builder().uri(uri).body(()).unwrap();
        match base.enter(&mut request) {
            Some(answer) => format!(
                "-> {}",
                answer.headers()[header::LOCATION].to_str().unwrap()
            ),
            None => request.uri().to_string(),
        }
    }

    #[test]
    fn the_path_is_taken_off_once_and_whole_segments_only() {
        assert_eq!(enters("/support", "/support/api/chat?x=1"), "/api/chat?x=1");
        assert_eq!(enters("/support", "/api/chat?x=1"), "/api/chat?x=1");
        assert_eq!(enters("/support", "/supporters"), "/supporters");
        assert_eq!(enters("/support", "/support/support/x"), "/support/x");
        assert_eq!(enters("/support", "/support"), "-> /support/");
        assert_eq!(enters("/a/b", "/a/b?q"), "-> /a/b/?q");
        assert_eq!(enters("/a/b", "/a/b/"), "/");
        assert_eq!(
            enters("/a", "http://host.test/a/x%2Fy"),
            "http://host.test/x%2Fy"
        );
        assert_eq!(enters("", "/support/x"), "/support/x");
        assert_eq!(enters("/", "/support"), "/support");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "support",
            "/support/",
            "//evil.test",
            "/a//b",
            "/a/../b",
            "/a?b",
            "/a b",
            "/ä",
        ] {
            assert!(text.parse::<BasePath>().is_err(), "{text}");
        }
    }
}
