//! The Planner's landscape (`system.md` §6): what fails, what was tried and with what success, what is untried, which bucket must not be
//! neglected any longer. `R<n>/landscape.{json,md}`; the Evolver works from it.

use super::diagnosis::{Diagnosis, Direction};
use super::digest::Cluster;
use super::edit::Bucket;
use super::id::TaskId;
use super::ledger::{RejectedCandidate, Reputation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the landscape's format.
pub const LANDSCAPE_FORMAT: u32 = 1;

/// What the Evolver is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Landscape {
    /// [`LANDSCAPE_FORMAT`].
    pub format: u32,
    /// Round.
    pub round: u32,
    /// What the last Critic was worried about, verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concern: Option<String>,
    /// Share of tasks with a typed, anchored cause, 0..1.
    pub actionability: f64,
    /// What fails, largest first.
    pub failing: Vec<Cluster>,
    /// Train tasks that got worse in the last round, with the ships suspected; each must be addressed or justified.
    pub regressions: Vec<Regression>,
    /// What was tried, by bucket.
    pub buckets: BTreeMap<Bucket, Reputation>,
    /// What was tried, by component.
    pub components: BTreeMap<String, Reputation>,
    /// Candidates that did not ship, latest first.
    pub rejected: Vec<RejectedCandidate>,
    /// Components that exist, are not in the incumbent, and were never tried.
    pub untried: Vec<Untried>,
    /// The exploration guard, where it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<Guard>,
    /// Why things fail, as the Digester's model sees it; none without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<Diagnosis>,
    /// What to work on, most promising first, as the Planner's model sees it; none without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directions: Vec<Direction>,
}

/// Rejected candidates shown to people.
pub const REJECTED_SHOWN: usize = 20;

/// A train task that got worse.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// The task.
    pub task: TaskId,
    /// Solved and scored rollouts before.
    pub before: (u32, u32),
    /// Solved and scored rollouts now.
    pub now: (u32, u32),
    /// Ships since then that touched it, the most suspect first.
    pub suspects: Vec<super::id::CandidateId>,
}

/// A component nobody has tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Untried {
    /// Its name.
    pub component: String,
    /// What an edit with it touches.
    pub bucket: Bucket,
    /// What it does, in one line.
    pub does: String,
}

/// One bucket shipped again and again with falling success while others were never tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// The bucket that shipped three rounds running with flat or falling hit rate, luck aside.
    pub overused: Bucket,
    /// Buckets never tried: the Evolver uses one, or says on what observed evidence it cannot.
    pub neglected: Vec<Bucket>,
}
