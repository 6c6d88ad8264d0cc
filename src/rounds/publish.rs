//! What the gate's rollouts of a new incumbent become once it ships: train traces that the next round's Digester may read.

use super::Rounds;
use super::error::RoundsError;
use crate::domain::trace::{EpisodeKey, Record};
use crate::store::run_dir::RoundDir;
use crate::store::trace_file::{TraceFile, TraceReader, settle};
use std::path::Path;

impl Rounds<'_> {
    /// The new incumbent's rollouts on train tasks become visible: they chose it, so they are no control any more, and its Digester needs
    /// them. Tasks that changed hands in a rollback get those of the anchor back.
    pub(super) fn publish(&self, round: u32) -> Result<(), RoundsError> {
        let Some(last) = round.checked_sub(1).map(|last| self.visible.round(last)).transpose()?.flatten() else { return Ok(()) };
        let (before, after) = (last.before, self.incumbent());
        if before == after {
            return Ok(());
        }
        let dir = self.course.run.round(round)?;
        let published: Vec<EpisodeKey> = dir.finished()?.into_iter().map(|line| line.key).collect();
        for (index, task) in self.train() {
            let traces = self.standings.of(&after, index);
            if traces == self.standings.of(&before, index) {
                continue;
            }
            for (number, trace) in traces.iter().enumerate() {
                let key = EpisodeKey::published(task.task.id.clone(), round, number);
                if !published.contains(&key) {
                    copy(&self.course.run.path().join(trace), &key, &dir)?;
                }
            }
        }
        self.audited("loop", round, "published", format!("train rollouts of {after}"))
    }
}

/// Copies a trace under another key.
fn copy(from: &Path, key: &EpisodeKey, dir: &RoundDir) -> Result<(), RoundsError> {
    let path = dir.trace_path(key);
    let mut file = TraceFile::create(&path)?;
    let mut result = None;
    for record in TraceReader::open(from)? {
        let record = match record? {
            Record::Episode { format, harness, policy, seed, task_text, tags, .. } => {
                Record::Episode { format, key: key.clone(), harness, policy, seed, task_text, tags }
            }
            Record::Outcome(outcome) => {
                result = Some(outcome.clone());
                Record::Outcome(outcome)
            }
            other @ (Record::Brought { .. }
            | Record::Request { .. }
            | Record::Reply { .. }
            | Record::Tool { .. }
            | Record::Trigger { .. }) => other,
        };
        file.append(&record)?;
    }
    file.flush()?;
    settle(&path)?;
    if let Some(result) = result {
        dir.finish(key, &result)?;
    }
    Ok(())
}
