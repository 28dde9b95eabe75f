//! A backup: the whole database and the bytes of files, as they were at one moment, in a new folder.
//!
//! ```text
//! <backup>/backup.json      what is in it, with the checksum of the database
//! <backup>/vestibule.db     the database, a plain SQLite file
//! <backup>/files/<xx>/<id>  the bytes of files; the database knows their checksums
//! ```
//!
//! Files in a bucket of an object store stay there, and there is no `files` then.
//!
//! It gets its name once all of it has been read back and is on the disk. Restoring checks all of it again, and puts
//! nothing where something is.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use engine::ports::StoreError;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use tempfile::{NamedTempFile, TempDir};

use crate::address::Address;
use crate::durable;
use crate::error::Error;
use crate::sqlite::{beside, refuse_in_use};
use crate::{Database, LocalFiles};

/// The form of backups that is written today.
const FORM: u32 = 1;
const DATABASE: &str = "vestibule.db";
const FILES: &str = "files";
const MANIFEST: &str = "backup.json";
/// How much is read at a time.
const READ_BYTES: usize = 64 * 1024;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The form of the folder.
    form: u32,
    /// SHA-256 of the database in hexadecimal digits.
    database_sha256: String,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Conversations.
    pub threads: u64,
    /// Their messages, questions and answers.
    pub items: u64,
    /// Files that people sent.
    pub files: u64,
    /// Bytes of those files.
    pub file_bytes: u64,
    /// Attachments whose bytes are missing or spoiled where the server keeps them; they are not in the backup.
    pub damaged: Vec<String>,
}

/// What was put where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the backup held.
    pub backup: Backup,
    /// What was there before, under its new name.
    pub moved: Vec<PathBuf>,
}

