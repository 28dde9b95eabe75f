//! Programs: what they get, that they share nothing with us, and that nothing of them is left.

use std::{path::Path, time::Duration};

use upstream::mcp::FailureKind;

use super::*;

/// Whether a process is there, and no zombie.
fn is_alive(id: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(id).join("stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with('Z'))
}

/// Whether nothing at all is left of a process.
async fn is_gone(id: &str) -> bool {
    let looking = async {
        while Path::new("/proc").join(id).exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), looking)
        .await
        .is_ok()
}

#[tokio::test]
async fn a_program_gets_its_own_environment_and_nothing_else() {
    let tools = fast_program(&[PATH, ("TODO_KEY", "a key")]);
    let environment = said(&tools, "environment", "{}").await;
    let names: Vec<&str> = environment
        .split(' ')
        .filter_map(|pair| Some(pair.split_once('=')?.0))
        .collect();
    // Python sets the third by itself where there is no language.
    let expected = ["LC_CTYPE", "PATH", "TODO_KEY"];
    assert!(
        names.iter().all(|name| expected.contains(name)),
        "{environment}"
    );
    assert!(environment.contains("TODO_KEY=a key"), "{environment}");
    tools.close().await;
}

#[tokio::test]
async fn all_people_share_one_process_and_it_is_started_anew_when_it_has_ended() {
    let tools = fast_program(&[PATH]);
    let first = said(&tools, "process", "{}").await;
    let eve = end_of(
        tools
            .call(&person("eve"), call("process", "{}"), true)
            .await,
    )
    .await;
    assert_eq!(eve.output, first);
    let crashed = run(&tools, "crash", "{}").await;
    assert!(
        crashed.is_error && crashed.output.contains("program ended"),
        "{crashed:?}"
    );
    let second = said(&tools, "process", "{}").await;
    assert_ne!(first, second);
    assert!(is_gone(&first).await, "not even a zombie");
    // Once may be an accident; a program that keeps ending is left alone for a while.
    run(&tools, "crash", "{}").await;
    let refused = run(&tools, "process", "{}").await;
    assert!(
        refused.is_error && refused.output.contains("cannot be reached"),
        "{refused:?}"
    );
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let third = said(&tools, "process", "{}").await;
    assert_ne!(second, third);
    tools.close().await;
}

#[tokio::test]
async fn what_a_program_has_started_ends_with_it_however_it_ends() {
    for way in ["closed", "dropped", "crashed"] {
        let tools = fast_program(&[PATH]);
        let process = said(&tools, "process", "{}").await;
        let helper = said(&tools, "helper", "{}").await;
        assert!(is_alive(&process) && is_alive(&helper));
        match way {
            "closed" => tools.close().await,
            "dropped" => drop(tools),
            _ => {
                run(&tools, "crash", "{}").await;
            }
        }
        assert!(is_gone(&process).await, "{way}");
        let looking = async {
            while is_alive(&helper) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Whoever is the first process here buries it.
        tokio::time::timeout(Duration::from_secs(10), looking)
            .await
            .expect(way);
    }
}

#[tokio::test]
async fn a_result_that_is_too_long_is_told_at_once_and_the_program_goes_on() {
    let tools = fast_program(&[PATH]);
    let process = said(&tools, "process", "{}").await;
    let long = run(&tools, "large", r#"{"size":9000000}"#).await;
    assert!(
        long.is_error && long.output.contains("too large"),
        "{}",
        long.output.len()
    );
    let cut = said(&tools, "large", r#"{"size":2000000}"#).await;
    assert!(
        cut.ends_with("more bytes]") && cut.len() < 70_000,
        "{}",
        cut.len()
    );
    assert_eq!(said(&tools, "process", "{}").await, process);
    tools.close().await;
}

#[tokio::test]
async fn a_program_that_is_of_no_use_is_told_with_its_last_words() {
    let problem =
        |tools: McpTools| async move { tools.examine("peer", &ada()).await.unwrap().unwrap_err() };
    let gone = problem(program("no-such-program", &[], &[PATH])).await;
    assert_eq!(gone.kind, FailureKind::Program);
    assert!(
        gone.words
            .contains("`no-such-program` could not be started"),
        "{}",
        gone.words
    );
    let script = "echo no configuration >&2; exit 7";
    let ended = problem(program("sh", &["-c", script], &[PATH])).await;
    assert_eq!(ended.kind, FailureKind::Program);
    assert!(
        ended.words.contains("exit status: 7")
            && ended.words.contains("it said last: no configuration"),
        "{}",
        ended.words
    );
}

/// A program in JavaScript says where it failed after it has said what, some say it where messages belong, and some
/// without an end of line.
#[tokio::test]
async fn the_last_words_are_those_that_say_something() {
    let frames = "    at a (node:internal:1)\n".repeat(9);
    let crash = format!(
        "printf '%s' \"Error: Cannot find module 'x'\n{frames}  code: 'MODULE_NOT_FOUND'\n}}\n\nNode.js v22\n\" >&2; exit 1"
    );
    for (script, words) in [
        (&*crash, "Cannot find module 'x'"),
        ("printf 'no key' >&2; exit 1", "it said last: no key"),
        ("echo no key; exit 1", "it said last: no key"),
        ("printf 'no key'; exit 1", "it said last: no key"),
    ] {
        let tools = program("sh", &["-c", script], &[PATH]);
        let problem = tools.examine("peer", &ada()).await.unwrap().unwrap_err();
        assert!(problem.words.contains(words), "{}", problem.words);
    }
}

/// A program by hand, which says each of these lines when it is asked for the next time.
fn saying(lines: &[&str]) -> McpTools {
    let said = lines
        .iter()
        .map(|line| format!("read -r _; printf '%s' '{line}'; "));
    let script: String = said.collect();
    program("sh", &["-c", &script], &[PATH])
}

#[tokio::test]
async fn an_answer_may_lack_the_end_of_its_line() {
    let handshake =
        r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{}}}"#;
    let list = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"s"}]}}"#;
    let answer = r#"{"jsonrpc":"2.0","id":2,"result":{"content":"done"}}"#;
    let handshake = format!("{handshake}\n");
    let list = format!("{list}\n");
    let tools = saying(&[&handshake, "", &list, answer]);
    assert_eq!(said(&tools, "s", "{}").await, "done");
}

