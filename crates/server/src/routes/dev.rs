//! The development issuer: signs a real token for one of two made-up people at a click.
//!
//! It exists with `--dev` only, and answers callers on this machine only: the connection, the `Host`
//! and the `Origin` must all be loopback. The `Host` is looked at because a page of another site can
//! make its own name point to 127.0.0.1 (DNS rebinding), and would then count as the same origin.
//! A proxy or a tunnel on this machine connects from loopback for people who are anywhere, so a
//! request that one of them passed on is refused.

use std::{net::SocketAddr, time::Duration};

use auth::Origin;
use axum::{
    Json,
    extract::{ConnectInfo, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, Version, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    app::AppState,
    body::JsonBody,
    client_ip::is_passed_on,
    development::{Development, DevelopmentUser},
    error::ApiError,
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How long a token lives: as long as those of Better Auth.
const TOKEN_LIFETIME: Duration = Duration::from_mins(15);

#[derive(Deserialize)]
pub(crate) struct TokenBody {
    user: Option<String>,
}

/// `POST /dev/token`
pub(crate) async fn token(
    State(app): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    version: Version,
    headers: HeaderMap,
    JsonBody(body): JsonBody<TokenBody>,
) -> Result<Response, ApiError> {
    let development = app.development.as_ref().ok_or_else(not_here)?;
    if is_passed_on(version, &headers) {
        return Err(ApiError::forbidden(
            "loopback_only",
            "the development issuer signs nobody in who comes through a proxy; open the page on this machine as http://127.0.0.1, or configure [[issuers]] and run without --dev",
        ));
    }
    if !peer.ip().to_canonical().is_loopback()
        || !is_local_host(&headers)
        || !is_local_page(&headers)
        || !is_sent_by_a_local_page(&headers)
    {
        return Err(ApiError::forbidden(
            "loopback_only",
            "the development issuer signs people in on this machine only; open the page as http://127.0.0.1",
        ));
    }
    let user = development
        .users
        .iter()
        .find(|user| Some(user.id) == body.user.as_deref())
        .ok_or_else(|| {
            let ids: Vec<&str> = development.users.iter().map(|user| user.id).collect();
            ApiError::bad_request(format!("name one of these users: {}", ids.join(", ")))
                .with_param("user")
        })?;
    let now = app.now().wall;
    let expires_at = now.plus(TOKEN_LIFETIME).seconds();
    let claims = claims(development, user, now.seconds(), expires_at);
    let token = development.signer.sign(&claims, None)?;
    Ok(Json(json!({ "token": token, "expires_at": expires_at, "user": user })).into_response())
}

/// `GET /dev/jwks.json`
pub(crate) async fn keys(State(app): State<AppState>) -> Result<Response, ApiError> {
    let development = app.development.as_ref().ok_or_else(not_here)?;
    Ok(Json(development.signer.jwks()).into_response())
}

fn claims(
    development: &Development,
    user: &DevelopmentUser,
    issued_at: i64,
    expires_at: i64,
) -> Map<String, Value> {
    [
        ("iss", json!(development.issuer)),
        ("aud", json!(development.audience)),
        ("sub", json!(user.id)),
        ("name", json!(user.name)),
        ("email", json!(user.email)),
        ("iat", json!(issued_at)),
        ("exp", json!(expires_at)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn is_local_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    host.to_str().is_ok_and(|host| {
        Origin::parse(&format!("http://{host}")).is_ok_and(|origin| origin.is_local())
    })
}

/// What browsers add about the page that asks (Fetch Metadata). A page of another site is one of this
/// machine (another port, `localhost` and `127.0.0.1`), and then it has said so by its `Origin`.
fn is_sent_by_a_local_page(headers: &HeaderMap) -> bool {
    headers
        .get_all(SEC_FETCH_SITE)
        .iter()
        .all(|site| match site.as_bytes() {
            b"same-origin" | b"none" => true,
            b"same-site" | b"cross-site" => headers.contains_key(header::ORIGIN),
            _ => false,
        })
}

fn is_local_page(headers: &HeaderMap) -> bool {
    headers.get_all(header::ORIGIN).iter().all(|origin| {
        origin
            .to_str()
            .is_ok_and(|origin| Origin::parse(origin).is_ok_and(|origin| origin.is_local()))
    })
}

fn not_here() -> ApiError {
    ApiError::not_found("this server has no development issuer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_points_to_this_machine_is_not_this_machine() {
        for (host, expected) in [
            ("127.0.0.1:8000", true),
            ("localhost:8000", true),
            ("app.localhost:8000", true),
            ("[::1]:8000", true),
            ("evil.example:8000", false),
            ("127.0.0.1.nip.io", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            assert_eq!(is_local_host(&headers), expected, "{host}");
        }
        assert!(!is_local_host(&HeaderMap::new()));
    }
}
