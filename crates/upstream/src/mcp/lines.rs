//! What a program says, line by line: a message that is too long is replaced by an error that answers the same
//! question, so that nobody waits for it until the time-out, and one that is not as it should be is mended.

use rmcp::model::RequestId;

use super::message::{self, Question};

/// The question's number is looked for in so many bytes at either end of a line.
const END_BYTES: usize = 256;

/// Passes lines on as they come in pieces.
pub(super) struct Lines {
    most: usize,
    line: Vec<u8>,
    /// The end of a line that is too long, once its beginning has been let go.
    end: Option<Vec<u8>>,
    /// Whether the handshake's answer, which is the first result of all, is still to come.
    is_handshake: bool,
    /// What was said until then that is no message.
    beside: Vec<Vec<u8>>,
}

impl Lines {
    /// Lets lines of at most this many bytes pass.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            end: None,
            is_handshake: true,
            beside: Vec::new(),
        }
    }

    /// What was said beside messages before the handshake's answer, since this was asked last.
    pub(super) fn beside(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.beside)
    }

    /// Takes the next piece, and gives what is whole by now.
    pub(super) fn pass(&mut self, mut piece: &[u8]) -> Vec<u8> {
        let mut passed = Vec::new();
        while let Some(length) = memchr::memchr(b'\n', piece) {
            let (before, after) = piece.split_at(length);
            self.take(before);
            piece = after.get(1..).unwrap_or_default();
            let line = std::mem::take(&mut self.line);
            match self.end.take() {
                None => {
                    let question = Question {
                        is_handshake: self.is_handshake,
                        ..Question::default()
                    };
                    let messages = message::rewritten(&line, &question).messages;
                    for message in &messages {
                        self.is_handshake = self.is_handshake && !message::is_result(message);
                        passed.extend_from_slice(message);
                        passed.push(b'\n');
                    }
                    if messages.is_empty() {
                        passed.extend_from_slice(&line);
                        passed.push(b'\n');
                        if self.is_handshake {
                            self.beside.push(line);
                        }
                    }
                }
                Some(end) => {
                    if let Some(number) = number(&line, &end) {
                        let error = message::too_large(&RequestId::Number(number)) + "\n";
                        passed.extend_from_slice(error.as_bytes());
                    }
                }
            }
        }
        self.take(piece);
        passed
    }

    fn take(&mut self, piece: &[u8]) {
        if self.end.is_none() && self.line.len() + piece.len() <= self.most {
            self.line.extend_from_slice(piece);
            return;
        }
        let mut end = self.end.take().unwrap_or_else(|| {
            let end = last(&self.line).to_vec();
            self.line.truncate(END_BYTES);
            self.line.shrink_to_fit();
            if self.line.len() < END_BYTES {
                let room = END_BYTES - self.line.len();
                self.line
                    .extend_from_slice(piece.get(..room).unwrap_or(piece));
            }
            end
        });
        end.extend_from_slice(last(piece));
        let over = end.len().saturating_sub(END_BYTES);
        end.drain(..over);
        self.end = Some(end);
    }
}

fn last(bytes: &[u8]) -> &[u8] {
    bytes
        .get(bytes.len().saturating_sub(END_BYTES)..)
        .unwrap_or(bytes)
}

/// The number of the question that a long answer belongs to. It stands in front of the result, or behind it; what the
/// result itself calls `id` is in its middle.
fn number(start: &[u8], end: &[u8]) -> Option<i64> {
    let start = without_spaces(start);
    let end = without_spaces(end);
    let front = ["{\"jsonrpc\":\"2.0\",\"id\":", "{\"id\":"];
    let front = front.iter().find_map(|prefix| start.strip_prefix(prefix));
    if let Some(rest) = front {
        let (number, _) = rest.split_once(',')?;
        return number.parse().ok();
    }
    let end = end.strip_suffix('}')?;
    let end = end.strip_suffix(",\"jsonrpc\":\"2.0\"").unwrap_or(end);
    let (_, number) = end.rsplit_once(",\"id\":")?;
    number.parse().ok()
}

