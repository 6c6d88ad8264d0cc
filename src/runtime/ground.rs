//! What an episode and its sub-agents share: the world, the line to the models, the trace.

use super::desk::{Desk, Line};
use super::trace_log::TraceLog;
use crate::bench::World;
use crate::domain::outcome::{Ending, EpisodeResult, Outcome, Score};
use crate::domain::trace::EpisodeKey;

/// The ground of one episode.
pub(super) struct Ground<'a> {
    /// The task's world.
    pub(super) world: World<'a>,
    /// Actions that it admits now.
    pub(super) actions: Vec<String>,
    /// What it showed first, until the agent takes it up.
    pub(super) opening: String,
    pub(super) line: Line<'a>,
    pub(super) trace: TraceLog,
    /// Steps taken, by whomever.
    pub(super) steps: u32,
}

impl<'a> Ground<'a> {
    pub(super) fn new(desk: &'a Desk, world: World<'a>, key: &EpisodeKey, trace: TraceLog) -> Self {
        let opening = world.opening();
        Self { world, actions: opening.actions, opening: opening.text, line: desk.line(key), trace, steps: 0 }
    }

    /// What the episode came to.
    pub(super) fn result(&self, end: Ending) -> EpisodeResult {
        let score = self.world.score(match &end {
            Ending::FinalAnswer { text } => Some(text),
            Ending::EnvironmentDone
            | Ending::Budget { .. }
            | Ending::Interrupt { .. }
            | Ending::HarnessFault { .. }
            | Ending::Fault { .. } => None,
        });
        let (outcome, reward) = judge(&end, score);
        let Line { calls, retries, usage, waited_ms, .. } = self.line;
        EpisodeResult { outcome, end, reward, steps: self.steps, calls, retries, usage, milliseconds: waited_ms }
    }
}

/// Failure of the thing studied is data; failure of our plumbing is missing data.
fn judge(end: &Ending, score: Score) -> (Outcome, f64) {
    match end {
        Ending::Fault { boundary, message } => (Outcome::Error { boundary: *boundary, message: message.clone() }, 0.0),
        Ending::HarnessFault { .. } => (Outcome::Failed, 0.0),
        Ending::FinalAnswer { .. } | Ending::EnvironmentDone | Ending::Budget { .. } | Ending::Interrupt { .. } => {
            (if score.success { Outcome::Solved } else { Outcome::Failed }, score.reward)
        }
    }
}
