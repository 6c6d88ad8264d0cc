//! Runs summed up: what the gate did to the true success rate, and at what price.

use super::Simulation;
use super::world::GOOD;
use crate::domain::interval::{Share, wilson};
use serde::Serialize;

/// What came of one run. Success rates are true ones, 0..1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunResult {
    /// Of the first harness.
    pub start: f64,
    /// Of the last.
    pub end: f64,
    /// The highest after any round.
    pub peak: f64,
    /// Gain the gate reported for the last harness over the first.
    pub reported: f64,
    /// Ships.
    pub ships: u32,
    /// Ships that improved nothing: a true change of 0 or less.
    pub bad_ships: u32,
    /// Good candidates offered.
    pub good_offered: u32,
    /// Good candidates shipped.
    pub good_shipped: u32,
    /// Rollouts played.
    pub rollouts: u64,
}

impl RunResult {
    pub(super) fn new(start: f64) -> Self {
        Self { start, end: start, peak: start, reported: 0.0, ships: 0, bad_ships: 0, good_offered: 0, good_shipped: 0, rollouts: 0 }
    }

    /// Notes a ship by its true change.
    pub(super) fn ship(&mut self, truth: f64) {
        self.ships += 1;
        self.bad_ships += u32::from(truth <= 0.0);
        self.good_shipped += u32::from(truth >= GOOD);
    }
}

/// Means over runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Report {
    /// True success of the first harness, %.
    pub start: f64,
    /// True success of the last harness, %.
    #[serde(rename = "final")]
    pub end: f64,
    /// Standard error of it, points.
    pub end_error: f64,
    /// Highest true success of a run less its last, points.
    pub peak_minus_final: f64,
    /// Chance that a run ships anything that improves nothing, with its 95 % interval over runs.
    pub p_bad_run: Option<Share>,
    /// Rollouts per task over the whole run.
    pub rollouts_per_task: f64,
    /// Good candidates (a gain of 1.5 points or more) shipped, of those offered.
    pub power: f64,
    /// Reported less true gain of the run, points.
    pub bias: f64,
    /// Ships a run.
    pub ships: f64,
    /// Ships a run that improved nothing.
    pub bad_ships: f64,
    /// Rollouts simulated.
    pub rollouts: u64,
}

impl Report {
    /// Whether every figure is a number.
    pub fn is_finite(&self) -> bool {
        [self.start, self.end, self.end_error, self.peak_minus_final, self.rollouts_per_task, self.power, self.bias]
            .iter()
            .all(|x| x.is_finite())
    }
}

/// Sums runs up.
pub fn report(simulation: &Simulation, results: &[RunResult]) -> Report {
    let count = results.len().max(1) as f64;
    let mean = |of: &dyn Fn(&RunResult) -> f64| results.iter().map(of).sum::<f64>() / count;
    let end = mean(&|run| run.end);
    let variance = mean(&|run| (run.end - end).powi(2));
    let offered: u32 = results.iter().map(|run| run.good_offered).sum();
    let shipped: u32 = results.iter().map(|run| run.good_shipped).sum();
    let bad_runs = results.iter().filter(|run| run.bad_ships > 0).count();
    Report {
        start: 100.0 * mean(&|run| run.start),
        end: 100.0 * end,
        end_error: 100.0 * (variance / count).sqrt(),
        peak_minus_final: 100.0 * mean(&|run| run.peak - run.end),
        p_bad_run: wilson(bad_runs as f64, results.len()),
        rollouts_per_task: mean(&|run| run.rollouts as f64) / f64::from(simulation.tasks.max(1)),
        power: f64::from(shipped) / f64::from(offered.max(1)),
        bias: 100.0 * mean(&|run| run.reported - (run.end - run.start)),
        ships: mean(&|run| f64::from(run.ships)),
        bad_ships: mean(&|run| f64::from(run.bad_ships)),
        rollouts: results.iter().map(|run| run.rollouts).sum(),
    }
}
