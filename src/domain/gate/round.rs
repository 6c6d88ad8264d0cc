//! The plot of a round: what is played next, and when the round is over.

use super::ask::{Arm, Ask, EvidenceStream, Pass, Purpose, TaskIndex};
use super::candidate::{Candidate, Proposal, Stage, Touched};
use super::settings::PARKED;
use super::verdict::{Ruling, Verdict};
use super::wealth::Wealth;
use super::{CandidateId, Gate, GateError, Split, Step};
use crate::domain::task::has_all;

impl Gate {
    /// Begins the next round: grants its budget, brings back what was parked, and asks for visible rollouts where there are none.
    pub fn begin_round(&mut self) -> Result<(), GateError> {
        self.due("begin a round", matches!(self.step, Step::BetweenRounds))?;
        if self.round >= self.settings.rounds && !self.settings.open_ended {
            return Err(GateError::RoundsOver { round: self.round + 1, rounds: self.settings.rounds });
        }
        self.round += 1;
        self.incumbents.iter_mut().for_each(|incumbent| incumbent.began = incumbent.harness.clone());
        self.bankroll += (self.settings.budget * self.tasks.len() as f64).floor() as i64;
        self.candidates.retain(|candidate| candidate.stage == Stage::Parked);
        self.candidates.iter_mut().for_each(|candidate| candidate.stage = Stage::Claims);
        if !self.settings.mode.is_sealed() && self.round > 1 {
            self.forget_visible();
        }
        self.step = self.visible_pass(0).map_or(Step::AwaitingCandidates, Step::Playing);
        Ok(())
    }

    /// Candidates that fit into this round.
    pub(super) fn room(&self) -> usize {
        (self.settings.candidates as usize).saturating_sub(self.candidates.len())
    }

    /// Hands in the round's candidates; none makes an idle round, in which those carried over go on.
    pub fn submit(&mut self, proposals: Vec<Proposal>) -> Result<(), GateError> {
        self.due("take candidates", matches!(self.step, Step::AwaitingCandidates))?;
        if proposals.len() > self.room() {
            return Err(GateError::TooMany { given: proposals.len(), room: self.room() });
        }
        let mut taken = self.candidates.clone();
        for proposal in proposals {
            if taken.iter().any(|candidate| candidate.id == proposal.id) {
                return Err(GateError::Candidate { candidate: proposal.id.0, problem: "its name is taken" });
            }
            taken.push(self.taken(proposal)?);
        }
        taken.sort_by(|a, b| (a.order, &a.id).cmp(&(b.order, &b.id)));
        self.candidates = taken;
        self.advance();
        Ok(())
    }

    /// Plays the incumbent of the first variant against itself on all tasks (`gate --aa`), outside any round and budget, both on streams that
    /// belong to this `number` alone. The ruling is the last of the log. For a copy of a run's gate: it is no part of the run's history.
    pub fn check_same(&mut self, number: u32) -> Result<(), GateError> {
        self.due("check the gate against itself", matches!(self.step, Step::BetweenRounds))?;
        if !self.settings.mode.is_sealed() {
            return Err(GateError::NothingSealed(self.settings.mode.as_str()));
        }
        let incumbent = &self.incumbents[0];
        let touched = (0..self.tasks.len() as u32).map(|task| Touched::new(TaskIndex(task), true)).collect();
        let candidate = Candidate {
            id: CandidateId::from("incumbent"),
            order: (self.round, number),
            harness: incumbent.harness.clone(),
            variant: 0,
            limits: incumbent.limits.clone(),
            control: None,
            is_same_harness: true,
            touched,
            wealth: Wealth::default(),
            stage: Stage::Claims,
            rollouts: 0,
            voided: 0,
            discovered: true,
        };
        self.candidates.push(candidate);
        self.advance();
        Ok(())
    }

    /// A proposal with its claims resolved and no evidence.
    fn taken(&self, proposal: Proposal) -> Result<Candidate, GateError> {
        let fault = |problem| GateError::Candidate { candidate: proposal.id.0.clone(), problem };
        let variant = self.incumbents.iter().position(|incumbent| incumbent.variant == proposal.variant);
        let variant = variant.ok_or_else(|| fault("its variant does not exist"))?;
        let tasks = self.tasks.len();
        if let Some(task) = proposal.touched.iter().chain(&proposal.claims.tasks).find(|task| task.at() >= tasks) {
            return Err(GateError::UnknownTask { candidate: proposal.id.0.clone(), task: *task, tasks });
        }
        if proposal.claims.tasks.iter().any(|task| self.tasks[task.at()].split != Split::Train) {
            return Err(fault("its manifest names a task outside the train split; those can be claimed by tag only"));
        }
        let mut order = proposal.touched;
        if !self.settings.mode.is_sealed() {
            order = (0..tasks as u32).map(TaskIndex).collect();
        }
        order.sort_unstable();
        order.dedup();
        let is_claimed = |task: TaskIndex| {
            let facts = &self.tasks[task.at()];
            let by_tag = proposal.claims.tags.iter().any(|tags| has_all(&facts.tags, tags));
            if self.settings.deterministic {
                // What the meta-agent saw of a train task, the control repeats: no bet.
                by_tag && facts.split == Split::Gate
            } else {
                by_tag || proposal.claims.tasks.contains(&task)
            }
        };
        let touched = order.into_iter().map(|task| Touched::new(task, is_claimed(task))).collect();
        Ok(Candidate {
            id: proposal.id,
            order: (self.round, proposal.rank),
            harness: proposal.harness,
            variant,
            control: (proposal.control != proposal.limits).then_some(proposal.control),
            limits: proposal.limits,
            is_same_harness: false,
            touched,
            wealth: Wealth::default(),
            stage: Stage::Claims,
            rollouts: 0,
            voided: 0,
            discovered: false,
        })
    }

