//! A person attaches a PDF, and a model that takes no files is told its text: over HTTP, the store, and the process that
//! reads it. And that process alone, with documents that are made to break it.

use std::{
    fmt::Write as _,
    fs,
    io::{Read, Write},
    process::{ExitStatus, Stdio},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use testkit::fake_model::{FakeModel, Reply};

use crate::harness::{House, Server, first_message};

const PAGES: &[u8] = include_bytes!("../pdf/pages.pdf");
const PDF: (&str, &str) = ("contract.pdf", "application/pdf");

/// A server whose model is configured by these lines, and a person who talks.
struct Chat {
    server: Server,
    bearer: String,
    _house: House,
}

impl Chat {
    fn new(model: &FakeModel, lines: &str) -> Self {
        let house = House::empty();
        let config = format!(
            "[[models]]\nid = \"fake\"\nmodel = \"fake\"\nbase_url = \"{}\"\n{lines}\n\n\
             [[workflows]]\nid = \"wf_pdf\"\ntitles = \"off\"\n",
            model.base_url()
        );
        fs::write(house.path("vestibule.toml"), config).unwrap();
        let server = house.serve(&["--dev"]);
        let (_, token) = server.post("/dev/token", &[], &json!({ "user": "ada" }));
        let token: Value = serde_json::from_str(&token).unwrap();
        Self {
            server,
            bearer: format!("Bearer {}", token["token"].as_str().unwrap()),
            _house: house,
        }
    }

    fn post(&self, body: &Value) -> String {
        let headers = [("Authorization", &*self.bearer)];
        self.server.post("/api/chat", &headers, body).1
    }

    /// Begins a conversation with a file; all that is streamed.
    fn show(&self, file: &[u8]) -> String {
        let headers = [("Authorization", &*self.bearer)];
        let id = self.server.upload_file(&headers, PDF, file);
        let mut message = first_message("When does it end?");
        message["params"]["input"]["attachments"] = json!([id]);
        self.post(&message)
    }

    /// Goes on in the conversation of this stream.
    fn go_on(&self, stream: &str, text: &str) -> String {
        let (_, rest) = stream.split_once("\"cthr_").unwrap();
        let thread = format!("cthr_{}", rest.split_once('"').unwrap().0);
        let input = first_message(text)["params"]["input"].take();
        self.post(&json!({
            "type": "threads.add_user_message",
            "params": { "thread_id": thread, "input": input },
        }))
    }
}

/// What the model was told of the file in its last question.
fn told(model: &FakeModel) -> Value {
    let requests = model.requests();
    let items = requests.last().unwrap().items();
    let has_parts = |item: &&Value| item["content"].is_array();
    items.iter().find(has_parts).unwrap()["content"][0].clone()
}

const TEXT: &str = "<file name=\"contract.pdf\" type=\"application/pdf\">\n[page 1]\nThe contract ends on 31 May.\n\n\
     [page 2]\nSigned in Vienna.\n</file>";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_takes_no_files_is_told_a_documents_text() {
    for (lines, expected) in [
        (
            "kind = \"chat-completions\"",
            json!({ "type": "text", "text": TEXT }),
        ),
        (
            "preset = \"ollama\"",
            json!({ "type": "text", "text": TEXT }),
        ),
        (
            "kind = \"openai-responses\"\npdf = \"text\"",
            json!({ "type": "input_text", "text": TEXT }),
        ),
    ] {
        let model = FakeModel::scripted([Reply::text(["On 31 May."]), Reply::text(["In Vienna."])])
            .await
            .unwrap();
        let chat = Chat::new(&model, lines);
        let stream = chat.show(PAGES);
        assert!(stream.contains("On 31 May."), "{lines}: {stream}");
        assert_eq!(told(&model), expected, "{lines}");
        let stream = chat.go_on(&stream, "And where was it signed?");
        assert!(stream.contains("In Vienna."), "{lines}: {stream}");
        assert_eq!(
            told(&model),
            expected,
            "{lines}: the next question has it, too"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_takes_files_gets_the_file_and_its_text_once_it_refuses_it() {
    let model = FakeModel::scripted([]).await.unwrap();
    model.answer_when(|request| {
        let has_file = request.body.to_string().contains("file_data");
        Some(if has_file {
            let words = "Invalid Value: 'file'. This model does not support file content types.";
            Reply::http_error(400, "", words)
        } else {
            Reply::text(["On 31 May."])
        })
    });
    let chat = Chat::new(&model, "preset = \"openrouter\"");
    let stream = chat.show(PAGES);
    assert!(stream.contains("On 31 May."), "{stream}");
    assert_eq!(model.requests().len(), 2);
    assert_eq!(told(&model)["text"], TEXT);
    chat.show(PAGES);
    assert_eq!(model.requests().len(), 3, "the refusal is remembered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_cannot_be_read_fails_no_turn() {
    for (file, words) in [
        (
            include_bytes!("../pdf/scan.pdf").to_vec(),
            "it has no text, only pictures, as a scan has",
        ),
        (
            include_bytes!("../pdf/password.pdf").to_vec(),
            "it is protected by a password",
        ),
        (b"%PDF-1.7\n".to_vec(), "it is damaged, or no PDF"),
        (flood(), "reading it takes too much memory"),
    ] {
        let model = FakeModel::scripted([Reply::text(["I cannot read it."])])
            .await
            .unwrap();
        let chat = Chat::new(&model, "kind = \"chat-completions\"");
        let stream = chat.show(&file);
        assert!(stream.contains("I cannot read it."), "{words}: {stream}");
        let expected = format!(
            "<file name=\"contract.pdf\" type=\"application/pdf\">\n\
             [The file \"contract.pdf\" could not be read as text: {words}.]\n</file>"
        );
        assert_eq!(told(&model)["text"], expected);
    }
}

/// A document of these objects, the first of which is its catalogue.
fn document(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (place, object) in objects.iter().enumerate() {
        writeln!(table, "{:010} 00000 n ", file.len()).unwrap();
        file.extend(format!("{} 0 obj\n", place + 1).bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let start = file.len();
    file.extend(table.bytes());
    let size = objects.len() + 1;
    file.extend(format!("trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF").bytes());
    file
}

fn stream(entries: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("<<{entries}/Length {}>>stream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}

/// One page with these resources and this content.
fn page(resources: &str, content: Vec<u8>, more: Vec<Vec<u8>>) -> Vec<u8> {
    let page = format!(
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<<{resources}>>>>"
    );
    let first = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec(),
        page.into_bytes(),
        content,
    ];
    document(&first.into_iter().chain(more).collect::<Vec<_>>())
}

/// 16 kB that each of three filters makes 64 times as much of: four gigabytes.
fn flood() -> Vec<u8> {
    // "129 x" stands for 128 times x, "n" for the n + 1 bytes behind it, and 128 is the end: of each filter's input.
    let filters = "/Filter[/RunLengthDecode/RunLengthDecode/RunLengthDecode]";
    let content = [&[129; 16 << 10][..], &[2, 0, 128, 128, 128]].concat();
    page("", stream(filters, &content), Vec::new())
}

/// Forms that each draw the next one ten times.
fn laughs() -> Vec<u8> {
    let form = |next: usize| {
        let entries = format!(
            "/Type/XObject/Subtype/Form/BBox[0 0 600 800]/Resources<</XObject<</X {next} 0 R>>>>"
        );
        stream(&entries, "/X Do ".repeat(10).as_bytes())
    };
    let mut forms: Vec<_> = (6..=20).map(form).collect();
    forms.push(stream(
        "/Type/XObject/Subtype/Form/BBox[0 0 600 800]",
        b"0 0 1 1 re f",
    ));
    page("/XObject<</X 5 0 R>>", stream("", b"/X Do"), forms)
}

/// What our program says of a document, and how it ends.
fn read(house: &House, file: &[u8]) -> (String, ExitStatus) {
    let mut command = house.command(&["pdf-text"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let file = file.to_vec();
    // It may end before it has read all.
    let writer = thread::spawn(move || input.write_all(&file));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status)
}

#[test]
fn a_document_that_becomes_gigabytes_ends_the_process_that_reads_it() {
    let (text, status) = read(&House::empty(), &flood());
    assert_eq!((text.as_str(), status.code()), ("", None), "{status}");
}

#[test]
fn a_document_that_never_ends_ends_the_process_that_reads_it() {
    let house = House::empty();
    fs::write(house.path("laughs.pdf"), laughs()).unwrap();
    // Its own bound is ten seconds; one that is narrower stays.
    let program = house.command(&[]).get_program().to_owned();
    let mut shell = std::process::Command::new("/bin/sh");
    let line = "ulimit -t 1; exec \"$0\" pdf-text < laughs.pdf";
    shell
        .args(["-c", line])
        .arg(program)
        .current_dir(house.folder.path());
    let status = shell.output().unwrap().status;
    assert_eq!(status.code(), None, "{status}");
}

#[test]
fn documents_that_only_look_wrong_end_in_order() {
    let house = House::empty();
    let deep = [b"[".repeat(200_000), b"]".repeat(200_000)].concat();
    let itself = page("/XObject<</X 4 0 R>>", stream("", b"/X Do"), Vec::new());
    for (file, code) in [
        (Vec::new(), 11),
        (b"%PDF-1.4 and nothing else".to_vec(), 11),
        (vec![b'%'; 1 << 20], 11),
        (page("", stream("", &deep), Vec::new()), 0),
        (itself, 0),
    ] {
        let (text, status) = read(&house, &file);
        assert_eq!((text.as_str(), status.code()), ("", Some(code)), "{status}");
    }
}

/// The bounds stand before the first byte is read.
#[cfg(target_os = "linux")]
#[test]
fn the_process_has_nothing_before_it_reads() {
    let house = House::empty();
    let mut command = house.command(&["pdf-text"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let of = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.id())).unwrap();
    let limits = loop {
        let limits = of("limits");
        // The last one that is set.
        if limits.contains("536870912") {
            break limits;
        }
        thread::sleep(Duration::from_millis(5));
    };
    for (name, most) in [
        ("Max cpu time", ("10", "11")),
        ("Max file size", ("0", "0")),
        ("Max core file size", ("0", "0")),
        ("Max processes", ("0", "0")),
        ("Max open files", ("0", "0")),
        ("Max address space", ("536870912", "536870912")),
    ] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let mut words = line.trim_start_matches(name).split_whitespace();
        let found = (words.next().unwrap(), words.next().unwrap());
        assert_eq!(found, most, "{line}");
    }
    assert!(of("status").contains("Threads:\t1\n"), "it is alone");
    drop(child.stdin.take());
    let mut said = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(
        (said.as_str(), child.wait().unwrap().code()),
        ("", Some(11))
    );
}
