//! The drift guard: every few ships the incumbent is played against its anchor, so that losses too small to see one by one add up to
//! something that is seen.

use super::ask::{Arm, Ask, ControlFrom, EvidenceStream, Pair, Pass, Purpose, TaskIndex};
use super::candidate::Stage;
use super::incumbent::DriftWatch;
use super::settings::MISSING_SHARE;
use super::verdict::{MOVE_ANCHOR_AT, ROLL_BACK_AT, Ruling, Verdict};
use super::wealth::Wealth;
use super::{Gate, GateError, HarnessId, LimitsId, Step};
use std::collections::BTreeMap;

/// Passes of one comparison at most.
const PASSES: u32 = 3;
/// The siblings before it are those of suspects.
const FIRST_SIBLING: u32 = 4;

impl Gate {
    /// The next pass of a comparison that is due and can be paid.
    pub(super) fn drift_pass(&mut self) -> Option<Pass> {
        if self.candidates.iter().any(|candidate| candidate.is_same_harness) {
            return None;
        }
        let every = self.settings.drift_every;
        let variant = self.incumbents.iter().position(|incumbent| {
            let cost = 2 * incumbent.changed.iter().filter(|changed| **changed).count() as u64;
            cost > 0 && self.affords(cost) && (incumbent.ships_unchecked >= every || incumbent.drift.is_some())
        })?;
        let incumbent = &mut self.incumbents[variant];
        if incumbent.drift.is_none() {
            self.drifts += 1;
        }
        let watch = incumbent.drift.get_or_insert_with(|| DriftWatch {
            passes: 0,
            gain: Wealth::default(),
            harm: Wealth::default(),
            anchor: BTreeMap::new(),
        });
        let mut pass = Pass::new(variant, Purpose::Drift);
        let (evidence, replicate) = (EvidenceStream::Drift(self.drifts), watch.passes);
        // A repeat would be the draw by which the ships were chosen.
        let sibling = self.settings.deterministic.then_some(FIRST_SIBLING + self.drifts);
        let ask = |arm, task| Ask { sibling, ..Ask::new(arm, task, evidence, replicate) };
        for (index, _) in incumbent.changed.iter().enumerate().filter(|(_, changed)| **changed) {
            let task = TaskIndex(index as u32);
            let control = ControlFrom::Asked(pass.push(ask(Arm::Anchor, task)));
            let played = pass.push(ask(Arm::Incumbent, task));
            pass.pairs.push(Pair { task, control, played });
        }
        Some(pass)
    }

    /// Bets both ways on the pass, and rules if either bet has won or all passes are played.
    pub(super) fn settle_drift(&mut self, pass: &Pass) {
        let incumbent = &mut self.incumbents[pass.variant];
        let Some(mut watch) = incumbent.drift.take() else { return };
        let mut outcomes: Vec<(TaskIndex, bool, bool)> =
            pass.pairs.iter().filter_map(|pair| pass.outcome(pair).map(|(anchor, incumbent)| (pair.task, anchor, incumbent))).collect();
        if (pass.pairs.len() - outcomes.len()) as f64 > MISSING_SHARE * pass.pairs.len() as f64 {
            outcomes.clear();
        }
        let differences = || outcomes.iter().map(|(_, anchor, incumbent)| f64::from(i8::from(*incumbent) - i8::from(*anchor)));
        watch.gain.bet(differences());
        watch.harm.bet(differences().map(|difference| -difference));
        let own = if self.settings.deterministic { &[] } else { outcomes.as_slice() };
        for (task, anchor, solved) in own {
            watch.anchor.entry(*task).or_default().add(*anchor);
            incumbent.history[task.at()].add(*solved);
        }
        watch.passes += 1;
        let (better, worse) = (watch.gain.e(), watch.harm.e());
        let most = if self.settings.deterministic { 1 } else { PASSES };
        let ruling = if worse >= ROLL_BACK_AT {
            Ruling::RolledBack { to: incumbent.anchor.round, e: worse }
        } else if better >= MOVE_ANCHOR_AT {
            incumbent.move_anchor();
            Ruling::AnchorMoved { e: better }
        } else if watch.passes >= most {
            Ruling::AnchorKept { better, worse }
        } else {
            incumbent.drift = Some(watch);
            return;
        };
        incumbent.ships_unchecked = 0;
        if matches!(ruling, Ruling::RolledBack { .. }) {
            self.roll_back(pass.variant, &watch);
        }
        self.log.push(Verdict { round: self.round, candidate: None, rollouts: watch.passes * pass.asks.len() as u32, ruling });
    }

    /// The anchor is the incumbent again.
    fn roll_back(&mut self, variant: usize, watch: &DriftWatch) {
        let to = self.incumbents[variant].anchor.round;
        self.incumbents[variant].roll_back(&watch.anchor);
        self.undo(variant, to);
    }

    /// A person has put the first variant back to an earlier harness: on the tasks on which it differs from the present one nothing is known
    /// of it any more. It is its own anchor.
    pub fn put_back(&mut self, to: (HarnessId, u32), limits: LimitsId, changed: &[TaskIndex]) -> Result<(), GateError> {
        self.due("put a harness back", matches!(self.step, Step::BetweenRounds))?;
        if let Some(task) = changed.iter().find(|task| task.at() >= self.tasks.len()) {
            return Err(GateError::UnknownTask { candidate: "incumbent".to_owned(), task: *task, tasks: self.tasks.len() });
        }
        let round = to.1;
        self.incumbents[0].put_back(to, limits, changed);
        self.undo(0, round);
        Ok(())
    }

    /// Candidates made on a harness that is gone leave.
    fn undo(&mut self, variant: usize, to: u32) {
        self.epoch += 1;
        for slot in 0..self.candidates.len() {
            let candidate = &self.candidates[slot];
            if candidate.stage != Stage::Closed && candidate.variant == variant {
                self.rule(slot, Ruling::Undone { to });
            }
        }
    }
}
