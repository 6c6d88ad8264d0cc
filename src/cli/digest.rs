//! `digest`: what went wrong in a round. Reads `R<n>/episodes.jsonl` and `R<n>/trajectories/`; writes `R<n>/digests/` and
//! `R<n>/overview.{json,md}`. Nothing under `sealed/` is read.

use super::Done;
use super::failure::{Exit, Failure};
use super::printer::Printer;
use crate::domain::digest::Overview;
use crate::domain::id::TaskId;
use crate::stages::digest::{OverviewBuilder, digest_task, overview_markdown, task_markdown};
use crate::store::run_dir::{RoundDir, RunDir};
use crate::store::trace_file::slug;
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Say what went wrong in a round, from its traces: facts, typed pathologies with their places, clusters.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx digest --run runs/NAME")]
pub(crate) struct DigestArgs {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Round
    #[arg(long, default_value_t = 0)]
    round: u32,
}

#[derive(Serialize)]
struct DigestEvent<'a> {
    event: &'static str,
    round: u32,
    #[serde(flatten)]
    overview: &'a Overview,
}

/// Runs the command.
pub(crate) fn digest(args: &DigestArgs, printer: &Printer) -> Done {
    let trajectories = args.run.join(format!("R{}", args.round)).join("trajectories");
    if !trajectories.is_dir() {
        return Err(Failure::settings(format!("digest {}: no such folder", trajectories.display()))
            .hint("`harnessx run` plays episodes and leaves their traces there"));
    }
    let run = RunDir::open(&args.run)?;
    let round = run.round(args.round)?;
    let overview = digest_round(&round, printer)?;
    round.write("overview.json", &json(&overview))?;
    let markdown = overview_markdown(&overview);
    round.write("overview.md", markdown.as_bytes())?;
    printer.event(&DigestEvent { event: "digest", round: args.round, overview: &overview });
    printer.line(&markdown);
    printer.line(&format!("one page a task in {}", round.path().join("digests").display()));
    Ok(Exit::Done)
}

/// Digests every task with a finished episode.
fn digest_round(round: &RoundDir, printer: &Printer) -> Result<Overview, Failure> {
    let mut traces: BTreeMap<TaskId, BTreeMap<u32, String>> = BTreeMap::new();
    for line in round.finished()? {
        traces.entry(line.key.task).or_default().insert(line.key.replicate, line.trace);
    }
    let bar = if printer.shows_progress() { ProgressBar::new(traces.len() as u64) } else { ProgressBar::hidden() };
    let mut builder = OverviewBuilder::default();
    for (task, rollouts) in traces {
        let rollouts: Vec<(u32, String)> = rollouts.into_iter().collect();
        let digest = digest_task(round.path(), &task, &rollouts).map_err(|error| Failure::from(error.0))?;
        let name = format!("digests/{}", slug(&task));
        round.write(&format!("{name}.json"), &json(&digest))?;
        round.write(&format!("{name}.md"), task_markdown(&digest).as_bytes())?;
        builder.add(&digest);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(builder.finish())
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}
