//! What servers that are only compatible send: whatever is odd about the fields beside it, the text
//! that a person reads is whole.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const DONE: &str = "data: [DONE]\n\n";

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    let chunk = json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] });
    format!("data: {chunk}\n\n")
}

fn text(text: &str) -> String {
    chunk(&json!({ "content": text }), None)
}

fn stop() -> String {
    chunk(&json!({}), Some("stop"))
}

/// What a person reads of a Chat Completions stream, or why it failed.
fn chat(trace: &str) -> Result<String, String> {
    read(&stream::decode(
        chat_completions::Decoder::new(Secrets::default()),
        trace.as_bytes(),
        7,
    ))
}

/// The same of the Responses API.
fn responses(trace: &str) -> Result<String, String> {
    read(&stream::decode(
        responses::Decoder::new(Secrets::default(), None),
        trace.as_bytes(),
        7,
    ))
}

fn read(told: &str) -> Result<String, String> {
    let mut answer = String::new();
    for line in told.lines() {
        if let Some(text) = line
            .strip_prefix("TextDelta(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            answer += &serde_json::from_str::<String>(text).unwrap();
        } else if line.starts_with("Completed") {
            return Ok(answer);
        } else if !line.starts_with("ReasoningDelta") {
            return Err(line.to_owned());
        }
    }
    Err("no end".to_owned())
}

#[test]
fn an_answer_of_chat_completions_is_whole_in_every_form_that_is_about() {
    let usage = r#"data: {"choices":null,"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
    let whole = json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hello" }, "finish_reason": "stop" }] });
    let think =
        "data: {\"choices\":[{\"delta\":{\"content\":\"<think>hm</think>\\n\\nHel\"}}]}\n\n";
    for (what, trace) in [
        ("as it should be", [text("Hel"), text("lo"), stop(), DONE.into()].concat()),
        ("no [DONE]", [text("Hello"), stop()].concat()),
        ("[DONE] and no reason to finish", [text("Hello"), DONE.into()].concat()),
        ("[DONE] with blanks", [text("Hello"), "data:  [DONE] \n\n".into()].concat()),
        ("no blank line behind the last event", [text("Hello"), stop().trim_end().to_owned()].concat()),
        ("a byte order mark, CRLF", format!("\u{feff}{}", [text("Hello"), stop()].concat()).replace('\n', "\r\n")),
        ("empty data, pings, comments", ["data:\n\n".to_owned(), text("Hel"), ": hm\n\nevent: ping\ndata: ping\n\ndata: {}\n\n".into(), text("lo"), stop()].concat()),
        ("the last delta is null", [text("Hello"), "data: {\"choices\":[{\"index\":0,\"delta\":null,\"finish_reason\":\"stop\"}]}\n\n".into()].concat()),
        ("choices are null beside the usage", [text("Hello"), stop(), format!("{usage}\n\n"), DONE.into()].concat()),
        ("nulls and numbers in side fields", [chunk(&json!({ "role": null, "content": "Hello", "tool_calls": null, "annotations": 7, "refusal": [] }), None), stop()].concat()),
        ("content as a list", [chunk(&json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] }] }), None), chunk(&json!({ "content": [{ "type": "text", "text": "Hel" }] }), None), text("lo"), stop()].concat()),
        ("a reason that is the word null", [chunk(&json!({ "content": "Hel" }), Some("null")), chunk(&json!({ "content": "lo" }), Some("null")), DONE.into()].concat()),
        ("a reason with each chunk", [chunk(&json!({ "content": "Hel" }), Some("stop")), chunk(&json!({ "content": "lo" }), Some("stop")), DONE.into()].concat()),
        ("a reason with the thoughts", [chunk(&json!({ "reasoning_content": "hm" }), Some("stop")), text("Hello"), stop()].concat()),
        ("a reason before the text", [stop(), text("Hello"), DONE.into()].concat()),
        ("an end of thoughts that came in their own field", [chunk(&json!({ "reasoning_content": "hm" }), None), text("</think>\n\nHello"), stop()].concat()),
        ("two stretches of thoughts", [text("<think>a</think>\n<think>b</think>\nHel"), text("lo"), stop()].concat()),
        ("no index", "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}\n\n".to_owned()),
        ("an index as text", "data: {\"choices\":[{\"index\":\"0\",\"delta\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}\n\n".to_owned()),
        ("a field twice", "data: {\"id\":1,\"id\":2,\"choices\":[],\"choices\":[{\"delta\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}\n\n".to_owned()),
        ("reasoning in the text", [think.to_owned(), text("lo"), stop()].concat()),
        ("rubbish and an error after the finish", [text("Hello"), stop(), "data: {\"error\":{\"message\":\"late\"}}\n\ndata: [1\n\n".into()].concat()),
        ("JSON in place of a stream", whole.to_string()),
        ("the same without a reason to finish", json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hello" } }] }).to_string()),
        ("all of the text so far with each piece", [text("He"), text("Hell"), text("Hello"), chunk(&json!({ "content": "Hello" }), Some("stop")), DONE.into()].concat()),
        ("a message that grows", ["data: {\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hel\"}}]}\n\n", "data: {\"choices\":[{\"index\":0,\"message\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}\n\n"].concat()),
        ("the text once more behind the end", [text("Hel"), text("lo"), stop(), text("Hello"), DONE.into()].concat()),
        ("a blank and a late error behind the end", [text("Hello"), stop(), text(" "), "data: {\"error\":\"late\"}\n\n".into()].concat().replace("\" \"", "\"\"")),
        ("progress beside the answer", [text("Hel"), "data: {\"status\":\"queued\",\"message\":\"soon\"}\n\ndata: {\"code\":200,\"message\":\"ok\"}\n\ndata: {\"detail\":{},\"event\":\"ping\"}\n\n".into(), text("lo"), stop()].concat()),
        ("text in pieces beside no delta", ["data: {\"choices\":[{\"index\":0,\"text\":\"Hel\"}]}\n\n", "data: {\"choices\":[{\"index\":0,\"text\":\"lo\",\"finish_reason\":\"stop\"}]}\n\n", DONE].concat()),
        ("a text beside no delta", ["data: {\"choices\":[{\"index\":0,\"text\":\"Hello\",\"finish_reason\":\"stop\"}]}\n\n".to_owned(), DONE.into()].concat()),
        ("events parted by one line break", [text("Hel"), text("lo"), stop(), DONE.into()].concat().replace("\n\n", "\n")),
        ("a document a line", [text("Hel"), text("lo"), stop()].concat().replace("data: ", "").replace("\n\n", "\n")),
        ("the whole message at the end", [text("Hello"), format!("data: {whole}\n\n")].concat()),
        ("nothing but the whole message", format!("data: {whole}\n\n{DONE}")),
    ] {
        assert_eq!(chat(&trace), Ok("Hello".to_owned()), "{what}");
    }
}

