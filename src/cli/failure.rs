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
            | RoundsError::Planned(_)
            | RoundsError::Lost(_) => Self::settings(message),
            RoundsError::Sandbox(_) => Self::new(Exit::Outside, message).hint("the same command continues where it stopped"),
            RoundsError::Gone(_) => {
                Self::settings(message).hint("put the folder of traces back and give the command again, or begin anew with another --run")
            }
            RoundsError::Refused(_) => Self::settings(message).hint("nothing was taken; mend the files and give the command again"),
            RoundsError::Meta(error) => error.into(),
            RoundsError::Outage { .. } => Self::new(Exit::Outside, message).hint(PLAY_AGAIN),
            RoundsError::Stopped { .. } => {
                Self::new(Exit::Interrupted, message).hint("the same command continues; what is finished is kept")
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
            RunDirError::Differs { .. } => Self::settings(error.to_string()),
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
        ProviderError::BudgetSpent { what, spent, cap, .. } => {
            Failure::new(Exit::Interrupted, format!("finish the run: stopped: --max-{what} {cap} is used up, {spent} so far"))
                .hint(format!("with a higher --max-{what} the same command continues; what is finished is kept"))
        }
        ProviderError::MissingKey { .. } => Failure::settings(message).hint("keys come from the environment only: export it and try again"),
        ProviderError::Settings { .. } | ProviderError::Script { .. } | ProviderError::Unsupported { .. } => Failure::settings(message),
        ProviderError::Refused { code, variable, .. } => {
            let failure = Failure::settings(message);
            match hint_of(*code, variable.as_deref()) {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
        ProviderError::Rejected { .. } => Failure::settings(message)
            .hint("check the model's name, its extra_body and omit, sampling, and the tools of the harness; finished episodes are kept"),
        ProviderError::ContextTooLong { .. } | ProviderError::Outage { .. } => {
            Failure::new(Exit::Outside, message).hint("the same command continues where it stopped")
        }
    }
}

/// What to check where a server serves nobody like this, by its status.
fn hint_of(code: u16, variable: Option<&str>) -> Option<String> {
    match (code, variable) {
        (401 | 403, Some(variable)) => {
            Some(format!("check the key in the environment variable {variable} (api_key_env), base_url, and the model's name"))
        }
        (401 | 403, None) => Some("no key is sent: let api_key_env of the model's entry name the variable that holds it".to_owned()),
        (404, _) => Some("check `model` and base_url of the model's entry".to_owned()),
        (300..=399, _) => Some("give base_url as it should be: redirects are not followed, since a request carries a key".to_owned()),
        (402 | 429, _) => Some("add credit, or name another model; finished episodes are kept".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_refuses_for_good_is_a_settings_error_that_says_what_to_check() {
        let refused = |code, variable: Option<&str>| {
            let variable = variable.map(str::to_owned);
            Failure::from(ProviderError::Refused { model: "m".into(), code, variable, problem: "no".into() })
        };
        let rejected = Failure::from(ProviderError::Rejected { model: "m".into(), code: 400, message: "bad".into() });
        for (failure, said) in [
            (refused(401, Some("MY_KEY")), "MY_KEY"),
            (refused(403, None), "api_key_env"),
            (refused(404, None), "`model`"),
            (rejected, "extra_body"),
        ] {
            assert!(failure.exit == Exit::Settings && failure.hint.as_ref().is_some_and(|hint| hint.contains(said)), "{failure:?}");
        }
    }
}
