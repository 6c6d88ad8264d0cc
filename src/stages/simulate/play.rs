//! One run: the gate's demands, answered from known rates.

use super::Simulation;
use super::tally::RunResult;
use super::world::{GOOD, Offer, Seen, Tasks};
use crate::domain::gate::{
    Arm, Candidate, Claims, Confirmation, Counts, Demand, Gate, GateError, GateSettings, GateTask, Pass, Proposal, TaskIndex, Told,
};
use crate::domain::id::{CandidateId, HarnessId, LimitsId, TaskId, VariantId};
use crate::domain::task::{Split, Tags};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// A gate over tasks of the train split, without tags.
pub(super) fn gate(settings: &GateSettings, tasks: u32) -> Result<Gate, GateError> {
    let tasks = (0..tasks)
        .map(|task| GateTask { id: TaskId(format!("t{task}")), split: Split::Train, tags: Tags::new(), cluster: String::new() })
        .collect();
    Gate::new(settings.clone(), tasks, HarnessId::from("R0"), LimitsId::from("default"))
}

/// The truth behind a gate: rates of every harness that has shipped, and the offers that are before it.
pub(super) struct Truth {
    pub rates: BTreeMap<HarnessId, Vec<f64>>,
    pub offers: BTreeMap<CandidateId, Offer>,
}

impl Truth {
    /// A baseline with these rates.
    pub fn new(rates: Vec<f64>) -> Self {
        Self { rates: BTreeMap::from([(HarnessId::from("R0"), rates)]), offers: BTreeMap::new() }
    }

    /// True rates of the incumbent.
    pub fn incumbent(&self, gate: &Gate) -> &[f64] {
        gate.incumbents().first().and_then(|incumbent| self.rates.get(&incumbent.harness)).map_or(&[], Vec::as_slice)
    }

    /// Plays every rollout of a pass; outcomes by position.
    pub fn outcomes(&self, gate: &Gate, pass: &Pass, rng: &mut ChaCha8Rng) -> Vec<bool> {
        let none: &[f64] = &[];
        let incumbent = self.incumbent(gate);
        let anchor = gate.incumbents().first().and_then(|incumbent| self.rates.get(&incumbent.anchor.harness)).map_or(none, Vec::as_slice);
        let candidate = pass.purpose.candidate().map(|slot| &gate.candidates()[slot].id).and_then(|id| self.offers.get(id));
        let applied = candidate.map(|offer| offer.applied(incumbent));
        let of_candidate = applied.as_deref().unwrap_or(incumbent);
        pass.asks
            .iter()
            .map(|ask| {
                let rates = match ask.arm {
                    Arm::Incumbent => incumbent,
                    Arm::Candidate(_) => of_candidate,
                    Arm::Anchor => anchor,
                };
                rng.random::<f64>() < rates[ask.task.at()]
            })
            .collect()
    }

    /// Registers an offer and makes the proposal of it.
    pub fn propose(&mut self, id: String, rank: u32, offer: Offer) -> Proposal {
        let indices = |tasks: &[u32]| tasks.iter().map(|task| TaskIndex(*task)).collect();
        let proposal = Proposal {
            id: CandidateId(id.clone()),
            rank,
            harness: HarnessId(id.clone()),
            variant: VariantId::from("main"),
            limits: LimitsId::from("default"),
            control: LimitsId::from("default"),
            touched: indices(&offer.touched),
            claims: Claims { tasks: indices(&offer.claimed), tags: Vec::new() },
        };
        self.offers.insert(CandidateId(id), offer);
        proposal
    }

    /// Ships a candidate; its true mean change.
    pub fn ship(&mut self, gate: &Gate, candidate: &Candidate) -> f64 {
        let Some(offer) = self.offers.get(&candidate.id) else { return 0.0 };
        let rates = self.incumbent(gate);
        let (truth, applied) = (offer.truth(rates), offer.applied(rates));
        self.rates.insert(candidate.harness.clone(), applied);
        truth
    }
}

