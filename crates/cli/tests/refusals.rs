//! The advice of a refused page, followed: each command that a refusal prints is run by a shell, with the
//! real binary on the server's own database, and then the same request succeeds.
#![cfg(test)]

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_vestibule");
const SECRET: &str = "a secret that the issuer shares with this server";
const LOCAL: &str = "http://localhost:3000";

/// A folder with a configuration in which people of both environments sign in.
struct House(TempDir);

impl House {
    fn new() -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        house.configure("live");
        house
    }

    fn configure(&self, environment_of_live: &str) {
        let mut text = String::new();
        for (name, environment) in [("live", environment_of_live), ("test", "test")] {
            write!(
                text,
                "[[issuers]]\nissuer = \"https://{name}.example\"\nenvironment = \"{environment}\"\n\
                 audience = [\"chat\"]\nhmac_secret_env = \"ISSUER_SECRET\"\n\n"
            )
            .unwrap();
        }
        fs::write(self.0.path().join("vestibule.toml"), text).unwrap();
    }

    /// A command line as a person pastes it.
    fn shell(&self, line: &str) -> String {
        let folder = Path::new(BINARY).parent().unwrap();
        let output = Command::new("/bin/sh")
            .args(["-c", line])
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", folder)
            .env("ISSUER_SECRET", SECRET)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn serve(&self) -> Server {
        let mut child = Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(self.0.path())
            .env_clear()
            .env("ISSUER_SECRET", SECRET)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let address = lines
            .by_ref()
            .find_map(|line| Some(line.split_once("is ready: http://")?.1.to_owned()))
            .unwrap();
        Server {
            child,
            address,
            log: Some(std::thread::spawn(move || lines.collect())),
        }
    }
}

struct Server {
    child: Child,
    address: String,
    log: Option<JoinHandle<Vec<String>>>,
}

impl Server {
    /// Status and body of a POST by a page.
    fn post(
        &self,
        path: &str,
        credential: Option<&str>,
        origin: &str,
        body: &Value,
    ) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let body = body.to_string();
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             OpenAI-Beta: chatkit_beta=v1\r\n\
             Content-Length: {}\r\n",
            self.address,
            body.len(),
        );
        if !origin.is_empty() {
            write!(request, "Origin: {origin}\r\n").unwrap();
        }
        if let Some(credential) = credential {
            write!(request, "Authorization: Bearer {credential}\r\n").unwrap();
        }
        write!(stream, "{request}\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    /// Ends it in an orderly way; what it had logged.
    fn stop(mut self) -> Vec<String> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        self.child.wait().unwrap();
        self.log.take().unwrap().join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A user's token of the issuer of this name.
#[expect(
    clippy::disallowed_methods,
    reason = "the server under test reads the machine's clock, and the token has to agree with it"
)]
fn user_token(issuer: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claims = json!({
        "iss": format!("https://{issuer}.example"), "aud": "chat", "sub": "ada",
        "iat": now.as_secs(), "exp": (now + Duration::from_mins(10)).as_secs(),
    });
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let header = json!({ "alg": "HS256", "typ": "JWT" }).to_string();
    let input = format!("{}.{}", encode(header), encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, input.as_bytes()));
    format!("{input}.{signature}")
}