/// Why a backup could not be made or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// There is something at the place.
    #[error("{} is there already, and nothing is ever overwritten: name a new folder", .0.display())]
    Exists(PathBuf),
    /// The folder is no backup of this program, or of a newer one.
    #[error("{} is no backup that this build can read: {reason}", .folder.display())]
    NotABackup {
        /// The folder.
        folder: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Something in the backup is not what was written.
    #[error("{} is spoiled: {reason}; take another backup", .file.display())]
    Spoiled {
        /// What.
        file: PathBuf,
        /// In which way.
        reason: String,
    },
    /// Where it is to go, something is.
    #[error("{} is there already: say --force to move it aside, under another name", .0.display())]
    Occupied(PathBuf),
    /// A server or a command works on the database that would be replaced.
    #[error("{} is in use: stop the server first", .0.display())]
    InUse(PathBuf),
    /// The database could not be copied.
    #[error("failed to copy the database")]
    Database(#[from] Error),
    /// A file or a folder could not be read or written.
    #[error("failed to read or write {}", .path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// Makes a backup of an open database, which goes on working, and of its files, where they are in a folder.
pub async fn backup(
    database: &dyn Database,
    files: Option<&LocalFiles>,
    to: &Path,
) -> Result<Backup, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let folder = part_folder(to)?;
    let copy = folder.path().join(DATABASE);
    database.copy_to(&copy).await?;
    let (files, source) = (files.cloned(), copy.clone());
    let target = folder.path().join(FILES);
    let (mut summary, suspects) = blocking(move || {
        let summary = check_copy(&source)?;
        let (copied, suspects) = match files {
            Some(files) => copy_files(&source, &files, &LocalFiles::new(target))?,
            None => Default::default(),
        };
        let summary = Backup {
            files: copied.0,
            file_bytes: copied.1,
            ..summary
        };
        Ok((summary, suspects))
    })
    .await?;
    for (id, attachment) in suspects {
        // What was deleted meanwhile took its bytes along, and that is as it should be.
        match database.linked_attachment(&attachment).await {
            Err(StoreError::NotFound) => {}
            _ => summary.damaged.push(id),
        }
    }
    let (to, written) = (to.to_owned(), summary.clone());
    blocking(move || {
        let manifest = serde_json::to_vec_pretty(&written).map_err(Error::internal)?;
        let path = folder.path().join(MANIFEST);
        durable::write_new_file(&path, &manifest).map_err(about(&path))?;
        durable::sync_folder(folder.path()).map_err(about(folder.path()))?;
        give_name(folder, &to)
    })
    .await?;
    Ok(summary)
}

/// Puts a backup where the database at `url` and its files belong; without a folder for them, the files of the backup are
/// left where they are. What is there is refused, or moved aside to the same name with `aside` behind it.
pub async fn restore(
    from: &Path,
    url: &str,
    files: Option<&Path>,
    aside: Option<&str>,
) -> Result<Restored, BackupError> {
    let Address::SqliteFile(path) = Address::parse(url)? else {
        return Err(Error::Address(
            "a backup is restored into a SQLite file; PostgreSQL has its own, pg_restore",
        )
        .into());
    };
    let files = files.map(Path::to_owned);
    let (from, aside) = (from.to_owned(), aside.map(str::to_owned));
    blocking(move || restore_now(&from, &path, files.as_deref(), aside.as_deref())).await
}

fn restore_now(
    from: &Path,
    path: &Path,
    files: Option<&Path>,
    aside: Option<&str>,
) -> Result<Restored, BackupError> {
    let source = from.join(DATABASE);
    let backup = read_manifest(from)?;
    for suffix in ["-wal", "-shm"] {
        let log = beside(&source, suffix);
        if log.exists() {
            return Err(BackupError::Spoiled {
                file: source,
                reason: format!("somebody has opened it and left {} behind", log.display()),
            });
        }
    }
    let found = check_copy(&source)?;
    if found.database_sha256 != backup.database_sha256 {
        let reason = "its checksum is not that of backup.json".to_owned();
        return Err(BackupError::Spoiled {
            file: source,
            reason,
        });
    }
    let occupied = occupied(path, files);
    match (occupied.first(), aside) {
        (Some(first), None) => return Err(BackupError::Occupied(first.clone())),
        (Some(_), Some(_)) => refuse_in_use(path).map_err(|error| match error {
            Error::Busy(_) => BackupError::InUse(path.to_owned()),
            error => error.into(),
        })?,
        (None, _) => {}
    }
    // All that can fail for want of room comes before anything is moved.
    let new_files = match files {
        Some(files) => restore_files(from, &backup, files)?,
        None => None,
    };
    let new_database = copy_into_part(&source, path)?;
    // Looking whether anybody uses the database may have finished off its log.
    let moved = move_aside(self::occupied(path, files), aside.unwrap_or_default())?;
    if let Some((new_files, files)) = new_files.zip(files) {
        give_name(new_files, files)?;
    }
    durable::publish(new_database, path).map_err(about(path))?;
    Ok(Restored { backup, moved })
}

/// Copies the files of a backup, which are to get the name `to`; `None` where it has none.
fn restore_files(from: &Path, backup: &Backup, to: &Path) -> Result<Option<TempDir>, BackupError> {
    let kept = from.join(FILES);
    // Of an installation whose files are in a bucket.
    if backup.files == 0 && !kept.exists() {
        return Ok(None);
    }
    let new = part_folder(to)?;
    let (copied, missing) = copy_files(
        &from.join(DATABASE),
        &LocalFiles::new(&kept),
        &LocalFiles::new(new.path()),
    )?;
    let expected = |id: &String| !backup.damaged.contains(id);
    if let Some((id, _)) = missing.iter().find(|(id, _)| expected(id)) {
        return Err(BackupError::Spoiled {
            file: kept,
            reason: format!("the bytes of {id} are missing or not what they were"),
        });
    }
    Ok((copied.0 > 0).then_some(new))
}

/// Moves all of it to the same names with `aside` behind them, or none of it: a folder that is a disk of its own cannot be
/// moved, for instance.
fn move_aside(all: Vec<PathBuf>, aside: &str) -> Result<Vec<PathBuf>, BackupError> {
    let mut moved: Vec<(PathBuf, PathBuf)> = Vec::new();
    for old in all {
        let new = beside(&old, aside);
        if let Err(error) = fs::rename(&old, &new) {
            for (old, new) in &moved {
                fs::rename(new, old).map_err(about(new))?;
            }
            return Err(about(&old)(error));
        }
        moved.push((old, new));
    }
    Ok(moved.into_iter().map(|(_, new)| new).collect())
}

/// What is where a database and its files are to go.
fn occupied(path: &Path, files: Option<&Path>) -> Vec<PathBuf> {
    let is_empty =
        |files: &&Path| fs::read_dir(files).is_ok_and(|mut entries| entries.next().is_none());
    ["", "-wal", "-shm"]
        .map(|suffix| beside(path, suffix))
        .into_iter()
        .chain(files.filter(|files| !is_empty(files)).map(Path::to_owned))
        .filter(|path| path.exists())
        .collect()
}

fn read_manifest(folder: &Path) -> Result<Backup, BackupError> {
    let refuse = |reason: String| BackupError::NotABackup {
        folder: folder.to_owned(),
        reason,
    };
    let text = fs::read(folder.join(MANIFEST))
        .map_err(|error| refuse(format!("{MANIFEST} cannot be read ({error})")))?;
    let backup: Backup = serde_json::from_slice(&text)
        .map_err(|error| refuse(format!("{MANIFEST} is not what it should be ({error})")))?;
    if backup.form != FORM {
        return Err(refuse(format!("it has form {}", backup.form)));
    }
    Ok(backup)
}

/// Reads a copied database back: all of it, with its checksum.
fn check_copy(copy: &Path) -> Result<Backup, BackupError> {
    let spoiled = |reason: String| BackupError::Spoiled {
        file: copy.to_owned(),
        reason,
    };
    let connection = open_copy(copy)?;
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| spoiled(error.to_string()))?;
    if verdict != "ok" {
        return Err(spoiled(verdict));
    }
    let count = |sql| -> Result<u64, BackupError> {
        let count: i64 = connection
            .query_row(sql, [], |row| row.get(0))
            .map_err(|error| spoiled(error.to_string()))?;
        Ok(count.unsigned_abs())
    };
    if count("SELECT count(*) FROM pragma_foreign_key_check")? > 0 {
        return Err(spoiled(
            "rows refer to others that are not there".to_owned(),
        ));
    }
    let (threads, items) = (
        count("SELECT count(*) FROM threads")?,
        count("SELECT count(*) FROM items")?,
    );
    let file = File::open(copy).map_err(about(copy))?;
    file.sync_all().map_err(about(copy))?;
    let (sha256, size) = pour(file, io::sink()).map_err(about(copy))?;
    Ok(Backup {
        form: FORM,
        database_sha256: HEXLOWER.encode(sha256.as_ref()),
        database_bytes: size,
        threads,
        items,
        files: 0,
        file_bytes: 0,
        damaged: Vec::new(),
    })
}

