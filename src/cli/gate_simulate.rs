//! `gate --simulate` and `gate --power`: the gate in simulated worlds, and what it can detect (`gate.md` §4, §7).

use super::Done;
use super::failure::{Exit, Failure};
use super::printer::Printer;
use crate::clock::{Clock, seeded_by};
use crate::domain::gate::{Counts, GateError, GateSettings, Mode, Profile, blindness};
use crate::stages::simulate::{Power, Report, Simulation, Tasks, World, detectable, report, simulate};
use clap::{ArgGroup, Args, ValueEnum};
use serde::Serialize;

/// Simulate the gate, or say what it can detect.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx gate --simulate hostile --mode split --rounds 15 --tasks 103 --runs 200")]
#[command(group = ArgGroup::new("question").required(true).args(["simulate", "power"]))]
pub(crate) struct SimulateArgs {
    /// Judge candidates of a world whose truth is known
    #[arg(long, value_enum, value_name = "WORLD")]
    simulate: Option<WorldName>,
    /// The smallest gain that ships in four of five runs, and its price
    #[arg(long)]
    power: bool,
    /// How candidates are judged [default: the profile's]
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
    /// Constants to start from
    #[arg(long, value_enum, default_value = "standard")]
    profile: ProfileName,
    /// Rounds a run [default: the profile's]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Tasks, train and gate together [default: the profile's, or 103]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    tasks: Option<u32>,
    /// Runs
    #[arg(long, value_name = "K", default_value = "200", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Share of improved tasks that manifests claim
    #[arg(long, value_name = "SHARE", default_value = "0.75", value_parser = share)]
    recall: f64,
    /// Seed of everything that is drawn
    #[arg(long, default_value = "1")]
    seed: u64,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WorldName {
    Benign,
    Hostile,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeName {
    Split,
    SplitStrict,
    Paper,
    Greedy,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProfileName {
    Quick,
    Standard,
    Paper,
}

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

/// Runs the command.
pub(crate) fn gate_simulate(args: &SimulateArgs, printer: &Printer) -> Done {
    let (gate, tasks) = settings(args);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if let Some(name) = args.simulate {
        let world = match name {
            WorldName::Benign => World::Benign,
            WorldName::Hostile => World::Hostile,
        };
        let simulation = Simulation { world, gate, tasks, runs: args.runs, seed: args.seed, recall: args.recall };
        let clock = Clock::system();
        let results = simulate(&simulation, threads)?;
        print_report(&simulation, report(&simulation, &results), clock.milliseconds() as f64 / 1000.0, printer);
        return Ok(Exit::Done);
    }
    let rates = Tasks::draw(tasks, &mut seeded_by(args.seed)).rates;
    print_power(&gate, tasks, detectable(&gate, &rates, args.seed, threads)?, printer);
    if gate.mode == Mode::Paper {
        print_blindness(&rates, printer);
    }
    Ok(Exit::Done)
}

/// The gate's settings and the number of tasks.
fn settings(args: &SimulateArgs) -> (GateSettings, u32) {
    let profile = match args.profile {
        ProfileName::Quick => Profile::quick(),
        ProfileName::Standard => Profile::standard(),
        ProfileName::Paper => Profile::paper(),
    };
    let mut gate = profile.gate;
    if let Some(mode) = args.mode {
        let mode = match mode {
            ModeName::Split => Mode::Split,
            ModeName::SplitStrict => Mode::SplitStrict,
            ModeName::Paper => Mode::Paper,
            ModeName::Greedy => Mode::Greedy,
        };
        let of_mode = GateSettings::of_mode(mode, gate.rounds);
        gate = GateSettings { mode, posterior: of_mode.posterior, drift_every: of_mode.drift_every, ..gate };
    }
    gate.rounds = args.rounds.unwrap_or(gate.rounds);
    let tasks = args.tasks.unwrap_or_else(|| profile.tasks.map_or(103, |(train, gate, _)| train + gate));
    (gate, tasks)
}

fn print_report(simulation: &Simulation, report: Report, seconds: f64, printer: &Printer) {
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

fn print_power(gate: &GateSettings, tasks: u32, power: Option<Power>, printer: &Printer) {
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

/// What the paper's rule would do to tasks of these rates, as seen in two rollouts each.
fn print_blindness(rates: &[f64], printer: &Printer) {
    let seen: Vec<Counts> =
        rates.iter().map(|rate| Counts { solved: (rate * 20.0).round() as u32, failed: ((1.0 - rate) * 20.0).round() as u32 }).collect();
    let blindness = blindness(&seen);
    printer.line(&format!(
        "pass@2 vetoes an edit that changes nothing {:.0} % of the time, and lets a fall of 9 points on every solved task through {:.0} %",
        100.0 * blindness.null_veto,
        100.0 * blindness.fall_missed
    ));
}

/// A share of something, for the parser of arguments.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is not a number"))?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err("use a share from 0 to 1".into()) }
}

impl From<GateError> for Failure {
    fn from(error: GateError) -> Self {
        Self::settings(error.to_string())
    }
}
