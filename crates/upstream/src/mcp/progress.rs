//! What servers report of calls that go on, handed to the calls.
//!
//! The library names a call when it sends it, so a quick server may report before anybody can listen by that name: what
//! nobody listens to yet is kept for a moment.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::model::{ProgressNotificationParam, ProgressToken};
use tokio::sync::mpsc;

/// How many reports of one call may wait to be read; a reader that is further behind misses some.
const MOST_UNREAD: usize = 16;
/// How many reports are kept that nobody listens to.
const MOST_EARLY: usize = 64;

/// The calls of a session that listen.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    calls: HashMap<ProgressToken, mpsc::Sender<ProgressNotificationParam>>,
    early: VecDeque<ProgressNotificationParam>,
}

/// What is reported of one call, until it is dropped.
pub(super) struct Reports {
    token: ProgressToken,
    receiver: mpsc::Receiver<ProgressNotificationParam>,
    progress: Progress,
}

impl Progress {
    /// Hands a report to its call.
    pub(super) fn report(&self, report: ProgressNotificationParam) {
        let mut state = self.lock();
        if let Some(call) = state.calls.get(&report.progress_token) {
            // One more of a kind that is only shown while it is new.
            let _ = call.try_send(report);
            return;
        }
        if state.early.len() >= MOST_EARLY {
            state.early.pop_front();
        }
        state.early.push_back(report);
    }

    /// Listens to what is reported of a call, and what was by now.
    pub(super) fn listen(&self, token: ProgressToken) -> Reports {
        let (sender, receiver) = mpsc::channel(MOST_UNREAD);
        let mut state = self.lock();
        state.early.retain(|early| {
            let is_meant = early.progress_token == token;
            if is_meant {
                let _ = sender.try_send(early.clone());
            }
            !is_meant
        });
        state.calls.insert(token.clone(), sender);
        Reports {
            token,
            receiver,
            progress: self.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reports {
    /// The next one.
    pub(super) async fn next(&mut self) -> Option<ProgressNotificationParam> {
        self.receiver.recv().await
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        self.progress.lock().calls.remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use rmcp::model::NumberOrString;

    use super::*;

    fn token(number: i64) -> ProgressToken {
        ProgressToken(NumberOrString::Number(number))
    }

    fn report(number: i64, words: &str) -> ProgressNotificationParam {
        ProgressNotificationParam::new(token(number), 0.5).with_message(words)
    }

    #[tokio::test]
    async fn a_report_that_comes_before_anybody_listens_is_heard() {
        let progress = Progress::default();
        progress.report(report(1, "early"));
        progress.report(report(2, "another's"));
        let mut reports = progress.listen(token(1));
        progress.report(report(1, "later"));
        for words in ["early", "later"] {
            let heard = reports.next().await.unwrap();
            assert_eq!(heard.message.as_deref(), Some(words));
        }
        assert!(reports.next().now_or_never().is_none());
    }

    #[test]
    fn what_nobody_listens_to_is_bounded() {
        let progress = Progress::default();
        drop(progress.listen(token(1)));
        for times in 0..1_000 {
            progress.report(report(1, &times.to_string()));
        }
        assert_eq!(progress.lock().early.len(), MOST_EARLY);
        assert!(progress.lock().calls.is_empty());
    }
}
