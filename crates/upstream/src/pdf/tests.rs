//! The reader with real processes: shells that do what a program may do. What our own program does with documents is
//! tested in the cli crate.

use super::*;

/// Reads by this line of a shell.
fn shell(line: &str) -> PdfReader {
    PdfReader::new("/bin/sh".into(), ["-c", line])
}

async fn told(reader: &PdfReader, file: &'static str) -> String {
    let text = reader
        .read("ada", &Bytes::from_static(file.as_bytes()))
        .await;
    text.tell("a.pdf", 1_000)
}

#[tokio::test]
async fn a_document_goes_in_and_its_text_comes_out() {
    assert_eq!(told(&shell("cat"), " the text\n").await, "the text");
    // More than a pipe holds, both ways at once.
    let large = Bytes::from("x".repeat(300_000));
    let text = shell("cat").read("ada", &large).await;
    assert_eq!(text.characters(), 300_000);
}

#[tokio::test]
async fn nothing_of_our_environment_is_passed_on() {
    let told = told(&shell("env; pwd; cat >/dev/null"), "x").await;
    assert!(!told.contains("CARGO"), "{told}");
    assert!(told.lines().any(|line| line == "/"), "{told}");
}

#[tokio::test]
async fn how_the_program_ends_is_told_in_words() {
    for (line, words) in [
        ("exit 10", "it is protected by a password"),
        ("exit 11", "it is damaged, or no PDF"),
        ("exit 101", "it cannot be understood"),
        ("kill -ABRT $$", "reading it takes too much memory"),
        ("kill -XCPU $$", "reading it takes too long"),
        ("kill -KILL $$", "reading it takes too much memory"),
        ("kill -SEGV $$", "it cannot be understood"),
        ("true", "it has no text, only pictures, as a scan has"),
    ] {
        let expected = format!("[The file \"a.pdf\" could not be read as text: {words}.]");
        assert_eq!(told(&shell(line), "x").await, expected, "{line}");
        let part = format!("echo half; {line}");
        let expected = match line {
            "true" => "half".to_owned(),
            _ => format!("half\n[The rest of the file could not be read as text: {words}.]"),
        };
        assert_eq!(told(&shell(&part), "x").await, expected, "{part}");
    }
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_told_in_words() {
    let reader = PdfReader::new("/there/is/none".into(), ["x"]);
    let words = told(&reader, "x").await;
    assert!(
        words.contains("the server cannot read PDF at the moment"),
        "{words}"
    );
    assert_eq!(reader.known.iter().count(), 0, "it is tried again");
}

#[tokio::test]
async fn a_program_that_does_not_end_is_ended() {
    let folder = Folder::new();
    let line = format!(
        "echo $$ > {}; echo half; exec sleep 1000",
        folder.path("id")
    );
    let reader = PdfReader {
        longest_read: Duration::from_secs(3),
        ..shell(&line)
    };
    let words = told(&reader, "x").await;
    assert!(
        words.contains("half\n[The rest") && words.contains("takes too long"),
        "{words}"
    );
    let id = folder.read("id");
    let signalled = Command::new("kill")
        .args(["-0", id.trim()])
        .output()
        .await
        .unwrap();
    assert!(!signalled.status.success(), "it is gone");
    assert_eq!(reader.places.available_permits(), AT_ONCE);
}

#[tokio::test]
async fn a_flood_of_text_is_cut_and_said_to_be() {
    let text = shell("yes").read("ada", &Bytes::from_static(b"x")).await;
    assert_eq!(
        text.text.len(),
        MAX_TEXT_BYTES - 1,
        "but for the last line's end"
    );
    let told = text.tell("a.pdf", 4);
    assert_eq!(
        told,
        "y\ny\n\n[The text is cut here, after 4 of 1048575 characters: there is no room for more.]"
    );
    let all = text.tell("a.pdf", MAX_TEXT_BYTES);
    assert!(all.ends_with(
        "[The rest of the file could not be read as text: it has more text than can be told.]"
    ));
}

#[tokio::test]
async fn a_document_is_read_once_for_each_person() {
    let folder = Folder::new();
    let reader = shell(&format!("echo >> {}; cat", folder.path("runs")));
    let file = Bytes::from_static(b"text");
    tokio::join!(reader.read("ada", &file), reader.read("ada", &file));
    reader.read("ada", &file).await;
    assert_eq!(folder.read("runs").len(), 1);
    reader.read("bob", &file).await;
    assert_eq!(folder.read("runs").len(), 2);
    reader.read("ada", &Bytes::from_static(b"other")).await;
    assert_eq!(folder.read("runs").len(), 3);
}

#[tokio::test]
async fn two_are_read_at_once_and_others_wait() {
    let folder = Folder::new();
    let line = format!(
        "echo >> {}; until [ -e {} ]; do sleep 0.01; done; cat",
        folder.path("runs"),
        folder.path("go"),
    );
    let reader = shell(&line);
    let files = ["1", "2", "3", "4"].map(|text| Bytes::from_static(text.as_bytes()));
    let reads = files.iter().map(|file| reader.read("ada", file));
    let begun = async {
        while folder.lines("runs") < AT_ONCE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(reader.places.available_permits(), 0);
        assert_eq!(folder.lines("runs"), AT_ONCE);
        std::fs::write(folder.path("go"), "").unwrap();
    };
    let (texts, ()) = tokio::join!(futures::future::join_all(reads), begun);
    let texts: Vec<String> = texts.iter().map(|text| text.tell("", 9)).collect();
    assert_eq!(texts, ["1", "2", "3", "4"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_place_for_ever() {
    let reader = shell("cat");
    let places = reader.places.acquire_many(2).await.unwrap();
    let words = told(&reader, "text").await;
    assert!(words.contains("later it may work"), "{words}");
    drop(places);
    tokio::time::resume();
    assert_eq!(
        told(&reader, "text").await,
        "text",
        "that was not remembered"
    );
}

#[test]
fn a_name_stays_in_its_line() {
    let words = PdfText::nothing(Trouble::NoText).tell("a\"]\n[b.pdf", 9);
    assert!(
        words.starts_with("[The file \"a_]_[b.pdf\" could"),
        "{words}"
    );
}

/// A folder, removed when dropped.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn lines(&self, name: &str) -> usize {
        self.read(name).lines().count()
    }
}
