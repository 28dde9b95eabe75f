//! A bare HTTP server for this crate's tests: it answers with given bytes and remembers what came.

use std::sync::{Arc, Mutex};

use engine::{Owner, RequestContext, SessionRules, UploadRules, User, limits::CallerLimits};
use serde_json::{Map, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

/// A server that gives each request the next answer, and the last one again and again.
pub(crate) struct BareServer {
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Seen>>,
    // Dropping the set stops the server.
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
}

impl BareServer {
    /// Answers are whole HTTP messages, head and body; see [`answer`]. An empty one closes the connection.
    pub(crate) async fn start(answers: impl IntoIterator<Item = String>) -> Self {
        let answers: Arc<Vec<String>> = Arc::new(answers.into_iter().collect());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                let (shared, answers) = (Arc::clone(&shared), Arc::clone(&answers));
                clients.spawn(async move {
                    while let Some(request) = read_request(&mut socket).await {
                        let number = {
                            let mut seen = shared.lock().unwrap();
                            seen.requests.push(request);
                            seen.requests.len() - 1
                        };
                        let Some(answer) = answers.get(number).or(answers.last()) else {
                            // No answer at all: silence until the client gives up.
                            continue;
                        };
                        if answer.is_empty() {
                            return; // Hangs up without a word.
                        }
                        if socket.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self {
            address,
            seen,
            _tasks: tasks,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    /// Heads and bodies as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }
}

/// One request with a `Content-Length` body or none.
async fn read_request(socket: &mut tokio::net::TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(text.into_owned());
            }
        }
        match socket.read(&mut buffer).await {
            Ok(read @ 1..) => request.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
}

/// A whole HTTP message; `status` such as `200 OK`, `headers` as lines that end with `\r\n`.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

/// A streamed answer in one chunk.
pub(crate) fn chunked(content_type: &str, body: &str) -> String {
    let length = body.len();
    let chunk = if body.is_empty() {
        String::new()
    } else {
        format!("{length:x}\r\n{body}\r\n")
    };
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n\
         {chunk}0\r\n\r\n"
    )
}

/// A request of a person who speaks German.
pub(crate) fn context() -> RequestContext {
    let claims = Map::from_iter([("plan".to_owned(), json!("gold"))]);
    RequestContext {
        owner: Owner::new("https://id.test ada"),
        user: User {
            id: "ada".to_owned(),
            issuer: "https://id.test".to_owned(),
            claims: Arc::new(claims),
            token: Some("never sent".into()),
        },
        workflow: None,
        state_variables: Arc::new(Map::from_iter([("city".to_owned(), json!("Oslo"))])),
        rules: SessionRules::default(),
        uploads: UploadRules::default(),
        limits: CallerLimits::default(),
        locale: Some("de".to_owned()),
    }
}
