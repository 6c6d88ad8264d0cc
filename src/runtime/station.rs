//! A processor at its place in the pipeline: a native, which answers at once, or a script, whose answer is awaited.

use super::processor::{Fault, Processor};
use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::id::ProcessorName;
use crate::domain::request::Reply;
use crate::script::{Instance, ScriptError};
use std::borrow::Cow;

/// A processor at its place in the pipeline.
pub struct Station {
    /// Its name in traces.
    pub name: ProcessorName,
    /// Where it listens.
    pub hooks: Cow<'static, [Hook]>,
    pub(super) part: Part,
}

/// What a processor is. The set is closed.
pub(super) enum Part {
    /// It came with the program.
    Native(Box<dyn Processor>),
    /// It came with the harness.
    Script(Box<Instance>),
}

/// Why a processor gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Its own fault: the harness's failure.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The host could not run it: missing data.
    #[error("{0}")]
    Host(String),
}

impl From<ScriptError> for Trouble {
    fn from(error: ScriptError) -> Self {
        match error {
            ScriptError::Fault(fault) => Self::Fault(Fault(fault.to_string())),
            ScriptError::Host(_) | ScriptError::Unconfined => Self::Host(error.to_string()),
        }
    }
}

impl Station {
    /// A native at its place.
    pub fn native(name: ProcessorName, hooks: &'static [Hook], processor: Box<dyn Processor>) -> Self {
        Self { name, hooks: Cow::Borrowed(hooks), part: Part::Native(processor) }
    }

    /// Answers one event of a hook that the processor is attached to.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub async fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Trouble> {
        match &mut self.part {
            Part::Native(processor) => Ok(processor.on(event, scene)?),
            Part::Script(script) => Ok(script.event(event, scene, None).await?),
        }
    }

    /// The answer to the question that the processor put last; it answers the same event.
    ///
    /// # Errors
    /// As `on`.
    pub async fn told(&mut self, answer: &Reply, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Trouble> {
        match &mut self.part {
            Part::Native(processor) => Ok(processor.told(answer, event, scene)?),
            Part::Script(script) => Ok(script.event(event, scene, Some(answer)).await?),
        }
    }

    /// What changed since last asked, in a few words; a script's changes are described by the run loop.
    pub fn note(&mut self) -> Option<String> {
        match &mut self.part {
            Part::Native(processor) => processor.note(),
            Part::Script(_) => None,
        }
    }
}
