//! The official Python types as the judge.
//!
//! `VESTIBULE_CHATKIT_PYTHON` is the path of a Python interpreter with the package `openai-chatkit`;
//! `make test` sets it up. Without it these tests say so and pass.

use std::io::Write as _;
use std::process::{Command, Stdio};

use protocol::Widget;
use serde_json::{Value, json};

use crate::golden::{GoldenFile, golden_files};
use crate::{round_trip, same};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/oracle.py");

/// Lets the script answer; `None` without an interpreter.
fn ask(command: &str, cases: &[Value]) -> Option<Vec<Value>> {
    #[expect(
        clippy::disallowed_methods,
        reason = "where the oracle lives differs by machine"
    )]
    let Ok(python) = std::env::var("VESTIBULE_CHATKIT_PYTHON") else {
        eprintln!("SKIPPED: set VESTIBULE_CHATKIT_PYTHON to a Python with openai-chatkit");
        return None;
    };
    let mut child = Command::new(&python)
        .args([SCRIPT, command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {python}: {error}"));
    let mut input = child.stdin.take().expect("piped");
    let lines: Vec<String> = cases.iter().map(ToString::to_string).collect();
    // From a thread of its own: the script answers before it has read everything.
    let writer = std::thread::spawn(move || input.write_all(lines.join("\n").as_bytes()));
    let output = child.wait_with_output().expect("an answer");
    assert!(output.status.success(), "the oracle failed; see above");
    writer
        .join()
        .expect("no panic")
        .expect("the oracle reads to the end");
    let answers = String::from_utf8(output.stdout).expect("UTF-8");
    Some(
        answers
            .lines()
            .map(|line| line.parse().expect("JSON"))
            .collect(),
    )
}

#[test]
fn everything_the_sdk_can_write_is_read_and_written_back_identically() {
    let Some(cases) = ask("generate", &[]) else {
        return;
    };
    assert!(cases.len() > 2000, "only {} cases", cases.len());
    let mut faults = Vec::new();
    for case in &cases {
        let kind = case["kind"].as_str().expect("a kind");
        match round_trip(kind, &case["value"]) {
            Ok(written) if written == case["value"] => {}
            Ok(written) => faults.push(format!("{case} became {written}")),
            Err(error) => faults.push(format!("{case} was refused: {error}")),
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        first(&faults)
    );
}

#[test]
fn every_widget_the_sdk_knows_is_a_type_here() {
    let Some(cases) = ask("generate", &[]) else {
        return;
    };
    let dynamic: Vec<String> = cases
        .iter()
        .filter(|case| case["kind"] == "widget" || case["kind"] == "root")
        .filter(|case| {
            !case["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("Dynamic"))
        })
        .filter(|case| {
            let widget = serde_json::from_value(case["value"].clone()).expect("a widget");
            matches!(widget, Widget::Dynamic(_))
        })
        .map(ToString::to_string)
        .collect();
    assert!(
        dynamic.is_empty(),
        "{} faults:\n{}",
        dynamic.len(),
        first(&dynamic)
    );
}

/// The hosted API's items are not the package's; OpenAI's own SDK reads those (`conformance`). Nor are our extensions.
fn files_of_the_sdk() -> impl Iterator<Item = GoldenFile> {
    let is_extension = |file: &GoldenFile| {
        let name = file.value["type"].as_str();
        file.kind == "request"
            && matches!(
                name,
                Some("threads.resume" | "threads.cancel" | "threads.search")
            )
    };
    golden_files()
        .into_iter()
        .filter(move |file| file.kind != "hosted_item" && !is_extension(file))
}

#[test]
fn the_sdk_reads_what_we_write() {
    let cases: Vec<Value> = files_of_the_sdk()
        .map(|file| {
            let value = round_trip(&file.kind, &file.value).expect("readable");
            json!({"kind": file.kind, "name": file.name, "value": value})
        })
        .collect();
    let Some(answers) = ask("check", &cases) else {
        return;
    };
    assert_eq!(answers.len(), cases.len());
    let faults: Vec<String> = cases
        .iter()
        .zip(&answers)
        .filter(|(case, answer)| !same(&case["value"], &answer["value"]))
        .map(|(case, answer)| format!("wrote {case}\n  read {answer}"))
        .collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        first(&faults)
    );
}

/// Every value that is made from this one by leaving out one field, or by making it null.
fn with_one_field_less(value: &Value) -> Vec<Value> {
    let mut made = Vec::new();
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                // The SDK takes some objects without their type for what they look like; we do not.
                if key != "type" {
                    let mut without = fields.clone();
                    without.remove(key);
                    made.push(Value::Object(without));
                }
                let nested = with_one_field_less(inner);
                made.extend(std::iter::once(Value::Null).chain(nested).map(|inner| {
                    let mut changed = fields.clone();
                    changed.insert(key.clone(), inner);
                    Value::Object(changed)
                }));
            }
        }
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                made.extend(with_one_field_less(entry).into_iter().map(|entry| {
                    let mut changed = entries.clone();
                    changed[index] = entry;
                    Value::Array(changed)
                }));
            }
        }
        _ => {}
    }
    made
}

#[test]
fn what_may_be_absent_or_null_is_what_the_sdk_says() {
    let cases: Vec<Value> = files_of_the_sdk()
        .filter(|file| !matches!(file.kind.as_str(), "widget" | "root"))
        .flat_map(|file| {
            with_one_field_less(&file.value)
                .into_iter()
                .map(move |value| json!({"kind": file.kind, "name": file.name, "value": value}))
        })
        .collect();
    let Some(answers) = ask("check", &cases) else {
        return;
    };
    assert!(cases.len() > 1000, "only {} cases", cases.len());
    assert_eq!(answers.len(), cases.len());
    let mut faults = Vec::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let ours = round_trip(case["kind"].as_str().expect("a kind"), &case["value"]);
        match (&ours, answer.get("value")) {
            // The SDK leaves out a null that a field of any shape holds; we keep it.
            (Ok(ours), Some(theirs)) if same(&without_nulls(ours), &without_nulls(theirs)) => {}
            (Err(_), None) => {}
            _ => faults.push(format!("{case}\n  we {ours:?}\n  they {answer}")),
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        first(&faults)
    );
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, inner)| !inner.is_null())
            .map(|(key, inner)| (key.clone(), without_nulls(inner)))
            .collect(),
        Value::Array(entries) => entries.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

fn first(faults: &[String]) -> String {
    faults
        .iter()
        .take(5)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n")
}
