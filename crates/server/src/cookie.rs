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

/// The one name that counts. Over https the plain one is never read: any host of the same site, and
/// anybody on a plain connection, could plant it, and the visitor would go on in the planter's threads.
const fn name(is_secure: bool) -> &'static str {
    if is_secure { SECURE_NAME } else { PLAIN_NAME }
}

/// The resume token in the request's cookies. Two different ones are none: one of them was planted.
pub(crate) fn visitor(headers: &HeaderMap, is_secure: bool) -> Option<String> {
    let mut found: Option<&str> = None;
    let lines = headers.get_all(header::COOKIE).iter();
    let values = auth::cookie::pairs(lines.filter_map(|value| value.to_str().ok()))
        .filter(|(found, _)| *found == name(is_secure))
        .map(|(_, value)| value);
    for value in values {
        if found.is_some_and(|earlier| earlier != value) {
            return None;
        }
        found = Some(value);
    }
    found.map(str::to_owned)
}

/// The `Set-Cookie` header that keeps a resume token.
pub(crate) fn keep_visitor(resume: &str, is_secure: bool) -> Option<HeaderValue> {
    let scope = if is_secure {
        "Secure; HttpOnly; SameSite=None; Partitioned"
    } else {
        "HttpOnly; SameSite=Lax"
    };
    let name = name(is_secure);
    let attributes = format!("{name}={resume}; Path=/; Max-Age={MAX_AGE_SECONDS}; {scope}");
    HeaderValue::try_from(attributes).ok().map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(is_secure: bool, lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().unwrap());
        }
        visitor(&headers, is_secure)
    }

    #[test]
    fn o04_two_different_cookies_of_one_name_are_none() {
        for (is_secure, name) in [(true, SECURE_NAME), (false, PLAIN_NAME)] {
            let one = |value: &str| format!("{name}={value}");
            let read = |lines: &[String]| {
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                read(is_secure, &lines)
            };
            assert_eq!(
                read(&[format!("a=b; {}; c=d", one("x"))]).as_deref(),
                Some("x")
            );
            assert_eq!(read(&[one("x"), one("x")]).as_deref(), Some("x"));
            assert_eq!(read(&[format!("{}; {}", one("x"), one("y"))]), None);
            assert_eq!(read(&[one("x"), one("y")]), None);
            assert_eq!(read(&[format!("x{}", one("x"))]), None);
            assert_eq!(read(&[]), None);
        }
    }

    #[test]
    fn o04_only_the_name_of_the_connection_counts() {
        let both = ["vestibule_visitor=planted; __Host-vestibule_visitor=own"];
        assert_eq!(read(true, &both).as_deref(), Some("own"));
        assert_eq!(read(true, &["vestibule_visitor=planted"]), None);
        assert_eq!(read(false, &both).as_deref(), Some("planted"));
        assert_eq!(read(false, &["__Host-vestibule_visitor=own"]), None);
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
