//! Event streams: the events do not depend on how the bytes were cut, and no event is longer than
//! the limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use upstream::sse::{Event, EventParser, TooLong};

const LIMIT: usize = 4096;

/// The events of these chunks, and whether the stream was too long.
fn parse<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<String>, bool) {
    let mut parser = EventParser::new(LIMIT);
    let mut events = Vec::new();
    for chunk in chunks {
        let outcome = parser.feed::<TooLong>(chunk, |event: Event<'_>| {
            events.push(format!("{event:?}"));
            Ok(())
        });
        if outcome.is_err() {
            return (events, true);
        }
    }
    (events, false)
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, stream)) = data.split_first() else {
        return;
    };
    let (whole, is_too_long) = parse(std::iter::once(stream));
    let (cut_up, is_cut_up_too_long) = parse(stream.chunks(usize::from(*cut).max(1)));
    if !is_too_long && !is_cut_up_too_long {
        assert_eq!(whole, cut_up);
    }
});
