//! Why a loop stops before its end. Whatever was finished is on file, and the same command goes on from there.

use crate::domain::edit::EditError;
use crate::domain::gate::GateError;
use crate::domain::harness::Problem;
use crate::domain::id::HarnessId;
use crate::sandbox::SandboxError;
use crate::stages::meta::MetaError;
use crate::stages::replay::ReplayError;
use crate::stages::rollout::RolloutError;
use crate::store::atomic::FileError;
use crate::store::harness_dir::HarnessError;
use crate::store::harness_repo::RepoError;
use crate::store::run_dir::RunDirError;
use crate::store::trace_file::TraceError;
use crate::store::visible::ReadError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum RoundsError {
    /// A file of the run.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// What a stage may read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The repository of harnesses.
    #[error(transparent)]
    Repo(#[from] RepoError),
    /// A harness that cannot be read or written.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// A harness on file that can no longer be played.
    #[error("play harness {harness}: {problem}")]
    Unplayable {
        /// Which.
        harness: HarnessId,
        /// The first problem.
        problem: Problem,
    },
    /// Edits that no longer apply.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The gate's state.
    #[error("judge candidates: {0}")]
    Gate(#[from] GateError),
    /// Episodes.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// A dry replay.
    #[error("replay an episode: {0}")]
    Replay(#[from] ReplayError),
    /// A trace.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// A trace that is on record is not there.
    #[error("read the trace {0}: it is on record, and the file is gone")]
    Gone(String),
    /// There is nothing to play.
    #[error("find tasks: the benchmark has no {0} task")]
    NoTasks(&'static str),
    /// A file on which rounds agree is missing.
    #[error("continue the run: {0} is missing; remove the round's folder to make it anew")]
    Lost(String),
    /// A session of the meta-agent.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The program of the engine `command` cannot be started here.
    #[error("run the program of the engine `command`: {0}")]
    Command(String),
    /// It could not be run now.
    #[error("run the program of the engine `command`: {0}")]
    Sandbox(#[from] SandboxError),
    /// Candidates of a round were made from another landscape.
    #[error("plan a round once more: {0}")]
    Planned(String),
    /// A round cannot be played by hand as it stands.
    #[error("play a round by hand: {0}")]
    Hand(String),
    /// What a person has written does not hold; nothing was taken.
    #[error("take what was written by hand: {} problem(s)\n{}", .0.len(), .0.join("\n"))]
    Refused(Vec<String>),
    /// Models, sandbox or environments break every episode.
    #[error("play any of {episodes} episodes in round {round}, so that nothing is scored; the first, {first}")]
    Outage {
        /// Round.
        round: u32,
        /// Episodes.
        episodes: usize,
        /// The first of them, and what broke.
        first: String,
    },
    /// It was asked to stop, or its time is up.
    #[error("finish the run: stopped in round {round}")]
    Stopped {
        /// Round.
        round: u32,
    },
}
