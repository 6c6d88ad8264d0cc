//! Stage 2: everything else a candidate touches must not lose; suspects are played again, fresh.

use super::ask::{Arm, Ask, ControlFrom, EvidenceStream, Pair, Pass, Purpose, Ring, TaskIndex};
use super::candidate::{Candidate, Stage};
use super::fork::offer;
use super::posterior::Counts;
use super::stage_one::SAME_PASSES;
use super::verdict::{Evidence, FitsSeen, Ruling, SameFinding};
use super::{Gate, GateTask, Split, Step};
use std::collections::BTreeSet;

/// Fresh rollouts of a suspect, in each arm.
const FOLLOWUPS: u32 = 4;
/// Chance, over all suspects, that one is taken for lost though nothing changed; at the first ring and at the second, where what is known of
/// the suspects is too rosy where a task was never failed before.
const FALSE_ALARM: (f64, f64) = (0.10, 0.05);
/// A net gain less likely than this after no pass over the rest, or after the least, is given up.
const HOPELESS: (f64, f64) = (0.05, 0.25);

/// Tasks that may be lost in sum among the protected ones.
pub(super) fn allowed_loss(protected: u32) -> f64 {
    (0.04 * f64::from(protected)).max(1.0)
}

impl Gate {
    /// Who is played next: the highest expected gain for the price of a pass.
    pub(super) fn next_rest(&self) -> Option<usize> {
        let worth = |slot: usize| {
            let candidate = &self.candidates[slot];
            candidate.net_gain().mean / candidate.part(false).count().max(1) as f64
        };
        let worths: Vec<(usize, f64)> = self.slots(Stage::Rest).map(|slot| (slot, worth(slot))).collect();
        worths.iter().min_by(|a, b| b.1.total_cmp(&a.1).then(self.earlier(a.0, b.0))).map(|(slot, _)| *slot)
    }

    /// Gives a candidate up, checks it, or plays another pass over what it does not claim.
    pub(super) fn stage_two(&mut self, slot: usize) -> Option<Step> {
        let candidate = &self.candidates[slot];
        let limits = self.settings.rest_passes();
        let probability = candidate.net_gain().probability();
        let passes = candidate.passes(false);
        let enough = passes.is_none_or(|passes| passes >= limits.least);
        if enough && probability >= self.settings.posterior {
            return self.check(slot);
        }
        let is_spent = passes.is_none_or(|passes| passes >= limits.most);
        let hopeless = if enough { probability <= HOPELESS.1 } else { probability < HOPELESS.0 };
        if is_spent || hopeless {
            self.learn_recall(slot);
            self.rule(slot, Ruling::Unlikely { probability, passes: passes.unwrap_or(0) });
            return None;
        }
        let pass = self.pairs_pass(slot, Purpose::Rest { candidate: slot });
        self.pay(slot, pass)
    }

    /// Plays the solved tasks that the candidate failed again, or rules at once if there are none.
    pub(super) fn check(&mut self, slot: usize) -> Option<Step> {
        let candidate = &self.candidates[slot];
        let is_suspect = |task: &TaskIndex| candidate.entry(*task).is_some_and(|entry| entry.pairs.candidate < entry.pairs.count);
        let suspects: Vec<TaskIndex> = self.protected(candidate.variant).filter(is_suspect).collect();
        if suspects.is_empty() {
            return self.judge(slot, Vec::new());
        }
        self.ring(slot, suspects, Ring::First)
    }

    /// Plays suspects, fresh in both arms.
    fn ring(&mut self, slot: usize, suspects: Vec<TaskIndex>, ring: Ring) -> Option<Step> {
        let candidate = &self.candidates[slot];
        let mut pass = Pass::new(candidate.variant, Purpose::Suspects { candidate: slot, ring });
        let (of_control, own) = candidate.streams(EvidenceStream::Followup(self.followups));
        let first = if ring == Ring::Second { FOLLOWUPS } else { 0 };
        // Its streams hold the passes before, and the first ring.
        let before = if candidate.is_same_harness { SAME_PASSES + first } else { 0 };
        for task in suspects {
            for replicate in 0..FOLLOWUPS {
                let sibling = self.settings.deterministic.then_some(first + replicate);
                let ask = |arm, evidence| Ask { sibling, ..Ask::new(arm, task, evidence, before + replicate) };
                let control = ControlFrom::Asked(pass.push(ask(Arm::Incumbent, of_control)));
                let played = pass.push(ask(Arm::Candidate(slot), own));
                pass.pairs.push(Pair { task, control, played });
            }
        }
        let step = self.pay(slot, pass);
        if step.is_some() {
            self.followups += 1;
        }
        step
    }

