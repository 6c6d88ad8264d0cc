//! What the measuring examples share: the loopback model server `mock-llm`, and the program run against it in a process of its own.
//! The program is the example itself, started again with the program's arguments, so that nothing but `cargo run` is needed.

use anyhow::{Context, bail};
use harnessx::store::run_dir::EpisodeLine;
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

/// Where a started program leaves its [`Usage`].
const USAGE_FILE: &str = "HARNESSX_EXAMPLE_USAGE";

/// What one process took, as it saw itself at its end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// User and system time in microseconds.
    pub cpu_us: i64,
    /// Most resident memory in KiB.
    pub peak_kib: i64,
}

/// Plays the program when this process was started as one: its exit code. `None`: this is the example.
pub fn as_program() -> Option<ExitCode> {
    let file = std::env::var_os(USAGE_FILE)?;
    let code = harnessx::cli::main();
    // Without its figures the parent stops with an error of its own.
    let _ = usage().map(|usage| fs::write(file, serde_json::to_vec(&usage).unwrap_or_default()));
    Some(code)
}

fn usage() -> anyhow::Result<Usage> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let us = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    // `ru_maxrss` remembers the parent's memory from before `exec`; this does not.
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("find VmHWM in /proc/self/status")?;
    let peak_kib = peak.trim().trim_end_matches(" kB").parse()?;
    Ok(Usage { cpu_us: us(usage.user_time()) + us(usage.system_time()), peak_kib })
}

/// A running `mock-llm`, stopped when dropped.
pub struct Mock {
    child: Child,
    url: String,
}

impl Mock {
    /// Starts the server at a free port. `source` is its program, or its folder, which is built on first use.
    pub fn start(source: &Path, flags: &[String]) -> anyhow::Result<Self> {
        let program = if source.is_dir() { built(source)? } else { source.to_owned() };
        let mut child = Command::new(&program)
            .args(["--port", "0"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let mut line = String::new();
        let output = child.stdout.take().context("read the server's output")?;
        BufReader::new(output).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").context("the server did not say where it listens")?.to_owned();
        Ok(Self { child, url })
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The source named by `HARNESSX_MOCK_LLM` or the first argument, else where it lies beside this repository.
pub fn source() -> PathBuf {
    let named = std::env::var_os("HARNESSX_MOCK_LLM").or_else(|| std::env::args_os().nth(1));
    named.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tools/mock-llm"), PathBuf::from)
}

/// Builds the server from a copy of its folder, which may be read-only.
fn built(source: &Path) -> anyhow::Result<PathBuf> {
    let example = std::env::current_exe()?;
    let dir = example.ancestors().nth(3).context("find the target folder")?.join("mock-llm");
    let program = dir.join("target/release/mock-llm");
    if !program.is_file() {
        fs::create_dir_all(dir.join("src"))?;
        for file in ["Cargo.toml", "src/main.rs"] {
            fs::write(dir.join(file), fs::read(source.join(file)).with_context(|| format!("read {file} in {}", source.display()))?)?;
        }
        let status = Command::new("cargo").args(["build", "--release", "--target-dir", "target"]).current_dir(&dir).status()?;
        if !status.success() {
            bail!("build {}: {status}", source.display());
        }
    }
    Ok(program)
}

/// One `harnessx run` to be started.
pub struct Play {
    /// `[models.mock]` lines besides address and name.
    pub entry: String,
    /// Calls an episode.
    pub calls: u32,
    /// Tasks.
    pub tasks: usize,
    /// Episodes live at once.
    pub jobs: usize,
}

/// What a run came to.
pub struct Played {
    /// The program's own figures.
    pub usage: Usage,
    /// `episodes.jsonl`.
    pub episodes: Vec<EpisodeLine>,
}

impl Play {
    /// Plays the echo benchmark against the server, in the folder `run` below a fresh one.
    pub fn run(&self, mock: &Mock, dir: &Path) -> anyhow::Result<Played> {
        let entry = format!("[models.mock]\nbase_url = \"{}/v1\"\nmodel = \"mock steps={}\"\n{}", mock.url, self.calls - 1, self.entry);
        fs::write(dir.join("settings.toml"), entry)?;
        let (tasks, jobs) = (self.tasks.to_string(), self.jobs.to_string());
        let arguments = ["-v", "run", "--bench", "echo", "--model", "mock", "--config", "settings.toml", "--run", "run"];
        let usage = program(dir, &[&arguments[..], &["--limit", &tasks, "--jobs", &jobs]].concat())?;
        let text = fs::read_to_string(dir.join("run/R0/episodes.jsonl"))?;
        let episodes = text.lines().map(serde_json::from_str).collect::<Result<Vec<EpisodeLine>, _>>()?;
        Ok(Played { usage, episodes })
    }
}

/// Runs the program with some arguments in a folder. Fails with what it wrote where it fails.
pub fn program(dir: &Path, arguments: &[&str]) -> anyhow::Result<Usage> {
    let file = dir.join("usage.json");
    let output = Command::new(std::env::current_exe()?).args(arguments).current_dir(dir).env(USAGE_FILE, &file).output()?;
    // 4: every episode is missing, which is what some weathers are for; the figures say so.
    if !matches!(output.status.code(), Some(0 | 4)) {
        bail!("run harnessx {}: {}\n{}", arguments.join(" "), output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(serde_json::from_slice(&fs::read(&file)?)?)
}
