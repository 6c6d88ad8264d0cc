//! `digest`: what went wrong in a round. Reads `R<n>/episodes.jsonl` and `R<n>/trajectories/`, and what the rounds before left; writes
//! `R<n>/digests/`, `R<n>/overview.{json,md}`, `R<n>/regressions.md` and the ledgers. Nothing under `sealed/` is read.

use super::Done;
use super::failure::{Exit, Failure};
use super::printer::Printer;
use crate::clock::Clock;
use crate::domain::digest::Overview;
use crate::domain::history::History;
use crate::domain::id::TaskId;
use crate::domain::reputation::{rejected_candidates, scoreboard, ship_outcomes};
use crate::stages::digest::{digest_task, overview, overview_markdown, regressions_markdown, task_markdown};
use crate::store::run_dir::RunDir;
use crate::store::visible::Visible;
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Say what went wrong in a round, from its traces: facts, typed pathologies with their places, clusters, tasks that got worse.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx digest --run runs/NAME")]
pub(crate) struct DigestArgs {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Round [default: the latest]
    #[arg(long)]
    round: Option<u32>,
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
    // What earlier rounds left undigested is caught up with: what came before is part of what is said of this one.
    let is_due = |due: &u32| *due == round || visible.overview(*due).is_ok_and(|overview| overview.is_none());
    let due: Vec<u32> = visible.rounds()?.into_iter().filter(|due| *due <= round).filter(is_due).collect();
    for round in &due {
        digest_round(&run, &visible, *round, printer)?;
    }
    let rounds = visible.past_rounds()?;
    write_ledgers(&run, &History::new(&rounds))?;
    for round in &due {
        write_pages(&run, &History::new(&rounds[..rounds.partition_point(|past| past.round <= *round)]))?;
    }
    let history = History::new(&rounds[..rounds.partition_point(|past| past.round <= round)]);
    let (worse, overview) = (history.declines().len(), overview(&history));
    printer.event(&DigestEvent { event: "digest", round, worse, overview: &overview });
    printer.line(&overview_markdown(&overview));
    if worse > 0 {
        printer.line(&format!("{worse} tasks stand worse than they once did: R{round}/regressions.md"));
    }
    printer.line(&format!("one page a task in {}", args.run.join(format!("R{round}/digests")).display()));
    Ok(Exit::Done)
}

/// The round asked for, else the latest; it must have been played.
fn chosen_round(visible: &Visible, args: &DigestArgs) -> Result<u32, Failure> {
    let rounds = visible.rounds()?;
    let found = args.round.map_or(rounds.last(), |asked| rounds.iter().find(|round| **round == asked));
    found.copied().ok_or_else(|| {
        let what = args.round.map_or_else(|| "a round".to_owned(), |round| format!("R{round}"));
        Failure::settings(format!("digest {what} of {}: no such folder", args.run.display()))
            .hint("`harnessx run` plays episodes and leaves their traces there")
    })
}

/// Digests every task with a finished episode of the round.
fn digest_round(run: &RunDir, visible: &Visible, round: u32, printer: &Printer) -> Result<(), Failure> {
    let mut traces: BTreeMap<TaskId, BTreeMap<u32, String>> = BTreeMap::new();
    for line in visible.episodes(round)? {
        traces.entry(line.key.task).or_default().insert(line.key.replicate, line.trace);
    }
    let bar = if printer.shows_progress() { ProgressBar::new(traces.len() as u64) } else { ProgressBar::hidden() };
    let folder = run.path().join(format!("R{round}"));
    for (task, rollouts) in traces {
        let rollouts: Vec<(u32, String)> = rollouts.into_iter().collect();
        let digest = digest_task(&folder, &task, &rollouts).map_err(|error| Failure::from(error.0))?;
        run.files(round).write_digest(&digest, &task_markdown(&digest))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Writes the pages over all tasks, as the last of these rounds found them.
fn write_pages(run: &RunDir, history: &History<'_>) -> Result<(), Failure> {
    let Some(round) = history.rounds().last().map(|past| past.round) else { return Ok(()) };
    let overview = overview(history);
    run.files(round).write_regressions(&regressions_markdown(&history.declines()))?;
    Ok(run.files(round).write_overview(&overview, &overview_markdown(&overview))?)
}

/// Rewrites what is derived from all rounds.
fn write_ledgers(run: &RunDir, history: &History<'_>) -> Result<(), Failure> {
    run.write_task_history(&history.lines())?;
    run.write_ship_outcomes(&ship_outcomes(history))?;
    run.write_rejected(&rejected_candidates(history))?;
    Ok(run.write_scoreboard(&scoreboard(history))?)
}
