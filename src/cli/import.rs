//! `import`: takes back what a person has written in a folder that `export round` made. It is checked like a model's words, and taken whole
//! or not at all; the loop goes on from there.

use super::Done;
use super::export::open_round;
use super::failure::Exit;
use super::printer::Printer;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Take back what was written by hand in an exported round; the loop goes on from there.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx import --run runs/NAME round-by-hand")]
pub(crate) struct ImportArgs {
    /// A folder that `export round` made
    folder: PathBuf,
    /// Run directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
}

#[derive(Serialize)]
struct ImportEvent<'a> {
    event: &'static str,
    taken: &'a [String],
}

/// Runs the command.
pub(crate) fn import(args: &ImportArgs, printer: &Printer) -> Done {
    let taken = open_round(&args.run, None, printer, async |rounds, round| rounds.import(round, &args.folder).await)?;
    printer.event(&ImportEvent { event: "import", taken: &taken });
    for line in &taken {
        printer.line(&format!("taken: {line}"));
    }
    if taken.is_empty() {
        printer.line("nothing was written there");
    }
    Ok(Exit::Done)
}
