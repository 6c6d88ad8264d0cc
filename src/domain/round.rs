//! What a round decided and what it cost: `R<n>/decision.{json,md}` and, written last, `R<n>/round.json` (`system.md` §5).

use super::engine::Engines;
use super::id::{CandidateId, HarnessId};
use super::ledger::RejectedAt;
use super::meta::ByRole;
use super::request::Usage;
use serde::{Deserialize, Serialize};

/// Version of both formats.
pub const ROUND_FORMAT: u32 = 1;

/// The public rendering: counts, train ids and reasons; no gate or held-out id stands in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// [`ROUND_FORMAT`].
    pub format: u32,
    /// Round.
    pub round: u32,
    /// What came of it.
    pub outcome: RoundOutcome,
    /// Why, where nothing was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Every candidate that was proposed or carried over, with its line in plain words, in the order judged.
    pub candidates: Vec<Ruled>,
    /// Lines about the incumbent — drift checks, rollbacks — and about sessions of the meta-agent that did not end well.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the Critic is worried about; relayed to the next Planner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy_concern: Option<String>,
}

/// A candidate and its ruling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ruled {
    /// The candidate.
    pub candidate: CandidateId,
    /// What it is, in one line.
    pub title: String,
    /// `shipped`, `rejected`, `blocked`, `parked`.
    pub word: RulingWord,
    /// The whole line.
    pub line: String,
    /// Rollouts played for it.
    pub rollouts: u32,
    /// Gain in points, shrunk, where it was estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<f64>,
    /// The check that ended it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<RejectedAt>,
}

impl Decision {
    /// Whether the round took back what had shipped.
    pub fn is_rollback(&self) -> bool {
        self.outcome == RoundOutcome::RolledBack
    }
}

/// The first word of a ruling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RulingWord {
    /// It is the incumbent now.
    Shipped,
    /// It is kept in the archive.
    Rejected,
    /// It gains but breaks something.
    Blocked,
    /// It waits.
    Parked,
}

/// What came of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundOutcome {
    /// The baseline was played.
    Baseline,
    /// Something shipped.
    Shipped,
    /// Candidates were judged, none shipped.
    Kept,
    /// Nothing was there to act on, to plan or to propose.
    Idle,
    /// The incumbent went back to an earlier version.
    RolledBack,
}

/// The round is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundRecord {
    /// [`ROUND_FORMAT`].
    pub format: u32,
    /// Round.
    pub round: u32,
    /// What came of it.
    pub outcome: RoundOutcome,
    /// The incumbent it began with.
    pub before: HarnessId,
    /// The incumbent it ended with: tag `R<round>`.
    pub after: HarnessId,
    /// Candidates that shipped.
    pub shipped: Vec<CandidateId>,
    /// Episodes played, by use.
    pub rollouts: Rollouts,
    /// Tokens and money of everything, the meta-agent's sessions included.
    pub usage: Usage,
    /// Milliseconds of the commands that worked on it; one that was killed does not count.
    pub milliseconds: u64,
    /// Who proposed; absent in rounds of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engines: Option<Engines>,
    /// What the meta-agent's sessions of this round took, by role.
    #[serde(default, skip_serializing_if = "ByRole::is_empty")]
    pub meta: ByRole,
}

/// Episodes of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollouts {
    /// Open to the meta-agent.
    pub visible: u64,
    /// The gate's: gate tasks of the baseline, controls and candidates.
    pub gate: u64,
    /// On held-out tasks, for the curve only.
    pub heldout: u64,
    /// Not played because a dry replay showed no difference.
    pub untouched: u64,
    /// Tokens those would have taken, by the recorded episodes.
    pub tokens_saved: u64,
}

impl Rollouts {
    /// All that were played.
    pub fn played(&self) -> u64 {
        self.visible + self.gate + self.heldout
    }
}

impl RulingWord {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shipped => "shipped",
            Self::Rejected => "rejected",
            Self::Blocked => "blocked",
            Self::Parked => "parked",
        }
    }
}

impl RoundOutcome {
    /// In plain words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Shipped => "shipped",
            Self::Kept => "kept the incumbent",
            Self::Idle => "idle",
            Self::RolledBack => "rolled back",
        }
    }
}
