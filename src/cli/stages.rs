//! `evolve` and `critique`: one stage of a run's open round, on the same files and with the same result as within `loop`.

use super::Done;
use super::assignment::Assignment;
use super::course::{Allowed, Task, whole, with_rounds};
use super::failure::Exit;
use super::printer::Printer;
use crate::clock::Clock;
use crate::rounds::Until;
use crate::store::visible::Visible;
use clap::Args;
use std::path::{Path, PathBuf};

/// Propose candidates for a run's open round: typed edits with a manifest, each on a branch.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx evolve --run runs/NAME")]
pub(crate) struct EvolveArgs {
    /// Run directory that `loop` began
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
}

/// Look over the candidates of a run's open round: leaks, forged output, undeclared changes, invented evidence.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx critique --run runs/NAME")]
pub(crate) struct CritiqueArgs {
    /// Run directory that `loop` began
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
}

/// Runs `evolve`.
pub(crate) fn evolve(args: &EvolveArgs, printer: &Printer) -> Done {
    let round = advance(&args.run, Until::Evolved, printer)?;
    let visible = Visible::open(&args.run, "evolve", &Clock::system())?;
    for manifest in visible.candidates(round)? {
        printer.line(&format!("{}: {}", manifest.candidate_id, manifest.title));
    }
    Ok(Exit::Done)
}

/// Runs `critique`.
pub(crate) fn critique(args: &CritiqueArgs, printer: &Printer) -> Done {
    let round = advance(&args.run, Until::Critiqued, printer)?;
    let visible = Visible::open(&args.run, "critique", &Clock::system())?;
    match visible.find_text(&format!("R{round}/critique.md"))? {
        Some(text) => printer.line(&text),
        None => printer.line("no candidate to look over"),
    }
    Ok(Exit::Done)
}

/// Takes the open round so far; its number.
fn advance(run: &Path, until: Until, printer: &Printer) -> Result<u32, super::failure::Failure> {
    let assignment = Assignment::of_run(run)?;
    let closing = with_rounds(&assignment, Allowed::default(), &Task::Run(until), printer, whole)?;
    printer.note(&closing.reason);
    Ok(closing.rounds.len() as u32)
}
