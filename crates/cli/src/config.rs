//! Reading the configuration: the file, then the environment, then flags.
//!
//! The environment comes in as [`Variables`], so that tests need none.

mod preset;
mod raw;
mod secret;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use auth::Origin;
use serde_json::Value;
use store::FilesPlace;
use url::Url;

pub(crate) use crate::config::raw::{
    Durability, EnvironmentName, IssuerPreset, LogFormat, ModelKind, OnDisconnect, RawAction,
    RawAgent, RawAgentProtocol, RawApprove, RawApproveWord, RawBuiltinTool, RawBusy, RawClaim,
    RawClientAuthMethod, RawClientSecret, RawClientTool, RawCondition, RawConfig, RawHeader,
    RawIssuer, RawLimits, RawLog, RawMaxTokens, RawMcpIdentity, RawMcpServer, RawMetrics, RawModel,
    RawModelChoices, RawPassthrough, RawPdf, RawPublicToken, RawRule, RawRuns, RawSystemRole,
    RawTitles, RawTokenUse, RawUploads, RawWorkflow, SecretIssuer, TokenType,
};
pub(crate) use crate::config::secret::{check_bearer, check_header, secret, secret_of_file};

/// The configuration file's name in the working directory.
const DEFAULT_FILE: &str = "vestibule.toml";
/// The manual: every key with its default and its meaning.
pub(crate) const DEFAULT_TEXT: &str = include_str!("config.default.toml");

/// Variables that are read wherever they are set, beside those that begin with `VESTIBULE_` or `AWS_`.
const WELL_KNOWN: &[&str] = &[
    "ALL_PROXY",
    "BETTER_AUTH_URL",
    "DATABASE_URL",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NEXT_PUBLIC_API_URL",
    "NEXT_PUBLIC_CHATKIT_DOMAIN_KEY",
    "NEXT_PUBLIC_OPENAI_CHATKIT_TOKEN",
    "NO_PROXY",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "REDIS_URL",
    "RUST_LOG",
];

/// The environment variables of the process, read once in `main`. Without what is left of a line behind a value: a shell's
/// `$(cat …)` takes that away, and other ways to set a variable do not.
#[derive(Clone, Default)]
pub(crate) struct Variables {
    texts: BTreeMap<String, String>,
    unreadable: BTreeSet<String>,
}

impl Variables {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        let (mut texts, mut unreadable) = (Vec::new(), BTreeSet::new());
        for (name, value) in std::env::vars_os() {
            // No name that means anything here is not Unicode.
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => texts.push((name, value)),
                Err(_) => drop(unreadable.insert(name)),
            }
        }
        Self {
            unreadable,
            ..texts.into_iter().collect()
        }
    }

    /// A variable's value; an empty one counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.texts
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The variables whose names begin like this, and that are set.
    pub(crate) fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
    }

    /// Whether a variable is set, and to what is no UTF-8.
    pub(crate) fn is_unreadable(&self, name: &str) -> bool {
        self.unreadable.contains(name)
    }

    /// Refuses what would count as not set, and was meant to say something.
    fn check_readable(&self) -> anyhow::Result<()> {
        let is_read = |name: &&String| {
            WELL_KNOWN.contains(&name.as_str())
                || ["VESTIBULE_", "AWS_"]
                    .iter()
                    .any(|prefix| name.starts_with(prefix))
        };
        match self.unreadable.iter().find(is_read) {
            Some(name) => bail!("the variable {name} is not UTF-8 text; set it again, or unset it"),
            None => Ok(()),
        }
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        let whole = variables.into_iter();
        Self {
            texts: whole
                .map(|(name, value)| (name, secret::trimmed(&value).to_owned()))
                .collect(),
            unreadable: BTreeSet::new(),
        }
    }
}

/// What flags say about the configuration; they win over everything else.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// `--config FILE`
    pub(crate) file: Option<PathBuf>,
    /// `--listen ADDRESS:PORT`
    pub(crate) listen: Option<String>,
    /// `--dev`
    pub(crate) dev: bool,
}

/// Reads the file (when there is one), the environment and the flags into one configuration.
pub(crate) fn load(variables: &Variables, overrides: &Overrides) -> anyhow::Result<RawConfig> {
    variables.check_readable()?;
    let file = find_file(variables, overrides);
    let mut config = match &file {
        Some(path) => read_file(path)?,
        None => RawConfig::default(),
    };
    config.dev.enabled |= overrides.dev;
    apply_variables(&mut config, variables);
    if let Some(listen) = &overrides.listen {
        config.server.listen.clone_from(listen);
    }
    refuse_home(&mut config)?;
    if let Some(folder) = file.as_deref().and_then(Path::parent) {
        resolve(&mut config, folder);
    }
    Ok(config)
}

