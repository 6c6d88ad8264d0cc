//! The smoke test of a candidate (`system.md` §6): it assembles and its tools start, its processors answer synthetic events of every hook
//! they listen to without a fault, and a dry replay shows that it changes at least one recorded train episode.

use super::{SmokeLine, Workshop};
use crate::domain::event::{Action, Event, Scene, ToolResult};
use crate::domain::harness::Harness;
use crate::domain::id::{CallId, TaskId, ToolName};
use crate::domain::message::{Arguments, Message, ToolCall, Turn};
use crate::domain::outcome::Ending;
use crate::domain::request::{Decision, ModelRole, Reply, Sampling, Usage};
use crate::domain::task::Tags;
use crate::runtime::assembly::{Assembly, Station, Trouble};
use futures::executor::block_on;

/// Synthetic steps.
const STEPS: u32 = 4;

/// A text that trips careless code: signs of patterns and templates, letters of several bytes.
const ODD: &str = "é{a}${1}$1 (x ```json\n- [ ] ü";

/// All checks in order, up to the first that fails; and the train tasks that the harness touches.
pub fn smoke(harness: &Harness, workshop: &Workshop<'_>) -> (Vec<SmokeLine>, Vec<TaskId>) {
    let mut lines = vec![line("assemble", assembled(harness, workshop))];
    if lines[0].passed {
        lines.push(line("synthetic", synthetic(harness, workshop)));
    }
    let mut touched = Vec::new();
    if lines.iter().all(|line| line.passed) {
        let replayed = (workshop.replay)(harness).and_then(|tasks| {
            touched = tasks;
            let seen = format!("{} train tasks would be played otherwise", touched.len());
            if touched.is_empty() { Err("no recorded train episode would be another".to_owned()) } else { Ok(seen) }
        });
        lines.push(line("replay", replayed));
    }
    (lines, touched)
}

fn line(check: &str, seen: Result<String, String>) -> SmokeLine {
    SmokeLine { check: check.to_owned(), passed: seen.is_ok(), seen: seen.unwrap_or_else(|problem| problem) }
}

fn assembled(harness: &Harness, workshop: &Workshop<'_>) -> Result<String, String> {
    match (workshop.check)(harness, &[]).first() {
        Some(problem) => Err(problem.to_string()),
        None => Ok(format!("{} processors", harness.manifest.processors.len())),
    }
}

/// Every processor is shown every event that it listens to, over a few steps of the first recorded task.
fn synthetic(harness: &Harness, workshop: &Workshop<'_>) -> Result<String, String> {
    let assembly =
        Assembly::new(harness.clone(), &[]).map_err(|problems| problems.first().map_or_else(String::new, ToString::to_string))?;
    let mut stations = assembly.stations()?;
    stations.extend(assembly.agent_stations()?);
    let known = workshop.experience.episodes.first();
    let (task, tags) = known.map_or((ODD, Tags::new()), |played| (played.text.as_str(), played.tags.clone()));
    let mut events = 0;
    for step in 0..STEPS {
        let scene = Scene { task, tags: &tags, tools: &[], step, usage: Usage::default(), elapsed_ms: u64::from(step) };
        events += drive(&mut stations, &scene)?;
    }
    Ok(format!("{events} events answered without a fault"))
}

fn drive(stations: &mut [Station], scene: &Scene<'_>) -> Result<u32, String> {
    let turns = [Turn::new(Message::user(scene.task)), Turn::new(Message::assistant(ODD)), Turn::new(Message::user(ODD))];
    let actions = [ODD.to_owned(), "b".to_owned(), scene.task.to_owned()];
    let call = ToolCall { id: CallId::from("smoke"), name: ToolName::from("act"), arguments: Arguments::text("action", ODD) };
    let result = ToolResult { text: ODD.to_owned(), is_error: false };
    let reply = Reply { text: ODD.to_owned(), ..Reply::default() };
    let (sampling, decision, ending) = (Sampling::default(), Decision::Free, Ending::EnvironmentDone);
    let events = [
        Event::TaskStart { system: "", demonstrations: &[] },
        Event::StepStart { turns: &turns },
        Event::BeforeModel {
            turns: &turns,
            tools: &[],
            actions: &actions,
            role: ModelRole::Main,
            sampling: &sampling,
            decision: &decision,
        },
        Event::AfterModel { reply: &reply, actions: &actions, calls: 1, is_final: false },
        Event::BeforeTool { call: &call },
        Event::AfterTool { call: &call, result: &result, actions: &actions },
        Event::StepEnd { turns: &turns[1..] },
        Event::TaskEnd { ending: &ending },
    ];
    let mut shown = 0;
    for event in &events {
        for station in stations.iter_mut().filter(|station| station.hooks.contains(&event.hook())) {
            let name = station.name.clone();
            let fault = |trouble: Trouble| format!("{name}: {trouble}");
            if let Action::Ask(_) = block_on(station.on(event, scene)).map_err(&fault)? {
                block_on(station.told(&reply, event, scene)).map_err(&fault)?;
            }
            shown += 1;
        }
    }
    Ok(shown)
}
