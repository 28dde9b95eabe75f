//! Runs over HTTP: what frames, headers and statuses say, and what closing a connection means.

use std::time::Duration;

use futures::StreamExt;
use http::header;
use serde_json::{Value, json};
use testkit::fake_model::{FakeModel, Reply};

use crate::harness::{APP_ORIGIN, Options, TestApp, answer_text, events, new_message};

async fn holding(replies: impl IntoIterator<Item = Reply>) -> (TestApp, FakeModel) {
    with(replies, Options::default()).await
}

async fn with(replies: impl IntoIterator<Item = Reply>, options: Options) -> (TestApp, FakeModel) {
    let model = FakeModel::scripted(replies).await.unwrap();
    let app = TestApp::with(Options {
        model: Some(model.base_url()),
        ..options
    })
    .await;
    (app, model)
}

/// A stream that is being read.
struct Open {
    answer: reqwest::Response,
    seen: String,
}

impl Open {
    async fn until(&mut self, text: &str) -> &str {
        while !self.seen.contains(text) {
            let chunk = self.answer.chunk().await.unwrap();
            let chunk = chunk.unwrap_or_else(|| panic!("ended before {text}: {}", self.seen));
            self.seen += std::str::from_utf8(&chunk).unwrap();
        }
        &self.seen
    }

    async fn rest(mut self) -> String {
        while let Some(chunk) = self.answer.chunk().await.unwrap() {
            self.seen += std::str::from_utf8(&chunk).unwrap();
        }
        self.seen
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.answer.headers().get(name)?.to_str().ok()
    }