/// `~` is a shell's word for a home folder. Here it would be a folder of that name.
fn refuse_home(config: &mut RawConfig) -> anyhow::Result<()> {
    let database = store::file_of(&config.storage.url).ok().flatten();
    let paths = paths(config).map(|path| path.clone());
    for path in paths.chain(database) {
        ensure!(
            !path.starts_with("~"),
            "`~` in the path {} would be a folder of that name: write the whole path of the home folder",
            path.display()
        );
    }
    Ok(())
}

/// Relative paths are below the configuration file's folder, so that every command means the same files wherever it
/// is started. Without a file they are below the working folder.
fn resolve(config: &mut RawConfig, folder: &Path) {
    // `./vestibule.toml` is in the working folder, which needs no name.
    if folder.as_os_str().is_empty() || folder == Path::new(".") {
        return;
    }
    // Without `./` in the middle: people read these paths in messages.
    let join = |path: &Path| folder.join(path).components().collect::<PathBuf>();
    for path in paths(config) {
        *path = join(path);
    }
    for command in config
        .mcp_servers
        .iter_mut()
        .filter_map(|server| server.command.as_mut())
    {
        // A name alone is looked for in PATH.
        let path = Path::new(command.as_str());
        if path.components().nth(1).is_some()
            && let Some(path) = join(path).to_str()
        {
            path.clone_into(command);
        }
    }
    if let Ok(Some(path)) = store::file_of(&config.storage.url)
        && let Some(path) = join(&path).to_str()
    {
        config.storage.url = format!("sqlite://{path}");
    }
}

/// Every path of the configuration.
pub(crate) fn paths(config: &mut RawConfig) -> impl Iterator<Item = &mut PathBuf> {
    let files = match &mut config.storage.files {
        FilesPlace::Folder(folder) => Some(folder),
        FilesPlace::Bucket(_) => None,
    };
    let always = [&mut config.server.usual_key_file].into_iter().chain(files);
    let issuers = config.issuers.iter_mut().flat_map(|issuer| {
        [
            &mut issuer.hmac_secret_file,
            &mut issuer.introspection_client_secret_file,
            &mut issuer.exchange_client_secret_file,
        ]
    });
    let (keys, headers): (Vec<_>, Vec<_>) = config
        .models
        .iter_mut()
        .map(|model| (&mut model.api_key_file, &mut model.headers))
        .unzip();
    let mut servers = Vec::new();
    let mut secrets: Vec<_> = headers.into_iter().collect();
    for server in &mut config.mcp_servers {
        servers.extend([&mut server.api_key_file, &mut server.cwd]);
        secrets.push(&mut server.env);
    }
    let headers = secrets.into_iter().flat_map(|headers| headers.values_mut());
    let headers = headers.filter_map(|header| match header {
        RawHeader::File(header) => Some(&mut header.file),
        RawHeader::Text(_) | RawHeader::Env(_) => None,
    });
    let others = [
        &mut config.server.signing_key_file,
        &mut config.doors.client_secret.openai_api_key_file,
        &mut config.metrics.token_file,
        &mut config.outgoing.ca_file,
    ];
    let optional = issuers.chain(keys).chain(servers).chain(others).flatten();
    let (widgets, secrets): (Vec<_>, Vec<_>) = config
        .workflows
        .iter_mut()
        .map(|workflow| (&mut workflow.widgets, &mut workflow.agent))
        .unzip();
    let widgets = widgets.into_iter().flat_map(|widgets| widgets.values_mut());
    let secrets = secrets
        .into_iter()
        .flatten()
        .filter_map(|agent| agent.secret_file.as_mut());
    always
        .chain(optional)
        .chain(headers)
        .chain(widgets)
        .chain(secrets)
}

/// The configuration file that is read: the one that is named, else the usual one, if it is there.
pub(crate) fn find_file(variables: &Variables, overrides: &Overrides) -> Option<PathBuf> {
    overrides
        .file
        .clone()
        .or_else(|| variables.get("VESTIBULE_CONFIG").map(PathBuf::from))
        .or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()))
}

fn read_file(path: &Path) -> anyhow::Result<RawConfig> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("failed to read the configuration {}", path.display()))?;
    parse(&text).with_context(|| format!("failed to understand {}", path.display()))
}

