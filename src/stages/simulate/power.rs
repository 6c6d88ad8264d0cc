//! What a batch and a budget can detect (`gate --power`), found by running the gate: edits of growing effect, until four in five ship.

use super::play::{Truth, gate, tell_all};
use super::world::{Offer, kept};
use super::{generator, over_runs};
use crate::domain::gate::{Confirmation, Demand, GateError, GateSettings};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Runs per size of effect.
const RUNS: u32 = 400;
/// Share of runs in which a detectable edit ships.
const DETECTED: f64 = 0.8;
/// What an edit adds to the success rate of a task it fixes.
const LIFT: f64 = 0.5;
/// Success rate of a task before it is fixed.
const BROKEN: f64 = 0.25;
/// Share of the tasks that an edit touches.
const TOUCHED: f64 = 0.25;

/// The smallest edit that ships in four of five runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Power {
    /// Tasks it fixes, each by .5, all claimed, while it touches a quarter of all tasks or as many as it fixes.
    pub fixed: u32,
    /// Mean gain, points.
    pub gain: f64,
    /// Share of runs in which it shipped within the rounds.
    pub shipped: f64,
    /// Rollouts until then, the baseline's not counted.
    pub price: f64,
}

/// The smallest detectable edit over tasks of these success rates (0..1), offered in the first round and alone; `None` if not even an edit
/// that fixes every task is.
pub fn detectable(settings: &GateSettings, rates: &[f64], seed: u64, threads: usize) -> Result<Option<Power>, GateError> {
    for fixed in 1..=rates.len() as u32 {
        let runs = over_runs(RUNS, threads, |run| offered(settings, rates, fixed, generator(seed, "power", run)))?;
        let shipped = runs.iter().filter(|(shipped, _)| *shipped).count() as f64 / f64::from(RUNS);
        if shipped >= DETECTED {
            let price = runs.iter().map(|(_, rollouts)| *rollouts as f64).sum::<f64>() / f64::from(RUNS);
            let gain = 100.0 * LIFT * f64::from(fixed) / rates.len() as f64;
            return Ok(Some(Power { fixed, gain, shipped, price }));
        }
    }
    Ok(None)
}

/// Offers one edit in the first round; whether it shipped in any, and the rollouts it took.
fn offered(settings: &GateSettings, rates: &[f64], fixed: u32, mut rng: ChaCha8Rng) -> Result<(bool, u64), GateError> {
    let mut order: Vec<usize> = (0..rates.len()).collect();
    for place in 1..order.len() {
        order.swap(place, rng.random_range(0..=place));
    }
    let mut rates: Vec<f64> = rates.iter().copied().map(kept).collect();
    let mut effect = vec![0.0; rates.len()];
    let (fixed, touched) = (fixed as usize, (TOUCHED * rates.len() as f64).ceil() as usize);
    for task in &order[..fixed] {
        rates[*task] = BROKEN;
        effect[*task] = LIFT;
    }
    let named = |tasks: &[usize]| tasks.iter().map(|task| *task as u32).collect::<Vec<u32>>();
    let offer = Offer { effect, touched: named(&order[..touched.max(fixed)]), claimed: named(&order[..fixed]), esteem: 0.0 };
    let mut gate = gate(settings, rates.len() as u32)?;
    let mut truth = Truth::new(rates);
    let mut baseline = 0;
    loop {
        match gate.demand() {
            Demand::Round if gate.round() == 0 => {
                baseline = gate.spent();
                gate.begin_round()?;
            }
            Demand::Round if gate.round() >= settings.rounds || gate.candidates().iter().all(|candidate| !candidate.is_waiting()) => {
                return Ok((false, gate.spent() - baseline));
            }
            Demand::Round => gate.begin_round()?,
            Demand::Rollouts(pass) => {
                let outcomes = truth.outcomes(&gate, pass, &mut rng);
                tell_all(&mut gate, &outcomes)?;
            }
            Demand::Candidates(_) if gate.round() == 1 => {
                let proposal = truth.propose("edit".into(), 0, offer.clone());
                gate.submit(vec![proposal])?;
            }
            Demand::Candidates(_) => gate.submit(Vec::new())?,
            Demand::Confirmation(..) => {
                gate.confirm(Confirmation::Ship)?;
                return Ok((true, gate.spent() - baseline));
            }
            Demand::Touched(_) => gate.retouch(&[])?,
        }
    }
}
