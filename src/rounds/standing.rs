//! Which recorded episodes speak for a harness, task by task: its own, and those of the harnesses before it that it would repeat without
//! a difference. `sealed/standing.json`, since gate tasks are in it; the train part of it is what a round's Digester reads.

use super::error::RoundsError;
use crate::domain::gate::TaskIndex;
use crate::domain::id::HarnessId;
use crate::domain::outcome::Outcome;
use crate::store::atomic::read_text;
use crate::store::run_dir::{RoundDir, RunDir};
use crate::store::versioned::{Versioned, parse_json, unmarked};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

const FILE: &str = "sealed/standing.json";

/// Version of the file.
const STANDING_FORMAT: u32 = 1;

/// Traces by harness and task, relative to the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standings {
    #[serde(default = "unmarked")]
    format: u32,
    harnesses: BTreeMap<HarnessId, Vec<Vec<PathBuf>>>,
}

impl Versioned for Standings {
    const FORMAT: u32 = STANDING_FORMAT;
}

impl Default for Standings {
    fn default() -> Self {
        Self { format: STANDING_FORMAT, harnesses: BTreeMap::new() }
    }
}

impl Standings {
    /// What is on file.
    pub fn read(run: &RunDir) -> Result<Self, RoundsError> {
        let path = run.path().join(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        Ok(parse_json(&path, &read_text(&path)?)?)
    }

    /// Puts it on file.
    pub fn write(&self, run: &RunDir) -> Result<(), RoundsError> {
        Ok(run.write_json(FILE, self)?)
    }

    /// The traces that speak for a harness on a task, relative to the run.
    pub fn of(&self, harness: &HarnessId, task: TaskIndex) -> &[PathBuf] {
        self.harnesses.get(harness).and_then(|tasks| tasks.get(task.at())).map_or(&[], Vec::as_slice)
    }

    /// Adds scored episodes of a harness on some tasks, found in a folder of the run.
    pub fn add(&mut self, run: &RunDir, harness: &HarnessId, dir: &RoundDir, tasks: &[(TaskIndex, &str)]) -> Result<(), RoundsError> {
        let most = tasks.iter().map(|(task, _)| task.at() + 1).max().unwrap_or(0);
        let known = self.harnesses.entry(harness.clone()).or_default();
        if known.len() < most {
            known.resize(most, Vec::new());
        }
        let by_id: BTreeMap<&str, usize> = tasks.iter().map(|(task, id)| (*id, task.at())).collect();
        for line in dir.finished()? {
            let Some(task) = by_id.get(line.key.task.as_str()) else { continue };
            if matches!(line.result.outcome, Outcome::Error { .. }) {
                continue;
            }
            let path = dir.path().join(&line.trace);
            let path = path.strip_prefix(run.path()).unwrap_or(&path).to_owned();
            if !known[*task].contains(&path) {
                known[*task].push(path);
            }
        }
        Ok(())
    }

    /// These traces, and no others, speak for a harness on a task that it has.
    pub fn set(&mut self, harness: &HarnessId, task: TaskIndex, traces: &[PathBuf]) {
        if let Some(known) = self.harnesses.get_mut(harness).and_then(|tasks| tasks.get_mut(task.at())) {
            *known = traces.to_vec();
        }
    }

    /// A harness takes the place of another: on the tasks it touches its own episodes speak for it, elsewhere those of the other.
    pub fn follow(&mut self, old: &HarnessId, new: &HarnessId, tasks: usize) {
        let before = self.harnesses.get(old).cloned().unwrap_or_default();
        let after = self.harnesses.entry(new.clone()).or_default();
        after.resize(tasks, Vec::new());
        for (own, inherited) in after.iter_mut().zip(before) {
            if own.is_empty() {
                *own = inherited;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn the_file_says_its_version_and_is_read_where_it_did_not() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        let mut standings = Standings::default();
        standings.harnesses.insert("h".into(), vec![vec!["R0/trajectories/t.jsonl".into()]]);
        standings.write(&run).unwrap();
        assert_eq!(Standings::read(&run).unwrap(), standings);
        run.write(FILE, b"{\"harnesses\":{\"h\":[[\"R0/trajectories/t.jsonl\"]]}}").unwrap();
        assert_eq!(Standings::read(&run).unwrap(), standings);
        run.write(FILE, b"{\"format\":2,\"colours\":3}").unwrap();
        let error = Standings::read(&run).unwrap_err().to_string();
        assert!(error.contains("format 2 is not known here"), "{error}");
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_no_empty_file() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        Standings::default().write(&run).unwrap();
        let mut standings = Standings::default();
        let no_text = std::ffi::OsString::from_vec(vec![0xff]);
        standings.harnesses.insert("h".into(), vec![vec![PathBuf::from(no_text)]]);
        assert!(standings.write(&run).is_err());
        assert_eq!(Standings::read(&run).unwrap(), Standings::default());
    }
}
