//! The pages that show the chat at work, under the strictest content policy there is: the three doors
//! at `/`, examples under `/demo/`, and in development the gallery of everything the element can show.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::{HeaderValue, header};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::{
    app::AppState, development::DevelopmentUser, error::ApiError, path::Path,
    routes::assets::content_type,
};

/// Scripts and styles from this server only, none inline; no markup from strings (Trusted Types).
/// Who may put the page into a frame comes behind it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self' data: https:; font-src 'self'; base-uri 'none'; \
     form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const INDEX: &str = "index.html";
const GALLERY: &str = "gallery.html";

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/assets/demo"]
struct DemoFiles;

#[derive(Serialize)]
struct Config<'a> {
    public_token: Option<&'a str>,
    domain_key: Option<&'a str>,
    users: &'a [DevelopmentUser],
}

/// The most of the allowlist that goes into a header, in bytes: proxies refuse long ones.
const MAX_ANCESTORS_BYTES: usize = 2 * 1024;

/// `GET /`
pub(crate) async fn index(State(app): State<AppState>) -> Result<Response, ApiError> {
    page(&app, INDEX).await
}

/// `GET /chatkit/gallery`
pub(crate) async fn gallery(State(app): State<AppState>) -> Result<Response, ApiError> {
    page(&app, GALLERY).await
}

/// `GET /demo/{file}`
pub(crate) async fn file(
    State(app): State<AppState>,
    Path(file): Path<String>,
) -> Result<Response, ApiError> {
    // These have addresses of their own; the gallery's is there in development only.
    match file.as_str() {
        INDEX => Ok(Redirect::permanent("../").into_response()),
        GALLERY => Ok(Redirect::permanent("../chatkit/gallery").into_response()),
        name if content_type(name).starts_with("text/html") => page(&app, name).await,
        name => Ok(demo_file(name)),
    }
}

/// A page with its policy. Pages of the allowlist may put it into a frame; of a long list, only pages
/// of this server.
async fn page(app: &AppState, name: &str) -> Result<Response, ApiError> {
    let listed = app.domains.frame_ancestors().await?;
    let is_short = listed.len() <= MAX_ANCESTORS_BYTES;
    let ancestors = if is_short { &listed } else { "'self'" };
    let policy = format!("{CONTENT_SECURITY_POLICY}; frame-ancestors {ancestors}");
    let policy = HeaderValue::try_from(policy).map_err(ApiError::internal)?;
    let mut page = demo_file(name);
    page.headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(page)
}

/// `GET /demo/config.json`
pub(crate) async fn config(State(app): State<AppState>) -> Response {
    let demo = app.demo.as_ref();
    let users = app
        .development
        .as_ref()
        .map_or(&[][..], |development| &development.users);
    Json(Config {
        public_token: demo.and_then(|demo| demo.public_token.as_deref()),
        domain_key: demo.and_then(|demo| demo.domain_key.as_deref()),
        users,
    })
    .into_response()
}

fn demo_file(path: &str) -> Response {
    let Some(file) = DemoFiles::get(path) else {
        return ApiError::not_found("the demo page has no such file").into_response();
    };
    let mut response = file.data.into_owned().into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(content_type(path)),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
