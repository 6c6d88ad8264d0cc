//! A ship: the candidate becomes the incumbent, and the evidence on everyone it overtakes is void.

use super::candidate::{Candidate, Stage};
use super::posterior::Pairs;
use super::verdict::Ruling;
use super::{CandidateId, Gate, GateError, HarnessId, LimitsId, Step, TaskIndex};

/// A candidate that passed every check. Only the gate makes one, so that nothing else can be shipped.
#[derive(Clone, Debug, PartialEq)]
pub struct Passed {
    candidate: Candidate,
    ruling: Ruling,
}

impl Passed {
    pub(super) fn new(candidate: &Candidate, ruling: &Ruling) -> Self {
        Self { candidate: candidate.clone(), ruling: ruling.clone() }
    }

    /// Who passed.
    pub fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// By what.
    pub fn ruling(&self) -> &Ruling {
        &self.ruling
    }
}

/// The word on a candidate that passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// It ships.
    Ship,
    /// The held-out tasks vetoed it.
    Withhold {
        /// Who and why.
        reason: String,
    },
    /// A person turned it down.
    Refuse,
}

/// A candidate that stays after a ship: its edits on the new incumbent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebased {
    /// Its name.
    pub id: CandidateId,
    /// The harness its edits make of the new incumbent.
    pub harness: HarnessId,
    /// The limits that declares.
    pub limits: LimitsId,
    /// The limits its controls play under from now on.
    pub control: LimitsId,
    /// What that touches.
    pub touched: Vec<TaskIndex>,
}

impl Gate {
    /// Ships or withholds the candidate that passed.
    pub fn confirm(&mut self, confirmation: Confirmation) -> Result<(), GateError> {
        let Step::AwaitingConfirmation { candidate: slot, ruling } = &self.step else {
            return self.due("confirm a candidate", false);
        };
        let (slot, ruling) = (*slot, ruling.as_ref().clone());
        match confirmation {
            Confirmation::Withhold { reason } => {
                self.rule(slot, Ruling::Withheld { reason });
                self.advance();
            }
            Confirmation::Refuse => {
                self.rule(slot, Ruling::Refused);
                self.advance();
            }
            Confirmation::Ship => {
                let by = self.ship(slot, ruling);
                if self.settings.mode.is_sealed() && self.candidates.iter().any(|candidate| candidate.stage != Stage::Closed) {
                    self.step = Step::AwaitingTouched { by };
                } else {
                    self.advance();
                }
            }
        }
        Ok(())
    }

    fn ship(&mut self, slot: usize, ruling: Ruling) -> CandidateId {
        let Candidate { id, variant, touched, .. } = self.candidates[slot].clone();
        self.incumbents[variant].replace(&self.candidates[slot], self.round);
        self.ships += 1;
        self.epoch += 1;
        self.rule(slot, ruling);
        for other in 0..self.candidates.len() {
            let rival = &self.candidates[other];
            if rival.stage != Stage::Closed && rival.variant == variant && rival.overlaps(&touched) {
                self.rule(other, Ruling::Overtaken { by: id.clone() });
            }
        }
        id
    }

    /// Takes what the remaining candidates touch on the new incumbent, by name; those left out touch what they did. Evidence on tasks they
    /// touch no more is dropped; what they claim does not grow, and if it shrinks the bets on it begin anew. Under other limits than before
    /// everything begins anew.
    pub fn retouch(&mut self, rebased: &[Rebased]) -> Result<(), GateError> {
        self.due("take what candidates touch", matches!(self.step, Step::AwaitingTouched { .. }))?;
        let slots: Vec<usize> = rebased.iter().map(|rebased| self.place(&rebased.id, &rebased.touched)).collect::<Result<_, _>>()?;
        for (slot, Rebased { harness, limits, control, touched: tasks, .. }) in slots.into_iter().zip(rebased) {
            let candidate = &mut self.candidates[slot];
            candidate.harness = harness.clone();
            let are_others = (&candidate.limits, candidate.control()) != (limits, control);
            if are_others {
                candidate.control = (control != limits).then(|| control.clone());
                candidate.limits = limits.clone();
                candidate.touched.iter_mut().for_each(|entry| entry.pairs = Pairs::default());
            }
            if are_others || candidate.part(true).any(|entry| !tasks.contains(&entry.task)) {
                candidate.forget_claims();
                candidate.stage = match candidate.stage {
                    Stage::Rest => Stage::Claims,
                    stage @ (Stage::Claims | Stage::Parked | Stage::Closed) => stage,
                };
            }
            candidate.touched.retain(|entry| tasks.contains(&entry.task));
            candidate.grow(tasks);
        }
        self.advance();
        Ok(())
    }

    /// Adds tasks that a later replicate shows a candidate to touch, while it is judged: in a pass or between rounds.
    pub fn touch(&mut self, id: &CandidateId, tasks: &[TaskIndex]) -> Result<(), GateError> {
        self.due("add touched tasks", matches!(self.step, Step::Playing(_) | Step::BetweenRounds))?;
        let slot = self.place(id, tasks)?;
        self.candidates[slot].grow(tasks);
        Ok(())
    }

    fn place(&self, id: &CandidateId, tasks: &[TaskIndex]) -> Result<usize, GateError> {
        if let Some(task) = tasks.iter().find(|task| task.at() >= self.tasks.len()) {
            return Err(GateError::UnknownTask { candidate: id.0.clone(), task: *task, tasks: self.tasks.len() });
        }
        let slot = self.candidates.iter().position(|candidate| candidate.id == *id && candidate.stage != Stage::Closed);
        slot.ok_or_else(|| GateError::Candidate { candidate: id.0.clone(), problem: "it is not before the gate" })
    }
}
