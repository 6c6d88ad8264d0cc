//! Exit codes, and what went wrong with what to do about it.

use crate::bench::BenchError;
use crate::domain::harness::Problem;
use crate::provider::ProviderError;
use crate::rounds::RoundsError;
use crate::runtime::desk::CallFault;
use crate::runtime::episode::Abort;
use crate::stages::meta::MetaError;
use crate::stages::rollout::RolloutError;
use crate::store::atomic::FileError;
use crate::store::harness_dir::HarnessError;
use crate::store::harness_repo::RepoError;
use crate::store::run_dir::RunDirError;
use crate::store::visible::ReadError;
use std::process::ExitCode;

/// Exit codes of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; a rejected candidate or a no-op round is done too, and so is waiting for a person.
    Done = 0,
    /// A threshold the user asked for was not met.
    Threshold = 1,
    /// Bad usage.
    Usage = 2,
    /// Settings, harness or run directory.
    Settings = 3,
    /// The outside world; trying again may help.
    Outside = 4,
    /// Our bug.
    Bug = 70,
    /// Interrupted; the same command continues.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What to do where no episode could be scored.
pub(crate) const PLAY_AGAIN: &str = "put that right; then the same command plays them again, and pays for no reply twice";

/// What went wrong, for people.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Exit code.
    pub exit: Exit,
    /// What failed, on what, and why: fits after "failed to".
    pub what: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), hint: None }
    }

    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Bad settings.
    pub fn settings(what: impl Into<String>) -> Self {
        Self::new(Exit::Settings, what)
    }

    /// Problems of a folder, one a line.
    pub fn problems(dir: &str, problems: &[Problem]) -> Self {
        let lines: Vec<String> = problems.iter().map(|problem| format!("  {dir}/{problem}")).collect();
        Self::settings(format!("check {dir}: {} problem(s)\n{}", problems.len(), lines.join("\n")))
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        if error.is_disk_full() {
            return Self::new(Exit::Outside, error.to_string()).hint("free some disk space; the same command continues");
        }
        Self::settings(error.to_string())
    }
}

impl From<HarnessError> for Failure {
    fn from(error: HarnessError) -> Self {
        match error {
            HarnessError::File(error) => error.into(),
            HarnessError::Content { dir, problem } => Self::problems(&dir.display().to_string(), &[problem]),
            HarnessError::Git(_) => Self::settings(error.to_string()),
        }
    }
}

impl From<RepoError> for Failure {
    fn from(error: RepoError) -> Self {
        if let RepoError::File(error) = error {
            return error.into();
        }
        let hint =
            matches!(error, RepoError::Unknown { .. }).then_some("`git --git-dir RUN/harness log --graph --all` lists what is there");
        Self { hint: hint.map(str::to_owned), ..Self::settings(error.to_string()) }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::File(error) => error.into(),
            ReadError::Trace(error) => error.0.into(),
            ReadError::Repo(error) => error.into(),
            ReadError::Refused { .. } => Self::settings(error.to_string()),
        }
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error {
            BenchError::Manifest { dir, problem } => Self::problems(&dir.display().to_string(), &[problem]),
            BenchError::Game(_) | BenchError::List { .. } | BenchError::Changed { .. } => Self::settings(error.to_string()),
        }
    }
}

impl From<RoundsError> for Failure {
    fn from(error: RoundsError) -> Self {
        let message = error.to_string();
        match error {
            RoundsError::RunDir(error) => error.into(),
            RoundsError::File(error) => error.into(),
            RoundsError::Read(error) => error.into(),
            RoundsError::Repo(error) => error.into(),
            RoundsError::Harness(error) => error.into(),
            RoundsError::Rollout(error) => error.into(),
            RoundsError::Trace(error) => error.0.into(),
            RoundsError::Replay(_)
            | RoundsError::Unplayable { .. }
            | RoundsError::Edit(_)
            | RoundsError::Gate(_)
            | RoundsError::NoTasks(_)
            | RoundsError::Command(_)
            | RoundsError::Hand(_)
            | RoundsError::Lost(_) => Self::settings(message),
            RoundsError::Sandbox(_) => Self::new(Exit::Outside, message).hint("the same command continues where it stopped"),
            RoundsError::Refused(_) => Self::settings(message).hint("nothing was taken; mend the files and give the command again"),
            RoundsError::Meta(error) => error.into(),
            RoundsError::Outage { .. } => Self::new(Exit::Outside, message).hint(PLAY_AGAIN),
            RoundsError::Stopped { .. } => {
                Self::new(Exit::Interrupted, message).hint("the same command continues; finished episodes are kept")
            }
        }
    }
}

impl From<MetaError> for Failure {
    fn from(error: MetaError) -> Self {
        let message = error.to_string();
        match error {
            MetaError::NoMember(_) => Self::settings(message),
            MetaError::Outage { .. } => Self::new(Exit::Outside, message).hint("the same command continues where it stopped"),
            MetaError::Abort { source, .. } => of_abort(source, message),
            MetaError::RunDir(error) => error.into(),
            MetaError::Trace(error) => error.0.into(),
        }
    }
}

impl From<RunDirError> for Failure {
    fn from(error: RunDirError) -> Self {
        match error {
            RunDirError::File(error) => error.into(),
            RunDirError::Locked(_) => Self::settings(error.to_string()).hint("wait for it, or name another --run"),
            RunDirError::Differs { .. } => {
                Self::settings(error.to_string()).hint("use the old settings, name another --run, or go on with --force")
            }
        }
    }
}

impl From<RolloutError> for Failure {
    fn from(error: RolloutError) -> Self {
        let message = error.to_string();
        match error {
            RolloutError::Bench(error) => error.into(),
            RolloutError::RunDir(error) => error.into(),
            RolloutError::Trace(error) => error.0.into(),
            RolloutError::Episode { source, .. } => of_abort(source, message),
        }
    }
}

fn of_abort(abort: Abort, message: String) -> Failure {
    match abort {
        Abort::Trace(error) => error.0.into(),
        Abort::Call(CallFault::Ledger(error)) => error.0.into(),
        Abort::Call(CallFault::NoSeat(_)) => Failure::settings(message),
        Abort::Call(CallFault::Provider(error)) => of_provider(&error, message),
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        let message = error.to_string();
        of_provider(&error, message)
    }
}

fn of_provider(error: &ProviderError, message: String) -> Failure {
    match error {
        ProviderError::BudgetSpent { .. } => {
            Failure::new(Exit::Interrupted, message).hint("raise the cap and run the same command: finished episodes are kept")
        }
        ProviderError::MissingKey { .. } => Failure::settings(message).hint("keys come from the environment only: export it and try again"),
        ProviderError::Settings { .. } | ProviderError::Script { .. } | ProviderError::Unsupported { .. } => Failure::settings(message),
        ProviderError::Rejected { .. } | ProviderError::ContextTooLong { .. } | ProviderError::Outage { .. } => {
            Failure::new(Exit::Outside, message).hint("the same command continues where it stopped")
        }
    }
}
