//! PDF documents as text, where a model's server takes no files.

use std::sync::Arc;

use engine::ports::{FileContent, ModelInput, ModelRequest};
use futures::{FutureExt, future::join_all};
use tokio::sync::OnceCell;

use super::{
    Provider,
    refused::{Kind, Refused},
};
use crate::pdf::{PdfReader, PdfText};

/// How documents are told as text.
#[derive(Debug, Clone)]
pub struct PdfTexts {
    /// What reads them.
    pub reader: PdfReader,
    /// Most characters of all documents of a question, the newest first; one of several takes half of it at most, so that
    /// there is room for a second one.
    pub characters: usize,
}

/// How a question's documents go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PdfAs {
    /// As files; where the server refuses them, as text.
    File,
    /// As text.
    Text,
}

impl Provider {
    /// The question as it is sent: with the text of documents in their place, where they are not taken. It is made once.
    pub(super) async fn told<'a>(
        &self,
        request: &'a ModelRequest,
        texts: &'a OnceCell<ModelRequest>,
        refused: &Refused,
    ) -> &'a ModelRequest {
        match &self.pdf {
            Some(pdf) if !refused.takes(Kind::Document) && has_documents(request) => {
                // Boxed: every question goes through here, and few have documents.
                texts.get_or_init(|| pdf.tell(request).boxed()).await
            }
            _ => request,
        }
    }
}

impl PdfTexts {
    async fn tell(&self, request: &ModelRequest) -> ModelRequest {
        let mut told = request.clone();
        let found = contents(&mut told);
        let texts = join_all(found.iter().map(|found| self.read(request, found.content))).await;
        let share = match found.len() {
            1 => self.characters,
            _ => self.characters.div_ceil(2),
        };
        let mut room = self.characters;
        for (found, text) in found.into_iter().zip(texts) {
            let Some(text) = text else { continue };
            let most = room.min(share);
            room -= text.characters().min(most);
            let text = text.tell(found.name, most);
            // A person's file stands between marks that name it.
            *found.content = FileContent::Text(if found.is_of_tool {
                format!("[The text of the file {}]\n{text}", found.name)
            } else {
                text
            });
        }
        told
    }

    async fn read(&self, request: &ModelRequest, content: &FileContent) -> Option<Arc<PdfText>> {
        let FileContent::Pdf(file) = content else {
            return None;
        };
        Some(self.reader.read(&request.end_user, file).await)
    }
}

/// A document in a question.
struct Found<'a> {
    name: &'a str,
    content: &'a mut FileContent,
    is_of_tool: bool,
}

/// The documents of a question, those of the newest entry first.
fn contents(request: &mut ModelRequest) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    for input in request.input.iter_mut().rev() {
        match input {
            ModelInput::User(message) => {
                found.extend(message.files.iter_mut().filter_map(|file| {
                    Some(Found {
                        name: &file.name,
                        content: file.content.as_mut()?,
                        is_of_tool: false,
                    })
                }));
            }
            ModelInput::ToolOutput { files, .. } => {
                found.extend(files.iter_mut().map(|file| Found {
                    name: &file.name,
                    content: &mut file.content,
                    is_of_tool: true,
                }));
            }
            // None of them holds a document.
            ModelInput::Assistant(_)
            | ModelInput::Drawn(_)
            | ModelInput::Context(_)
            | ModelInput::Thought(_)
            | ModelInput::ToolCall(_) => {}
        }
    }
    found.retain(|found| matches!(found.content, FileContent::Pdf(_)));
    found
}

fn has_documents(request: &ModelRequest) -> bool {
    let is_document = |content: &FileContent| matches!(content, FileContent::Pdf(_));
    request.input.iter().any(|input| match input {
        ModelInput::User(message) => {
            let mut contents = message
                .files
                .iter()
                .filter_map(|file| file.content.as_ref());
            contents.any(is_document)
        }
        ModelInput::ToolOutput { files, .. } => files.iter().any(|file| is_document(&file.content)),
        ModelInput::Assistant(_)
        | ModelInput::Drawn(_)
        | ModelInput::Context(_)
        | ModelInput::Thought(_)
        | ModelInput::ToolCall(_) => false,
    })
}
