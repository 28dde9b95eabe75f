//! The whole server as one service: what happens around every request, in one function and in this
//! order.
//!
//! One function rather than a stack of layers, for two reasons. The order can be read; and a request
//! pays for the handler's boxed future and no other, where each layer boxes one more and moves the
//! request into it. With this, one look at the table, and no span for a log that nobody reads, a
//! request without a credential takes half the instructions that it took (bench/README.md).

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use tracing::Instrument;

use crate::{
    app::AppState,
    audit, body,
    caller::{self, Caller},
    client_ip::{self, ClientIp, OnThisMachine},
    cors::{self, Asking},
    error::{self, ApiError, ErrorReport},
    router::{self, Addresses, Route, Takes},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
/// Room for the headers that an answer usually has, so that the map grows once.
const USUAL_HEADERS: usize = 12;

/// The address of the other end, as the kernel knows it, for the development issuer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The server as it is configured. Clones share everything.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

struct Shared {
    app: AppState,
    addresses: Addresses,
}

impl Service {
    /// Puts the route table, the guard and everything around them in front of an app.
    pub fn new(app: AppState) -> Self {
        let addresses = Addresses::of(&app);
        Self(Arc::new(Shared { app, addresses }))
    }

    /// Answers a request of whoever is at the other end of the connection.
    pub(crate) async fn answer(&self, peer: SocketAddr, mut request: Request) -> Response {
        let Shared { app, addresses } = &*self.0;
        // 1. A name for the request, so that a person can report an error without telling a secret.
        //    The span is for whoever looks closely (`log.filter` at `debug`); its fields are text,
        //    which is dear to make for each request.
        let id = RequestId::new(app.engine.ids.next());
        let (method, path) = (request.method(), request.uri().path());
        let span = tracing::debug_span!("request", id = id.as_str(), %method, path);
        let address = addresses.find(path).map(|(address, placeholder)| {
            if let Some(placeholder) = placeholder {
                request.extensions_mut().insert(placeholder);
            }
            address
        });
        if app.development.is_some() {
            request.extensions_mut().insert(Peer(peer));
        }
        let mut asking = Asking::of(address, &request);
        let line = (request.method().clone(), request.uri().clone());
        let is_operator = client_ip::is_on_this_machine(peer.ip(), request.headers());

        // 2. Who counts: the client behind the proxies that are trusted.
        let client = ClientIp::find(peer.ip(), request.headers(), &app.settings.trusted_proxies);
        let answer = async {
            // 3. A preflight asks what is allowed; it carries no credential and does nothing. It is
            //    not counted: a page could not read why it was refused.
            if request.method() == Method::OPTIONS {
                let address = address.ok_or_else(router::unknown_path)?;
                return cors::answer_options(app, &mut asking, address, request.headers()).await;
            }
            // 4. The address is counted before a credential is looked up, so that guessing is slow.
            if let Err(error) = app.limits.request(client) {
                // Only so that a page on the allowlist may read when to try again.
                let _ = asking.check(app, request.headers()).await;
                return Err(error);
            }
            request.extensions_mut().insert(client);
            if is_operator {
                request.extensions_mut().insert(OnThisMachine);
            }
            // 5. Pages that are not on the allowlist are refused before anything happens.
            asking.check(app, request.headers()).await?;
            if asking.page().is_present() {
                request.extensions_mut().insert(asking.page().clone());
            }
            let address = address.ok_or_else(router::unknown_path)?;
            let Some(route) = address.route(request.method()) else {
                let mut refusal = address.unknown_method().into_response();
                let headers = refusal.headers_mut();
                headers.insert(header::ALLOW, address.methods.clone());
                return Ok(refusal);
            };
            // 6. A panic is our defect, not the end of the connection's other requests.
            AssertUnwindSafe(guard(app, route, request))
                .catch_unwind()
                .await
                .map_err(|panic| ApiError::internal(panic_text(panic.as_ref())))
        };
        let mut response = answer.instrument(span.clone()).await.into_response();

        // 7. Errors are logged here and nowhere else, and refusals written down.
        if let Some(report) = response.extensions().get::<ErrorReport>() {
            let trace = response.extensions().get();
            let is_news = audit::refusal(app, report, &asking, client, trace);
            span.in_scope(|| log(&id, &line, response.status(), report, is_news));
            if is_operator {
                error::tell_operator(&mut response);
            }
        }
        let headers = response.headers_mut();
        headers.reserve(USUAL_HEADERS);
        // 8. Pages may read the answer only when they may ask at all.
        asking.finish(headers);
        // 9. What every answer carries.
        security_headers(headers);
        headers.insert(REQUEST_ID, id.into());
        response
    }
}

/// Lets nobody in who does not bring what the route takes.
async fn guard(app: &AppState, route: &'static Route, mut request: Request) -> Response {
    if !route.takes.is_empty()
        && let Err(error) = caller::admit(app, route.takes, &mut request).await
    {
        let is_exchange =
            route.takes.contains(&Takes::SubjectToken) && body::is_form(request.headers());
        return if is_exchange {
            error.into_oauth_response()
        } else {
            error.into_response()
        };
    }
    let trace = request.extensions().get::<Caller>().map(Caller::trace);
    let mut response = (route.handler)(request, app.clone()).await;
    if let Some(trace) = trace
        && response.extensions().get::<ErrorReport>().is_some()
    {
        response.extensions_mut().insert(trace);
    }
    response
}

/// What a request is called in the log and in its answer: `req_` and 32 hexadecimal digits.
struct RequestId([u8; 36]);

impl RequestId {
    fn new(number: u128) -> Self {
        let mut text = *b"req_00000000000000000000000000000000";
        let digits = text.iter_mut().skip(4);
        let nibbles = number.to_be_bytes().into_iter();
        for (digit, nibble) in digits.zip(nibbles.flat_map(|byte| [byte >> 4, byte & 15])) {
            *digit = match nibble {
                0..=9 => b'0' + nibble,
                _ => b'a' + nibble - 10,
            };
        }
        Self(text)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<RequestId> for HeaderValue {
    fn from(RequestId(text): RequestId) -> Self {
        Self::from_bytes(&text).unwrap_or(Self::from_static(""))
    }
}

/// One line for an error. A refusal that came before in this minute is no news, so that whoever tries
/// tokens does not fill the log.
fn log(
    id: &RequestId,
    (method, uri): &(Method, Uri),
    status: StatusCode,
    report: &ErrorReport,
    is_news: bool,
) {
    let (id, path) = (id.as_str(), uri.path());
    let code = report.code.unwrap_or_default();
    let cause = report.cause.as_deref().map(chain);
    let advice = report.origin.as_ref().map(|refusal| refusal.for_operator());
    let message = advice.as_deref().unwrap_or(&report.message);
    let status = status.as_u16();
    macro_rules! line {
        ($level:ident $(, $more:ident)*) => {
            tracing::$level!(id, %method, path, status, code, cause $(, $more)*, message)
        };
    }
    // A refused sign-in is news for whoever sets the server up; other faults of clients are not.
    match (status, &report.rejection) {
        (500.., _) => line!(error),
        // An error that became an `error` event of a stream.
        (200, _) => line!(warn),
        (401 | 403, Some(rejection)) if is_news => {
            // What finds the token again in the issuer's log, without holding it.
            let issuer = rejection.issuer();
            let key_id = rejection.key_id();
            let token_hash = rejection.token_hash();
            line!(info, issuer, key_id, token_hash);
        }
        (401 | 403, None) if is_news => line!(info),
        (400, _) if is_news && report.origin.is_some() => line!(info),
        _ => line!(debug),
    }
}

/// An error with all its causes, on one line.
fn chain(error: &(dyn std::error::Error + Send + Sync)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

fn security_headers(headers: &mut HeaderMap) {
    let mut put = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::REFERRER_POLICY, "no-referrer");
    // Nothing here is a page, except the one that brings a policy of its own.
    put(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    put(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
    // Answers are personal; what may be kept says so itself.
    put(header::CACHE_CONTROL, "no-store");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_in_32_digits() {
        let number = 0x017f_22e2_79b0_7cc3_98c4_dc0c_0c07_398f;
        for number in [0, 1, number, u128::MAX] {
            let id = RequestId::new(number);
            assert_eq!(id.as_str(), format!("req_{number:032x}"));
            assert_eq!(HeaderValue::from(id), format!("req_{number:032x}"));
        }
    }

    #[test]
    fn a_cause_is_told_with_its_causes() {
        let error = auth::ports::StoreError::Unavailable("locked".into());
        assert_eq!(chain(&error), "the credential store is unavailable: locked");
    }

    #[test]
    fn an_answers_own_headers_win() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("max-age=300"),
        );
        security_headers(&mut headers);
        assert_eq!(headers[header::CACHE_CONTROL], "max-age=300");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
