//! Asking a provider until it begins to answer, or it is clear that it will not.
//!
//! Before the first token nobody has heard anything and nothing has been done, so asking again is safe: without what the
//! server refuses ([`Refused`]), and after a pause where it is overloaded or the connection broke. After the first
//! token nothing is asked again.

use std::{sync::atomic::Ordering, time::Duration};

use engine::ports::{ModelError, ModelRequest, ModelStream};
use serde::Serialize;
use tokio::sync::OnceCell;

use super::{
    Provider,
    failure::{self, Again},
    gate::Placed,
    refused::Refused,
    stream::{self, Decode},
};

/// How often a question is changed because of a refusal; each of them names one thing.
const MAX_CHANGES: usize = 16;

/// How often and how patiently a question is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// How often at most.
    pub times: u32,
    /// The first pause, about: it is spread from half of it to one and a half. The next one is twice as long.
    pub pause: Duration,
    /// The longest pause that a server may ask for (`Retry-After`); where it wants more, the turn ends at once.
    pub longest: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            times: 2,
            pause: Duration::from_millis(500),
            longest: Duration::from_secs(20),
        }
    }
}

impl Retries {
    /// How long to wait before asking again; `None` where that is of no use. `chance` is any number.
    fn pause(&self, error: &ModelError, tried: u32, chance: u64) -> Option<Duration> {
        // In thousandths.
        let chance = u32::try_from(chance % 1_000).unwrap_or(0);
        match failure::again(error) {
            _ if tried >= self.times => None,
            Again::Soon => Some(self.pause * 2_u32.saturating_pow(tried) * (500 + chance) / 1_000),
            // A little later than asked for, and not all at once.
            Again::After(wanted) if wanted <= self.longest => {
                Some(wanted + self.pause * chance / 1_000)
            }
            Again::Never | Again::After(_) => None,
        }
    }
}

impl Provider {
    /// Asks until an answer begins. `body` makes the question, without what is refused; `texts` is where it is kept with
    /// documents as text.
    pub(super) async fn ask<'a, B: Serialize, D: Decode>(
        &self,
        path: &str,
        request: &'a ModelRequest,
        texts: &'a OnceCell<ModelRequest>,
        body: impl Fn(&'a ModelRequest, &Refused) -> B,
        decoder: impl Fn() -> D,
    ) -> Result<ModelStream, ModelError> {
        let mut refused = self.refused(&request.model);
        // Nobody waits for a place at the model because a document is being read.
        let mut told = self.told(request, texts, &refused).await;
        let place = self.enter().await?;
        let mut changes: Vec<String> = Vec::new();
        // The last refusal, and what was so before something was left out for it.
        let mut last: Option<(String, Refused)> = None;
        let (mut tried, mut learned) = (0, 0);
        loop {
            let error = match self.begin(path, &body(told, &refused), decoder()).await {
                Ok(answer) => {
                    self.remember(&request.model, refused, &changes);
                    return Ok(Placed::stream(answer, place));
                }
                Err(error) => error,
            };
            if learned < MAX_CHANGES && failure::is_of_request(&error) {
                learned += 1;
                // Only a refused question is written a second time.
                let words = failure::complaint(&error).map(|complaint| complaint.words);
                let words = words.unwrap_or_default();
                if let Some((said, before)) = last.take()
                    && said == words
                {
                    // That was not what the server meant.
                    let kept = refused.clone().without_change(before);
                    if kept != refused {
                        refused = kept;
                        changes.pop();
                    }
                }
                let text = serde_json::to_string(&body(told, &refused)).unwrap_or_default();
                let before = refused.clone();
                if let Some(change) = refused.learn(&error, &text, &request.tools) {
                    changes.push(change);
                    last = Some((words, before));
                    told = self.told(request, texts, &refused).await;
                    continue;
                }
            }
            let chance = self.chance();
            let Some(pause) = self.retries.pause(&error, tried, chance) else {
                // An answer without a word is one, where there is no other.
                return match stream::empty(&error) {
                    Some(end) => Ok(Placed::stream(end, place)),
                    None => Err(error),
                };
            };
            tried += 1;
            tracing::info!(
                error = &error as &dyn std::error::Error,
                milliseconds = pause.as_millis(),
                "the model is asked again after a pause"
            );
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks once, and waits for the first token.
    async fn begin<D: Decode>(
        &self,
        path: &str,
        body: &(impl Serialize + ?Sized),
        decoder: D,
    ) -> Result<ModelStream, ModelError> {
        let begin = async {
            let response = self.post(path, body).await?;
            stream::begin(response, decoder, self.patience.silence).await
        };
        let begun = tokio::time::timeout(self.patience.first_token, begin).await;
        begun.unwrap_or(Err(ModelError::TimedOut))
    }

    /// What this model's server refuses, as far as it is known.
    pub(super) fn refused(&self, model: &str) -> Refused {
        let known = self.known.get(model);
        known.unwrap_or_else(|| self.never_sent.clone())
    }

    /// What has helped once is done at once the next time.
    fn remember(&self, model: &str, refused: Refused, changes: &[String]) {
        let refused = refused.lasting();
        if changes.is_empty() || refused == self.refused(model) {
            return;
        }
        tracing::warn!(
            model,
            refused = changes.join(", "),
            "the model's server refuses something, which it is not sent any more"
        );
        self.known.insert(model.to_owned(), refused);
    }

    /// A number that others cannot foresee; two servers that were refused at the same moment do not ask again at the
    /// same moment.
    fn chance(&self) -> u64 {
        let count = self.asked_again.fetch_add(1, Ordering::Relaxed);
        self.marks.number(&count.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_spread_and_honour_what_the_server_asks_for() {
        let retries = Retries::default();
        let milliseconds = |error: &ModelError, tried, chance| {
            let pause = retries.pause(error, tried, chance)?;
            Some(pause.as_millis())
        };
        let overloaded = failure::of_event("529", "", &[]);
        assert_eq!(milliseconds(&overloaded, 0, 0), Some(250));
        assert_eq!(milliseconds(&overloaded, 0, 999), Some(749));
        assert_eq!(milliseconds(&overloaded, 1, 500), Some(1_000));
        assert_eq!(milliseconds(&overloaded, 2, 0), None, "twice and no more");
        let asks = |seconds| failure::limited_for(Duration::from_secs(seconds));
        assert_eq!(milliseconds(&asks(3), 0, 100), Some(3_050));
        assert_eq!(milliseconds(&asks(21), 0, 0), None);
        for code in [
            "insufficient_quota",
            "invalid_api_key",
            "content_filter",
            "500",
        ] {
            let error = failure::of_event(code, "", &[]);
            assert_eq!(milliseconds(&error, 0, 0), None, "{code}");
        }
    }
}
