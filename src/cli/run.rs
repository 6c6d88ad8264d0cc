//! `run`: plays tasks under a harness. Reads harness, benchmark and model; writes `run.toml`, `episodes.jsonl`, `trajectories/`,
//! `curves.json`, `INDEX.md`.

use super::assignment::{Assignment, stream_of};
use super::course::Allowed;
use super::display::Display;
use super::failure::{Exit, Failure, PLAY_AGAIN};
use super::freezing::{OF_LOOP, OF_PLAIN_RUN, freeze};
use super::given::share;
use super::printer::Printer;
use super::session::Session;
use super::settings::Settings;
use super::{Done, Shared, desk};
use crate::domain::figures::count;
use crate::domain::outcome::Ending;
use crate::domain::request::ModelRole;
use crate::domain::task::Split;
use crate::runtime::episode::Agent;
use crate::stages::rollout::{PassAt, Progress, Results, Rollout, Tally, episodes, first_broken, rollout, tally};
use crate::store::run_dir::{RoundDir, RunDir};
use clap::Args;
use serde::Serialize;
use std::path::Path;

/// Play tasks of a benchmark under a harness, and keep the traces.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx run --bench household --harness household-base --model local:smollm2 --limit 24 --rollouts 2")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    shared: Shared,
    /// Exit with 1 if the pass rate is below this share (0 to 1)
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_pass_rate: Option<f64>,
    #[command(flatten)]
    allowed: Allowed,
}

#[derive(Serialize)]
struct RunEvent<'a> {
    event: &'static str,
    run: &'a Path,
    harness: &'a str,
    policy: &'a str,
    split: &'a str,
    wanted: usize,
    seconds: f64,
    #[serde(flatten)]
    tally: Tally,
}

/// Runs the command.
pub(crate) fn run(args: &RunArgs, printer: &Printer) -> Done {
    let assignment = Assignment::new(&args.shared)?;
    let Assignment { layered, benchmark, harness, dir } = &assignment;
    let settings = &layered.settings;
    let parts = assignment.parts()?;
    desk::fetch_missing(settings, args.allowed.yes, printer)?;
    let run_dir = RunDir::open(dir)?;
    let desk = desk::open(&assignment, &run_dir.ledger_path(), printer)?;
    let agent =
        Agent { assembly: &harness.assembly, harness: harness.id.clone(), desk: &desk, limits: benchmark.limits, role: ModelRole::Main };
    // The tasks of a loop are its own, whatever plays in its folder.
    let free = if run_dir.gate_state()?.is_some() { &OF_LOOP[..] } else { &OF_PLAIN_RUN };
    freeze(&run_dir, &assignment, &desk, args.allowed.force, free)?;
    let session = Session::new(settings, &desk.clock)?;
    let play_all = || -> Result<f64, Failure> {
        let mut worst = 1.0_f64;
        for (split, tasks) in parts {
            let round = place(&run_dir, split, harness.id.as_str())?;
            let Settings { rollouts, jobs, .. } = *settings;
            let plan = Rollout { agent: &agent, episodes: episodes(&tasks, &stream_of(split), rollouts), jobs, dir: &round };
            let tally = play_split(&session, &plan, split, dir, printer)?;
            worst = worst.min(tally.pass_rate.map_or(0.0, |share| share.value));
            run_dir.add_point(0, split, tally.point())?;
        }
        Ok(worst)
    };
    let worst = play_all();
    // A run that was interrupted says what is where too.
    run_dir.write_index()?;
    let worst = worst?;
    Ok(if args.min_pass_rate.is_some_and(|least| worst < least) { Exit::Threshold } else { Exit::Done })
}

