//! `gate --simulate` and `gate --power`: the gate in simulated worlds, and what it can detect (`gate.md` §4, §7).

use super::Done;
use super::failure::{Exit, Failure};
use super::given::share;
use super::loop_settings::{ModeName, ProfileName};
use super::printer::Printer;
use super::simulation_report::{print_blindness, print_power, print_report};
use crate::clock::{Clock, seeded_by};
use crate::domain::gate::{GateError, GateSettings, Mode};
use crate::stages::simulate::{Simulation, Tasks, World, detectable, report, simulate};
use clap::{ArgGroup, Args, ValueEnum};

/// The gate in simulated worlds.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("question").args(["simulate", "power"]))]
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
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
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
    if !args.power {
        return Err(Failure::new(Exit::Usage, "judge candidates: nothing is named")
            .hint("name a run with --run DIR, or use --simulate WORLD or --power"));
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
    let profile = args.profile.profile();
    let mut gate = profile.gate;
    if let Some(mode) = args.mode {
        gate = gate.in_mode(mode.mode());
    }
    gate.rounds = args.rounds.unwrap_or(gate.rounds);
    let tasks = args.tasks.unwrap_or_else(|| profile.tasks.map_or(103, |(train, gate, _)| train + gate));
    (gate, tasks)
}

impl From<GateError> for Failure {
    fn from(error: GateError) -> Self {
        Self::settings(error.to_string())
    }
}
