//! What the gate has ruled, and on what evidence.

use super::fork::ForkOffer;
use super::{CandidateId, TaskIndex};
use serde::{Deserialize, Serialize};

/// A ruling and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Round.
    pub round: u32,
    /// The candidate; `None` where it is about the incumbent.
    pub candidate: Option<CandidateId>,
    /// Rollouts played for it, new controls included.
    pub rollouts: u32,
    /// The ruling.
    pub ruling: Ruling,
}

/// The evidence behind a candidate that passed stage 1. Gains are in points of success rate over all tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Expected gain, shrunk.
    pub gain: f64,
    /// E-value of the claims.
    pub e: f64,
    /// What it had to reach.
    pub threshold: f64,
    /// Posterior probability of a net gain.
    pub probability: f64,
    /// Tasks that count as solved.
    pub protected: u32,
    /// Solved tasks that fresh rollouts show to be lost.
    pub regressed: Vec<TaskIndex>,
    /// Expected loss over the solved tasks it touches, in tasks.
    pub loss: f64,
    /// It helps only what the meta-agent saw; ships all the same unless it must generalise.
    pub fits_seen: Option<FitsSeen>,
}

/// Tasks gained, summed, by an edit that fits the tasks it saw.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitsSeen {
    /// On train tasks.
    pub train: f64,
    /// On their siblings in the gate split.
    pub siblings: f64,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "ruling")]
pub enum Ruling {
    /// It is the incumbent now.
    Shipped(Evidence),
    /// The same, in a mode that plays every task: raw difference of means, in points.
    ShippedWhole {
        /// Points.
        gain: f64,
    },
    /// Its claims cannot reach the threshold any more, or only by luck.
    Futile {
        /// Passes played.
        passes: u32,
        /// E-value of the claims.
        e: f64,
        /// What it had to reach.
        threshold: f64,
    },
    /// Nothing it claims could be shown with what there is to play.
    Undetectable {
        /// Wins there could be.
        available: u32,
        /// Wins wanted.
        wanted: u32,
    },
    /// It claims no task that it touches.
    ClaimsNothing,
    /// A net gain is too unlikely.
    Unlikely {
        /// Posterior probability of a net gain.
        probability: f64,
        /// Passes over what it does not claim.
        passes: u32,
    },
    /// It gains, but breaks what was solved; or only fresh rollouts showed that it does not gain.
    Blocked {
        /// Why.
        evidence: Evidence,
        /// Where it would be better to go on.
        fork: Option<ForkOffer>,
    },
    /// It helps tasks the meta-agent saw, and not their siblings in the gate split.
    FitsSeen(FitsSeen),
    /// It waits for the next round's budget.
    Parked {
        /// Rollouts the next pass costs.
        cost: u64,
        /// Rollouts on hand.
        on_hand: i64,
    },
    /// No place among those that wait.
    Crowded,
    /// Too much was missing in a pass: nothing of it counts. It is tried once more.
    Voided {
        /// Tasks without an outcome.
        missing: u32,
        /// Tasks of the pass.
        tasks: u32,
        /// It waits for the next round; otherwise it is closed.
        again: bool,
    },
    /// A ship changed tasks that it touches.
    Overtaken {
        /// Who shipped.
        by: CandidateId,
    },
    /// The harness it changes was rolled back.
    Undone {
        /// The round that shipped what came back.
        to: u32,
    },
    /// It passed, and was withheld: the held-out veto.
    Withheld {
        /// Who and why.
        reason: String,
    },
    /// It passed, and a person turned it down.
    Refused,
    /// pass@2 fell too far, in tasks.
    Seesaw {
        /// Tasks solved by the incumbent.
        before: u32,
        /// Tasks solved by it.
        after: u32,
    },
    /// Another of the round was better, or none was better than the incumbent. Points.
    NotBest {
        /// Difference of means.
        gain: f64,
    },
    /// The incumbent against itself.
    SameHarness {
        /// What would have been said.
        finding: SameFinding,
        /// E-value of "better on all tasks".
        e: f64,
        /// What would ship.
        threshold: f64,
        /// Solved tasks that looked lost.
        regressed: u32,
    },
    /// The anchor is the incumbent again.
    RolledBack {
        /// The round that shipped it.
        to: u32,
        /// E-value that the incumbent was worse.
        e: f64,
    },
    /// The incumbent is its own anchor now.
    AnchorMoved {
        /// E-value that it is better.
        e: f64,
    },
    /// Neither better nor worse than the anchor.
    AnchorKept {
        /// E-value that it is better.
        better: f64,
        /// E-value that it is worse.
        worse: f64,
    },
}

/// What the gate would have said of the incumbent against itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SameFinding {
    /// As it must be.
    Undecided,
    /// It saw a gain where there is none.
    Shipped,
    /// It saw a regression where there is none.
    Vetoed,
}

/// E-value at which the anchor comes back.
pub const ROLL_BACK_AT: f64 = 20.0;
/// E-value at which the anchor moves.
pub const MOVE_ANCHOR_AT: f64 = 10.0;

impl Verdict {
    /// Points gained, as reported; `None` unless it shipped.
    pub fn shipped_gain(&self) -> Option<f64> {
        if let Ruling::Shipped(Evidence { gain, .. }) | Ruling::ShippedWhole { gain } = &self.ruling { Some(*gain) } else { None }
    }

    /// Solved tasks that fresh rollouts have shown to be lost.
    pub fn regressed(&self) -> &[TaskIndex] {
        if let Ruling::Blocked { evidence, .. } = &self.ruling { &evidence.regressed } else { &[] }
    }
}