/// The numbers that JSON does not have, as Python writes them, line breaks that it does not allow, and both at once with
/// half a character.
#[test]
fn what_is_no_json_beside_the_text_costs_nobody_the_text() {
    let chunk = |fields: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"Hel\"}},{fields}}}\n\n"
        )
    };
    let rest = [text("lo"), stop()].concat();
    for (what, begun) in [
        ("log probabilities", chunk("\"logprobs\":NaN}]")),
        (
            "deep",
            chunk("\"logprobs\":{\"content\":[{\"logprob\":-Infinity,\"top\":[Infinity]}]}}]"),
        ),
        (
            "a cost",
            chunk("\"finish_reason\":null}],\"usage\":{\"cost\":NaN,\"prompt_tokens\":3}"),
        ),
        ("a number that is too large", chunk("\"logprobs\":1e999}]")),
        ("a reason to finish", chunk("\"finish_reason\":NaN}]")),
    ] {
        assert_eq!(
            chat(&[begun, rest.clone()].concat()),
            Ok("Hello".to_owned()),
            "{what}"
        );
    }
    let last = text("").replace(
        "\"finish_reason\":null",
        "\"logprobs\":NaN,\"finish_reason\":\"length\"",
    );
    assert!(last.contains("NaN"), "{last}");
    let decoder = chat_completions::Decoder::new(Secrets::default());
    let trace = [text("Hello"), last, "data: {\"choices\":[],\"usage\":{\"cost\":NaN,\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n".into()].concat();
    let told = stream::decode(decoder, trace.as_bytes(), 7);
    assert!(told.contains("is_truncated: true"), "{told}");
    assert!(told.contains("input_tokens: 3, output_tokens: 4"), "{told}");
    let whole = "{\n \"choices\": [{\n \"message\": {\"content\": \"NaN or Infinity\"},\n \"logprobs\": NaN\n}]\n}\n";
    assert_eq!(chat(whole), Ok("NaN or Infinity".to_owned()));
    let parted = format!(
        "data: {}\n\n{DONE}",
        whole.trim_end().replace('\n', "\ndata: ")
    );
    assert_eq!(chat(&parted), Ok("NaN or Infinity".to_owned()));
    let delta = |text: &str| {
        format!(
            "data: {{\"type\":\"response.output_text.delta\",\"delta\":\"{text}\",\"output_index\":0,\"content_index\":0,\"logprobs\":[{{\"logprob\":-Infinity}}]}}\n\n"
        )
    };
    let end = "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"top_p\":NaN,\"usage\":{\"cost\":NaN}}}\n\n";
    let trace = [
        delta("Hel"),
        delta("lo\\ud83d"),
        delta("\\ude00"),
        end.into(),
    ]
    .concat();
    assert_eq!(responses(&trace), Ok("Hello😀".to_owned()));
}

