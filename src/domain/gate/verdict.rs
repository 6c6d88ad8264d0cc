//! What the gate has ruled, and the line it says about it (`gate.md` §5).

use super::fork::ForkOffer;
use super::{CandidateId, GateTask, TaskIndex};
use crate::domain::task::Split;
use serde::{Deserialize, Serialize};
use std::fmt;

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
        cost: i64,
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
    /// It passed, and was withheld: a person, or the held-out veto.
    Withheld {
        /// Who and why.
        reason: String,
    },
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
        match &self.ruling {
            Ruling::Shipped(evidence) => Some(evidence.gain),
            Ruling::ShippedWhole { gain } => Some(*gain),
            Ruling::Futile { .. }
            | Ruling::Undetectable { .. }
            | Ruling::ClaimsNothing
            | Ruling::Unlikely { .. }
            | Ruling::Blocked { .. }
            | Ruling::FitsSeen(_)
            | Ruling::Parked { .. }
            | Ruling::Crowded
            | Ruling::Voided { .. }
            | Ruling::Overtaken { .. }
            | Ruling::Withheld { .. }
            | Ruling::Seesaw { .. }
            | Ruling::NotBest { .. }
            | Ruling::SameHarness { .. }
            | Ruling::RolledBack { .. }
            | Ruling::AnchorMoved { .. }
            | Ruling::AnchorKept { .. } => None,
        }
    }

    /// The line with the names of the tasks that regressed: all of them for people, those of the train split for everyone else.
    pub fn with_tasks(&self, tasks: &[GateTask], reader: Reader) -> String {
        let regressed = match &self.ruling {
            Ruling::Blocked { evidence, .. } => evidence.regressed.as_slice(),
            _ => &[],
        };
        let names: Vec<&str> = regressed
            .iter()
            .filter_map(|task| tasks.get(task.at()))
            .filter(|task| reader == Reader::Person || task.split == Split::Train)
            .map(|task| task.id.as_str())
            .collect();
        if names.is_empty() { self.to_string() } else { format!("{self} ({})", names.join(", ")) }
    }
}

/// Who reads a rendering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Sees everything.
    Person,
    /// Engines and ledgers: no gate task.
    Engine,
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.candidate.as_ref().map_or("incumbent", CandidateId::as_str);
        match &self.ruling {
            Ruling::Shipped(e) => {
                write!(
                    out,
                    "shipped {id}: {:+.1} pts (fresh paired, shrunk); claimed fixes e={} ≥ {}; P(net gain)={:.2}; {}/{} protected regressed; {} rollouts",
                    e.gain,
                    short(e.e),
                    short(e.threshold),
                    e.probability,
                    e.regressed.len(),
                    e.protected,
                    self.rollouts
                )?;
                e.fits_seen.map_or(Ok(()), |fit| write!(out, "; {fit}"))
            }
            Ruling::ShippedWhole { gain } => {
                write!(out, "shipped {id}: {gain:+.1} pts (raw, on the rollouts it was chosen by); {} rollouts", self.rollouts)
            }
            Ruling::Blocked { evidence, fork } => blocked(out, id, evidence, fork.as_ref()),
            Ruling::SameHarness { finding, e, threshold, regressed } => {
                let word = match finding {
                    SameFinding::Undecided => "undecided, as it must be",
                    SameFinding::Shipped => "shipped: the gate sees a gain where there is none",
                    SameFinding::Vetoed => "vetoed: the gate sees a regression where there is none",
                };
                let (e, threshold) = (short(*e), short(*threshold));
                write!(
                    out,
                    "{id} against itself: {word} (e={e}, needs {threshold}; {regressed} protected regressed; {} rollouts)",
                    self.rollouts
                )
            }
            Ruling::RolledBack { to, e } => {
                write!(out, "rolled back to R{to}: e={} ≥ {ROLL_BACK_AT} that the incumbent is worse", short(*e))
            }
            Ruling::AnchorMoved { e } => {
                write!(out, "checked for slow loss: e={} ≥ {MOVE_ANCHOR_AT} that the incumbent is better", short(*e))
            }
            Ruling::AnchorKept { better, worse } => {
                write!(out, "checked for slow loss: neither better (e={}) nor worse (e={})", short(*better), short(*worse))
            }
            Ruling::Parked { cost, on_hand } => {
                write!(out, "parked {id}: the next pass costs {cost} rollouts, {on_hand} are on hand")
            }
            Ruling::Voided { missing, tasks, again } => {
                let word = if *again { "parked" } else { "rejected" };
                write!(out, "{word} {id}: {missing} of {tasks} tasks missing, the pass is void")
            }
            rejected => {
                write!(out, "rejected {id}: ")?;
                reason(out, rejected)
            }
        }
    }
}

impl fmt::Display for FitsSeen {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "fits the tasks it saw ({:+.1} train tasks, {:+.1} on their siblings)", self.train, self.siblings)
    }
}

fn blocked(out: &mut fmt::Formatter<'_>, id: &str, e: &Evidence, fork: Option<&ForkOffer>) -> fmt::Result {
    let (regressed, protected) = (e.regressed.len(), e.protected);
    write!(out, "blocked {id}: {:+.1} pts but ", e.gain)?;
    if regressed > 0 {
        write!(out, "{regressed}/{protected} protected regressed")?;
    } else if e.gain > 0.0 && e.loss > super::stage_two::allowed_loss(protected as usize) {
        write!(out, "{:.1} of {protected} protected tasks lost in sum", e.loss)?;
    } else {
        write!(out, "P(net gain)={:.2} after fresh rollouts", e.probability)?;
    }
    if fork.is_some() { write!(out, ": offered as fork") } else { Ok(()) }
}

fn reason(out: &mut fmt::Formatter<'_>, ruling: &Ruling) -> fmt::Result {
    match ruling {
        Ruling::Futile { passes, e, threshold } => {
            write!(out, "futile after {} (e={}, needs {})", count(*passes, "pass", "passes"), short(*e), short(*threshold))
        }
        Ruling::Undetectable { available, wanted } => {
            write!(out, "undetectable here: {available} wins are possible, {wanted} are wanted; claim more tasks or by tag")
        }
        Ruling::ClaimsNothing => write!(out, "it claims no task that it touches"),
        Ruling::Unlikely { probability, passes } => {
            write!(out, "P(net gain)={probability:.2} after {} over what it does not claim", count(*passes, "pass", "passes"))
        }
        Ruling::FitsSeen(fit) => write!(out, "{fit}"),
        Ruling::Crowded => write!(out, "no budget, and no place to wait"),
        Ruling::Overtaken { by } => write!(out, "{by} shipped and touches the same tasks"),
        Ruling::Withheld { reason } => write!(out, "withheld: {reason}"),
        Ruling::Seesaw { before, after } => write!(out, "pass@2 fell from {before} to {after} tasks"),
        Ruling::NotBest { gain } => write!(out, "not the best of the round, or no better than the incumbent ({gain:+.1} pts)"),
        Ruling::Shipped(_)
        | Ruling::ShippedWhole { .. }
        | Ruling::Blocked { .. }
        | Ruling::Parked { .. }
        | Ruling::Voided { .. }
        | Ruling::SameHarness { .. }
        | Ruling::RolledBack { .. }
        | Ruling::AnchorMoved { .. }
        | Ruling::AnchorKept { .. } => Ok(()),
    }
}

/// A count with its noun.
fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// An e-value with as many digits as matter.
fn short(e: f64) -> String {
    if e < 10.0 {
        let text = format!("{e:.1}");
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    } else if e < 1e6 {
        format!("{e:.0}")
    } else {
        format!("{e:.0e}")
    }
}
