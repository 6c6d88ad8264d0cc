//! What stages and engines may read of a run (`system.md` §5): by allow-list, and nothing under `sealed/` is on it. Whatever else is asked
//! for is refused and put into `audit.jsonl`.

use super::atomic::{FileError, read_lines, read_text};
use super::audit::Audit;
use super::harness_repo::{HarnessRepo, RepoError};
use super::run_dir::EpisodeLine;
use super::trace_file::TraceError;
use super::versioned::{Versioned, parse_json};
use crate::clock::Clock;
use crate::domain::trace::Stream;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Files of a run that may be read.
const FILES: [&str; 2] = ["scoreboard.json", "journal.md"];

/// Folders of a run that may be read, with everything below.
const FOLDERS: [&str; 1] = ["data"];

/// Files of a round that may be read.
const ROUND_FILES: [&str; 16] = [
    "overview.json",
    "overview.md",
    "regressions.md",
    "landscape.json",
    "landscape.md",
    "diagnoses.json",
    "evolved.json",
    "review-1.json",
    "revised.json",
    "review-2.json",
    "critique.json",
    "critique.md",
    "decision.json",
    "decision.md",
    "round.json",
    "episodes.jsonl",
];

/// Folders of a round that may be read, with everything below.
const ROUND_FOLDERS: [&str; 4] = ["trajectories", "digests", "candidates", "verdicts"];

/// Largest file that is read as one text, in bytes.
const READ_LIMIT: u64 = 64 << 20;