#[test]
fn what_was_cut_off_stays_cut_off() {
    for last in [stop(), chunk(&json!({ "content": "" }), Some("stop"))] {
        let trace = [
            text("Hello"),
            chunk(&json!({}), Some("length")),
            last,
            DONE.into(),
        ]
        .concat();
        let decoder = chat_completions::Decoder::new(Secrets::default());
        let told = stream::decode(decoder, trace.as_bytes(), 7);
        assert!(told.contains("is_truncated: true"), "{told}");
    }
}

#[test]
fn a_drawing_that_a_whole_message_repeats_is_told_once() {
    let image = json!([{ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } }]);
    let whole = json!({ "choices": [{ "message": { "content": "Drawn.", "images": image }, "finish_reason": "stop" }] });
    let trace = [
        chunk(&json!({ "images": image }), None),
        format!("data: {whole}\n\n"),
        DONE.to_owned(),
    ]
    .concat();
    let decoder = chat_completions::Decoder::new(Secrets::default());
    let told = stream::decode(decoder, trace.as_bytes(), 7);
    assert_eq!(told.matches("ImageGeneration").count(), 1, "{told}");
    assert!(!told.contains("Drawn."), "{told}");
}

#[test]
fn a_call_that_a_whole_message_repeats_is_made_once() {
    let call = |id: &str| json!([{ "id": id, "type": "function", "function": { "name": "x", "arguments": "{\"n\":1}" } }]);
    let whole = json!({ "choices": [{ "message": { "tool_calls": call("b") }, "finish_reason": "tool_calls" }] });
    let trace = [
        chunk(&json!({ "tool_calls": call("a") }), Some("tool_calls")),
        format!("data: {whole}\n\n"),
        DONE.to_owned(),
    ]
    .concat();
    let decoder = chat_completions::Decoder::new(Secrets::default());
    let told = stream::decode(decoder, trace.as_bytes(), 7);
    assert_eq!(told.matches("ToolCall(").count(), 1, "{told}");
}

/// "ha" and "haha" may be what is new, or all of the text so far: the piece behind them tells.
#[test]
fn a_piece_that_begins_like_the_text_is_told_whole_unless_all_of_them_do() {
    let long = "The weather is nice ";
    for (pieces, expected) in [
        (&["ha", "haha", "!"][..], "hahaha!"),
        (&["ha", "haha"], "hahaha"),
        (&["\n", "\n", "1", "10"], "\n\n110"),
        (&["no", "no", "no"], "nonono"),
        (&["1", "12", "123", "123", "1234"], "1234"),
        (
            &[
                long,
                "The weather is nice today",
                "The weather is nice today.",
            ],
            "The weather is nice today.",
        ),
        (
            &["The weather ", "is nice", "The weather is nice", "."],
            "The weather is nice.",
        ),
        (&[long, long], "The weather is nice The weather is nice "),
    ] {
        let pieces: String = pieces.iter().map(|piece| text(piece)).collect();
        assert_eq!(chat(&(pieces + &stop())), Ok(expected.to_owned()));
    }
}

