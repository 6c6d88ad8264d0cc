//! What a caller can get wrong.

use super::TaskIndex;
use thiserror::Error;

/// A call the gate refuses. Its state is as before.
#[derive(Debug, Error)]
pub enum GateError {
    /// The settings make no sense.
    #[error("set up the gate: {0}")]
    Settings(&'static str),
    /// The number of rounds was fixed when the run was made.
    #[error("begin round {round}: the run was made for {rounds} rounds, over which its error rate is spread")]
    RoundsOver {
        /// The round asked for.
        round: u32,
        /// Rounds of the run.
        rounds: u32,
    },
    /// Another thing is due.
    #[error("{call}: the gate waits for {due}")]
    OutOfTurn {
        /// What was tried.
        call: &'static str,
        /// What is due.
        due: &'static str,
    },
    /// The rollout is none of the pass, or has its answer.
    #[error("take the outcome of rollout {0}: it is not open in this pass")]
    NotAsked(usize),
    /// A dry replay says nothing about a rollout of the incumbent.
    #[error("take rollout {0} as untouched: the incumbent plays it")]
    Replayed(usize),
    /// Only sealed controls can be checked so.
    #[error("check the gate against itself: mode {0} plays no sealed controls and has no opinion but its rule")]
    NothingSealed(&'static str),
    /// More candidates than fit.
    #[error("take {given} candidates: there is room for {room}")]
    TooMany {
        /// Candidates given.
        given: usize,
        /// Candidates that fit.
        room: usize,
    },
    /// A candidate cannot be taken.
    #[error("take candidate {candidate}: {problem}")]
    Candidate {
        /// Its name.
        candidate: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// No such task.
    #[error("take candidate {candidate}: it names task {}, of {tasks}", .task.0)]
    UnknownTask {
        /// The candidate.
        candidate: String,
        /// What it names.
        task: TaskIndex,
        /// Tasks there are.
        tasks: usize,
    },
    /// The state is not JSON of this shape.
    #[error("read the gate's state")]
    Json(#[from] serde_json::Error),
    /// The state is of another version.
    #[error("read the gate's state: version {found}, this program reads {known}")]
    Version {
        /// Found.
        found: u32,
        /// Known.
        known: u32,
    },
    /// The parts of the state do not fit together.
    #[error("read the gate's state: {0}")]
    Damaged(&'static str),
}
