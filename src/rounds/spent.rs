//! What a run has played and paid, counted from the episodes on file.

use super::Rounds;
use super::error::RoundsError;
use crate::domain::gate::{Pass, TaskIndex};
use crate::domain::id::CandidateId;
use crate::domain::meta::{ByRole, Sitting, by_role, called, session_of};
use crate::domain::request::Usage;
use crate::domain::round::{Rollouts, RoundRecord};
use crate::domain::trace::Record;
use crate::stages::meta::{Ended, ended};
use crate::store::atomic::{JsonLines, read_lines};
use crate::store::episode_folders::{Place, SealedStream, episode_folders};
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

    /// What the meta-agent's sessions of a round took, by role.
    pub(super) fn sessions_in(&self, round: u32) -> Result<ByRole, RoundsError> {
        let sessions = self.sessions()?;
        let of_round = sessions.iter().filter(|(at, _)| *at == round);
        Ok(by_role(of_round.map(|(_, line)| (&line.key.task, &line.result))))
    }

    /// How those sessions of a round ended that did not end well, in the order in which they sat: who, when, and a line in plain words.
    pub(super) fn unwell(&self, round: u32) -> Result<Vec<(Sitting, String)>, RoundsError> {
        let folder = self.course.run.path().join(format!("R{round}/meta"));
        let mut unwell = Vec::new();
        for (_, line) in self.sessions()?.iter().filter(|(at, _)| *at == round) {
            let Some((role, sitting)) = session_of(&line.key.task) else { continue };
            let Ended { words, is_well } = ended(role, &folder.join(&line.trace))?;
            if !is_well {
                unwell.push((sitting, format!("{} {words}", called(&line.key.task))));
            }
        }
        unwell.sort();
        Ok(unwell)
    }

    /// Every finished session of the meta-agent, with its round.
    pub(super) fn sessions(&self) -> Result<Vec<(u32, EpisodeLine)>, RoundsError> {
        let mut sessions = Vec::new();
        for folder in episode_folders(self.course.run.path())? {
            if let Place::Meta(round) = folder.place {
                sessions.extend(folder.episodes()?.into_values().map(|line| (round, line)));
            }
        }
        Ok(sessions)
    }

    fn spent(&self) -> Result<Spent, RoundsError> {
        let mut spent = Spent::default();
        let run = self.course.run.path();
        for folder in episode_folders(run)? {
            let played = folder.played()?;
            let Rollouts { visible, gate, heldout, .. } = &mut spent.rollouts;
            let count = match folder.place {
                Place::Round(_) => visible,
                Place::Sealed { stream: SealedStream::Gate | SealedStream::Judged, .. } => gate,
                Place::Sealed { stream: SealedStream::Heldout, .. } => heldout,
                Place::Meta(_) => {
                    for line in played.values() {
                        spent.usage.add(&line.result.usage);
                    }
                    continue;
                }
                // It calls no model; that belongs to no round.
                Place::Sealed { stream: SealedStream::Chooser | SealedStream::Same, .. } => continue,
            };
            *count += played.len() as u64;
            for line in played.values() {
                spent.usage.add(&line.result.usage);
            }
        }
        let untouched: BTreeSet<Untouched> = read_lines(&run.join(UNTOUCHED))?.into_iter().collect();
        spent.rollouts.untouched = untouched.len() as u64;
        spent.rollouts.tokens_saved = untouched.iter().map(|line| line.tokens).fold(0, u64::saturating_add);
        Ok(spent)
    }
}

/// Tokens that a recorded episode took.
pub(super) fn tokens_of(trace: &Path) -> u64 {
    let records = TraceReader::open(trace).into_iter().flatten().filter_map(Result::ok);
    let tokens = records.filter_map(|record| if let Record::Outcome(result) = record { Some(result.usage.tokens()) } else { None });
    tokens.last().unwrap_or(0)
}