#[test]
fn a_call_is_read_whole_however_its_fields_come() {
    let pieces = |list: &[Value]| -> String {
        let pieces = list
            .iter()
            .map(|piece| chunk(&json!({ "tool_calls": [piece] }), None));
        pieces.collect::<String>() + &chunk(&json!({}), Some("tool_calls")) + DONE
    };
    let function = |arguments: &str| json!({ "index": 0, "id": "a", "function": { "name": "x", "arguments": arguments } });
    for (what, trace) in [
        (
            "all so far",
            pieces(&[function("{"), function("{\"n\":"), function("{\"n\":1}")]),
        ),
        (
            "in the call itself",
            pieces(&[json!({ "index": 0, "id": "a", "name": "x", "arguments": "{\"n\":1}" })]),
        ),
    ] {
        let decoder = chat_completions::Decoder::new(Secrets::default());
        let told = stream::decode(decoder, trace.as_bytes(), 7);
        assert_eq!(told.matches("ToolCall(").count(), 1, "{what}: {told}");
        assert!(told.contains("{\\\"n\\\":1}"), "{what}: {told}");
    }
    let signed = pieces(&[
        function("{}"),
        json!({ "index": 0, "extra_content": { "google": { "thought_signature": "s" } } }),
    ]);
    let decoder = chat_completions::Decoder::new(Secrets::default());
    let told = stream::decode(decoder, signed.as_bytes(), 7);
    assert!(
        told.contains("thought_signature"),
        "a signature behind the call: {told}"
    );
}

#[test]
fn what_has_no_end_broke_off_and_an_error_is_an_error() {
    for (trace, said) in [
        (text("Hello"), "ended before its last event"),
        (String::new(), "ended before its last event"),
        (
            "data: <html>\n\n".to_owned(),
            "1 of its events were not JSON",
        ),
        (
            [text("Hello"), chunk(&json!({}), Some("error"))].concat(),
            "unavailable",
        ),
        (
            "data: {\"error\":\"model runner has unexpectedly stopped\"}\n\n".to_owned(),
            "unavailable",
        ),
        (
            "{\"error\":{\"message\":\"prompt is too long\"}}".to_owned(),
            "too long",
        ),
        (
            [text("Hello"), chunk(&json!({}), Some("content_filter"))].concat(),
            "declined",
        ),
        (
            [text("Hello"), chunk(&json!({}), Some("content_filter: RECITATION"))].concat(),
            "declined",
        ),
        (
            [text("Hello"), chunk(&json!({}), Some("network_error"))].concat(),
            "unavailable",
        ),
        (
            [text("Hello"), "data: {\"object\":\"error\",\"message\":\"maximum context length is 4096\",\"code\":400}\n\n".into()].concat(),
            "too long",
        ),
        (
            [text("Hello"), "data: [{\"error\":{\"code\":429,\"message\":\"quota\"}}]\n\n".into()].concat(),
            "rate limit",
        ),
        (
            "[{\"error\":{\"code\":429,\"message\":\"quota\"}}]".to_owned(),
            "rate limit",
        ),
        (
            [text("Hello"), "event: error\ndata: {\"message\":\"busy\"}\n\n".into(), DONE.into()].concat(),
            "unavailable",
        ),
        (
            [text("Hello"), "event: error\ndata: the model has gone\n\n".into(), DONE.into()].concat(),
            "unavailable",
        ),
        (
            [text("Hello"), "data: {\"detail\":\"Too many requests\"}\n\n".into(), DONE.into()].concat(),
            "unavailable",
        ),
        (
            [text("Hello"), "data: {\"choices\":[{\"index\":0,\"error\":{\"code\":502,\"message\":\"down\"}}]}\n\n".into(), DONE.into()].concat(),
            "unavailable",
        ),
        (
            "data: {\"choices\":null,\"base_resp\":{\"status_code\":1002,\"status_msg\":\"rate limit\"}}\n\n".to_owned(),
            "rate limit",
        ),
        (
            "data: {\"choices\":null,\"base_resp\":{\"status_code\":1008,\"status_msg\":\"insufficient balance\"}}\n\n".to_owned(),
            "unavailable",
        ),
        (
            "data: {\"error\":[\"`inputs` must have less than 1024 tokens\"]}\n\n".to_owned(),
            "too long",
        ),
        (
            "data: {\"error\":{\"code\":400,\"message\":\"Provider returned error\",\"metadata\":{\"raw\":\"prompt is too long: 210000 tokens\"}},\"choices\":[]}\n\n".to_owned(),
            "too long",
        ),
        // A reason with each chunk is none: what breaks off then broke off.
        (
            [chunk(&json!({ "content": "Hel" }), Some("stop")), chunk(&json!({ "content": "lo" }), Some("stop")), "data: {\"error\":\"gone\"}\n\n".into()].concat(),
            "unavailable",
        ),
    ] {
        let told = chat(&trace).unwrap_err();
        assert!(told.contains(said), "{trace}: {told}");
    }
}

