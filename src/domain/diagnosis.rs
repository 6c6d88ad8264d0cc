//! What the meta-agent's roles say (`system.md` §6): diagnoses (layer C of the digest), directions of the plan, reviews of candidates.
//! Typed and checked by code before anybody reads them; written as `R<n>/diagnoses.json` and `R<n>/review-<n>.json` and within the landscape.

use super::digest::Anchor;
use super::edit::Bucket;
use super::id::{CandidateId, HarnessId, TaskId};
use super::manifest::FailureEvidence;
use serde::{Deserialize, Serialize};

/// Version of `diagnoses.json` and of reviews.
pub const DIAGNOSIS_FORMAT: u32 = 1;

/// Layer C: why a cluster or a task fails, and which part of the harness makes it so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    /// What it is about: a cluster as the overview names it (`kind=heat repeat_without_progress`), or a train task's id.
    pub about: String,
    /// The cause, in one or two sentences.
    pub cause: String,
    /// The part of the harness that makes it so.
    pub bias: HarnessBias,
    /// Where it was seen; every snippet stands there verbatim.
    pub evidence: Vec<FailureEvidence>,
}

/// A guess at the part of the harness that is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarnessBias {
    /// What an edit would touch.
    pub bucket: Bucket,
    /// Which element: a processor, a prompt, a tool, a setting.
    pub element: String,
}

/// `R<n>/diagnoses.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnoses {
    /// [`DIAGNOSIS_FORMAT`].
    pub format: u32,
    /// What holds.
    pub diagnoses: Vec<Diagnosis>,
    /// Pieces of evidence that were not found where they were said to be, and were dropped.
    pub dropped: u32,
    /// Statements that stayed malformed, or were left without evidence, and were dropped.
    pub refused: u32,
}

/// One thing to work on next, as the Planner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Direction {
    /// One line.
    pub title: String,
    /// What an edit would touch.
    pub bucket: Bucket,
    /// What reputation is kept on, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Why this, and why now.
    pub why: String,
    /// Train tasks that should improve.
    #[serde(default)]
    pub tasks: Vec<TaskId>,
    /// Where that can be seen.
    #[serde(default)]
    pub evidence: Vec<Anchor>,
}

/// What the Critic's model says of one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Which.
    pub candidate: CandidateId,
    /// Its word.
    pub word: ReviewWord,
    /// Why, in plain words; of a revision: what to change.
    pub reason: String,
    /// How the edit goes together with what is there.
    pub interaction: String,
    /// The harness that was judged; set by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness: Option<HarnessId>,
}

/// What is to become of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewWord {
    /// It may go before the gate.
    Pass,
    /// It may not.
    Reject,
    /// It may after one change; asked once.
    Revise,
}

/// `R<n>/review-<n>.json`: one sitting of the Critic's model on a round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviews {
    /// [`DIAGNOSIS_FORMAT`].
    pub format: u32,
    /// One a candidate at most; those without one are left to the rules.
    pub reviews: Vec<Review>,
    /// Best first; those not named follow in the rules' order.
    #[serde(default)]
    pub ranking: Vec<CandidateId>,
    /// What the next Planner must read, verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concern: Option<String>,
    /// Statements that stayed malformed, and were dropped.
    #[serde(default)]
    pub refused: u32,
}
