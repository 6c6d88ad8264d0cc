//! Dry replay (`gate.md` §2): a harness is led through a recorded episode of another one, with replies and results from the record. Where
//! every model request, every call and the ending are those on record, the episode is untouched: playing it would give the same, so it is
//! not played. Reads one trace; plays nothing and writes nothing.

use crate::bench::{BenchError, LoadedTask, Observation, RecordedWorld, World};
use crate::clock::Clock;
use crate::domain::harness::Limits;
use crate::domain::id::{Digest, HarnessId};
use crate::domain::message::ToolCall;
use crate::domain::outcome::{Ending, EpisodeResult};
use crate::domain::request::{ModelRole, Reply, Sampling};
use crate::domain::trace::{EpisodeKey, Record, ReplySource, ToolSource};
use crate::provider::{Provider, Recorded};
use crate::runtime::assembly::Assembly;
use crate::runtime::desk::{Desk, Seat};
use crate::runtime::episode::{Agent, play};
use crate::runtime::tool_files::Workbench;
use crate::runtime::trace_log::TraceLog;
use crate::store::trace_file::{TraceError, TraceReader};
use futures::executor::block_on;
use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

/// What a replay takes from the run, besides the harness.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Roles that have a model.
    pub roles: BTreeSet<ModelRole>,
    /// Seed of the run.
    pub seed: u64,
    /// Sampling of the main model where the harness is silent.
    pub sampling: Sampling,
    /// The benchmark's own limits.
    pub limits: Limits,
}

/// A recorded episode could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The trace.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The task's world could not be made.
    #[error(transparent)]
    Bench(#[from] BenchError),
}

/// What a trace says happened.
#[derive(Debug)]
struct Episode {
    key: EpisodeKey,
    replies: VecDeque<(Digest, Reply)>,
    calls: VecDeque<(ToolCall, Observation)>,
    result: EpisodeResult,
}

impl Replay {
    /// What a run's models and benchmark give.
    pub fn of(desk: &Desk, limits: Limits) -> Self {
        Self { roles: desk.seats.keys().copied().collect(), seed: desk.seed, sampling: desk.sampling.clone(), limits }
    }

    /// Whether the harness would make the recorded episode another one. A trace without an end is touched by everything.
    ///
    /// # Errors
    /// A trace that cannot be read, or a task whose world cannot be made.
    pub fn touches(&self, assembly: &Assembly, task: &LoadedTask, trace: &Path) -> Result<bool, ReplayError> {
        let world = task.world()?;
        let Some(episode) = read(trace, world.opening().actions)? else { return Ok(true) };
        let recorded = Recorded::new(episode.replies);
        let seat = || Seat { provider: Provider::Recorded(recorded.clone()), policy: recorded.version() };
        let seats = self.roles.iter().map(|role| (*role, seat())).collect();
        let desk = Desk {
            seats,
            ledger: None,
            seed: self.seed,
            sampling: self.sampling.clone(),
            clock: Clock::system(),
            workbench: Workbench::none(),
        };
        let agent = Agent { assembly, harness: HarnessId::from("replayed"), desk: &desk, limits: self.limits };
        let world = World::Recorded(RecordedWorld::new(world, episode.calls));
        // Nothing in a replay waits.
        let played = block_on(play(&agent, &task.task, world, &episode.key, TraceLog::default()));
        let is_same = played.is_ok_and(|played| {
            let before = &episode.result;
            played.end == before.end && played.steps == before.steps && played.calls == before.calls
        });
        Ok(!is_same || recorded.left() > 0)
    }
}

/// Reads a trace; `None` where it has no end.
fn read(path: &Path, mut actions: Vec<String>) -> Result<Option<Episode>, ReplayError> {
    let (mut key, mut asked, mut result) = (None, None, None);
    let (mut replies, mut calls) = (VecDeque::new(), VecDeque::new());
    for record in TraceReader::open(path)? {
        match record? {
            Record::Episode { key: of, .. } => key = Some(of),
            Record::Request { digest, .. } => asked = Some(digest),
            Record::Reply { reply, source, .. } => match (source, asked.take()) {
                (ReplySource::Model | ReplySource::Ledger, Some(digest)) => replies.push_back((digest, reply)),
                (ReplySource::Model | ReplySource::Ledger | ReplySource::Processor | ReplySource::Forced, _) => {}
            },
            Record::Tool { source: ToolSource::Harness, .. } | Record::Trigger { .. } => {}
            Record::Tool { call, result, actions: changed, source: ToolSource::Environment, .. } => {
                actions = changed.unwrap_or(actions);
                let observation = Observation { text: result.text, is_error: result.is_error, actions: actions.clone(), done: false };
                calls.push_back((call, observation));
            }
            Record::Outcome(end) => result = Some(end),
        }
    }
    let Some((key, result)) = key.zip(result) else { return Ok(None) };
    if result.end == Ending::EnvironmentDone
        && let Some((_, last)) = calls.back_mut()
    {
        last.done = true;
    }
    Ok(Some(Episode { key, replies, calls, result }))
}
