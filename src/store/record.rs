//! What a run directory holds, read without locking or changing it: finished episodes, frozen settings, time spent in model calls.

use super::atomic::{FileError, read_lines, read_text};
use super::run_dir::EpisodeLine;
use super::trace_file::{TraceError, TraceReader};
use crate::domain::outcome::Outcome;
use crate::domain::trace::{EpisodeKey, Record, ReplySource};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Most traces that are read for the time of model calls.
const TRACES_READ: usize = 48;

/// Scored episodes by the folder they lie in.
#[derive(Debug, Default)]
pub struct Recorded {
    /// `R<n>` or `sealed/<stream>/<harness>`, with its episodes.
    pub folders: BTreeMap<PathBuf, BTreeMap<EpisodeKey, EpisodeLine>>,
}

impl Recorded {
    /// Reads a run directory; one that is not there holds nothing.
    ///
    /// # Errors
    /// A file that cannot be read or does not parse.
    pub fn read(dir: &Path) -> Result<Self, FileError> {
        let mut folders = BTreeMap::new();
        for folder in episode_folders(dir)? {
            let lines: Vec<EpisodeLine> = read_lines(&folder.join("episodes.jsonl"))?;
            let scored = lines.into_iter().filter(|line| !matches!(line.result.outcome, Outcome::Error { .. }));
            folders.insert(folder, scored.map(|line| (line.key.clone(), line)).collect());
        }
        Ok(Self { folders })
    }

    /// All scored episodes.
    pub fn episodes(&self) -> impl Iterator<Item = &EpisodeLine> {
        self.folders.values().flat_map(BTreeMap::values)
    }

    /// Mean seconds that an episode waited for its model, over the first traces that hold such calls. `None` without one.
    ///
    /// # Errors
    /// A trace that cannot be read or does not parse.
    pub fn model_seconds(&self) -> Result<Option<f64>, TraceError> {
        let traces = self.folders.iter().flat_map(|(folder, lines)| lines.values().map(|line| folder.join(&line.trace)));
        let mut waits = Vec::new();
        for trace in traces.take(TRACES_READ) {
            waits.extend(model_milliseconds(&trace)?);
        }
        Ok((!waits.is_empty()).then(|| waits.iter().sum::<u64>() as f64 / 1000.0 / waits.len() as f64))
    }
}

/// Milliseconds of the model calls of a trace; `None` if replies came from the ledger, which says nothing about time.
fn model_milliseconds(trace: &Path) -> Result<Option<u64>, TraceError> {
    let mut sum = 0;
    for record in TraceReader::open(trace)? {
        if let Record::Reply { latency_ms, source, .. } = record? {
            match source {
                ReplySource::Model => sum += latency_ms,
                ReplySource::Ledger => return Ok(None),
                ReplySource::Processor | ReplySource::Forced => {}
            }
        }
    }
    Ok(Some(sum))
}

/// The frozen settings of a run, `None` where there are none.
///
/// # Errors
/// A file that cannot be read or is no TOML.
pub fn frozen(dir: &Path) -> Result<Option<toml::Table>, FileError> {
    let path = dir.join("run.toml");
    if !path.exists() {
        return Ok(None);
    }
    let parsed: Result<toml::Table, toml::de::Error> = read_text(&path)?.parse();
    parsed.map(Some).map_err(|error| FileError::Content { path, line: 0, message: error.message().to_owned() })
}

/// Folders with an `episodes.jsonl`: rounds, and sealed streams by harness.
fn episode_folders(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut folders = Vec::new();
    for inner in sub_folders(dir)? {
        if inner.file_name().is_some_and(|name| name == "sealed") {
            for stream in sub_folders(&inner)? {
                // A random chooser's episodes call no model.
                if stream.file_name().is_none_or(|name| name != "chooser") {
                    folders.extend(sub_folders(&stream)?);
                }
            }
        } else {
            folders.push(inner);
        }
    }
    folders.retain(|folder| folder.join("episodes.jsonl").is_file());
    Ok(folders)
}

fn sub_folders(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(FileError::io("read", dir))?;
    let mut folders: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}
