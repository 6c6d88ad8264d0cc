//! Which recorded episodes speak for a harness, task by task: its own, and those of the harnesses before it that it would repeat without
//! a difference. `sealed/standing.json`, since gate tasks are in it; the train part of it is what a round's Digester reads.

use super::error::RoundsError;
use crate::domain::gate::TaskIndex;
use crate::domain::id::HarnessId;
use crate::domain::outcome::Outcome;
use crate::store::atomic::FileError;
use crate::store::run_dir::{RoundDir, RunDir};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

const FILE: &str = "sealed/standing.json";

/// Traces by harness and task, relative to the run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standings {
    harnesses: BTreeMap<HarnessId, Vec<Vec<PathBuf>>>,
}

impl Standings {
    /// What is on file.
    pub fn read(run: &RunDir) -> Result<Self, RoundsError> {
        let path = run.path().join(FILE);
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = crate::store::atomic::read_text(&path)?;
        let content = |error: serde_json::Error| FileError::Content { path: path.clone(), line: error.line(), message: error.to_string() };
        Ok(serde_json::from_str(&text).map_err(content)?)
    }

    /// Puts it on file.
    pub fn write(&self, run: &RunDir) -> Result<(), RoundsError> {
        Ok(run.write(FILE, &serde_json::to_vec(self).unwrap_or_default())?)
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