/// A run could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not for the one who asked.
    #[error("read {path:?} of the run: refused, {reason}")]
    Refused {
        /// What was asked for.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// The file could not be read, or is not what it should be.
    #[error("read a run: {0}")]
    File(#[from] FileError),
    /// The trace could not be read.
    #[error("read a run: {0}")]
    Trace(#[from] TraceError),
    /// The repository of harnesses could not be read.
    #[error("read a run: {0}")]
    Repo(#[from] RepoError),
}

/// A run as stages and engines see it.
#[derive(Debug)]
pub struct Visible {
    /// Without symbolic links.
    root: PathBuf,
    reader: String,
    clock: Clock,
}

impl Visible {
    /// Opens the run at `run` for `reader`, who is named in the audit.
    ///
    /// # Errors
    /// No such folder.
    pub fn open(run: &Path, reader: &str, clock: &Clock) -> Result<Self, FileError> {
        let root = fs::canonicalize(run).map_err(FileError::io("read", run))?;
        Ok(Self { root, reader: reader.to_owned(), clock: clock.clone() })
    }

    /// A text file, by its path within the run.
    ///
    /// # Errors
    /// [`ReadError::Refused`], or it is not there, no text, or too large.
    pub fn read_text(&self, relative: &str) -> Result<String, ReadError> {
        let path = self.resolve(relative)?;
        let found = fs::metadata(&path).map_err(FileError::io("read", &path))?;
        let content = |message: String| FileError::Content { path: path.clone(), line: 0, message };
        if !found.is_file() {
            return Err(content("not a file".to_owned()).into());
        }
        if found.len() > READ_LIMIT {
            return Err(content(format!("{} bytes; at most {READ_LIMIT} are read at once", found.len())).into());
        }
        Ok(read_text(&path)?)
    }

    /// The same, `None` where it is not there.
    ///
    /// # Errors
    /// [`ReadError::Refused`], or it is no text, or too large.
    pub fn find_text(&self, relative: &str) -> Result<Option<String>, ReadError> {
        match self.read_text(relative) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A JSON file with a version, `None` where it is not there.
    ///
    /// # Errors
    /// [`ReadError::Refused`], or it is not what it should be: with the line.
    pub fn find_json<T: Versioned>(&self, relative: &str) -> Result<Option<T>, ReadError> {
        let text = self.find_text(relative)?;
        Ok(text.map(|text| parse_json(&self.root.join(relative), &text)).transpose()?)
    }

    /// The values of a JSON-lines file; none where it is not there.
    ///
    /// # Errors
    /// [`ReadError::Refused`], or a line that does not parse.
    pub fn lines<T: DeserializeOwned>(&self, relative: &str) -> Result<Vec<T>, ReadError> {
        match self.resolve(relative) {
            Ok(path) => Ok(read_lines(&path)?),
            Err(error) if error.is_missing() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Names in a folder, in order; none where it is not there.
    ///
    /// # Errors
    /// [`ReadError::Refused`], or it is no folder.
    pub fn list(&self, relative: &str) -> Result<Vec<String>, ReadError> {
        let path = match self.resolve(relative) {
            Ok(path) => path,
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let entries = fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(FileError::io("read", &path))?;
        let mut names: Vec<String> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// Names of the folders in a folder, in order; none where it is not there.
    ///
    /// # Errors
    /// [`ReadError::Refused`], or it is no folder.
    pub fn folders(&self, relative: &str) -> Result<Vec<String>, ReadError> {
        let mut names = self.list(relative)?;
        names.retain(|name| self.root.join(relative).join(name).is_dir());
        Ok(names)
    }

    /// What may be read in the run's own folder (an empty path, or `.`) or in that of a round; `None` for every other path.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn top(&self, relative: &str) -> Result<Option<Vec<String>>, ReadError> {
        let folder = if relative == "." { Path::new("") } else { Path::new(relative) };
        if !is_top(folder) {
            return Ok(None);
        }
        let path = self.root.join(folder);
        let entries = match fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(FileError::io("read", &path)(error).into()),
        };
        let is_listed = |name: &&str| is_allowed(&folder.join(name)) || is_top(&folder.join(name));
        let names = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| is_listed(&name.as_str())).collect();
        names.sort();
        Ok(Some(names))
    }

    /// Where a path leads, within the run, without detours and symbolic links. A refusal is not put into the audit: who asks for somebody
    /// else does that.
    ///
    /// # Errors
    /// [`ReadError::Refused`], or it is not there.
    pub fn place(&self, relative: &str) -> Result<PathBuf, ReadError> {
        match self.find(relative)? {
            Ok(real) => Ok(real.strip_prefix(&self.root).unwrap_or(&real).to_owned()),
            Err(reason) => Err(ReadError::Refused { path: relative.to_owned(), reason }),
        }
    }

    /// Rounds that have a folder, ascending.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn rounds(&self) -> Result<Vec<u32>, ReadError> {
        let entries = fs::read_dir(&self.root).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(FileError::io("read", &self.root))?;
        let mut rounds: Vec<u32> = entries.iter().filter_map(|entry| round_of(entry.file_name().to_str()?)).collect();
        rounds.sort_unstable();
        Ok(rounds)
    }

    /// Finished episodes of a round's train tasks on the stream `visible`, in the order they finished.
    ///
    /// # Errors
    /// A line that does not parse.
    pub fn episodes(&self, round: u32) -> Result<Vec<EpisodeLine>, ReadError> {
        let lines: Vec<EpisodeLine> = self.lines(&format!("R{round}/episodes.jsonl"))?;
        Ok(lines.into_iter().filter(|line| line.key.stream == Stream::visible()).collect())
    }

    /// Where a trace lies, plain or compressed; `trace` is relative to the round's folder, as in `episodes.jsonl` and in anchors.
    ///
    /// # Errors
    /// [`ReadError::Refused`], or it is not there.
    pub fn trace_path(&self, round: u32, trace: &str) -> Result<PathBuf, ReadError> {
        let plain = format!("R{round}/{trace}");
        match self.resolve(&plain) {
            Err(error) if error.is_missing() => self.resolve(&format!("{plain}.zst")),
            found => found,
        }
    }

    /// The repository of harnesses; `None` where the run has none.
    ///
    /// # Errors
    /// What the operating system or git refused.
    pub fn harnesses(&self) -> Result<Option<HarnessRepo>, ReadError> {
        Ok(HarnessRepo::find(&self.root.join("harness"))?)
    }

    /// The file or folder a path within the run leads to, when it is on the list and what it leads to is too.
    fn resolve(&self, relative: &str) -> Result<PathBuf, ReadError> {
        self.find(relative)?.map_err(|reason| self.refuse(relative, reason))
    }

    /// The same; the inner error is why it is refused.
    fn find(&self, relative: &str) -> Result<Result<PathBuf, &'static str>, ReadError> {
        if !is_allowed(Path::new(relative)) {
            return Ok(Err("it is not among what stages and engines may read"));
        }
        let path = self.root.join(relative);
        let real = fs::canonicalize(&path).map_err(FileError::io("read", &path))?;
        let is_within = real.strip_prefix(&self.root).is_ok_and(is_allowed);
        Ok(if is_within { Ok(real) } else { Err("a symbolic link leads out of what stages and engines may read") })
    }

    fn refuse(&self, relative: &str, reason: &'static str) -> ReadError {
        let refused = ReadError::Refused { path: relative.to_owned(), reason };
        let audit = Audit::open(&self.root, &self.clock);
        let logged = audit.and_then(|audit| audit.record(&self.reader, None, "refused", refused.to_string()));
        logged.map_or_else(ReadError::File, |()| refused)
    }
}

impl ReadError {
    /// Whether the file is simply not there.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::File(error) if error.is_missing())
    }
}

/// The round of a folder named `R<n>`, written without leading zeros.
pub(super) fn round_of(name: &str) -> Option<u32> {
    let round = name.strip_prefix('R')?.parse().ok()?;
    (name == format!("R{round}")).then_some(round)
}

/// Whether a path is that of the run itself, or of a round: folders of which a part may be read.
fn is_top(relative: &Path) -> bool {
    match relative.components().collect::<Vec<_>>().as_slice() {
        [] => true,
        [Component::Normal(name)] => name.to_str().and_then(round_of).is_some(),
        _ => false,
    }
}

/// Whether a path within a run is on the list.
fn is_allowed(relative: &Path) -> bool {
    let mut parts = Vec::new();
    for part in relative.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str().unwrap_or_default()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => return false,
        }
    }
    match parts.as_slice() {
        [round, file] if round_of(round).is_some() => ROUND_FILES.contains(file) || ROUND_FOLDERS.contains(file),
        [round, folder, ..] if round_of(round).is_some() => ROUND_FOLDERS.contains(folder),
        [file] => FILES.contains(file) || FOLDERS.contains(file),
        [folder, ..] => FOLDERS.contains(folder),
        [] => false,
    }
}

#[cfg(test)]
mod tests;
