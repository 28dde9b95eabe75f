//! A folder to run commands in, and a server that runs beside them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder to run in.
pub(crate) struct House {
    pub(crate) folder: TempDir,
}

impl House {
    /// With an empty database.
    pub(crate) fn new() -> Self {
        let house = Self::empty();
        house.run(&["migrate"]);
        house
    }

    /// Without anything.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear();
        command
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.run_with(arguments, "");
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            errors(&output)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Runs a command that must fail, and gives what it complained about.
    pub(crate) fn refuse(&self, arguments: &[&str]) -> String {
        let output = self.run_with(arguments, "");
        assert!(!output.status.success(), "{arguments:?} succeeded");
        errors(&output)
    }

    /// Runs a command until it prints such a line on standard error; all of its lines until then.
    pub(crate) fn log_until(&self, arguments: &[&str], text: &str) -> Vec<String> {
        let mut child = self
            .command(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut read = Vec::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            read.push(line.unwrap());
            if read.last().is_some_and(|line| line.contains(text)) {
                break;
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        read
    }

    pub(crate) fn serve(&self, arguments: &[&str]) -> Server {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        Server::start(&mut self.command(&arguments))
    }
}

/// A request that begins a conversation.
pub(crate) fn first_message(text: &str) -> Value {
    json!({
        "type": "threads.create",
        "params": { "input": {
            "content": [{ "type": "input_text", "text": text }],
            "attachments": [], "inference_options": {},
        } },
    })
}

pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running server, stopped when dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it says that it is: host and port.
    pub(crate) address: String,
    /// What it has said until then.
    pub(crate) said: Vec<String>,
}

impl Server {
    /// Starts what has to be a `serve`, and waits until it says that it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let line = lines.next().expect("the server says where it is").unwrap();
            if let Some((_, address)) = line.split_once("is ready: ") {
                break address.split_once("://").unwrap().1.to_owned();
            }
            said.push(line);
        };
        // Keeps the pipe open and empty, so that the server never waits for a reader of its log.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self {
            child,
            address,
            said,
        }
    }

    /// Has a person of the development issuer begin a conversation; all that the server streams.
    pub(crate) fn say(&self, text: &str) -> String {
        let (_, token) = self.post("/dev/token", &[], &json!({ "user": "ada" }));
        let token: Value = serde_json::from_str(&token).unwrap();
        let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
        self.post(
            "/api/chat",
            &[("Authorization", &bearer)],
            &first_message(text),
        )
        .1
    }

    /// One HTTP/1.1 exchange by hand: status and body.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> (u16, String) {
        let mut stream = self.begin(path, headers, body);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    /// Sends a text file as the element does; its id.
    pub(crate) fn upload(&self, headers: &[(&str, &str)], text: &str) -> String {
        self.upload_file(headers, ("list.txt", "text/plain"), text.as_bytes())
    }

    /// Sends a file of this name and type; its id.
    pub(crate) fn upload_file(
        &self,
        headers: &[(&str, &str)],
        (name, media_type): (&str, &str),
        bytes: &[u8],
    ) -> String {
        let head = format!(
            "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: {media_type}\r\n\r\n"
        );
        let form = [head.as_bytes(), bytes, b"\r\n--cut--\r\n"].concat();
        let kind = "multipart/form-data; boundary=cut";
        let mut stream = self.send("/v1/chatkit/files", headers, kind, &form);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{answer}");
        let file: Value = serde_json::from_str(body).unwrap();
        file["id"].as_str().unwrap().to_owned()
    }

    /// Sends a request; the answer is there to be read as it comes.
    pub(crate) fn begin(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> TcpStream {
        self.send(
            path,
            headers,
            "application/json",
            body.to_string().as_bytes(),
        )
    }

    pub(crate) fn send(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        kind: &str,
        body: &[u8],
    ) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        request.push_str("\r\n");
        stream
            .write_all(&[request.as_bytes(), body].concat())
            .unwrap();
        stream
    }
}

impl Server {
    /// Stops it in order, so that everything is written.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for its end; gives how, and how long it took.
    pub(crate) async fn end(mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        let ended = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        (ended.await.unwrap(), begun.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
