//! The example scripts of `harnesses/scripts` on recorded events, in the real worker pool. `tests/fixtures/scripts/<script>.jsonl`: a line
//! with `task` begins an episode; each further one is an event, with what must come back in `then` (nothing: it passes).

use crate::test_run::{TestRun, results};
use futures::executor::block_on;
use harnessx::domain::event::{Action, Event, Replace, Scene, Split, ToolResult};
use harnessx::domain::message::{Arguments, Message, ToolCall, ToolSpec, Turn};
use harnessx::domain::request::{Decision, Finish, ModelRole, Reply, Sampling, Usage};
use harnessx::domain::task::Tags;
use harnessx::sandbox::worker::WorkerProgram;
use harnessx::script::{Instance, Kind, Pool, PoolSettings, ScriptLimits, ToolStep};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    task: String,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    tools: Vec<ToolSpec>,
    #[serde(default)]
    params: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(tag = "hook", rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    BeforeModel {
        #[serde(default)]
        turns: Vec<Message>,
        #[serde(default)]
        actions: Vec<String>,
        then: Option<Value>,
    },
    AfterModel {
        text: String,
        then: Option<Value>,
    },
    BeforeTool {
        call: ToolCall,
        then: Option<Value>,
    },
    AfterTool {
        call: ToolCall,
        result: ToolResult,
        #[serde(default)]
        actions: Vec<String>,
        then: Option<Value>,
    },
}

fn pool() -> Pool {
    let program = WorkerProgram { path: env!("CARGO_BIN_EXE_harnessx").into(), arguments: vec!["script-worker".into()] };
    Pool::new(&PoolSettings { program, workers: 1, limits: ScriptLimits::default() })
}

