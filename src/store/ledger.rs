//! The response ledger: every reply received, by the key of its request (`system.md` §4). Append-only; a reply is on file before
//! anyone acts on it, so it is never paid for twice. In memory it holds 48 bytes a reply; replies are read back from the file.

use super::atomic::{FileError, JsonLines, read_lines};
use super::fail_point::written;
use crate::domain::id::Digest;
use crate::domain::request::{Reply, Usage};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("use the response ledger: {0}")]
pub struct LedgerError(#[from] pub FileError);

/// Replies by key.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    length: u64,
    index: HashMap<Digest, (u64, u32)>,
    spent: Usage,
}

#[derive(Serialize)]
struct EntryOut<'a> {
    key: &'a Digest,
    reply: &'a Reply,
}

#[derive(Deserialize)]
struct Entry {
    reply: Reply,
}

/// The parts of an entry that are held in memory.
#[derive(Deserialize)]
struct Outline {
    key: Digest,
    reply: Spent,
}

#[derive(Deserialize)]
struct Spent {
    #[serde(default)]
    usage: Usage,
}

/// What the replies on file in a ledger have cost; nothing where there is none. The file is not changed.
///
/// # Errors
/// What the operating system refused, or a line that does not parse.
pub fn spent(path: &Path) -> Result<Usage, LedgerError> {
    let mut spent = Usage::default();
    read_lines::<Outline>(path)?.iter().for_each(|entry| spent.add(&entry.reply.usage));
    Ok(spent)
}

impl Ledger {
    /// Opens or makes the ledger of a run.
    ///
    /// # Errors
    /// What the operating system refused, or a line that does not parse.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        // Opening for appending mends a tail that was cut off.
        JsonLines::open(path)?;
        let file = File::options().read(true).append(true).open(path).map_err(FileError::io("open", path))?;
        let mut reader = BufReader::with_capacity(1 << 16, file.try_clone().map_err(FileError::io("open", path))?);
        let mut index = HashMap::new();
        let mut length = 0;
        let mut spent = Usage::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let size = reader.read_until(b'\n', &mut line).map_err(FileError::io("read", path))?;
            if size == 0 {
                break;
            }
            let entry: Outline = serde_json::from_slice(&line).map_err(|error| FileError::Content {
                path: path.to_owned(),
                line: number,
                message: error.to_string(),
            })?;
            index.insert(entry.key, (length, size as u32));
            spent.add(&entry.reply.usage);
            length += size as u64;
        }
        Ok(Self { path: path.to_owned(), state: Mutex::new(State { file, length, index, spent }) })
    }

    /// A reply received before.
    ///
    /// # Errors
    /// What the operating system refused, or an entry that no longer parses.
    pub fn find(&self, key: &Digest) -> Result<Option<Reply>, LedgerError> {
        let state = self.state();
        let Some((offset, size)) = state.index.get(key).copied() else { return Ok(None) };
        let mut line = vec![0; size as usize];
        state.file.read_exact_at(&mut line, offset).map_err(FileError::io("read", &self.path))?;
        let entry: Entry = serde_json::from_slice(&line).map_err(|error| FileError::Content {
            path: self.path.clone(),
            line: 0,
            message: format!("at byte {offset}: {error}"),
        })?;
        Ok(Some(entry.reply))
    }

    /// Puts a reply on file.
    ///
    /// # Errors
    /// What the operating system refused; nothing half-written stays.
    pub fn add(&self, key: &Digest, reply: &Reply) -> Result<(), LedgerError> {
        let mut line = serde_json::to_vec(&EntryOut { key, reply }).unwrap_or_default();
        line.push(b'\n');
        let mut state = self.state();
        let before = state.length;
        if let Err(error) = state.file.write_all(&line) {
            // Half a line must not stay in front of the next one.
            let _ = state.file.set_len(before);
            return Err(LedgerError(FileError::io("write", &self.path)(error)));
        }
        state.index.insert(*key, (before, line.len() as u32));
        state.length += line.len() as u64;
        state.spent.add(&reply.usage);
        written();
        Ok(())
    }

    /// What all replies on file have cost.
    pub fn spent(&self) -> Usage {
        self.state().spent
    }

    /// How many replies are on file.
    pub fn len(&self) -> usize {
        self.state().index.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_found_again_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        let reply = Reply { text: "yes".into(), ..Reply::default() };
        let keys: Vec<Digest> = (0..3u8).map(|i| Digest::of(&[i])).collect();
        let ledger = Ledger::open(&path).unwrap();
        ledger.add(&keys[0], &reply).unwrap();
        ledger.add(&keys[1], &Reply::default()).unwrap();
        drop(ledger);
        let ledger = Ledger::open(&path).unwrap();
        assert_eq!(ledger.len(), 2);
        assert_eq!(ledger.find(&keys[0]).unwrap(), Some(reply));
        assert_eq!(ledger.find(&keys[2]).unwrap(), None);
    }
}
