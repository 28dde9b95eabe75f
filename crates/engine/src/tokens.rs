//! How many tokens something takes, estimated.
//!
//! Each model has a tokenizer of its own, and most are not public. A budget does not need the exact
//! number; it needs one that is the same everywhere, costs nothing, and is rarely far too low:
//!
//! - text: a token for every four bytes of UTF-8. English comes out right, code and JSON somewhat
//!   low, Chinese and Japanese (three bytes and about two thirds of a token a character) about right;
//! - each entry of the conversation: four tokens for its role and its marks;
//! - an image: 1,100 tokens, what a photo costs at OpenAI in high detail;
//! - a PDF: a token for every 50 bytes and 1,500 at least, about the text and the picture of each
//!   page of a scanned document.

use crate::media;
use crate::ports::{ModelFile, ModelInput};

/// Bytes of text that count as one token.
pub(crate) const BYTES_PER_TOKEN: u64 = 4;
const PER_ENTRY: u64 = 4;
const PER_IMAGE: u64 = 1_100;
const PDF_BYTES_PER_TOKEN: u64 = 50;
const PER_PDF: u64 = 1_500;

/// What a text takes.
fn of_text(text: &str) -> u64 {
    (text.len() as u64).div_ceil(BYTES_PER_TOKEN)
}

/// What an entry of the conversation takes. Files count by their names only: what is in them is
/// counted when it is read.
pub(crate) fn of_input(input: &ModelInput) -> u64 {
    PER_ENTRY
        + match input {
            ModelInput::User(message) => {
                let names = message
                    .files
                    .iter()
                    .map(|file| of_text(&file.name) + PER_ENTRY);
                of_text(&message.text) + names.sum::<u64>()
            }
            ModelInput::Assistant(text) | ModelInput::Context(text) => of_text(text),
            ModelInput::Drawn(file) => of_text(&file.name) + PER_ENTRY,
            ModelInput::ToolCall(call) => of_text(&call.name) + of_text(&call.arguments),
            ModelInput::ToolOutput { output, files, .. } => {
                let files = files
                    .iter()
                    .map(|file| of_bytes(&file.media_type, file.len() as u64));
                of_text(output) + files.sum::<u64>()
            }
            ModelInput::Thought(thought) => of_text(&thought.0),
        }
}

/// What a file of this many bytes takes.
pub(crate) fn of_file(file: &ModelFile, bytes: u64) -> u64 {
    of_bytes(&file.media_type, bytes)
}

fn of_bytes(media_type: &str, bytes: u64) -> u64 {
    if media::is_text(media_type) {
        bytes.div_ceil(BYTES_PER_TOKEN)
    } else if media_type == media::PDF {
        bytes.div_ceil(PDF_BYTES_PER_TOKEN).max(PER_PDF)
    } else {
        PER_IMAGE
    }
}

#[cfg(test)]
mod tests {
    use protocol::AttachmentId;

    use super::*;
    use crate::ports::ToolCall;

    #[test]
    fn text_counts_by_its_bytes_and_entries_by_their_number() {
        for (input, tokens) in [
            (ModelInput::User("".into()), 4),
            (ModelInput::User("four".into()), 5),
            (ModelInput::Assistant("fives".to_owned()), 6),
            (ModelInput::Context("日本".to_owned()), 6),
            (
                ModelInput::ToolCall(ToolCall {
                    call_id: "not counted".to_owned(),
                    name: "add".to_owned(),
                    arguments: "{\"a\":1}".to_owned(),
                }),
                7,
            ),
        ] {
            assert_eq!(of_input(&input), tokens, "{input:?}");
        }
    }

    #[test]
    fn files_count_by_what_they_are() {
        for (media_type, bytes, tokens) in [
            ("text/csv", 4_000, 1_000),
            ("image/png", 4_000_000, 1_100),
            ("application/pdf", 10, 1_500),
            ("application/pdf", 5_000_000, 100_000),
        ] {
            let file = ModelFile {
                id: AttachmentId::mint(1),
                name: "a".to_owned(),
                media_type: media_type.to_owned(),
                size: None,
                content: None,
            };
            assert_eq!(of_file(&file, bytes), tokens, "{media_type}");
        }
    }
}
