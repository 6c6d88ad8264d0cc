//! `export`: what a run holds, as files for others. `export round` writes the open round as a folder in which any role can be played by
//! hand; nothing of `sealed/` is in it.

use super::Done;
use super::assignment::Assignment;
use super::course::{Allowed, Task, with_rounds};
use super::failure::{Exit, Failure};
use super::printer::Printer;
use super::show::round_number;
use crate::rounds::{Closing, Exported, Rest, Rounds, RoundsError, Until};
use crate::store::handed::{is_free, lay_out};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Write what a run holds as files for others.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx export round --run runs/NAME round-by-hand")]
pub(crate) struct ExportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write the open round as a folder in which any role can be played by hand
    #[command(after_help = "Example: harnessx export round --run runs/NAME round-by-hand")]
    Round {
        /// A new folder
        folder: PathBuf,
        /// Run directory that `loop` began
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// The round, as 3 or R3; only the open one can be played [default: it]
        #[arg(long)]
        round: Option<String>,
    },
}

#[derive(Serialize)]
struct ExportEvent<'a> {
    event: &'static str,
    round: u32,
    roles: &'a [String],
    files: usize,
}

/// Runs the command.
pub(crate) fn export(args: &ExportArgs, printer: &Printer) -> Done {
    let What::Round { folder, run, round } = &args.what;
    if !is_free(folder)? {
        return Err(Failure::settings(format!("export to {}: there is something already", folder.display())).hint("name a new folder"));
    }
    let asked = round.as_deref().map(round_number).transpose()?;
    let exported = open_round(run, asked, printer, async |rounds, round| rounds.export(round))?;
    lay_out(folder, &exported.files)?;
    let Exported { round, roles, files } = &exported;
    printer.event(&ExportEvent { event: "export", round: *round, roles, files: files.len() });
    printer.line(&format!("R{round} is in {}; to be played there: {}", folder.display(), roles.join(", ")));
    printer.line(&format!("README.md there says how; `harnessx import --run {} {}` takes it back", run.display(), folder.display()));
    Ok(Exit::Done)
}

/// Takes the open round to its landscape, by code alone, and does something with it.
pub(crate) fn open_round<T>(
    run: &Path,
    asked: Option<u32>,
    printer: &Printer,
    work: impl AsyncFnOnce(&Rounds<'_>, u32) -> Result<T, RoundsError>,
) -> Result<T, Failure> {
    let assignment = Assignment::of_run(run)?;
    with_rounds(&assignment, Allowed::default(), &Task::Run(Until::Planned), printer, async |rounds, closing| {
        let Closing { rounds: done, reason, rest } = closing;
        let open = done.len() as u32;
        match asked.filter(|asked| *asked != open) {
            Some(asked) => Err(RoundsError::Hand(format!("R{asked} is not open; R{open} is next"))),
            None if rest == Rest::Over => Err(RoundsError::Hand(format!("no round is open: {reason}"))),
            None => work(rounds, open).await,
        }
    })
}
