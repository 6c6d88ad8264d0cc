//! What scripts cost on our side: an event of 4 KB and 10 messages there and back, a new instance, the memory of a live one, and 500 live
//! episodes with three scripts each. Prints each figure beside its limit, and exits with 1 when one is passed.
//!
//! `cargo run --release --example scripts`

mod table;

use anyhow::Context;
use futures::executor::block_on;
use futures::future::join_all;
use harnessx::domain::event::{Action, Event, Scene};
use harnessx::domain::message::{Message, Turn};
use harnessx::domain::request::{Decision, ModelRole, Sampling, Usage};
use harnessx::domain::task::Tags;
use harnessx::sandbox::worker::WorkerProgram;
use harnessx::script::{Instance, Kind, Pool, PoolSettings, ScriptLimits, WORKER};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use table::Table;

/// Events timed one after the other.
const EVENTS: usize = 4000;
/// Instances made to be timed, and to be weighed.
const INSTANCES: usize = 400;
const EPISODES: usize = 500;
const SCRIPTS: usize = 3;
/// Steps of each of the many episodes.
const STEPS: usize = 10;

const SCRIPT: &str = "export const hooks = {
  before_model(event, state, api) {
    state.seen = (state.seen ?? 0) + 1;
    const last = event.turns[event.turns.length - 1].text;
    const words = last.split(' ').filter((word) => word.length > 3);
    return { replace: { append_user: `step ${state.seen}: ${words.length} words of ${api.tokens(last)} tokens` } };
  },
};
";

fn main() -> anyhow::Result<ExitCode> {
    if std::env::args().nth(1).as_deref() == Some(WORKER) {
        harnessx::script::serve()?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::default();
    let (one, two) = (pool(1)?, pool(2)?);
    events(&one, &mut table)?;
    rate(&two, &mut table)?;
    instances(&mut table)?;
    many(&two, &mut table)?;
    write!(std::io::stdout(), "{}", table.text)?;
    Ok(if table.is_over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn pool(workers: usize) -> anyhow::Result<Pool> {
    let program = WorkerProgram { path: std::env::current_exe()?, arguments: vec![WORKER.to_owned()] };
    Ok(Pool::new(&PoolSettings { program, workers, limits: ScriptLimits::default() }))
}

fn instance(pool: &Pool) -> anyhow::Result<Instance> {
    Ok(Instance::new(pool, "processors/x.js", SCRIPT, Kind::Processor, "{}")?)
}

/// Ten messages of 400 bytes.
fn turns() -> Vec<Arc<Turn>> {
    (0..10).map(|index| Turn::new(Message::user(format!("{index} {}", "some words of a message ".repeat(17))))).collect()
}

async fn put(instance: &mut Instance, turns: &[Arc<Turn>]) -> anyhow::Result<()> {
    let (tags, usage, sampling, decision) = (Tags::new(), Usage::default(), Sampling::default(), Decision::Free);
    let scene = Scene { task: "go", tags: &tags, tools: &[], step: 1, usage, elapsed_ms: 0 };
    let role = ModelRole::Main;
    let event = Event::BeforeModel { turns, tools: &[], actions: &[], role, sampling: &sampling, decision: &decision };
    let action = instance.event(&event, &scene, None).await?;
    anyhow::ensure!(matches!(action, Action::Replace(_)), "the script answered {action:?}");
    Ok(())
}

/// One event after the other: the whole history new each time, then one turn new each time.
fn events(pool: &Pool, table: &mut Table) -> anyhow::Result<()> {
    let mut instance = instance(pool)?;
    let (one, other) = (turns(), turns());
    block_on(put(&mut instance, &one))?;
    let began = Instant::now();
    for index in 0..EVENTS {
        block_on(put(&mut instance, if index.is_multiple_of(2) { &other } else { &one }))?;
    }
    table.row("event of 4 KB, all ten messages new", milliseconds(began) / EVENTS as f64, 0.25, "ms");
    let mut growing = one;
    let began = Instant::now();
    for _ in 0..EVENTS {
        growing.truncate(9);
        growing.extend_from_slice(&turns()[..1]);
        block_on(put(&mut instance, &growing))?;
    }
    table.row("event of 4 KB, one message new", milliseconds(began) / EVENTS as f64, 0.25, "ms");
    Ok(())
}

/// Events a second, many in flight, all messages new.
fn rate(pool: &Pool, table: &mut Table) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let (one, other) = (turns(), turns());
    let work = |_| async {
        let mut instance = instance(pool)?;
        for index in 0..EVENTS / 16 {
            put(&mut instance, if index.is_multiple_of(2) { &other } else { &one }).await?;
        }
        anyhow::Ok(())
    };
    runtime.block_on(join_all((0..16).map(work))).into_iter().collect::<anyhow::Result<()>>()?;
    let began = Instant::now();
    runtime.block_on(join_all((0..16).map(work))).into_iter().collect::<anyhow::Result<()>>()?;
    let rate = EVENTS as f64 / began.elapsed().as_secs_f64();
    table.row("time an event, 16 in flight, two workers", 1000.0 / rate, 1000.0 / 6000.0, "ms");
    Ok(())
}

fn instances(table: &mut Table) -> anyhow::Result<()> {
    let (pool, turns) = (pool(1)?, turns());
    let mut first = instance(&pool)?;
    block_on(put(&mut first, &turns))?;
    let worker = children()?.into_iter().next_back().context("find the worker")?;
    let before = resident(&worker)?;
    let mut all = Vec::new();
    let began = Instant::now();
    for _ in 0..INSTANCES {
        let mut instance = instance(&pool)?;
        block_on(put(&mut instance, &turns))?;
        all.push(instance);
    }
    table.row("new instance with its first event", milliseconds(began) / INSTANCES as f64, 1.0, "ms");
    table.row("memory of a live instance", (resident(&worker)? - before) / INSTANCES as f64, 300.0, "KiB");
    Ok(())
}

fn many(pool: &Pool, table: &mut Table) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()?;
    let history = turns();
    let began = Instant::now();
    let live: Vec<Vec<Instance>> = runtime
        .block_on(join_all((0..EPISODES).map(|_| async {
            let mut scripts = (0..SCRIPTS).map(|_| instance(pool)).collect::<anyhow::Result<Vec<_>>>()?;
            for step in 0..STEPS {
                for script in &mut scripts {
                    put(script, &history[..=step]).await?;
                }
            }
            anyhow::Ok(scripts)
        })))
        .into_iter()
        .collect::<anyhow::Result<_>>()?;
    let events = (EPISODES * SCRIPTS * STEPS) as f64;
    table.row("500 episodes with 3 scripts, an event", milliseconds(began) / events, 0.5, "ms");
    let workers = children()?.iter().map(|worker| resident(worker)).sum::<anyhow::Result<f64>>()? / 1024.0;
    table.row("their workers' memory, all told", workers, 600.0, "MiB");
    drop(live);
    Ok(())
}

/// Processes that this one has started.
fn children() -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_dir("/proc/self/task")?
        .flatten()
        .map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    Ok(text.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect())
}

/// Resident memory of a process in KiB.
fn resident(process: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("find VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}
