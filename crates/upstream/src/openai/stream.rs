//! A provider's answer as a stream of model events, cheap enough for every token.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use engine::ports::{ModelError, ModelEvent, ModelStream, Usage};
use futures::Stream;
use reqwest::Response;
use tokio::time::{Instant, Sleep};

use super::failure;
use crate::{
    json,
    sse::{BYTE_ORDER_MARK, Event, EventParser, TooLong},
};

/// The largest event is the last one of the Responses API, which repeats request and answer.
pub(super) const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;
/// How long the end of a finished answer's body is waited for, so that its connection can be
/// used again; it nearly always comes in the same packet.
const DRAIN: Duration = Duration::from_millis(50);
/// What a server may send after the end of its answer before the connection is given up instead.
const MAX_DRAINED_CHUNKS: u8 = 8;

/// What has been read and not been taken yet.
pub(super) type Events = VecDeque<ModelEvent>;

/// One API's way of saying things.
pub(super) trait Decode: Unpin + Send + 'static {
    /// Reads one event of the provider; what it means goes to the end of `events`.
    ///
    /// [`ModelEvent::Completed`] is the last one; what follows it is not read.
    fn event(&mut self, event: Event<'_>, events: &mut Events) -> Result<(), ModelError>;

    /// The body has ended; only an answer that can be complete without a last word is.
    fn end(&mut self, events: &mut Events) -> Result<(), ModelError>;

    /// The longest event that is read, in bytes.
    fn longest_event(&self) -> usize {
        MAX_EVENT_BYTES
    }

    /// Whether the provider has begun to answer; what only says that it was asked is no beginning.
    fn has_begun(&self) -> bool;

    /// Whether the answer is whole already, so that nothing which follows can fail it.
    fn is_finished(&self) -> bool {
        false
    }
}

/// An answer of which nobody has heard a word.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("the answer ended before its last event")]
    CutOff,
    #[error("the answer is empty")]
    Empty(Option<Usage>),
}

/// The word that ends a stream, however it is written, or an event that is called so.
pub(super) fn is_done(event: Event<'_>) -> bool {
    const DONE: &[u8] = b"[DONE]";
    let data = event.data.trim_ascii();
    let data = data.strip_prefix(b"\"").unwrap_or(data);
    let start = data.get(..DONE.len());
    event.name == b"done" || start.is_some_and(|start| start.eq_ignore_ascii_case(DONE))
}

/// The end of an answer that was found to be empty.
pub(super) fn empty(error: &ModelError) -> Option<ModelStream> {
    let ModelError::Malformed(source) = error else {
        return None;
    };
    let Some(&NoAnswer::Empty(usage)) = source.downcast_ref() else {
        return None;
    };
    let end = ModelEvent::Completed {
        is_truncated: false,
        usage,
    };
    Some(Box::pin(futures::stream::iter([Ok(end)])))
}

/// What an event holds behind the last mark of one, where it is no document as a whole: some proxies put a second mark
/// before each, and some servers break off in the middle of one and begin the next in the same line.
pub(super) fn behind_mark(data: &[u8]) -> Option<&[u8]> {
    const MARK: &[u8] = b"data:";
    let at = memchr::memmem::rfind(data, MARK)?;
    data.get(at + MARK.len()..)
}

/// The failure of an answer that ended before it was whole. `skipped` is how many of its events could
/// not be read.
pub(super) fn cut_off(skipped: u32) -> ModelError {
    ModelError::Malformed(match skipped {
        0 => NoAnswer::CutOff.into(),
        _ => {
            format!("the answer ended before its last event; {skipped} of its events were not JSON")
                .into()
        }
    })
}

/// Reads the body of `response` with `decoder`, and waits until the answer begins. From then on, a silence that is
/// longer than this ends it.
pub(super) async fn begin<D: Decode>(
    response: Response,
    decoder: D,
    silence: Duration,
) -> Result<ModelStream, ModelError> {
    let mut events = ModelEvents {
        body: Box::pin(response.bytes_stream()),
        form: Form::Unknown(Vec::new()),
        decoder,
        events: VecDeque::new(),
        failure: None,
        state: State::Reading,
        silence: None,
    };
    std::future::poll_fn(|context| events.poll_begin(context)).await?;
    events.silence = Some(Silence {
        longest: silence,
        timer: Box::pin(tokio::time::sleep(silence)),
        is_due: false,
    });
    Ok(Box::pin(events))
}

/// What the body is, by its first byte that is no blank: content types are wrong too often.
enum Form {
    /// Blanks so far.
    Unknown(Vec<u8>),
    Events(Box<EventParser>),
    /// One JSON document, from a server that does not stream.
    Document(Vec<u8>),
}