/// Tells a gate all outcomes of the pass it waits for.
pub(super) fn tell_all(gate: &mut Gate, outcomes: &[bool]) -> Result<(), GateError> {
    for (ask, solved) in outcomes.iter().enumerate() {
        gate.tell(ask, Told::Scored { solved: *solved })?;
    }
    Ok(())
}

/// Plays one run to its last round.
pub(super) fn play(simulation: &Simulation, mut rng: ChaCha8Rng) -> Result<RunResult, GateError> {
    let tasks = Tasks::draw(simulation.tasks, &mut rng);
    let mut gate = gate(&simulation.gate, simulation.tasks)?;
    let mut truth = Truth::new(tasks.rates.clone());
    let mut result = RunResult::new(mean(&tasks.rates));
    let mut reported = BTreeMap::from([(HarnessId::from("R0"), 0.0)]);
    loop {
        match gate.demand() {
            Demand::Round if gate.round() >= simulation.gate.rounds => break,
            Demand::Round => {
                result.peak = result.peak.max(mean(truth.incumbent(&gate)));
                gate.begin_round()?;
            }
            Demand::Rollouts(pass) => {
                let outcomes = truth.outcomes(&gate, pass, &mut rng);
                tell_all(&mut gate, &outcomes)?;
            }
            Demand::Candidates(room) => {
                let proposals = proposals(simulation, &gate, &tasks, &mut truth, (room, &mut rng));
                result.good_offered +=
                    truth.offers_of(&proposals).filter(|offer| offer.truth(truth.incumbent(&gate)) >= GOOD).count() as u32;
                gate.submit(proposals)?;
            }
            Demand::Confirmation(passed) => {
                let candidate = passed.candidate();
                let (harness, parent) = (candidate.harness.clone(), gate.incumbents()[0].harness.clone());
                result.ship(truth.ship(&gate, candidate));
                gate.confirm(Confirmation::Ship)?;
                let gain = gate.log().iter().rev().find_map(crate::domain::gate::Verdict::shipped_gain).unwrap_or_default();
                let before = reported.get(&parent).copied().unwrap_or_default();
                reported.insert(harness, before + gain / 100.0);
            }
            Demand::Touched(_) => gate.retouch(&[])?,
        }
    }
    result.end = mean(truth.incumbent(&gate));
    result.peak = result.peak.max(result.end);
    result.rollouts = gate.spent();
    result.reported = gate.incumbents().first().and_then(|incumbent| reported.get(&incumbent.harness)).copied().unwrap_or_default();
    Ok(result)
}

impl Truth {
    fn offers_of<'a>(&'a self, proposals: &'a [Proposal]) -> impl Iterator<Item = &'a Offer> {
        proposals.iter().filter_map(|proposal| self.offers.get(&proposal.id))
    }
}

/// The round's candidates, in the critic's order.
fn proposals(
    simulation: &Simulation,
    gate: &Gate,
    tasks: &Tasks,
    truth: &mut Truth,
    (room, rng): (usize, &mut ChaCha8Rng),
) -> Vec<Proposal> {
    let visible: &[Counts] = gate.incumbents().first().map_or(&[], |incumbent| incumbent.visible());
    let failed: Vec<bool> = visible.iter().map(|counts| counts.failed > 0).collect();
    let seen =
        Seen { world: simulation.world, recall: simulation.recall, rates: truth.incumbent(gate), fixable: &tasks.fixable, failed: &failed };
    let mut offers: Vec<Offer> = (0..room).map(|_| seen.offer(rng)).collect();
    offers.sort_by(|a, b| b.esteem.total_cmp(&a.esteem));
    let still: Vec<CandidateId> = gate.candidates().iter().map(|candidate| candidate.id.clone()).collect();
    truth.offers.retain(|id, _| still.contains(id));
    let round = gate.round();
    offers.into_iter().enumerate().map(|(rank, offer)| truth.propose(format!("C-R{round}-{rank:02}"), rank as u32, offer)).collect()
}

/// The mean; 0 of nothing.
fn mean(rates: &[f64]) -> f64 {
    rates.iter().sum::<f64>() / rates.len().max(1) as f64
}
