//! What a run directory holds, read without locking or changing it: finished episodes, frozen settings, time spent in model calls.

use super::atomic::{FileError, read_text};
use super::episode_folders::{EpisodeFolder, Place, SealedStream, episode_folders};
use super::run_dir::EpisodeLine;
use super::trace_file::{TraceError, TraceReader};
use super::versioned::{Versioned, parse_toml};
use crate::domain::outcome::Outcome;
use crate::domain::trace::{EpisodeKey, Record, ReplySource};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Version of `run.toml`.
pub const RUN_FORMAT: u32 = 1;

/// Most traces that are read for the time of model calls.
const TRACES_READ: usize = 48;

/// Scored episodes of tasks that a model played, by the folder they lie in; copies are left out.
#[derive(Debug, Default)]
pub struct Recorded {
    /// Each folder with its episodes.
    pub folders: Vec<(EpisodeFolder, BTreeMap<EpisodeKey, EpisodeLine>)>,
}

impl Recorded {
    /// Reads a run directory; one that is not there holds nothing.
    ///
    /// # Errors
    /// A file that cannot be read or does not parse.
    pub fn read(dir: &Path) -> Result<Self, FileError> {
        let mut folders = Vec::new();
        for folder in episode_folders(dir)? {
            if matches!(folder.place, Place::Meta(_) | Place::Sealed { stream: SealedStream::Chooser, .. }) {
                continue;
            }
            let mut played = folder.played()?;
            played.retain(|_, line| !matches!(line.result.outcome, Outcome::Error { .. }));
            folders.push((folder, played));
        }
        Ok(Self { folders })
    }

    /// All scored episodes.
    pub fn episodes(&self) -> impl Iterator<Item = &EpisodeLine> {
        self.folders.iter().flat_map(|(_, episodes)| episodes.values())
    }

    /// Whether an episode lies in a folder.
    pub fn holds(&self, folder: &Path, key: &EpisodeKey) -> bool {
        self.folders.iter().any(|(found, episodes)| found.path == folder && episodes.contains_key(key))
    }

    /// Episodes in the places that count.
    pub fn count(&self, counts: impl Fn(&Place) -> bool) -> u64 {
        self.folders.iter().filter(|(folder, _)| counts(&folder.place)).map(|(_, episodes)| episodes.len() as u64).sum()
    }

    /// Mean seconds that an episode waited for its model, over the first traces that hold such calls. `None` without one.
    ///
    /// # Errors
    /// A trace that cannot be read or does not parse.
    pub fn model_seconds(&self) -> Result<Option<f64>, TraceError> {
        let traces = self.folders.iter().flat_map(|(folder, lines)| lines.values().map(|line| folder.path.join(&line.trace)));
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
/// A file that cannot be read, is of another version or no TOML.
pub fn frozen(dir: &Path) -> Result<Option<toml::Table>, FileError> {
    let path = dir.join("run.toml");
    if !path.exists() {
        return Ok(None);
    }
    let Frozen(table) = parse_toml(&path, &read_text(&path)?)?;
    Ok(Some(table))
}

/// `run.toml`.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Frozen(toml::Table);

impl Versioned for Frozen {
    const FORMAT: u32 = RUN_FORMAT;
}