/// Plays one split and reports it.
fn play_split(session: &Session, plan: &Rollout<'_>, split: Split, dir: &Path, printer: &Printer) -> Result<Tally, Failure> {
    let wanted = plan.episodes.len();
    let clock = &plan.agent.desk.clock;
    let started = clock.milliseconds();
    let display = Display::new(wanted, clock, printer);
    let stopped = || session.is_over();
    let watch = |progress: Progress<'_>| display.show(&progress);
    let played = session.run(rollout(plan, &watch, &stopped), printer)?;
    display.finish();
    let results: Results = match played {
        Some(results) => results.map_err(|error| session.told(error.into()))?,
        // It was dropped: what is on file, and nothing played.
        None => session.run(rollout(plan, &|_| {}, &|| true), printer)?.transpose()?.unwrap_or_default(),
    };
    let tally = tally(results.iter());
    let seconds = (clock.milliseconds() - started) as f64 / 1000.0;
    let policy = plan.agent.desk.policy_of(ModelRole::Main);
    printer.event(&RunEvent {
        event: "run",
        run: dir,
        harness: plan.agent.harness.as_str(),
        policy: policy.as_str(),
        split: split.as_str(),
        wanted,
        seconds,
        tally,
    });
    if results.len() < wanted {
        return Err(session.stopped(&format!("; {} of {wanted} episodes are done", results.len())));
    }
    report(plan, split, &tally, seconds, dir, printer);
    if let Some(line) = faults(&results) {
        printer.line(&line);
    }
    if tally.scored == 0 {
        return Err(nothing_scored(&results, split));
    }
    Ok(tally)
}

/// How many episodes the harness itself broke, and the first one's words, in the order of the tasks.
fn faults(results: &Results) -> Option<String> {
    let mut faults = results.iter().filter(|(_, result)| matches!(result.end, Ending::HarnessFault { .. }));
    let (key, first) = faults.next()?;
    let words = first.end.fault().unwrap_or_default();
    Some(format!("{} ended in a fault of the harness; the first, {}: {words}", count(1 + faults.count() as u64, "episode"), key.task))
}

/// Every episode is missing: what broke first, in the order of the tasks.
fn nothing_scored(results: &Results, split: Split) -> Failure {
    let first = first_broken(results).unwrap_or_default();
    let what = format!("play any of {} {} episodes, so that nothing is scored; the first, {first}", results.len(), split.as_str());
    Failure::new(Exit::Outside, what).hint(PLAY_AGAIN)
}

fn report(plan: &Rollout<'_>, split: Split, tally: &Tally, seconds: f64, dir: &Path, printer: &Printer) {
    let Tally { tasks, solved, scored, missing, pass_at, .. } = tally;
    let split_name = split.as_str();
    printer.line(&tally.pass_rate.map_or_else(
        || format!("scored none of the {split_name} tasks ({missing} missing)"),
        |share| format!("solved {share} of {tasks} {split_name} tasks ({solved} of {scored} rollouts; {missing} missing)"),
    ));
    if let Some(PassAt { k, rate }) = pass_at {
        printer.line(&format!("solved at least once in {k} rollouts (pass@{k}): {rate} of tasks"));
    }
    let usage = &tally.usage;
    // A local policy says it of its own cache, below; calls do not.
    let speed = desk::speed(plan.agent.desk);
    let cached = match speed {
        None if usage.input_tokens > 0 => {
            format!(" ({:.0} % of the prompt served from a cache)", 100.0 * usage.cached_tokens as f64 / usage.input_tokens as f64)
        }
        None | Some(_) => String::new(),
    };
    printer.line(&format!(
        "{} calls ({} retries), {} steps, {} tokens{cached}, ${:.2}, {seconds:.0} s",
        tally.calls,
        tally.retries,
        tally.steps,
        usage.tokens(),
        usage.cost
    ));
    if let Some(speed) = speed {
        printer.line(&speed);
    }
    let trajectories = dir.join("R0").join("trajectories");
    if split == Split::Train {
        printer.line(&format!("traces in {}; read one with `harnessx show FILE`", trajectories.display()));
    }
}

/// Where the episodes of a split go: train is open, the others are sealed.
fn place(run_dir: &RunDir, split: Split, harness: &str) -> Result<RoundDir, Failure> {
    Ok(match split {
        Split::Train => run_dir.round(0)?,
        Split::Gate | Split::Heldout => run_dir.sealed(split.as_str(), harness)?,
    })
}