fn open_copy(copy: &Path) -> Result<Connection, BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(copy, flags).map_err(Error::from)?)
}

/// Number and bytes.
type Copied = (u64, u64);
type Suspects = Vec<(String, protocol::AttachmentId)>;

/// Copies the bytes of all attachments that a database knows. Those that are missing, or are not what they were, are named.
fn copy_files(
    database: &Path,
    from: &LocalFiles,
    to: &LocalFiles,
) -> Result<(Copied, Suspects), BackupError> {
    let connection = open_copy(database)?;
    let mut statement = connection
        .prepare("SELECT id, file, sha256 FROM attachments WHERE sha256 IS NOT NULL ORDER BY key")
        .map_err(Error::from)?;
    let mut rows = statement.query([]).map_err(Error::from)?;
    let (mut copied, mut suspects) = ((0, 0), Vec::new());
    while let Some(row) = rows.next().map_err(Error::from)? {
        let id: String = row.get(0).map_err(Error::from)?;
        let file: String = row.get(1).map_err(Error::from)?;
        let sha256: [u8; 32] = row.get(2).map_err(Error::from)?;
        let file = file.parse().map_err(Error::internal)?;
        if let Some(size) = copy_file(&from.place_of(file), &to.place_of(file), &sha256)? {
            copied = (copied.0 + 1, copied.1 + size);
        } else {
            let attachment = id.parse().map_err(Error::internal)?;
            suspects.push((id, attachment));
        }
    }
    Ok((copied, suspects))
}

/// The size of the file; none when it is missing, or is not what it was.
fn copy_file(from: &Path, to: &Path, sha256: &[u8; 32]) -> Result<Option<u64>, BackupError> {
    let source = match File::open(from) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(about(from)(error)),
    };
    let mut part = new_part(to)?;
    let (found, size) = pour(source, part.as_file_mut()).map_err(about(to))?;
    if found.as_ref() != sha256 {
        return Ok(None);
    }
    durable::publish(part, to).map_err(about(to))?;
    Ok(Some(size))
}

fn copy_into_part(from: &Path, to: &Path) -> Result<NamedTempFile, BackupError> {
    let mut part = new_part(to)?;
    pour(File::open(from).map_err(about(from))?, part.as_file_mut()).map_err(about(to))?;
    part.as_file().sync_all().map_err(about(to))?;
    Ok(part)
}

/// A file that will get this name, with its folder.
fn new_part(path: &Path) -> Result<NamedTempFile, BackupError> {
    let folder = durable::folder_of(path);
    durable::make_folder(folder)
        .and_then(|()| durable::new_part(folder))
        .map_err(about(path))
}

/// A folder that will get this name; gone when it does not.
fn part_folder(path: &Path) -> Result<TempDir, BackupError> {
    let above = durable::folder_of(path);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part-");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    durable::make_folder(above)
        .and_then(|()| builder.tempdir_in(durable::or_here(above)))
        .map_err(about(path))
}

fn give_name(folder: TempDir, path: &Path) -> Result<(), BackupError> {
    // Over an empty folder a folder can be renamed, over anything else it cannot.
    fs::rename(folder.path(), path).map_err(about(path))?;
    // It is not there under its old name any more.
    let _old_name = folder.keep();
    durable::sync_folder(durable::folder_of(path)).map_err(about(path))
}

/// Copies bytes, and says what they were.
fn pour(mut from: impl Read, mut to: impl Write) -> io::Result<(digest::Digest, u64)> {
    let mut sha256 = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; READ_BYTES];
    let mut size = 0;
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok((sha256.finish(), size));
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        sha256.update(bytes);
        to.write_all(bytes)?;
        size += count as u64;
    }
}

fn about(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Io { path, error }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::internal)?
}
