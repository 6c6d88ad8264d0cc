//! How train tasks fared over the rounds, and which ships are suspected where one got worse (`system.md` §6). Pure: the same rounds give
//! the same lines. Source of `data/task_history.jsonl` and `R<n>/regressions.md`.

use crate::domain::digest::{TaskDigest, Verdict};
use crate::domain::id::{CandidateId, HarnessId, TaskId};
use crate::domain::landscape::Regression;
use crate::domain::ledger::{TaskHistoryLine, TaskStatus};
use crate::domain::manifest::CandidateManifest;
use crate::domain::outcome::Outcome;
use crate::domain::round::{Decision, RulingWord};
use std::collections::BTreeMap;

/// What a round left on file that ledgers are derived from. Train tasks and their visible rollouts only.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRound {
    /// Round.
    pub round: u32,
    /// The incumbent it began with, where that is on record.
    pub incumbent: Option<HarnessId>,
    /// The incumbent it left, where it is done.
    pub left: Option<HarnessId>,
    /// Digests of the tasks played in it.
    pub digests: Vec<TaskDigest>,
    /// Candidates proposed in it.
    pub proposed: Vec<CandidateManifest>,
    /// What it decided; absent while it is open.
    pub decision: Option<Decision>,
}

/// What is known of a task: its last rollouts under the incumbent.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Round in which they were played.
    pub round: u32,
    /// What they showed.
    pub digest: &'a TaskDigest,
}

/// What was known after one round's rollouts.
type Known<'a> = BTreeMap<&'a TaskId, Standing<'a>>;

/// The rounds so far, ascending, with what was known of each task in each of them.
#[derive(Debug)]
pub struct History<'a> {
    rounds: &'a [PastRound],
    known: Vec<Known<'a>>,
}

/// A task that stands worse than it once did.
#[derive(Clone, Debug, PartialEq)]
pub struct Decline {
    /// The task.
    pub task: TaskId,
    /// The last round in which it stood better.
    pub better_in: u32,
    /// Solved and scored rollouts then.
    pub before: (u32, u32),
    /// Solved and scored rollouts now.
    pub now: (u32, u32),
    /// Ships since then that touched it, the most suspect first: those with most marks against them, then the latest.
    pub suspects: Vec<Suspect>,
}

/// A ship that may have made a task worse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// The candidate.
    pub candidate: CandidateId,
    /// Round that shipped it.
    pub round: u32,
    /// Its manifest listed the task at risk.
    pub listed: bool,
    /// What it brought changed something in a rollout that failed.
    pub fired: bool,
}

impl PastRound {
    /// As its Planner finds it: played, with nothing proposed yet.
    pub fn undecided(self) -> Self {
        Self { proposed: Vec::new(), decision: None, ..self }
    }
}

impl<'a> History<'a> {
    /// Follows the tasks through the rounds. A task that a round did not play keeps what was known of it, since nothing that shipped
    /// touches it; a harness that is the incumbent once more brings back what was known under it.
    pub fn new(rounds: &'a [PastRound]) -> Self {
        let mut under: BTreeMap<&HarnessId, Known<'a>> = BTreeMap::new();
        let mut known: Vec<Known<'a>> = Vec::with_capacity(rounds.len());
        for past in rounds {
            let back = past.incumbent.as_ref().and_then(|harness| under.get(harness));
            let mut now = back.or(known.last()).cloned().unwrap_or_default();
            for digest in &past.digests {
                // A task whose rollouts are all missing keeps what was known too, and one digest said twice is no new evidence.
                let is_new = now.get(&digest.task).is_none_or(|known| digest.solved_of().1 > 0 && known.digest != digest);
                if is_new {
                    now.insert(&digest.task, Standing { round: past.round, digest });
                }
            }
            if let Some(harness) = &past.incumbent {
                under.insert(harness, now.clone());
            }
            known.push(now);
        }
        Self { rounds, known }
    }