#[test]
fn an_endless_event_behind_a_whole_answer_costs_nobody_the_answer() {
    let endless = "x".repeat(5 * 1024 * 1024);
    let trace = [text("Hello"), stop(), format!("data: {endless}")].concat();
    let decoder = chat_completions::Decoder::new(Secrets::default());
    let told = stream::decode(decoder, trace.as_bytes(), 64 * 1024);
    assert_eq!(read(&told), Ok("Hello".to_owned()));
}

fn event(kind: &str, mut fields: Value) -> String {
    fields["type"] = json!(kind);
    format!("event: {kind}\ndata: {fields}\n\n")
}

fn message(text: &str) -> Value {
    json!({ "type": "message", "content": [{ "type": "output_text", "text": text, "annotations": [] }] })
}

#[test]
fn an_answer_of_the_responses_api_is_whole_in_every_form_that_is_about() {
    let delta = |text: &str, output: u32| {
        let fields = json!({ "delta": text, "output_index": output, "content_index": 0 });
        event("response.output_text.delta", fields)
    };
    let completed = |output: Value| {
        let response = json!({ "status": "completed", "output": output });
        event("response.completed", json!({ "response": response }))
    };
    let said = |text: &str| {
        let fields = json!({ "output_index": 0, "content_index": 0, "text": text });
        event("response.output_text.done", fields)
    };
    let item = event(
        "response.output_item.done",
        json!({ "output_index": 0, "item": message("Hello") }),
    );
    let reasoning = json!({ "type": "reasoning", "summary": [] });
    for (what, trace) in [
        ("as it should be", [delta("Hel", 0), delta("lo", 0), said("Hello"), item.clone(), completed(json!([message("Hello")]))].concat()),
        ("behind reasoning, counted from 0", [delta("Hello", 0), completed(json!([reasoning, message("Hello")]))].concat()),
        ("in the closing events only", [said("Hello"), item.clone(), completed(json!([message("Hello")]))].concat()),
        ("in the item only", [item, completed(json!([]))].concat()),
        ("at the end only", completed(json!([reasoning, message("Hello")]))),
        ("JSON in place of a stream", json!({ "object": "response", "status": "completed", "error": null, "output": [message("Hello")] }).to_string()),
        ("[DONE] and no last event", [delta("Hello", 0), DONE.into()].concat()),
        ("`response.done` as the last event", [delta("Hello", 0), event("response.done", json!({ "response": { "status": "completed" } }))].concat()),
        ("the last deltas missing", [delta("Hel", 0), said("Hello"), completed(json!([message("Hello")]))].concat()),
        ("as the shorthand alone", json!({ "object": "response", "status": "completed", "output": [], "output_text": "Hello" }).to_string()),
        ("thoughts as a part of their own", [event("response.content_part.done", json!({ "output_index": 0, "content_index": 0, "part": { "type": "reasoning_text", "text": "hm" } })), delta("Hello", 1), completed(json!([]))].concat()),
        ("thoughts in the text", [delta("<think>hm</think>\n\nHel", 0), delta("lo", 0), completed(json!([]))].concat()),
        ("nulls", [event("response.created", json!({ "response": null })), delta("Hello", 0), event("response.completed", json!({ "response": null }))].concat()),
        ("unnamed events", [delta("Hello", 0), completed(json!([]))].concat().replace("event: response.output_text.delta\n", "")),
    ] {
        assert_eq!(responses(&trace), Ok("Hello".to_owned()), "{what}");
    }
    let two = [
        delta("Let me look.", 0),
        delta("## Answer", 1),
        completed(json!([])),
    ]
    .concat();
    assert_eq!(responses(&two), Ok("Let me look.\n\n## Answer".to_owned()));
}

