//! The signing key: where it comes from, and whether it can be used.

use std::{fs, path::Path};

use auth::signing_key::KeptSeed;

use crate::{
    commands::{findings::Findings, workplace::Workplace},
    compose::signing::{self, Place},
};

const NAME: &str = "signing key";
const WHY: &str =
    "the server does not start; addresses of files and tokens for MCP servers are signed with it";

/// Looks at a key that is not in the database.
pub(super) fn look(findings: &mut Findings, workplace: &Workplace<'_>) {
    match signing::place(&workplace.config) {
        Place::Variable(name) => match signing::read(&workplace.config, workplace.variables) {
            Ok(_) => findings.good(NAME, format!("{name} holds one")),
            Err(error) => findings.wrong(
                NAME,
                format!("{error:#}"),
                WHY,
                "set the variable, to the same value at every node, or remove server.signing_key_env",
            ),
        },
        Place::File {
            path,
            is_from_before,
        } => look_at_file(findings, path, is_from_before),
        Place::Database => {}
    }
}

fn look_at_file(findings: &mut Findings, path: &Path, is_from_before: bool) {
    let is_empty = fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0);
    match signing::read_file(path) {
        Ok(Some(_)) if is_from_before => findings.good(NAME, signing::how_to_move(path)),
        Ok(Some(_)) => findings.good(NAME, format!("{} can be read", path.display())),
        Ok(None) => findings.good(
            NAME,
            format!("{} is made at the first start", path.display()),
        ),
        Err(error) => findings.wrong(
            NAME,
            if is_empty {
                format!("{} is empty", path.display())
            } else {
                format!("{error:#}")
            },
            WHY,
            "see that this user may read it, or put it back from a copy of yours (`vestibule backup` leaves it out); if it is \
             lost, remove it: a new one is made at the next start, and the file addresses handed out so far stop working",
        ),
    }
}

/// Looks at keys in the database, where they are there.
pub(super) async fn look_in_database(findings: &mut Findings, workplace: &Workplace<'_>) {
    if signing::place(&workplace.config) != Place::Database {
        return;
    }
    let read = async {
        let database = workplace.database().await?;
        let keys = signing::kept(&workplace.config, workplace.variables, &database)?;
        anyhow::Ok(keys.read().await?)
    };
    match read.await {
        Ok(None) => findings.good(NAME, "the first start makes it in the database"),
        Ok(Some(known)) => {
            let kept = &known.kept().keys;
            let is_in_clear = kept
                .iter()
                .any(|key| matches!(key.seed, KeptSeed::Clear(_)));
            let has_secret = workplace.config.server.signing_key_secret_env.is_some();
            findings.good(
                NAME,
                format!(
                    "in the database, {}; keys: {}",
                    match (is_in_clear, has_secret) {
                        (false, _) => "encrypted",
                        (true, true) => "in clear until a server starts with the secret",
                        (true, false) =>
                            "in clear: server.signing_key_secret_env encrypts it, where whoever reads the database or its \
                             backups is not to sign",
                    },
                    kept.len()
                ),
            );
        }
        Err(error) => findings.wrong(
            NAME,
            format!("{error:#}"),
            WHY,
            "do as it says; `vestibule signing-key list` names the keys",
        ),
    }
}
