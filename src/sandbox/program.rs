//! The user's own programs (package client, version control): run with a deadline and the user's rights, nothing kept of what they print.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A program could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It is not on this machine, or cannot be started.
    #[error("start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("run {program}: {status}: {message}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote to stderr.
        message: String,
    },
    /// It took longer than allowed and was stopped.
    #[error("run {program}: stopped after {seconds} s")]
    Late {
        /// The program.
        program: String,
        /// The deadline.
        seconds: u64,
    },
}

/// Most of stderr that is kept, in bytes from its end.
const STDERR_KEPT: usize = 2000;

/// Runs a program in `dir` to its end, without input; what it prints is dropped, but for the end of stderr when it fails.
///
/// # Errors
/// See [`ProcessError`].
pub fn run(program: &str, arguments: &[&str], dir: &Path, deadline: Duration) -> Result<(), ProcessError> {
    let name = || program.to_owned();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| ProcessError::Start { program: name(), source })?;
    let mut pipe = child.stderr.take();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        // A reader that fails leaves what it has: the text is only for the message.
        let _ = pipe.as_mut().map(|pipe| pipe.read_to_end(&mut text));
        text
    });
    let started = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() < deadline => std::thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(ProcessError::Late { program: name(), seconds: deadline.as_secs() });
            }
            Err(source) => return Err(ProcessError::Start { program: name(), source }),
        }
    };
    if status.success() {
        return Ok(());
    }
    let text = reader.join().unwrap_or_default();
    let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(STDERR_KEPT)..]).trim().to_owned();
    Err(ProcessError::Failed { program: name(), status: status.to_string(), message: tail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_carry_what_the_program_said() {
        let dir = tempfile::tempdir().unwrap();
        let error = run("sh", &["-c", "echo sorry >&2; exit 3"], dir.path(), Duration::from_secs(5)).unwrap_err();
        assert!(error.to_string().contains("sorry"), "{error}");
        assert!(matches!(run("no-such-program", &[], dir.path(), Duration::from_secs(1)), Err(ProcessError::Start { .. })));
        assert!(matches!(run("sleep", &["5"], dir.path(), Duration::from_millis(50)), Err(ProcessError::Late { .. })));
    }
}