    fn thread(&self) -> String {
        events(&self.seen)[0]["thread"]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

async fn send(app: &TestApp, body: &Value, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = app
        .post("/api/chat")
        .bearer_auth(app.token("ada"))
        .json(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn open(app: &TestApp, body: &Value, headers: &[(&str, &str)]) -> Open {
    let answer = send(app, body, headers).await;
    assert_eq!(answer.status(), 200);
    Open {
        answer,
        seen: String::new(),
    }
}

const RESUME: (&str, &str) = ("vestibule-client", "resume");

fn resume(thread: &str) -> Value {
    json!({ "type": "threads.resume", "params": { "thread_id": thread } })
}

fn add(thread: &str, text: &str) -> Value {
    json!({ "type": "threads.add_user_message", "params": {
        "thread_id": thread, "input": new_message(text)["params"]["input"],
    }})
}

fn cancel(thread: &str) -> Value {
    json!({ "type": "threads.cancel", "params": { "thread_id": thread } })
}

/// The positions of a stream's frames, each with the event that it ends.
fn positions(stream: &str) -> Vec<(u64, Value)> {
    stream
        .split_terminator("\n\n")
        .filter(|frame| !frame.starts_with(':'))
        .map(|frame| {
            let (id, data) = frame.split_once("\ndata: ").expect("an id and data");
            let (_run, position) = id.strip_prefix("id: ").unwrap().rsplit_once(':').unwrap();
            (
                position.parse().unwrap(),
                serde_json::from_str(data).unwrap(),
            )
        })
        .collect()
}

fn span(event: &Value) -> u64 {
    event["update"]["delta"]
        .as_str()
        .map_or(1, |delta| delta.len() as u64)
}

async fn refused(app: &TestApp, body: &Value, headers: &[(&str, &str)]) -> (u16, String) {
    let answer = send(app, body, headers).await;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap();
    (status, body["error"]["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn each_frame_says_where_it_ends_and_any_of_them_is_a_place_to_go_on_from() {
    let (app, model) = holding([Reply::text(["Grüß", " dich, ", "😀 Welt"]).and_hold()]).await;
    let mut first = open(&app, &new_message("hi"), &[RESUME]).await;
    let run = first.header("vestibule-run").unwrap().to_owned();
    first.until("Welt").await;
    let (thread, seen) = (first.thread(), first.seen.clone());
    let loaded = send(
        &app,
        &json!({ "type": "threads.get_by_id", "params": { "thread_id": thread } }),
        &[],
    )
    .await;
    assert_eq!(loaded.headers()["vestibule-run"], run.as_str());
    let loaded: Value = loaded.json().await.unwrap();
    assert_eq!(loaded["metadata"]["vestibule_run"], run.as_str());
    // Lost.
    drop(first);
    let frames = positions(&seen);
    let mut expected = 0;
    for (position, event) in &frames {
        expected += span(event);
        assert_eq!(*position, expected, "{event}");
    }
    for (index, (position, _)) in frames.iter().enumerate() {
        let place = format!("{run}:{position}");
        let by_header = open(&app, &resume(&thread), &[RESUME, ("last-event-id", &place)]).await;
        let mut body = resume(&thread);
        body["params"]["after"] = json!(place);
        let by_field = open(&app, &body, &[RESUME]).await;
        for mut reader in [by_header, by_field] {
            assert_eq!(reader.header("vestibule-run"), Some(&*run));
            let is_last = index + 1 == frames.len();
            if !is_last {
                reader.until("Welt").await;
                let again = positions(&reader.seen);
                let said = |frames: &[(u64, Value)]| -> String {
                    frames
                        .iter()
                        .filter_map(|(_, event)| event["update"]["delta"].as_str())
                        .collect()
                };
                assert_eq!(said(&again), said(&frames[index + 1..]));
                assert_eq!(again.last().unwrap().0, frames.last().unwrap().0);
            }
        }
    }
    model.release();
}

#[tokio::test]
async fn who_does_not_say_that_ids_are_of_use_gets_frames_of_data_alone() {
    let (app, _model) = holding([Reply::text(["one", " two"]), Reply::text(["three"])]).await;
    let plain = open(&app, &new_message("hi"), &[]).await;
    assert!(plain.header("vestibule-run").is_some());
    let text = plain.rest().await;
    for frame in text.split_terminator("\n\n") {
        let data = frame.strip_prefix("data: ").expect("a line of data");
        serde_json::from_str::<Value>(data).expect("JSON and nothing else");
    }
    assert_eq!(answer_text(&events(&text)), "one two");
}

#[tokio::test]
async fn a_run_whose_reader_is_lost_goes_on_and_one_whose_reader_closes_stops() {
    let (app, model) = holding([
        Reply::text(["half"]).and_hold().and_text([" and whole"]),
        Reply::text(["half"]).and_hold(),
    ])
    .await;
    let mut lost = open(&app, &new_message("one"), &[RESUME]).await;
    lost.until("half").await;
    let thread = lost.thread();
    drop(lost);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let back = open(&app, &resume(&thread), &[RESUME]).await;
    model.release();
    assert_eq!(answer_text(&events(&back.rest().await)), "half and whole");

    let mut closed = open(&app, &add(&thread, "two"), &[]).await;
    closed.until("half").await;
    drop(closed);
    model.wait_for_disconnects(1).await;
}

#[tokio::test]
async fn stop_is_a_request_that_ends_the_model_and_its_stream_in_words_whatever_the_limits() {
    let options = Options {
        rates: server::Rates {
            turns_per_user: server::Rate::per_minute(1),
            ..Options::default().rates
        },
        ..Options::default()
    };
    let (app, model) = with([Reply::text(["half"]).and_hold()], options).await;
    let mut stream = open(&app, &new_message("one"), &[RESUME]).await;
    stream.until("half").await;
    let thread = stream.thread();
    assert_eq!(send(&app, &add(&thread, "two"), &[]).await.status(), 429);
    let second = open(&app, &resume(&thread), &[RESUME]).await;
    let stopped = send(&app, &cancel(&thread), &[]).await;
    assert_eq!(stopped.text().await.unwrap(), "{}");
    let begun = tokio::time::Instant::now();
    model.wait_for_disconnects(1).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    for reader in [stream, second] {
        let found = events(&reader.rest().await);
        assert_eq!(answer_text(&found), "half");
        let last = found.last().unwrap();
        assert_eq!(
            (last["type"].as_str(), last["level"].as_str()),
            (Some("notice"), Some("info"))
        );
    }
    // Nothing to stop is no error.
    assert_eq!(send(&app, &cancel(&thread), &[]).await.status(), 200);
    assert_eq!(
        refused(&app, &resume(&thread), &[RESUME]).await,
        (404, "run_not_found".to_owned())
    );
}

#[tokio::test]
async fn a_message_that_waits_is_named_and_statuses_say_what_is_wrong() {
    let replies = [
        Reply::text(["half"]).and_hold().and_text(["."]),
        Reply::text(["two"]),
    ];
    let (app, model) = holding(replies).await;
    let mut first = open(&app, &new_message("one"), &[RESUME]).await;
    first.until("half").await;
    let thread = first.thread();
    let mut second = open(&app, &add(&thread, "two"), &[RESUME]).await;
    second.until("progress_update").await;
    let item = events(&second.seen)[0]["item"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(second.header("vestibule-queued"), Some(&*item));
    let mut take_back = cancel(&thread);
    take_back["params"]["item_id"] = json!("cti_00000000000000000000000000000000");
    assert_eq!(
        refused(&app, &take_back, &[]).await,
        (404, "not_queued".to_owned())
    );
    for key in ["", "two words", "ä"] {
        let answer = send(&app, &add(&thread, "x"), &[("idempotency-key", key)]).await;
        assert_eq!(answer.status(), 400, "{key}");
    }
    model.release();
    assert_eq!(answer_text(&events(&second.rest().await)), "two");
    assert_eq!(answer_text(&events(&first.rest().await)), "half.");
}

#[tokio::test]
async fn a_thread_that_takes_no_message_meanwhile_says_so() {
    let options = Options {
        busy: engine::Busy::Reject,
        ..Options::default()
    };
    let (app, model) = with([Reply::text(["half"]).and_hold()], options).await;
    let mut first = open(&app, &new_message("one"), &[]).await;
    first.until("half").await;
    let busy = refused(&app, &add(&first.thread(), "two"), &[]).await;
    assert_eq!(busy, (409, "thread_busy".to_owned()));
    model.release();
}

#[tokio::test]
async fn a_request_under_the_same_key_is_answered_by_the_same_run() {
    let (app, model) = holding([Reply::text(["half"]).and_hold().and_text([" and whole"])]).await;
    let key = ("idempotency-key", "3f1d3c1e-4b1a-4c7e-9d52-0e6b1e0f7c11");
    let mut first = open(&app, &new_message("one"), &[RESUME, key]).await;
    first.until("half").await;
    let again = open(&app, &new_message("one"), &[RESUME, key]).await;
    assert_eq!(again.header("vestibule-run"), first.header("vestibule-run"));
    let other = refused(&app, &new_message("another"), &[key]).await;
    assert_eq!(other, (422, "idempotency_key_reused".to_owned()));
    model.release();
    assert_eq!(first.rest().await, again.rest().await);
    assert_eq!(model.requests().len(), 1);
}

#[tokio::test]
async fn pages_of_other_origins_may_send_and_read_the_headers_of_runs() {
    let (app, _model) = holding([Reply::text(["hi"])]).await;
    let origin = ("origin", APP_ORIGIN);
    let stream = open(&app, &new_message("one"), &[RESUME, origin]).await;
    let exposed = stream.header("access-control-expose-headers").unwrap();
    assert!(
        exposed.contains("vestibule-run") && exposed.contains("vestibule-queued"),
        "{exposed}"
    );
    let preflight = app
        .client
        .request(
            http::Method::OPTIONS,
            format!("http://{}/api/chat", app.address),
        )
        .header(header::ORIGIN, APP_ORIGIN)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
        .header(
            header::ACCESS_CONTROL_REQUEST_HEADERS,
            "idempotency-key,last-event-id,vestibule-client",
        )
        .send()
        .await
        .unwrap();
    let allowed = preflight.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS]
        .to_str()
        .unwrap();
    for name in ["idempotency-key", "last-event-id", "vestibule-client"] {
        assert!(allowed.contains(name), "{allowed}");
    }
}

#[tokio::test]
async fn a_late_reader_of_a_long_answer_gets_it_in_few_pieces() {
    let words = std::iter::repeat_n("seven. ", 5_000);
    let (app, model) = holding([Reply::text(words).and_hold()]).await;
    let mut first = open(&app, &new_message("one"), &[RESUME]).await;
    first.until("thread.created").await;
    let thread = first.thread();
    let mut stream = first.answer.bytes_stream();
    let mut bytes = 0;
    while bytes < 35_000 {
        bytes += stream.next().await.unwrap().unwrap().len();
    }
    let mut late = open(&app, &resume(&thread), &[RESUME]).await;
    let mut said = 0;
    while said < 35_000 {
        let chunk = late.answer.chunk().await.unwrap().expect("more");
        late.seen += std::str::from_utf8(&chunk).unwrap();
        said = positions(&late.seen[..late.seen.rfind("\n\n").map_or(0, |end| end + 2)])
            .iter()
            .filter_map(|(_, event)| event["update"]["delta"].as_str())
            .map(str::len)
            .sum();
    }
    assert_eq!(said, 35_000);
    model.release();
}