struct ModelEvents<B, D> {
    body: Pin<Box<B>>,
    form: Form,
    decoder: D,
    events: Events,
    /// Told after the events that came before it.
    failure: Option<ModelError>,
    state: State,
    /// `None` until the answer has begun: until then, whoever waits has a clock of their own.
    silence: Option<Silence>,
}

/// How long nothing has come.
struct Silence {
    longest: Duration,
    timer: Pin<Box<Sleep>>,
    /// Whether the timer was set before what came last.
    is_due: bool,
}

enum State {
    Reading,
    /// The answer is complete; the rest of the body is read and dropped.
    Draining {
        chunks: u8,
        /// Set when the end is not here yet.
        deadline: Option<Pin<Box<Sleep>>>,
    },
    Ended,
}

/// What ends the reading of a stream: the decoder's verdict, or an event that is too long to be read.
enum Failure {
    Decoder(ModelError),
    Parser(TooLong),
}

impl From<TooLong> for Failure {
    fn from(error: TooLong) -> Self {
        Self::Parser(error)
    }
}

impl<B, D> ModelEvents<B, D>
where
    B: Stream<Item = Result<Bytes, reqwest::Error>>,
    D: Decode,
{
    /// Reads until the answer has begun.
    fn poll_begin(&mut self, context: &mut Context<'_>) -> Poll<Result<(), ModelError>> {
        loop {
            if let (
                false,
                Some(&ModelEvent::Completed {
                    is_truncated,
                    usage,
                }),
            ) = (self.decoder.has_begun(), self.events.front())
                && !is_truncated
            {
                return Poll::Ready(Err(ModelError::Malformed(NoAnswer::Empty(usage).into())));
            }
            if self.decoder.has_begun() || !self.events.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = self.failure.take() {
                return Poll::Ready(Err(error));
            }
            if !matches!(self.state, State::Reading) {
                return Poll::Ready(Ok(()));
            }
            if self.poll_read(context).is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Whether nothing has come for too long.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(silence) = &mut self.silence else {
            return Poll::Pending;
        };
        // Set where it is waited for, and not with each chunk: many come at once.
        if std::mem::take(&mut silence.is_due) {
            let deadline = Instant::now() + silence.longest;
            silence.timer.as_mut().reset(deadline);
        }
        silence.timer.as_mut().poll(context)
    }

    /// Reads more of the body into `events`, or learns that there is no more.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let read = self.body.as_mut().poll_next(context);
        if read.is_ready()
            && let Some(silence) = &mut self.silence
        {
            silence.is_due = true;
        }
        let outcome = match read {
            Poll::Pending if self.poll_silence(context).is_ready() => {
                self.state = State::Ended;
                // After the last word, silence is the end.
                if self.decoder.is_finished() {
                    self.end()
                } else {
                    Err(ModelError::TimedOut)
                }
            }
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(chunk))) => self.feed(&chunk),
            // After the last word, a connection that breaks has nothing left to break off.
            Poll::Ready(Some(Err(error))) if !self.decoder.is_finished() => {
                Err(failure::of_connection(error))
            }
            Poll::Ready(Some(Err(_)) | None) => {
                self.state = State::Ended;
                self.end()
            }
        };
        if let Err(error) = outcome {
            self.failure = Some(error);
            self.state = State::Ended;
        }
        Poll::Ready(())
    }

    fn feed(&mut self, chunk: &[u8]) -> Result<(), ModelError> {
        if let Form::Unknown(blanks) = &mut self.form {
            blanks.extend_from_slice(chunk);
            let start = blanks.strip_prefix(BYTE_ORDER_MARK).unwrap_or(blanks);
            let Some(first) = start.trim_ascii_start().first() else {
                blanks.clear();
                return Ok(());
            };
            let is_document = matches!(first, b'{' | b'[');
            let begun = std::mem::take(blanks);
            self.form = if is_document {
                Form::Document(Vec::new())
            } else {
                Form::Events(Box::new(EventParser::new(self.decoder.longest_event())))
            };
            return self.feed(&begun);
        }
        let (decoder, events) = (&mut self.decoder, &mut self.events);
        match &mut self.form {
            Form::Unknown(_) => Ok(()),
            Form::Events(parser) => {
                let read = parser.feed(chunk, |event| {
                    if matches!(events.back(), Some(ModelEvent::Completed { .. })) {
                        return Ok(());
                    }
                    tell(decoder, event, events).map_err(Failure::Decoder)
                });
                match read {
                    Ok(()) => Ok(()),
                    Err(Failure::Decoder(error)) => Err(error),
                    // Whatever it is, the answer was whole before it.
                    Err(Failure::Parser(_)) if decoder.is_finished() => {
                        self.state = State::Ended;
                        decoder.end(events)
                    }
                    Err(Failure::Parser(error)) => Err(ModelError::Malformed(error.into())),
                }
            }
            Form::Document(body) if body.len() + chunk.len() > decoder.longest_event() => {
                let limit = decoder.longest_event();
                Err(ModelError::Malformed(TooLong { limit }.into()))
            }
            Form::Document(body) => {
                body.extend_from_slice(chunk);
                Ok(())
            }
        }
    }

    /// The body is over: the event that it ended in, or the document, and then the end.
    fn end(&mut self) -> Result<(), ModelError> {
        match &mut self.form {
            // A last event without the blank line behind it counts.
            Form::Events(_) => self.feed(b"\n\n")?,
            Form::Document(body) => {
                let body = std::mem::take(body);
                let data = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&body);
                let event = Event { name: b"", data };
                tell(&mut self.decoder, event, &mut self.events)?;
            }
            Form::Unknown(_) => {}
        }
        if matches!(self.events.back(), Some(ModelEvent::Completed { .. })) {
            return Ok(());
        }
        self.decoder.end(&mut self.events)
    }

    /// Reads the body to its end, if that comes soon.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let State::Draining { chunks, deadline } = &mut self.state else {
            return Poll::Ready(());
        };
        while *chunks < MAX_DRAINED_CHUNKS {
            match self.body.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(_))) => *chunks += 1,
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    let deadline =
                        deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(DRAIN)));
                    return deadline.as_mut().poll(context);
                }
            }
        }
        Poll::Ready(())
    }
}

