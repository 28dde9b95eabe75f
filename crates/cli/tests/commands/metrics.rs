//! What a server counts while people talk, and who may read it. Prometheus' own `promtool` reads it too, where it is
//! installed.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use testkit::{
    fake_model::{FakeModel, Reply},
    services::PostgreSql,
};

use crate::harness::{House, Server};

const TOKEN: &str = "a-token-for-prometheus";

/// A server that counts, and where.
struct Counting {
    server: Server,
    metrics: String,
    client: reqwest::Client,
    _house: House,
}

impl Counting {
    fn start(model: &FakeModel) -> Self {
        Self::over(model, "sqlite://./data/vestibule.db")
    }

    fn over(model: &FakeModel, database: &str) -> Self {
        let house = House::empty();
        let config = format!(
            "[storage]\nurl = \"{database}\"\npool_size = 4\n\
             [metrics]\nlisten = \"127.0.0.1:0\"\ntoken_env = \"METRICS_TOKEN\"\n\
             [[models]]\nid = \"fast\"\nkind = \"chat-completions\"\nmodel = \"fake\"\nretries = 0\nbase_url = \"{}\"\n\
             [[workflows]]\nid = \"wf_one\"\nopen = true\ntitles = \"off\"\n",
            model.base_url()
        );
        fs::write(house.path("vestibule.toml"), config).unwrap();
        let mut command = house.command(&["serve", "--dev", "--listen", "127.0.0.1:0"]);
        let server = Server::start(command.env("METRICS_TOKEN", TOKEN));
        let told = server
            .said
            .iter()
            .find(|line| line.contains("Prometheus reads"))
            .unwrap();
        let address = told
            .split("address=")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap();
        Self {
            metrics: format!("http://{address}/metrics"),
            server,
            #[expect(
                clippy::disallowed_methods,
                reason = "a bare client, as Prometheus has one"
            )]
            client: reqwest::Client::new(),
            _house: house,
        }
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

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let model = FakeModel::scripted([Reply::text(["One ", "two ", "three."])])
        .await
        .unwrap();
    let counting = Counting::start(&model);
    let server = &counting.server;
    assert!(server.say("Count.").contains("three."));
    model.push(Reply::http_error(401, "invalid_api_key", "no"));
    server.say("Fail.");
    assert_eq!(server.post("/api/chat", &[], &json!({})).0, 401);
    let metrics = counting.scrape().await;
    for (series, expected) in [
        ("vestibule_ready", 1.0),
        ("vestibule_store_up", 1.0),
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

#[tokio::test(flavor = "multi_thread")]
async fn the_health_of_postgresql_is_told() {
    let model = FakeModel::scripted([Reply::text(["Hello."])])
        .await
        .unwrap();
    let mut database = PostgreSql::start().await.unwrap();
    let counting = Counting::over(&model, &database.url());
    assert!(counting.server.say("Hello?").contains("Hello."));
    let metrics = counting.scrape().await;
    assert_eq!(value(&metrics, "vestibule_store_up"), Some(1.0));
    let connections = |state: &str| {
        let series = format!("vestibule_postgresql_connections{{state=\"{state}\"}}");
        value(&metrics, &series).unwrap()
    };
    let all = connections("idle") + connections("used");
    assert!((1.0..=4.0).contains(&all), "{metrics}");
    assert_eq!(value(&metrics, "vestibule_postgresql_waiting"), Some(0.0));
    check_with_promtool(&metrics);
    database.stop();
    // What was found a moment ago is told for a second.
    for _ in 0..100 {
        let metrics = counting.scrape().await;
        if value(&metrics, "vestibule_store_up") == Some(0.0) {
            assert_eq!(value(&metrics, "vestibule_ready"), Some(0.0));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("nobody notices that PostgreSQL is gone");
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
        eprintln!("skipped: promtool is not installed (Debian's package `prometheus` has it)");
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
    let server = Counting::start(&model);
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
    let chat = format!("http://{}/metrics", server.server.address);
    let answer = server
        .client
        .get(chat)
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
}
