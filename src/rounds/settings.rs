//! What a loop is told before it starts, and what it says on the way.

use crate::domain::engine::Engines;
use crate::domain::gate::GateSettings;
use crate::domain::round::RoundRecord;
use crate::sandbox::CommandLimits;
use crate::stages::rollout::Progress;

/// Settings of one run's loop, fixed when the run is made.
#[derive(Clone, Debug)]
pub struct LoopSettings {
    /// Who proposes.
    pub engines: Engines,
    /// Most tokens that all sessions of the meta-agent may take together.
    pub meta_tokens: Option<u64>,
    /// The program of the engine `command`; without one it waits for a person.
    pub command: Option<EngineCommand>,
    /// How candidates are judged; its `rounds` is the length of the run.
    pub gate: GateSettings,
    /// Rounds in a row that ship nothing after which the run ends.
    pub patience: u32,
    /// Train, gate and held-out tasks at most.
    pub tasks: TaskCounts,
    /// Rollouts a held-out task, with the first harness and with the last; nothing is ever decided by them.
    pub heldout_rollouts: u32,
    /// Whether the held-out tasks may veto, with one bit, a candidate that passed.
    pub heldout_veto: bool,
    /// Live episodes.
    pub jobs: usize,
    /// Rounds with a smaller share of actionable tasks are idle, 0..1.
    pub actionability: f64,
    /// Which ships a person is asked about.
    pub approve: Approve,
}

/// A program that makes candidates.
#[derive(Clone, Debug)]
pub struct EngineCommand {
    /// As it was told, for people.
    pub line: String,
    /// Its command line.
    pub words: Vec<Word>,
    /// Limits of one call.
    pub limits: CommandLimits,
    /// Whether it has the network.
    pub network: bool,
    /// Variables of the user's environment that it is given.
    pub environment: Vec<(String, String)>,
}

/// A word of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// As it is.
    Plain(String),
    /// A file of the user's, shown read-only in the sandbox; the word becomes its path there.
    File {
        /// Its name.
        name: String,
        /// What is in it.
        bytes: Vec<u8>,
    },
}

/// Tasks of each split at most; `None` takes all.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskCounts {
    /// Train.
    pub train: Option<usize>,
    /// Gate.
    pub gate: Option<usize>,
    /// Held-out.
    pub heldout: Option<usize>,
}

/// Which ships need a person's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approve {
    /// None.
    #[default]
    Never,
    /// Those that raise a limit or write a file.
    Risky,
    /// All.
    Always,
}

/// How far a command takes the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// The present round has digests and a landscape, by code alone.
    Planned,
    /// The present round has its candidates.
    Evolved,
    /// The present round has its critique.
    Critiqued,
    /// The present round is decided.
    Decided,
    /// Rounds, patience or a budget are used up.
    End,
}

/// Something worth saying.
pub enum Event<'a> {
    /// A stage begins, in plain words.
    Stage {
        /// Round.
        round: u32,
        /// What.
        text: String,
    },
    /// So many episodes are to be played.
    Playing(usize),
    /// What came of one.
    Progress(Progress<'a>),
    /// They are played.
    Played,
    /// A decision, in plain words.
    Decided {
        /// Round.
        round: u32,
        /// The line.
        line: &'a str,
    },
    /// A round is done.
    Closed(&'a RoundRecord),
}
