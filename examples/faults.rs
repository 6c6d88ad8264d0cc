//! What faults of a model server do to a run: `harnessx run` against a server that breaks a fifth of its answers in one way, then a
//! twentieth in each of all ways, then every one. Prints a table, and exits with 1 when an episode did not end or was scored as failed.
//!
//! `cargo run --release --example faults [MOCK-LLM]`; `MOCK-LLM` is the folder or the program of the server `mock-llm`.

mod mock;

use harnessx::domain::outcome::Outcome;
use mock::{Mock, Play};
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

/// The server's names of its faults.
const FAULTS: [&str; 7] = ["429", "500", "hang", "truncate", "malformed", "drip", "reset"];
/// A dripping answer takes 32 times this, which is longer than an attempt may.
const DRIP_MS: &str = "150";
/// Short deadlines, so that the table is there within minutes.
const ENTRY: &str = "retry_pause = 0.05\ndeadlines = { connect = 1, first_byte = 1, idle = 1, whole = 2, call = 30 }\n";
/// The same for a server that never answers: each call ends by its own deadline.
const HOPELESS: &str = "retry_pause = 0.05\ndeadlines = { connect = 1, first_byte = 1, idle = 1, whole = 2, call = 3 }\n";

fn main() -> anyhow::Result<ExitCode> {
    if let Some(code) = mock::as_program() {
        return Ok(code);
    }
    let rate = |fault: &str, rate: &str| [format!("--p-{fault}"), rate.to_owned()];
    let mut rows: Vec<(String, Vec<String>, &str)> =
        FAULTS.iter().map(|fault| (format!("{fault} 20 %"), rate(fault, "0.2").to_vec(), ENTRY)).collect();
    rows.push(("all at 5 % each".to_owned(), FAULTS.iter().flat_map(|fault| rate(fault, "0.05")).collect(), ENTRY));
    rows.push(("hang 100 %".to_owned(), rate("hang", "1").to_vec(), HOPELESS));
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:<16} {:>8} {:>6} {:>6} {:>7} {:>7} {:>7} {:>7} {:>6}",
        "fault", "episodes", "ended", "solved", "errors", "failed", "retries", "wall s", "CPU s"
    )?;
    let mut is_well = true;
    for (name, mut flags, entry) in rows {
        flags.extend(["--drip-ms".to_owned(), DRIP_MS.to_owned()]);
        let server = Mock::start(&mock::source(), &flags)?;
        let dir = tempfile::tempdir()?;
        let (tasks, start) = (100, Instant::now());
        let played = Play { entry: entry.to_owned(), calls: 20, tasks, jobs: 50 }.run(&server, dir.path())?;
        let wall = start.elapsed().as_secs_f64();
        let results = || played.episodes.iter().map(|episode| &episode.result);
        let solved = results().filter(|result| result.outcome == Outcome::Solved).count();
        let failed = results().filter(|result| result.outcome == Outcome::Failed).count();
        let ended = played.episodes.len();
        let retries: u32 = results().map(|result| result.retries).sum();
        let cpu = played.usage.cpu_us as f64 / 1e6;
        let errors = ended - solved - failed;
        writeln!(out, "{name:<16} {tasks:>8} {ended:>6} {solved:>6} {errors:>7} {failed:>7} {retries:>7} {wall:>7.1} {cpu:>6.2}")?;
        is_well &= ended == tasks && failed == 0;
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
