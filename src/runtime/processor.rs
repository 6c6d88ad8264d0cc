//! What a processor is, and how a native one is described.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::domain::request::Reply;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// One unit of behaviour, one instance an episode. Synchronous: what must wait is asked for with [`Action::Ask`].
pub trait Processor: Send {
    /// Answers one event of a hook that the processor is attached to.
    ///
    /// # Errors
    /// A fault of the processor: the episode fails, it is not an outage.
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault>;

    /// The answer to the question that this processor put last; returns its answer to the same event. May ask again.
    ///
    /// # Errors
    /// As `on`.
    fn told(&mut self, _answer: &Reply, _event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        Ok(Action::Pass)
    }

    /// What changed since last asked, in a few words, for the trace; `None` lets the run loop describe the change itself.
    fn note(&mut self) -> Option<String> {
        None
    }
}

/// A processor could not do its work; a lower-case fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

/// One of nine parts of a harness (`system.md` §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// D1
    ModelSelection,
    /// D2
    ContextAssembly,
    /// D3
    Memory,
    /// D4
    Tools,
    /// D5
    ExecutionEnvironment,
    /// D6
    EvaluationAndReward,
    /// D7
    ControlAndSafety,
    /// D8
    Observability,
    /// D9
    TrainingBridge,
}

/// Makes an instance from its parameters and the harness it stands in.
pub type Build = fn(&toml::Table, &Harness) -> Result<Box<dyn Processor>, String>;

/// A native processor, as the registry lists it.
pub struct Native {
    /// Name in `use = "…"`.
    pub name: &'static str,
    /// Rises whenever its behaviour changes, so that old results never speak for new code.
    pub behaviour: u32,
    /// At most one processor of a group in a harness.
    pub group: Option<&'static str>,
    /// Hooks it is attached to.
    pub hooks: &'static [Hook],
    /// Which part of a harness it is.
    pub dimension: Dimension,
    /// What it does, one sentence.
    pub summary: &'static str,
    /// Builds an instance. Errors are lower-case fragments that name the parameter.
    pub build: Build,
    /// All parameters: those given as they are read, the rest at their defaults. Errors are those of `build` on parameters alone.
    pub complete: fn(&toml::Table) -> Result<toml::Table, String>,
}

/// Reads parameters into a typed struct; unknown keys are errors.
///
/// # Errors
/// A fragment that names the parameter.
pub fn read_params<P: DeserializeOwned>(table: &toml::Table) -> Result<P, String> {
    P::deserialize(toml::Value::Table(table.clone())).map_err(|error| error.message().trim().replace('\n', " "))
}

/// Parameters as the struct reads them, with the defaults of those not given.
///
/// # Errors
/// A fragment that names the parameter.
pub fn complete_params<P: DeserializeOwned + Serialize>(table: &toml::Table) -> Result<toml::Table, String> {
    toml::Table::try_from(read_params::<P>(table)?).map_err(|error| error.to_string())
}