/// Gives the decoder an event, or each of its lines: some servers part their events by one line break, or send a document
/// a line.
fn tell<D: Decode>(
    decoder: &mut D,
    event: Event<'_>,
    events: &mut Events,
) -> Result<(), ModelError> {
    let has_lines = memchr::memchr(b'\n', event.data.trim_ascii_end()).is_some();
    if !has_lines || json::is_one(event.data) {
        return decoder.event(event, events);
    }
    for line in event.data.split(|byte| *byte == b'\n') {
        let data = line.trim_ascii();
        let data = data.strip_prefix(b"data:").unwrap_or(data);
        if matches!(events.back(), Some(ModelEvent::Completed { .. })) {
            break;
        }
        decoder.event(Event { data, ..event }, events)?;
    }
    Ok(())
}

impl<B, D> Stream for ModelEvents<B, D>
where
    B: Stream<Item = Result<Bytes, reqwest::Error>>,
    D: Decode,
{
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.events.pop_front() {
                Some(event @ ModelEvent::Completed { .. }) => {
                    if matches!(self.state, State::Reading) {
                        self.state = State::Draining {
                            chunks: 0,
                            deadline: None,
                        };
                    }
                    if self.poll_drain(context).is_pending() {
                        self.events.push_front(event);
                        return Poll::Pending;
                    }
                    self.state = State::Ended;
                    return Poll::Ready(Some(Ok(event)));
                }
                Some(event) => return Poll::Ready(Some(Ok(event))),
                None => {}
            }
            if let Some(error) = self.failure.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if !matches!(self.state, State::Reading) {
                return Poll::Ready(None);
            }
            if self.poll_read(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// The whole of a recorded stream, fed in chunks of `size`: one line for each thing told.
#[cfg(test)]
pub(super) fn decode(decoder: impl Decode, trace: &[u8], size: usize) -> String {
    use std::error::Error as _;

    told(decoder, trace, size)
        .map(|event| match event {
            Ok(event) => format!("{event:?}\n"),
            Err(error) => match error.source() {
                Some(source) => format!("{error}: {source}\n"),
                None => format!("{error}\n"),
            },
        })
        .collect()
}

/// The same as it is told.
#[cfg(test)]
pub(super) fn told(
    decoder: impl Decode,
    trace: &[u8],
    size: usize,
) -> impl Iterator<Item = Result<ModelEvent, ModelError>> {
    let chunks: Vec<_> = trace
        .chunks(size)
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    let events = ModelEvents {
        body: Box::pin(futures::stream::iter(chunks)),
        form: Form::Unknown(Vec::new()),
        decoder,
        events: VecDeque::new(),
        failure: None,
        state: State::Reading,
        silence: None,
    };
    futures::executor::block_on_stream(Box::pin(events))
}
