//! A candidate before the gate: what it touches, what it claims, and how far it has come.

use super::ask::{EvidenceStream, TaskIndex};
use super::posterior::{NetGain, Pairs, net_gain};
use super::wealth::Wealth;
use super::{CandidateId, LimitsId, VariantId};
use crate::domain::id::HarnessId;
use crate::domain::task::Tags;
use serde::{Deserialize, Serialize};

/// What a manifest says it will improve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Train tasks by name: `will_unlock` and `will_stabilize`.
    pub tasks: Vec<TaskIndex>,
    /// Every task that has all the tags of one of these.
    pub tags: Vec<Tags>,
}

/// A candidate as it is handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its name.
    pub id: CandidateId,
    /// The critic's place for it; lower goes first, equal ones by name.
    pub rank: u32,
    /// Its harness.
    pub harness: HarnessId,
    /// The variant it changes.
    pub variant: VariantId,
    /// The limits it declares.
    pub limits: LimitsId,
    /// The limits its controls play under: the looser of its own and the incumbent's, so that nothing is gained by more of a resource alone,
    /// and nothing hidden by less.
    pub control: LimitsId,
    /// Tasks on which a dry replay differs, T.
    pub touched: Vec<TaskIndex>,
    /// What it claims.
    pub claims: Claims,
}

/// A task a candidate touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Which.
    pub task: TaskIndex,
    /// Bet on.
    pub claimed: bool,
    /// The comparisons so far.
    pub pairs: Pairs,
    /// The least replicate it has not been compared on.
    pub next: u32,
    /// A rollout stayed missing: it left both arms, and the candidate's effect on it is unknown.
    pub missing: bool,
}

impl Touched {
    /// A touched task that nobody has played.
    pub(super) fn new(task: TaskIndex, claimed: bool) -> Self {
        Self { task, claimed, pairs: Pairs::default(), next: 0, missing: false }
    }
}

/// How far a candidate has come in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Its claims are bet on.
    Claims,
    /// What else it touches is played.
    Rest,
    /// It waits for the next round.
    Parked,
    /// Decided.
    Closed,
}

/// A candidate and the evidence on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub id: CandidateId,
    /// Round and place in which it was handed in.
    pub order: (u32, u32),
    /// Its harness.
    pub harness: HarnessId,
    /// Position of the variant it changes.
    pub variant: usize,
    /// The limits it declares.
    pub limits: LimitsId,
    /// The limits its controls play under; absent: its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<LimitsId>,
    /// It is the incumbent itself, under another name (`gate --aa`).
    pub is_same_harness: bool,
    /// What it touches, by task.
    pub touched: Vec<Touched>,
    /// Evidence on its claims.
    pub wealth: Wealth,
    /// How far it has come.
    pub stage: Stage,
    /// Rollouts played for it, new controls included.
    pub rollouts: u32,
    /// Passes that were void because too much was missing.
    pub voided: u32,
    /// A discovery pass was played.
    pub discovered: bool,
}

impl Candidate {
    /// The entry of a task it touches.
    pub(super) fn entry(&self, task: TaskIndex) -> Option<&Touched> {
        self.touched.binary_search_by_key(&task, |entry| entry.task).ok().map(|place| &self.touched[place])
    }

    /// The same, to be changed.
    pub(super) fn entry_mut(&mut self, task: TaskIndex) -> Option<&mut Touched> {
        self.touched.binary_search_by_key(&task, |entry| entry.task).ok().map(|place| &mut self.touched[place])
    }

    /// The limits its controls play under.
    pub fn control(&self) -> &LimitsId {
        self.control.as_ref().unwrap_or(&self.limits)
    }

    /// Whether it touches a task.
    pub fn touches(&self, task: TaskIndex) -> bool {
        self.entry(task).is_some()
    }

    /// Whether it touches a task of another.
    pub(super) fn overlaps(&self, other: &[Touched]) -> bool {
        other.iter().any(|entry| self.touches(entry.task))
    }

    /// Adds tasks it turned out to touch; what it claims stays as it was.
    pub(super) fn grow(&mut self, tasks: &[TaskIndex]) {
        for task in tasks {
            if let Err(place) = self.touched.binary_search_by_key(task, |entry| entry.task) {
                self.touched.insert(place, Touched::new(*task, false));
            }
        }
    }

    /// What it touches and no rollout of which stayed missing.
    pub fn compared(&self) -> impl Iterator<Item = &Touched> + Clone {
        self.touched.iter().filter(|entry| !entry.missing)
    }

    /// Those that are bet on, or those that are not.
    pub fn part(&self, claimed: bool) -> impl Iterator<Item = &Touched> {
        self.compared().filter(move |entry| entry.claimed == claimed)
    }

    /// Full passes over that part; `None` if it is empty.
    pub fn passes(&self, claimed: bool) -> Option<u32> {
        self.part(claimed).map(|entry| entry.pairs.count).min()
    }

    /// The posterior of its net gain.
    pub fn net_gain(&self) -> NetGain {
        let rest: Vec<Pairs> = self.part(false).map(|entry| entry.pairs).collect();
        net_gain(self.part(true).map(|entry| entry.pairs), rest.into_iter())
    }

    /// Sum of the mean differences over that part.
    pub(super) fn measured(&self, claimed: bool) -> f64 {
        self.part(claimed).filter_map(|entry| entry.pairs.estimate()).map(|(mean, _)| mean).sum()
    }

    /// Begins its claims anew: what was won on other claims or another incumbent does not speak for them.
    pub(super) fn forget_claims(&mut self) {
        self.wealth = Wealth::default();
        self.touched.iter_mut().filter(|entry| entry.claimed).for_each(|entry| entry.pairs = Pairs::default());
    }

    /// The stream of its control, and its own: one and the same, but for the incumbent against itself, which has two to each repetition.
    pub(super) fn streams(&self, evidence: EvidenceStream) -> (EvidenceStream, EvidenceStream) {
        let number = 2 * self.order.1;
        if self.is_same_harness { (EvidenceStream::Same(number), EvidenceStream::Same(number + 1)) } else { (evidence, evidence) }
    }

    /// Whether it waits for the next round.
    pub fn is_waiting(&self) -> bool {
        self.stage == Stage::Parked
    }
}
