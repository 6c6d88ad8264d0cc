//! `show`: an episode's trace, a digest, a candidate, a decision, or the change between two versions of a harness, as readable text.

mod candidate;
mod digest;
mod episode;

use super::Done;
use super::failure::{Exit, Failure};
use super::printer::Printer;
use crate::clock::Clock;
use crate::store::atomic::read_text;
use crate::store::harness_repo::HarnessRepo;
use crate::store::sealed::full_decision;
use crate::store::visible::Visible;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Print an episode's trace, a digest, a candidate, a decision or a change of harness, readable.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Example: harnessx show runs/NAME/R0/trajectories/TASK_r0.jsonl")]
pub(crate) struct ShowArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// A trace file, a digest, or a folder of traces (lists the episodes)
    #[arg(required = true)]
    path: Option<PathBuf>,
    /// Whole texts: demonstrations, prompts, all scores
    #[arg(long)]
    full: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the change between two versions: rounds (R2), candidates, branches, commits
    #[command(after_help = "Example: harnessx show diff R0 R1 --run runs/NAME")]
    Diff {
        /// From which version
        from: String,
        /// To which
        to: String,
        /// Run directory
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
    },
    /// Print what went wrong in a task, each claim with its place in a trace
    #[command(after_help = "Example: harnessx show digest TASK --run runs/NAME")]
    Digest {
        /// The task
        task: String,
        /// Run directory
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// The round, as 3 or R3 [default: the latest that has one]
        #[arg(long)]
        round: Option<String>,
    },
    /// Print a candidate: what it changes, why, what it predicts, and what became of it
    #[command(after_help = "Example: harnessx show candidate C-R1-01 --run runs/NAME")]
    Candidate {
        /// Its id
        id: String,
        /// Run directory
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
    },
    /// Print what a round decided, and why
    #[command(after_help = "Example: harnessx show decision 1 --run runs/NAME")]
    Decision {
        /// The round, as 3 or R3
        round: String,
        /// Run directory
        #[arg(long, value_name = "DIR")]
        run: PathBuf,
        /// The sealed rendering, with the names of gate tasks, as JSON
        #[arg(long)]
        full: bool,
    },
}

#[derive(Serialize)]
struct DiffEvent<'a> {
    event: &'static str,
    from: &'a str,
    to: &'a str,
    patch: &'a str,
}

#[derive(Serialize)]
struct FullEvent<'a> {
    event: &'static str,
    round: u32,
    text: &'a str,
}

/// Runs the command.
pub(crate) fn show(args: &ShowArgs, printer: &Printer) -> Done {
    match (&args.what, &args.path) {
        (Some(What::Diff { from, to, run }), _) => diff(from, to, run, printer),
        (Some(What::Digest { task, run, round }), _) => {
            let round = round.as_deref().map(round_number).transpose()?;
            digest::show(task, round, &visible(run)?, printer)
        }
        (Some(What::Candidate { id, run }), _) => candidate::show(id, &visible(run)?, printer),
        (Some(What::Decision { round, run, full }), _) => decision(round, run, *full, printer),
        (None, Some(path)) if digest::is_digest(path) => digest::show_file(path, printer),
        (None, Some(path)) => episode::show(path, args.full, printer),
        (None, None) => Err(Failure::new(Exit::Usage, "show: name a trace file")),
    }
}

/// The files of a run that stages may read too.
fn visible(run: &Path) -> Result<Visible, Failure> {
    Ok(Visible::open(run, "show", &Clock::system())?)
}

/// The repository of a run.
pub(crate) fn repository(run: &Path) -> Result<HarnessRepo, Failure> {
    HarnessRepo::find(&run.join("harness"))?.ok_or_else(|| {
        Failure::settings(format!("open {}: this run has no repository of harnesses", run.join("harness").display()))
            .hint("`harnessx loop` and `harnessx evolve` make one")
    })
}

/// The number of a round written as `3` or `R3`.
pub(crate) fn round_number(text: &str) -> Result<u32, Failure> {
    let number = text.strip_prefix('R').unwrap_or(text).parse();
    number.map_err(|_| Failure::new(Exit::Usage, format!("read round {text:?}: use a number, such as 3 or R3")))
}

fn diff(from: &str, to: &str, run: &Path, printer: &Printer) -> Done {
    let patch = repository(run)?.diff(from, to)?;
    printer.event(&DiffEvent { event: "diff", from, to, patch: &patch });
    printer.line(if patch.is_empty() { "no difference" } else { patch.trim_end() });
    Ok(Exit::Done)
}

fn decision(round: &str, run: &Path, full: bool, printer: &Printer) -> Done {
    let round = round_number(round)?;
    if full {
        let text = read_text(&run.join(full_decision(round)))?;
        printer.event(&FullEvent { event: "full_decision", round, text: &text });
        printer.line(&text);
        return Ok(Exit::Done);
    }
    let visible = visible(run)?;
    let decision = visible.decision(round)?.ok_or_else(|| {
        Failure::settings(format!("show decision {round} of {}: R{round}/decision.json is not there", run.display()))
            .hint("a round decides when its gate is done; `show decision` reads the rounds before it")
    })?;
    printer.event_of("decision", &decision);
    printer.line(visible.read_text(&format!("R{round}/decision.md"))?.trim_end());
    Ok(Exit::Done)
}
