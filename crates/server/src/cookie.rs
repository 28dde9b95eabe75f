//! The visitor's cookie: what a browser keeps so that an anonymous visitor comes back to their threads.
//!
//! Over https its name begins with `__Host-`, which browsers accept only with `Secure`, `Path=/` and no
//! `Domain`, so no other host can plant one (RFC 6265bis §4.1.3). It is `SameSite=None; Partitioned`,
//! because the chat stands in pages of other sites, and each of those gets a visitor of its own.
//! On plain http (a developer's machine) none of that is possible; there it is a plain `Lax` cookie.

use http::{HeaderMap, HeaderValue, header};

const SECURE_NAME: &str = "__Host-vestibule_visitor";
const PLAIN_NAME: &str = "vestibule_visitor";
/// 400 days, the longest that browsers keep a cookie; each visit begins anew.
const MAX_AGE_SECONDS: u32 = 400 * 24 * 60 * 60;

/// The resume token in the request's cookies. Two different ones are none: one of them was planted.
pub(crate) fn visitor(headers: &HeaderMap) -> Option<String> {
    let mut found: Option<&str> = None;
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    for (name, value) in pairs {
        if name != SECURE_NAME && name != PLAIN_NAME {
            continue;
        }
        if found.is_some_and(|earlier| earlier != value) {
            return None;
        }
        found = Some(value);
    }
    found.map(str::to_owned)
}

/// The `Set-Cookie` header that keeps a resume token.
pub(crate) fn keep_visitor(resume: &str, is_secure: bool) -> Option<HeaderValue> {
    let attributes = if is_secure {
        format!(
            "{SECURE_NAME}={resume}; Path=/; Max-Age={MAX_AGE_SECONDS}; Secure; HttpOnly; SameSite=None; Partitioned"
        )
    } else {
        format!("{PLAIN_NAME}={resume}; Path=/; Max-Age={MAX_AGE_SECONDS}; HttpOnly; SameSite=Lax")
    };
    HeaderValue::try_from(attributes).ok().map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        visitor(&headers)
    }

    #[test]
    fn o04_two_different_cookies_of_one_name_are_none() {
        assert_eq!(read(&["a=b; vestibule_visitor=x"]).as_deref(), Some("x"));
        assert_eq!(
            read(&["__Host-vestibule_visitor=x; c=d"]).as_deref(),
            Some("x")
        );
        assert_eq!(
            read(&["vestibule_visitor=x", "vestibule_visitor=x"]).as_deref(),
            Some("x")
        );
        assert_eq!(read(&["vestibule_visitor=x; vestibule_visitor=y"]), None);
        assert_eq!(
            read(&["__Host-vestibule_visitor=x", "vestibule_visitor=y"]),
            None
        );
        assert_eq!(read(&["xvestibule_visitor=x"]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn o03_the_cookie_cannot_be_read_by_scripts_nor_planted_by_others() {
        let secure = keep_visitor("vk_x", true).unwrap();
        let secure = secure.to_str().unwrap();
        for part in [
            "__Host-",
            "Secure",
            "HttpOnly",
            "SameSite=None",
            "Partitioned",
            "Path=/;",
        ] {
            assert!(secure.contains(part), "{secure}");
        }
        assert!(!secure.contains("Domain"), "{secure}");
    }
}
