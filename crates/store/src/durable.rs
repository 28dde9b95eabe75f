//! Files that are there whole or not at all, also after a power cut.
//!
//! Everything that we make goes this way: written under another name, synced, renamed, and the folder synced, since a name
//! is on the disk when its folder is. Nothing is ever replaced.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Writes a new file that only this user can read, with its folder. Fails with
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) where there is one, and leaves that one alone.
pub fn write_new_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = NewFile::begin(path)?;
    file.write_all(content)?;
    file.publish()
}

/// The same file, written piece by piece. It is gone where it is not published.
#[derive(Debug)]
pub struct NewFile {
    part: NamedTempFile,
    path: PathBuf,
}

impl NewFile {
    /// Begins to write what is to stand there.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path);
        make_folder(folder)?;
        Ok(Self {
            part: new_part(folder)?,
            path: path.to_owned(),
        })
    }

    /// Gives it its name, for good.
    pub fn publish(self) -> io::Result<()> {
        publish(self.part, &self.path)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.part.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.part.flush()
    }
}

/// A new file in a folder, without a name of its own yet; gone when it never gets one.
pub(crate) fn new_part(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".")
        .suffix(".part")
        .tempfile_in(or_here(folder))
}

/// Gives a file that has been written its name, for good. The file must be in the folder where it is to stay.
pub(crate) fn publish(part: NamedTempFile, path: &Path) -> io::Result<()> {
    part.as_file().sync_all()?;
    part.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// Makes a folder and those above it, for this user only. What exists keeps the rights that the operator gave it.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder_of(folder);
    make_folder(above)?;
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    match builder.create(folder) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_folder(above),
    }
}

/// Has the names in a folder reach the disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder cannot be opened, and the system syncs names by itself.
    if cfg!(unix) {
        File::open(or_here(folder))?.sync_all()?;
    }
    Ok(())
}

/// A folder by a name that can be opened.
pub(crate) fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// The folder that a path is in; empty for the working folder.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

/// Whether an error says that there is no room: on the disk, or for this user.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_with_its_folders_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/key");
        write_new_file(&path, b"first").unwrap();
        let again = write_new_file(&path, b"second").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        let names: Vec<_> = std::fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["key"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for (path, mode) in [(&*path, 0o600), (path.parent().unwrap(), 0o700)] {
                let found = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
                assert_eq!(found, mode, "{}", path.display());
            }
        }
    }
}
