//! A fresh folder to run the binary in.

use harnessx::domain::trace::{Record, ReplySource};
use harnessx::store::run_dir::EpisodeLine;
use harnessx::store::trace_file::TraceReader;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A temporary folder and the binary.
pub struct TestRun {
    dir: tempfile::TempDir,
}

/// What a command did.
pub struct Ran {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl TestRun {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file below the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Arguments that play two echo episodes, each with one call, at next to no cost.
    pub fn echo(&self) -> [&'static str; 7] {
        let call = r#"{"match": {"turn": 0}, "reply": {"tool_calls": [{"name": "echo", "arguments": {"text": "hello"}}]}}"#;
        self.write("s.jsonl", &format!("{call}\n{{\"reply\": {{\"text\": \"done\"}}}}\n"));
        ["run", "--bench", "echo", "--model", "scripted:s.jsonl", "--limit", "2"]
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harnessx"));
        command.args(arguments).current_dir(self.dir.path()).env_remove("HARNESSX_MODEL").env("NO_COLOR", "1");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments))
    }

    /// Runs under limits that shell commands set, such as `ulimit -f 8`.
    pub fn run_under(&self, limits: &str, arguments: &[&str]) -> Ran {
        let plain = self.command(arguments);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{limits}; exec \"$0\" \"$@\"")).arg(plain.get_program()).args(plain.get_args());
        shell.current_dir(self.dir.path()).env_remove("HARNESSX_MODEL").env("NO_COLOR", "1");
        Ran::of(shell)
    }
}

impl Ran {
    pub fn of(mut command: Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        Self {
            exit: status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}

/// The whole lines of a run's `episodes.jsonl`, in the order of their keys, without times; no episode may be on file twice.
pub fn results(run: &Path) -> Vec<EpisodeLine> {
    let text = std::fs::read_to_string(run.join("R0/episodes.jsonl")).unwrap();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut lines: Vec<EpisodeLine> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by(|one, two| one.key.cmp(&two.key));
    for line in &mut lines {
        line.result.milliseconds = 0;
    }
    assert!(lines.windows(2).all(|pair| pair[0].key != pair[1].key), "an episode is on file twice");
    lines
}

/// The traces of a run by file name, without what depends on the moment: times, retries, and whether a reply came from the ledger.
pub fn traces(run: &Path) -> BTreeMap<String, Vec<Record>> {
    let entries = std::fs::read_dir(run.join("R0/trajectories")).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let mut records: Vec<Record> = TraceReader::open(&path).unwrap().map(Result::unwrap).collect();
            for record in &mut records {
                match record {
                    Record::Reply { latency_ms, retries, source, .. } => {
                        *latency_ms = 0;
                        retries.clear();
                        if *source == ReplySource::Ledger {
                            *source = ReplySource::Model;
                        }
                    }
                    Record::Outcome(result) => (result.retries, result.milliseconds) = (0, 0),
                    Record::Episode { .. }
                    | Record::Brought { .. }
                    | Record::Request { .. }
                    | Record::Tool { .. }
                    | Record::Trigger { .. } => {}
                }
            }
            (path.file_name().unwrap().to_string_lossy().into_owned(), records)
        })
        .collect()
}
