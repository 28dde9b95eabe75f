//! How a request says that it follows a run: what its client can do, where it has read to, and what it calls the request.

use std::sync::Arc;

use auth::credential;
use engine::{Client, Reader, RequestKey};
use http::{HeaderMap, HeaderName, HeaderValue};
use protocol::RunId;

use crate::error::ApiError;

/// What a client can do, as a list of words; `resume` is the only one.
const CLIENT: HeaderName = HeaderName::from_static("vestibule-client");
/// The `id` of the last event that was read (WHATWG HTML §9.2.4).
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The client's name for a request, so that sending it again does not do it again (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The run that a stream tells, or that lives in the thread that was loaded.
const RUN: HeaderName = HeaderName::from_static("vestibule-run");
/// The message that waits for the answer before it.
const QUEUED: HeaderName = HeaderName::from_static("vestibule-queued");

/// Longest name of a request, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// What the headers of a streaming request say.
pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Client, ApiError> {
    let can_resume = words(headers, &CLIENT).any(|word| word.eq_ignore_ascii_case("resume"));
    Ok(Client {
        can_resume,
        reads_ids: can_resume || headers.contains_key(LAST_EVENT_ID),
        // An id that is none of ours comes from another server, whose stream this client read before.
        after: text(headers, &LAST_EVENT_ID).and_then(|id| id.parse().ok()),
        key: key(headers, body)?,
    })
}

fn key(headers: &HeaderMap, body: &[u8]) -> Result<Option<RequestKey>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (first, another) = (values.next(), values.next());
    let Some(key) = first else {
        return Ok(None);
    };
    let is_plain = |key: &&str| {
        (1..=MAX_KEY_BYTES).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let key = key
        .to_str()
        .ok()
        .filter(is_plain)
        .filter(|_| another.is_none())
        .ok_or_else(|| {
            ApiError::bad_request(format!(
                "an Idempotency-Key has 1 to {MAX_KEY_BYTES} visible ASCII characters, and comes once; a UUID will do"
            ))
            .with_param("idempotency-key")
        })?;
    Ok(Some(RequestKey {
        key: key.into(),
        fingerprint: fingerprint(body),
    }))
}

/// Tells a body from others without keeping it.
fn fingerprint(body: &[u8]) -> Arc<str> {
    let digest = credential::digest(&String::from_utf8_lossy(body));
    data_encoding::HEXLOWER.encode(&digest).into()
}

/// The headers of a run's stream.
pub(crate) fn name_run(headers: &mut HeaderMap, reader: &Reader) {
    name_live_run(headers, reader.run_id());
    let queued = reader.queued().map(protocol::ItemId::as_str);
    if let Some(item) = queued.and_then(|item| HeaderValue::from_str(item).ok()) {
        headers.insert(QUEUED, item);
    }
}

/// Names the run that lives in a thread.
pub(crate) fn name_live_run(headers: &mut HeaderMap, run: &RunId) {
    if let Ok(run) = HeaderValue::from_str(run.as_str()) {
        headers.insert(RUN, run);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_a_client_can_do_is_a_list_of_words() {
        for (value, can_resume) in [
            ("resume", true),
            ("Resume", true),
            ("later, resume", true),
            ("resume2", false),
            ("", false),
        ] {
            let client = read(&with(&[("vestibule-client", value)]), b"").unwrap();
            assert_eq!(client.can_resume, can_resume, "{value}");
            assert_eq!(client.reads_ids, can_resume, "{value}");
        }
        assert!(!read(&HeaderMap::new(), b"").unwrap().can_resume);
    }

    #[test]
    fn the_last_event_is_ours_or_none() {
        for (value, is_ours) in [
            ("run_1:17", true),
            ("17", false),
            ("a:b", false),
            ("", false),
        ] {
            let client = read(&with(&[("last-event-id", value)]), b"").unwrap();
            assert_eq!(client.after.is_some(), is_ours, "{value}");
        }
    }

    #[test]
    fn a_key_is_plain_and_single_and_tells_bodies_apart() {
        let key = |value: &str, body: &[u8]| read(&with(&[("idempotency-key", value)]), body);
        let one = key("k-1", b"one").unwrap().key.unwrap();
        assert_eq!(key("k-1", b"one").unwrap().key, Some(one.clone()));
        assert_ne!(key("k-1", b"two").unwrap().key, Some(one));
        for wrong in ["", "a b", &"x".repeat(256)] {
            let error = key(wrong, b"").expect_err("refused");
            assert_eq!(error.status(), 400, "{wrong}");
        }
        assert!(key(&"x".repeat(255), b"").is_ok());
        let twice = with(&[("idempotency-key", "a"), ("idempotency-key", "b")]);
        assert!(read(&twice, b"").is_err());
    }
}
