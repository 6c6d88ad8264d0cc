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

/// Name of the edit that is waited for.
const WANTED: &str = "wanted";

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

/// Offers one edit in the first round, and nothing else; whether it shipped in any, and the rollouts it took.
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
    first_ships(settings, rates, vec![(WANTED, offer)], rng)
}

/// Offers some edits in the first round, in this order; whether the [`WANTED`] one shipped, and the rollouts until then.
fn first_ships(
    settings: &GateSettings,
    rates: Vec<f64>,
    offers: Vec<(&str, Offer)>,
    mut rng: ChaCha8Rng,
) -> Result<(bool, u64), GateError> {
    let mut gate = gate(settings, rates.len() as u32)?;
    let mut truth = Truth::new(rates);
    let mut proposals = Vec::new();
    for (rank, (name, offer)) in (0..).zip(offers) {
        proposals.push(truth.propose(name.to_owned(), rank, offer));
    }
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
            Demand::Candidates(_) => gate.submit(std::mem::take(&mut proposals))?,
            Demand::Confirmation(passed) => {
                let candidate = passed.candidate();
                let is_wanted = candidate.id.as_str() == WANTED;
                truth.ship(&gate, candidate);
                gate.confirm(Confirmation::Ship)?;
                if is_wanted {
                    return Ok((true, gate.spent() - baseline));
                }
            }
            Demand::Touched(_) => gate.retouch(&[])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::gate::{Mode, Profile};

    /// How often an edit ships that adds `lift` to the rate `rate` of every task, touches all of them, claims three of four train tasks, and
    /// comes after a useless edit of the same breadth.
    fn quick_ships(settings: &GateSettings, rate: f64, lift: f64) -> f64 {
        let (train, gate) = Profile::quick().tasks.map_or((0, 0), |(train, gate, _)| (train, gate));
        let all: Vec<u32> = (0..train + gate).collect();
        let some: Vec<u32> = (0..train).filter(|task| task % 4 > 0).collect();
        let runs = over_runs(2000, 2, |run| {
            let offer = |lift: f64, claimed: &[u32]| Offer {
                effect: vec![lift; all.len()],
                touched: all.clone(),
                claimed: claimed.to_vec(),
                esteem: 0.0,
            };
            let offers = vec![("useless", offer(0.0, &all[..6])), (WANTED, offer(lift, &some))];
            first_ships(settings, vec![rate; all.len()], offers, generator(7, "quick", run))
        });
        runs.unwrap().iter().filter(|(shipped, _)| *shipped).count() as f64 / 2000.0
    }

    /// What [`Profile::quick`] promises.
    #[test]
    fn the_quick_profile_ships_a_great_edit_and_hardly_ever_a_useless_one() {
        let settings = Profile::quick().gate;
        for rate in [0.1, 0.25, 0.4] {
            let shipped = quick_ships(&settings, rate, 0.5);
            assert!(shipped >= 0.8, "+50 points on {rate}: {shipped}");
            let shipped = quick_ships(&settings, rate, 0.0);
            assert!(shipped <= 0.02, "+0 points on {rate}: {shipped}");
        }
    }

    #[test]
    fn what_is_detectable_shrinks_with_the_budget_and_nothing_is_among_no_tasks() {
        let settings = GateSettings::of_mode(Mode::Split, 15);
        let least = |settings: &GateSettings, tasks: usize| detectable(settings, &vec![0.6; tasks], 1, 2).unwrap();
        let (rich, poor) = (least(&settings, 24).unwrap(), least(&Profile::quick().gate, 24).unwrap());
        assert!(rich.gain <= poor.gain && rich.shipped >= DETECTED && rich.price > 0.0, "{rich:?} {poor:?}");
        assert_eq!(least(&settings, 0), None);
    }
}