#[tokio::test]
async fn every_answer_may_have_the_same_number() {
    let answer = |result: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{result}}}\n");
    let handshake = answer(r#"{"protocolVersion":"2025-06-18","capabilities":{}}"#);
    let list = answer(r#"{"tools":[{"name":"s"}]}"#);
    let result = answer(r#"{"content":"done"}"#);
    let tools = saying(&[&handshake, "", &list, &result]);
    assert_eq!(said(&tools, "s", "{}").await, "done");
}

#[tokio::test]
async fn a_program_that_refuses_our_revision_is_offered_its_own() {
    let script = r#"read -r line
        case "$line" in
            *'"2024-11-05"'*) echo '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2024-11-05"}}' ;;
            *) echo '{"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"Unsupported protocol version"}}' ;;
        esac
        read -r _
        read -r _ && echo '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"s"}]}}'
        cat >/dev/null"#;
    let tools = program("sh", &["-c", script], &[PATH]);
    let examined = tools.examine("peer", &ada()).await.unwrap().unwrap();
    assert_eq!(examined.protocol, "2024-11-05");
    tools.close().await;
}

/// What is no message is let go, as some programs print greetings.
#[tokio::test]
async fn a_program_may_talk_beside_its_messages() {
    let script = mcp_folder().unwrap().join("fast.py");
    let line = format!(
        "echo Welcome; echo; exec {} {} stdio",
        mcp_python().unwrap(),
        script.display()
    );
    let tools = program("sh", &["-c", &line], &[PATH]);
    assert_eq!(said(&tools, "add", r#"{"a":2,"b":3}"#).await, "5");
    tools.close().await;
}

#[test]
fn a_program_that_should_know_the_user_is_refused() {
    let host = Host::new(Program {
        command: "true".to_owned(),
        arguments: Vec::new(),
        variables: Vec::new(),
        folder: None,
    });
    for identity in [
        ForwardedIdentity::Signed,
        ForwardedIdentity::Token,
        ForwardedIdentity::AnyToken,
        ForwardedIdentity::Exchanged,
    ] {
        let server = McpServer {
            identity,
            ..McpServer::program("peer", Arc::clone(&host))
        };
        let http = HttpClient::new(&HTTP_POLICY).unwrap();
        let refused = McpTools::new(vec![server], http, None, Arc::new(FixedClock)).err();
        let words = refused.unwrap().to_string();
        assert!(words.contains("identity = \"none\""), "{words}");
    }
}