/// How a page comes: the door, and what it shows there.
#[derive(Debug, Clone)]
enum Way {
    /// Door 1, where secrets come from.
    Start { issuer: &'static str },
    /// Door 1, with a secret that the app's own server fetched.
    ClientSecret { issuer: &'static str },
    /// Door 2.
    PublicToken { token: String },
    /// Door 2, with a secret that another page of the token fetched.
    VisitorSecret { secret: String },
    /// Door 3.
    UserToken { issuer: &'static str },
    /// The hosted API.
    ServerKey { key: String },
    /// The element's question on load.
    DomainKey { key: String },
    /// The same without a domain key.
    TokenOfElement { token: String },
}

fn list() -> Value {
    json!({ "type": "threads.list", "params": {} })
}

impl Way {
    fn all(house: &House, server: &Server, environment: &'static str) -> Vec<Self> {
        let own = match environment {
            "live" => "--origin https://own.example --env live",
            _ => "--env test",
        };
        let token = house.shell(&format!("vestibule token create {own}"));
        let named = house.shell(&format!("vestibule token create {own} --workflow wf_demo"));
        let from = if environment == "live" {
            "https://own.example"
        } else {
            LOCAL
        };
        let secret = secret_of_visitor(server, &token, from).unwrap();
        let key = house.shell(&format!("vestibule key create --env {environment}"));
        let domain = format!("vestibule domain add https://own.example --env {environment}");
        vec![
            Self::Start {
                issuer: environment,
            },
            Self::ClientSecret {
                issuer: environment,
            },
            Self::UserToken {
                issuer: environment,
            },
            Self::PublicToken {
                token: token.clone(),
            },
            Self::PublicToken { token: named },
            Self::VisitorSecret { secret },
            Self::ServerKey { key },
            Self::DomainKey {
                key: house.shell(&domain),
            },
            Self::TokenOfElement { token },
        ]
    }

    /// What the page sends, and how it is answered.
    fn ask(&self, server: &Server, origin: &str) -> (u16, Value) {
        match self {
            Self::Start { issuer } => server.post(
                "/api/chatkit/start",
                Some(&user_token(issuer)),
                origin,
                &json!({}),
            ),
            Self::UserToken { issuer } => {
                server.post("/api/chat", Some(&user_token(issuer)), origin, &list())
            }
            Self::ClientSecret { issuer } => {
                let token = user_token(issuer);
                let (_, body) = server.post("/api/chatkit/start", Some(&token), "", &json!({}));
                converse(server, body["client_secret"].as_str().unwrap(), origin)
            }
            Self::PublicToken { token } => {
                server.post("/api/chatkit/visitor", Some(token), origin, &json!({}))
            }
            Self::VisitorSecret { secret } => converse(server, secret, origin),
            Self::ServerKey { key } => {
                let session = json!({ "user": "u", "workflow": { "id": "wf_demo" } });
                let (_, body) = server.post("/v1/chatkit/sessions", Some(key), "", &session);
                converse(server, body["client_secret"].as_str().unwrap(), origin)
            }
            Self::DomainKey { key } => {
                verify(server, &json!({ "domain_key": key, "domain": origin }))
            }
            Self::TokenOfElement { token } => {
                verify(server, &json!({ "client_token": token, "domain": origin }))
            }
        }
    }

    /// The same way with what a command printed, where the refusal says to use that.
    fn with(self, printed: String, server: &Server, origin: &str) -> Self {
        match self {
            Self::PublicToken { .. } => Self::PublicToken { token: printed },
            Self::TokenOfElement { .. } => Self::TokenOfElement { token: printed },
            Self::VisitorSecret { .. } => Self::VisitorSecret {
                secret: secret_of_visitor(server, &printed, origin).unwrap(),
            },
            Self::DomainKey { .. } => Self::DomainKey { key: printed },
            Self::ServerKey { .. } if printed.starts_with("sk_") => {
                Self::ServerKey { key: printed }
            }
            unchanged => unchanged,
        }
    }

    fn has_token(&self) -> bool {
        matches!(
            self,
            Self::PublicToken { .. } | Self::VisitorSecret { .. } | Self::TokenOfElement { .. }
        )
    }

    fn has_issuer(&self) -> bool {
        matches!(
            self,
            Self::Start { .. } | Self::ClientSecret { .. } | Self::UserToken { .. }
        )
    }
}

fn converse(server: &Server, secret: &str, origin: &str) -> (u16, Value) {
    server.post("/v1/chatkit/conversation", Some(secret), origin, &list())
}

fn verify(server: &Server, body: &Value) -> (u16, Value) {
    server.post("/v1/chatkit/domain_keys/verify", None, "", body)
}

fn secret_of_visitor(server: &Server, token: &str, origin: &str) -> Option<String> {
    let (_, body) = server.post("/api/chatkit/visitor", Some(token), origin, &json!({}));
    body["client_secret"].as_str().map(str::to_owned)
}

#[test]
fn the_command_of_each_refusal_lets_the_same_request_in() {
    let house = House::new();
    let server = house.serve();
    let mut commands = Vec::new();
    let mut number = 0;
    for (environment, other) in [("live", "test"), ("test", "live")] {
        for is_known_elsewhere in [false, true] {
            for way in Way::all(&house, &server, environment) {
                number += 1;
                let origin = format!("https://page{number}.example");
                if is_known_elsewhere {
                    house.shell(&format!("vestibule domain add {origin} --env {other}"));
                }
                let command = refused(&server, &way, &origin).expect("a command");
                let printed = house.shell(&command);
                let way = way.with(printed, &server, &origin);
                let (status, body) = way.ask(&server, &origin);
                assert_eq!(status, 200, "{way:?} after {command}: {body}");
                commands.push(command);
            }
        }
    }
    let log = server.stop().join("\n");
    let audit = house.shell("vestibule audit --kind refused --json");
    for command in commands {
        assert!(log.contains(&command), "not logged: {command}");
        assert!(audit.contains(&command), "not in the audit log: {command}");
    }
}

#[test]
fn a_page_on_a_developers_machine_is_told_exactly_what_to_do() {
    let house = House::new();
    let server = house.serve();
    for way in Way::all(&house, &server, "test") {
        // A key of the one origin is another's on every machine but this.
        let (status, body) = way.ask(&server, LOCAL);
        assert_eq!(status, 200, "{way:?}: {body}");
    }
    let mut without_command = Vec::new();
    for way in Way::all(&house, &server, "live") {
        let Some(command) = refused(&server, &way, LOCAL) else {
            without_command.push(way);
            continue;
        };
        let printed = house.shell(&command);
        let way = way.with(printed, &server, LOCAL);
        let (status, body) = way.ask(&server, LOCAL);
        assert_eq!(status, 200, "{way:?} after {command}: {body}");
    }
    // A login's environment stands in the file, as they were told.
    assert_eq!(without_command.len(), 3, "{without_command:?}");
    for way in &without_command {
        let (_, body) = way.ask(&server, LOCAL);
        let next = body["error"]["details"]["next"].as_str().unwrap();
        for part in ["`environment = \"test\"`", "https://live.example"] {
            assert!(next.contains(part), "{next}");
        }
    }
    server.stop();
    house.configure("test");
    let server = house.serve();
    for way in without_command {
        let (status, body) = way.ask(&server, LOCAL);
        assert_eq!(status, 200, "{way:?}: {body}");
    }
}

/// Sees to it that the request is refused, in the right words for each reader; the command it is given.
fn refused(server: &Server, way: &Way, origin: &str) -> Option<String> {
    let (status, body) = way.ask(server, origin);
    let error = &body["error"];
    assert!(
        matches!(status, 400 | 403),
        "{way:?} {origin}: {status} {body}"
    );
    let sentence = error["message"].as_str().unwrap();
    assert!(sentence.contains(origin), "{sentence}");
    for word in ["vestibule", "--env", "issuer", "token", "registered"] {
        assert!(!sentence.contains(word), "{sentence}");
    }
    let details = &error["details"];
    assert_eq!(details["origin"], origin, "{way:?}: {body}");
    assert!(
        details["registered"].is_array(),
        "asked on loopback: {body}"
    );
    let advice = format!("{} {}", details["reason"], details["next"]);
    assert!(
        way.has_issuer() || !advice.contains("issuer"),
        "{way:?}: {advice}"
    );
    assert!(
        way.has_token() || !advice.contains("token"),
        "{way:?}: {advice}"
    );
    details["command"].as_str().map(str::to_owned)
}
