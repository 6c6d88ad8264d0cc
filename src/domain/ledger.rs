//! Ledgers of a run, derived from its rounds and rebuilt from them (`system.md` §5): `data/task_history.jsonl`,
//! `data/ship_outcomes.jsonl`, `data/rejected_candidates.jsonl`, `scoreboard.json`. Train tasks only: engines read them.

use super::edit::Bucket;
use super::engine::Engine;
use super::id::{CandidateId, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of `scoreboard.json`.
pub const SCOREBOARD_FORMAT: u32 = 1;

/// One train task in one round, under that round's incumbent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskHistoryLine {
    /// Round.
    pub round: u32,
    /// The task.
    pub task: TaskId,
    /// Rollouts solved.
    pub solved: u32,
    /// Rollouts scored.
    pub scored: u32,
    /// How it stands, seen over the rounds so far.
    pub status: TaskStatus,
}

/// How a task fared over the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Solved in every rollout of every round.
    Solved,
    /// Solved in no rollout of any round.
    Persistent,
    /// Solved in some rollouts of the latest round.
    Flaky,
    /// Solved more often in an earlier round than in the latest.
    Regressed,
    /// Failed in an earlier round, solved in every rollout of the latest.
    Fixed,
}

impl TaskStatus {
    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Solved => "solved",
            Self::Persistent => "persistent",
            Self::Flaky => "flaky",
            Self::Regressed => "regressed",
            Self::Fixed => "fixed",
        }
    }
}

/// What came of a ship's predictions, scored in the next round on visible rollouts of train tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShipOutcome {
    /// Round that shipped it.
    pub round: u32,
    /// The candidate.
    pub candidate: CandidateId,
    /// Who proposed it.
    pub engine: Engine,
    /// What it touched.
    pub buckets: Vec<Bucket>,
    /// What reputation is kept on.
    pub component: String,
    /// Gain in points as the gate estimated it.
    pub gain: f64,
    /// Train tasks it said it would improve.
    pub predicted: u32,
    /// Of those, tasks that did improve.
    pub hits: u32,
    /// Train tasks solved less often than before.
    pub regressions: Vec<TaskId>,
    /// Train tasks that improved though nothing was said of them.
    pub orphan_flips: u32,
}

impl ShipOutcome {
    /// Share of predictions that came true, 0..1; nothing predicted is 0.
    pub fn hit_rate(&self) -> f64 {
        if self.predicted == 0 { 0.0 } else { f64::from(self.hits) / f64::from(self.predicted) }
    }
}

/// A candidate that did not ship, with the reason in plain words and without gate or held-out ids.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectedCandidate {
    /// Round.
    pub round: u32,
    /// The candidate.
    pub candidate: CandidateId,
    /// Who proposed it.
    pub engine: Engine,
    /// What it touched.
    pub buckets: Vec<Bucket>,
    /// What reputation is kept on.
    pub component: String,
    /// Digest of its edits: the same edit is not proposed again on the same parent.
    pub edits: String,
    /// Where it ended.
    pub at: RejectedAt,
    /// Why.
    pub reason: String,
}

/// The check that ended a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectedAt {
    /// It could not be built, or showed no effect.
    Smoke,
    /// The Critic's rules.
    Critique,
    /// The statistics of the gate.
    Gate,
    /// The veto of the held-out tasks.
    Heldout,
    /// A person turned it down.
    Person,
}

impl RejectedAt {
    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Critique => "critique",
            Self::Gate => "gate",
            Self::Heldout => "heldout",
            Self::Person => "person",
        }
    }
}

/// Reputation, by bucket, component and engine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scoreboard {
    /// [`SCOREBOARD_FORMAT`].
    pub format: u32,
    /// By what is touched.
    pub buckets: BTreeMap<Bucket, Reputation>,
    /// By processor, prompt or setting.
    pub components: BTreeMap<String, Reputation>,
    /// By who proposed.
    pub engines: BTreeMap<Engine, Reputation>,
}

/// How often something was tried and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reputation {
    /// Candidates proposed.
    pub proposed: u32,
    /// Candidates shipped.
    pub shipped: u32,
    /// Tasks predicted to improve, over all ships.
    pub predicted: u32,
    /// Of those, tasks that did.
    pub hits: u32,
    /// Rounds in which it shipped, ascending.
    pub rounds: Vec<u32>,
}

impl Reputation {
    /// Share of predictions that came true, 0..1; `None` before the first.
    pub fn hit_rate(&self) -> Option<f64> {
        (self.predicted > 0).then(|| f64::from(self.hits) / f64::from(self.predicted))
    }
}