fn without_spaces(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    text.retain(|character| !character.is_ascii_whitespace());
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn passed(most: usize, text: &str, size: usize) -> String {
        let mut lines = Lines::new(most);
        let pieces = text.as_bytes().chunks(size.max(1));
        let passed: Vec<u8> = pieces.flat_map(|piece| lines.pass(piece)).collect();
        String::from_utf8(passed).unwrap()
    }

    #[test]
    fn an_answer_that_is_too_long_becomes_an_error_for_the_same_question() {
        let long = "x".repeat(2_000);
        let result = format!("{{\"content\":\"{long}\",\"id\":1}}");
        for line in [
            format!("{{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{result}}}"),
            format!("{{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": {result}}}"),
            format!("{{\"result\":{result},\"jsonrpc\":\"2.0\",\"id\":7}}"),
            format!("{{\"result\":{result},\"id\":7,\"jsonrpc\":\"2.0\"}}\r"),
        ] {
            for size in [1, 100, 255, 256, 257, 1_000, 10_000] {
                let told = passed(1_000, &format!("{{}}\n{line}\nlast\n"), size);
                let told: Vec<&str> = told.lines().collect();
                assert_eq!((told[0], told[2]), ("{}", "last"), "{line}");
                let error: serde_json::Value = serde_json::from_str(told[1]).unwrap();
                assert_eq!(error["id"], 7, "{line}");
                assert!(
                    error["error"]["message"]
                        .as_str()
                        .unwrap()
                        .contains("too large")
                );
            }
        }
        // Nobody waits for a notification.
        let notification =
            format!("{{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":\"{long}\"}}\n");
        assert_eq!(passed(1_000, &notification, 100), "");
    }

    #[test]
    fn a_message_that_is_not_as_it_should_be_is_mended() {
        let said = concat!(
            r#"{"jsonrpc":"2.0","id":3,"result":{"protocolVersion":"2025-06-18","capabilities":[]}}"#,
            "\r\nstarting up\n",
            r#"[{"id":1,"result":{"a":"x\ud83d y"}},{"jsonrpc":"2.0","id":2,"result":{},"error":null}]"#,
            "\n",
        );
        let told = passed(1_000, said, 7);
        let told: Vec<&str> = told.lines().collect();
        let [fourth, third, first, second] = told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(
            first,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"x\u{fffd} y\"}}"
        );
        assert_eq!(second, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#);
        assert_eq!(third, "starting up", "the library reads over it");
        assert!(
            fourth.contains(r#""serverInfo":{"name":"","version":""}"#),
            "{fourth}"
        );
    }

    #[test]
    fn what_is_said_before_the_handshake_is_kept_apart_as_well() {
        let mut lines = Lines::new(1_000);
        let answer = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"x"}}"#;
        let said = format!("no key\n2026 INFO {answer}\nlater\n");
        let passed = lines.pass(said.as_bytes());
        assert_eq!(lines.beside(), [b"no key"]);
        assert!(lines.beside().is_empty());
        let passed = String::from_utf8(passed).unwrap();
        let passed: Vec<&str> = passed.lines().collect();
        assert!(
            passed[1].starts_with("{\"jsonrpc\":\"2.0\",\"id\":0,"),
            "{passed:?}"
        );
    }

    #[test]
    fn a_line_of_a_log_is_no_answer() {
        for line in [
            r#"{"time":1,"id":3,"error":"db slow","level":"warn"}"#,
            r#"{"id":3,"error":["db slow"]}"#,
            r#"{"error":"db slow"}"#,
        ] {
            // The library reads over it.
            assert_eq!(passed(1_000, &format!("{line}\n"), 7), format!("{line}\n"));
        }
        let request = passed(
            1_000,
            "{\"id\":3,\"method\":\"ping\",\"result\":\"ok\"}\n",
            7,
        );
        assert!(request.contains("method"), "{request}");
        let answer = passed(
            1_000,
            "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"result\":{}}\n",
            7,
        );
        assert_eq!(answer, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n");
        let refusal = passed(1_000, "{\"id\":3,\"error\":{\"message\":\"db gone\"}}\n", 7);
        assert!(refusal.contains("\"jsonrpc\":\"2.0\""), "{refusal}");
    }

    #[test]
    fn only_the_first_result_is_that_of_the_handshake() {
        let told = |id| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"protocolVersion\":\"x\",\"rows\":[1]}}}}\n"
            )
        };
        let refusal = "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":1,\"message\":\"a\"}}\n";
        let said = passed(1_000, &format!("{refusal}{}{}", told(1), told(2)), 7);
        let said: Vec<&str> = said.split_inclusive('\n').collect();
        assert!(said[1].contains("serverInfo"), "{said:?}");
        assert_eq!(said[2], told(2));
    }

    proptest! {
        #[test]
        fn what_is_short_enough_passes_as_it_is(
            lines in prop::collection::vec("[a-z é{}\":,]{0,300}", 0..6),
            size in 1_usize..400,
        ) {
            let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            prop_assert_eq!(passed(1_000, &text, size), text);
        }

        #[test]
        fn no_line_keeps_more_than_it_may(text in "[a-z\n\"id:,]{0,5000}", size in 1_usize..400) {
            let mut lines = Lines::new(500);
            for piece in text.as_bytes().chunks(size) {
                for line in lines.pass(piece).split(|byte| *byte == b'\n') {
                    prop_assert!(line.len() <= 500);
                }
                prop_assert!(lines.line.len() <= 500);
                prop_assert!(lines.end.as_ref().is_none_or(|end| end.len() <= END_BYTES));
            }
        }
    }
}
