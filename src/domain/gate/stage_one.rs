//! Stage 1: bets on the claimed tasks, against sealed controls.

use super::ask::{Pass, Purpose};
use super::candidate::Stage;
use super::verdict::Ruling;
use super::wealth::wins_needed;
use super::{Gate, Step};

/// Passes of the incumbent against itself.
pub(super) const SAME_PASSES: u32 = 4;
/// Share of improved tasks that manifests claim, under which a discovery pass is worth its price.
const POOR_RECALL: f64 = 0.6;
/// Share of the tasks a candidate may touch for a discovery pass.
const DISCOVERY_SHARE: f64 = 0.4;

impl Gate {
    /// Who bets next: first whoever lacks the least passes, in the critic's order, then the highest e-value.
    pub(super) fn next_claims(&self) -> Option<usize> {
        let least = self.settings.claimed_passes().least;
        let is_early = |slot: &usize| self.candidates[*slot].passes(true).is_none_or(|passes| passes < least);
        let early = self.slots(Stage::Claims).filter(is_early).min_by(|a, b| self.earlier(*a, *b));
        early.or_else(|| {
            self.slots(Stage::Claims).min_by(|a, b| {
                let e = |slot: &usize| self.candidates[*slot].wealth.log_e();
                e(b).total_cmp(&e(a)).then(self.earlier(*a, *b))
            })
        })
    }

    /// Rules on a candidate's claims, or plays another pass of them.
    pub(super) fn stage_one(&mut self, slot: usize) -> Option<Step> {
        let candidate = &self.candidates[slot];
        let Some(passes) = candidate.passes(true) else {
            self.rule(slot, Ruling::ClaimsNothing);
            return None;
        };
        let limits = self.settings.claimed_passes();
        let threshold = self.settings.threshold(self.round, self.ships);
        if candidate.is_same_harness {
            if passes >= SAME_PASSES {
                return self.check(slot);
            }
        } else {
            if passes == 0 {
                if let Some(ruling) = self.undetectable(slot, threshold) {
                    self.rule(slot, ruling);
                    return None;
                }
                if let Some(pass) = self.discovery_pass(slot) {
                    self.candidates[slot].discovered = true;
                    return Some(Step::Playing(pass));
                }
            }
            let candidate = &mut self.candidates[slot];
            let log_e = candidate.wealth.log_e();
            if passes >= limits.least && log_e >= threshold.ln() {
                candidate.stage = Stage::Rest;
                return None;
            }
            let left = f64::from(limits.most.saturating_sub(passes));
            let hope = log_e + 1.5 * candidate.wealth.growth(passes) * left + 1.0;
            let is_futile = passes >= limits.least && (candidate.measured(true) <= 0.0 || hope < threshold.ln());
            if passes >= limits.most || is_futile {
                let e = candidate.wealth.e();
                self.rule(slot, Ruling::Futile { passes, e, threshold });
                return None;
            }
        }
        let pass = self.pairs_pass(slot, Purpose::Claimed { candidate: slot });
        self.pay(slot, pass)
    }

    /// A ruling if no outcome, or only a lucky one where each task is played once, could reach the threshold. There, what the incumbent
    /// solves cannot be won.
    fn undetectable(&self, slot: usize, threshold: f64) -> Option<Ruling> {
        let candidate = &self.candidates[slot];
        let once = self.settings.deterministic;
        let history = self.incumbents[candidate.variant].history();
        let winnable = candidate.part(true).filter(|entry| !once || history[entry.task.at()].solved == 0).count() as u32;
        let available = winnable * self.settings.claimed_passes().most;
        let wanted = wins_needed(threshold) * if once { 2 } else { 1 };
        (available < wanted).then_some(Ruling::Undetectable { available, wanted })
    }

    /// One pass over what a narrow candidate does not claim, where manifests have proved to miss much.
    fn discovery_pass(&mut self, slot: usize) -> Option<Pass> {
        let candidate = &self.candidates[slot];
        let is_narrow = candidate.touched.len() as f64 <= DISCOVERY_SHARE * self.tasks.len() as f64;
        let is_poor = self.recall.claimed < POOR_RECALL * self.recall.all;
        if candidate.discovered || self.settings.deterministic || !is_narrow || !is_poor || candidate.part(false).next().is_none() {
            return None;
        }
        let pass = self.pairs_pass(slot, Purpose::Discovery { candidate: slot });
        self.affords(pass.cost()).then_some(pass)
    }

    /// A pass with one pair a task: the claimed ones, or those of the others that have been played least.
    pub(super) fn pairs_pass(&mut self, slot: usize, purpose: Purpose) -> Pass {
        let candidate = &self.candidates[slot];
        let claimed = matches!(purpose, Purpose::Claimed { .. });
        let least = candidate.passes(claimed);
        let mut pass = Pass::new(candidate.variant, purpose);
        let bank = self.incumbents[candidate.variant].bank(candidate.control());
        for entry in candidate.part(claimed).filter(|entry| claimed || Some(entry.pairs.count) == least) {
            bank.pair(&mut pass, (slot, candidate), entry.task, self.epoch);
        }
        pass
    }
}
