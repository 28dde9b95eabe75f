//! What `serve` says when it is ready: where to go, which doors are open, what is missing.

use std::fmt::Write;

use crate::{
    compose::{models::BuiltModels, open_doors},
    config::{RawConfig, SecretIssuer, Variables},
};

/// Variables of the ecosystem that this build knows and does not use yet.
const NOT_USED: &[&str] = &["OTEL_EXPORTER_OTLP_ENDPOINT"];

/// The text, without a line break at its end.
pub(crate) fn banner(
    config: &RawConfig,
    own: &str,
    models: &BuiltModels,
    is_development: bool,
    has_token: bool,
    variables: &Variables,
) -> String {
    let can_sign_in = is_development || !config.issuers.is_empty();
    let [first, second, third] = open_doors(config).states(can_sign_in, has_token);
    let minted_by = match config.doors.client_secret.issuer {
        SecretIssuer::Vestibule => "",
        SecretIssuer::OpenAi => " (secrets are minted by OpenAI)",
    };
    let mut text = format!(
        "\nVestibule {} is ready: {own}\n\n",
        env!("CARGO_PKG_VERSION")
    );
    let mut line = |text_of_line: String| {
        let indent = if text_of_line.is_empty() { "" } else { "  " };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{indent}{text_of_line}");
    };
    line(format!("door 1  client secret    {first}{minted_by}"));
    line(format!("door 2  public token     {second}"));
    line(format!("door 3  custom endpoint  {third}"));
    line(format!("element {own}/chatkit.js"));
    line(format!(
        "API     {own}/v1 for servers with a key (vestibule key create)"
    ));
    line(format!("store   {}", store::describe(&config.storage.url)));
    let redis = config.storage.redis_url.as_deref();
    let is_shared = store::is_shared(&config.storage.url);
    if let Some(url) = redis.filter(|_| is_shared) {
        line(format!("nodes   {}", store::describe_redis(url)));
    }
    for summary in &models.summary {
        line(summary.clone());
    }
    let mut hints = Vec::new();
    if is_development {
        hints.push(
            "development: Ada and Grace sign in by a click; anybody on this machine can be either"
                .to_owned(),
        );
    }
    if !can_sign_in {
        hints.push(
            "no issuer: set BETTER_AUTH_URL, or add [[issuers]], so that users can sign in; or try `vestibule serve --dev`"
                .to_owned(),
        );
    }
    if config.server.public_url.is_none() && !config.server.trusted_proxies.is_empty() {
        hints.push(format!(
            "server.trusted_proxies names a proxy, and server.public_url is not set: links to files begin with {own}, where browsers behind the proxy find nothing; set server.public_url = \"https://…\""
        ));
    }
    if models.is_demo_only && config.models.is_empty() {
        hints.push("no model: set OPENAI_API_KEY, or add [[models]]".to_owned());
    }
    if matches!(store::file_of(&config.storage.url), Ok(None)) && !is_shared {
        hints.push(
            "storage.url is a database in memory: every conversation, key and token is gone when this server stops".to_owned(),
        );
    }
    if redis.is_some() && !is_shared {
        hints.push(
            "storage.redis_url (or REDIS_URL) is set, and nothing needs it: over SQLite there is one node".to_owned(),
        );
    }
    for name in NOT_USED {
        if variables.get(name).is_some() {
            hints.push(format!("{name} is set; this version does not use it"));
        }
    }
    if !hints.is_empty() {
        line(String::new());
    }
    hints.into_iter().for_each(&mut line);
    line(String::new());
    line(format!(
        "next    {}",
        next_step(own, can_sign_in, is_development)
    ));
    text
}

/// What whoever has just started the server does now.
fn next_step(own: &str, can_sign_in: bool, is_development: bool) -> String {
    if is_development {
        format!("open {own} and sign in as Ada or Grace")
    } else if can_sign_in {
        format!("open {own}: it says what is still missing before your page can use it")
    } else {
        format!(
            "open {own}: it says how people get in; or stop this, and try `vestibule serve --dev`"
        )
    }
}
