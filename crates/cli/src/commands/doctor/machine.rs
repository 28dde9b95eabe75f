//! What the machine gives: room on the disk, files that others cannot read, open files.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    commands::{findings::Findings, workplace::Workplace},
    config::{self, RawConfig},
};

/// Less room than this is too little: a busy day's conversations and a copy of the log of writes.
const LITTLE_ROOM: u64 = 512 << 20;
/// Less than this is none.
const NO_ROOM: u64 = 16 << 20;
/// Fewer open files than this are too few for a chat that more than a team uses.
const FEW_FILES: u64 = 1_024;
/// The log of writes is written just before the file itself; between them lies no more than the copying.
const LOG_IS_OLDER: Duration = Duration::from_mins(1);

/// Looks at all of it.
pub(super) fn look(findings: &mut Findings, workplace: &Workplace<'_>) {
    let config = &workplace.config;
    look_at_disk(findings, config);
    #[cfg(unix)]
    look_at_rights(findings, config);
    #[cfg(unix)]
    look_at_limit(findings);
}

/// The places where something is written.
fn places(config: &RawConfig) -> Vec<PathBuf> {
    let database = store::file_of(&config.storage.url).ok().flatten();
    database
        .into_iter()
        .chain(config.storage.files.folder().cloned())
        .collect()
}

fn look_at_disk(findings: &mut Findings, config: &RawConfig) {
    for place in places(config) {
        let absolute = std::path::absolute(&place).unwrap_or(place);
        let there = absolute.ancestors().find(|path| path.exists());
        let Some(Ok(room)) = there.map(rustix::fs::statvfs) else {
            continue;
        };
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        tell_room(findings, &absolute, free);
    }
}

fn tell_room(findings: &mut Findings, place: &Path, free: u64) {
    let place = place.display();
    let megabytes = free >> 20;
    match free {
        ..NO_ROOM => findings.wrong(
            "disk",
            format!("{place}: the disk is full ({megabytes} MB left)"),
            "no message can be saved, so none is answered",
            "make room: remove what is not needed, or move storage to a larger disk",
        ),
        NO_ROOM..LITTLE_ROOM => findings.wrong(
            "disk",
            format!("{place}: only {megabytes} MB are left"),
            "once it is full no message can be saved, and none is answered",
            "make room soon: remove what is not needed, or move storage to a larger disk",
        ),
        LITTLE_ROOM.. => findings.good("disk", format!("{place}: {megabytes} MB free")),
    }
}

#[cfg(unix)]
fn look_at_rights(findings: &mut Findings, config: &RawConfig) {
    let mut private = places(config);
    if let Ok(Some(database)) = store::file_of(&config.storage.url) {
        private.extend(["-wal", "-shm"].map(|end| beside(&database, end)));
    }
    private.extend(config::paths(&mut config.clone()).map(|path| path.clone()));
    private.sort_unstable();
    private.dedup();
    let open: Vec<String> = private
        .iter()
        .filter(|path| is_open_to_others(path))
        .map(|path| path.display().to_string())
        .collect();
    if open.is_empty() {
        findings.good("rights", "no file of ours is open to other users");
        return;
    }
    findings.wrong(
        "rights",
        format!("other users of this machine can read {}", open.join(", ")),
        "there are conversations, keys and secrets in it",
        format!("chmod o= {}", open.join(" ")),
    );
}

/// Whether anybody at all may read a file. What lies in a folder that others cannot enter is closed, and so is what
/// a container's runtime mounts below /run for this container alone.
#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    let mode = |path: &Path| {
        fs::metadata(path)
            .ok()
            .map(|file| file.permissions().mode())
    };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let may_enter = path
        .parent()
        .and_then(mode)
        .is_none_or(|mode| mode & 0o001 != 0);
    may_enter && !path.starts_with("/run") && mode(&path).is_some_and(|mode| mode & 0o004 != 0)
}

#[cfg(unix)]
fn look_at_limit(findings: &mut Findings) {
    // The server raises the soft limit to the hard one.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    match limit.maximum {
        Some(most @ ..FEW_FILES) => findings.wrong(
            "open files",
            format!("at most {most} (`ulimit -Hn` of this shell)"),
            "each connection is one; when there are no more, newcomers wait",
            "raise it: LimitNOFILE=65536 in the systemd unit, or `ulimit -Hn 65536`",
        ),
        Some(most) => findings.good("open files", format!("at most {most}")),
        None => findings.good("open files", "no limit"),
    }
}

/// Why the log of writes beside a database (`-wal`) cannot be its own: it would be written into the file at the next
/// start. `None` when there is none, or nothing speaks against it.
pub(super) fn foreign_log(database: &Path) -> Option<String> {
    let log = beside(database, "-wal");
    let written = fs::metadata(&log).ok().filter(|file| file.len() > 0)?;
    // SQLite's file format, sections 1.3.2 and 4.1: the page size, big-endian, in both headers.
    let of_file =
        header::<18>(database).map(|bytes| u32::from(u16::from_be_bytes([bytes[16], bytes[17]])));
    let of_log = header::<12>(&log)
        .map(|bytes| u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]));
    if let (Some(of_file), Some(of_log)) = (of_file, of_log)
        // 65536 is written as 1 in the file.
        && of_file != 1
        && of_file != of_log
    {
        return Some(format!("{} belongs to another database", log.display()));
    }
    let file = fs::metadata(database).ok()?.modified().ok()?;
    let age = file.duration_since(written.modified().ok()?).ok()?;
    (age > LOG_IS_OLDER).then(|| {
        format!(
            "{} is {} s older than the database: it seems to be from before a restore",
            log.display(),
            age.as_secs()
        )
    })
}

fn header<const N: usize>(path: &Path) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    File::open(path).ok()?.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn beside(database: &Path, end: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(end);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::output::Output;

    #[test]
    fn a_disk_that_is_full_or_nearly_so_is_found() {
        for (free, word) in [
            (0, "is full"),
            (NO_ROOM - 1, "is full"),
            (NO_ROOM, "only 16 MB"),
            (LITTLE_ROOM - 1, "only 511 MB"),
        ] {
            let mut findings = Findings::new(Output::new(false));
            tell_room(&mut findings, Path::new("/var/lib"), free);
            let text = findings.describe();
            assert!(!findings.are_good() && text.contains(word), "{text}");
        }
        let mut findings = Findings::new(Output::new(false));
        tell_room(&mut findings, Path::new("/var/lib"), LITTLE_ROOM);
        assert!(findings.are_good());
    }
}