/// Reads the text of a configuration file; an unknown key is an error that names the nearest one.
pub(crate) fn parse(text: &str) -> anyhow::Result<RawConfig> {
    let mut config = toml::from_str(text).map_err(|error| {
        let hint = suggestion(error.message());
        let error = anyhow::Error::from(error);
        match hint {
            Some(known) => error.context(format!("did you mean `{known}`?")),
            None => error,
        }
    })?;
    check_sizes(&config)?;
    preset::apply(&mut config, text)?;
    Ok(config)
}

/// Ten years: longer than anything lasts here, and little enough that clocks can count to it from any day.
const MOST_SECONDS: u64 = 10 * 366 * 86_400;
/// A pebibyte: more than fits anywhere, and little enough that a few of them can be added.
const MOST_BYTES: u64 = 1 << 50;

/// Refuses numbers that nothing can be reckoned with, by the unit that a key's name ends with.
fn check_sizes(config: &RawConfig) -> anyhow::Result<()> {
    look_at_sizes("", &serde_json::to_value(config)?)
}

fn look_at_sizes(place: &str, value: &Value) -> anyhow::Result<()> {
    match value {
        Value::Object(table) => table.iter().try_for_each(|(key, value)| {
            let dot = if place.is_empty() { "" } else { "." };
            look_at_sizes(&format!("{place}{dot}{key}"), value)
        }),
        Value::Array(list) => list
            .iter()
            .try_for_each(|value| look_at_sizes(place, value)),
        Value::Number(number) => {
            let unit = place.rsplit(['.', '_']).next().unwrap_or_default();
            let (most, words) = match unit {
                "seconds" => (MOST_SECONDS, "ten years, in seconds"),
                "bytes" => (MOST_BYTES, "a pebibyte, in bytes"),
                _ => return Ok(()),
            };
            ensure!(
                number.as_u64().is_none_or(|number| number <= most),
                "{place} is {number}; it must be at most {most} ({words})"
            );
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// The known key nearest to the unknown one. serde names both in its message: ``unknown field
/// `listn`, expected one of `listen`, `public_url` ``.
fn suggestion(message: &str) -> Option<String> {
    let mut quoted = message
        .strip_prefix("unknown field ")
        .or_else(|| message.strip_prefix("unknown variant "))?
        .split('`')
        .skip(1)
        .step_by(2);
    let unknown = quoted.next()?;
    quoted
        .map(|known| (strsim::damerau_levenshtein(unknown, known), known))
        .min()
        .filter(|(distance, _)| *distance <= 2 + unknown.len() / 4)
        .map(|(_, known)| known.to_owned())
}

fn apply_variables(config: &mut RawConfig, variables: &Variables) {
    let set = |target: &mut String, name: &str| {
        if let Some(value) = variables.get(name) {
            value.clone_into(target);
        }
    };
    let set_optional = |target: &mut Option<String>, names: &[&str]| {
        if let Some(value) = names.iter().find_map(|name| variables.get(name)) {
            *target = Some(value.to_owned());
        }
    };
    set(&mut config.server.listen, "VESTIBULE_LISTEN");
    set(&mut config.storage.url, "DATABASE_URL");
    set(&mut config.log.filter, "RUST_LOG");
    set_optional(&mut config.storage.redis_url, &["REDIS_URL"]);
    set_optional(
        &mut config.server.public_url,
        &["VESTIBULE_PUBLIC_URL", "NEXT_PUBLIC_API_URL"],
    );
    set_optional(
        &mut config.pages.public_token,
        &["NEXT_PUBLIC_OPENAI_CHATKIT_TOKEN"],
    );
    set_optional(
        &mut config.pages.domain_key,
        &["NEXT_PUBLIC_CHATKIT_DOMAIN_KEY"],
    );
    if let Some(url) = variables.get("BETTER_AUTH_URL")
        && config.issuers.is_empty()
    {
        config.issuers.push(RawIssuer {
            preset: Some(IssuerPreset::BetterAuth),
            url: Some(url.to_owned()),
            // A login server on this machine has pages on this machine, which are allowed in test.
            environment: if config.dev.enabled || is_local(url) {
                EnvironmentName::Test
            } else {
                EnvironmentName::Live
            },
            ..RawIssuer::default()
        });
    }
}

fn is_local(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        Origin::parse(&url.origin().ascii_serialization()).is_ok_and(|origin| origin.is_local())
    })
}
