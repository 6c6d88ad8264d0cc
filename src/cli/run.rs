//! `run`: plays tasks under a harness. Reads harness, benchmark and model; writes `run.toml`, `episodes.jsonl`, `trajectories/`,
//! `curves.json`.

use super::failure::{Exit, Failure};
use super::printer::Printer;
use super::settings::{Layered, layered, seconds};
use super::{Done, Shared, assets, desk};
use crate::bench::{Benchmark, LoadedTask};
use crate::domain::outcome::Outcome;
use crate::domain::task::Split;
use crate::domain::trace::Stream;
use crate::runtime::episode::Agent;
use crate::stages::rollout::{Progress, Results, Rollout, Tally, rollout, tally};
use crate::store::run_dir::{RoundDir, RunDir};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Play tasks of a benchmark under a harness, and keep the traces.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx run --bench household --harness household-base --model local:smollm2 --limit 24 --rollouts 2")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    shared: Shared,
    /// Exit with 1 if the pass rate is below this share (0 to 1)
    #[arg(long, value_name = "SHARE")]
    min_pass_rate: Option<f64>,
    /// Continue a run whose settings differ
    #[arg(long)]
    force: bool,
}

/// Set by Ctrl-C: no further episode is started.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

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
    let mut layered = layered(&args.shared)?;
    let benchmark = assets::benchmark(&layered.settings.bench)?;
    layered.default_harness(benchmark.default_harness.as_deref());
    let name = layered.settings.harness.clone().unwrap_or_else(|| "minimal".to_owned());
    let harness = assets::harness(&name)?;
    let parts = chosen(&layered, &benchmark)?;
    let dir = layered.settings.run.clone().unwrap_or_else(|| default_dir(&layered, &name));
    let run_dir = RunDir::open(&dir)?;
    let desk = desk::open(&layered.settings, &run_dir.ledger_path(), printer)?;
    let agent = Agent { assembly: &harness.assembly, harness: harness.id.clone(), desk: &desk, limits: benchmark.limits };
    run_dir.freeze(&layered.frozen(facts(&benchmark, &agent), true), args.force)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Outside, format!("start the async runtime: {error}")))?;
    raise_open_files();
    let deadline = layered.settings.max_time.as_deref().map(seconds).transpose()?.map(|seconds| seconds * 1000);
    let mut worst = 1.0_f64;
    for (split, tasks) in parts {
        let (stream, round) = place(&run_dir, split, harness.id.as_str())?;
        let plan = Rollout { agent: &agent, tasks, stream, rollouts: layered.settings.rollouts, jobs: layered.settings.jobs, dir: &round };
        let tally = play_split(&runtime, &plan, split, &dir, deadline, printer)?;
        worst = worst.min(tally.pass_rate.map_or(0.0, |share| share.value));
        run_dir.write(&format!("curves-{}.json", split.as_str()), &serde_json::to_vec_pretty(&tally).unwrap_or_default())?;
    }
    Ok(if args.min_pass_rate.is_some_and(|least| worst < least) { Exit::Threshold } else { Exit::Done })
}

/// Plays one split and reports it.
fn play_split(
    runtime: &tokio::runtime::Runtime,
    plan: &Rollout<'_>,
    split: Split,
    dir: &Path,
    deadline: Option<u64>,
    printer: &Printer,
) -> Result<Tally, Failure> {
    let wanted = plan.tasks.len() * plan.rollouts as usize;
    let clock = &plan.agent.desk.clock;
    let started = clock.milliseconds();
    let display = Display::new(wanted, printer);
    let stopped = || INTERRUPTED.load(Ordering::Relaxed) || deadline.is_some_and(|limit| clock.milliseconds() - started >= limit);
    let watch = |progress: Progress<'_>| display.show(&progress);
    let results: Results = runtime.block_on(async {
        tokio::select! {
            results = rollout(plan, &watch, &stopped) => results,
            () = second_interrupt() => Ok(Results::new()),
        }
    })?;
    display.finish();
    let tally = tally(results.iter());
    let seconds = (clock.milliseconds() - started) as f64 / 1000.0;
    let policy = plan.agent.desk.main_policy();
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
        return Err(Failure::new(Exit::Interrupted, format!("finish the run: {} of {wanted} episodes are done", results.len()))
            .hint("the same command continues; finished episodes are kept"));
    }
    report(plan, split, &tally, seconds, dir, printer);
    Ok(tally)
}

fn report(plan: &Rollout<'_>, split: Split, tally: &Tally, seconds: f64, dir: &Path, printer: &Printer) {
    let share = tally.pass_rate.map_or_else(
        || "no scored episode".to_owned(),
        |share| format!("{:.1} % [{:.1}–{:.1}]", 100.0 * share.value, 100.0 * share.low, 100.0 * share.high),
    );
    printer.line(&format!(
        "solved {share} of {} {} tasks ({} of {} rollouts; {} missing)",
        tally.tasks,
        split.as_str(),
        tally.solved,
        tally.scored,
        tally.missing
    ));
    let usage = &tally.usage;
    let cached = if usage.input_tokens == 0 { 0.0 } else { 100.0 * usage.cached_tokens as f64 / usage.input_tokens as f64 };
    printer.line(&format!(
        "{} calls ({} retries), {} steps, {} tokens ({cached:.0} % of the prompt served from a cache), ${:.2}, {seconds:.0} s",
        tally.calls,
        tally.retries,
        tally.steps,
        usage.tokens(),
        usage.cost
    ));
    if let Some(speed) = desk::speed(plan.agent.desk) {
        printer.line(&speed);
    }
    let trajectories = dir.join("R0").join("trajectories");
    if split == Split::Train {
        printer.line(&format!("traces in {}; read one with `harnessx show FILE`", trajectories.display()));
    }
}

