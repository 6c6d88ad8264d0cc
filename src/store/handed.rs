//! Folders that others work in — a program in its sandbox, a person: what is laid out for them, and what is taken back. Taken back are
//! regular files within limits; symbolic links, hidden files and whatever else is no file are passed over, so that nothing leads out.

use super::atomic::{FileError, write_whole};
use super::harness_dir;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Files by their paths within a folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Most bytes of a text that is taken back.
const TEXT_LIMIT: u64 = 1 << 20;

/// Writes files below a folder, which may be new; they are not yet durable.
///
/// # Errors
/// What the operating system refused.
pub fn lay_out(dir: &Path, files: &Files) -> Result<(), FileError> {
    for (name, bytes) in files {
        let path = dir.join(name);
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent).map_err(FileError::io("create", parent))?;
        fs::write(&path, bytes).map_err(FileError::io("write", &path))?;
    }
    Ok(())
}

/// Makes a folder anew with these files; `last` is written when all others are there.
///
/// # Errors
/// What the operating system refused.
pub fn lay_out_anew(dir: &Path, files: &Files, last: (&str, &[u8])) -> Result<(), FileError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(FileError::io("remove", dir)(error)),
        Ok(()) | Err(_) => {}
    }
    lay_out(dir, files)?;
    write_whole(&dir.join(last.0), last.1)
}

/// Whether there is nothing at this path, or an empty folder.
///
/// # Errors
/// What the operating system refused.
pub fn is_free(dir: &Path) -> Result<bool, FileError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(FileError::io("read", dir)(error)),
    }
}

/// A text that somebody wrote; `None` where it is not there.
///
/// # Errors
/// It is no regular file, no text, or too long.
pub fn text(path: &Path) -> Result<Option<String>, FileError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::io("read", path)(error)),
    };
    let content = |message: String| FileError::Content { path: path.to_owned(), line: 0, message };
    if !found.is_file() {
        return Err(content("not a regular file".to_owned()));
    }
    if found.len() > TEXT_LIMIT {
        return Err(content(format!("{} bytes; at most {TEXT_LIMIT}", found.len())));
    }
    fs::read_to_string(path).map(Some).map_err(FileError::io("read", path))
}

/// The files of a harness that somebody worked on.
///
/// # Errors
/// It is no folder of its own; more or larger files than a harness may have.
pub fn harness_files(dir: &Path) -> Result<Files, FileError> {
    let found = fs::symlink_metadata(dir).map_err(FileError::io("read", dir))?;
    if !found.is_dir() {
        return Err(FileError::Content { path: dir.to_owned(), line: 0, message: "not a folder".to_owned() });
    }
    harness_dir::files(dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_within_the_folder_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        fs::write(&secret, "answers").unwrap();
        let work = dir.path().join("work");
        let files = Files::from([("harness/harness.toml".into(), b"x".to_vec()), ("harness/.git/hooks/update".into(), b"x".to_vec())]);
        lay_out_anew(&work, &files, ("README.md", b"read")).unwrap();
        symlink(&secret, work.join("harness/answers.md")).unwrap();
        symlink(dir.path(), work.join("harness/up")).unwrap();
        symlink(&secret, work.join("statement.toml")).unwrap();
        nix::unistd::mkfifo(&work.join("harness/waits"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(harness_files(&work.join("harness")).unwrap().into_keys().collect::<Vec<_>>(), ["harness.toml"]);
        assert!(text(&work.join("statement.toml")).unwrap_err().to_string().contains("not a regular file"));
        assert_eq!(text(&work.join("nothing")).unwrap(), None);
        fs::remove_dir_all(work.join("harness")).unwrap();
        symlink(dir.path(), work.join("harness")).unwrap();
        assert!(harness_files(&work.join("harness")).is_err());
        assert!(!is_free(&work).unwrap() && is_free(&dir.path().join("new")).unwrap());
    }

    #[test]
    fn deep_and_large_harnesses_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        lay_out(dir.path(), &Files::from([(format!("{}x", "d/".repeat(150)), Vec::new())])).unwrap();
        assert!(harness_files(dir.path()).unwrap_err().to_string().contains("a path of"));
    }
}
