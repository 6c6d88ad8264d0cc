//! What the gate asks for: rollouts, a pass at a time, and what it is told about them.

use crate::domain::trace::Stream;
use serde::{Deserialize, Serialize};

/// Position of a task in the gate's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskIndex(pub u32);

impl TaskIndex {
    /// As an index into a list over tasks.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// Who plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// The variant's harness.
    Incumbent,
    /// A candidate, by its position in [`super::Gate::candidates`].
    Candidate(usize),
    /// The harness the incumbent is checked against for slow loss.
    Anchor,
}

/// Which evidence a rollout belongs to; kept apart so that none speaks twice (`system.md` §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceStream {
    /// Open to the meta-agent where the task is a train task.
    Visible,
    /// The bank of controls; the number rises with each ship or rollback.
    Sealed(u32),
    /// Fresh rollouts of suspects.
    Followup(u32),
    /// Incumbent against anchor.
    Drift(u32),
    /// The incumbent against itself.
    Same(u32),
}

impl EvidenceStream {
    /// The stream's name.
    pub fn stream(self) -> Stream {
        match self {
            Self::Visible => Stream::visible(),
            Self::Sealed(epoch) => Stream(format!("sealed/{epoch}")),
            Self::Followup(number) => Stream(format!("followup/{number}")),
            Self::Drift(number) => Stream(format!("drift/{number}")),
            Self::Same(number) => Stream(format!("aa/{number}")),
        }
    }
}

/// What came of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It was played and scored.
    Scored {
        /// The verifier's word.
        solved: bool,
    },
    /// A dry replay of the control shows the same episode: it was not played, and its outcome is the control's.
    Untouched,
    /// Plumbing broke: no evidence either way.
    Missing,
}

/// One rollout the gate wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Who plays.
    pub arm: Arm,
    /// What.
    pub task: TaskIndex,
    /// Instead of the task itself, its n-th sibling: the same tags, a new seed. Asked where a repeat would be the same draw.
    pub sibling: Option<u32>,
    /// On which stream.
    pub evidence: EvidenceStream,
    /// Rollout of the task within the stream.
    pub replicate: u32,
    /// Times it came back missing.
    pub attempts: u8,
    /// The answer; `Missing` only after the last attempt.
    pub told: Option<Told>,
}

impl Ask {
    /// A rollout of the task itself that nobody has played.
    pub fn new(arm: Arm, task: TaskIndex, evidence: EvidenceStream, replicate: u32) -> Self {
        Self { arm, task, sibling: None, evidence, replicate, attempts: 0, told: None }
    }

    /// Whether it was scored, and how.
    pub(super) fn solved(&self) -> Option<bool> {
        match self.told {
            Some(Told::Scored { solved }) => Some(solved),
            Some(Told::Untouched | Told::Missing) | None => None,
        }
    }
}

/// Why a pass is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "purpose")]
pub enum Purpose {
    /// The incumbent on tasks without a trace of it.
    Visible,
    /// To find claims a manifest has missed; speaks in no statistic.
    Discovery {
        /// The candidate's position.
        candidate: usize,
    },
    /// The claimed tasks: bet on.
    Claimed {
        /// The candidate's position.
        candidate: usize,
    },
    /// The other touched tasks.
    Rest {
        /// The candidate's position.
        candidate: usize,
    },
    /// Solved tasks the candidate failed.
    Suspects {
        /// The candidate's position.
        candidate: usize,
        /// Which ring of the alarm.
        ring: Ring,
    },
    /// Every task, in the modes without sealed controls.
    Whole {
        /// The candidate's position.
        candidate: usize,
    },
    /// The incumbent against its anchor.
    Drift,
}

/// A loss must show twice, in fresh rollouts each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ring {
    /// Those that the candidate failed.
    First,
    /// Those of them that looked lost.
    Second,
}

impl Purpose {
    /// The candidate it is about.
    pub fn candidate(self) -> Option<usize> {
        match self {
            Self::Discovery { candidate }
            | Self::Claimed { candidate }
            | Self::Rest { candidate }
            | Self::Suspects { candidate, .. }
            | Self::Whole { candidate } => Some(candidate),
            Self::Visible | Self::Drift => None,
        }
    }
}

/// Where a pair's control comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ControlFrom {
    /// Played before.
    Bank {
        /// Its outcome.
        solved: bool,
    },
    /// Asked for in the same pass, by position.
    Asked(usize),
}

/// One difference of a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pair {
    pub task: TaskIndex,
    pub control: ControlFrom,
    /// Position of the candidate's rollout.
    pub played: usize,
}

/// Rollouts that are played together; nothing is decided before all are in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// Position of the variant whose incumbent plays.
    pub variant: usize,
    /// Why.
    pub purpose: Purpose,
    /// The rollouts, answered ones included.
    pub asks: Vec<Ask>,
    pub(super) pairs: Vec<Pair>,
    /// Rollouts without an answer.
    pub(super) open: usize,
}

impl Pass {
    pub(super) fn new(variant: usize, purpose: Purpose) -> Self {
        Self { variant, purpose, asks: Vec::new(), pairs: Vec::new(), open: 0 }
    }

    /// Adds a rollout; its position.
    pub(super) fn push(&mut self, ask: Ask) -> usize {
        self.asks.push(ask);
        self.open += 1;
        self.asks.len() - 1
    }

    /// Whether everything it names is there, and it waits for what it says.
    pub(super) fn fits(&self, tasks: usize, candidates: usize, variants: usize) -> bool {
        let is_arm = |arm: Arm| !matches!(arm, Arm::Candidate(candidate) if candidate >= candidates);
        let is_pair = |pair: &Pair| {
            let control = match pair.control {
                ControlFrom::Bank { .. } => 0,
                ControlFrom::Asked(ask) => ask,
            };
            pair.task.at() < tasks && pair.played < self.asks.len() && control < self.asks.len()
        };
        self.variant < variants
            && self.purpose.candidate().is_none_or(|candidate| candidate < candidates)
            && self.asks.iter().all(|ask| ask.task.at() < tasks && is_arm(ask.arm))
            && self.pairs.iter().all(is_pair)
            && self.open > 0
            && self.open == self.asks.iter().filter(|ask| ask.told.is_none()).count()
    }

    /// The rollouts without an answer, with their positions.
    pub fn open_asks(&self) -> impl Iterator<Item = (usize, &Ask)> {
        self.asks.iter().enumerate().filter(|(_, ask)| ask.told.is_none())
    }

    /// Rollouts it may cost.
    pub fn cost(&self) -> u64 {
        self.asks.len() as u64
    }

    /// Rollouts that were played and scored.
    pub fn scored(&self) -> u32 {
        self.asks.iter().filter(|ask| ask.solved().is_some()).count() as u32
    }

    /// Outcome of a pair, control first; `None` if either is missing.
    pub(super) fn outcome(&self, pair: &Pair) -> Option<(bool, bool)> {
        let control = match pair.control {
            ControlFrom::Bank { solved } => solved,
            ControlFrom::Asked(ask) => self.asks[ask].solved()?,
        };
        match self.asks[pair.played].told? {
            Told::Scored { solved } => Some((control, solved)),
            Told::Untouched => Some((control, control)),
            Told::Missing => None,
        }
    }
}
