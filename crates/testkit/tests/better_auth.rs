//! `auth` and `upstream` against a real Better Auth server: what it signs is accepted, what it would
//! sign for something else is not, and its keys may change at any moment.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on should say where"
)]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use auth::claims::Audience;
use auth::introspection::{IntrospectionRule, OpaqueShape};
use auth::jwks::KeyCacheLimits;
use auth::ports::{ClientAuthMethod, KeyFetch, Random, SystemRandom};
use auth::{Error, Issuer, Issuers, LoginSessions, Now, Reason, UnixTime};
use serde_json::Value;
use testkit::services::{Account, BetterAuth, BetterAuthOptions, OAuthOptions};
use upstream::{HttpClient, HttpKeyFetch, HttpPolicy, HttpSessionLookup, HttpTokenIntrospection};
use url::Url;

fn issuers(server: &BetterAuth) -> Issuers {
    let issuer = Issuer::better_auth(&Url::parse(server.base_url()).unwrap()).unwrap();
    let fetch: Arc<dyn KeyFetch> = Arc::new(HttpKeyFetch::new(client()));
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    Issuers::new(vec![issuer], KeyCacheLimits::default(), &fetch, &random).unwrap()
}

fn client() -> HttpClient {
    HttpClient::new(&HttpPolicy::DOCUMENT).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the other side is a real server with a real clock"
)]
fn now() -> Now {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    Now::new(
        UnixTime::from_seconds(i64::try_from(since_epoch.as_secs()).unwrap()),
        Instant::now(),
    )
}

fn with_algorithm(algorithm: &str) -> BetterAuthOptions {
    BetterAuthOptions {
        algorithm: Some(algorithm.to_owned()),
        ..BetterAuthOptions::default()
    }
}

async fn start(options: &BetterAuthOptions) -> (BetterAuth, Account) {
    let server = BetterAuth::start(options).await.unwrap();
    let account = server.sign_up("ada").await.unwrap();
    (server, account)
}

#[track_caller]
fn reason(result: Result<Arc<auth::Identity>, Error>) -> Reason {
    match result {
        Err(Error::Invalid(rejection)) => rejection.reason(),
        other => panic!("expected a rejection, got {other:?}"),
    }
}

async fn accepts(algorithm: &str) {
    let (server, account) = start(&with_algorithm(algorithm)).await;
    let token = server.token(&account).await.unwrap();
    let issuers = issuers(&server);
    let identity = issuers.authenticate(&token, now()).await.unwrap();
    assert_eq!(identity.subject(), account.user_id);
    assert_eq!(identity.issuer(), server.base_url());

    // One flipped bit in the middle of the signature.
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let middle = signature.len() / 2;
    let other = if signature.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    let forged = format!(
        "{signed}.{}{other}{}",
        &signature[..middle],
        &signature[middle + 1..]
    );
    assert_eq!(
        reason(issuers.authenticate(&forged, now()).await),
        Reason::BadSignature
    );
}

#[tokio::test]
async fn eddsa_tokens_are_accepted() {
    accepts("EdDSA").await;
}

#[tokio::test]
async fn es256_tokens_are_accepted() {
    accepts("ES256").await;
}

#[tokio::test]
async fn es512_tokens_are_accepted() {
    accepts("ES512").await;
}

#[tokio::test]
async fn rs256_tokens_are_accepted() {
    accepts("RS256").await;
}

#[tokio::test]
async fn ps256_tokens_are_accepted() {
    accepts("PS256").await;
}

#[tokio::test]
async fn a_token_of_another_server_is_refused() {
    let (server, _) = start(&BetterAuthOptions::default()).await;
    let (other, account) = start(&BetterAuthOptions::default()).await;
    let token = other.token(&account).await.unwrap();
    assert_eq!(
        reason(issuers(&server).authenticate(&token, now()).await),
        Reason::UnknownIssuer
    );
}

#[tokio::test]
async fn a_new_key_is_accepted_with_its_first_token_and_the_old_one_stays_good() {
    let options = BetterAuthOptions {
        rotation_seconds: Some(0.01),
        grace_seconds: Some(3600),
        ..BetterAuthOptions::default()
    };
    let (server, account) = start(&options).await;
    let issuers = issuers(&server);
    let first = server.token(&account).await.unwrap();
    issuers.authenticate(&first, now()).await.unwrap();
    let header = |token: &str| token.split('.').next().unwrap().to_owned();
    // Keys are replaced when a token is signed and the key has become too old.
    let mut next = first.clone();
    for _ in 0..200 {
        next = server.token(&account).await.unwrap();
        if header(&next) != header(&first) {
            break;
        }
    }
    assert_ne!(header(&next), header(&first), "the key was replaced");
    issuers.authenticate(&next, now()).await.unwrap();
    issuers.authenticate(&first, now()).await.unwrap();
}