/// Tasks by split, as the settings choose them.
fn chosen<'a>(layered: &Layered, benchmark: &'a Benchmark) -> Result<Vec<(Split, Vec<&'a LoadedTask>)>, Failure> {
    let settings = &layered.settings;
    let splits = match settings.split.as_str() {
        "train" => vec![Split::Train],
        "gate" => vec![Split::Gate],
        "heldout" => vec![Split::Heldout],
        "all" => vec![Split::Train, Split::Gate, Split::Heldout],
        other => return Err(Failure::settings(format!("read split {other:?}: use train, gate, heldout or all"))),
    };
    let glob = settings
        .tasks
        .as_deref()
        .map(globset::Glob::new)
        .transpose()
        .map_err(|error| Failure::settings(format!("read tasks: {error}")))?
        .map(|glob| glob.compile_matcher());
    let limit = settings.limit.unwrap_or(usize::MAX);
    let parts: Vec<(Split, Vec<&LoadedTask>)> = splits
        .into_iter()
        .map(|split| {
            let matching = |loaded: &&LoadedTask| glob.as_ref().is_none_or(|glob| glob.is_match(loaded.task.id.as_str()));
            (split, benchmark.split(split).filter(matching).take(limit).collect::<Vec<_>>())
        })
        .filter(|(_, tasks)| !tasks.is_empty())
        .collect();
    if parts.is_empty() {
        return Err(Failure::settings(format!("choose tasks of {}: none matches", benchmark.name)));
    }
    Ok(parts)
}

/// Where the episodes of a split go: train is open, the others are sealed.
fn place(run_dir: &RunDir, split: Split, harness: &str) -> Result<(Stream, RoundDir), Failure> {
    Ok(match split {
        Split::Train => (Stream::visible(), run_dir.round(0)?),
        Split::Gate => (Stream("sealed/0".into()), run_dir.sealed("gate", harness)?),
        Split::Heldout => (Stream::heldout(), run_dir.sealed("heldout", harness)?),
    })
}

fn default_dir(layered: &Layered, harness: &str) -> PathBuf {
    let model = layered.settings.model.get(&crate::domain::request::ModelRole::Main).map_or("model", String::as_str);
    let name = format!("{}-{harness}-{model}", layered.settings.bench);
    let slug: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' }).collect();
    Path::new("runs").join(slug)
}

fn facts(benchmark: &Benchmark, agent: &Agent<'_>) -> toml::Table {
    toml::Table::from_iter([
        ("tool_version".to_owned(), env!("CARGO_PKG_VERSION").into()),
        ("benchmark".to_owned(), benchmark.name.as_str().into()),
        ("benchmark_digest".to_owned(), benchmark.digest.to_string().into()),
        ("harness_tree".to_owned(), agent.harness.as_str().into()),
        ("policy".to_owned(), agent.desk.main_policy().as_str().into()),
    ])
}

/// Raises the number of open files to what the system allows: each live episode holds a connection and a trace.
fn raise_open_files() {
    // Best effort: too few are an error where a file cannot be opened.
    let _ = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
}

/// Waits for Ctrl-C twice: the first one only keeps further episodes from starting.
async fn second_interrupt() {
    let _ = tokio::signal::ctrl_c().await;
    INTERRUPTED.store(true, Ordering::Relaxed);
    let _ = tokio::signal::ctrl_c().await;
}

/// Progress at a terminal, or a line now and then.
struct Display<'a> {
    bar: ProgressBar,
    printer: &'a Printer,
    wanted: usize,
    state: Mutex<(usize, usize, usize)>,
}

#[derive(Serialize)]
struct EpisodeEvent<'a> {
    event: &'static str,
    task: &'a str,
    replicate: u32,
    #[serde(flatten)]
    outcome: &'a Outcome,
    steps: u32,
}

impl<'a> Display<'a> {
    fn new(wanted: usize, printer: &'a Printer) -> Self {
        let bar = if printer.shows_progress() { ProgressBar::new(wanted as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} episodes  {msg}  {elapsed} (left {eta})") {
            bar.set_style(style);
        }
        Self { bar, printer, wanted, state: Mutex::new((0, 0, 0)) }
    }

    fn show(&self, progress: &Progress<'_>) {
        let (result, key) = match progress {
            Progress::Retried(key, result) => {
                self.printer.note(&format!("retrying {} (rollout {}): {:?}", key.task, key.replicate, result.end));
                return;
            }
            Progress::Kept(result) => (*result, None),
            Progress::Finished(key, result) => (*result, Some(*key)),
        };
        if let Some(key) = key {
            let (task, replicate) = (key.task.as_str(), key.replicate);
            self.printer.event(&EpisodeEvent { event: "episode", task, replicate, outcome: &result.outcome, steps: result.steps });
        }
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.0 += 1;
        state.1 += usize::from(result.outcome == Outcome::Solved);
        state.2 += usize::from(matches!(result.outcome, Outcome::Error { .. }));
        self.bar.set_message(format!("{} solved, {} missing", state.1, state.2));
        self.bar.set_position(state.0 as u64);
        let every = (self.wanted / 5).max(1);
        if !self.printer.shows_progress() && key.is_some() && state.0.is_multiple_of(every) {
            self.printer.note(&format!("{}/{} episodes, {} solved, {} missing", state.0, self.wanted, state.1, state.2));
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
