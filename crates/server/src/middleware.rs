//! What happens around every request, in one function and in this order.

use std::{net::SocketAddr, panic::AssertUnwindSafe};

use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tracing::Instrument;

use crate::{
    app::{App, AppState},
    audit,
    client_ip::ClientIp,
    cors::{self, Asking},
    error::{ApiError, ErrorReport},
    serve::Peer,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the one layer of this server around the routes.
pub(crate) fn apply(routes: Router, app: AppState) -> Router {
    routes.layer(from_fn_with_state(app, around))
}

/// The layers, from the outside in. One function rather than a stack of layers: the order can be
/// read, and a request pays for one boxed future instead of seven.
async fn around(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    // 1. A name for the request, so that a person can report an error without telling a secret.
    let id = format!("req_{:032x}", app.engine.ids.next());
    let span =
        tracing::info_span!("request", id, method = %request.method(), path = request.uri().path());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let mut asking = Asking::of(&app, path.as_ref().map(MatchedPath::as_str), &request);

    let mut address = None;

    let answer = async {
        // 2. A preflight asks what is allowed; it carries no credential and does nothing. It is not
        //    counted: a page could not read why it was refused.
        if request.method() == Method::OPTIONS {
            return cors::answer_options(&app, &mut asking).await;
        }
        // 3. The address is counted before a credential is looked up, so that guessing is slow.
        let client = client_ip(&app, &request);
        address = Some(client);
        if let Err(error) = app.limits.request(client) {
            // Only so that a page on the allowlist may read when to try again.
            let _ = asking.check(&app).await;
            return Err(error);
        }
        request.extensions_mut().insert(client);
        // 4. Pages that are not on the allowlist are refused before anything happens.
        let origin = asking.check(&app).await?;
        request.extensions_mut().insert(origin);
        // 5. A panic is our defect, not the end of the connection's other requests.
        AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .map_err(|panic| ApiError::internal(panic_text(panic.as_ref())))
    };
    let mut response = answer.instrument(span.clone()).await.into_response();

    // 6. Errors are logged here and nowhere else, and refusals written down.
    if let Some(report) = response.extensions().get::<ErrorReport>() {
        span.in_scope(|| log(response.status(), report));
        let trace = response.extensions().get();
        audit::refusal(&app, report, &asking, address, trace);
    }
    // 7. Pages may read the answer only when they may ask at all.
    asking.finish(&mut response);
    // 8. What every answer carries.
    security_headers(response.headers_mut());
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn client_ip(app: &App, request: &Request) -> ClientIp {
    // Without a peer (a test that calls the router directly) everybody is one client.
    let peer = request
        .extensions()
        .get::<Peer>()
        .map_or(SocketAddr::from(([0, 0, 0, 0], 0)).ip(), |Peer(address)| {
            address.ip()
        });
    ClientIp::find(peer, request.headers(), &app.settings.trusted_proxies)
}

fn log(status: StatusCode, report: &ErrorReport) {
    let code = report.code.unwrap_or_default();
    let cause = report.cause.as_deref().map(chain);
    let (status, message) = (status.as_u16(), report.message.as_str());
    // A refused sign-in is news for whoever sets the server up; other faults of clients are not.
    match status {
        500.. => tracing::error!(status, code, cause, message),
        // An error that became an `error` event of a stream.
        200 => tracing::warn!(status, code, cause, message),
        401 | 403 => tracing::info!(status, code, cause, message),
        _ => tracing::debug!(status, code, cause, message),
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
    put(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    // Answers are personal; what may be kept says so itself.
    put(header::CACHE_CONTROL, "no-store");
}

#[cfg(test)]
mod tests {
    use super::*;

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
