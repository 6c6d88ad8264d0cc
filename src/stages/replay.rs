//! Dry replay (`gate.md` §2): a harness is led through a recorded episode of another one, with replies and results from the record. Where
//! every model request, every call and the ending are those on record, and no tool that is called was changed, the episode is untouched:
//! playing it would give the same, so it is not played. Composed tools run, since all that they do is call; programs and servers do not.
//! Reads one trace; plays nothing and writes nothing.

use crate::bench::{BenchError, LoadedTask, Observation, RecordedCall, RecordedCalls, RecordedWorld, World};
use crate::clock::Clock;
use crate::domain::harness::{HARNESS_FILE, Limits};
use crate::domain::id::{Digest, HarnessId};
use crate::domain::message::ToolSpec;
use crate::domain::outcome::{Ending, EpisodeResult};
use crate::domain::request::{ModelRole, Reply, Sampling};
use crate::domain::trace::{EpisodeKey, Record, ReplySource, ToolSource};
use crate::provider::{Provider, Recorded};
use crate::runtime::assembly::Assembly;
use crate::runtime::desk::{Desk, Seat};
use crate::runtime::episode::{Agent, play};
use crate::runtime::tool_files::{RecordedTools, Workbench};
use crate::runtime::trace_log::TraceLog;
use crate::store::trace_file::{TraceError, TraceReader};
use futures::executor::block_on;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

/// How many times as long an episode may wait for its models another time, and milliseconds for all else in it: one in which nothing would act
/// by the clock even then may be replayed.
const HASTE: f64 = 2.0;
const SLACK: f64 = 1000.0;

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

/// What a harness would make of a recorded episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// The same again.
    None,
    /// Another one.
    Differs,
    /// One in which a part of the harness breaks, before any reply was another: which part, and how.
    Breaks(String),
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
    /// Into the environment, and to programs and servers of the harness.
    calls: VecDeque<RecordedCall>,
    brought: BTreeMap<String, (Digest, Vec<ToolSpec>)>,
    result: EpisodeResult,
}

impl Replay {
    /// What a run's models and benchmark give.
    pub fn of(desk: &Desk, limits: Limits) -> Self {
        Self { roles: desk.seats.keys().copied().collect(), seed: desk.seed, sampling: desk.sampling.clone(), limits }
    }

    /// What the harness would make of the recorded episode. A trace without an end is touched by everything.
    ///
    /// # Errors
    /// A trace that cannot be read, or a task whose world cannot be made.
    pub fn touches(&self, assembly: &Assembly, task: &LoadedTask, trace: &Path) -> Result<Touch, ReplayError> {
        let world = task.world()?;
        let Some(episode) = read(trace, &world)? else { return Ok(Touch::Differs) };
        // A replay takes no time, and how long programs took is not on record.
        let has_programs = episode.calls.iter().any(|call| call.source == ToolSource::Program);
        let took = HASTE * episode.result.milliseconds as f64 + SLACK;
        if first_tick(assembly).is_some_and(|tick| has_programs || took > tick) {
            return Ok(Touch::Differs);
        }
        let recorded = Recorded::new(episode.replies);
        let seat = || Seat { provider: Provider::Recorded(recorded.clone()), policy: recorded.version() };
        let seats = self.roles.iter().map(|role| (*role, seat())).collect();
        let calls = RecordedCalls::new(episode.calls);
        let workbench = Workbench::recorded(RecordedTools::new(episode.brought, calls.clone()));
        let (sampling, clock) = (self.sampling.clone(), Clock::system());
        let desk = Desk { seats, ledger: None, seed: self.seed, sampling, clock, workbench };
        let agent = Agent { assembly, harness: HarnessId::from("replayed"), desk: &desk, limits: self.limits, role: ModelRole::Main };
        let world = World::Recorded(RecordedWorld::new(world, calls.clone()));
        // Nothing in a replay waits.
        let Ok(played) = block_on(play(&agent, &task.task, world, &episode.key, TraceLog::default())) else { return Ok(Touch::Differs) };
        let before = &episode.result;
        let is_spent = recorded.left() == 0 && calls.left() == 0;
        let is_same = played.end == before.end && played.steps == before.steps && played.calls == before.calls && is_spent;
        Ok(match played.end {
            _ if is_same => Touch::None,
            Ending::HarnessFault { part, message } if !recorded.has_strayed() => Touch::Breaks(format!("{part}: {message}")),
            Ending::HarnessFault { .. }
            | Ending::FinalAnswer { .. }
            | Ending::EnvironmentDone
            | Ending::Budget { .. }
            | Ending::Interrupt { .. }
            | Ending::Fault { .. } => Touch::Differs,
        })
    }
}

/// Milliseconds of an episode before which no part of a harness acts by the clock; `None` where none ever does. Sub-agents and what reminds
/// early are among them.
fn first_tick(assembly: &Assembly) -> Option<f64> {
    let agents = assembly.harness().files.iter().filter(|(path, _)| path.ends_with(&format!("/{HARNESS_FILE}")));
    let manifests = agents.map(|(_, bytes)| String::from_utf8_lossy(bytes)).chain([assembly.canonical_manifest().into()]);
    let (mut seconds, mut share) = (f64::INFINITY, 1.0_f64);
    for manifest in manifests {
        numbers(&toml::from_str(&manifest).ok()?, "", &mut |key, number| match key {
            "seconds" => seconds = seconds.min(number),
            "remind_at" => share = share.min(number),
            _ => {}
        });
    }
    seconds.is_finite().then_some(1000.0 * seconds * share)
}

