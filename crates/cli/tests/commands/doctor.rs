//! `doctor` and `config check --online`: what is wrong, why it matters, what to do.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    net::TcpListener,
    process::{Command, Output},
    sync::Arc,
};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    response::IntoResponse,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool},
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{House, errors};

/// What is wrong, by what it is called: detail, reason and advice in one text. Whether all is well is the exit code.
fn wrong(house: &House, arguments: &[&str]) -> Vec<(String, String)> {
    told(&house.run_with(&[arguments, &["--json"]].concat(), ""))
}

fn told(output: &Output) -> Vec<(String, String)> {
    let told: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", errors(output)));
    assert_eq!(
        told["ok"].as_bool(),
        Some(output.status.success()),
        "{told}"
    );
    let findings = told["findings"].as_array().unwrap().iter();
    let wrong = findings.filter(|finding| finding["ok"] == false);
    wrong
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().expect(key).to_owned();
            let all = [text("detail"), text("why"), text("advice")];
            assert!(all.iter().all(|part| !part.is_empty()), "{finding}");
            (text("name"), all.join(" | "))
        })
        .collect()
}

/// The text of the one thing that is wrong.
#[track_caller]
fn only(found: &[(String, String)], name: &str) -> String {
    let [(what, text)] = found else {
        panic!("{found:?}")
    };
    assert_eq!(what, name, "{text}");
    text.clone()
}

/// A house in which everything is well.
fn good() -> House {
    let house = House::new();
    house.run(&["token", "create", "--env", "test"]);
    assert_eq!(wrong(&house, &["doctor"]), []);
    house
}

#[test]
fn nobody_can_come_in_until_there_is_a_way() {
    let house = House::new();
    let text = only(&wrong(&house, &["doctor"]), "doors");
    assert!(text.contains("vestibule token create"), "{text}");
    house.run(&["key", "create"]);
    let text = house.run(&["doctor"]);
    assert!(text.ends_with("everything is well"), "{text}");
}

#[test]
fn a_corrupt_page_is_found() {
    let house = good();
    // The file itself, not its log, has to hold the pages.
    assert!(!house.path("data/vestibule.db-wal").exists());
    let path = house.path("data/vestibule.db");
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    // The second page and those after it; the header stays.
    file.seek(SeekFrom::Start(4_096)).unwrap();
    file.write_all(&[0xa5; 3 * 4_096]).unwrap();
    let text = only(&wrong(&house, &["doctor"]), "pages");
    assert!(
        text.contains("corrupt") && text.contains("backup"),
        "{text}"
    );
}

