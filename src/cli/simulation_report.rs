//! What `gate --simulate` and `gate --power` print.

use super::printer::Printer;
use crate::domain::gate::{Counts, GateSettings, blindness};
use crate::stages::simulate::{Power, Report, Simulation, World};
use serde::Serialize;

/// What `--json` says.
#[derive(Serialize)]
struct SimulationEvent<'a> {
    event: &'static str,
    world: World,
    mode: &'a str,
    rounds: u32,
    tasks: u32,
    runs: u32,
    seed: u64,
    #[serde(flatten)]
    report: Report,
    seconds: f64,
    rollouts_per_second: f64,
}

#[derive(Serialize)]
struct PowerEvent<'a> {
    event: &'static str,
    mode: &'a str,
    rounds: u32,
    tasks: u32,
    detectable: Option<Power>,
}

/// Prints the sums of a simulation.
pub(super) fn print_report(simulation: &Simulation, report: Report, seconds: f64, printer: &Printer) {
    let gate = &simulation.gate;
    let rollouts_per_second = report.rollouts as f64 / seconds.max(0.001);
    printer.event(&SimulationEvent {
        event: "simulation",
        world: simulation.world,
        mode: gate.mode.as_str(),
        rounds: gate.rounds,
        tasks: simulation.tasks,
        runs: simulation.runs,
        seed: simulation.seed,
        report,
        seconds,
        rollouts_per_second,
    });
    let (world, mode) = (simulation.world.as_str(), gate.mode.as_str());
    printer.line(&format!("{mode}, {world} world, {} rounds, {} tasks, {} runs", gate.rounds, simulation.tasks, simulation.runs));
    printer.line(&format!("final             {:.1} % ± {:.1} (start {:.1} %)", report.end, report.end_error, report.start));
    printer.line(&format!("peak_minus_final  {:.1} pts", report.peak_minus_final));
    if let Some(share) = report.p_bad_run {
        let (low, high) = (share.low, share.high);
        printer.line(&format!("p_bad_run         {:.3} [{low:.3}–{high:.3}] (a ship that improves nothing)", share.value));
    }
    printer.line(&format!("rollouts_per_task {:.1}", report.rollouts_per_task));
    printer.line(&format!("power             {:.2} of the good candidates offered ({:.2} ships a run)", report.power, report.ships));
    printer.line(&format!("bias              {:+.1} pts (reported less true gain)", report.bias));
    printer.note(&format!(
        "{:.2} million rollouts in {seconds:.1} s, {:.2} million a second",
        report.rollouts as f64 / 1e6,
        rollouts_per_second / 1e6
    ));
}

/// Prints the smallest detectable gain.
pub(super) fn print_power(gate: &GateSettings, tasks: u32, power: Option<Power>, printer: &Printer) {
    let (mode, rounds) = (gate.mode.as_str(), gate.rounds);
    printer.event(&PowerEvent { event: "power", mode, rounds, tasks, detectable: power });
    printer.line(&power.map_or_else(
        || format!("no gain is detectable with {tasks} tasks and {:.1} rollouts a task and round", gate.budget),
        |power| {
            format!(
                "smallest gain that ships in 4 of 5 runs: {:+.1} pts ({} of {tasks} tasks from 25 to 75 %, all claimed), for {:.0} rollouts (simulated)",
                power.gain, power.fixed, power.price
            )
        },
    ));
}

/// Prints what the paper's rule does to tasks of these success rates.
pub(super) fn print_blindness(rates: &[f64], printer: &Printer) {
    let seen: Vec<Counts> =
        rates.iter().map(|rate| Counts { solved: (rate * 20.0).round() as u32, failed: ((1.0 - rate) * 20.0).round() as u32 }).collect();
    let blindness = blindness(&seen);
    printer.line(&format!(
        "pass@2 vetoes an edit that changes nothing {:.0} % of the time, and lets a fall of 9 points on every solved task through {:.0} %",
        100.0 * blindness.null_veto,
        100.0 * blindness.fall_missed
    ));
}
