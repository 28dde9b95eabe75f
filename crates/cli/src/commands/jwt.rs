//! `vestibule jwt check`: why a token is or is not accepted, step by step.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, Read},
    path::PathBuf,
    time::Instant,
};

use anyhow::{Context, bail, ensure};
use auth::{
    Issuer, Issuers, Now,
    claims::Audience,
    explain::{Explanation, Step, check_signature, explain},
    issuer::{Keys, TypRule},
    jwk::KeySource,
    jwks::KeySet,
    jws::Algorithm,
    ports::KeyFetch,
    rule::EntryRules,
};
use url::Url;

use crate::{
    commands::{output::line, workplace::Workplace},
    compose::{self, now},
};

/// Longest input that is read, in bytes: a million tokens of usual length.
const MAX_INPUT_BYTES: u64 = 1 << 30;

/// What to do with tokens.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Jwt {
    /// Says step by step why a token is or is not accepted
    ///
    /// Reads the token from standard input, so that it stays out of the shell's history. Without
    /// options the configured issuers decide, as they do for the server.
    #[command(after_help = "Examples:\n  \
        vestibule jwt check < token.txt\n  \
        vestibule jwt check --issuer https://app.example.com --better-auth < token.txt\n  \
        vestibule jwt check --issuer https://id.example.com/ --audience https://chat.example.com < token.txt\n  \
        vestibule jwt check --jwks keys.json --signature-only < tokens.txt")]
    Check(Check),
}

/// Options of `jwt check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// Judge by this issuer instead of the configured ones (a configured one keeps its rules)
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Whom the token must be meant for, with --issuer; repeat for more [default: the issuer]
    #[arg(long, value_name = "AUDIENCE", requires = "issuer")]
    audience: Vec<String>,
    /// The issuer is a Better Auth server at this address
    #[arg(long, requires = "issuer")]
    better_auth: bool,
    /// Take the keys from this file (a JWK set or one JWK) instead of asking the issuer
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Check nothing but signatures: one token a line, one JSON object a line; payloads may be anything
    #[arg(long, requires = "jwks", conflicts_with = "issuer")]
    signature_only: bool,
}

/// Carries it out. Whether every token was accepted.
pub(crate) async fn run(command: Jwt, workplace: &Workplace<'_>) -> anyhow::Result<bool> {
    let Jwt::Check(options) = command;
    if let Some(file) = options.jwks.as_deref().filter(|_| options.signature_only) {
        let keys = fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
        return check_signatures(std::io::stdin().lock(), &keys);
    }
    let token = read_token(std::io::stdin().lock())?;
    let (issuers, found) = issuers(&options, workplace).await?;
    let rules = rules(&options, &issuers, workplace)?;
    let access = compose::workflow_access(&workplace.config)?;
    let now = Now::new(now(), Instant::now());
    let mut told = explain(&issuers, &rules, &access, &token, now).await;
    if let Some(found) = found {
        told.steps.insert(0, found);
    }
    workplace.output.print(&told, describe)?;
    Ok(told.ok)
}

/// The configured rules, when the configured issuers decide; whoever names an issuer asks about that
/// alone, and a rule for another one is no mistake then.
fn rules(
    options: &Check,
    issuers: &Issuers,
    workplace: &Workplace<'_>,
) -> anyhow::Result<EntryRules> {
    if options.issuer.is_none() {
        return compose::build_rules(&workplace.config, issuers);
    }
    let all = compose::all_issuer_rules(&workplace.config, workplace.variables)?;
    let all = compose::issuers_of(all, &workplace.config)?;
    compose::build_rules(&workplace.config, &all)
}

fn check_signatures(input: impl BufRead, keys: &[u8]) -> anyhow::Result<bool> {
    let mut are_all_good = true;
    for token in input.take(MAX_INPUT_BYTES).split(b'\n') {
        let token = token.context("failed to read standard input")?;
        // A token is ASCII; whatever else stands there is refused as a character that has no place in one.
        let token =
            String::from_utf8_lossy(token.strip_suffix(b"\r").unwrap_or(&token)).into_owned();
        let check = check_signature(&token, keys);
        are_all_good &= check.ok;
        line(&serde_json::to_string(&check).context("failed to write JSON")?)?;
    }
    Ok(are_all_good)
}

