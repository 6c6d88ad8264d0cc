//! The hook contract of `system.md` §3 held against processors that try everything: what is allowed takes effect, what is not is refused
//! with the processor's name, and whatever they do, every request that leaves is one that providers take.

mod cells;
mod hostile;
mod nested;

use super::assembly::{Assembly, Station};
use super::desk::{Desk, Seat};
use super::episode::{Agent, Episode};
use super::ground::Ground;
use super::processor::{Fault, Processor};
use super::trace_log::TraceLog;
use crate::bench::World;
use crate::bench::echo::EchoWorld;
use crate::clock::Clock;
use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::{Harness, Limits, parse_manifest};
use crate::domain::id::{HarnessId, TaskId};
use crate::domain::message::Message;
use crate::domain::outcome::Ending;
use crate::domain::request::{ModelRole, Sampling};
use crate::domain::task::{Split, Tags, Task};
use crate::domain::trace::{EpisodeKey, Record, Stream, ToolSource};
use crate::net::Client;
use crate::provider::{Caps, Meter, ModelSpec, Provider, Surroundings};
use crate::store::ledger::Ledger;
use crate::store::trace_file::{TraceFile, TraceReader};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an episode came to.
struct Played {
    ending: Ending,
    records: Vec<Record>,
}

impl Played {
    /// Changes recorded for a processor.
    fn changes(&self, processor: &str) -> Vec<&str> {
        let mut found = Vec::new();
        for record in &self.records {
            if let Record::Trigger { processor: name, change, .. } = record
                && name.as_str() == processor
            {
                found.push(change.as_str());
            }
        }
        found
    }

    /// Every request of the run loop itself, whole: each call of a sub-agent has a thread of its own.
    fn requests(&self) -> Vec<Vec<Message>> {
        let (mut own, mut inner): (Vec<Message>, Vec<Message>) = (Vec::new(), Vec::new());
        let mut found = Vec::new();
        for record in &self.records {
            if let Record::Tool { source: ToolSource::Agent, .. } = record {
                inner.clear();
            }
            let Record::Request { kept, turns, asked_by, within, .. } = record else { continue };
            let last = if within.is_some() { &mut inner } else { &mut own };
            last.truncate(*kept);
            last.extend(turns.iter().cloned());
            if asked_by.is_none() {
                found.push(last.clone());
            }
        }
        found
    }

    /// Ids of the tool calls made, with the number of the sub-agent's call that they belong to.
    fn call_ids(&self) -> Vec<(Option<usize>, String)> {
        let (mut found, mut inner) = (Vec::new(), 0);
        for record in &self.records {
            if let Record::Tool { call, within, source, .. } = record {
                found.push((within.as_ref().map(|_| inner), call.id.0.clone()));
                inner += usize::from(*source == ToolSource::Agent);
            }
        }
        found
    }

    /// Ids and texts of the tool calls made.
    fn calls(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for record in &self.records {
            if let Record::Tool { call, result, .. } = record {
                found.push((call.id.0.clone(), result.text.clone()));
            }
        }
        found
    }

    fn fault(&self) -> Option<&str> {
        if let Ending::HarnessFault { part, .. } = &self.ending { Some(part) } else { None }
    }
}

/// A processor from a function.
struct Act<F>(F);

impl<F: FnMut(&Event<'_>) -> Action + Send> Processor for Act<F> {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        Ok((self.0)(event))
    }
}

