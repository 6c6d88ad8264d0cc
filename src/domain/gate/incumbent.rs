//! A shipped harness and what is known of it; one per variant.

use super::ask::TaskIndex;
use super::bank::{Bank, Control};
use super::candidate::Candidate;
use super::posterior::Counts;
use super::wealth::Wealth;
use super::{LimitsId, VariantId};
use crate::domain::id::HarnessId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The harness slow loss is measured against, with what was known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The harness.
    pub harness: HarnessId,
    /// The round whose ship made it; 0 is the baseline.
    pub round: u32,
    /// Its limits.
    pub limits: LimitsId,
    pub(super) history: Vec<Counts>,
    pub(super) visible: Vec<Counts>,
}

/// A comparison with the anchor under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriftWatch {
    /// Passes so far.
    pub passes: u32,
    /// Evidence that the incumbent is better.
    pub gain: Wealth,
    /// Evidence that it is worse.
    pub harm: Wealth,
    /// The anchor's outcomes.
    pub(super) anchor: BTreeMap<TaskIndex, Counts>,
}

/// The incumbent of a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incumbent {
    /// The variant's name.
    pub variant: VariantId,
    /// Its harness.
    pub harness: HarnessId,
    /// The harness when the present round began.
    pub began: HarnessId,
    /// The round whose ship made it; 0 is the baseline.
    pub round: u32,
    /// Limits it declares.
    pub limits: LimitsId,
    /// What it is checked against for slow loss.
    pub anchor: Anchor,
    /// Ships since that check.
    pub ships_unchecked: u32,
    /// Tasks touched by ships since the anchor.
    pub(super) changed: Vec<bool>,
    pub(super) drift: Option<DriftWatch>,
    pub(super) banks: BTreeMap<LimitsId, Bank>,
    /// Per task, all rollouts of its current version.
    pub(super) history: Vec<Counts>,
    /// Per task, those that stages other than the gate may see.
    pub(super) visible: Vec<Counts>,
    /// Per task, the number of the next visible rollout.
    pub(super) next_visible: Vec<u32>,
}

impl Incumbent {
    /// A baseline nobody has played.
    pub(super) fn new(variant: VariantId, harness: HarnessId, limits: LimitsId, tasks: usize) -> Self {
        let none = vec![Counts::default(); tasks];
        let anchor = Anchor { harness: harness.clone(), round: 0, limits: limits.clone(), history: none.clone(), visible: none.clone() };
        Self {
            variant,
            began: harness.clone(),
            harness,
            round: 0,
            limits,
            anchor,
            ships_unchecked: 0,
            changed: vec![false; tasks],
            drift: None,
            banks: BTreeMap::new(),
            history: none.clone(),
            visible: none,
            next_visible: vec![0; tasks],
        }
    }

    /// Whether it covers so many tasks.
    pub(super) fn fits(&self, tasks: usize) -> bool {
        let lengths = [self.changed.len(), self.history.len(), self.visible.len(), self.next_visible.len()];
        let anchor = [self.anchor.history.len(), self.anchor.visible.len()];
        lengths.iter().chain(&anchor).all(|length| *length == tasks) && self.banks.values().all(|bank| bank.fits(tasks))
    }

    /// Rollouts of its current version per task: what solved tasks are protected by.
    pub fn history(&self) -> &[Counts] {
        &self.history
    }

    /// Rollouts per task that the meta-agent may see, on train tasks.
    pub fn visible(&self) -> &[Counts] {
        &self.visible
    }

    /// The bank for a declaration of limits.
    pub(super) fn bank(&mut self, limits: &LimitsId) -> &mut Bank {
        let tasks = self.history.len();
        self.banks.entry(limits.clone()).or_insert_with(|| Bank::new(tasks))
    }

    /// The candidate takes its place. What was known of touched tasks is replaced by the candidate's own rollouts, except the sealed
    /// ones: those are biased in the winner's favour.
    pub(super) fn replace(&mut self, candidate: &Candidate, round: u32) {
        self.harness = candidate.harness.clone();
        self.round = round;
        if self.limits != candidate.limits {
            self.limits = candidate.limits.clone();
            self.banks.retain(|limits, _| *limits == candidate.limits);
        }
        for entry in &candidate.touched {
            let index = entry.task.at();
            let pairs = entry.pairs;
            let counts = Counts { solved: pairs.candidate, failed: pairs.count.saturating_sub(pairs.candidate) };
            self.history[index] = counts;
            self.visible[index] = counts;
            self.changed[index] = true;
            self.banks.values_mut().for_each(|bank| bank.clear(entry.task));
        }
        self.ships_unchecked += 1;
        self.drift = None;
    }

    /// The incumbent becomes its own anchor.
    pub(super) fn move_anchor(&mut self) {
        let (history, visible) = (self.history.clone(), self.visible.clone());
        self.anchor = Anchor { harness: self.harness.clone(), round: self.round, limits: self.limits.clone(), history, visible };
        self.changed.fill(false);
    }

    /// The anchor takes its place again, with what was known of it and what the comparison has shown.
    pub(super) fn roll_back(&mut self, seen: &BTreeMap<TaskIndex, Counts>) {
        self.harness = self.anchor.harness.clone();
        self.round = self.anchor.round;
        self.limits = self.anchor.limits.clone();
        for index in 0..self.history.len() {
            let task = TaskIndex(index as u32);
            if self.changed[index] {
                let fresh = seen.get(&task).copied().unwrap_or_default();
                let before = self.anchor.history[index];
                self.history[index] = Counts { solved: before.solved + fresh.solved, failed: before.failed + fresh.failed };
                self.visible[index] = self.anchor.visible[index];
                self.banks.values_mut().for_each(|bank| bank.clear(task));
            }
        }
        self.changed.fill(false);
    }

    /// An earlier harness takes its place, of which nothing is known on the changed tasks.
    pub(super) fn put_back(&mut self, (harness, round): (HarnessId, u32), limits: LimitsId, changed: &[TaskIndex]) {
        (self.harness, self.round) = (harness, round);
        if self.limits != limits {
            self.banks.clear();
            self.limits = limits;
        }
        for task in changed {
            self.history[task.at()] = Counts::default();
            self.visible[task.at()] = Counts::default();
            self.banks.values_mut().for_each(|bank| bank.clear(*task));
        }
        (self.ships_unchecked, self.drift) = (0, None);
        self.move_anchor();
    }

    /// Keeps only the sealed controls for which `keep` holds.
    pub(super) fn retain_controls(&mut self, keep: &mut impl FnMut(&LimitsId, TaskIndex, &Control) -> bool) {
        for (limits, bank) in &mut self.banks {
            bank.retain(|task, control| keep(limits, task, control));
        }
    }
}