fn read_token(mut input: impl BufRead) -> anyhow::Result<String> {
    let mut token = String::new();
    input
        .by_ref()
        .take(1 << 20)
        .read_to_string(&mut token)
        .context("failed to read the token")?;
    let token = token.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    ensure!(
        !token.is_empty(),
        "give the token on standard input: vestibule jwt check < token.txt"
    );
    Ok(token.to_owned())
}

/// Who judges, and what had to be found out about it.
async fn issuers(
    options: &Check,
    workplace: &Workplace<'_>,
) -> anyhow::Result<(Issuers, Option<Step>)> {
    let mut found = None;
    let mut rules = match &options.issuer {
        None => {
            let rules = compose::all_issuer_rules(&workplace.config, workplace.variables)?;
            ensure!(
                !rules.is_empty(),
                "no issuer is configured; name one: vestibule jwt check --issuer URL, or set BETTER_AUTH_URL"
            );
            rules
        }
        Some(name) => {
            let (issuer, step) = named_issuer(name, options, workplace).await?;
            found = step;
            vec![issuer]
        }
    };
    if let Some(file) = &options.jwks {
        let text = fs::read(file).with_context(|| format!("failed to read {}", file.display()))?;
        let [issuer] = &mut rules[..] else {
            bail!("--jwks needs --issuer, to say whose keys these are");
        };
        let set = KeySet::parse(&text, &issuer.algorithms, KeySource::Configured)
            .with_context(|| format!("failed to understand {}", file.display()))?;
        issuer.keys = Keys::Configured(set);
    }
    Ok((compose::issuers_of(rules, &workplace.config)?, found))
}

/// The configured rules of an issuer, or usual ones made from its address.
async fn named_issuer(
    name: &str,
    options: &Check,
    workplace: &Workplace<'_>,
) -> anyhow::Result<(Issuer, Option<Step>)> {
    let configured = compose::all_issuer_rules(&workplace.config, workplace.variables)?;
    if let Some(issuer) = configured.into_iter().find(|issuer| issuer.issuer == name) {
        return Ok((issuer, None));
    }
    if options.better_auth {
        return Ok((better_auth(name, options)?, None));
    }
    let usual = usual_issuer(name, options);
    if options.jwks.is_some() {
        return Ok((usual, None));
    }
    find_keys(usual, options, &compose::key_fetch(&workplace.config)?).await
}

fn better_auth(name: &str, options: &Check) -> anyhow::Result<Issuer> {
    let url = Url::parse(name).with_context(|| format!("{name} is not an address"))?;
    let mut issuer = Issuer::better_auth(&url)?;
    if !options.audience.is_empty() {
        issuer.audience = Audience::aud(&options.audience);
    }
    Ok(issuer)
}

/// Where the issuer has its keys: what its discovery document says, else where those that have none
/// keep them.
async fn find_keys(
    mut issuer: Issuer,
    options: &Check,
    fetch: &impl KeyFetch,
) -> anyhow::Result<(Issuer, Option<Step>)> {
    let Some(discovery) = issuer.key_address()? else {
        return Ok((issuer, None));
    };
    let Err(problem) = fetch.fetch(&discovery).await else {
        return Ok((issuer, None));
    };
    let step = |ok, detail| {
        let name = "discovery";
        Some(Step { name, ok, detail })
    };
    let name = issuer.issuer.clone();
    let mut asked = vec![discovery];
    if let Ok(better_auth) = better_auth(&name, options)
        && let Some(address) = better_auth.key_address()?
    {
        if has_keys(&address, &better_auth.algorithms, fetch).await {
            let told = format!(
                "none; its keys are at {address}, where Better Auth has them. It is configured by BETTER_AUTH_URL={name}"
            );
            return Ok((better_auth, step(true, told)));
        }
        asked.push(address);
    }
    let well_known = format!("{}/.well-known/jwks.json", name.trim_end_matches('/'));
    if let Ok(address) = Url::parse(&well_known) {
        if has_keys(&address, &issuer.algorithms, fetch).await {
            let told =
                format!("none; its keys are at {address}. Configure `jwks_uri = \"{address}\"`");
            issuer.keys = Keys::Jwks(address);
            return Ok((issuer, step(true, told)));
        }
        asked.push(address);
    }
    let asked: Vec<&str> = asked.iter().map(Url::as_str).collect();
    let told = format!(
        "no keys of this issuer were found at {} ({}). A Better Auth server is configured by BETTER_AUTH_URL, \
         its address; any other without discovery by `jwks_uri`",
        asked.join(", "),
        problem.message
    );
    Ok((issuer, step(false, told)))
}

