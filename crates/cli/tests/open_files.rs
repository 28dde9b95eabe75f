//! The real binary where only a few files may be open at once.
#![cfg(all(test, unix))]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use serde_json::{Value, json};

/// Far more than fit into 256 open files.
const CLIENTS: usize = 600;
/// Fewer than the answers that may be written at once then.
const PEOPLE: usize = 40;

/// `vestibule serve --dev` that may open 256 files and starts with a soft limit of 128.
struct Server {
    child: Child,
    address: String,
    /// Everything it wrote so far when it was ready, and the rest.
    beginning: String,
    rest: Option<JoinHandle<String>>,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new("sh")
            .args([
                "-c",
                "ulimit -Sn 128 && ulimit -Hn 256 && exec \"$0\" serve --dev --listen 127.0.0.1:0",
            ])
            .arg(env!("CARGO_BIN_EXE_vestibule"))
            .current_dir(folder)
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut beginning = String::new();
        let address = loop {
            let line = lines.next().expect("it says where it is").unwrap();
            beginning.push_str(&line);
            beginning.push('\n');
            if let Some((_, address)) = line.split_once("is ready: http://") {
                break address.to_owned();
            }
        };
        let rest = std::thread::spawn(move || lines.map_while(Result::ok).collect());
        Self {
            child,
            address,
            beginning,
            rest: Some(rest),
        }
    }

    fn send(&self, request: &str) -> TcpStream {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        socket
    }

    fn post(&self, path: &str, token: &str, body: &Value) -> TcpStream {
        let (host, body) = (&self.address, body.to_string());
        let length = body.len();
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    /// Stops it, and gives all that it wrote.
    fn stop(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.beginning.clone() + &self.rest.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_to_end(mut socket: TcpStream) -> String {
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// The status of the next answer on a connection that stays open, whose body is `ready` or the like.
fn status(socket: &mut TcpStream) -> String {
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn with_256_open_files_what_is_taken_in_works_and_the_rest_waits() {
    let folder = tempfile::tempdir().unwrap();
    let limits = "[server]\nmax_connections_per_ip = 0\n[limits]\nrequests_per_ip_per_minute = 0\n\
                  turns_per_user_at_once = 0\nturns_per_user_per_minute = 0\n";
    fs::write(folder.path().join("vestibule.toml"), limits).unwrap();
    let server = Server::start(folder.path());
    assert!(
        server.beginning.contains("limit=256") && server.beginning.contains("connections=96"),
        "the log says what was reached: {}",
        server.beginning
    );

    // More clients than fit, none of whom closes its connection. All are answered, by the database too.
    let ask = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut clients: Vec<TcpStream> = (0..CLIENTS).map(|_| server.send(ask)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(status(client), "HTTP/1.1 200 OK", "client {number}");
    }

    // While they stay: a token for a person, and as many answers as may be written at once.
    let token = read_to_end(server.post("/dev/token", "", &json!({ "user": "ada" })));
    let body = token.split_once("\r\n\r\n").expect("an answer").1;
    let token: Value = serde_json::from_str(body).unwrap();
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    let message = json!({ "type": "threads.create", "params": { "input": {
        "content": [{ "type": "input_text", "text": "hello" }],
        "attachments": [],
        "inference_options": {},
    }}});
    let turns: Vec<TcpStream> = (0..PEOPLE)
        .map(|_| server.post("/api/chat", &bearer, &message))
        .collect();
    for turn in turns {
        let answer = read_to_end(turn);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("thread.item.done"), "{answer}");
        assert!(!answer.contains("\"type\":\"error\""), "{answer}");
    }
    drop(clients);
    let log = server.stop();
    assert!(!log.contains("cannot accept"), "{log}");
    assert!(!log.contains("open files (os error"), "{log}");
}
