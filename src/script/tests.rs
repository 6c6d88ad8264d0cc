//! Scripts in workers of the test program itself.

use super::*;
use crate::domain::event::{Action, Event, Replace, Scene};
use crate::domain::message::Message;
use crate::domain::message::Turn;
use crate::domain::request::Usage;
use crate::domain::task::Tags;
use futures::executor::block_on;

/// What the pools of these tests start as their worker, by this name; run among the others it has nothing to do.
#[test]
fn worker() {
    if std::env::args().any(|argument| argument == "script::tests::worker") {
        serve().ok();
    }
}

fn checked(source: &str) -> Result<Card, String> {
    let card = Pool::shared().check("processors/x.js", source, Kind::Processor).unwrap();
    card.map_err(|remarks| {
        remarks.iter().map(|remark| format!("{}:{}: {}", remark.line, remark.column, remark.message)).collect::<Vec<_>>().join("\n")
    })
}

fn on(source: &str, turns: &[std::sync::Arc<Turn>]) -> Result<Action, String> {
    let mut instance = Instance::new(&Pool::shared(), "processors/x.js", source, Kind::Processor, "{\"most\":2}").unwrap();
    let (tags, usage) = (Tags::new(), Usage::default());
    let scene = Scene { task: "go", tags: &tags, tools: &[], step: 1, usage, elapsed_ms: 0 };
    let mut last = Ok(Action::Pass);
    for _ in 0..2 {
        last = block_on(instance.event(&Event::StepStart { turns }, &scene, None)).map_err(|error| error.to_string());
    }
    last
}

#[test]
fn a_script_answers_with_state_params_and_history() {
    let source = "export const hooks = {\n step_start(event, state, api) {\n  state.seen = (state.seen ?? 0) + event.turns.length;\n  if (state.seen >= api.params.most) return { interrupt: `${event.task} ${state.seen} ${event.turns[0].text}` };\n }\n};\n";
    assert_eq!(checked(source).unwrap().hooks, [crate::domain::event::Hook::StepStart]);
    let turns = [Turn::new(Message::user("hi"))];
    assert_eq!(on(source, &turns), Ok(Action::Interrupt { reason: "go 2 hi".into() }));
}

#[test]
fn what_is_thrown_has_its_place() {
    let source = "export const hooks = {\n  step_start(event) {\n    return event.task.nothing.more;\n  }\n};\n";
    let error = on(source, &[]).unwrap_err();
    assert!(error.starts_with("processors/x.js:3:") && error.contains("TypeError"), "{error}");
}

#[test]
fn a_broken_script_is_told_what_to_do() {
    let hooks = |body: &str| format!("export const hooks = {{\n  before_model(event, state, api) {{\n    {body}\n  }}\n}};\n");
    let cases = [
        ("export const hooks = {", "1:"),
        (&hooks("return evnt.task;"), "3:12: `evnt` is not defined; did you mean \"event\"?"),
        (&hooks("return event.histroy;"), "3:18: an event of before_model has no field \"histroy\"; known:"),
        (&hooks("return api.token(\"\");"), "3:16: `api` has no \"token\"; did you mean \"tokens\"?"),
        (&hooks("return Date.now();"), "3:12: `Date` is not there for scripts: a script has no clock"),
        (&hooks("return Math.random();"), "3:17: Math.random is not there"),
        ("let count = 0;\nexport const hooks = { step_end() { count += 1; } };", "2:37: `count` belongs to the module"),
        ("const seen = { n: 0 };\nexport const hooks = { step_end() { seen.n += 1; } };", "2:37: `seen` belongs to the module"),
        ("const all = [[]];\nexport const hooks = { step_end() { delete all[0].x; } };", "2:44: `all` belongs to the module"),
        ("export const hooks = { step_end() { Math.seen = 1; } };", "1:37: `Math` belongs to the language"),
        (
            "const next = (() => { let n = 0; return () => { n += 1; return n; }; })();\nexport const hooks = { step_end() { next(); } };",
            "1:49: `n` lives as long as the module",
        ),
        ("export const hooks = { before_modle() {} };", "1:24: there is no hook \"before_modle\"; did you mean \"before_model\"?"),
        ("export const hooks = { async step_end() {} };", "nothing waits here"),
        ("import fs from 'fs';\nexport const hooks = { step_end() { fs; } };", "1:1: a script stands alone"),
        ("export const hooks = {};", "a processor exports its hooks"),
        ("export const hooks = { step_end() {} };\nthrow new Error('no');", "2:11: Error: no"),
    ];
    for (source, expected) in cases {
        let text = checked(source).unwrap_err();
        assert!(text.contains(expected), "{source}\n{text}\n{expected}");
    }
}

#[test]
fn what_is_made_while_the_module_is_read_may_be_changed_meanwhile() {
    let source = "const words = ['a'];\nconst index = {};\nfor (const word of words) index[word] = 1;\n\
                  words.forEach((word) => { index[word] += 1; });\n\
                  const table = (() => { let n = 0; words.forEach(() => { n += 1; }); return { n }; })();\n\
                  function count(items) { let n = 0; items.forEach(() => { n += 1; }); const own = {}; own.n = n; return own; }\n\
                  export const hooks = { step_end(event, state) { let n = index.a + table.n; n += 1; state.n = n + count(words).n; } };";
    assert!(checked(source).is_ok(), "{}", checked(source).unwrap_err());
}

#[test]
fn a_changed_request_reaches_the_host() {
    let source = "export const hooks = { task_start: (event) => ({ replace: { system: event.system + '!' } }) };";
    let mut instance = Instance::new(&Pool::shared(), "processors/x.js", source, Kind::Processor, "{}").unwrap();
    let (tags, usage) = (Tags::new(), Usage::default());
    let scene = Scene { task: "go", tags: &tags, tools: &[], step: 0, usage, elapsed_ms: 0 };
    let action = block_on(instance.event(&Event::TaskStart { system: "be brief", demonstrations: &[] }, &scene, None)).unwrap();
    assert_eq!(action, Action::Replace(Replace::TaskStart { system: Some("be brief!".into()), demonstrations: None }));
}

#[test]
fn a_composed_tool_calls_and_goes_on() {
    let source = "export const meta = { name: 'twice', description: 'd', schema: {} };\nexport function run(args, state, api) { const a = api.call('echo', { text: args.text }); return a.text + api.call('echo').text; }";
    let mut instance = Instance::new(&Pool::shared(), "tools/twice.js", source, Kind::Tool, "{}").unwrap();
    let arguments = crate::domain::message::Arguments::text("text", "x");
    let mut step = block_on(instance.run(&arguments)).unwrap();
    let mut calls = Vec::new();
    let result = loop {
        match step {
            ToolStep::Calls { tool, arguments, waiting } => {
                calls.push(format!("{tool} {}", arguments.0));
                let outcome = crate::domain::event::ToolResult { text: format!("r{}", calls.len()), is_error: false };
                step = block_on(instance.resume(waiting, outcome)).unwrap();
            }
            ToolStep::Done(result) => break result.text,
        }
    };
    assert_eq!((result.as_str(), calls.join(", ").as_str()), ("r1r2", "echo {\"text\":\"x\"}, echo {}"));
}
