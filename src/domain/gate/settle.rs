//! Taking outcomes in: rollouts are told one by one, and speak only when their pass is complete.

use super::ask::{Arm, EvidenceStream, Pass, Purpose, TaskIndex, Told};
use super::candidate::Stage;
use super::settings::{ATTEMPTS, MISSING_SHARE};
use super::verdict::Ruling;
use super::wealth::predictions;
use super::{Gate, GateError, Step};

impl Gate {
    /// Takes the outcome of one rollout of the pass, by its position. After the last one the pass is settled.
    pub fn tell(&mut self, ask: usize, told: Told) -> Result<(), GateError> {
        let Step::Playing(pass) = &mut self.step else {
            return self.due("take an outcome", false);
        };
        let open = pass.asks.get_mut(ask).filter(|ask| ask.told.is_none()).ok_or(GateError::NotAsked(ask))?;
        match told {
            Told::Untouched => match open.arm {
                Arm::Candidate(slot) if !self.candidates[slot].is_same_harness => {}
                Arm::Candidate(_) | Arm::Incumbent | Arm::Anchor => return Err(GateError::Replayed(ask)),
            },
            Told::Missing => {
                open.attempts += 1;
                if open.attempts < ATTEMPTS {
                    return Ok(());
                }
            }
            Told::Scored { .. } => {}
        }
        open.told = Some(told);
        pass.open -= 1;
        if pass.open == 0
            && let Step::Playing(pass) = std::mem::replace(&mut self.step, Step::BetweenRounds)
        {
            match self.settle(&pass) {
                Some(step) => self.step = step,
                None => self.advance(),
            }
        }
        Ok(())
    }

    /// Lets a complete pass speak; the step that follows from it, or `None` to look for the next.
    fn settle(&mut self, pass: &Pass) -> Option<Step> {
        self.spent += u64::from(pass.scored());
        match pass.purpose {
            Purpose::Visible => Some(self.settle_visible(pass)),
            Purpose::Drift => {
                self.bankroll -= i64::from(pass.scored());
                self.settle_drift(pass);
                None
            }
            Purpose::Discovery { candidate }
            | Purpose::Claimed { candidate }
            | Purpose::Rest { candidate }
            | Purpose::Suspects { candidate, .. }
            | Purpose::Whole { candidate } => {
                self.charge(candidate, pass);
                self.keep_controls(candidate, pass);
                if self.is_void(candidate, pass) {
                    return None;
                }
                self.settle_candidate(candidate, pass)
            }
        }
    }

    fn settle_candidate(&mut self, slot: usize, pass: &Pass) -> Option<Step> {
        match pass.purpose {
            Purpose::Discovery { .. } => self.settle_discovery(slot, pass),
            Purpose::Claimed { .. } => self.settle_pairs(slot, pass, Bet::Placed),
            Purpose::Rest { .. } => self.settle_pairs(slot, pass, Bet::None),
            Purpose::Suspects { ring, .. } => return self.settle_suspects(slot, pass, ring),
            Purpose::Whole { .. } => return self.settle_whole(slot, pass),
            Purpose::Visible | Purpose::Drift => {}
        }
        None
    }

    fn charge(&mut self, slot: usize, pass: &Pass) {
        let candidate = &mut self.candidates[slot];
        candidate.rollouts += pass.scored();
        if !candidate.is_same_harness {
            self.bankroll -= i64::from(pass.scored());
        }
    }

    fn settle_visible(&mut self, pass: &Pass) -> Step {
        let incumbent = &mut self.incumbents[pass.variant];
        for ask in &pass.asks {
            let index = ask.task.at();
            if let Some(solved) = ask.solved() {
                incumbent.visible[index].add(solved);
                incumbent.history[index].add(solved);
            }
            incumbent.next_visible[index] = incumbent.next_visible[index].max(ask.replicate + 1);
        }
        if self.round == 0 {
            // The baseline is its own anchor; what was seen of it serves again after a rollback.
            incumbent.move_anchor();
        }
        let after = if self.round == 0 { Step::BetweenRounds } else { Step::AwaitingCandidates };
        self.visible_pass(pass.variant + 1).map_or(after, Step::Playing)
    }

