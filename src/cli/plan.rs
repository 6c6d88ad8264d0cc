//! `plan`: what to work on next. Reads overviews, digests, manifests and decisions of the rounds so far, and the incumbent; writes
//! `R<n>/landscape.{json,md}`. A no-op writes nothing.

use super::failure::{Exit, Failure};
use super::given::share;
use super::printer::Printer;
use super::{Done, assets};
use crate::clock::Clock;
use crate::domain::harness::Harness;
use crate::domain::history::PastRound;
use crate::domain::landscape::Landscape;
use crate::rounds::plan_round;
use crate::stages::plan::{ACTIONABILITY, Planned, landscape_markdown};
use crate::store::record::frozen;
use crate::store::run_dir::RunDir;
use crate::store::visible::Visible;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Say what to work on next: what fails, what was tried and with what success, what is untried, what is neglected.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx digest --run runs/NAME && harnessx plan --run runs/NAME")]
pub(crate) struct PlanArgs {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Round [default: the latest]
    #[arg(long)]
    round: Option<u32>,
    /// Least share of tasks that fail for a typed, anchored cause; under it the round is a no-op
    #[arg(long, value_name = "SHARE", default_value_t = ACTIONABILITY, value_parser = share)]
    threshold: f64,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum PlanEvent<'a> {
    Plan(&'a Landscape),
    NoOp { round: u32, reason: &'a str },
}

/// Runs the command.
pub(crate) fn plan(args: &PlanArgs, printer: &Printer) -> Done {
    let visible = Visible::open(&args.run, "plan", &Clock::system())?;
    let round = args.round.or(visible.rounds()?.last().copied()).unwrap_or(0);
    if visible.overview(round)?.is_none() {
        return Err(Failure::settings(format!("plan R{round} of {}: it has no overview", args.run.display()))
            .hint(format!("`harnessx digest --run {} --round {round}` writes it", args.run.display())));
    }
    let run = RunDir::open(&args.run)?;
    let incumbent = |rounds: &[PastRound]| incumbent(args, &visible, rounds);
    match plan_round(&run, &visible, (round, args.threshold), incumbent)? {
        Planned::Work(landscape) => {
            printer.event(&PlanEvent::Plan(&landscape));
            printer.line(&landscape_markdown(&landscape));
        }
        Planned::NoOp { reason } => {
            printer.event(&PlanEvent::NoOp { round, reason: &reason });
            printer.line(&format!("nothing to do in R{round}: {reason}"));
        }
    }
    Ok(Exit::Done)
}

/// The harness that the round began with: from the run's repository, else the one the run was made with.
fn incumbent(args: &PlanArgs, visible: &Visible, rounds: &[PastRound]) -> Result<Harness, Failure> {
    if let Some(repository) = visible.harnesses()? {
        let rev = rounds.last().and_then(|past| past.incumbent.as_ref()).map_or("main", |harness| harness.as_str());
        return Ok(repository.read(rev)?);
    }
    let settings = frozen(&args.run)?.and_then(|run| run.get("settings")?.get("harness")?.as_str().map(str::to_owned));
    let name = settings.ok_or_else(|| {
        Failure::settings(format!("plan a round of {}: its run.toml names no harness", args.run.display()))
            .hint("`harnessx run` writes it; name the folder of a run")
    })?;
    Ok(assets::harness(&name)?.assembly.harness().clone())
}
