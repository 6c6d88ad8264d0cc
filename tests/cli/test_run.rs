//! A fresh folder to run the binary in.

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

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harnessx"));
        command.args(arguments).current_dir(self.dir.path()).env_remove("HARNESSX_MODEL").env("NO_COLOR", "1");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        Ran {
            exit: status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}

/// The lines of an `episodes.jsonl`, sorted.
pub fn episodes(run: &Path) -> Vec<String> {
    let mut lines: Vec<String> = std::fs::read_to_string(run.join("R0/episodes.jsonl")).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
