//! Trace files: one JSON record a line, readable while the episode runs; finished ones that are large are compressed with zstd.

use super::atomic::FileError;
use super::fail_point::written;
use crate::domain::id::TaskId;
use crate::domain::trace::{EpisodeKey, Record, TRACE_FORMAT};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// A trace could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("use a trace: {0}")]
pub struct TraceError(#[from] pub FileError);

/// Finished traces above this size are compressed.
const COMPRESS_ABOVE: u64 = 256 * 1024;

/// Bytes kept back before they are handed to the operating system; a step is flushed anyhow.
const BUFFER: usize = 8 * 1024;

/// A trace being written.
#[derive(Debug)]
pub struct TraceFile {
    path: PathBuf,
    file: File,
    /// Bytes handed over so far, whole lines.
    length: u64,
    buffer: Vec<u8>,
}

/// File name of an episode's trace: the task's slug and the replicate.
pub fn file_name(key: &EpisodeKey) -> String {
    format!("{}_r{}.jsonl", slug(&key.task), key.replicate)
}

/// A task's name within file names: its id percent-encoded, cut at 100 bytes plus a digest when longer.
pub fn slug(task: &TaskId) -> String {
    let mut slug = String::new();
    for byte in task.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            slug.push(char::from(byte));
        } else {
            slug.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]);
        }
    }
    if slug.len() > 100 {
        let digest = crate::domain::id::Digest::of(task.as_str().as_bytes()).to_string();
        slug = format!("{}-{}", &slug[..100], &digest[..16]);
    }
    slug
}

/// Upper-case hexadecimal digit of a number below 16.
fn hex_digit(number: u8) -> char {
    char::from_digit(u32::from(number), 16).unwrap_or('0').to_ascii_uppercase()
}

impl TraceFile {
    /// Starts a trace anew.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn create(path: &Path) -> Result<Self, TraceError> {
        let file = File::create(path).map_err(FileError::io("create", path))?;
        Ok(Self { path: path.to_owned(), file, length: 0, buffer: Vec::with_capacity(BUFFER) })
    }

    /// Appends one record.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn append(&mut self, record: &Record) -> Result<(), TraceError> {
        serde_json::to_writer(&mut self.buffer, record).map_err(|error| FileError::io("write", &self.path)(error.into()))?;
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Hands everything to the operating system.
    ///
    /// # Errors
    /// What the operating system refused; the file then ends with its last whole line.
    pub fn flush(&mut self) -> Result<(), TraceError> {
        if let Err(error) = self.file.write_all(&self.buffer) {
            // Best effort: readers pass over a line that was cut off.
            let _ = self.file.set_len(self.length);
            return Err(TraceError(FileError::io("write", &self.path)(error)));
        }
        self.length += self.buffer.len() as u64;
        self.buffer.clear();
        written();
        Ok(())
    }
}

/// Compresses a finished trace when it is large. The plain file goes only when the compressed one is whole.
///
/// # Errors
/// What the operating system refused.
pub fn settle(path: &Path) -> Result<(), TraceError> {
    let size = fs::metadata(path).map_err(FileError::io("read", path))?.len();
    if size <= COMPRESS_ABOVE {
        return Ok(());
    }
    let target = path.with_extension("jsonl.zst");
    let part = path.with_extension("jsonl.zst.part");
    let mut source = File::open(path).map_err(FileError::io("read", path))?;
    let output = File::create(&part).map_err(FileError::io("create", &part))?;
    let copied = zstd::stream::copy_encode(&mut source, output, 3).and_then(|()| fs::rename(&part, &target));
    if let Err(error) = copied {
        // Best effort: the error below is the one to report.
        let _ = fs::remove_file(&part);
        return Err(TraceError(FileError::io("write", &target)(error)));
    }
    written();
    fs::remove_file(path).map_err(FileError::io("remove", path))?;
    Ok(())
}

/// When a trace was last written to, in milliseconds since 1970; plain or compressed. `None` where there is none.
pub fn written_at(path: &Path) -> Option<u64> {
    let about = path.metadata().or_else(|_| path.with_extension("jsonl.zst").metadata()).ok()?;
    let since = about.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// Bytes of a trace's records; a compressed one is read through, in constant memory.
///
/// # Errors
/// What the operating system refused.
pub fn length(path: &Path) -> Result<u64, TraceError> {
    let compressed = path.with_extension("jsonl.zst");
    if path.exists() || !compressed.exists() {
        return Ok(fs::metadata(path).map_err(FileError::io("read", path))?.len());
    }
    let failed = FileError::io("read", &compressed);
    let read = File::open(&compressed).and_then(zstd::stream::read::Decoder::new);
    Ok(read.and_then(|mut records| std::io::copy(&mut records, &mut std::io::sink())).map_err(failed)?)
}

/// Reads a trace record by record. A last line that was cut off ends it.
pub struct TraceReader {
    path: PathBuf,
    reader: BufReader<Box<dyn Read>>,
    line: Vec<u8>,
    number: usize,
}

impl TraceReader {
    /// Opens a trace, plain or compressed; the plain name finds the compressed file too.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn open(path: &Path) -> Result<Self, TraceError> {
        let compressed = path.with_extension("jsonl.zst");
        let path = if !path.exists() && compressed.exists() { compressed } else { path.to_owned() };
        let file = File::open(&path).map_err(FileError::io("read", &path))?;
        let source: Box<dyn Read> = if path.extension().is_some_and(|end| end == "zst") {
            Box::new(zstd::stream::read::Decoder::new(file).map_err(FileError::io("read", &path))?)
        } else {
            Box::new(file)
        };
        Ok(Self { path, reader: BufReader::new(source), line: Vec::new(), number: 0 })
    }

    /// An error at the line read last.
    pub(super) fn content(&self, message: String) -> TraceError {
        TraceError(FileError::Content { path: self.path.clone(), line: self.number, message })
    }

    /// The next whole line, with its newline; `None` at the end, or where a line was cut off.
    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>, TraceError> {
        self.line.clear();
        self.number += 1;
        self.reader.read_until(b'\n', &mut self.line).map_err(FileError::io("read", &self.path))?;
        Ok((self.line.last() == Some(&b'\n')).then_some(self.line.as_slice()))
    }

    fn read(&mut self) -> Result<Option<Record>, TraceError> {
        if self.next_line()?.is_none() {
            return Ok(None);
        }
        let record = serde_json::from_slice(&self.line).map_err(|error| self.content(error.to_string()))?;
        if let Record::Episode { format, .. } = &record
            && *format > TRACE_FORMAT
        {
            return Err(self.content(format!("trace format {format} is newer than this program reads ({TRACE_FORMAT})")));
        }
        Ok(Some(record))
    }
}

impl Iterator for TraceReader {
    type Item = Result<Record, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}
