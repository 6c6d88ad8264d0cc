//! `digest`: what went wrong in a round. Reads `R<n>/episodes.jsonl` and `R<n>/trajectories/`, and what the rounds before left; writes
//! `R<n>/digests/`, `R<n>/overview.{json,md}`, `R<n>/regressions.md` and the ledgers. Nothing under `sealed/` is read.

use super::Done;
use super::failure::{Exit, Failure};
use super::printer::Printer;
use super::show::round_number;
use crate::clock::Clock;
use crate::domain::digest::Overview;
use crate::domain::history::History;
use crate::rounds::digest_up_to;
use crate::stages::digest::{overview, overview_markdown};
use crate::store::run_dir::RunDir;
use crate::store::visible::Visible;
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use std::path::PathBuf;

/// Say what went wrong in a round, from its traces: facts, typed pathologies with their places, clusters, tasks that got worse.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx digest --run runs/NAME")]
pub(crate) struct DigestArgs {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// The round, as 3 or R3 [default: the latest]
    #[arg(long)]
    round: Option<String>,
}

#[derive(Serialize)]
struct DigestEvent<'a> {
    event: &'static str,
    round: u32,
    /// Tasks that stand worse than they once did.
    worse: usize,
    #[serde(flatten)]
    overview: &'a Overview,
}

/// Runs the command.
pub(crate) fn digest(args: &DigestArgs, printer: &Printer) -> Done {
    let visible = Visible::open(&args.run, "digest", &Clock::system())?;
    let round = chosen_round(&visible, args)?;
    let run = RunDir::open(&args.run)?;
    let bar = if printer.shows_progress() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    digest_up_to(&run, &visible, round, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let rounds = visible.past_rounds()?;
    let history = History::new(&rounds[..rounds.partition_point(|past| past.round <= round)]);
    let (worse, overview) = (history.declines().len(), overview(&history));
    printer.event(&DigestEvent { event: "digest", round, worse, overview: &overview });
    printer.line(&overview_markdown(&overview));
    if visible.harnesses()?.is_some() && visible.round(round)?.is_none() {
        printer.line(&format!("R{round} is open: episodes that are still played in it are not in this digest"));
    }
    if worse > 0 {
        printer.line(&format!("{worse} tasks stand worse than they once did: R{round}/regressions.md"));
    }
    printer.line(&format!("one page a task in {}", args.run.join(format!("R{round}/digests")).display()));
    Ok(Exit::Done)
}

/// The round asked for, else the latest; it must have been played.
fn chosen_round(visible: &Visible, args: &DigestArgs) -> Result<u32, Failure> {
    let rounds = visible.rounds()?;
    let asked = args.round.as_deref().map(round_number).transpose()?;
    let found = asked.map_or(rounds.last(), |asked| rounds.iter().find(|round| **round == asked));
    found.copied().ok_or_else(|| {
        let what = asked.map_or_else(|| "a round".to_owned(), |round| format!("R{round}"));
        Failure::settings(format!("digest {what} of {}: no such folder", args.run.display()))
            .hint("`harnessx run` plays episodes and leaves their traces there")
    })
}
