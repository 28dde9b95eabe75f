//! The `Host` of a request: one, and one that can be read (RFC 9112 §3.2). A proxy in front of us may
//! take another of two for the one that counts, and then asks somebody else's questions here.

use http::{HeaderValue, Request, Version, header, uri::Authority};

use crate::error::ApiError;

/// Refuses a request that does not say exactly once whom it is for.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), ApiError> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let problem = match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host) => return Ok(()),
        (Some(_), None) => "is not a host",
        (Some(_), Some(_)) => "came more than once",
        // Before HTTP/1.1 there was none.
        (None, _) if request.version() < Version::HTTP_11 => return Ok(()),
        (None, _) => "is missing",
    };
    Err(ApiError::bad_request(format!(
        "the header `Host` {problem}; send it once, like `Host: chat.example.com`"
    ))
    .with_code("invalid_host"))
}

/// Empty where the target has none, else a host with or without a port.
fn is_host(value: &HeaderValue) -> bool {
    value.is_empty()
        || Authority::try_from(value.as_bytes())
            .is_ok_and(|authority| !authority.as_str().contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_comes_once_and_can_be_read() {
        for (version, hosts, is_good) in [
            (Version::HTTP_11, &["chat.example.com"][..], true),
            (Version::HTTP_11, &["chat.example.com:8443"], true),
            (Version::HTTP_11, &["[2001:db8::1]:8000"], true),
            (Version::HTTP_11, &["127.0.0.1"], true),
            (Version::HTTP_11, &[""], true),
            (Version::HTTP_11, &[], false),
            (Version::HTTP_10, &[], true),
            (Version::HTTP_10, &["a.example", "b.example"], false),
            (Version::HTTP_11, &["a.example", "a.example"], false),
            (Version::HTTP_11, &["a.example, b.example"], false),
            (Version::HTTP_11, &["a.example b.example"], false),
            (Version::HTTP_11, &["user@a.example"], false),
            (Version::HTTP_11, &["http://a.example/"], false),
        ] {
            let mut request = Request::new(());
            *request.version_mut() = version;
            for host in hosts {
                let value = host.parse().unwrap();
                request.headers_mut().append(header::HOST, value);
            }
            let checked = check(&request);
            assert_eq!(checked.is_ok(), is_good, "{version:?} {hosts:?}");
            if let Err(error) = checked {
                assert_eq!(error.status(), 400);
                assert!(
                    error.message().to_string().contains("Host"),
                    "{}",
                    error.message()
                );
            }
        }
    }
}
