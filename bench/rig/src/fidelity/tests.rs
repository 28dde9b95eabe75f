//! A faithful stream passes, and each way of being unfaithful is noticed.

use serde_json::json;

use super::*;

fn text(position: u32) -> String {
    let mut text = String::new();
    token::write(&mut text, 7, position);
    text
}

fn event(value: &serde_json::Value) -> String {
    format!("data: {value}\n\n")
}

fn delta(text: &str) -> String {
    event(
        &json!({"type": "thread.item.updated", "item_id": "msg_1", "update": {
        "type": "assistant_message.content_part.text_delta", "content_index": 0, "delta": text}}),
    )
}

fn done(text: &str) -> String {
    event(
        &json!({"type": "thread.item.done", "item": {"type": "assistant_message", "id": "msg_1",
        "content": [{"type": "output_text", "text": text, "annotations": []}]}}),
    )
}

fn check(format: Format, stream: &str, tokens: u32) -> Result<()> {
    let mut transcript = Transcript::new(format);
    let mut body = stream.as_bytes().to_vec();
    transcript.read(&mut body, |_| ())?;
    ensure!(body.is_empty(), "bytes are left over");
    transcript.finish(tokens)
}

#[test]
fn a_faithful_chatkit_stream_passes() {
    let start = event(&json!({"type": "thread.created", "thread": {"id": "thr_1"}}));
    let user = event(&json!({"type": "thread.item.done", "item": {"type": "user_message"}}));
    let stream = [
        start,
        user,
        delta(&text(0)),
        ": keep-alive\n\n".into(),
        delta(&text(1)),
        done(&(text(0) + &text(1))),
    ];
    check(Format::Chatkit, &stream.concat(), 2).unwrap();
}

#[test]
fn tokens_may_be_joined_or_cut() {
    let both = text(0) + &text(1);
    let (left, right) = both.split_at(30);
    check(Format::Chatkit, &(delta(&both) + &done(&both)), 2).unwrap();
    check(
        Format::Chatkit,
        &(delta(left) + &delta(right) + &done(&both)),
        2,
    )
    .unwrap();
}

#[test]
fn frames_may_be_cut_anywhere() {
    let stream = delta(&text(0)) + &done(&text(0));
    for cut in 0..stream.len() {
        let mut transcript = Transcript::new(Format::Chatkit);
        let mut body = stream.as_bytes()[..cut].to_vec();
        transcript.read(&mut body, |_| ()).unwrap();
        body.extend_from_slice(&stream.as_bytes()[cut..]);
        transcript.read(&mut body, |_| ()).unwrap();
        transcript.finish(1).unwrap();
    }
}

#[test]
fn a_faithful_chunk_stream_passes_with_either_line_end() {
    let chunk = |delta: serde_json::Value| json!({"choices": [{"delta": delta}], "usage": null});
    let stream = event(&chunk(json!({"role": "assistant", "content": ""})))
        + &event(&chunk(json!({"content": text(0)})))
        + &event(&chunk(json!({})))
        + "data: [DONE]\n\n";
    check(Format::Chunks, &stream, 1).unwrap();
    check(Format::Chunks, &stream.replace('\n', "\r\n"), 1).unwrap();
}

#[test]
fn a_lost_doubled_or_swapped_token_is_noticed() {
    let (zero, one) = (text(0), text(1));
    let both = zero.clone() + &one;
    for stream in [
        delta(&one) + &done(&one),
        delta(&zero) + &delta(&zero) + &done(&(zero.clone() + &zero)),
        delta(&one) + &delta(&zero) + &done(&both),
        delta(&zero) + &done(&zero),
    ] {
        assert!(check(Format::Chatkit, &stream, 2).is_err(), "{stream}");
    }
}

#[test]
fn a_wrong_or_missing_end_is_noticed() {
    assert!(check(Format::Chatkit, &delta(&text(0)), 1).is_err());
    assert!(check(Format::Chatkit, &(delta(&text(0)) + &done("")), 1).is_err());
    assert!(
        check(
            Format::Chatkit,
            &(delta(&text(0)) + &done(&text(0)) + &done(&text(0))),
            1
        )
        .is_err()
    );
    assert!(check(Format::Chatkit, &(delta("@00") + &done("@00")), 0).is_err());
}

#[test]
fn an_error_event_fails_the_stream() {
    let error =
        event(&json!({"type": "error", "code": "custom", "message": "no", "allow_retry": true}));
    assert!(
        check(Format::Chatkit, &error, 0)
            .unwrap_err()
            .to_string()
            .contains("no")
    );
}