/// A command whom the rights of files bind, whoever runs this test.
#[cfg(target_os = "linux")]
fn bound(house: &House, arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_vestibule");
    let is_root = rustix::process::geteuid().is_root();
    let mut command = Command::new(if is_root { "setpriv" } else { binary });
    if is_root {
        command.args(["--bounding-set=-all", "--inh-caps=-all", "--", binary]);
    }
    command.args(arguments).current_dir(house.folder.path());
    let path = std::env::var_os("PATH").unwrap();
    command.env_clear().env("PATH", path).output().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn what_this_user_may_not_write_is_told_from_what_is_broken() {
    use std::os::unix::fs::PermissionsExt;

    let house = good();
    let set = |name: &str, mode: u32| {
        fs::set_permissions(house.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for (name, closed, open) in [
        ("data", 0o500, 0o700),
        ("data/vestibule.db", 0o400, 0o600),
        ("data/vestibule.db", 0o000, 0o600),
    ] {
        set(name, closed);
        let found = told(&bound(&house, &["doctor", "--json"]));
        let served = errors(&bound(
            &house,
            &["serve", "--dev", "--listen", "127.0.0.1:0"],
        ));
        set(name, open);
        let of_database = found.iter().find(|(what, _)| what == "database");
        let (_, text) = of_database.unwrap_or_else(|| panic!("{name} {closed:o}: {found:?}"));
        for text in [text, &served] {
            let place = house.path(name).display().to_string();
            assert!(text.contains("chown") && text.contains(&place), "{text}");
            assert!(
                !text.contains("corrupt") && !text.contains("backup"),
                "{text}"
            );
        }
    }
    set("data", 0o000);
    let served = errors(&bound(
        &house,
        &["serve", "--dev", "--listen", "127.0.0.1:0"],
    ));
    set("data", 0o700);
    assert!(
        served.contains("signing.key") && served.contains("chown"),
        "{served}"
    );
    let empty = House::empty();
    let folder = empty.folder.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o500)).unwrap();
    let served = errors(&bound(
        &empty,
        &["serve", "--dev", "--listen", "127.0.0.1:0"],
    ));
    assert!(
        served.contains("signing.key") && served.contains("mkdir -p"),
        "{served}"
    );
}

#[test]
fn a_log_from_before_a_restore_is_found_and_nothing_is_opened() {
    let house = good();
    let log = house.path("data/vestibule.db-wal");
    let file = fs::File::create(&log).unwrap();
    let mut header = [0_u8; 64];
    header[8..12].copy_from_slice(&4_096_u32.to_be_bytes());
    (&file).write_all(&header).unwrap();
    let hour = std::time::Duration::from_hours(1);
    let restored = fs::metadata(house.path("data/vestibule.db")).unwrap();
    file.set_modified(restored.modified().unwrap() - hour)
        .unwrap();
    let text = only(&wrong(&house, &["doctor"]), "database");
    assert!(text.contains("from before a restore"), "{text}");
    assert_eq!(fs::metadata(&log).unwrap().len(), 64, "it was left alone");

    file.set_modified(restored.modified().unwrap()).unwrap();
    header[8..12].copy_from_slice(&1_024_u32.to_be_bytes());
    (&file).rewind().unwrap();
    (&file).write_all(&header).unwrap();
    let text = only(&wrong(&house, &["doctor"]), "database");
    assert!(text.contains("belongs to another database"), "{text}");
}

#[test]
fn an_empty_or_unreadable_signing_key_is_found() {
    let house = good();
    for (content, word) in [
        ("", "is empty"),
        ("not hexadecimal", "64 hexadecimal digits"),
    ] {
        fs::write(house.path("data/signing.key"), content).unwrap();
        let found = wrong(&house, &["doctor"]);
        let text = found.iter().find(|(name, _)| name == "signing key");
        let text = &text.unwrap().1;
        assert!(
            text.contains(word) && text.contains("signing.key"),
            "{text}"
        );
    }
}

#[cfg(unix)]
#[test]
fn files_that_others_can_read_are_found() {
    use std::os::unix::fs::PermissionsExt;

    let house = good();
    let open = |path: &str, mode| {
        fs::set_permissions(house.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    open("data/vestibule.db", 0o644);
    assert_eq!(
        wrong(&house, &["doctor"]),
        [],
        "nobody can enter the folder"
    );
    open("data", 0o755);
    let text = only(&wrong(&house, &["doctor"]), "rights");
    assert!(
        text.contains("vestibule.db") && text.contains("chmod"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_reached_is_found_by_doctor_and_by_config_check_online() {
    let house = good();
    // A port on which nobody listens any more.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = free.local_addr().unwrap();
    drop(free);
    fs::write(
        house.path("vestibule.toml"),
        format!(
            "[[issuers]]\nissuer = \"http://{nobody}\"\ndiscovery = true\naudience = [\"chat\"]\n\
             [[models]]\nid = \"local\"\nkind = \"chat-completions\"\nbase_url = \"http://{nobody}/v1\"\nmodel = \"small\"\n\
             [[mcp_servers]]\nname = \"todo\"\nidentity = \"none\"\nurl = \"http://{nobody}/mcp\"\n"
        ),
    )
    .unwrap();
    house.run(&["config", "check"]);
    for arguments in [&["doctor"][..], &["config", "check", "--online"]] {
        let found = wrong(&house, arguments);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        let issuer = format!("issuer http://{nobody}");
        assert_eq!(
            names,
            [&issuer, "model small", "tools of wf_demo"],
            "{found:?}"
        );
        assert!(found[1].1.contains("base_url"), "{found:?}");
        assert!(found[2].1.contains("todo"), "{found:?}");
    }
}

/// A server that refuses whoever asks, and whose clock has stood still since 2020. Ends with the test's process.
fn refusing() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            // The head is enough to know that there is nothing to give.
            let _ = socket.read(&mut [0; 4_096]);
            let _ = socket.write_all(
                b"HTTP/1.1 401 Unauthorized\r\nDate: Wed, 01 Jan 2020 00:00:00 GMT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    });
    address
}

#[test]
fn a_model_that_refuses_the_key_and_a_clock_that_is_off_are_found() {
    let house = good();
    let address = refusing();
    fs::write(
        house.path("vestibule.toml"),
        format!(
            "[[issuers]]\nissuer = \"https://id.example.com\"\njwks_uri = \"http://{address}/keys\"\naudience = [\"chat\"]\n\
             [[models]]\nid = \"local\"\nkind = \"chat-completions\"\nbase_url = \"http://{address}/v1\"\nmodel = \"small\"\n"
        ),
    )
    .unwrap();
    let found = wrong(&house, &["doctor"]);
    let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["clock", "issuer https://id.example.com", "model small"],
        "{found:?}"
    );
    assert!(found[0].1.contains("ahead of"), "{found:?}");
    assert!(found[1].1.contains("401"), "{found:?}");
    assert!(found[2].1.contains("check the key"), "{found:?}");
}

/// A tool server with one tool, for whoever shows a token signed with this key.
#[derive(Clone)]
struct Tools;

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let schema = Arc::new(json!({"type": "object"}).as_object().cloned().unwrap());
        Ok(ListToolsResult::with_all_items(vec![Tool::new(
            "add_todo", "adds", schema,
        )]))
    }
}

async fn tool_server(key_id: String, tasks: &mut JoinSet<()>) -> std::net::SocketAddr {
    let service = StreamableHttpService::new(
        || Ok(Tools),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    let guard = middleware::from_fn(move |request: Request, next: Next| {
        let key_id = key_id.clone();
        async move {
            let shown = request.headers().get("authorization");
            let head = shown.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
            let head = head.and_then(|token| token.split('.').next()).unwrap_or("");
            let head = URL_SAFE_NO_PAD.decode(head).unwrap_or_default();
            if String::from_utf8_lossy(&head).contains(&key_id) {
                next.run(request).await
            } else {
                StatusCode::UNAUTHORIZED.into_response()
            }
        }
    });
    let router = Router::new().nest_service("/mcp", service).layer(guard);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn tool_servers_are_asked_with_the_servers_own_key_or_not_at_all() {
    let house = good();
    let configure = |address| {
        let text = format!("[[mcp_servers]]\nname = \"todo\"\nurl = \"http://{address}/mcp\"\n");
        fs::write(house.path("vestibule.toml"), text).unwrap();
    };
    configure(refusing());
    let text = house.run(&["doctor"]);
    assert!(
        text.contains("not tried: there is no signing key yet"),
        "{text}"
    );
    assert!(!house.path("data/signing.key").exists(), "none is made");

    let server = house.serve(&[]);
    let keys = format!("http://{}/.well-known/jwks.json", server.address);
    let keys = reqwest::get(keys).await.unwrap().text().await.unwrap();
    server.stop();
    let keys: Value = serde_json::from_str(&keys).unwrap();
    let key_id = keys["keys"][0]["kid"].as_str().unwrap().to_owned();
    let mut tasks = JoinSet::new();
    configure(tool_server(key_id, &mut tasks).await);
    for arguments in [&["doctor"][..], &["config", "check", "--online"]] {
        let text = house.run(arguments);
        assert!(text.contains("add_todo"), "{text}");
    }

    configure(refusing());
    let text = only(&wrong(&house, &["doctor"]), "tools of wf_demo");
    assert!(
        text.contains("401") && text.contains("jwks.json") && !text.contains("runs at its"),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn too_few_open_files_are_found() {
    let house = good();
    let script = format!(
        "ulimit -n 256; exec {} doctor",
        env!("CARGO_BIN_EXE_vestibule")
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(house.folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("FAIL  open files") && text.contains("256"),
        "{text}"
    );
    assert!(!output.status.success());
}

#[test]
fn a_proxy_that_nobody_trusts_is_found() {
    let house = good();
    let server = house.serve(&["--dev"]);
    let forwarded = [("X-Forwarded-For", "203.0.113.7")];
    server.post("/api/chatkit/start", &forwarded, &json!({}));
    // Entries are in order, and this one comes after it.
    server.stop();
    let text = only(&wrong(&house, &["doctor"]), "proxies");
    assert!(
        text.contains("127.0.0.1") && text.contains("server.trusted_proxies"),
        "{text}"
    );
    fs::write(
        house.path("vestibule.toml"),
        "[server]\ntrusted_proxies = [\"127.0.0.0/8\"]\n",
    )
    .unwrap();
    let text = only(&wrong(&house, &["doctor"]), "public address");
    assert!(text.contains("server.public_url"), "{text}");
    fs::write(
        house.path("vestibule.toml"),
        "[server]\npublic_url = \"https://chat.example.com\"\ntrusted_proxies = [\"127.0.0.0/8\"]\n",
    )
    .unwrap();
    assert_eq!(wrong(&house, &["doctor"]), []);
}

#[test]
fn findings_are_told_to_people_with_the_reason_and_the_next_step() {
    let house = House::new();
    let output = house.run_with(&["doctor"], "");
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["FAIL  doors", "why  ", "do   ", "run the command again"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}
