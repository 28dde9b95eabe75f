//! Secrets from the environment and from files, as editors, shells and env files leave them there.

use std::{fs, path::Path};

use anyhow::{Context, bail, ensure};
use auth::pasted;
use secrecy::{ExposeSecret, SecretString};

use crate::config::Variables;

/// Reads a secret from the variable or the file that a key names; neither is no secret.
pub(crate) fn secret(
    key: &str,
    variables: &Variables,
    variable: Option<&str>,
    file: Option<&Path>,
) -> anyhow::Result<Option<SecretString>> {
    let (named, secret) = match (variable, file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => bail!("set `{key}_env` or `{key}_file`, not both"),
        (Some(name), None) => {
            let named = format!("`{key}_env` names the variable {name}, which");
            ensure!(!variables.is_unreadable(name), "{named} is not UTF-8 text");
            let value = variables.get(name);
            let value = value.with_context(|| format!("{named} is not set"))?;
            (named, value.into())
        }
        (None, Some(path)) => {
            let text = secret_of_file(path)
                .with_context(|| format!("failed to read `{key}_file` ({})", path.display()))?;
            (
                format!("what `{key}_file` names ({})", path.display()),
                text,
            )
        }
    };
    // The other things that come along may well be part of a secret that is no key of an API.
    if let Some(wrapping) = quotes(&secret) {
        bail!("{named} {wrapping}");
    }
    Ok(Some(secret))
}

/// A secret that is alone in a file: without the mark that some editors put in front, and the end of its line.
pub(crate) fn secret_of_file(path: &Path) -> std::io::Result<SecretString> {
    let text = fs::read_to_string(path)?;
    Ok(trimmed(text.strip_prefix('\u{feff}').unwrap_or(&text)).into())
}

/// Without what is left of a line behind a text.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n', ' ', '\t'])
}

/// Says what keeps a key from being taken behind `Authorization: Bearer`, without repeating any of it.
pub(crate) fn check_bearer(key: &SecretString) -> anyhow::Result<()> {
    let text = key.expose_secret();
    if let Some(wrapping) = pasted::wrapping(text) {
        bail!("the API key {wrapping}");
    }
    check_header(key)?;
    ensure!(
        !text.contains(' '),
        "the API key has a space in it: copy it again, whole and without what stands around it"
    );
    Ok(())
}

/// The same for a key in a header of its own, which may be several words.
pub(crate) fn check_header(key: &SecretString) -> anyhow::Result<()> {
    let is_printable = |byte: u8| matches!(byte, b' '..=b'~');
    ensure!(
        key.expose_secret().bytes().all(is_printable),
        "the API key has a character in it that no key has (the end of a line, or one that is not ASCII, perhaps invisible): copy \
         it again"
    );
    Ok(())
}

fn quotes(secret: &SecretString) -> Option<&'static str> {
    let text = secret.expose_secret();
    pasted::wrapping(text).filter(|_| text.starts_with(['"', '\'']))
}
