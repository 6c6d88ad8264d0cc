//! The modes for comparison: every task is played again each round, and the control is what the meta-agent saw.

use super::ask::{Arm, Ask, EvidenceStream, Pair, Pass, Purpose};
use super::ask::{ControlFrom, TaskIndex};
use super::candidate::{Candidate, Stage};
use super::posterior::Counts;
use super::settings::Mode;
use super::verdict::Ruling;
use super::{Gate, Step};
use serde::Serialize;
use statrs::function::erf::erfc;

/// Share of the tasks by which pass@2 may fall.
const SEESAW_SHARE: f64 = 0.05;

impl Gate {
    /// The incumbent is played anew.
    pub(super) fn forget_visible(&mut self) {
        for incumbent in &mut self.incumbents {
            incumbent.visible.fill(Counts::default());
            incumbent.history.fill(Counts::default());
        }
    }

    /// Plays the candidates in the critic's order; `paper` stops at the first it accepts, `greedy` plays all.
    pub(super) fn next_whole_step(&mut self) -> Step {
        if let Some(slot) = self.slots(Stage::Claims).min_by(|a, b| self.earlier(*a, *b)) {
            let pass = self.whole_pass(slot);
            if !pass.asks.is_empty() {
                return Step::Playing(pass);
            }
            // No task, or none with a trace: nothing can speak for it.
            self.rule(slot, Ruling::NotBest { gain: 0.0 });
            return self.next_whole_step();
        }
        if let Some(slot) = self.best_played() {
            let gain = raw_gain(&self.candidates[slot]);
            if gain > 0.0 && self.settings.mode == Mode::Greedy {
                return confirmation(slot, gain);
            }
            self.rule(slot, Ruling::NotBest { gain });
            return self.next_whole_step();
        }
        self.close_round()
    }

    fn whole_pass(&self, slot: usize) -> Pass {
        let variant = self.candidates[slot].variant;
        let incumbent = &self.incumbents[variant];
        let mut pass = Pass::new(variant, Purpose::Whole { candidate: slot });
        for (index, counts) in incumbent.visible.iter().enumerate() {
            let task = TaskIndex(index as u32);
            for back in (0..counts.total()).rev() {
                let replicate = incumbent.next_visible[index].saturating_sub(1 + back);
                let played = pass.push(Ask::new(Arm::Candidate(slot), task, EvidenceStream::Visible, replicate));
                pass.pairs.push(Pair { task, control: ControlFrom::Bank { solved: back < counts.solved }, played });
            }
        }
        pass
    }

    pub(super) fn settle_whole(&mut self, slot: usize, pass: &Pass) -> Option<Step> {
        let candidate = &mut self.candidates[slot];
        for pair in &pass.pairs {
            if let (Some((control, solved)), Some(entry)) = (pass.outcome(pair), candidate.entry_mut(pair.task)) {
                entry.pairs.count += 1;
                entry.pairs.candidate += u32::from(solved);
                entry.pairs.control += u32::from(control);
            }
        }
        candidate.stage = Stage::Rest;
        if self.settings.mode == Mode::Greedy {
            return None;
        }
        let (before, after) = pass_at_two(candidate);
        if f64::from(before) - f64::from(after) <= SEESAW_SHARE * self.tasks.len() as f64 {
            return Some(confirmation(slot, raw_gain(candidate)));
        }
        self.rule(slot, Ruling::Seesaw { before, after });
        None
    }

    /// The best candidate played and not ruled on. After a ship the others are made on a harness that is gone.
    fn best_played(&self) -> Option<usize> {
        self.slots(Stage::Rest)
            .min_by(|a, b| raw_gain(&self.candidates[*b]).total_cmp(&raw_gain(&self.candidates[*a])).then(self.earlier(*a, *b)))
    }
}

fn confirmation(slot: usize, gain: f64) -> Step {
    Step::AwaitingConfirmation { candidate: slot, ruling: Box::new(Ruling::ShippedWhole { gain }) }
}

/// Difference of the raw means, in points.
fn raw_gain(candidate: &Candidate) -> f64 {
    let (difference, count) = candidate
        .touched
        .iter()
        .fold((0.0, 0.0), |(difference, count), entry| (difference + entry.pairs.difference(), count + f64::from(entry.pairs.count)));
    if count > 0.0 { 100.0 * difference / count } else { 0.0 }
}

/// Tasks solved at least once: by the incumbent, by the candidate.
fn pass_at_two(candidate: &Candidate) -> (u32, u32) {
    candidate
        .touched
        .iter()
        .fold((0, 0), |(before, after), entry| (before + u32::from(entry.pairs.control > 0), after + u32::from(entry.pairs.candidate > 0)))
}

/// What the paper's seesaw does on these tasks, by the normal approximation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Blindness {
    /// Chance that an edit that changes nothing is vetoed.
    pub null_veto: f64,
    /// Chance that a fall of .09 on every solved task is let through.
    pub fall_missed: f64,
}

/// The error rates of pass@2 with its tolerance, at the success rates seen.
pub fn blindness(tasks: &[Counts]) -> Blindness {
    let rate = |counts: &Counts| (f64::from(counts.solved) + 0.5) / (f64::from(counts.total()) + 1.0);
    let solved_once = |p: f64| 1.0 - (1.0 - p) * (1.0 - p);
    let moments = |fall: f64| {
        tasks.iter().fold((0.0, 0.0), |(mean, variance), counts| {
            let p = rate(counts);
            let q = if p >= 0.75 { p - fall } else { p };
            let (a, b) = (solved_once(p), solved_once(q));
            (mean + a - b, variance + a * (1.0 - a) + b * (1.0 - b))
        })
    };
    let vetoed = |fall: f64| {
        let (mean, variance) = moments(fall);
        let least = (SEESAW_SHARE * tasks.len() as f64).floor() + 0.5;
        if variance > 0.0 { 0.5 * erfc((least - mean) / (2.0 * variance).sqrt()) } else { f64::from(u8::from(mean > least)) }
    };
    Blindness { null_veto: vetoed(0.0), fall_missed: 1.0 - vetoed(0.09) }
}