    /// Goes to the next thing that needs someone else.
    pub(super) fn advance(&mut self) {
        self.step = self.next_step();
    }

    /// Stage 1 of all, then stage 2 of those that are left, then the check against the anchor, then the end of the round.
    fn next_step(&mut self) -> Step {
        if !self.settings.mode.is_sealed() {
            return self.next_whole_step();
        }
        loop {
            let next = if let Some(slot) = self.next_claims() {
                self.stage_one(slot)
            } else if let Some(slot) = self.next_rest() {
                self.stage_two(slot)
            } else {
                return self.drift_pass().map_or_else(|| self.close_round(), Step::Playing);
            };
            if let Some(step) = next {
                return step;
            }
        }
    }

    /// Keeps the best of what waits.
    pub(super) fn close_round(&mut self) -> Step {
        let mut waiting: Vec<usize> = self.slots(Stage::Parked).collect();
        waiting
            .sort_by(|a, b| self.candidates[*b].wealth.log_e().total_cmp(&self.candidates[*a].wealth.log_e()).then(self.earlier(*a, *b)));
        for slot in waiting.into_iter().skip(PARKED) {
            self.rule(slot, Ruling::Crowded);
        }
        Step::BetweenRounds
    }

    /// Positions of the candidates at a stage.
    pub(super) fn slots(&self, stage: Stage) -> impl Iterator<Item = usize> {
        self.candidates.iter().enumerate().filter(move |(_, candidate)| candidate.stage == stage).map(|(slot, _)| slot)
    }

    /// Which of two candidates goes first when nothing else decides.
    pub(super) fn earlier(&self, a: usize, b: usize) -> std::cmp::Ordering {
        let (a, b) = (&self.candidates[a], &self.candidates[b]);
        (a.order, &a.id).cmp(&(b.order, &b.id))
    }

    /// Closes a candidate with a ruling.
    pub(super) fn rule(&mut self, slot: usize, ruling: Ruling) {
        self.candidates[slot].stage = Stage::Closed;
        self.record(slot, ruling);
    }

    /// Writes a ruling on a candidate down.
    pub(super) fn record(&mut self, slot: usize, ruling: Ruling) {
        let candidate = &self.candidates[slot];
        let verdict = Verdict { round: self.round, candidate: Some(candidate.id.clone()), rollouts: candidate.rollouts, ruling };
        self.log.push(verdict);
    }

    /// Whether so many rollouts are on hand.
    pub(super) fn affords(&self, rollouts: u64) -> bool {
        u64::try_from(self.bankroll).is_ok_and(|on_hand| rollouts <= on_hand)
    }

    /// The pass if it can be paid; otherwise the candidate waits.
    pub(super) fn pay(&mut self, slot: usize, pass: Pass) -> Option<Step> {
        if self.affords(pass.cost()) || self.candidates[slot].is_same_harness {
            return Some(Step::Playing(pass));
        }
        self.candidates[slot].stage = Stage::Parked;
        self.record(slot, Ruling::Parked { cost: pass.cost(), on_hand: self.bankroll });
        None
    }

    /// Visible rollouts of the first variant from `first` on that lacks some: the baseline on every task, later ones on train tasks.
    pub(super) fn visible_pass(&self, first: usize) -> Option<Pass> {
        let every = self.round == 0 || !self.settings.mode.is_sealed();
        self.incumbents.iter().enumerate().skip(first).find_map(|(variant, incumbent)| {
            let mut pass = Pass::new(variant, Purpose::Visible);
            for (index, task) in self.tasks.iter().enumerate() {
                if incumbent.visible[index].total() > 0 || !(every || task.split == Split::Train) {
                    continue;
                }
                for replicate in 0..self.settings.visible_rollouts() {
                    let replicate = incumbent.next_visible[index] + replicate;
                    pass.push(Ask::new(Arm::Incumbent, TaskIndex(index as u32), EvidenceStream::Visible, replicate));
                }
            }
            (!pass.asks.is_empty()).then_some(pass)
        })
    }

    /// An error unless a call is in turn.
    pub(super) fn due(&self, call: &'static str, in_turn: bool) -> Result<(), GateError> {
        if in_turn {
            return Ok(());
        }
        let due = match self.step {
            Step::BetweenRounds => "the next round",
            Step::Playing(_) => "the outcomes of a pass",
            Step::AwaitingCandidates => "candidates",
            Step::AwaitingConfirmation { .. } => "a word on the candidate that passed",
            Step::AwaitingTouched { .. } => "what the other candidates touch now",
        };
        Err(GateError::OutOfTurn { call, due })
    }
}
