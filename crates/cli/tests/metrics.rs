//! What the real binary counts while people talk, and who may read it. Prometheus' own `promtool` reads it too, where it
//! is installed.
#![cfg(test)]

use std::{
    fs,
    io::{BufRead, BufReader, Write as _},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use testkit::fake_model::{FakeModel, Reply};

const TOKEN: &str = "a-token-for-prometheus";

/// A server that counts, stopped when dropped.
struct Server {
    child: Child,
    chat: String,
    metrics: String,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(model: &FakeModel) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            r#"
            [metrics]
            listen = "127.0.0.1:0"
            token_env = "METRICS_TOKEN"
            [[models]]
            id = "fast"
            kind = "chat-completions"
            base_url = "{}"
            model = "fake"
            retries = 0
            [[workflows]]
            id = "wf_one"
            open = true
            titles = "off"
            "#,
            model.base_url()
        );
        fs::write(folder.path().join("vestibule.toml"), config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_vestibule"))
            .args(["serve", "--dev", "--listen", "127.0.0.1:0"])
            .current_dir(folder.path())
            .env_clear()
            .env("METRICS_TOKEN", TOKEN)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut chat, mut metrics) = (None, None);
        while chat.is_none() || metrics.is_none() {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, address)) = line.split_once("is ready: ") {
                chat = Some(address.to_owned());
            }
            if line.contains("Prometheus reads /metrics there") {
                let address = line.split("address=").nth(1).unwrap();
                let address = address.split_whitespace().next().unwrap();
                metrics = Some(format!("http://{address}/metrics"));
            }
        }
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self {
            child,
            chat: chat.unwrap(),
            metrics: metrics.unwrap(),
            #[expect(
                clippy::disallowed_methods,
                reason = "a bare client, as Prometheus has one"
            )]
            client: reqwest::Client::new(),
            _folder: folder,
        }
    }

    async fn say(&self, text: &str) -> String {
        let answer = self
            .client
            .post(format!("{}/dev/token", self.chat))
            .json(&json!({ "user": "ada" }))
            .send()
            .await
            .unwrap();
        let token: Value = answer.json().await.unwrap();
        let message = json!({
            "type": "threads.create",
            "params": { "input": {
                "content": [{ "type": "input_text", "text": text }],
                "attachments": [], "inference_options": {},
            } },
        });
        let answer = self
            .client
            .post(format!("{}/api/chat", self.chat))
            .bearer_auth(token["token"].as_str().unwrap())
            .json(&message)
            .send()
            .await
            .unwrap();
        answer.text().await.unwrap()
    }

    async fn scrape(&self) -> String {
        let answer = self
            .client
            .get(&self.metrics)
            .bearer_auth(TOKEN)
            .send()
            .await
            .unwrap();
        assert_eq!(
            answer.headers()["content-type"],
            "text/plain; version=0.0.4; charset=utf-8"
        );
        answer.text().await.unwrap()
    }
}

/// The value of a series, by all that stands before it.
fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[tokio::test]
async fn what_happens_is_counted() {
    let model = FakeModel::scripted([Reply::text(["One ", "two ", "three."])])
        .await
        .unwrap();
    let server = Server::start(&model);
    assert!(server.say("Count.").await.contains("three."));
    model.push(Reply::http_error(401, "invalid_api_key", "no"));
    server.say("Fail.").await;
    let refused = server
        .client
        .post(format!("{}/api/chat", server.chat))
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 401);
    let metrics = server.scrape().await;
    for (series, expected) in [
        ("vestibule_ready", 1.0),
        ("vestibule_runs", 0.0),
        ("vestibule_runs_total{end=\"answer\"}", 1.0),
        ("vestibule_runs_total{end=\"error\"}", 1.0),
        (
            "vestibule_model_answers_total{model=\"fast\",end=\"complete\"}",
            1.0,
        ),
        (
            "vestibule_model_answers_total{model=\"fast\",end=\"misconfigured\"}",
            1.0,
        ),
        (
            "vestibule_model_first_token_seconds_count{model=\"fast\"}",
            1.0,
        ),
        (
            "vestibule_model_token_gap_seconds_count{model=\"fast\"}",
            2.0,
        ),
        (
            "vestibule_requests_total{method=\"POST\",path=\"/api/chat\",status=\"200\"}",
            2.0,
        ),
        (
            "vestibule_requests_total{method=\"POST\",path=\"/api/chat\",status=\"401\"}",
            1.0,
        ),
        ("vestibule_request_seconds_count{path=\"/api/chat\"}", 3.0),
    ] {
        assert_eq!(
            value(&metrics, series),
            Some(expected),
            "{series}\n{metrics}"
        );
    }
    for series in [
        "vestibule_store_seconds_count{kind=\"write\"}",
        "vestibule_store_seconds_count{kind=\"read\"}",
    ] {
        assert!(
            value(&metrics, series).is_some_and(|count| count > 0.0),
            "{series}\n{metrics}"
        );
    }
    assert!(metrics.contains("vestibule_refusals_total{"), "{metrics}");
    assert!(!metrics.contains("Count."), "nothing of what anybody said");
    check_with_promtool(&metrics);
}

/// Format and names, by Prometheus' own checker.
fn check_with_promtool(metrics: &str) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        #[expect(clippy::print_stderr, reason = "whoever runs the tests should know")]
        {
            eprintln!("skipped: promtool is not installed (Debian's package `prometheus` has it)");
        }
        return;
    };
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(metrics.as_bytes())
        .unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{complaints}\n{metrics}");
    assert_eq!(complaints, "");
}

#[tokio::test]
async fn only_whoever_has_the_token_may_read() {
    let model = FakeModel::scripted([]).await.unwrap();
    let server = Server::start(&model);
    for request in [
        server.client.get(&server.metrics),
        server.client.get(&server.metrics).bearer_auth("another"),
        server.client.get(&server.metrics).bearer_auth(""),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let body: Value = answer.json().await.unwrap();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains("metrics.token_env"), "{message}");
    }
    // The chat's own address knows nothing of it.
    let answer = server
        .client
        .get(format!("{}/metrics", server.chat))
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
}
