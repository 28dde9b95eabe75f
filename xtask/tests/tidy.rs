//! A rule without a check is a wish: floors, file sizes, opening comments, and documents that name
//! what exists.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Longest file without its tests, in lines.
const LONGEST_FILE: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask stands in the workspace")
        .to_owned()
}

/// The files of the checkout: what git tracks, and what it would.
fn files(pattern: &[&str]) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
        ])
        .args(pattern)
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git ls-files failed");
    let mut files: Vec<PathBuf> = String::from_utf8(output.stdout)
        .expect("paths are UTF-8")
        .lines()
        .map(PathBuf::from)
        .filter(|path| root().join(path).is_file())
        .collect();
    files.dedup();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn crates_depend_on_lower_floors_only() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let floors: BTreeMap<&str, u64> = packages
        .iter()
        .filter_map(|package| {
            Some((
                package["name"].as_str()?,
                package["metadata"]["floor"].as_u64()?,
            ))
        })
        .collect();
    assert!(
        floors.len() >= 8,
        "every product crate names its floor: {floors:?}"
    );

    let mut broken = Vec::new();
    for package in packages {
        let name = package["name"].as_str().expect("name");
        let Some(&floor) = floors.get(name) else {
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let on = dependency["name"].as_str().expect("name");
            let is_dev = dependency["kind"].as_str() == Some("dev");
            if let Some(&below) = floors.get(on)
                && !is_dev
                && below >= floor
            {
                broken.push(format!("{name} (floor {floor}) -> {on} (floor {below})"));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "a crate may depend on lower floors only: {broken:#?}"
    );
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent: Vec<_> = files(&["*.rs"])
        .into_iter()
        .filter(|path| {
            !read(path)
                .trim_start_matches("#![no_main]")
                .trim_start()
                .starts_with("//!")
        })
        .collect();
    assert!(
        silent.is_empty(),
        "these do not open with `//!`: {silent:#?}"
    );

    let silent: Vec<_> = files(&[
        "web/src/*.ts",
        "web/src/*.tsx",
        "conformance/*.mjs",
        "e2e/*.mjs",
        "examples/*.tsx",
        "examples/*.mjs",
    ])
    .into_iter()
    .filter(|path| {
        let text = read(path);
        !(text.starts_with("//") || text.starts_with("/*") || text.starts_with("#!"))
    })
    .collect();
    assert!(
        silent.is_empty(),
        "these do not open with a comment: {silent:#?}"
    );
}

#[test]
fn no_file_is_too_long_to_read() {
    let long: Vec<_> = files(&["*.rs", "*.ts", "*.tsx"])
        .into_iter()
        .filter(|path| {
            let path = path.to_string_lossy();
            !(path.contains("/tests/") || path.contains("/test/") || path.ends_with("/tests.rs"))
        })
        .filter_map(|path| {
            let text = read(&path);
            let code = text
                .split("\n#[cfg(test)]\nmod tests")
                .next()
                .unwrap_or_default();
            let lines = code.lines().count();
            (lines > LONGEST_FILE).then(|| format!("{} ({lines})", path.display()))
        })
        .collect();
    assert!(
        long.is_empty(),
        "above {LONGEST_FILE} lines without tests: {long:#?}"
    );
}

#[test]
fn architecture_names_every_crate_and_only_paths_that_exist() {
    let text = read(Path::new("ARCHITECTURE.md"));
    for manifest in files(&["crates/*/Cargo.toml"]) {
        let folder = manifest
            .parent()
            .expect("a folder")
            .to_string_lossy()
            .into_owned();
        assert!(
            text.contains(&format!("`{folder}")),
            "ARCHITECTURE.md does not name {folder}"
        );
    }
    let missing: Vec<&str> = text
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| {
            word.contains('/')
                && !word.contains(['{', '*', ' ', '<', ':', '…', '('])
                && !word.starts_with(['/', '@'])
        })
        .filter(|word| !root().join(word).exists())
        .collect();
    assert!(
        missing.is_empty(),
        "ARCHITECTURE.md names paths that do not exist: {missing:#?}"
    );
}

#[test]
fn lock_files_carry_no_download_addresses() {
    for lock in files(&["*package-lock.json"]) {
        assert!(
            !read(&lock).contains("\"resolved\": \"http"),
            "{} carries download addresses: npm install --omit-lockfile-registry-resolved",
            lock.display()
        );
    }
}

#[test]
fn every_stub_is_finished() {
    // Spelled apart, so that this file does not find itself.
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("FIX", "ME"),
        concat!("#[ig", "nore]"),
    ];
    let unfinished: Vec<_> = files(&["*.rs", "*.ts", "*.tsx"])
        .into_iter()
        .filter(|path| {
            let text = read(path);
            words.iter().any(|word| text.contains(word))
        })
        .collect();
    assert!(unfinished.is_empty(), "unfinished: {unfinished:#?}");
}
