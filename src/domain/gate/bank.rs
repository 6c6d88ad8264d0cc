//! The sealed bank: rollouts of the incumbent that no stage but the gate sees, reused by every candidate (`gate.md` §2).

use super::ask::{Arm, Ask, ControlFrom, EvidenceStream, Pair, Pass, TaskIndex};
use super::candidate::Candidate;
use super::settings::COMPARISONS;
use serde::{Deserialize, Serialize};

/// One sealed rollout of the incumbent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Number of its sealed stream.
    pub epoch: u32,
    /// Rollout of the task within the stream; rises over the whole run.
    pub replicate: u32,
    /// The outcome.
    pub solved: bool,
    /// Candidates compared with it.
    pub compared: u8,
}

/// Controls by task, for one declaration of limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bank {
    controls: Vec<Vec<Control>>,
    /// Per task, the number of the next rollout.
    next: Vec<u32>,
}

impl Bank {
    /// An empty bank over some tasks.
    pub(super) fn new(tasks: usize) -> Self {
        Self { controls: vec![Vec::new(); tasks], next: vec![0; tasks] }
    }

    /// Whether it covers so many tasks.
    pub(super) fn fits(&self, tasks: usize) -> bool {
        self.controls.len() == tasks && self.next.len() == tasks
    }

    /// The first control of a task that a candidate has not yet been compared with.
    fn unseen(&self, task: TaskIndex, from: u32) -> Option<Control> {
        self.controls[task.at()].iter().find(|control| control.replicate >= from).copied()
    }

    /// Keeps a new control.
    pub(super) fn keep(&mut self, task: TaskIndex, epoch: u32, replicate: u32, solved: bool) {
        self.controls[task.at()].push(Control { epoch, replicate, solved, compared: 0 });
        self.next[task.at()] = self.next[task.at()].max(replicate + 1);
    }

    /// Notes a comparison, and retires the control after its last.
    pub(super) fn compared(&mut self, task: TaskIndex, replicate: u32) {
        let controls = &mut self.controls[task.at()];
        if let Some(place) = controls.iter().position(|control| control.replicate == replicate) {
            controls[place].compared += 1;
            if controls[place].compared >= COMPARISONS {
                controls.remove(place);
            }
        }
    }

    /// All of them, by task.
    pub(super) fn controls(&self) -> impl Iterator<Item = (TaskIndex, Control)> {
        let by_task = self.controls.iter().enumerate();
        by_task.flat_map(|(index, controls)| controls.iter().map(move |control| (TaskIndex(index as u32), *control)))
    }

    /// Forgets the controls of a task whose incumbent has changed.
    pub(super) fn clear(&mut self, task: TaskIndex) {
        self.controls[task.at()].clear();
    }

    /// Keeps only the controls for which `keep` holds.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(TaskIndex, &Control) -> bool) {
        for (index, controls) in self.controls.iter_mut().enumerate() {
            controls.retain(|control| keep(TaskIndex(index as u32), control));
        }
    }

    /// Adds to a pass one pair of a task: its control from the bank or asked for, and the candidate on the same stream and replicate.
    pub(super) fn pair(&self, pass: &mut Pass, (slot, candidate): (usize, &Candidate), task: TaskIndex, epoch: u32) {
        let from = candidate.entry(task).map_or(0, |entry| entry.next);
        // The incumbent against itself plays its controls anew.
        let banked = if candidate.is_same_harness { None } else { self.unseen(task, from) };
        let (control, evidence, replicate) = if let Some(control) = banked {
            (ControlFrom::Bank { solved: control.solved }, EvidenceStream::Sealed(control.epoch), control.replicate)
        } else {
            let (evidence, _) = candidate.streams(EvidenceStream::Sealed(epoch));
            let next = if candidate.is_same_harness { 0 } else { self.next[task.at()] };
            let replicate = next.max(from);
            (ControlFrom::Asked(pass.push(Ask::new(Arm::Incumbent, task, evidence, replicate))), evidence, replicate)
        };
        let played = pass.push(Ask::new(Arm::Candidate(slot), task, candidate.streams(evidence).1, replicate));
        pass.pairs.push(Pair { task, control, played });
    }
}
