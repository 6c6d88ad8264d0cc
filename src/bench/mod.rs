//! Benchmarks: tasks, the environments they run in, and the verifiers that score them. One folder a kind.

pub mod echo;
pub mod household;
mod recorded;
mod registry;

pub use recorded::{RecordedCall, RecordedCalls, RecordedWorld};
pub use registry::{BenchError, Benchmark, LoadedTask};

use crate::domain::message::{ToolCall, ToolSpec};
use crate::domain::outcome::Score;

/// What an environment shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// Text for the model.
    pub text: String,
    /// Actions admitted now; empty where the environment lists none.
    pub actions: Vec<String>,
    /// The call failed.
    pub is_error: bool,
    /// The environment is done.
    pub done: bool,
}

/// A fault of the environment itself, never of the agent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WorldFault(pub String);

/// An environment that a higher layer supplies: the workroom of a meta-agent.
pub trait Hosted {
    /// What the agent sees first.
    fn opening(&self) -> String;
    /// The tools it offers.
    fn tools(&self) -> &[ToolSpec];
    /// The agent has replied: what it calls until the next time stands in this reply.
    fn replied(&mut self);
    /// One call of a tool that it offers.
    fn call(&mut self, call: &ToolCall) -> Observation;
    /// Told of a call of a tool that nobody offers; whether it has had enough of them, and the episode is over.
    fn missed(&mut self, call: &ToolCall) -> bool;
}

/// The environment of one task, with its verifier. The set of kinds is closed.
pub enum World<'a> {
    /// The household text world.
    Household(Box<household::HouseholdWorld>),
    /// One tool that answers with its input; for load tests and templates.
    Echo(echo::EchoWorld),
    /// A recorded episode, for dry replays.
    Recorded(RecordedWorld<'a>),
    /// One that a higher layer supplies; nothing is verified in it.
    Hosted(Box<dyn Hosted + 'a>),
}

impl World<'_> {
    /// What the agent sees first.
    pub fn opening(&self) -> Observation {
        match self {
            Self::Household(world) => world.opening(),
            Self::Echo(world) => world.opening(),
            Self::Recorded(recorded) => recorded.world.opening(),
            Self::Hosted(world) => Observation { text: world.opening(), ..Observation::default() },
        }
    }

    /// The tools it offers.
    pub fn tools(&self) -> &[ToolSpec] {
        match self {
            Self::Household(world) => world.tools(),
            Self::Echo(world) => world.tools(),
            Self::Recorded(recorded) => recorded.world.tools(),
            Self::Hosted(world) => world.tools(),
        }
    }

    /// Where a plain text reply is an action: the tool and the argument that it stands for.
    pub fn text_tool(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Household(_) => Some((household::TOOL, household::ARGUMENT)),
            Self::Echo(_) | Self::Hosted(_) => None,
            Self::Recorded(recorded) => recorded.world.text_tool(),
        }
    }

    /// Tells a world that keeps a record of its agent's replies of a new one.
    pub fn replied(&mut self) {
        match self {
            Self::Hosted(world) => world.replied(),
            Self::Household(_) | Self::Echo(_) | Self::Recorded(_) => {}
        }
    }

    /// One tool call.
    ///
    /// # Errors
    /// A fault of the environment, never a bad call.
    pub fn call(&mut self, call: &ToolCall) -> Result<Observation, WorldFault> {
        match self {
            Self::Household(world) => Ok(world.call(call)),
            Self::Echo(world) => Ok(world.call(call)),
            Self::Recorded(recorded) => recorded.call(call),
            Self::Hosted(world) => Ok(world.call(call)),
        }
    }

    /// Tells a world that keeps a record of a call of a tool that nobody offers; whether the episode is over with it.
    pub fn missed(&mut self, call: &ToolCall) -> bool {
        match self {
            Self::Hosted(world) => world.missed(call),
            Self::Household(_) | Self::Echo(_) | Self::Recorded(_) => false,
        }
    }

    /// The verifier's word, with the final answer if there was one.
    pub fn score(&self, answer: Option<&str>) -> Score {
        match self {
            Self::Household(world) => world.score(),
            Self::Echo(world) => world.score(answer),
            Self::Recorded(recorded) => recorded.world.score(answer),
            Self::Hosted(_) => Score { success: false, reward: 0.0 },
        }
    }
}
