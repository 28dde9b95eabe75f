//! Answers of models and calls of tools are counted and timed, for whoever watches the server (docs/metrics.md).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use engine::ports::{
    Model, ModelError, ModelEvent, ModelRequest, ModelStream, ToolEvent, ToolStream,
};
use futures::{Stream, StreamExt as _};
use metrics::{Histogram, SharedString, counter, histogram};
use tokio::time::Instant;

/// A model whose answers are counted and timed.
pub struct Metered {
    model: Arc<dyn Model>,
    /// What the configuration calls it.
    id: SharedString,
}

impl Metered {
    /// Counts this model's answers under the id that the configuration gives it.
    pub fn new(id: &str, model: Arc<dyn Model>) -> Self {
        Self {
            model,
            id: SharedString::from(Arc::<str>::from(id)),
        }
    }
}

#[async_trait]
impl Model for Metered {
    async fn respond(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let asked = Instant::now();
        let model = self.id.clone();
        match self.model.respond(request).await {
            Ok(answer) => Ok(Box::pin(Watched {
                answer,
                asked,
                last_word: None,
                gaps: histogram!("vestibule_model_token_gap_seconds", "model" => model.clone()),
                is_over: false,
                model,
            })),
            Err(error) => {
                ended(&model, name(&error));
                Err(error)
            }
        }
    }
}

/// A call of a tool that is watched until it is done. Only the server is named: models make names of tools up.
pub(crate) struct ToolWatch {
    server: SharedString,
    began: Instant,
    end: Option<&'static str>,
}

impl ToolWatch {
    pub(crate) fn begin(server: &str) -> Self {
        Self {
            server: SharedString::from(Arc::<str>::from(server)),
            began: Instant::now(),
            end: Some("failed"),
        }
    }

    /// Watches what the tool says; where nobody listens to the end, it was stopped. The time in which it waits for a person
    /// is not counted.
    pub(crate) fn until_done(mut self, answer: ToolStream) -> ToolStream {
        self.end = Some("stopped");
        let mut watch = Some(self);
        Box::pin(answer.map(move |event| match event {
            ToolEvent::Asks(asking, waiting) => {
                let asked = Instant::now();
                let waiting = match watch.take() {
                    Some(mut watch) => waiting.map(move |events| {
                        watch.began += asked.elapsed();
                        watch.until_done(events)
                    }),
                    None => waiting,
                };
                ToolEvent::Asks(asking, waiting)
            }
            event => {
                if let (ToolEvent::Done { is_error, .. }, Some(watch)) = (&event, &mut watch) {
                    watch.end(if *is_error { "failed" } else { "done" });
                }
                event
            }
        }))
    }

    fn end(&mut self, end: &'static str) {
        self.end = None;
        let server = self.server.clone();
        histogram!("vestibule_tool_call_seconds", "server" => server.clone())
            .record(self.began.elapsed());
        counter!("vestibule_tool_calls_total", "server" => server, "end" => end).increment(1);
    }
}

impl Drop for ToolWatch {
    fn drop(&mut self) {
        if let Some(end) = self.end {
            self.end(end);
        }
    }
}

/// An answer that is watched as it comes.
struct Watched {
    answer: ModelStream,
    model: SharedString,
    asked: Instant,
    /// When something of the answer or its thoughts came last.
    last_word: Option<Instant>,
    /// Looked up once: a gap is noted for each token.
    gaps: Histogram,
    is_over: bool,
}

impl Watched {
    fn end(&mut self, end: &'static str) {
        if !std::mem::replace(&mut self.is_over, true) {
            ended(&self.model, end);
        }
    }

    fn note(&mut self, event: &ModelEvent) {
        match event {
            ModelEvent::TextDelta(_) | ModelEvent::ReasoningDelta(_) => {
                let now = Instant::now();
                match self.last_word.replace(now) {
                    Some(before) => self.gaps.record(now - before),
                    None => {
                        histogram!("vestibule_model_first_token_seconds", "model" => self.model.clone())
                            .record(now - self.asked);
                    }
                }
            }
            ModelEvent::Completed {
                is_truncated,
                usage,
            } => {
                self.end(if *is_truncated { "cut_off" } else { "complete" });
                let usage = usage.unwrap_or_default();
                for (kind, tokens) in [
                    ("input", usage.input_tokens),
                    ("output", usage.output_tokens),
                ] {
                    counter!("vestibule_model_tokens_total", "model" => self.model.clone(), "kind" => kind)
                        .increment(tokens);
                }
            }
            _ => {}
        }
    }
}

impl Stream for Watched {
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let event = ready!(this.answer.as_mut().poll_next(context));
        match &event {
            Some(Ok(event)) => this.note(event),
            Some(Err(error)) => this.end(name(error)),
            None => this.end("broken_off"),
        }
        Poll::Ready(event)
    }
}

/// Nobody wants to hear the rest.
impl Drop for Watched {
    fn drop(&mut self) {
        self.end("stopped");
    }
}

/// What an error is called among the ends of answers.
fn name(error: &ModelError) -> &'static str {
    match error {
        ModelError::Unavailable(_) => "unavailable",
        ModelError::RateLimited(_) => "rate_limited",
        ModelError::Misconfigured(_) => "misconfigured",
        ModelError::TooLong(_) => "too_long",
        ModelError::Declined(_) => "declined",
        ModelError::TimedOut => "timed_out",
        ModelError::Malformed(_) => "malformed",
    }
}

fn ended(model: &SharedString, end: &'static str) {
    counter!("vestibule_model_answers_total", "model" => model.clone(), "end" => end).increment(1);
}
