//! The wire, from outside: what is read is written back the same.
//!
//! - `golden`: files in `tests/golden/`, one for each shape;
//! - `hosted`: the items of the hosted API, from and to those of a thread;
//! - `oracle`: the official Python types, when there is an interpreter that has them;
//! - `properties`: any valid request, and any bytes at all.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests may fail, and say aloud what they skip"
)]

mod golden;
mod hosted;
mod oracle;
mod properties;

use protocol::item::ThreadItem;
use protocol::request::{SyncCustomActionResponse, TranscriptionResult};
use protocol::source::Source;
use protocol::task::{Task, Workflow};
use protocol::{Attachment, Envelope, Event, ItemUpdate, Limits, Thread, Widget, WidgetRoot};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a value as one of the protocol's types and writes it back.
fn round_trip(kind: &str, value: &Value) -> Result<Value, String> {
    fn through<T: DeserializeOwned + Serialize>(value: &Value) -> Result<Value, String> {
        // By way of text, as on the wire; and twice, because what we write we must read.
        let read = |text: &str| serde_json::from_str::<T>(text).map_err(|error| error.to_string());
        let written = serde_json::to_string(&read(&value.to_string())?).expect("writable");
        let again = serde_json::to_value(read(&written)?).expect("writable");
        assert_eq!(
            again.to_string(),
            written.parse::<Value>().expect("json").to_string()
        );
        Ok(again)
    }

    match kind {
        "request" => Envelope::parse(value.to_string().as_bytes(), &Limits::default())
            .map(|envelope| serde_json::to_value(envelope).expect("writable"))
            .map_err(|error| error.to_string()),
        "event" => through::<Event>(value),
        "update" => through::<ItemUpdate>(value),
        "item" => through::<ThreadItem>(value),
        "hosted_item" => through::<protocol::hosted::ThreadItem>(value),
        "thread" => through::<Thread>(value),
        "task" => through::<Task>(value),
        "workflow" => through::<Workflow>(value),
        "source" => through::<Source>(value),
        "attachment" => through::<Attachment>(value),
        "widget" => through::<Widget>(value),
        "root" => through::<WidgetRoot>(value),
        "transcription" => through::<TranscriptionResult>(value),
        "sync_action" => through::<SyncCustomActionResponse>(value),
        unknown => panic!("no such kind: {unknown}"),
    }
}

/// Whether two values say the same: 4 and 4.0 do.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}
