//! A world for tests: every outcome depends on harness, task, stream and replicate alone, as it would in a replayed run.

use crate::domain::gate::*;
use crate::domain::id::{CandidateId, Digest, HarnessId, LimitsId, TaskId, VariantId};
use crate::domain::task::{Split, Tags};
use std::collections::BTreeMap;

pub const MAIN: &str = "main";

/// Success rates by harness, and what answers the gate.
pub struct Player {
    pub seed: u64,
    pub rates: BTreeMap<String, Vec<f64>>,
    /// Tasks on which a harness is always missing.
    pub missing: Vec<(String, u32)>,
    /// Written to JSON and read again before every n-th outcome.
    pub resume_every: usize,
    /// Every stream and replicate a harness was asked for.
    pub asked: Vec<(String, Ask)>,
}

impl Player {
    pub fn new(seed: u64, base: &[f64]) -> Self {
        let rates = BTreeMap::from([("base".to_owned(), base.to_vec())]);
        Self { seed, rates, missing: Vec::new(), resume_every: usize::MAX, asked: Vec::new() }
    }

    pub fn with(mut self, harness: &str, rates: &[f64]) -> Self {
        self.rates.insert(harness.to_owned(), rates.to_vec());
        self
    }

    fn outcome(&self, harness: &str, ask: &Ask) -> Told {
        if self.missing.iter().any(|(who, task)| who == harness && *task == ask.task.0) {
            return Told::Missing;
        }
        let task = ask.task.0.to_le_bytes();
        let place = format!("{:?} {} {:?}", ask.evidence, ask.replicate, ask.sibling);
        let draw = Digest::of_parts(&[&self.seed.to_le_bytes(), harness.as_bytes(), &task, place.as_bytes()]).seed() as f64 / 2f64.powi(64);
        Told::Scored { solved: draw < self.rates[harness][ask.task.at()] }
    }

    /// Answers passes until the gate needs something else.
    pub fn play(&mut self, gate: &mut Gate) {
        let mut told = 0;
        loop {
            let Demand::Rollouts(pass) = gate.demand() else { return };
            let open = pass.asks.iter().position(|ask| ask.told.is_none()).unwrap();
            let ask = pass.asks[open].clone();
            let harness = gate.player(pass, ask.arm).0.0.clone();
            let outcome = self.outcome(&harness, &ask);
            self.asked.push((harness, ask));
            told += 1;
            if told % self.resume_every == 0 {
                *gate = Gate::parse(&serde_json::to_string(gate).unwrap()).unwrap();
            }
            gate.tell(open, outcome).unwrap();
        }
    }

    /// Plays a round with these candidates, shipping whatever passes.
    pub fn round(&mut self, gate: &mut Gate, proposals: Vec<Proposal>) {
        self.play(gate);
        gate.begin_round().unwrap();
        self.play(gate);
        gate.submit(proposals).unwrap();
        self.finish(gate);
    }

    /// Answers until the round is over.
    pub fn finish(&mut self, gate: &mut Gate) {
        loop {
            self.play(gate);
            match gate.demand() {
                Demand::Confirmation(..) => gate.confirm(Confirmation::Ship).unwrap(),
                Demand::Touched(_) => gate.retouch(&[]).unwrap(),
                Demand::Round => return,
                Demand::Rollouts(_) | Demand::Candidates(_) => panic!("not due"),
            }
        }
    }
}

/// Tasks of the train split; from `gate_from` on, of the gate split. Clusters and tags `kind` alternate between `a` and `b`.
pub fn tasks(count: u32, gate_from: u32) -> Vec<GateTask> {
    (0..count)
        .map(|index| {
            let kind = if index % 2 == 0 { "a" } else { "b" };
            let split = if index < gate_from { Split::Train } else { Split::Gate };
            let tags = Tags::from([("kind".to_owned(), kind.to_owned())]);
            GateTask { id: TaskId(format!("t{index}")), split, tags, cluster: kind.to_owned() }
        })
        .collect()
}

pub fn gate(settings: GateSettings, count: u32) -> Gate {
    Gate::new(settings, tasks(count, count), HarnessId::from("base"), LimitsId::from("default")).unwrap()
}

/// The default mode with more on hand than any round needs.
pub fn split(rounds: u32) -> GateSettings {
    GateSettings { opening: 20.0, ..GateSettings::of_mode(Mode::Split, rounds) }
}

/// A candidate named like its harness.
pub fn proposal(name: &str, rank: u32, touched: &[u32], claimed: &[u32]) -> Proposal {
    let indices = |tasks: &[u32]| tasks.iter().map(|task| TaskIndex(*task)).collect();
    Proposal {
        id: CandidateId::from(name),
        rank,
        harness: HarnessId::from(name),
        variant: VariantId::from(MAIN),
        limits: LimitsId::from("default"),
        control: LimitsId::from("default"),
        touched: indices(touched),
        claims: Claims { tasks: indices(claimed), tags: Vec::new() },
    }
}

/// The last ruling on a candidate.
pub fn ruling<'a>(gate: &'a Gate, name: &str) -> Option<&'a Ruling> {
    gate.log().iter().rev().find(|verdict| verdict.candidate.as_ref().is_some_and(|id| id.as_str() == name)).map(|verdict| &verdict.ruling)
}

pub fn shipped(gate: &Gate, name: &str) -> bool {
    matches!(ruling(gate, name), Some(Ruling::Shipped(_) | Ruling::ShippedWhole { .. }))
}