/// Every number of a manifest, with the key that it stands under.
fn numbers(value: &toml::Value, key: &str, seen: &mut impl FnMut(&str, f64)) {
    match value {
        toml::Value::Integer(number) => seen(key, *number as f64),
        toml::Value::Float(number) => seen(key, *number),
        toml::Value::Array(items) => items.iter().for_each(|item| numbers(item, key, seen)),
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| numbers(value, key, seen)),
        toml::Value::String(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) => {}
    }
}

/// Reads a trace; `None` where it has no end.
fn read(path: &Path, world: &World) -> Result<Option<Episode>, ReplayError> {
    let (mut key, mut asked, mut result) = (None, None, None);
    let (mut replies, mut calls, mut brought) = (VecDeque::new(), VecDeque::new(), BTreeMap::new());
    let mut actions = world.opening().actions;
    for record in TraceReader::open(path)? {
        match record? {
            Record::Episode { key: of, .. } => key = Some(of),
            Record::Brought { file, body, offers } => drop(brought.insert(file, (body, offers))),
            Record::Request { digest, .. } => asked = Some(digest),
            Record::Reply { reply, source, .. } => match (source, asked.take()) {
                (ReplySource::Model | ReplySource::Ledger, Some(digest)) => replies.push_back((digest, reply)),
                (ReplySource::Model | ReplySource::Ledger | ReplySource::Processor | ReplySource::Forced, _) => {}
            },
            Record::Tool { source: ToolSource::Harness | ToolSource::Agent, .. } | Record::Trigger { .. } => {}
            Record::Tool { call, result, actions: changed, source: source @ (ToolSource::Environment | ToolSource::Program), .. } => {
                actions = changed.unwrap_or(actions);
                // A tool that nobody has is answered before it reaches the environment.
                if source == ToolSource::Program || world.tools().iter().any(|tool| tool.name == call.name) {
                    let observation = Observation { text: result.text, is_error: result.is_error, actions: actions.clone(), done: false };
                    calls.push_back(RecordedCall { source, call, observation });
                }
            }
            Record::Outcome(end) => result = Some(end),
        }
    }
    let Some((key, result)) = key.zip(result) else { return Ok(None) };
    let ended_by = calls.iter_mut().rfind(|call| call.source == ToolSource::Environment);
    if let (Ending::EnvironmentDone, Some(last)) = (&result.end, ended_by) {
        last.observation.done = true;
    }
    Ok(Some(Episode { key, replies, calls, brought, result }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Benchmark;
    use crate::domain::harness::{Harness, parse_manifest};
    use crate::provider::Uniform;
    use crate::store::trace_file::TraceFile;

    const CHOICE: &str = "[[processors]]\nuse = \"admissible_choice\"\n";

    fn assembly(processors: &str) -> Assembly {
        let text = format!("format = 1\nname = \"t\"\n{processors}[slots.limits]\nsteps = 3\n");
        let (manifest, lines) = parse_manifest(&text).unwrap();
        Assembly::new(Harness { manifest, files: BTreeMap::new() }, &lines).ok().unwrap()
    }

    #[test]
    fn a_replay_tells_the_same_another_and_a_break_apart() {
        let text = "format = 1\nname = \"b\"\nkind = \"household\"\n[source]\ngenerated = 1\n";
        let benchmark = Benchmark::parse(text, Path::new(".")).unwrap();
        let task = &benchmark.tasks[0];
        let provider = Provider::Uniform(Uniform);
        let policy = provider.version();
        let seats = [(ModelRole::Main, Seat { provider, policy })].into();
        let (sampling, clock) = (Sampling::default(), Clock::stepped(1));
        let workbench = Workbench::recorded(RecordedTools::new(BTreeMap::new(), RecordedCalls::new(VecDeque::new())));
        let desk = Desk { seats, ledger: None, seed: 1, sampling, clock, workbench };
        let (played, dir) = (assembly(CHOICE), tempfile::tempdir().unwrap());
        let path = dir.path().join("t.jsonl");
        let agent =
            Agent { assembly: &played, harness: HarnessId::from("h"), desk: &desk, limits: Limits::default(), role: ModelRole::Main };
        let key = EpisodeKey { task: task.task.id.clone(), stream: crate::domain::trace::Stream::visible(), replicate: 0 };
        block_on(play(&agent, &task.task, task.world().unwrap(), &key, TraceLog::to(TraceFile::create(&path).unwrap()))).unwrap();

        let replay = Replay::of(&desk, Limits::default());
        let touch = |processors: &str| replay.touches(&assembly(processors), task, &path).unwrap();
        assert_eq!(touch(CHOICE), Touch::None);
        // A reminder after half a second may come another time.
        let timed = |seconds: u32, from: f64| {
            format!("{CHOICE}[[processors]]\nuse = \"budget\"\nparams = {{ limits = {{ seconds = {seconds} }}, remind_at = [{from}] }}\n")
        };
        assert_eq!((touch(&timed(1000, 0.5)), touch(&timed(1, 0.5))), (Touch::None, Touch::Differs));
        assert_eq!(touch(&format!("{CHOICE}[[processors]]\nuse = \"user_wrapper\"\nparams = {{ before = \"Hear:\" }}\n")), Touch::Differs);
        let Touch::Breaks(how) = touch(&format!("{CHOICE}[[processors]]\nuse = \"judge\"\n")) else { panic!("nobody judges") };
        assert!(how.starts_with("judge: "), "{how}");
    }
}
