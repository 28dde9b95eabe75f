//! The chat element and the demo page's files, out of the binary.
//!
//! Public and the same for everybody, so any page may load them (CORP `cross-origin`).
//! Under `?v=` an address names one build and is kept for ever; without it, for five minutes.
//! A release build holds the files; a debug build reads them from the folder, so that a change in
//! `web/` shows on reload.

use axum::{
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::{error::ApiError, path::Path};

const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const SHORT: HeaderValue = HeaderValue::from_static("public, max-age=300");

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/dist"]
struct Element;

/// `GET /chatkit.js`
pub(crate) async fn script(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    element_file("chatkit.js", query.as_deref(), &headers)
}

/// `GET /chatkit/{*path}`
pub(crate) async fn part(
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    element_file(&format!("chatkit/{path}"), query.as_deref(), &headers)
}

fn element_file(path: &str, query: Option<&str>, headers: &HeaderMap) -> Response {
    let Some(file) = Element::get(path) else {
        let message = if Element::get("chatkit.js").is_some() {
            format!("there is no file `{path}` in this version of the chat element")
        } else {
            "this build holds no chat element; run `make web`, then build the server again"
                .to_owned()
        };
        return ApiError::not_found(message).into_response();
    };
    let (file, coding) = encoded(path, headers).unwrap_or((file, None));
    let etag = etag(&file);
    let mut response = if is_current(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, content_type(path))], bytes(file)).into_response()
    };
    let is_versioned = query.is_some_and(|query| {
        query.split('&').any(|pair| {
            pair.strip_prefix("v=")
                .is_some_and(|value| !value.is_empty())
        })
    });
    let answer = response.headers_mut();
    answer.insert(header::ETAG, etag);
    if let Some(coding) = coding {
        answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    answer.insert(
        header::CACHE_CONTROL,
        if is_versioned { IMMUTABLE } else { SHORT },
    );
    answer.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    answer.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
    response
}

/// The compressed file that the build made beside this one, where the client takes it.
fn encoded(path: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    let accepted = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(coding, _)| accepts(accepted, coding))
        .find_map(|(coding, extension)| {
            Some((Element::get(&format!("{path}.{extension}"))?, Some(coding)))
        })
}

/// Whether `Accept-Encoding` names the coding with a weight above zero (RFC 9110 §12.5.3).
fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(coding))
            && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn is_current(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|list| {
            list.split(',')
                .map(|entry| entry.trim().trim_start_matches("W/"))
                .any(|entry| entry == "*" || entry.as_bytes() == etag.as_bytes())
        })
    })
}

fn etag(file: &EmbeddedFile) -> HeaderValue {
    let digest = HEXLOWER.encode(&file.metadata.sha256_hash()[..16]);
    HeaderValue::try_from(format!("\"{digest}\""))
        .unwrap_or(HeaderValue::from_static("\"unknown\""))
}

fn bytes(file: EmbeddedFile) -> Bytes {
    match file.data {
        std::borrow::Cow::Borrowed(data) => Bytes::from_static(data),
        std::borrow::Cow::Owned(data) => Bytes::from(data),
    }
}

/// The media type of the few kinds of files that a build of the element has.
pub(crate) fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_taken_only_with_a_weight() {
        for (accepted, coding, expected) in [
            ("gzip, deflate, br", "br", true),
            ("gzip, deflate, br", "gzip", true),
            ("GZIP;q=0.5", "gzip", true),
            ("br;q=0", "br", false),
            ("br; q=0.0, gzip", "br", false),
            ("", "br", false),
            ("brotli", "br", false),
        ] {
            assert_eq!(accepts(accepted, coding), expected, "{accepted} {coding}");
        }
    }
}
