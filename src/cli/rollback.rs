//! `rollback`: the incumbent of a run goes back to an earlier version. Moves `main` in `harness/`; writes `audit.jsonl`, `journal.md`.

use super::Done;
use super::failure::{Exit, Failure};
use super::printer::Printer;
use super::show::{repository, round_number};
use crate::clock::Clock;
use crate::domain::untrusted::escaped;
use crate::store::audit::Audit;
use crate::store::harness_repo::{Branch, HarnessRepo, LogEntry};
use crate::store::run_dir::RunDir;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Put the incumbent of a run back to an earlier version; later versions keep their tags.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx rollback --run runs/NAME --to R0")]
pub(crate) struct RollbackArgs {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// The round that ended with the version wanted [default: the version before the incumbent]
    #[arg(long, value_name = "R<n>")]
    to: Option<String>,
}

#[derive(Serialize)]
struct RollbackEvent<'a> {
    event: &'static str,
    from: &'a LogEntry,
    to: &'a LogEntry,
    moved: bool,
}

/// Runs the command.
pub(crate) fn rollback(args: &RollbackArgs, printer: &Printer) -> Done {
    let repo = repository(&args.run)?;
    let run = RunDir::open(&args.run)?;
    let incumbent = repo.at("main")?;
    let round = args.to.as_deref().map(round_number).transpose()?;
    let target = match round {
        Some(round) => tagged(&repo, round)?,
        None => before(&repo, &incumbent)?,
    };
    let moved = target.commit != incumbent.commit;
    let open = run.gate_state()?.map(|gate| gate.round()).filter(|round| !args.run.join(format!("R{round}/round.json")).exists());
    if let Some(round) = open.filter(|_| moved) {
        return Err(Failure::settings(format!("roll back while R{round} is open: its candidates are made on the incumbent"))
            .hint(format!("`harnessx gate --run {}` finishes the round", args.run.display())));
    }
    let name = label(&repo, &target)?;
    if moved {
        let clock = Clock::system();
        let said = format!("main goes back by hand from {} to {name}", label(&repo, &incumbent)?);
        Audit::open(run.path(), &clock)?.record("rollback", round, "rollback", &*said)?;
        run.add_memo(&format!("{}: {}.", clock.wall_text(), escaped(&said)))?;
        // Last: until then the same command does all of it once more.
        repo.point(&Branch::Main, &target.commit)?;
        run.write_index()?;
    }
    printer.event(&RollbackEvent { event: "rollback", from: &incumbent, to: &target, moved });
    printer.line(&if moved { format!("rolled back to {name}") } else { format!("the incumbent is {name} already") });
    Ok(Exit::Done)
}

/// The version a round ended with.
fn tagged(repo: &HarnessRepo, round: u32) -> Result<LogEntry, Failure> {
    let tags = repo.tags()?;
    let Some(commit) = tags.get(&round) else {
        let known: Vec<String> = tags.keys().map(|round| format!("R{round}")).collect();
        return Err(Failure::settings(format!("roll back to R{round}: no such version")).hint(format!("there are: {}", known.join(", "))));
    };
    Ok(repo.at(commit.as_str())?)
}

/// The version that the incumbent replaced.
fn before(repo: &HarnessRepo, incumbent: &LogEntry) -> Result<LogEntry, Failure> {
    let earlier = repo.log("main")?.into_iter().find(|entry| entry.harness != incumbent.harness);
    earlier.ok_or_else(|| {
        Failure::settings("roll back the incumbent: it is the baseline").hint("--to R<n> names any version; `show diff` compares two")
    })
}

/// A version by its rounds, or by its commit's title, with the first digits of its id.
fn label(repo: &HarnessRepo, entry: &LogEntry) -> Result<String, Failure> {
    let first = repo.tags()?.into_iter().find(|(_, commit)| *commit == entry.commit);
    let name = first.map_or_else(|| entry.title().to_owned(), |(round, _)| format!("R{round}"));
    Ok(format!("{name} ({:.10})", entry.harness.as_str()))
}
