//! A sandbox of each kind, a secret that must stay one, and a table of what happened.

use harnessx::sandbox::{CommandLimits, End, Finished, Sandbox, Stopped, ToolCommand, Wanted, Workspace};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What a hidden file holds; no output may.
pub const SECRET: &str = "swordfish-4711";

/// A sandbox with one hidden folder beside it.
pub struct Bed {
    pub sandbox: Sandbox,
    pub workspace: Workspace,
    pub run_dir: tempfile::TempDir,
    pub limits: CommandLimits,
}

/// What a command is expected to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Ends by itself; the secret is not in its output and the hidden folder is as it was.
    Nothing,
    /// Stopped at this limit.
    Limit(Stopped),
    /// Ends by itself or at a limit, whichever comes first, within the time.
    Any,
}

/// The kinds of sandbox that this machine offers.
pub fn beds() -> Vec<Bed> {
    [Wanted::Bubblewrap, Wanted::Landlock].into_iter().filter_map(bed).collect()
}

pub fn bed(wanted: Wanted) -> Option<Bed> {
    let run_dir = tempfile::tempdir().unwrap();
    std::fs::write(run_dir.path().join("answers.json"), SECRET).unwrap();
    let sandbox = match Sandbox::new(wanted, vec![run_dir.path().to_owned()]) {
        Ok(sandbox) => sandbox,
        Err(error) => {
            println!("skipped {wanted:?}: {error}");
            return None;
        }
    };
    let limits = CommandLimits { seconds: 4, cpu_seconds: 3, memory_mb: 256, processes: 24, output_bytes: 4096, disk_mb: 32 };
    Some(Bed { sandbox, workspace: Workspace::new().unwrap(), run_dir, limits })
}

impl Bed {
    pub fn run(&self, argv: &[&str]) -> (Finished, Duration) {
        let command = ToolCommand { argv: argv.iter().map(ToString::to_string).collect(), ..ToolCommand::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let started = Instant::now();
        let finished = runtime.block_on(self.sandbox.run(&command, &self.workspace, &self.limits)).unwrap();
        (finished, started.elapsed())
    }

    pub fn shell(&self, script: &str) -> (Finished, Duration) {
        self.run(&["sh", "-c", script])
    }

    pub fn answers(&self) -> PathBuf {
        self.run_dir.path().join("answers.json")
    }

    /// Runs each case and fails with the table if one got out.
    pub fn table(&self, cases: &[(&str, String, Expected)]) {
        let mut table = String::new();
        let mut escaped = 0;
        for (name, script, expected) in cases {
            let (finished, took) = self.shell(script);
            let leaks = finished.stdout.contains(SECRET) || finished.stderr.contains(SECRET) || finished.stdout.contains("ESCAPED");
            let is_hurt = std::fs::read_to_string(self.answers()).ok().as_deref() != Some(SECRET);
            let as_expected = match expected {
                Expected::Nothing => matches!(finished.end, End::Exit(_)),
                Expected::Limit(limit) => finished.end == End::Stopped(*limit),
                Expected::Any => true,
            };
            let is_late = took > Duration::from_secs(self.limits.seconds + 3);
            let is_contained = !leaks && !is_hurt && as_expected && !is_late;
            escaped += usize::from(!is_contained);
            let word = if is_contained { "contained" } else { "ESCAPED" };
            writeln!(table, "{:10} {word:9} {:6} ms  {name}: {:?}", self.sandbox.protection().to_string(), took.as_millis(), finished.end)
                .unwrap();
            if !is_contained {
                writeln!(table, "    out: {}\n    err: {}", finished.stdout, finished.stderr).unwrap();
            }
        }
        println!("{table}");
        assert_eq!(escaped, 0, "{table}");
    }
}