    /// Finds out which suspects are lost, and adds the fresh pairs to what is known. Those that look lost are played once more: with one
    /// ring a candidate that changes nothing was vetoed once in twenty times.
    pub(super) fn settle_suspects(&mut self, slot: usize, pass: &Pass, ring: Ring) -> Option<Step> {
        let candidate = &mut self.candidates[slot];
        let incumbent = &mut self.incumbents[pass.variant];
        let is_own = incumbent.limits == *candidate.control();
        let history = &mut incumbent.history;
        let suspects: BTreeSet<TaskIndex> = pass.pairs.iter().map(|pair| pair.task).collect();
        let mut regressed = Vec::new();
        let chance = if ring == Ring::First { FALSE_ALARM.0 } else { FALSE_ALARM.1 };
        for task in &suspects {
            let fresh: Vec<(bool, bool)> =
                pass.pairs.iter().filter(|pair| pair.task == *task).filter_map(|pair| pass.outcome(pair)).collect();
            let solved = fresh.iter().filter(|(_, solved)| *solved).count() as u32;
            let mut known: Counts = history[task.at()];
            for (control, _) in &fresh {
                known.add(*control);
            }
            if !fresh.is_empty() && known.tail(solved, fresh.len() as u32) <= chance / suspects.len() as f64 {
                regressed.push(*task);
            }
            if self.settings.deterministic {
                continue;
            }
            if is_own {
                history[task.at()] = known;
            }
            if let Some(entry) = candidate.entry_mut(*task) {
                entry.pairs.count += fresh.len() as u32;
                entry.pairs.candidate += solved;
                entry.pairs.control += fresh.iter().filter(|(control, _)| *control).count() as u32;
            }
        }
        if ring == Ring::First && !regressed.is_empty() {
            return self.ring(slot, regressed, Ring::Second);
        }
        self.judge(slot, regressed)
    }

    /// The last word on a candidate: it waits to be confirmed, or is closed.
    fn judge(&mut self, slot: usize, regressed: Vec<TaskIndex>) -> Option<Step> {
        self.learn_recall(slot);
        let evidence = self.evidence(slot, regressed);
        let is_harmful = !evidence.regressed.is_empty() || evidence.loss > allowed_loss(evidence.protected);
        let candidate = &self.candidates[slot];
        if candidate.is_same_harness {
            self.rule_same(slot, &evidence, is_harmful);
            return None;
        }
        if is_harmful || evidence.probability < self.settings.posterior {
            let tasks = &self.tasks;
            let by_cluster = candidate.compared().map(|entry| (tasks[entry.task.at()].cluster.as_str(), entry.pairs));
            let fork = (evidence.gain > 0.0).then(|| offer(by_cluster, evidence.e, self.settings.alpha)).flatten();
            self.rule(slot, Ruling::Blocked { evidence, fork });
            return None;
        }
        if self.settings.generalise
            && let Some(fit) = evidence.fits_seen
        {
            self.rule(slot, Ruling::FitsSeen(fit));
            return None;
        }
        Some(Step::AwaitingConfirmation { candidate: slot, ruling: Box::new(Ruling::Shipped(evidence)) })
    }

    fn evidence(&self, slot: usize, regressed: Vec<TaskIndex>) -> Evidence {
        let candidate = &self.candidates[slot];
        let history = self.incumbents[candidate.variant].history();
        let gain = candidate.net_gain();
        // Fresh controls may have taken a task's protection away after it was found lost.
        let protected: BTreeSet<TaskIndex> = self.protected(candidate.variant).chain(regressed.iter().copied()).collect();
        let loss = protected.iter().filter_map(|task| candidate.entry(*task)).map(|entry| history[entry.task.at()].loss(entry.pairs)).sum();
        Evidence {
            gain: 100.0 * gain.mean / self.tasks.len().max(1) as f64,
            e: candidate.wealth.e(),
            threshold: self.settings.threshold(self.round, self.ships),
            probability: gain.probability(),
            protected: protected.len() as u32,
            regressed,
            loss,
            fits_seen: self.fits_seen(candidate),
        }
    }

    /// Gains of train tasks, if those that are claimed have siblings in the gate split and none of them gains.
    fn fits_seen(&self, candidate: &Candidate) -> Option<FitsSeen> {
        let facts = |task: TaskIndex| &self.tasks[task.at()];
        let clusters: BTreeSet<&str> = candidate.part(true).map(|entry| facts(entry.task).cluster.as_str()).collect();
        let is_sibling = |task: &GateTask| task.split == Split::Gate && clusters.contains(task.cluster.as_str());
        if !self.tasks.iter().any(is_sibling) {
            return None;
        }
        let sum = |counts: &dyn Fn(&GateTask) -> bool| -> f64 {
            let part = candidate.compared().filter(|entry| counts(facts(entry.task)));
            part.filter_map(|entry| entry.pairs.estimate()).map(|(mean, _)| mean).sum()
        };
        let (train, siblings) = (sum(&|task| task.split == Split::Train), sum(&is_sibling));
        (train > 0.0 && siblings <= 0.0).then_some(FitsSeen { train, siblings })
    }

    fn rule_same(&mut self, slot: usize, evidence: &Evidence, is_harmful: bool) {
        let finding = if evidence.e >= evidence.threshold {
            SameFinding::Shipped
        } else if is_harmful {
            SameFinding::Vetoed
        } else {
            SameFinding::Undecided
        };
        let (e, threshold, regressed) = (evidence.e, evidence.threshold, evidence.regressed.len() as u32);
        self.rule(slot, Ruling::SameHarness { finding, e, threshold, regressed });
    }

    /// Notes how much of what this candidate gains it had claimed.
    fn learn_recall(&mut self, slot: usize) {
        let candidate = &self.candidates[slot];
        if candidate.is_same_harness {
            return;
        }
        let (claimed, rest) = (candidate.measured(true).max(0.0), candidate.measured(false).max(0.0));
        self.recall.claimed += claimed;
        self.recall.all += claimed + rest;
    }
}
