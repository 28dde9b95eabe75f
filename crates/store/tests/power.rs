//! What was acknowledged is there after a power cut.
//!
//! The database is in a file system on a loop device. What was not synced is in that file system's memory only, so a copy
//! of the device's backing file is what a disk holds after the power went. Needs root, loop devices and ext4; where they
//! cannot be had the test says so and proves nothing.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail like tests"
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use auth::UnixTime;
use auth::ports::ServerKeyRecord;
use bytes::Bytes;
use engine::Owner;
use engine::ports::{FileId, Files};
use futures::future::join_all;
use protocol::{ThreadId, ThreadMetadata, ThreadStatus, Timestamp};
use store::{Durability, LocalFiles, Options, connect};

/// Callers that write at once.
const CALLERS: u128 = 4;
/// How many answers the parent waits for before the power goes.
const ANSWERS: usize = 200;
/// Somebody else's `sync` writes everything out; then the cut proves nothing, and is tried again.
const ATTEMPTS: usize = 3;

fn owner() -> Owner {
    Owner::new("https://issuer.example ada")
}

fn thread(number: u128) -> ThreadMetadata {
    let created_at: Timestamp = "2026-01-23T16:15:25Z".parse().unwrap();
    ThreadMetadata {
        id: ThreadId::mint(number),
        title: None,
        created_at,
        status: ThreadStatus::Active,
        allowed_image_domains: None,
        metadata: serde_json::Map::new(),
    }
}

fn server_key(number: u8) -> ServerKeyRecord {
    ServerKeyRecord {
        id: format!("key_{number}"),
        digest: [number; 32],
        hint: "sk_ab".to_owned(),
        label: String::new(),
        project: "default".to_owned(),
        environment: auth::Environment::Test,
        created_at: UnixTime::from_seconds(1),
        revoked_at: None,
    }
}

fn url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("data/vestibule.db").display())
}

/// Not a test by itself: the process that the tests below start, and whose machine loses its power.
#[tokio::test]
#[ignore = "never ends; the tests below start it as a process of its own"]
async fn child() {
    let mut words = String::new();
    std::io::stdin().read_line(&mut words).unwrap();
    let (durability, folder) = words.trim().split_once(' ').unwrap();
    let folder = Path::new(folder);
    let durability = match durability {
        "power" => Durability::Power,
        _ => Durability::Process,
    };
    let options = Options {
        durability,
        ..Options::default()
    };
    let database = connect(&url(folder), options).await.unwrap();
    store::write_new_file(&folder.join("keys/signing.key"), b"a key").unwrap();
    let files = LocalFiles::new(folder.join("files"));
    let mut upload = futures::stream::iter([Ok(Bytes::from_static(b"a file"))]);
    files.put(FileId(7), &mut upload).await.unwrap();
    println!("saved files");
    if durability == Durability::Process {
        for number in 0..u8::try_from(ANSWERS).unwrap() {
            database
                .insert_server_key(&server_key(number))
                .await
                .unwrap();
            println!("saved {number}");
        }
        std::future::pending::<()>().await;
    }
    join_all((0..CALLERS).map(async |caller| {
        for number in (0..).map(|number| number * CALLERS + caller) {
            database
                .create_thread(&owner(), &thread(number), &engine::ports::Change::of(&[]))
                .await
                .unwrap();
            println!("saved {number}");
        }
    }))
    .await;
}

/// A small disk. Unmounted when dropped.
struct Disk {
    image: PathBuf,
    mounted: PathBuf,
}

impl Disk {
    /// None where this machine cannot have one.
    fn mount(image: PathBuf, mounted: PathBuf) -> Option<Self> {
        fs::create_dir_all(&mounted).unwrap();
        let done = Command::new("mount")
            .args(["-o", "loop,commit=300"])
            .args([&image, &mounted])
            .output();
        done.is_ok_and(|output| output.status.success())
            .then_some(Self { image, mounted })
    }

    fn make(folder: &Path) -> Option<Self> {
        let image = folder.join("image");
        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F"])
            .arg(&image)
            .output();
        if !made.is_ok_and(|output| output.status.success()) {
            return None;
        }
        Self::mount(image, folder.join("mounted"))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.mounted).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.mounted.display());
        }
    }
}

