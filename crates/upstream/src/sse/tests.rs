//! The cases of the standard, and the promise that the cut of the chunks does not matter.

use proptest::prelude::*;

use super::*;

type Owned = (String, String);

/// Feeds the chunks to one parser and collects what comes out.
fn parse<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
    let mut parser = EventParser::new(1024);
    let mut events = Vec::new();
    for chunk in chunks {
        parser
            .feed::<TooLong>(chunk, |event| {
                events.push((
                    String::from_utf8_lossy(event.name).into_owned(),
                    String::from_utf8_lossy(event.data).into_owned(),
                ));
                Ok(())
            })
            .unwrap();
    }
    events
}

fn data(text: &str) -> Vec<String> {
    parse([text.as_bytes()])
        .into_iter()
        .map(|(_, data)| data)
        .collect()
}

#[test]
fn the_cases_of_the_standard() {
    // The four examples of section 9.2.6.
    assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
    assert_eq!(
        data(
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
        ),
        ["first event", "second event", " third event"]
    );
    assert_eq!(data("data\n\ndata\ndata\n\ndata:"), ["", "\n"]);
    assert_eq!(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
}

#[test]
fn all_three_line_endings_end_lines() {
    for ending in ["\n", "\r\n", "\r"] {
        let text = ["event: a", "data: 1", "data: 2", "", "data: 3", "", ""].join(ending);
        assert_eq!(
            parse([text.as_bytes()]),
            [
                ("a".to_owned(), "1\n2".to_owned()),
                (String::new(), "3".to_owned())
            ],
            "{ending:?}"
        );
    }
}

#[test]
fn a_byte_order_mark_counts_only_at_the_start() {
    assert_eq!(data("\u{feff}data: 1\n\n"), ["1"]);
    assert_eq!(data("data: 1\n\n\u{feff}data: 2\n\n"), ["1"]);
    // Two of the three bytes are not a mark, and they are not lost either.
    let broken = [&b"\xef\xbb"[..], b"data: 1\n\ndata: 2\n\n"];
    assert_eq!(parse(broken), [(String::new(), "2".to_owned())]);
}

#[test]
fn the_last_event_name_counts_and_lasts_for_one_event() {
    let text = "event: a\nevent: b\ndata: 1\n\ndata: 2\n\nevent: c\n\ndata: 3\n\n";
    let names: Vec<_> = parse([text.as_bytes()])
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["b", "", ""]);
}

#[test]
fn unknown_fields_and_unfinished_events_are_read_over() {
    assert_eq!(
        data("database: 1\nfoo: 2\nretry: 5\ndata: 3\n\ndata: 4\n"),
        ["3"]
    );
}

#[test]
fn events_beyond_the_limit_are_an_error_however_they_come() {
    let long = format!("data: {}\n\n", "x".repeat(2000));
    let lines = "data: 0123456789\n".repeat(200);
    for text in [long, lines] {
        for size in [1, 7, 10_000] {
            let mut parser = EventParser::new(1024);
            let result = text
                .as_bytes()
                .chunks(size)
                .try_for_each(|chunk| parser.feed::<TooLong>(chunk, |_| Ok(())));
            assert_eq!(result, Err(TooLong { limit: 1024 }), "{size}");
        }
    }
}

#[test]
fn a_whole_event_in_one_chunk_is_not_copied() {
    let chunk = b"data: token\n\n".as_slice();
    let mut parser = EventParser::new(1024);
    parser
        .feed::<TooLong>(chunk, |event| {
            assert!(chunk.as_ptr_range().contains(&event.data.as_ptr()));
            Ok(())
        })
        .unwrap();
    assert_eq!(parser.data.capacity() + parser.line.capacity(), 0);
}

#[test]
fn frames_pass_whole_and_uncopied() {
    let mut splitter = FrameSplitter::new(64);
    let chunk = Bytes::from_static(b"data: 1\n\ndata: 2\n\n");
    let passed = splitter.push(chunk.clone()).unwrap().unwrap();
    assert_eq!(passed.as_ptr(), chunk.as_ptr());

    assert_eq!(splitter.push(Bytes::from_static(b"data: 3")).unwrap(), None);
    assert_eq!(
        splitter
            .push(Bytes::from_static(b"\r\n\r\ndata: 4"))
            .unwrap(),
        Some(Bytes::from_static(b"data: 3\r\n\r\n"))
    );
    assert!(splitter.push(Bytes::from(vec![b'x'; 64])).is_err());
}

/// Text that is likely to hit the parser's decisions.
fn stream_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "data",
        "event",
        "id",
        ":",
        " ",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "x",
        "é",
        "🙂",
        "\u{feff}",
        "data: a\n\n",
        "event: b\n",
        ": c\n",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Cuts the bytes at the given places, whatever order they come in.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

/// The standard's algorithm word by word, for the whole stream at once.
fn reference(text: &str) -> Vec<Owned> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let (mut data, mut name) = (String::new(), String::new());
    let mut events = Vec::new();
    let mut lines: Vec<_> = text.split('\n').collect();
    lines.pop();
    for line in lines {
        if line.is_empty() {
            if let Some(data) = data.strip_suffix('\n') {
                events.push((name.clone(), data.to_owned()));
            }
            data.clear();
            name.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "event" => value.clone_into(&mut name),
            _ => {}
        }
    }
    events
}

proptest! {
    #[test]
    fn the_parser_agrees_with_the_standard_however_the_stream_is_cut(
        text in stream_text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        prop_assert_eq!(parse(cut(text.as_bytes(), &cuts)), reference(&text));
    }

    #[test]
    fn any_bytes_are_taken_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        prop_assert_eq!(parse(cut(&bytes, &cuts)), parse([bytes.as_slice()]));
    }

    #[test]
    fn splitting_loses_nothing_and_cuts_between_frames(
        text in stream_text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut splitter = FrameSplitter::new(4096);
        let mut passed = Vec::new();
        for chunk in cut(text.as_bytes(), &cuts) {
            if let Some(frames) = splitter.push(Bytes::copy_from_slice(chunk)).unwrap() {
                let is_whole = [&b"\n\n"[..], b"\r\r", b"\r\n\r\n", b"\n\r\n"]
                    .iter()
                    .any(|ending| frames.ends_with(ending));
                prop_assert!(is_whole, "{:?}", frames);
                passed.extend_from_slice(&frames);
            }
        }
        passed.extend_from_slice(&splitter.take_rest());
        prop_assert_eq!(passed, text.into_bytes());
    }
}