#[test]
fn what_stands_only_in_the_last_event_is_told_and_nothing_else_of_it() {
    let delta = |text: &str, output: u32| {
        let fields = json!({ "delta": text, "output_index": output, "content_index": 0, "item_id": format!("m{output}") });
        event("response.output_text.delta", fields)
    };
    let done = |text: &str, output: u32| {
        let fields = json!({ "item": message(text), "output_index": output });
        event("response.output_item.done", fields)
    };
    let completed = |output: Value| {
        let response = json!({ "status": "completed", "output": output });
        event("response.completed", json!({ "response": response }))
    };
    let reasoning = json!({ "type": "reasoning", "summary": [] });
    let refusal =
        json!({ "type": "message", "content": [{ "type": "refusal", "refusal": "I must not." }] });
    let parts = json!({ "type": "message", "content": [{ "type": "output_text", "text": "One." }, { "type": "output_text", "text": " Two." }] });
    for (what, trace, expected) in [
        (
            "a message",
            [
                delta("One.", 0),
                completed(json!([message("One."), message("Two.")])),
            ]
            .concat(),
            "One.\n\nTwo.",
        ),
        (
            "a refusal",
            [
                delta("One.", 0),
                completed(json!([message("One."), refusal])),
            ]
            .concat(),
            "One.\n\nI must not.",
        ),
        (
            "a message before the one that was streamed",
            [
                delta("Two.", 1),
                completed(json!([message("One."), message("Two.")])),
            ]
            .concat(),
            "Two.\n\nOne.",
        ),
        (
            "behind reasoning, counted from 0",
            [
                delta("One.", 0),
                completed(json!([reasoning, message("One."), message("Two.")])),
            ]
            .concat(),
            "One.\n\nTwo.",
        ),
        (
            "counted otherwise",
            [
                delta("One.", 1),
                completed(json!([message("One."), message("Two.")])),
            ]
            .concat(),
            "One.\n\nTwo.",
        ),
        (
            "a third",
            [
                delta("One.", 0),
                delta("Two.", 1),
                completed(json!([message("One."), message("Two."), message("Three.")])),
            ]
            .concat(),
            "One.\n\nTwo.\n\nThree.",
        ),
        (
            "a part",
            [delta("One.", 0), completed(json!([parts]))].concat(),
            "One.\n\n Two.",
        ),
        (
            "messages of which only their ends told, and the last event has none",
            [
                delta("One.", 0),
                done("One.", 0),
                done("Two.", 1),
                done("Two.", 1),
                done("Three.", 2),
                completed(json!([])),
            ]
            .concat(),
            "One.\n\nTwo.\n\nThree.",
        ),
        (
            "the same, and the last event has them",
            [
                delta("One.", 0),
                done("Two.", 1),
                completed(json!([message("One."), message("Two.")])),
            ]
            .concat(),
            "One.\n\nTwo.",
        ),
        (
            "nothing but the end of the message that was streamed, in other words",
            [
                delta("One【1】.", 0),
                done("One.", 0),
                completed(json!([reasoning])),
            ]
            .concat(),
            "One【1】.",
        ),
        (
            "behind a blank",
            [delta(" ", 0), completed(json!([message("One.")]))].concat(),
            " \n\nOne.",
        ),
        (
            "thoughts were streamed",
            [
                delta("<think>hm</think>One.", 0),
                completed(json!([message("One."), message("Two.")])),
            ]
            .concat(),
            "One.\n\nTwo.",
        ),
        (
            "the last deltas",
            [delta("On", 0), completed(json!([message("One.")]))].concat(),
            "One.",
        ),
        (
            "nothing",
            [delta("One.", 0), completed(json!([message("One.")]))].concat(),
            "One.",
        ),
        (
            "nothing but other marks",
            [
                delta("One【1】.", 0),
                completed(json!([reasoning, message("One.")])),
            ]
            .concat(),
            "One【1】.",
        ),
        (
            "nothing but blanks",
            [
                delta("\n\nOne.\n", 0),
                completed(json!([message("One."), message("")])),
            ]
            .concat(),
            "\n\nOne.\n",
        ),
        (
            "nothing, in one piece",
            [
                delta("One.", 0),
                delta("Two.", 1),
                completed(json!([message("One.\n\nTwo.")])),
            ]
            .concat(),
            "One.\n\nTwo.",
        ),
        (
            "nothing, in other pieces",
            [
                delta("One. Two.", 0),
                completed(json!([message("One."), message("Two.")])),
            ]
            .concat(),
            "One. Two.",
        ),
    ] {
        assert_eq!(responses(&trace), Ok(expected.to_owned()), "{what}");
    }
    let call = |id: &str| json!({ "type": "function_call", "call_id": id, "name": "x", "arguments": format!("{{\"id\":\"{id}\"}}") });
    let done = event(
        "response.output_item.done",
        json!({ "output_index": 1, "item": call("a") }),
    );
    let cited = json!({ "type": "message", "content": [{ "type": "output_text", "text": "Two.", "annotations": [{ "type": "url_citation", "url": "https://x.example", "title": "X", "end_index": 4 }] }] });
    let end = completed(json!([message("One."), call("a"), call("b"), cited]));
    let decoder = responses::Decoder::new(Secrets::default(), None);
    let told = stream::decode(
        decoder,
        [delta("One.", 0), done, end].concat().as_bytes(),
        7,
    );
    assert_eq!(told.matches("ToolCall(").count(), 2, "{told}");
    assert!(told.contains("Two."), "{told}");
    assert!(told.contains("index: Some(10)"), "{told}");
}

