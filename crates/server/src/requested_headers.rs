//! Which headers a page may send: those of the official pieces, and what a preflight asks for beyond
//! them. Tracing and tenancy add headers to every request of a page (`sentry-trace`, `x-tenant`), and
//! a server that does not know their names has no reason to refuse them.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::error::ApiError;

/// What the official element, ours and the documented `fetch` examples send beyond the headers that
/// every page may send.
const USUAL: &str = "authorization, content-type, accept-language, chatkit-frame-instance-id, chatkit-device-id, x-user-id, vestibule-client, last-event-id, idempotency-key";
/// How many names are echoed, and how long one may be.
const MAX_NAMES: usize = 64;
const MAX_NAME_BYTES: usize = 128;
/// What only a proxy may write, and what would make of a request another one.
const REFUSED: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
];

/// The value of `Access-Control-Allow-Headers` for a preflight with these headers.
pub(crate) fn allowed(preflight: &HeaderMap) -> Result<HeaderValue, ApiError> {
    let mut names: Vec<HeaderName> = Vec::new();
    for line in preflight.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        for name in line.as_bytes().split(|byte| *byte == b',') {
            let name = name.trim_ascii();
            if name.is_empty() {
                continue;
            }
            let name = (name.len() <= MAX_NAME_BYTES)
                .then(|| HeaderName::from_bytes(name).ok())
                .flatten()
                .ok_or_else(|| {
                    unusable(format!(
                        "a header that the page wants to send has no usable name; names have at most {MAX_NAME_BYTES} characters"
                    ))
                })?;
            if REFUSED.contains(&name.as_str()) {
                return Err(refused(&name));
            }
            if USUAL.split(", ").any(|usual| usual == name.as_str()) || names.contains(&name) {
                continue;
            }
            if names.len() == MAX_NAMES {
                return Err(unusable(format!(
                    "the page wants to send more than {MAX_NAMES} headers of its own; send fewer"
                )));
            }
            names.push(name);
        }
    }
    let mut list = USUAL.to_owned();
    for name in &names {
        list.push_str(", ");
        list.push_str(name.as_str());
    }
    HeaderValue::try_from(list).map_err(ApiError::internal)
}

fn unusable(message: String) -> ApiError {
    ApiError::bad_request(message).with_param("access-control-request-headers")
}

fn refused(name: &HeaderName) -> ApiError {
    ApiError::origin_refused(format!(
        "a page may not send the header `{name}`, which is for proxies and tools; leave it out of the page's requests"
    ))
    .with_code("header_not_allowed")
    .with_param(name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(lines: &[&str]) -> Result<String, ApiError> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = header::ACCESS_CONTROL_REQUEST_HEADERS;
            headers.append(name, line.parse().unwrap());
        }
        allowed(&headers).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_a_page_adds_is_echoed_once_after_the_usual() {
        for (asked, added) in [
            (&[][..], ""),
            (&["authorization, content-type"], ""),
            (&["Sentry-Trace,baggage"], ", sentry-trace, baggage"),
            (
                &["x-tenant, X-Tenant", " ,article-id,"],
                ", x-tenant, article-id",
            ),
        ] {
            assert_eq!(ask(asked).unwrap(), format!("{USUAL}{added}"), "{asked:?}");
        }
    }

    #[test]
    fn what_only_proxies_write_is_refused_by_name() {
        for name in REFUSED {
            let error = ask(&[&format!("x-tenant, {}", name.to_uppercase())]).unwrap_err();
            assert_eq!(error.status(), 403);
            assert!(
                error.message().to_string().contains(name),
                "{}",
                error.message()
            );
        }
    }

    #[test]
    fn number_and_length_are_bounded() {
        let names = |count: usize| {
            let names: Vec<String> = (0..count).map(|number| format!("x-{number}")).collect();
            names.join(", ")
        };
        assert!(ask(&[&names(MAX_NAMES)]).is_ok());
        for bad in [
            names(MAX_NAMES + 1),
            "x".repeat(MAX_NAME_BYTES + 1),
            "x y".to_owned(),
            "x-<script>".to_owned(),
        ] {
            let error = ask(&[&bad]).unwrap_err();
            assert_eq!(error.status(), 400, "{bad}");
            assert!(
                !error.message().to_string().contains(&bad),
                "{bad} is not repeated"
            );
        }
    }
}