    /// The rounds.
    pub fn rounds(&self) -> &'a [PastRound] {
        self.rounds
    }

    /// What is known now, in order of task.
    pub fn standings(&self) -> impl Iterator<Item = Standing<'a>> {
        self.known.last().into_iter().flat_map(|known| known.values().copied())
    }

    /// Round in whose folder a trace lies that a digest standing now names.
    pub fn home_of(&self, trace: &str) -> Option<u32> {
        let names = |standing: &Standing<'_>| standing.digest.rollouts.iter().any(|rollout| rollout.trace == trace);
        self.standings().find(names).map(|standing| standing.round)
    }

    /// Solved and scored rollouts of a task as known in the round at `index`; nothing known is (0, 0).
    fn counts(&self, index: usize, task: &TaskId) -> (u32, u32) {
        self.known.get(index).and_then(|known| known.get(task)).map_or((0, 0), |standing| standing.digest.solved_of())
    }

    /// One line a round and task of which anything is known, ascending.
    pub fn lines(&self) -> Vec<TaskHistoryLine> {
        let mut lines = Vec::new();
        for (index, past) in self.rounds.iter().enumerate() {
            for (task, standing) in &self.known[index] {
                let (solved, scored) = standing.digest.solved_of();
                if scored > 0 {
                    let earlier = (0..index).map(|index| self.counts(index, task)).filter(|counts| counts.1 > 0);
                    let status = status(earlier, (solved, scored));
                    lines.push(TaskHistoryLine { round: past.round, task: (*task).clone(), solved, scored, status });
                }
            }
        }
        lines
    }

    /// How each task stands now.
    pub fn statuses(&self) -> BTreeMap<TaskStatus, u32> {
        let mut statuses = BTreeMap::new();
        let now = self.rounds.last().map(|past| past.round);
        for line in self.lines().iter().filter(|line| Some(line.round) == now) {
            *statuses.entry(line.status).or_default() += 1;
        }
        statuses
    }

    /// Ships of the round at `index`, in the order judged, with their rulings' gains in points. Where the round also went back to an
    /// earlier harness, only what the next round began with counts as shipped.
    pub fn ships(&self, index: usize) -> impl Iterator<Item = (&'a CandidateManifest, f64)> {
        let rounds = self.rounds;
        let decision = rounds.get(index).and_then(|past| past.decision.as_ref());
        let next = rounds.get(index + 1).and_then(|next| next.incumbent.as_ref());
        let shipped = decision.into_iter().flat_map(|decision| &decision.candidates).filter(|ruled| ruled.word == RulingWord::Shipped);
        shipped.filter_map(move |ruled| {
            let mut proposed = rounds[..=index].iter().flat_map(|past| &past.proposed);
            let manifest = proposed.find(|manifest| manifest.candidate_id == ruled.candidate)?;
            let holds = decision.is_none_or(|decision| !decision.is_rollback()) || next == Some(&manifest.harness);
            holds.then_some((manifest, ruled.gain.unwrap_or(0.0)))
        })
    }

    /// The first later round that was played by the harness which the round at `index` left, so with what it shipped: the next one, unless
    /// a person has put another harness back in between.
    pub fn played_on(&self, index: usize) -> Option<usize> {
        let left = self.rounds.get(index)?.left.as_ref();
        let is_by_it = |later: &usize| left.zip(self.rounds[*later].incumbent.as_ref()).is_none_or(|(left, incumbent)| left == incumbent);
        (index + 1..self.rounds.len()).find(is_by_it)
    }

    /// Tasks known in the round at `index` and in the one that was played with what it shipped, with their counts in both.
    pub fn changes(&self, index: usize) -> impl Iterator<Item = Change<'a>> {
        let known = self.played_on(index).and_then(|later| self.known.get(later)).into_iter().flatten();
        known.filter_map(move |(task, standing)| {
            let (before, now) = (self.counts(index, task), standing.digest.solved_of());
            (before.1 > 0 && now.1 > 0).then_some(Change { task, digest: standing.digest, before, now })
        })
    }

    /// Every task that stands worse now than in an earlier round, in order of task.
    pub fn declines(&self) -> Vec<Decline> {
        let Some(last) = self.known.len().checked_sub(1) else { return Vec::new() };
        let declined = |(task, standing): (&&'a TaskId, &Standing<'a>)| {
            let now = standing.digest.solved_of();
            let better = (0..last).rev().find(|index| is_better(self.counts(*index, task), now))?;
            let suspects = self.suspects(better, standing.digest);
            Some(Decline { task: (*task).clone(), better_in: self.rounds[better].round, before: self.counts(better, task), now, suspects })
        };
        self.known[last].iter().filter_map(declined).collect()
    }

    /// Ships from the round at `better` on, the most suspect first. A ship after which the task was not played again is left out: it does
    /// not touch the task.
    fn suspects(&self, better: usize, digest: &TaskDigest) -> Vec<Suspect> {
        let mut suspects = Vec::new();
        for index in better..self.rounds.len().saturating_sub(1) {
            let next = self.rounds[index + 1].round;
            let is_played = self.known[index + 1].get(&digest.task).is_some_and(|standing| standing.round == next);
            if !is_played || self.played_on(index) != Some(index + 1) {
                continue;
            }
            suspects.extend(self.ships(index).map(|(manifest, _)| Suspect {
                candidate: manifest.candidate_id.clone(),
                round: self.rounds[index].round,
                listed: manifest.predicted_impact.at_risk.iter().any(|claim| claim.covers(&digest.task, &digest.tags)),
                fired: has_fired(manifest, digest),
            }));
        }
        suspects.sort_by_key(|suspect| std::cmp::Reverse((suspect.marks(), suspect.round)));
        suspects
    }
}