#[test]
fn thoughts_in_the_text_are_no_part_of_the_answer_of_either_api() {
    for text in [
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hello<|return|>",
        "<|start|>assistant<|channel|>analysis<|message|>hm<|end|><|channel|>final<|message|>Hello",
        "<thought>hm</thought>\n\nHello",
        "<reasoning>hm</reasoning>Hello",
    ] {
        let cut = text.len() / 2;
        let pieces = [&text[..cut], &text[cut..]];
        let chunks = pieces.map(self::text).concat() + &stop();
        assert_eq!(chat(&chunks), Ok("Hello".to_owned()), "{text}");
        let deltas = pieces.map(|piece| {
            event(
                "response.output_text.delta",
                json!({ "delta": piece, "output_index": 0, "content_index": 0 }),
            )
        });
        let completed = json!({ "response": { "status": "completed", "output": [message(text)] } });
        let deltas = deltas.concat() + &event("response.completed", completed);
        assert_eq!(responses(&deltas), Ok("Hello".to_owned()), "{text}");
    }
}

#[test]
fn a_call_of_the_responses_api_is_made_once_wherever_its_arguments_stand() {
    let call = |arguments: &str| json!({ "type": "function_call", "id": "fc_1", "call_id": "c1", "name": "x", "arguments": arguments });
    let added = event(
        "response.output_item.added",
        json!({ "output_index": 0, "item": call("") }),
    );
    let piece = |text: &str| {
        let fields = json!({ "item_id": "fc_1", "output_index": 0, "delta": text });
        event("response.function_call_arguments.delta", fields)
    };
    let whole = event(
        "response.function_call_arguments.done",
        json!({ "item_id": "fc_1", "output_index": 0, "arguments": "{\"n\":1}" }),
    );
    let over = |arguments: &str| {
        let fields = json!({ "output_index": 0, "item": call(arguments) });
        event("response.output_item.done", fields)
    };
    let completed = |output: Value| {
        let response = json!({ "status": "completed", "output": output });
        event("response.completed", json!({ "response": response }))
    };
    let pieces = [added.clone(), piece("{\"n\":"), piece("1}")].concat();
    for (what, trace) in [
        (
            "as it should be",
            [
                pieces.clone(),
                whole.clone(),
                over("{\"n\":1}"),
                completed(json!([call("{\"n\":1}")])),
            ]
            .concat(),
        ),
        (
            "not in the item",
            [
                pieces.clone(),
                whole.clone(),
                over(""),
                completed(json!([])),
            ]
            .concat(),
        ),
        (
            "nor in the last event",
            [pieces.clone(), over("{}"), completed(json!([]))].concat(),
        ),
        (
            "no item",
            [pieces.clone(), whole.clone(), completed(json!([]))].concat(),
        ),
        (
            "no item, and no end of the pieces",
            [pieces, completed(json!([]))].concat(),
        ),
        (
            "no pieces, and no item",
            [added, whole, completed(json!([]))].concat(),
        ),
        ("at the end alone", completed(json!([call("{\"n\":1}")]))),
        (
            "where its arguments end alone",
            [
                event(
                    "response.function_call_arguments.done",
                    json!({ "item_id": "fc_1", "output_index": 0, "name": "x", "arguments": "{\"n\":1}" }),
                ),
                completed(json!([])),
            ]
            .concat(),
        ),
    ] {
        let decoder = responses::Decoder::new(Secrets::default(), None);
        let told = stream::decode(decoder, trace.as_bytes(), 7);
        let calls: Vec<&str> = told
            .lines()
            .filter(|line| line.starts_with("ToolCall"))
            .collect();
        assert_eq!(calls.len(), 1, "{what}: {told}");
        assert!(calls[0].contains("{\\\"n\\\":1}"), "{what}: {told}");
    }
}