fn root(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Parameters of a script: its defaults with those of the recording.
fn params(pool: &Pool, path: &str, source: &str, given: Map<String, Value>) -> String {
    let card = pool.check(path, source, Kind::Processor).unwrap().unwrap();
    let mut all = card.meta.get("params").and_then(Value::as_object).cloned().unwrap_or_default();
    all.extend(given);
    Value::Object(all).to_string()
}

/// An answer as a script writes it.
fn written(action: Action) -> Option<Value> {
    let result = |result: ToolResult| json!({ "text": result.text, "is_error": result.is_error });
    Some(match action {
        Action::Pass => return None,
        Action::Replace(Replace::BeforeModel(change)) => {
            let change = json!({ "actions": change.actions, "last_user": change.last_user, "append_user": change.append_user });
            let named = change.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
            Value::Object(named.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        Action::Replace(Replace::AfterModel { reply: Some(reply), again: None }) => json!({ "text": reply.text }),
        Action::Replace(Replace::AfterModel { reply: None, again: Some(again) }) => json!({ "again": again }),
        Action::Replace(Replace::BeforeTool { arguments }) => arguments.0,
        Action::Replace(Replace::AfterTool { result: changed }) => result(changed),
        Action::Split(Split::Calls(calls)) => calls.into_iter().map(|(name, arguments)| json!([name, arguments.0])).collect(),
        Action::Replace(_) | Action::Split(_) | Action::Intercept(_) | Action::Interrupt { .. } | Action::Ask(_) => {
            json!("an answer that no example gives")
        }
    })
}

/// Leads a script through its recording.
fn replayed(name: &str) {
    let (pool, path) = (pool(), format!("processors/{name}.js"));
    let source = text(&root("harnesses/scripts").join(&path));
    let recording = text(&root("tests/fixtures/scripts").join(format!("{name}.jsonl")));
    let (mut episode, mut answers) = (None, 0);
    for (index, line) in recording.lines().enumerate() {
        if line.starts_with("{\"task\"") {
            let head: Head = serde_json::from_str(line).unwrap();
            let params = params(&pool, &path, &source, head.params.clone());
            episode = Some((head, Instance::new(&pool, &path, &source, Kind::Processor, &params).unwrap()));
            continue;
        }
        let (head, instance) = episode.as_mut().unwrap();
        let usage = Usage::default();
        let scene = Scene { task: &head.task, tags: &head.tags, tools: &head.tools, step: index as u32, usage, elapsed_ms: 0 };
        let mut put = |event: &Event<'_>| written(block_on(instance.event(event, &scene, None)).unwrap());
        let (answer, then) = match serde_json::from_str(line).unwrap() {
            Line::BeforeModel { turns, actions, then } => {
                let turns: Vec<_> = turns.into_iter().map(Turn::new).collect();
                let (role, sampling, decision) = (ModelRole::Main, &Sampling::default(), &Decision::Free);
                (put(&Event::BeforeModel { turns: &turns, tools: &head.tools, actions: &actions, role, sampling, decision }), then)
            }
            Line::AfterModel { text, then } => {
                let reply = Reply { text, finish: Finish::Stop, ..Reply::default() };
                (put(&Event::AfterModel { reply: &reply, actions: &[], calls: 1, is_final: true }), then)
            }
            Line::BeforeTool { call, then } => (put(&Event::BeforeTool { call: &call }), then),
            Line::AfterTool { call, result, actions, then } => {
                (put(&Event::AfterTool { call: &call, result: &result, actions: &actions }), then)
            }
        };
        answers += usize::from(answer.is_some());
        assert_eq!(answer, then, "{name}, line {}: {line}", index + 1);
    }
    assert!(answers > 0, "{name} did nothing");
}

#[test]
fn sub_goals_are_followed_to_where_they_can_be_done() {
    replayed("subgoal_planner");
}

#[test]
fn likely_places_are_searched_first() {
    replayed("search_order");
}

#[test]
fn circles_are_broken() {
    replayed("loop_breaker");
}

#[test]
fn what_was_seen_is_said_again() {
    replayed("fact_keeper");
}

#[test]
fn long_results_are_shortened_to_what_speaks_of_the_task() {
    replayed("result_summary");
}

#[test]
fn queries_that_found_nothing_are_asked_otherwise() {
    replayed("query_retry");
}

#[test]
fn arguments_are_made_to_fit_their_schema() {
    replayed("argument_normaliser");
}

#[test]
fn answers_that_results_contradict_are_questioned() {
    replayed("contradiction_check");
}

#[test]
fn answers_get_the_form_that_the_task_asks_for() {
    replayed("answer_form");
}

#[test]
fn a_tool_tries_values_until_one_brings_the_text() {
    let path = "tools/until_found.js";
    let mut tool = Instance::new(&pool(), path, &text(&root("harnesses/scripts").join(path)), Kind::Tool, "{}").unwrap();
    let given = json!({ "tool": "look", "argument": "place", "values": ["shelf 1", "shelf 2", "shelf 3"], "text": "a Cup" });
    let (mut step, mut asked) = (block_on(tool.run(&Arguments(given))).unwrap(), Vec::new());
    let result = loop {
        match step {
            ToolStep::Calls { tool: name, arguments, waiting } => {
                let text = if arguments.0["place"] == "shelf 2" { "there is a cup" } else { "nothing" };
                asked.push(format!("{name} {}", arguments.0["place"]));
                step = block_on(tool.resume(waiting, ToolResult { text: text.to_owned(), is_error: false })).unwrap();
            }
            ToolStep::Done(result) => break result,
        }
    };
    assert_eq!((result.text.as_str(), result.is_error), ("shelf 2: there is a cup", false));
    assert_eq!(asked, ["look \"shelf 1\"", "look \"shelf 2\""]);
}

#[test]
fn a_chooser_by_chance_solves_most_of_a_household_under_them() {
    let run = TestRun::new();
    let harness = root("harnesses/scripts");
    let harness = harness.to_str().unwrap();
    let checked = run.run(&["check", harness]);
    assert_eq!(checked.exit, 0, "{}", checked.err);
    let ran = run.run(&["run", "--bench", "household", "--model", "random", "--limit", "12", "--harness", harness, "--run", "r"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let lines = results(&run.path().join("r"));
    let solved = lines.iter().filter(|line| line.result.outcome.name() == "solved").count();
    assert!(solved >= 10, "{solved} of {}", lines.len());
}
