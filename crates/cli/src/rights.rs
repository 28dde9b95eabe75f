//! Who may do what with our files, in words for whoever may not.

#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::Path;

#[cfg(unix)]
use rustix::{
    fs::{Access, AtFlags, CWD, accessat},
    io::Errno,
};

/// Why this user cannot write a file, and what to do. `None` where that is not what is in the way.
#[cfg(unix)]
pub(crate) fn obstacle(file: &Path) -> Option<String> {
    let file = std::path::absolute(file).ok()?;
    let folder = file.parent()?;
    if !folder.exists() {
        let there = folder.ancestors().find(|folder| folder.exists())?;
        return refusal(there, Access::WRITE_OK | Access::EXEC_OK).map(|_| {
            let (me, folder) = (me(), folder.display());
            format!(
                "the user {me}, who runs this, may not make {folder}: `mkdir -p {folder} && chown {me} {folder}`, or name \
                 another place"
            )
        });
    }
    // SQLite makes files beside its own, so the folder matters as much.
    let (path, error) = [
        (folder, Access::WRITE_OK | Access::EXEC_OK),
        (&*file, Access::READ_OK | Access::WRITE_OK),
    ]
    .into_iter()
    .find_map(|(path, access)| Some((path, refusal(path, access)?)))?;
    if error == Errno::ROFS {
        return Some(format!(
            "{} is in a file system that is mounted read-only: mount it to be written, or name another place",
            path.display()
        ));
    }
    let owner = std::fs::metadata(path).map_or_else(
        |_| String::new(),
        |found| {
            format!(
                ", which belongs to the user {} (mode {:o})",
                found.uid(),
                found.mode() & 0o777
            )
        },
    );
    let me = me();
    let (path, folder) = (path.display(), folder.display());
    // The files that SQLite has beside its own begin with the same name.
    let all = if file.exists() {
        format!("{folder} {}*", file.display())
    } else {
        folder.to_string()
    };
    Some(format!(
        "the user {me}, who runs this, may not write {path}{owner}: `chown {me} {all} && chmod u+rwX {all}`, or run this as \
         the owner"
    ))
}

/// The number of the user as whom this runs.
#[cfg(unix)]
fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Why a path cannot be used so, where rights are the reason.
#[cfg(unix)]
fn refusal(path: &Path, access: Access) -> Option<Errno> {
    // As who it runs, and not as who it was started by.
    accessat(CWD, path, access, AtFlags::EACCESS)
        .err()
        .filter(|error| matches!(*error, Errno::ROFS | Errno::ACCESS | Errno::PERM))
}

#[cfg(not(unix))]
pub(crate) fn obstacle(_: &Path) -> Option<String> {
    None
}