#[test]
fn a_response_that_failed_is_an_error_however_it_says_so() {
    for (trace, said) in [
        (
            event(
                "response.completed",
                json!({ "response": { "status": "failed", "error": { "code": "server_error", "message": "no" } } }),
            ),
            "unavailable",
        ),
        (
            event(
                "response.completed",
                json!({ "response": { "status": "failed", "error": null } }),
            ),
            "unavailable",
        ),
        (
            event("response.failed", json!({ "response": null })),
            "unavailable",
        ),
        (
            event(
                "error",
                json!({ "error": { "code": "rate_limit_exceeded" } }),
            ),
            "rate limit",
        ),
        (
            event("error", json!({ "code": "context_length_exceeded" })),
            "too long",
        ),
        (
            "{\"error\":{\"code\":\"insufficient_quota\"}}".to_owned(),
            "rate limit",
        ),
        (
            "event: error\ndata: the model has gone\n\n".to_owned(),
            "unavailable",
        ),
        ("[{\"error\":{\"code\":429}}]".to_owned(), "rate limit"),
    ] {
        let told = responses(&trace).unwrap_err();
        assert!(told.contains(said), "{trace}: {told}");
    }
}

/// The places in a chunk that are neither text, call nor end.
const SIDE_FIELDS: &[&str] = &[
    "/id",
    "/object",
    "/created",
    "/model",
    "/usage",
    "/error",
    "/system_fingerprint",
    "/choices/0/index",
    "/choices/0/logprobs",
    "/choices/0/delta/role",
    "/choices/0/delta/tool_calls",
    "/choices/0/delta/refusal",
    "/choices/0/delta/annotations",
    "/choices/0/delta/reasoning_content",
];

/// What stands there instead: nothing that would be an error, a call or text of its own.
fn oddity() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!(false)),
        Just(json!(0)),
        Just(json!("")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, 1, {}])),
    ]
}

proptest! {
    #[test]
    fn no_side_field_can_spoil_an_answer(
        pieces in proptest::collection::vec("[a-zé😀 ]{1,6}", 1..5),
        odd in proptest::collection::vec((0..SIDE_FIELDS.len(), oddity()), 0..6),
        noise in proptest::collection::vec(prop_oneof![Just("data:\n\n"), Just(": x\n\n"), Just("data: ping\n\n"), Just("data: null\n\n"), Just("data: [7]\n\n")], 0..3),
    ) {
        let mut trace = noise.concat();
        for piece in &pieces {
            let mut body = json!({ "id": "x", "choices": [{ "index": 0, "delta": { "content": piece }, "finish_reason": null }] });
            for (place, value) in &odd {
                let (parent, name) = SIDE_FIELDS[*place].rsplit_once('/').unwrap();
                // A list of calls with rubbish in it is not a side field any more.
                if (name == "tool_calls" && value.as_array().is_some_and(|list| !list.is_empty()))
                    || (name == "index" && *value == json!(""))
                {
                    continue;
                }
                body.pointer_mut(parent).unwrap()[name] = value.clone();
            }
            trace.extend(["data: ", &body.to_string(), "\n\n"]);
            trace += &noise.concat();
        }
        trace += &stop();
        let expected = pieces.concat();
        prop_assert_eq!(chat(&trace), Ok(expected));
    }
}

#[test]
fn a_completed_answer_with_all_its_tokens_was_cut_off() {
    let ends = |tokens: u32, output: Value| {
        let response = json!({
            "status": "completed", "output": output, "usage": { "input_tokens": 9, "output_tokens": tokens },
        });
        let event = json!({ "type": "response.completed", "response": response });
        let limit = std::num::NonZeroU32::new(16);
        let decoder = responses::Decoder::new(Secrets::default(), limit);
        stream::decode(decoder, format!("data: {event}\n\n").as_bytes(), 7)
    };
    let text =
        json!([{ "type": "message", "content": [{ "type": "output_text", "text": "Hel" }] }]);
    assert!(ends(16, text.clone()).contains("is_truncated: true"));
    assert!(ends(15, text).contains("is_truncated: false"));
    // What is announced as a call is a whole one.
    let call = json!([{ "type": "function_call", "call_id": "c", "name": "n", "arguments": "{}" }]);
    assert!(ends(16, call).contains("is_truncated: false"));
}
