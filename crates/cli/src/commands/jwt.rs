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
    explain::{Explanation, check_signature, explain},
    issuer::Keys,
    jwk::KeySource,
    jwks::KeySet,
    jws::Algorithm,
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
    let issuers = issuers(&options, workplace)?;
    let rules = rules(&options, &issuers, workplace)?;
    let access = compose::workflow_access(&workplace.config)?;
    let now = Now::new(now(), Instant::now());
    let told = explain(&issuers, &rules, &access, &token, now).await;
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
    let all = compose::issuer_rules(&workplace.config.issuers, workplace.variables)?;
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

fn issuers(options: &Check, workplace: &Workplace<'_>) -> anyhow::Result<Issuers> {
    let mut rules = match &options.issuer {
        None => {
            let rules = compose::issuer_rules(&workplace.config.issuers, workplace.variables)?;
            ensure!(
                !rules.is_empty(),
                "no issuer is configured; name one: vestibule jwt check --issuer URL, or set BETTER_AUTH_URL"
            );
            rules
        }
        Some(name) => vec![named_issuer(name, options, workplace)?],
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
    compose::issuers_of(rules, &workplace.config)
}

/// The configured rules of an issuer, or usual ones made from its address.
fn named_issuer(name: &str, options: &Check, workplace: &Workplace<'_>) -> anyhow::Result<Issuer> {
    let configured = compose::issuer_rules(&workplace.config.issuers, workplace.variables)?;
    if let Some(issuer) = configured.into_iter().find(|issuer| issuer.issuer == name) {
        return Ok(issuer);
    }
    if options.better_auth {
        let url = Url::parse(name).with_context(|| format!("{name} is not an address"))?;
        return Ok(Issuer::better_auth(&url)?);
    }
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
    Ok(Issuer::new(
        name,
        Keys::Discovery,
        &algorithms,
        Audience::aud(audience),
    ))
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
