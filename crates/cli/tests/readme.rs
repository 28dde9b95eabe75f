//! What the README tells people to write into `vestibule.toml` is what this binary reads.
#![cfg(test)]

use std::{fs, path::Path, process::Command};

/// Whether `vestibule config check` is content with a file; what it said otherwise.
fn check(configuration: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("vestibule.toml"), configuration).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["config", "check"])
        .current_dir(folder.path())
        .env_clear()
        .env("AGENT_SECRET", "a secret that is shared")
        .env("OPENAI_API_KEY", "sk-not-a-key")
        .env("SUPABASE_JWT_SECRET", "0123456789abcdef0123456789abcdef")
        .output()
        .unwrap();
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(String::from_utf8_lossy(&said).into_owned())
}

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_login_of_the_table_loads() {
    let readme = readme();
    let rows: Vec<&str> = readme
        .lines()
        .filter(|line| {
            line.starts_with("| ") && (line.contains("`preset = ") || line.contains("`issuer = "))
        })
        .collect();
    assert!(rows.len() >= 10, "{rows:?}");
    for row in rows {
        let lines = row.rsplit('|').nth(1).unwrap();
        // What stands between every other pair of backticks.
        let lines: Vec<&str> = lines.split('`').skip(1).step_by(2).collect();
        let configuration = format!("[[issuers]]\n{}\n", lines.join("\n"));
        assert_eq!(check(&configuration), Ok(()), "{configuration}");
    }
}

#[test]
fn every_block_of_configuration_loads() {
    let readme = readme();
    let blocks: Vec<&str> = readme
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert!(blocks.len() >= 2, "{blocks:?}");
    for block in blocks {
        // The workflow that the rules speak of is the reader's own.
        let own = if block.contains("wf_staff") && !block.contains("id = \"wf_staff\"") {
            "[[workflows]]\nid = \"wf_staff\"\n\n"
        } else {
            ""
        };
        let configuration = format!("{own}{block}");
        assert_eq!(check(&configuration), Ok(()), "{configuration}");
    }
}
