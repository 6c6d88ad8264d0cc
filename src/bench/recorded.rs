//! A recorded episode that answers in the place of the task's world and of the harness's programs, for dry replays (`gate.md` §2): as long as
//! the calls are those on record, in their order, so are the results. The first call that differs ends it with a fault.

use super::{Observation, World, WorldFault};
use crate::domain::message::ToolCall;
use crate::domain::trace::ToolSource;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A call on record.
#[derive(Clone, Debug)]
pub struct RecordedCall {
    /// Who answered.
    pub source: ToolSource,
    /// The call.
    pub call: ToolCall,
    /// What came of it.
    pub observation: Observation,
}

/// The calls of one episode, in order, shared by everybody who answers one.
#[derive(Clone, Debug)]
pub struct RecordedCalls(Arc<Mutex<VecDeque<RecordedCall>>>);

impl RecordedCalls {
    /// Calls with their results, in order.
    pub fn new(calls: VecDeque<RecordedCall>) -> Self {
        Self(Arc::new(Mutex::new(calls)))
    }

    /// The next result, if it is that of this call to this one.
    ///
    /// # Errors
    /// Any other call.
    pub fn answer(&self, source: ToolSource, call: &ToolCall) -> Result<Observation, WorldFault> {
        match self.calls().pop_front() {
            Some(next) if next.source == source && next.call.name == call.name && next.call.arguments == call.arguments => {
                Ok(next.observation)
            }
            Some(_) | None => Err(WorldFault("a call that is not on record".to_owned())),
        }
    }

    /// Calls not made yet.
    pub fn left(&self) -> usize {
        self.calls().len()
    }

    fn calls(&self) -> MutexGuard<'_, VecDeque<RecordedCall>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The world of a recorded episode.
pub struct RecordedWorld<'a> {
    /// Never called: it gives the opening, the tools and the form of a text reply.
    pub(super) world: Box<World<'a>>,
    calls: RecordedCalls,
}

impl<'a> RecordedWorld<'a> {
    /// `world` is the task's, fresh.
    pub fn new(world: World<'a>, calls: RecordedCalls) -> Self {
        Self { world: Box::new(world), calls }
    }

    pub(super) fn call(&self, call: &ToolCall) -> Result<Observation, WorldFault> {
        self.calls.answer(ToolSource::Environment, call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Arguments;

    #[test]
    fn calls_are_answered_in_order_and_by_whom_they_were() {
        let call = |text: &str| ToolCall { id: "c".into(), name: "say".into(), arguments: Arguments::text("text", text) };
        let recorded = |source, text: &str| RecordedCall {
            source,
            call: call(text),
            observation: Observation { text: text.to_owned(), ..Observation::default() },
        };
        let calls = || RecordedCalls::new([recorded(ToolSource::Program, "a"), recorded(ToolSource::Environment, "b")].into());
        let in_order = calls();
        assert_eq!(in_order.answer(ToolSource::Program, &call("a")).unwrap().text, "a");
        assert_eq!(in_order.answer(ToolSource::Environment, &call("b")).unwrap().text, "b");
        assert_eq!(in_order.left(), 0);
        assert!(calls().answer(ToolSource::Environment, &call("a")).is_err(), "another answers");
        assert!(calls().answer(ToolSource::Program, &call("b")).is_err(), "another call");
    }
}
