//! A Better Auth server (Node) with users in memory, and what a browser would ask of it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::process::{Running, install};

/// How the server signs; the defaults are Better Auth's own.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BetterAuthOptions {
    /// `EdDSA` (default), `ES256`, `ES512`, `RS256` or `PS256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Age at which a signing key is replaced, in seconds, also parts of one; never by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation_seconds: Option<f64>,
    /// How long a replaced key stays published, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
    /// Lifetime of tokens, such as `15m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_lifetime: Option<String>,
    /// Cookie cache: `compact`, `jwt` or `jwe`; off by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_cache: Option<String>,
    /// The OAuth provider, with one client; off by default. It takes the place of the JWT route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OAuthOptions>,
}

/// What the OAuth provider knows.
#[derive(Clone, Debug, Serialize)]
pub struct OAuthOptions {
    /// The one resource (RFC 8707) that access tokens can be asked for.
    pub resource: String,
    /// Where the client wants to be told that somebody has signed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logout: Option<String>,
}

/// The OAuth client that the server knows.
#[derive(Clone, Debug, Deserialize)]
pub struct OAuthClient {
    /// `client_id`
    pub id: String,
    /// `client_secret`
    pub secret: String,
}

/// What the token endpoint gives for a code.
#[derive(Clone, Debug, Deserialize)]
pub struct Tokens {
    /// The access token: a JWT for a resource, else opaque.
    pub access_token: String,
    /// The ID token.
    pub id_token: String,
    /// The refresh token.
    pub refresh_token: String,
}

/// A running Better Auth server.
pub struct BetterAuth {
    base_url: String,
    oauth_client: Option<OAuthClient>,
    client: reqwest::Client,
    _running: Running,
}

/// A user that signed up, with the session of that moment.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user's id: `sub` of the tokens.
    pub user_id: String,
    /// What a browser would send as `Cookie`.
    pub cookie: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    base_url: String,
    client: Option<OAuthClient>,
}

impl BetterAuth {
    /// Starts the server; the first start on a machine installs its npm packages.
    pub async fn start(options: &BetterAuthOptions) -> anyhow::Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/better-auth");
        let options = serde_json::to_string(options)?;
        let (running, ready) =
            tokio::task::spawn_blocking(move || start_node(&folder, &options)).await??;
        #[expect(
            clippy::disallowed_methods,
            reason = "stands for a browser, not for the product"
        )]
        let client = reqwest::Client::new();
        Ok(Self {
            base_url: ready.base_url,
            oauth_client: ready.client,
            client,
            _running: running,
        })
    }

    /// `http://127.0.0.1:<port>`: `iss` and `aud` of its tokens.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Creates a user and signs in.
    pub async fn sign_up(&self, name: &str) -> anyhow::Result<Account> {
        let body = json!({ "name": name, "email": format!("{name}@example.com"), "password": "correct horse battery" });
        let response = self.post("sign-up/email", None, &body).await?;
        let cookies = response.headers().get_all("set-cookie").iter();
        let cookie = cookies
            .filter_map(|value| value.to_str().ok()?.split(';').next())
            .collect::<Vec<_>>()
            .join("; ");
        let body: Value = response.json().await?;
        let user_id = body["user"]["id"]
            .as_str()
            .context("sign-up answers with the user")?
            .to_owned();
        Ok(Account { user_id, cookie })
    }

    /// A JWT for the account's session.
    pub async fn token(&self, account: &Account) -> anyhow::Result<String> {
        let url = format!("{}/api/auth/token", self.base_url);
        let response = self
            .client
            .get(url)
            .header("cookie", &account.cookie)
            .send()
            .await?
            .error_for_status()?;
        let body: Value = response.json().await?;
        Ok(body["token"]
            .as_str()
            .context("a session gets a token")?
            .to_owned())
    }

    /// The client of the OAuth provider.
    pub fn oauth_client(&self) -> anyhow::Result<&OAuthClient> {
        self.oauth_client
            .as_ref()
            .context("the OAuth provider is off")
    }

    /// Tokens for the account by the authorization code flow with PKCE (RFC 7636), for a resource or
    /// for none.
    pub async fn authorize(
        &self,
        account: &Account,
        resource: Option<&str>,
    ) -> anyhow::Result<Tokens> {
        const CALLBACK: &str = "https://app.example.com/callback";
        const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";
        let client = self.oauth_client()?;
        let challenge = digest::digest(&digest::SHA256, VERIFIER.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        let resource = resource.map(|resource| ("resource", resource));
        let question = [
            ("response_type", "code"),
            ("client_id", &client.id),
            ("redirect_uri", CALLBACK),
            ("scope", "openid offline_access"),
            ("state", "s"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let mut url = Url::parse(&format!("{}/api/auth/oauth2/authorize", self.base_url))?;
        url.query_pairs_mut()
            .extend_pairs(question.into_iter().chain(resource));
        let answer: Value = self
            .client
            .get(url)
            .header("cookie", &account.cookie)
            .header("accept", "application/json")
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let callback = Url::parse(answer["url"].as_str().context("it says where to go on")?)?;
        let code = callback.query_pairs().find(|(name, _)| name == "code");
        let (_, code) = code.with_context(|| format!("no code in {callback}"))?;
        let question = [
            ("grant_type", "authorization_code"),
            ("code", code.as_ref()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(question.into_iter().chain(resource))
            .finish();
        let answer = self
            .client
            .post(format!("{}/api/auth/oauth2/token", self.base_url))
            .basic_auth(&client.id, Some(&client.secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)
            .send()
            .await?
            .error_for_status()?;
        Ok(answer.json().await?)
    }

    /// Ends the account's session. Tokens live on until they expire; that is how JWTs are.
    pub async fn sign_out(&self, account: &Account) -> anyhow::Result<()> {
        self.post("sign-out", Some(&account.cookie), &json!({}))
            .await?;
        Ok(())
    }

    /// Every POST needs an `Origin` that the server trusts.
    async fn post(
        &self,
        route: &str,
        cookie: Option<&str>,
        body: &Value,
    ) -> anyhow::Result<reqwest::Response> {
        let url = format!("{}/api/auth/{route}", self.base_url);
        let mut request = self
            .client
            .post(url)
            .header("origin", &self.base_url)
            .json(body);
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        Ok(request.send().await?.error_for_status()?)
    }
}

fn start_node(folder: &Path, options: &str) -> anyhow::Result<(Running, Ready)> {
    install(folder)?;
    let mut command = Command::new("node");
    // Its input is a pipe that nobody writes to: it closes when this process ends in any way, and
    // then the server ends too.
    command
        .arg("server.mjs")
        .arg(options)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut running = Running::start("node", &mut command, "TERM")?;
    let output = running
        .child()
        .stdout
        .take()
        .context("its output is a pipe")?;
    let mut line = String::new();
    let mut output = BufReader::new(output);
    output.read_line(&mut line)?;
    // What it says later is not read, but a full pipe would stop it.
    std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
    let Ok(ready) = serde_json::from_str(&line) else {
        bail!("Better Auth did not start; it said: {line}");
    };
    Ok((running, ready))
}