    /// New controls go to the bank whatever becomes of the pass.
    fn keep_controls(&mut self, slot: usize, pass: &Pass) {
        let limits = self.candidates[slot].control();
        let incumbent = &mut self.incumbents[pass.variant];
        let is_own = incumbent.limits == *limits;
        for ask in &pass.asks {
            if let (Arm::Incumbent, EvidenceStream::Sealed(epoch), Some(solved)) = (ask.arm, ask.evidence, ask.solved()) {
                incumbent.bank(limits).keep(ask.task, epoch, ask.replicate, solved);
                if is_own {
                    incumbent.history[ask.task.at()].add(solved);
                }
            }
        }
    }

    /// Whether too much is missing: nothing of the pass counts, and the candidate is tried once more in the next round.
    fn is_void(&mut self, slot: usize, pass: &Pass) -> bool {
        let mut tasks: Vec<TaskIndex> = pass.pairs.iter().map(|pair| pair.task).collect();
        let mut missing: Vec<TaskIndex> = pass.pairs.iter().filter(|pair| pass.outcome(pair).is_none()).map(|pair| pair.task).collect();
        tasks.dedup();
        missing.dedup();
        if missing.len() as f64 <= MISSING_SHARE * tasks.len() as f64 {
            return false;
        }
        let candidate = &mut self.candidates[slot];
        candidate.voided += 1;
        let again = candidate.voided == 1 && !candidate.is_same_harness;
        let ruling = Ruling::Voided { missing: missing.len() as u32, tasks: tasks.len() as u32, again };
        candidate.stage = if again { Stage::Parked } else { Stage::Closed };
        self.record(slot, ruling);
        true
    }

    /// Adds the differences of a pass, after betting on them if they are claimed. Tasks without an outcome leave the comparison.
    fn settle_pairs(&mut self, slot: usize, pass: &Pass, bet: Bet) {
        let candidate = &mut self.candidates[slot];
        let mut scored = Vec::with_capacity(pass.pairs.len());
        for pair in &pass.pairs {
            if let Some((control, solved)) = pass.outcome(pair) {
                scored.push((pair.task, pass.asks[pair.played].replicate, control, solved));
            } else {
                candidate.entry_mut(pair.task).into_iter().for_each(|entry| entry.missing = true);
            }
        }
        if bet == Bet::Placed {
            let earlier =
                scored.iter().filter_map(|(task, ..)| candidate.entry(*task)).map(|entry| (entry.pairs.difference(), entry.pairs.count));
            let predicted = predictions(earlier);
            let differences = scored
                .iter()
                .zip(predicted)
                .map(|((_, _, control, solved), predicted)| f64::from(i8::from(*solved) - i8::from(*control)) - predicted);
            candidate.wealth.bet(differences);
        }
        let bank = self.incumbents[pass.variant].bank(candidate.control());
        for (task, replicate, control, solved) in scored {
            bank.compared(task, replicate);
            if let Some(entry) = candidate.entry_mut(task) {
                entry.pairs.count += 1;
                entry.pairs.candidate += u32::from(solved);
                entry.pairs.control += u32::from(control);
                entry.next = replicate + 1;
            }
        }
    }

    /// Tasks that a discovery pass shows to gain are claimed from now on; the pass itself counts for nothing.
    fn settle_discovery(&mut self, slot: usize, pass: &Pass) {
        let candidate = &mut self.candidates[slot];
        let bank = self.incumbents[pass.variant].bank(candidate.control());
        for pair in &pass.pairs {
            let replicate = pass.asks[pair.played].replicate;
            bank.compared(pair.task, replicate);
            let gains = pass.outcome(pair) == Some((false, true));
            if let Some(entry) = candidate.entry_mut(pair.task) {
                entry.claimed |= gains;
                entry.next = replicate + 1;
            }
        }
    }
}

/// Whether a pass is bet on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bet {
    Placed,
    None,
}
