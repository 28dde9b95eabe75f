//! Pages that a server has searched by itself and lists beside the answer (`citations`, `search_results`, `web_search`), as
//! Perplexity's, xAI's and Z.ai's do. Those that the text does not cite at a place are cited at its end.

use std::collections::HashSet;

use engine::ports::ModelEvent;
use serde_json::Value;

use crate::openai::{lenient, stream::Events};

/// More pages than this are not shown.
const MAX_SOURCES: usize = 64;

/// The pages of one answer.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// Addresses and titles, in the server's order, of which answers speak by their numbers.
    pages: Vec<(String, String)>,
    cited: HashSet<String>,
}

impl Sources {
    /// Takes what a chunk lists; most chunks list the same again.
    pub(super) fn read(&mut self, chunk: &Value) {
        for name in ["search_results", "citations", "web_search"] {
            for page in lenient::list(&chunk[name]) {
                let text = |name: &str| lenient::text(&page[name]).into_owned();
                let link = || Some(text("url")).filter(|url| !url.is_empty());
                let url = page.as_str().map(str::to_owned).or_else(link);
                let url = url.unwrap_or_else(|| text("link"));
                let is_new = !self.pages.iter().any(|(known, _)| *known == url);
                if is_new && url.contains("://") && self.pages.len() < MAX_SOURCES {
                    self.pages.push((url, text("title")));
                }
            }
        }
    }

    /// The text cites this one.
    pub(super) fn cite(&mut self, url: &str) {
        if self.cited.len() < MAX_SOURCES {
            self.cited.insert(url.to_owned());
        }
    }

    /// Tells those that the text has not cited.
    pub(super) fn finish(&mut self, events: &mut Events) {
        for (url, title) in std::mem::take(&mut self.pages) {
            if !self.cited.contains(&url) {
                events.push_back(ModelEvent::UrlCitation {
                    url,
                    title,
                    index: None,
                });
            }
        }
    }
}