async fn has_keys(address: &Url, algorithms: &[Algorithm], fetch: &impl KeyFetch) -> bool {
    let Ok(fetched) = fetch.fetch(address).await else {
        return false;
    };
    KeySet::parse(&fetched.body, algorithms, KeySource::Fetched)
        .is_ok_and(|set| !set.keys().is_empty())
}

/// The rules that most issuers go by.
fn usual_issuer(name: &str, options: &Check) -> Issuer {
    let audience = match &options.audience[..] {
        [] => vec![name.to_owned()],
        named => named.to_vec(),
    };
    let algorithms = [
        Algorithm::Rs256,
        Algorithm::Ps256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::EdDsa,
    ];
    Issuer {
        typ: TypRule::JwtOrAccessToken,
        ..Issuer::new(name, Keys::Discovery, &algorithms, Audience::aud(audience))
    }
}

fn describe(told: &Explanation) -> String {
    let mut text = String::new();
    for step in &told.steps {
        let mark = if step.ok { "ok  " } else { "FAIL" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark}  {:<10} {}", step.name, step.detail);
    }
    text.push_str(if told.ok {
        "accepted"
    } else {
        "not accepted: "
    });
    if !told.ok {
        text.push_str(&told.reason);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use async_trait::async_trait;
    use auth::ports::{FetchError, FetchedKeys};

    use super::*;

    /// Serves these documents, and nothing else.
    struct Documents(HashMap<&'static str, &'static str>);

    #[async_trait]
    impl KeyFetch for Documents {
        async fn fetch(&self, url: &Url) -> Result<FetchedKeys, FetchError> {
            let document = self.0.get(url.as_str()).ok_or_else(|| FetchError {
                message: "the issuer answered 404 Not Found".to_owned(),
                retry_after: None,
            })?;
            Ok(FetchedKeys {
                body: document.as_bytes().to_vec(),
                max_age: None,
            })
        }
    }

    async fn find(
        name: &str,
        documents: &[(&'static str, &'static str)],
    ) -> (Issuer, Option<Step>) {
        let options = Check {
            issuer: Some(name.to_owned()),
            audience: Vec::new(),
            better_auth: false,
            jwks: None,
            signature_only: false,
        };
        let documents = Documents(documents.iter().copied().collect());
        find_keys(usual_issuer(name, &options), &options, &documents)
            .await
            .unwrap()
    }

    const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","alg":"EdDSA",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    #[tokio::test]
    async fn a_better_auth_server_is_found_by_where_its_keys_are() {
        for (name, keys) in [
            (
                "https://app.example.com",
                "https://app.example.com/api/auth/jwks",
            ),
            (
                "https://app.example.com/",
                "https://app.example.com/api/auth/jwks",
            ),
            (
                "https://app.example.com/auth",
                "https://app.example.com/auth/jwks",
            ),
        ] {
            let (issuer, step) = find(name, &[(keys, KEYS)]).await;
            assert_eq!(issuer.issuer, "https://app.example.com");
            let step = step.unwrap();
            assert!(step.ok);
            assert!(step.detail.contains(keys), "{}", step.detail);
            assert!(
                step.detail.contains(&format!("BETTER_AUTH_URL={name}")),
                "{}",
                step.detail
            );
        }
    }

    #[tokio::test]
    async fn other_issuers_keep_their_keys_where_they_say_or_where_most_do() {
        let discovery = "https://id.example.com/.well-known/openid-configuration";
        let (issuer, step) = find("https://id.example.com/", &[(discovery, "{}")]).await;
        assert!(step.is_none());
        assert!(matches!(issuer.keys, Keys::Discovery));
        let keys = "https://id.example.com/.well-known/jwks.json";
        let (issuer, step) = find("https://id.example.com/", &[(keys, KEYS)]).await;
        assert_eq!(issuer.key_address().unwrap().unwrap().as_str(), keys);
        assert!(step.unwrap().detail.contains("jwks_uri"));
    }

    #[tokio::test]
    async fn an_issuer_without_keys_is_told_with_what_was_tried() {
        let (_, step) = find("https://app.example.com", &[]).await;
        let step = step.unwrap();
        assert!(!step.ok);
        for expected in [
            "/.well-known/openid-configuration",
            "/api/auth/jwks",
            "404",
            "BETTER_AUTH_URL",
            "jwks_uri",
        ] {
            assert!(step.detail.contains(expected), "{}", step.detail);
        }
    }
}