/// Runs the child until it has said so much, cuts the power, and gives the disk as it is then, with the numbers that were
/// acknowledged. None where there are no such disks.
fn after_a_power_cut(durability: &str, folder: &Path) -> Option<(Disk, Vec<u128>)> {
    for attempt in 0..ATTEMPTS {
        let folder = folder.join(attempt.to_string());
        fs::create_dir(&folder).unwrap();
        let disk = Disk::make(&folder)?;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{durability} {}", disk.mounted.display()).unwrap();
        let mut acknowledged = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if let Some(("saved", number)) = line.unwrap().split_once(' ')
                && let Ok(number) = number.parse()
            {
                acknowledged.push(number);
                if acknowledged.len() == ANSWERS {
                    fs::write(disk.mounted.join("not synced"), "gone").unwrap();
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        let copy = folder.join("copy");
        fs::copy(&disk.image, &copy).unwrap();
        drop(disk);
        let after = Disk::mount(copy, folder.join("after"))?;
        let lost = fs::read(after.mounted.join("not synced"));
        if lost.is_ok_and(|text| text == b"gone") {
            continue;
        }
        return Some((after, acknowledged));
    }
    panic!("{ATTEMPTS} times everything was on the disk, synced or not");
}

fn skip() {
    eprintln!(
        "SKIPPED: a power cut needs root, loop devices and mkfs.ext4, and this machine has not all of them"
    );
}

fn check_files(folder: &Path) {
    assert_eq!(fs::read(folder.join("keys/signing.key")).unwrap(), b"a key");
    let upload = folder.join(format!("files/07/{}", FileId(7)));
    assert_eq!(fs::read(upload).unwrap(), b"a file");
}

#[tokio::test]
async fn under_power_nothing_acknowledged_is_lost_in_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let Some((disk, acknowledged)) = after_a_power_cut("power", folder.path()) else {
        return skip();
    };
    check_files(&disk.mounted);
    let database = connect(&url(&disk.mounted), Options::default())
        .await
        .unwrap();
    for number in acknowledged {
        let found = database.thread(&owner(), &ThreadId::mint(number)).await;
        assert!(found.is_ok(), "{number} was acknowledged and is lost");
    }
}

#[tokio::test]
async fn credentials_survive_a_power_cut_whatever_was_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let Some((disk, acknowledged)) = after_a_power_cut("process", folder.path()) else {
        return skip();
    };
    check_files(&disk.mounted);
    let database = connect(&url(&disk.mounted), Options::default())
        .await
        .unwrap();
    let keys = database.list_server_keys().await.unwrap();
    for number in acknowledged {
        let id = format!("key_{number}");
        assert!(keys.iter().any(|key| key.id == id), "{id} is lost");
    }
}

/// What the default costs. Run it in release, on the disk in question:
/// `TMPDIR=/var/lib cargo test --release -p store --test power -- --ignored --nocapture what_power_costs`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, which prints"]
#[expect(
    clippy::disallowed_methods,
    reason = "callers at once; nothing has to wait for them at a shutdown"
)]
async fn what_power_costs() {
    const ROUNDS: u128 = 300;
    for callers in [1_u128, 16, 128] {
        for durability in [Durability::Process, Durability::Power] {
            let folder = tempfile::tempdir().unwrap();
            let options = Options {
                durability,
                ..Options::default()
            };
            let database = connect(&url(folder.path()), options).await.unwrap();
            let begun = std::time::Instant::now();
            join_all((0..callers).map(|caller| {
                let database = database.clone();
                tokio::spawn(async move {
                    for round in 0..ROUNDS {
                        let number = round * callers + caller;
                        database
                            .create_thread(
                                &owner(),
                                &thread(number),
                                &engine::ports::Change::of(&[]),
                            )
                            .await
                            .unwrap();
                    }
                })
            }))
            .await;
            let each = begun.elapsed() / u32::try_from(ROUNDS).unwrap();
            println!("{callers} at once, {durability:?}: {each:?} for a save");
        }
    }
}