/// A task before and after a round's ships.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The task.
    pub task: &'a TaskId,
    /// Its digest after.
    pub digest: &'a TaskDigest,
    /// Solved and scored rollouts before.
    pub before: (u32, u32),
    /// Solved and scored rollouts after.
    pub now: (u32, u32),
}

impl Change<'_> {
    /// Solved more often than before.
    pub fn is_gain(&self) -> bool {
        is_better(self.now, self.before)
    }

    /// Solved less often than before.
    pub fn is_loss(&self) -> bool {
        is_better(self.before, self.now)
    }
}

impl Decline {
    /// As the landscape shows it.
    pub fn regression(&self) -> Regression {
        let suspects = self.suspects.iter().map(|suspect| suspect.candidate.clone()).collect();
        Regression { task: self.task.clone(), before: self.before, now: self.now, suspects }
    }
}

impl Suspect {
    /// How much speaks against it, 0..=2.
    pub fn marks(&self) -> u32 {
        u32::from(self.listed) + u32::from(self.fired)
    }
}

/// Whether one share of solved rollouts is above another.
fn is_better(one: (u32, u32), other: (u32, u32)) -> bool {
    u64::from(one.0) * u64::from(other.1) > u64::from(other.0) * u64::from(one.1)
}

fn status(mut earlier: impl Iterator<Item = (u32, u32)> + Clone, now: (u32, u32)) -> TaskStatus {
    let (solved, scored) = now;
    if earlier.clone().any(|counts| is_better(counts, now)) {
        TaskStatus::Regressed
    } else if solved == 0 {
        TaskStatus::Persistent
    } else if solved < scored {
        TaskStatus::Flaky
    } else if earlier.any(|(solved, scored)| solved < scored) {
        TaskStatus::Fixed
    } else {
        TaskStatus::Solved
    }
}

/// Whether what a candidate brought changed something in a rollout that failed.
fn has_fired(manifest: &CandidateManifest, digest: &TaskDigest) -> bool {
    let failed = |verdict: &Verdict| verdict.outcome == Outcome::Failed;
    let mut fired =
        digest.rollouts.iter().filter(|rollout| rollout.verdict.as_ref().is_some_and(failed)).flat_map(|rollout| &rollout.fired);
    fired.any(|(processor, times)| {
        let name = processor.label();
        *times > 0 && (name == manifest.component || name == manifest.attribution_signature.name)
    })
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