#[tokio::test]
async fn session_caches_are_not_tokens_and_their_cookies_are_asked_about() {
    // How Better Auth keeps a copy of the session in a cookie, in how many parts it is written, and
    // why it is refused as a token. The `jwt` one is signed with the very keys of the users' tokens.
    for (strategy, parts, expected) in [
        ("compact", 1, Reason::NotCompact),
        ("jwt", 3, Reason::WrongType),
        ("jwe", 5, Reason::Encrypted),
    ] {
        let options = BetterAuthOptions {
            session_cache: Some(strategy.to_owned()),
            ..BetterAuthOptions::default()
        };
        let (server, account) = start(&options).await;
        let cached = account
            .cookie
            .split("; ")
            .find_map(|cookie| cookie.strip_prefix("better-auth.session_data="))
            .unwrap();
        assert_eq!(cached.split('.').count(), parts, "{strategy}: {cached}");
        let issuers = Arc::new(issuers(&server));
        let refused = reason(issuers.authenticate(cached, now()).await);
        assert!(
            refused == expected || (strategy == "jwt" && refused == Reason::MissingIssuer),
            "{strategy}: {refused:?}"
        );
        // The browser sends both cookies; the session decides, and not the copy.
        let logins = LoginSessions::new(issuers, Arc::new(HttpSessionLookup::new(client())));
        let identity = logins
            .authenticate(None, &[&account.cookie], now())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(identity.subject(), account.user_id, "{strategy}");
        let copy_alone = format!("better-auth.session_data={cached}");
        assert!(
            logins
                .authenticate(None, &[&copy_alone], now())
                .await
                .unwrap()
                .is_none()
        );
    }
}

const RESOURCE: &str = "https://chat.example.com/api";

/// The OAuth provider, and the issuer that is believed for it; its opaque tokens are asked about.
async fn start_oauth(algorithm: &str) -> (BetterAuth, Account, Issuers) {
    start_oauth_with_logout(algorithm, None).await
}

async fn start_oauth_with_logout(
    algorithm: &str,
    logout: Option<String>,
) -> (BetterAuth, Account, Issuers) {
    let options = BetterAuthOptions {
        oauth: Some(OAuthOptions {
            resource: RESOURCE.to_owned(),
            logout,
        }),
        ..with_algorithm(algorithm)
    };
    let (server, account) = start(&options).await;
    let base = Url::parse(server.base_url()).unwrap();
    let mut issuer = Issuer::better_auth_oauth(&base, &[RESOURCE.to_owned()]).unwrap();
    let known = server.oauth_client().unwrap();
    issuer.logout_audience = vec![known.id.clone()];
    issuer.introspection = Some(IntrospectionRule {
        address: Url::parse(&format!("{}/oauth2/introspect", issuer.issuer)).unwrap(),
        client_id: known.id.clone(),
        client_secret: known.secret.clone().into(),
        auth_method: ClientAuthMethod::Basic,
        audience: Audience::in_claim("azp", [known.id.clone()]),
        shape: OpaqueShape::Any,
        believed_for: Duration::from_secs(30),
    });
    let fetch: Arc<dyn KeyFetch> = Arc::new(HttpKeyFetch::new(client()));
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    let issuers = Issuers::new(vec![issuer], KeyCacheLimits::default(), &fetch, &random)
        .unwrap()
        .with_introspection(Arc::new(HttpTokenIntrospection::new(client())))
        .unwrap();
    (server, account, issuers)
}

#[tokio::test]
async fn access_tokens_of_the_oauth_provider_are_accepted_in_every_algorithm() {
    for algorithm in ["EdDSA", "ES256", "ES512", "PS256", "RS256"] {
        let (server, account, issuers) = start_oauth(algorithm).await;
        let tokens = server.authorize(&account, Some(RESOURCE)).await.unwrap();
        let identity = issuers
            .authenticate(&tokens.access_token, now())
            .await
            .unwrap();
        assert_eq!(identity.subject(), account.user_id, "{algorithm}");
        assert_eq!(identity.issuer(), format!("{}/api/auth", server.base_url()));
        assert!(identity.claims().get("sid").is_some_and(Value::is_string));
        // The ID token has the same key, another audience and no `typ`.
        assert_eq!(
            reason(issuers.authenticate(&tokens.id_token, now()).await),
            Reason::WrongType
        );
    }
}

