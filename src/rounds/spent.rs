//! What a run has played and paid, counted from the episodes on file.

use super::Rounds;
use super::close::NUMBERS;
use super::error::RoundsError;
use crate::domain::gate::{Pass, TaskIndex};
use crate::domain::id::CandidateId;
use crate::domain::request::Usage;
use crate::domain::round::{Rollouts, RoundRecord};
use crate::domain::trace::{EpisodeKey, Record};
use crate::store::atomic::{JsonLines, read_lines};
use crate::store::run_dir::EpisodeLine;
use crate::store::trace_file::TraceReader;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// Episodes that were not played.
const UNTOUCHED: &str = "sealed/untouched.jsonl";

/// Episodes and what they took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub rollouts: Rollouts,
    pub usage: Usage,
}

/// An episode that a dry replay saved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Untouched {
    pub candidate: CandidateId,
    pub task: TaskIndex,
    pub stream: String,
    pub replicate: u32,
    pub tokens: u64,
}

impl Rounds<'_> {
    /// Notes an episode that need not be played.
    pub(super) fn note_untouched(&self, untouched: &Untouched) -> Result<(), RoundsError> {
        Ok(JsonLines::open(&self.course.run.path().join(UNTOUCHED))?.append(untouched)?)
    }

    /// Notes what a pass over a candidate's claims spares: the tasks that the candidate does not touch at all. The tokens are those of a
    /// recorded episode of theirs.
    pub(super) fn note_outside(&self, slot: usize, pass: &Pass) -> Result<(), RoundsError> {
        let candidate = &self.gate.candidates()[slot];
        let incumbent = &self.gate.incumbents()[pass.variant].harness;
        let number = pass.asks.iter().map(|ask| ask.replicate).max().unwrap_or(0);
        for (index, _) in self.places().filter(|(index, _)| !candidate.touches(*index)) {
            let trace = self.standings.of(incumbent, index).first().map(|trace| self.course.run.path().join(trace));
            let tokens = trace.as_deref().map_or(0, tokens_of);
            let (candidate, stream) = (candidate.id.clone(), "outside".to_owned());
            self.note_untouched(&Untouched { candidate, task: index, stream, replicate: number, tokens })?;
        }
        Ok(())
    }

    /// What a round took: all that is on file, less what the rounds before it took.
    pub(super) fn spent_in(&self, round: u32) -> Result<Spent, RoundsError> {
        let mut spent = self.spent()?;
        for earlier in 0..round {
            let Some(RoundRecord { rollouts, usage, .. }) = self.visible.round(earlier)? else { continue };
            let now = &mut spent.rollouts;
            now.visible = now.visible.saturating_sub(rollouts.visible);
            now.gate = now.gate.saturating_sub(rollouts.gate);
            now.heldout = now.heldout.saturating_sub(rollouts.heldout);
            now.untouched = now.untouched.saturating_sub(rollouts.untouched);
            now.tokens_saved = now.tokens_saved.saturating_sub(rollouts.tokens_saved);
            spent.usage.subtract(&usage);
        }
        Ok(spent)
    }

    fn spent(&self) -> Result<Spent, RoundsError> {
        let mut spent = Spent::default();
        let run = self.course.run.path();
        let mut add = |lines: Vec<EpisodeLine>, count: &mut dyn FnMut(&mut Rollouts)| {
            for line in lines.iter().filter(|line| !is_published(&line.key)) {
                count(&mut spent.rollouts);
                spent.usage.add(&line.result.usage);
            }
        };
        for round in self.visible.rounds()? {
            add(read_lines(&run.join(format!("R{round}/episodes.jsonl")))?, &mut |rollouts| rollouts.visible += 1);
        }
        for folder in folders(&run.join("sealed"), 4) {
            let is_of = |name: &str| folder.starts_with(run.join("sealed").join(name));
            let lines = read_lines(&folder.join("episodes.jsonl"))?;
            if is_of("heldout") {
                add(lines, &mut |rollouts| rollouts.heldout += 1);
            } else if is_of("gate") {
                add(lines, &mut |rollouts| rollouts.visible += 1);
            } else if !is_of("chooser") {
                add(lines, &mut |rollouts| rollouts.gate += 1);
            }
        }
        let untouched: BTreeSet<Untouched> = read_lines(&run.join(UNTOUCHED))?.into_iter().collect();
        spent.rollouts.untouched = untouched.len() as u64;
        spent.rollouts.tokens_saved = untouched.iter().map(|line| line.tokens).sum();
        Ok(spent)
    }
}

/// Tokens that a recorded episode took.
pub(super) fn tokens_of(trace: &Path) -> u64 {
    let records = TraceReader::open(trace).into_iter().flatten().filter_map(Result::ok);
    let tokens = records.filter_map(|record| if let Record::Outcome(result) = record { Some(result.usage.tokens()) } else { None });
    tokens.last().unwrap_or(0)
}

/// A copy of an episode that is counted where it was played.
fn is_published(key: &EpisodeKey) -> bool {
    key.stream == crate::domain::trace::Stream::visible() && key.replicate >= NUMBERS
}

/// Folders below one, to a depth, that hold episodes.
fn folders(dir: &Path, depth: u32) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    if dir.join("episodes.jsonl").is_file() {
        found.push(dir.to_owned());
    }
    if depth > 0 {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        found.extend(entries.filter(|path| path.is_dir()).flat_map(|path| folders(&path, depth - 1)));
    }
    found.sort();
    found
}
