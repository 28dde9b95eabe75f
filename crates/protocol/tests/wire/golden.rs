//! Files in `tests/golden/KIND/NAME.json`: each is read as its kind and written back the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use protocol::item::ItemKind;
use protocol::{RequestKind, Widget};
use serde_json::{Value, json};

use crate::round_trip;

pub(crate) struct GoldenFile {
    /// The folder: what it is read as.
    pub(crate) kind: String,
    /// Folder and file, for messages.
    pub(crate) name: String,
    pub(crate) value: Value,
}

pub(crate) fn golden_files() -> Vec<GoldenFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files = Vec::new();
    for folder in fs::read_dir(&root).expect("the golden files") {
        let folder = folder.expect("a folder");
        let kind = folder.file_name().into_string().expect("UTF-8");
        for file in fs::read_dir(folder.path()).expect("a folder") {
            let file = file.expect("a file");
            let name = format!("{kind}/{}", file.file_name().display());
            let text = fs::read_to_string(file.path()).expect("UTF-8");
            let value = text
                .parse()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            files.push(GoldenFile {
                kind: kind.clone(),
                name,
                value,
            });
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

#[test]
fn every_golden_file_is_written_back_as_it_was() {
    let files = golden_files();
    assert!(!files.is_empty());
    for GoldenFile { kind, name, value } in files {
        let written = round_trip(&kind, &value).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(written, value, "{name}");
    }
}

/// The types of a tagged enum, as its own error message lists them: this list cannot be outdated.
fn known_types(kind: &str) -> BTreeSet<String> {
    let error = round_trip(kind, &json!({"type": "?"})).expect_err("no such type");
    let (_, list) = error
        .split_once("expected ")
        .unwrap_or_else(|| panic!("{kind}: {error}"));
    list.split('`')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .collect()
}

fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(ToOwned::to_owned).collect()
}

#[test]
fn every_type_has_a_golden_file() {
    let known = [
        (
            "request",
            names(RequestKind::ALL.iter().map(|kind| kind.as_str())),
            19,
        ),
        ("event", known_types("event"), 12),
        ("update", known_types("update"), 10),
        (
            "item",
            names(ItemKind::ALL.iter().map(|kind| kind.as_str())),
            11,
        ),
        ("task", known_types("task"), 5),
        ("source", known_types("source"), 3),
        ("attachment", known_types("attachment"), 2),
        ("widget", names(Widget::TYPES.iter().copied()), 30),
    ];
    let files = golden_files();
    for (kind, expected, count) in known {
        assert_eq!(expected.len(), count, "{kind}: {expected:?}");
        let found = names(
            files
                .iter()
                .filter(|file| file.kind == kind)
                .filter_map(|file| file.value["type"].as_str())
                .filter(|name| expected.contains(*name)),
        );
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn every_golden_widget_is_read_as_its_type() {
    for file in golden_files() {
        if file.kind != "widget" || file.name.contains("unknown") {
            continue;
        }
        let widget: Widget = serde_json::from_value(file.value).expect("a widget");
        assert!(
            !matches!(widget, Widget::Dynamic(_)),
            "{} is kept but not understood",
            file.name
        );
    }
}
