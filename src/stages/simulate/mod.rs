//! The gate in simulated worlds (`gate.md` §4a, §7): the same machine that judges real candidates, fed outcomes of known success rates, so
//! that what it ships can be held against the truth. Reads and writes nothing.

mod play;
mod power;
mod tally;
mod world;

pub use power::{Power, detectable};
pub use tally::{Report, RunResult, report};
pub use world::{Tasks, World};

use crate::clock::seeded;
use crate::domain::gate::{GateError, GateSettings};
use crate::domain::id::Digest;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::sync::atomic::{AtomicU32, Ordering};

/// What is simulated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulation {
    /// The world.
    pub world: World,
    /// The gate's settings.
    pub gate: GateSettings,
    /// Tasks, n.
    pub tasks: u32,
    /// Independent runs.
    pub runs: u32,
    /// Seed of all of them; run k depends on it and k alone.
    pub seed: u64,
    /// Chance that a manifest claims a task that its edit improves; .75 in `gate.md`.
    pub recall: f64,
}

/// Plays every run, on `threads` threads; the results are the same for any number of them.
pub fn simulate(simulation: &Simulation, threads: usize) -> Result<Vec<RunResult>, GateError> {
    over_runs(simulation.runs, threads, |run| play::play(simulation, generator(simulation.seed, "run", run)))
}

/// A generator for one of many independent plays.
fn generator(seed: u64, what: &str, index: u32) -> ChaCha8Rng {
    seeded(&Digest::of_parts(&[b"simulate", &seed.to_le_bytes(), what.as_bytes(), &index.to_le_bytes()]))
}

/// Calls `play` for each run, sharing the runs out among threads; results by run.
fn over_runs<T: Send>(runs: u32, threads: usize, play: impl Fn(u32) -> Result<T, GateError> + Sync) -> Result<Vec<T>, GateError> {
    let next = AtomicU32::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= runs {
                return done;
            }
            done.push((run, play(run)));
        }
    };
    let mut results: Vec<(u32, Result<T, GateError>)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(worker)).collect();
        let mut results = worker();
        for handle in handles {
            match handle.join() {
                Ok(done) => results.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    });
    results.sort_by_key(|(run, _)| *run);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::gate::Mode;

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let gate = GateSettings::of_mode(Mode::Split, 4);
        let simulation = Simulation { world: World::Hostile, gate, tasks: 30, runs: 7, seed: 3, recall: 0.75 };
        let one = simulate(&simulation, 1).unwrap();
        assert_eq!(one, simulate(&simulation, 3).unwrap());
        assert_ne!(one, simulate(&Simulation { seed: 4, ..simulation }, 1).unwrap());
    }

    #[test]
    fn every_mode_runs_in_every_world_and_on_no_task_and_one() {
        for mode in Mode::ALL {
            for tasks in [0, 1, 2, 24] {
                for world in World::ALL {
                    let gate = GateSettings::of_mode(mode, 3);
                    let simulation = Simulation { world, gate, tasks, runs: 3, seed: 1, recall: 0.75 };
                    let results = simulate(&simulation, 2).unwrap();
                    assert_eq!(results.len(), 3);
                    assert!(report(&simulation, &results).is_finite(), "{mode:?} {tasks} {world:?}");
                }
            }
        }
    }
}