fn station(name: &str, act: impl FnMut(&Event<'_>) -> Action + Send + 'static) -> Station {
    Station::native(name.into(), &Hook::ALL, Box::new(Act(act)))
}

/// A processor that answers an event of one hook once, and passes otherwise.
fn once(name: &str, hook: Hook, action: Action) -> Station {
    let mut action = Some(action);
    station(name, move |event| if event.hook() == hook { action.take().unwrap_or(Action::Pass) } else { Action::Pass })
}

/// Where the processors stand.
#[derive(Clone, Copy, Debug)]
enum Setting {
    /// In an agent with the environment's tool alone.
    Alone,
    /// In one that has a sub-agent `helper` too.
    Calling,
    /// In a sub-agent.
    Within,
}

impl Setting {
    fn harness(self) -> Harness {
        let text = "format = 1\nname = \"t\"\n[slots.limits]\nsteps = 6\n";
        let agent = "[agents.helper]\ndescription = \"Helps.\"\nharness = \"agents/helper\"\nlimits = { steps = 2 }\n";
        let (text, files) = match self {
            Self::Alone | Self::Within => (text.to_owned(), BTreeMap::new()),
            Self::Calling => {
                let inner = b"format = 1\nname = \"helper\"\n".to_vec();
                (format!("{text}{agent}"), BTreeMap::from([("agents/helper/harness.toml".to_owned(), inner)]))
            }
        };
        Harness { manifest: parse_manifest(&text).unwrap().0, files }
    }
}

/// Plays the echo world with a scripted model, one script line a turn.
fn play(script: &[String], stations: Vec<Station>) -> Played {
    play_in(Setting::Alone, script, stations)
}

fn play_in(setting: Setting, script: &[String], mut stations: Vec<Station>) -> Played {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("script.jsonl");
    std::fs::write(&file, script.join("\n")).unwrap();
    let (client, meter, clock) = (Client::new(), Arc::new(Meter::new(Caps::default())), Clock::stepped(1));
    let models = BTreeMap::new();
    let around = Surroundings { models: &models, environment: &|_| None, client: &client, meter: &meter, clock: &clock };
    let provider = Provider::open(&ModelSpec::Scripted { file }, &around).unwrap();
    let policy = provider.version();
    let seats = BTreeMap::from([(ModelRole::Main, Seat { provider, policy })]);
    let ledger = Ledger::open(&dir.path().join("ledger.jsonl")).unwrap();
    let desk = Desk {
        seats,
        ledger: Some(ledger),
        seed: 1,
        sampling: Sampling::default(),
        clock,
        workbench: crate::runtime::tool_files::Workbench::new(
            crate::sandbox::Wanted::Auto,
            Vec::new(),
            false,
            crate::net::Client::new(),
            |_| None,
        ),
    };
    let assembly = Assembly::new(setting.harness(), &[]).ok().unwrap();
    let agent = Agent { assembly: &assembly, harness: HarnessId::from("h"), desk: &desk, limits: Limits::default(), role: ModelRole::Main };
    let task = Task { id: TaskId::from("t"), text: "go".into(), tags: Tags::new(), group: String::new(), split: Split::Train };
    let key = EpisodeKey { task: task.id.clone(), stream: Stream::visible(), replicate: 0 };
    let trace = dir.path().join("trace.jsonl");
    let log = TraceLog::to(TraceFile::create(&trace).unwrap());
    let mut ground = Ground::new(&desk, World::Echo(EchoWorld::new("go")), &key, log);
    let mut episode = match setting {
        Setting::Alone | Setting::Calling => Episode::new(&agent, &task, &mut ground),
        Setting::Within => Episode::within(&agent, &task, &mut ground, &"helper".into(), None),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(episode.bring(assembly.tools().unwrap())).unwrap();
    let ending = runtime.block_on(episode.run(&mut stations)).unwrap();
    ground.trace.flush().unwrap();
    Played { ending, records: TraceReader::open(&trace).unwrap().map(Result::unwrap).collect() }
}

/// Two calls, then an answer.
fn short_script() -> Vec<String> {
    let call = |id: &str| format!("{{\"name\": \"echo\", \"id\": \"{id}\", \"arguments\": {{\"text\": \"{id}\"}}}}");
    vec![
        format!("{{\"match\": {{\"contains\": \"go\"}}, \"reply\": {{\"tool_calls\": [{}, {}]}}}}", call("x"), call("y")),
        "{\"reply\": {\"text\": \"done\"}}".to_owned(),
    ]
}

/// Why providers would refuse these turns.
fn wrong_with(turns: &[Message]) -> Option<String> {
    let mut ids = std::collections::BTreeSet::new();
    let mut open: std::collections::VecDeque<String> = std::collections::VecDeque::new();
    let mut was_model = true;
    for (index, turn) in turns.iter().enumerate() {
        match turn {
            Message::Tool { call, .. } if open.pop_front().as_ref() != Some(&call.0) => {
                return Some(format!("turn {index}: the result of {call} is out of place"));
            }
            Message::User { .. } | Message::Assistant { .. } if !open.is_empty() => return Some(format!("turn {index}: {open:?} wait")),
            Message::Assistant { .. } if was_model => return Some(format!("turn {index}: the model again")),
            Message::Assistant { tool_calls, .. } => {
                for call in tool_calls {
                    if call.id.as_str().is_empty() || !ids.insert(call.id.clone()) {
                        return Some(format!("turn {index}: id {:?}", call.id));
                    }
                    let name = call.name.as_str();
                    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
                    if !(1..=64).contains(&name.len()) || !name.bytes().all(is_plain) {
                        return Some(format!("turn {index}: name {name:?}"));
                    }
                }
                open = tool_calls.iter().map(|call| call.id.0.clone()).collect();
            }
            Message::Tool { .. } | Message::User { .. } => {}
        }
        was_model = matches!(turn, Message::Assistant { .. });
    }
    (was_model || !open.is_empty()).then(|| "the end is not to be answered".to_owned())
}
