//! A task's world that answers from a recorded episode, for dry replays (`gate.md` §2): as long as the calls are those on record, so are
//! the results. The first call that differs ends it with a fault.

use super::{Observation, World, WorldFault};
use crate::domain::message::ToolCall;
use std::collections::VecDeque;

/// The recorded calls of an episode, over the world they were made in.
pub struct RecordedWorld<'a> {
    /// Never called: it gives the opening, the tools and the form of a text reply.
    pub(super) world: Box<World<'a>>,
    calls: VecDeque<(ToolCall, Observation)>,
}

impl<'a> RecordedWorld<'a> {
    /// Calls with their results, in order; `world` is the task's, fresh.
    pub fn new(world: World<'a>, calls: VecDeque<(ToolCall, Observation)>) -> Self {
        Self { world: Box::new(world), calls }
    }

    pub(super) fn call(&mut self, call: &ToolCall) -> Result<Observation, WorldFault> {
        match self.calls.pop_front() {
            Some((recorded, observation)) if recorded.name == call.name && recorded.arguments == call.arguments => Ok(observation),
            Some(_) | None => Err(WorldFault("a call that is not on record".to_owned())),
        }
    }
}