#[tokio::test]
async fn opaque_access_tokens_of_the_oauth_provider_are_asked_about() {
    let (server, account, issuers) = start_oauth("EdDSA").await;
    let tokens = server.authorize(&account, None).await.unwrap();
    assert!(
        !tokens.access_token.contains('.'),
        "{}",
        tokens.access_token
    );
    let identity = issuers
        .authenticate(&tokens.access_token, now())
        .await
        .unwrap();
    assert_eq!(identity.subject(), account.user_id);
    // A refresh token is opaque too, and is active for whoever asks about refresh tokens.
    assert_eq!(
        reason(issuers.authenticate(&tokens.refresh_token, now()).await),
        Reason::Inactive
    );
    // So is the session token, which Better Auth itself takes as a bearer token.
    let session = account
        .cookie
        .split_once('=')
        .unwrap()
        .1
        .split('.')
        .next()
        .unwrap();
    assert_eq!(
        reason(issuers.authenticate(session, now()).await),
        Reason::Inactive
    );

    server.sign_out(&account).await.unwrap();
    let later = now().plus(Duration::from_secs(31));
    assert_eq!(
        reason(issuers.authenticate(&tokens.access_token, later).await),
        Reason::Inactive
    );
}

#[tokio::test]
async fn a_sign_out_at_the_oauth_provider_is_heard_here() {
    use axum::{Router, extract::State, routing::post};
    use tokio::{net::TcpListener, sync::mpsc};

    let (sender, mut received) = mpsc::unbounded_channel::<String>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let logout = format!("http://{}/logout", listener.local_addr().unwrap());
    let hear = async |State(sender): State<mpsc::UnboundedSender<String>>, body: String| {
        sender.send(body).unwrap();
    };
    let router = Router::new()
        .route("/logout", post(hear))
        .with_state(sender);
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(async move { axum::serve(listener, router).await });

    let (server, account, issuers) = start_oauth_with_logout("EdDSA", Some(logout)).await;
    let tokens = server.authorize(&account, None).await.unwrap();
    let identity = issuers
        .authenticate(&tokens.access_token, now())
        .await
        .unwrap();
    server.sign_out(&account).await.unwrap();

    let form = received.recv().await.unwrap();
    let token = form.strip_prefix("logout_token=").unwrap();
    let store = store::connect("sqlite::memory:", store::Options::default());
    let store = store.await.unwrap();
    let (sign_out, _) = issuers.sign_out(token, &*store, now()).await.unwrap();
    assert!(sign_out.is_of(&identity), "{sign_out:?}");
    // What was remembered is forgotten: the issuer is asked again at once.
    assert_eq!(
        reason(issuers.authenticate(&tokens.access_token, now()).await),
        Reason::Inactive
    );
    assert!(matches!(
        issuers.sign_out(token, &*store, now()).await,
        Err(Error::Invalid(rejection)) if rejection.reason() == Reason::Replayed
    ));
}

#[tokio::test]
async fn a_session_cookie_counts_until_its_session_ends() {
    let (server, account) = start(&BetterAuthOptions::default()).await;
    let sessions = |server| {
        LoginSessions::new(
            Arc::new(issuers(server)),
            Arc::new(HttpSessionLookup::new(client())),
        )
    };
    let identity = sessions(&server)
        .authenticate(None, &[&account.cookie], now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(identity.subject(), account.user_id);
    assert_eq!(identity.issuer(), server.base_url());

    // Better Auth answers 200 and `null` to a cookie that it did not sign.
    let forged = account.cookie.replace("session_token=", "session_token=x");
    assert_eq!(
        reason(
            sessions(&server)
                .authenticate(None, &[&forged], now())
                .await
                .map(Option::unwrap)
        ),
        Reason::NoSession
    );

    server.sign_out(&account).await.unwrap();
    let ended = sessions(&server)
        .authenticate(None, &[&account.cookie], now())
        .await
        .map(Option::unwrap);
    assert_eq!(reason(ended), Reason::NoSession);
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_and_known_keys_go_on() {
    let (server, account) = start(&BetterAuthOptions::default()).await;
    let token = server.token(&account).await.unwrap();
    let (known, unknown) = (issuers(&server), issuers(&server));
    known.authenticate(&token, now()).await.unwrap();
    drop(server);
    known.authenticate(&token, now()).await.unwrap();
    assert!(matches!(
        unknown.authenticate(&token, now()).await,
        Err(Error::Unavailable { .. })
    ));
}
