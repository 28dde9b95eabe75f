//! What a load balancer wants back, so that the requests of a session come to the server that has the session.
//!
//! Nothing that expires is looked at, no domain and no path: a session has one address, and lives for minutes. They are
//! kept with the session, which is one person's.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};

/// As many are kept.
const MAX_COOKIES: usize = 16;
/// The longest one, with its name.
const MAX_BYTES: usize = 4 * 1024;

/// The cookies of a session.
#[derive(Debug, Default)]
pub(super) struct Cookies(BTreeMap<Vec<u8>, Vec<u8>>);

impl Cookies {
    /// Takes what an answer sets.
    pub(super) fn take(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            let mut parts = cookie.as_bytes().split(|byte| *byte == b';');
            let pair = parts.next().unwrap_or_default();
            let Some(at) = memchr::memchr(b'=', pair) else {
                continue;
            };
            let (name, value) = pair.split_at(at);
            let name = name.trim_ascii();
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let is_removed = parts.any(|part| part.trim_ascii().eq_ignore_ascii_case(b"max-age=0"));
            if is_removed {
                self.0.remove(name);
            } else if !name.is_empty()
                && pair.len() <= MAX_BYTES
                && (self.0.len() < MAX_COOKIES || self.0.contains_key(name))
            {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// What the next request says, where there is anything.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let pairs: Vec<Vec<u8>> = self
            .0
            .iter()
            .map(|(name, value)| [name, &b"="[..], value].concat())
            .collect();
        let mut header = HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok()?;
        header.set_sensitive(true);
        (!pairs.is_empty()).then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_last_is_said() {
        let mut cookies = Cookies::default();
        let mut said = |set: &[&str]| {
            let mut headers = HeaderMap::new();
            for cookie in set {
                headers.append(SET_COOKIE, cookie.parse().unwrap());
            }
            cookies.take(&headers);
            cookies
                .header()
                .map(|header| header.to_str().unwrap().to_owned())
        };
        assert_eq!(said(&["nothing", "=x", ""]), None);
        let both = said(&[
            "AWSALB=a/b+c==; Expires=Tue, 08 Dec 2026 10:00:00 GMT; Path=/",
            "b = 2 ;HttpOnly",
        ]);
        assert_eq!(both.as_deref(), Some("AWSALB=a/b+c==; b=2"));
        let one = said(&["AWSALB=d", "b=; Max-Age=0"]);
        assert_eq!(one.as_deref(), Some("AWSALB=d"));
        let long = format!("c={}", "x".repeat(MAX_BYTES));
        assert_eq!(said(&[&long]).as_deref(), Some("AWSALB=d"));
        let many: Vec<String> = (0..100).map(|number| format!("n{number}=1")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(said(&many).unwrap().matches('=').count(), MAX_COOKIES);
    }
}
