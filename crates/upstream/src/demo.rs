//! The built-in demo assistant: a script that stands where a model would, and says so.
//!
//! It needs no key and no network, shows on request each thing that an answer can contain, and
//! drives the same tool loop as a real model, so that tools can be tried for nothing.

mod phrase;
mod script;

use std::{collections::VecDeque, time::Duration};

use async_trait::async_trait;
use engine::ports::{Model, ModelError, ModelEvent, ModelRequest, ModelStream};
use futures::stream;

/// The scripted assistant.
#[derive(Debug, Clone, Copy)]
pub struct Demo {
    pause: Duration,
}

impl Demo {
    /// What makes a streamed answer pleasant to watch.
    pub const PAUSE: Duration = Duration::from_millis(15);

    /// An assistant that waits this long after each word; tests take zero.
    pub const fn new(pause: Duration) -> Self {
        Self { pause }
    }
}

impl Default for Demo {
    fn default() -> Self {
        Self::new(Self::PAUSE)
    }
}

/// One thing that the script does.
#[derive(Debug)]
enum Step {
    /// Says something, after the pause for a word.
    Tell(ModelEvent),
    /// Waits as long as that many words take.
    Wait(u32),
    /// Breaks off, to show how that looks.
    Fail(ModelError),
}

#[async_trait]
impl Model for Demo {
    async fn respond(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let steps = VecDeque::from(script::answer(&request));
        let pause = self.pause;
        Ok(Box::pin(stream::unfold(
            steps,
            move |mut steps| async move {
                loop {
                    match steps.pop_front()? {
                        Step::Tell(event) => {
                            wait(pause).await;
                            return Some((Ok(event), steps));
                        }
                        Step::Wait(words) => wait(pause * words).await,
                        Step::Fail(error) => return Some((Err(error), VecDeque::new())),
                    }
                }
            },
        )))
    }
}

async fn wait(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests;
