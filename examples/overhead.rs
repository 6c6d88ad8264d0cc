//! What an agent step costs on our side: `harnessx run` as it is (ledger, traces, logging) against a model server that answers at once.
//! Prints CPU, memory, trace size and start time beside their limits, and exits with 1 when one is passed.
//!
//! `cargo run --release --example overhead [MOCK-LLM]`; `MOCK-LLM` is the folder or the program of the server `mock-llm`.

mod mock;
mod table;

use mock::{Mock, Play, Played, program};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use table::Table;

/// Model calls of an episode, and of a long one.
const CALLS: u32 = 20;
const LONG: u32 = 45;
/// Starts timed for a median.
const STARTS: usize = 15;

fn main() -> anyhow::Result<ExitCode> {
    if let Some(code) = mock::as_program() {
        return Ok(code);
    }
    let server = Mock::start(&mock::source(), &[])?;
    let mut table = Table::default();
    let base = starts(&mut table)?;
    let mut at_ten = 0.0;
    for (jobs, tasks, limit) in [(1, 100, 0.25), (10, 200, 0.12), (100, 500, 0.12), (500, 750, 0.12)] {
        let dir = tempfile::tempdir()?;
        let played = play(&server, dir.path(), &Play { entry: String::new(), calls: CALLS, tasks, jobs })?;
        let cpu = cpu_ms(&played);
        table.row(&format!("CPU a step, {jobs} live"), cpu, limit, "ms");
        match jobs {
            10 => at_ten = cpu,
            500 => {
                let live = (played.usage.peak_kib - base) as f64 / jobs as f64;
                table.row("memory a live episode, 500 live", live, 200.0, "KiB");
                table.row("trace a step", trace_bytes(dir.path())? as f64 / steps(&played), 1000.0, "bytes");
            }
            _ => {}
        }
    }
    let dir = tempfile::tempdir()?;
    let long = cpu_ms(&play(&server, dir.path(), &Play { entry: String::new(), calls: LONG, tasks: 100, jobs: 10 })?);
    table.row(&format!("CPU a step, {LONG} calls to {CALLS}"), long / at_ten, 1.5, "times");
    write!(std::io::stdout(), "{}", table.text)?;
    Ok(if table.is_over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Times starts; base memory in KiB, which is that of a run of one short episode.
fn starts(table: &mut Table) -> anyhow::Result<i64> {
    let dir = tempfile::tempdir()?;
    let script = dir.path().join("script.jsonl");
    std::fs::write(&script, r#"{"reply": {"text": "done"}}"#)?;
    let model = format!("scripted:{}", script.display());
    let version = median_ms(&mut |_| program(dir.path(), &["--version"]).map(|_| ()))?;
    table.row("start, --version", version, 20.0, "ms");
    let mut base = 0;
    let run = median_ms(&mut |index| {
        let name = format!("run-{index}");
        let arguments = ["run", "--bench", "echo", "--limit", "1", "--model", &model, "--run", &name];
        base = program(dir.path(), &arguments)?.peak_kib;
        Ok(())
    })?;
    table.row("start and end, a run of one episode", run, 20.0, "ms");
    table.row("base memory", base as f64 / 1024.0, 20.0, "MiB");
    Ok(base)
}

fn median_ms(start: &mut dyn FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for index in 0..STARTS {
        let began = Instant::now();
        start(index)?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[STARTS / 2])
}

fn play(server: &Mock, dir: &Path, play: &Play) -> anyhow::Result<Played> {
    let played = play.run(server, dir)?;
    let expected = play.tasks as f64 * f64::from(play.calls);
    anyhow::ensure!((steps(&played) - expected).abs() < 0.5, "{} of {expected} steps were played", steps(&played));
    Ok(played)
}

fn steps(played: &Played) -> f64 {
    played.episodes.iter().map(|episode| f64::from(episode.result.steps)).sum()
}

fn trace_bytes(dir: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(dir.join("run/R0/trajectories"))?.map(|entry| Ok(entry?.metadata()?.len())).sum()
}

/// CPU of the whole process, its start included, a step.
fn cpu_ms(played: &Played) -> f64 {
    played.usage.cpu_us as f64 / 1000.0 / steps(played)
}
