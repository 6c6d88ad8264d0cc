//! `gate`: judges the candidates of a run's open round, or the gate itself: against itself on the real benchmark (`--aa`), in simulated
//! worlds (`--simulate`), and for what it can detect (`--power`).

use super::Done;
use super::assignment::Assignment;
use super::course::{Allowed, RestEvent, Task, whole, with_rounds};
use super::failure::{Exit, Failure};
use super::gate_simulate::{SimulateArgs, gate_simulate};
use super::printer::Printer;
use crate::rounds::{Rest, Until};
use clap::Args;
use serde::Serialize;
use std::cell::RefCell;
use std::path::PathBuf;

/// Judge the candidates of a run's open round; or simulate the gate, or say what it can detect.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx gate --simulate hostile --mode split --rounds 15 --tasks 103 --runs 200")]
pub(crate) struct GateArgs {
    /// Run directory that `loop` began
    #[arg(long, value_name = "DIR", conflicts_with_all = ["simulate", "power"])]
    run: Option<PathBuf>,
    /// Play the incumbent against itself so often; nothing may ship or be vetoed
    #[arg(long, value_name = "TIMES", requires = "run", conflicts_with_all = ["simulate", "power"], value_parser = clap::value_parser!(u32).range(1..=1000))]
    aa: Option<u32>,
    /// Exit with 1 if nothing ships
    #[arg(long, requires = "run", conflicts_with_all = ["simulate", "power"])]
    require_ship: bool,
    #[command(flatten)]
    simulation: SimulateArgs,
}

#[derive(Serialize)]
struct SameEvent {
    event: &'static str,
    times: usize,
    undecided: usize,
}

/// Runs the command.
pub(crate) fn gate(args: &GateArgs, printer: &Printer) -> Done {
    let Some(dir) = &args.run else { return gate_simulate(&args.simulation, printer) };
    let assignment = Assignment::of_run(dir)?;
    if let Some(times) = args.aa {
        return check_same(&assignment, times, printer);
    }
    let closing = with_rounds(&assignment, Allowed::default(), &Task::Run(Until::Decided), printer, whole)?;
    // Where the run is over or waits, the last of its rounds was decided before.
    let decided = closing.rounds.last().filter(|_| closing.rest == Rest::Open);
    let shipped = decided.map_or(&[][..], |round| &round.shipped);
    let mut event = RestEvent::of(&closing);
    event.shipped = shipped;
    printer.event(&event);
    printer.line(&closing.reason);
    if closing.rest == Rest::Waiting {
        printer.line("the same command continues");
    }
    Ok(if args.require_ship && shipped.is_empty() { Exit::Threshold } else { Exit::Done })
}

fn check_same(assignment: &Assignment, times: u32, printer: &Printer) -> Done {
    let lines = RefCell::new(Vec::new());
    with_rounds(assignment, Allowed::default(), &Task::Same(times, &lines), printer, whole)?;
    let lines = lines.into_inner();
    let undecided = lines.iter().filter(|(is_sound, _)| *is_sound).count();
    printer.event(&SameEvent { event: "aa", times: lines.len(), undecided });
    printer.line(&format!("undecided, as it must be, in {undecided} of {} repetitions", lines.len()));
    if undecided == lines.len() {
        return Ok(Exit::Done);
    }
    Err(Failure::new(Exit::Threshold, "trust the gate: it told the incumbent from itself").hint("report the lines above"))
}
