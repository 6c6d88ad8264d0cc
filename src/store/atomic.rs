//! Whole files written atomically, and append-only JSON-lines files that survive a kill in the middle of a line.

use super::fail_point::written;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system refused.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The content is not what it should be.
    #[error("read {}:{line}: {message}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Line from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

impl FileError {
    /// Wraps an IO error.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Whether the file is simply not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }

    /// Whether there is no room left (disk, quota or a limit on file sizes): the outside world can cure it.
    pub fn is_disk_full(&self) -> bool {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge))
    }
}

/// Writes a whole file: beside it first, then renamed over it.
///
/// # Errors
/// What the operating system refused; the old file is as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    write_via(Path::new(&beside), path, bytes)
}

/// Writes to a path that a person named: a link is followed, and what is no regular file, such as a device or a pipe, takes the bytes as they
/// come.
///
/// # Errors
/// What the operating system refused.
pub fn write_named(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let through = |options: &mut OpenOptions| options.open(path).map_err(FileError::io("write", path));
    if fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return through(OpenOptions::new().write(true))?.write_all(bytes).map_err(FileError::io("write", path));
    }
    if path.is_symlink() {
        // One that leads to nothing yet would else be replaced.
        through(OpenOptions::new().create(true).append(true))?;
    }
    write_whole(&fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), bytes)
}

/// Writes a whole file by way of `part`, a path on the same disk where a half-written file does no harm.
///
/// # Errors
/// What the operating system refused; the old file is as it was.
pub(super) fn write_via(part: &Path, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(FileError::io("create", parent))?;
    }
    let whole = File::create(part).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_data()));
    let renamed = whole.and_then(|()| fs::rename(part, path));
    if renamed.is_err() {
        // Best effort: the error below is the one to report.
        let _ = fs::remove_file(part);
    }
    renamed.map_err(FileError::io("write", path))?;
    written();
    Ok(())
}

/// Removes half-written files that processes which are gone have left anywhere below a folder that this process alone writes to. Folders of
/// desks are a person's own.
///
/// # Errors
/// What the operating system refused.
pub(super) fn remove_parts(dir: &Path) -> Result<(), FileError> {
    for entry in fs::read_dir(dir).map_err(FileError::io("read", dir))?.filter_map(Result::ok) {
        let (path, name) = (entry.path(), entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && name != "desk" => remove_parts(&path)?,
            Ok(kind) if kind.is_file() && is_left_over(&name.to_string_lossy()) => {
                fs::remove_file(&path).map_err(FileError::io("remove", &path))?;
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// Whether a file's name says that it was to become another one, and whoever wrote it is gone: [`write_whole`] and the repository of harnesses
/// name their process, a trace is compressed under the lock.
fn is_left_over(name: &str) -> bool {
    let Some(whole) = name.strip_suffix(".part") else { return false };
    let writer = whole.rsplit_once('.').and_then(|(_, process)| process.parse().ok());
    writer.map_or_else(|| whole.ends_with(".jsonl.zst"), crate::sandbox::is_gone)
}

/// Removes a file, if it is there.
///
/// # Errors
/// What the operating system refused.
pub fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::io("remove", path)(error)),
        Ok(()) | Err(_) => {
            written();
            Ok(())
        }
    }
}

/// Removes a folder with everything in it, if it is there.
///
/// # Errors
/// What the operating system refused.
pub fn remove_folder(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::io("remove", path)(error)),
        Ok(()) | Err(_) => {
            written();
            Ok(())
        }
    }
}

/// Reads a whole text file.
///
/// # Errors
/// What the operating system refused, or text that is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(FileError::io("read", path))
}

/// An append-only file of one JSON value a line.
#[derive(Debug)]
pub struct JsonLines {
    path: PathBuf,
    file: File,
}

impl JsonLines {
    /// Opens for appending; a last line that was cut off by a kill is taken away first.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(FileError::io("create", parent))?;
        }
        let file = OpenOptions::new().create(true).read(true).append(true).open(path).map_err(FileError::io("open", path))?;
        let whole = whole_length(&file).map_err(FileError::io("read", path))?;
        file.set_len(whole).map_err(FileError::io("write", path))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends one value with one write call.
    ///
    /// # Errors
    /// What the operating system refused; a full disk among them.
    pub fn append<T: Serialize>(&mut self, value: &T) -> Result<(), FileError> {
        let mut line = serde_json::to_vec(value).map_err(|error| FileError::io("write", &self.path)(error.into()))?;
        line.push(b'\n');
        let before = self.file.metadata().map_err(FileError::io("read", &self.path))?.len();
        self.file.write_all(&line).map_err(|error| {
            // Half a line must not stay in front of the next one.
            let _ = self.file.set_len(before);
            FileError::io("write", &self.path)(error)
        })?;
        written();
        Ok(())
    }
}

/// Length up to and including the last newline. Reads only the tail.
fn whole_length(file: &File) -> std::io::Result<u64> {
    use std::os::unix::fs::FileExt;
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let size = block.len().min(usize::try_from(end).unwrap_or(usize::MAX));
        let start = end - size as u64;
        file.read_exact_at(&mut block[..size], start)?;
        if let Some(last) = block[..size].iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Reads a JSON-lines file as a stream; a last line without newline is passed over, since it was cut off by a kill.
///
/// # Errors
/// What the operating system refused, or a whole line that does not parse, with its number. A file that is not there is empty.
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FileError::io("read", path)(error)),
    };
    let mut reader = BufReader::new(file);
    let mut values = Vec::new();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(FileError::io("read", path))?;
        if line.last() != Some(&b'\n') {
            break;
        }
        let value = serde_json::from_slice(&line).map_err(|error| FileError::Content {
            path: path.to_owned(),
            line: number,
            message: error.to_string(),
        })?;
        values.push(value);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_off_line_is_dropped_and_the_next_append_starts_clean() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/log.jsonl");
        JsonLines::open(&path).unwrap().append(&1).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"half").unwrap();
        assert_eq!(read_lines::<u32>(&path).unwrap(), [1]);
        JsonLines::open(&path).unwrap().append(&2).unwrap();
        assert_eq!(read_lines::<u32>(&path).unwrap(), [1, 2]);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let gone = i32::MAX;
        let (left, own) = (format!("a.json.{gone}.part"), format!("a.json.{}.part", std::process::id()));
        let names = ["a.json", "a.part", &left, &own, "sealed/t.jsonl.zst.part", "R1/desk/1/harness/x.1.part", "R1/desk/1/harness/x.part"];
        for name in names {
            write_whole(&dir.path().join(name), b"x").unwrap();
        }
        let late = format!("R1/desk/1/harness/x.{gone}.part");
        write_whole(&dir.path().join(&late), b"x").unwrap();
        remove_parts(dir.path()).unwrap();
        let stays = |name: &str| dir.path().join(name).exists();
        assert!(!stays(&left) && !stays("sealed/t.jsonl.zst.part"));
        assert!(["a.json", "a.part", own.as_str(), late.as_str(), "R1/desk/1/harness/x.part"].iter().all(|name| stays(name)));
    }

    #[test]
    fn a_bad_line_in_the_middle_is_an_error_with_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.jsonl");
        fs::write(&path, "1\nx\n3\n").unwrap();
        assert!(read_lines::<u32>(&path).unwrap_err().to_string().contains("log.jsonl:2:"));
    }
}
