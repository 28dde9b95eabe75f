//! Hands what a person has done to the process in which the calls wait that go on with it.
//!
//! A call whose server has asked the person is a connection, so the run that goes on with it has to be played where it is.
//! The process that was asked names that run, says to all others what was done, and copies the run from whoever takes it.

use std::{sync::Arc, time::Duration};

use protocol::{ItemId, RunId, ThreadId, ThreadItem};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};
use tracing::Instrument;

use super::{Shared, TELL, lock};
use crate::{
    answers::deed::LOOKED_AT,
    context::RequestContext,
    engine::Engine,
    error::Error,
    ports::{Done, Epoch, Handed, Node, RunRecord, Taken, Word},
    runs::{Client, Following, Reader, RequestKey, Run},
    words::Words,
};

/// How often it is said again where nobody has answered, and for how long.
const AGAIN: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(6);
/// How often a thread is looked at that is not free yet for the copy: an earlier one is about to leave it.
const LOOKS: u32 = 40;
const LOOK: Duration = Duration::from_millis(50);

/// What a person has done, for calls that wait elsewhere.
pub(crate) struct Handing<'a> {
    pub(crate) thread: &'a ThreadId,
    /// The item that the run answers.
    pub(crate) anchor: &'a ItemId,
    /// The records of the calls.
    pub(crate) calls: Vec<ItemId>,
    pub(crate) done: Done,
}

impl Engine {
    /// Has another process go on with calls that wait there, and gives the copy of its run; nothing where they wait nowhere.
    pub(crate) async fn hand_over(
        &self,
        context: &RequestContext,
        handing: Handing<'_>,
        client: &Client,
    ) -> Result<Option<Arc<Run>>, Error> {
        let Some(shared) = &self.nodes.shared else {
            return Ok(None);
        };
        let run = RunId::mint(self.ids.next());
        let mut listening = Listening::new(shared, run.clone());
        let key = client.key.as_ref();
        let word = Word::Hand(Box::new(Handed {
            run: run.clone(),
            owner: context.owner.as_str().to_owned(),
            calls: handing.calls,
            done: handing.done,
            key: key.map(|key| (key.key.to_string(), key.fingerprint.to_string())),
        }));
        let node = match ask_all(shared, &word, &mut listening.answers).await {
            Some((node, Taken::Begun)) => node,
            Some((_, Taken::Refused)) => return Err(Error::ThreadBusy(Words::StillAnswering)),
            Some((_, Taken::Unknown)) | None => return Ok(None),
        };
        let record = RunRecord {
            run,
            answers: handing.anchor.clone(),
            epoch: Epoch(0),
            is_interrupted: false,
            node: Some(node),
        };
        for _ in 0..LOOKS {
            let (owner, language) = (&context.owner, context.language());
            let live = self.copy_in_line(owner, handing.thread, &record, language);
            if let Some(copy) = live.filter(|live| live.id == record.run) {
                return Ok(Some(copy));
            }
            sleep(LOOK).await;
        }
        Err(Error::ThreadBusy(Words::StillAnswering))
    }

    /// Goes on with calls that wait here, for somebody who was asked at another process.
    pub(super) fn take_over(&self, shared: &Arc<Shared>, handed: Handed, from: Node) {
        let (engine, shared) = (self.clone(), Arc::clone(shared));
        let taking = async move {
            let run = handed.run.clone();
            let is_first = lock(&shared.taking).insert(run.clone());
            if !is_first {
                // It was said again while it is being done.
                return;
            }
            let (taken, reader) = if engine.runs.by_id(&run).is_some() {
                (Taken::Begun, None)
            } else {
                match engine.go_on_with(handed).await {
                    Ok(Some(reader)) => (Taken::Begun, Some(reader)),
                    Ok(None) => (Taken::Unknown, None),
                    Err(error) => {
                        let error: &dyn std::error::Error = &error;
                        tracing::info!(error, "a call that waits does not go on");
                        (Taken::Refused, None)
                    }
                }
            };
            let word = Word::Taken {
                run: run.clone(),
                taken,
            };
            shared.peers.say(from, word).await;
            lock(&shared.taking).remove(&run);
            if reader.is_some() {
                // Until whoever was asked reads it.
                sleep(TELL).await;
            }
        };
        self.tasks.spawn(taking.in_current_span());
    }

    /// Begins the run; nothing where none of its calls waits here.
    async fn go_on_with(&self, handed: Handed) -> Result<Option<Reader>, Error> {
        let Handed {
            run,
            owner,
            calls,
            done,
            key,
        } = handed;
        let Some(context) = self.runs.asked.caller(&calls) else {
            return Ok(None);
        };
        if context.owner.as_str() != owner {
            return Ok(None);
        }
        let thread = done.thread();
        if self.has_gone_on(&context, thread, &calls).await? {
            self.runs.asked.forget(thread);
            return Ok(None);
        }
        if self.runs.live(&context.owner, thread).is_some() {
            return Err(Error::ThreadBusy(Words::StillAnswering));
        }
        let following = Following {
            client: Client {
                can_resume: true,
                reads_ids: true,
                after: None,
                key: key.map(|(key, fingerprint)| RequestKey {
                    key: key.into(),
                    fingerprint: fingerprint.into(),
                }),
            },
            run: Some(run),
            ..Following::default()
        };
        let context = RequestContext::clone(&context);
        let reader = match done {
            Done::Form(params) => {
                self.add_structured_input(context, params, following)
                    .await?
            }
            Done::Action(params) => self.custom_action(context, params, following).await?,
        };
        Ok(Some(reader))
    }

    /// Whether the person has written something since these calls were made, at a process that does not have them: that is
    /// no answer to them, and passes them over.
    async fn has_gone_on(
        &self,
        context: &RequestContext,
        thread: &ThreadId,
        calls: &[ItemId],
    ) -> Result<bool, Error> {
        let newest = self
            .store
            .newest_items(&context.owner, thread, None, LOOKED_AT);
        let since = newest.await?.items.into_iter().rev();
        let mut since = since.take_while(|item| !calls.contains(item.id()));
        Ok(since.any(|item| matches!(item, ThreadItem::UserMessage(_))))
    }
}

/// Hears what others answer, until it is dropped: whoever was asked may have gone meanwhile.
struct Listening<'a> {
    shared: &'a Shared,
    run: RunId,
    answers: mpsc::Receiver<(Node, Taken)>,
}

impl<'a> Listening<'a> {
    fn new(shared: &'a Shared, run: RunId) -> Self {
        let (tell, answers) = mpsc::channel(16);
        lock(&shared.handed).insert(run.clone(), tell);
        Self {
            shared,
            run,
            answers,
        }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        lock(&self.shared.handed).remove(&self.run);
    }
}

/// Says something to all other processes until one takes it, all have answered that it is not for them, or nobody does.
async fn ask_all(
    shared: &Shared,
    word: &Word,
    answers: &mut mpsc::Receiver<(Node, Taken)>,
) -> Option<(Node, Taken)> {
    let mut others = shared.peers.others().await;
    let patience = Instant::now() + PATIENCE;
    while !others.is_empty() && Instant::now() < patience {
        for node in &others {
            shared.peers.say(*node, word.clone()).await;
        }
        let again = Instant::now() + AGAIN;
        while let Ok(Some((node, taken))) = timeout_at(again, answers.recv()).await {
            if taken != Taken::Unknown {
                return Some((node, taken));
            }
            others.retain(|other| *other != node);
            if others.is_empty() {
                break;
            }
        }
    }
    None
}
