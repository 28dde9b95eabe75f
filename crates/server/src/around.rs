//! What happens around every request: in one function and in this order, so that the order can be
//! read.

use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use engine::Language;
use futures::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use tracing::{Instrument, Span};
use upstream::openai::opaque_user;

use crate::{
    address::{Address, Takes},
    app::AppState,
    audit, body,
    caller::{self, Caller, Trace},
    client_ip::{self, ClientIp, is_forwarded_by_stranger},
    cors::{self, PageCheck},
    error::{self, ApiError, ErrorReport},
    host, locale, metrics, refused_origins,
    report::RequestName,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Where requests of one address come in; without an address, those that found none.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) app: AppState,
    pub(crate) address: Option<Arc<Address>>,
}

/// What happens around every request.
pub(crate) async fn around(
    State(Entrance { app, address }): State<Entrance>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let (app, address) = (&app, address.as_deref());
    let began = Instant::now();
    // 1. A name for the request, so that a person can report an error without telling a secret.
    //    The span is for whoever looks closely (`log.filter` at `debug`).
    let id: Arc<str> = format!("req_{:032x}", app.engine.ids.next()).into();
    request.extensions_mut().insert(RequestName(id.clone()));
    let line = (request.method().clone(), request.uri().clone());
    let span = tracing::debug_span!("request", id = &*id, method = %line.0, path = line.1.path());
    let language = Language::of(locale::of(request.headers()));
    let mut page_check = PageCheck::of(address, &request);
    let is_operator =
        client_ip::is_on_this_machine(peer.ip(), request.version(), request.headers());

    // 2. Who counts: the client behind the proxies that are trusted.
    let client = ClientIp::find(peer.ip(), request.headers(), &app.settings.trusted_proxies);
    let answer = async {
        // 3. Whom the request is for has to be clear, to us and to every proxy before us.
        host::check(&request)?;
        // 4. The address is counted before a credential is looked up, so that guessing is slow.
        if let Err(error) = app.limits.request(client, &request) {
            if request.method() != Method::OPTIONS {
                // Only so that a page on the allowlist may read when to try again.
                let _ = page_check.check(app, request.headers()).await;
            }
            return Err(error);
        }
        // 5. A preflight asks what is allowed; it carries no credential and does nothing.
        if request.method() == Method::OPTIONS {
            let (check, headers) = (&mut page_check, request.headers());
            if let Some(address) = address {
                return cors::answer_options(app, check, address, headers).await;
            }
            if let Some(answer) = cors::answer_preflight_of_nowhere(app, check, headers).await? {
                return Ok(answer);
            }
        }
        request.extensions_mut().insert(client);
        let trusted = &app.settings.trusted_proxies;
        if is_forwarded_by_stranger(peer.ip(), request.headers(), trusted) {
            app.audit.forwarded_by_stranger(app.now().wall, client);
        }
        // 6. Pages that are not on the allowlist are refused before anything happens.
        page_check.check(app, request.headers()).await?;
        if page_check.page().is_present() {
            request.extensions_mut().insert(page_check.page().clone());
        }
        // 7. The guard and the handler. A panic is our defect, not the end of the connection's
        //    other requests.
        AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .map_err(|panic| ApiError::internal(panic_text(panic.as_ref())))
    };
    let mut response = answer.instrument(span.clone()).await.into_response();

    // 8. Errors are logged here and nowhere else, and refusals written down.
    let status = response.status();
    if let Some(report) = response.extensions().get::<ErrorReport>() {
        metrics::refused(report.code, status);
        let trace = response.extensions().get();
        let is_news = audit::refusal(app, report, &page_check, client, trace);
        // What a conversation has said about itself: who speaks, in which thread and workflow.
        let span = response.extensions().get::<Span>().unwrap_or(&span);
        span.in_scope(|| log(&id, &line, response.status(), report, trace, is_news));
        refused_origins::note(app, report, client).await;
        error::retell(&mut response, language, is_operator);
    }
    metrics::answered(
        &line.0,
        address.map(|address| address.path),
        status,
        began.elapsed(),
    );
    let headers = response.headers_mut();
    // 9. Pages may read the answer only when they may ask at all.
    page_check.finish(headers);
    // 10. What every answer carries.
    security_headers(headers, app.settings.is_secure);
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// What one row of the table takes.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) app: AppState,
    pub(crate) takes: &'static [Takes],
}

/// Lets nobody in who does not bring what the row takes.
pub(crate) async fn guard(
    State(Guard { app, takes }): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    if !takes.is_empty()
        && let Err(error) = caller::admit(&app, takes, &mut request).await
    {
        let is_exchange = takes.contains(&Takes::SubjectToken) && body::is_form(request.headers());
        return if is_exchange {
            error.into_oauth_response()
        } else {
            error.into_response()
        };
    }
    let trace = request.extensions().get::<Caller>().map(Caller::trace);
    let mut response = next.run(request).await;
    if let Some(trace) = trace
        && response.extensions().get::<ErrorReport>().is_some()
    {
        response.extensions_mut().insert(trace);
    }
    response
}

/// One line for an error. A refusal that came before in this minute is no news, so that whoever tries
/// tokens does not fill the log.
fn log(
    id: &str,
    (method, uri): &(Method, Uri),
    status: StatusCode,
    report: &ErrorReport,
    trace: Option<&Trace>,
    is_news: bool,
) {
    let path = uri.path();
    let code = report.code.unwrap_or_default();
    let cause = report.cause.as_deref().map(chain);
    let advice = report.origin.as_ref().map(|refusal| refusal.for_operator());
    let told = report.message.text(Language::English);
    let message = advice.as_deref().unwrap_or(&told);
    let status = status.as_u16();
    macro_rules! line {
        ($level:ident $(, $more:ident)*) => {
            tracing::$level!(id, %method, path, status, code, cause $(, $more)*, message)
        };
    }
    let user = || trace.map(|trace| opaque_user(trace.identity.owner_key()));
    // A refused sign-in is news for whoever sets the server up; other faults of clients are not.
    match (status, &report.rejection) {
        (500.., _) => {
            let user = user();
            line!(error, user);
        }
        // An error that became an `error` event of a stream, or the agent's.
        (200 | 424, _) => {
            let user = user();
            line!(warn, user);
        }
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

fn security_headers(headers: &mut HeaderMap, is_secure: bool) {
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
    if is_secure {
        // For this host alone: the others below its domain are not ours to decide about.
        put(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
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
        security_headers(&mut headers, false);
        assert_eq!(headers[header::CACHE_CONTROL], "max-age=300");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
