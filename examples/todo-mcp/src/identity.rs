//! Who asks: the short-lived token that Vestibule signs for every tool call.
//!
//! Vestibule has verified the person and says so in a JWT (`EdDSA`) whose issuer is Vestibule and
//! whose audience is this MCP server, of a type (`typ`) that no other token has. The public key is at `/.well-known/jwks.json`. So this
//! server needs no secret, no user table, and never sees the person's own login token.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use auth::claims::{Audience, ClaimRule};
use auth::issuer::{Issuer, Issuers, Keys, TypRule};
use auth::jwks::KeyCacheLimits;
use auth::jws::Algorithm;
use auth::ports::{KeyFetch, Random, SystemRandom};
use auth::{Identity, Now, UnixTime};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use upstream::mcp::IDENTITY_TYP;
use upstream::{HttpClient, HttpKeyFetch, HttpPolicy};
use url::Url;

/// The verified person behind a request. Only [`authenticate`] makes one.
#[derive(Clone, Debug)]
pub struct Caller {
    owner: String,
}

impl Caller {
    /// What the person's rows are kept under.
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

/// Checks the tokens of one issuer.
pub struct Verifier {
    issuers: Issuers,
    owner_of: fn(&Identity) -> String,
}

impl Verifier {
    /// Believes tokens that the Vestibule at `vestibule` signed for `audience`.
    pub fn vestibule(vestibule: &Url, audience: &str) -> anyhow::Result<Self> {
        let mut issuer = Issuer::new(
            vestibule.origin().ascii_serialization(),
            Keys::Jwks(vestibule.join("/.well-known/jwks.json")?),
            &[Algorithm::EdDsa],
            Audience::aud([audience]),
        );
        // Only tokens that were made for an MCP server, each with a name of its own.
        issuer.typ = TypRule::Exactly(IDENTITY_TYP.to_owned());
        issuer.required_claims = vec![ClaimRule::Present("jti".to_owned())];
        // Vestibule puts the person's own issuer and id into `sub`: "<issuer> <id>".
        Self::new(issuer, |token| token.subject().to_owned())
    }

    /// Believes tokens of the Better Auth server at `url`: for pages that show the list themselves.
    pub fn better_auth(url: &Url) -> anyhow::Result<Self> {
        // The same words as Vestibule's `sub`, so both ways lead to the same list.
        Self::new(Issuer::better_auth(url)?, |identity| {
            identity.owner_key().to_owned()
        })
    }

    fn new(issuer: Issuer, owner_of: fn(&Identity) -> String) -> anyhow::Result<Self> {
        let http = HttpClient::new(&HttpPolicy::DOCUMENT)?;
        let fetch: Arc<dyn KeyFetch> = Arc::new(HttpKeyFetch::new(http));
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let issuers = Issuers::new(vec![issuer], KeyCacheLimits::default(), &fetch, &random)?;
        Ok(Self { issuers, owner_of })
    }
}

/// Lets only requests with a valid token through, and leaves the [`Caller`] in their extensions.
pub async fn authenticate(
    State(verifier): State<Arc<Verifier>>,
    mut request: Request,
    next: Next,
) -> Response {
    let values: Vec<&str> = request
        .headers()
        .get_all(header::AUTHORIZATION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let token = match auth::bearer::bearer(&values) {
        Ok(Some(token)) => token,
        Ok(None) => {
            return refuse(StatusCode::UNAUTHORIZED, "send a token with this request");
        }
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match verifier.issuers.authenticate(token, now()).await {
        Ok(identity) => {
            let owner = (verifier.owner_of)(&identity);
            request.extensions_mut().insert(Caller { owner });
            next.run(request).await
        }
        Err(auth::Error::Unavailable { message, .. }) => {
            tracing::warn!(message, "no keys to check tokens with");
            refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "the token cannot be checked right now; try again in a moment",
            )
        }
        Err(error) => {
            tracing::info!(%error, "refused a token");
            refuse(
                StatusCode::UNAUTHORIZED,
                "the token is not valid for this server",
            )
        }
    }
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let mut response = (status, message.to_owned()).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            header::HeaderValue::from_static("Bearer realm=\"todo-mcp\""),
        );
    }
    response
}

#[expect(
    clippy::disallowed_methods,
    reason = "the edge of this program: everything inside gets the time as an argument"
)]
fn now() -> Now {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    Now::new(UnixTime::from_seconds(seconds), Instant::now())
}
