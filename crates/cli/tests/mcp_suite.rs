//! The official suite for MCP clients (`@modelcontextprotocol/conformance`), with `vestibule mcp check` as the client.
//! Every scenario that it has for clients is passed, or belongs to a group that stands here with the reason why not.
//! Where a scenario asks the person, the defaults of what it asks are the answer, as the suite expects of a client alone.
#![cfg(test)]

use std::{collections::BTreeSet, path::PathBuf, process::Command};

use testkit::services::mcp_folder;

/// Scenarios that are passed, with the revisions of MCP for which they are run.
const PASSED: [(&str, &[&str]); 11] = [
    ("initialize", &["2025-11-25"]),
    ("tools_call", &["2025-11-25", "2026-07-28"]),
    ("sse-retry", &["2025-11-25"]),
    ("elicitation-sep1034-client-defaults", &["2025-11-25"]),
    ("sep-2322-client-request-state", &["2026-07-28"]),
    ("http-custom-headers", &["2026-07-28"]),
    ("http-invalid-tool-headers", &["2026-07-28"]),
    ("json-schema-ref-no-deref", &["2026-07-28"]),
    ("request-metadata", &["2026-07-28"]),
    ("http-standard-headers", &["2026-07-28"]),
    ("json-schema-2020-12-preservation", &["2025-11-25"]),
];

/// Not run: a server's own OAuth is not spoken; who the user is, a server is told as the configuration says
/// (docs/decisions/0021).
const AUTHORIZATION: &str = "auth/";
/// Not run: an extension, skills as files, which are not asked for.
const SKILLS: &str = "sep-2640-";

fn suite() -> (PathBuf, Command) {
    let folder = mcp_folder().unwrap();
    let mut command = Command::new("node");
    command
        .arg("--import")
        .arg(folder.join("node20.mjs"))
        .arg(folder.join("node_modules/@modelcontextprotocol/conformance/dist/index.js"))
        .env("VESTIBULE", env!("CARGO_BIN_EXE_vestibule"));
    (folder, command)
}

/// Runs one scenario: how many of its checks failed, and all that was said.
fn run(scenario: &str, revision: &str) -> (usize, String) {
    let (folder, mut command) = suite();
    let results = tempfile::tempdir().unwrap();
    let client = format!("node {}", folder.join("client.mjs").display());
    let output = command
        .args(["client", "--scenario", scenario, "--spec-version", revision])
        .args(["--command", &client, "--output-dir"])
        .arg(results.path())
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // "Passed: 1/2, 1 failed, 0 warnings"
    let failed = said.lines().find_map(|line| {
        let (_, rest) = line.strip_prefix("Passed: ")?.split_once(", ")?;
        rest.split_once(" failed")?.0.parse().ok()
    });
    let failed = failed.unwrap_or_else(|| panic!("{scenario}, {revision}: {said}"));
    (failed, said)
}

#[test]
fn every_scenario_for_clients_is_known() {
    let (_, mut command) = suite();
    let output = command.arg("list").output().unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    let (_, clients) = list.split_once("Client scenarios").unwrap();
    let clients = clients.split("\n\n").next().unwrap();
    let there: BTreeSet<&str> = clients
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ")?.split(' ').next())
        .filter(|name| !name.starts_with(AUTHORIZATION) && !name.starts_with(SKILLS))
        .collect();
    let known = PASSED.iter().map(|(name, _)| *name);
    assert_eq!(there, known.collect());
}

#[test]
fn what_is_said_to_be_passed_is() {
    for (scenario, revisions) in PASSED {
        for revision in revisions {
            let (failed, said) = run(scenario, revision);
            assert_eq!(failed, 0, "{scenario}, {revision}: {said}");
        }
    }
}
