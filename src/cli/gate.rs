//! `gate`: judges the candidates of a run's open round, or the gate itself: against itself on the real benchmark (`--aa`), in simulated
//! worlds (`--simulate`), and for what it can detect (`--power`).

use super::Done;
use super::assignment::Assignment;
use super::course::{Allowed, RestEvent, Task, whole, with_rounds};
use super::failure::{Exit, Failure};
use super::gate_simulate::{SimulateArgs, gate_simulate};
use super::printer::Printer;
use crate::domain::gate::SameFinding;
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
    /// Repetitions in which too much was missing to say anything.
    void: usize,
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
    let findings = RefCell::new(Vec::new());
    with_rounds(assignment, Allowed::default(), &Task::Same(times, &findings), printer, whole)?;
    let findings = findings.into_inner();
    let (times, of) = (findings.len(), |finding: Option<SameFinding>| findings.iter().filter(|found| **found == finding).count());
    let (undecided, void) = (of(Some(SameFinding::Undecided)), of(None));
    printer.event(&SameEvent { event: "aa", times, undecided, void });
    printer.line(&format!("undecided, as it must be, in {undecided} of {times} repetitions"));
    if undecided == times {
        return Ok(Exit::Done);
    }
    if undecided + void == times {
        return Err(Failure::new(Exit::Outside, format!("finish {void} of {times} repetitions: too many episodes are missing"))
            .hint("the same command plays what is missing"));
    }
    Err(Failure::new(Exit::Threshold, "trust the gate: it told the incumbent from itself").hint("report the lines above"))
}
