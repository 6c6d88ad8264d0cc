//! Each cell of the table of hooks, and what two processors do to each other's changes.

use super::{Played, once, play, short_script, station, wrong_with};
use crate::domain::conversation::HistoryEdit;
use crate::domain::event::{Action, Event, Hook, Intercept, Replace, RequestChange, Split, ToolResult};
use crate::domain::message::{Arguments, Message};
use crate::domain::outcome::Ending;
use crate::domain::request::{Decision, ModelRole, Reply, Sampling};
use std::sync::{Arc, Mutex};

fn result(text: &str) -> ToolResult {
    ToolResult { text: text.to_owned(), is_error: false }
}

fn part(text: &str) -> (crate::domain::id::ToolName, Arguments) {
    ("echo".into(), Arguments::text("text", text))
}

fn request(change: RequestChange) -> Action {
    Action::Replace(Replace::BeforeModel(Box::new(change)))
}

/// Every kind of answer, with the hook that allows it; none where all but the last do.
fn kinds() -> Vec<(Option<Hook>, Action)> {
    let reply = || Box::new(Reply { text: "supplied".into(), ..Reply::default() });
    let history = vec![HistoryEdit::Summarise { from: 0, to: 1, text: "summary".into() }];
    let change = RequestChange { append_user: Some("more".into()), ..RequestChange::default() };
    vec![
        (Some(Hook::TaskStart), Action::Replace(Replace::TaskStart { system: Some("system".into()), demonstrations: None })),
        (Some(Hook::StepStart), Action::Replace(Replace::StepStart { history })),
        (Some(Hook::BeforeModel), request(change)),
        (Some(Hook::BeforeModel), Action::Intercept(Intercept::Reply(reply()))),
        (Some(Hook::AfterModel), Action::Replace(Replace::AfterModel { reply: Some(reply()), again: Some("again".into()) })),
        (Some(Hook::AfterModel), Action::Intercept(Intercept::Again("again".into()))),
        (Some(Hook::BeforeTool), Action::Replace(Replace::BeforeTool { arguments: Arguments::text("text", "new") })),
        (Some(Hook::BeforeTool), Action::Intercept(Intercept::Result(result("supplied")))),
        (Some(Hook::BeforeTool), Action::Split(Split::Calls(vec![part("one"), part("two")]))),
        (Some(Hook::AfterTool), Action::Replace(Replace::AfterTool { result: result("new") })),
        (Some(Hook::AfterTool), Action::Intercept(Intercept::Hide { marker: "hidden".into() })),
        (Some(Hook::AfterTool), Action::Split(Split::Results(vec![result("one"), result("two")]))),
        (None, Action::Interrupt { reason: "enough".into() }),
    ]
}

fn assert_valid(played: &Played) {
    for request in played.requests() {
        assert_eq!(wrong_with(&request), None, "{request:?}");
    }
}

#[test]
fn every_cell_of_the_table_is_allowed_or_refused() {
    for hook in Hook::ALL {
        for (home, action) in kinds() {
            let allowed = home.map_or(hook != Hook::TaskEnd, |home| home == hook);
            let shown = format!("{} {action:?}", hook.as_str());
            let played = play(&short_script(), vec![once("tester", hook, action)]);
            let changes = played.changes("tester");
            assert!(!changes.is_empty(), "{shown}");
            assert_eq!(played.fault() == Some("tester"), !allowed, "{shown}: {:?}", played.ending);
            assert_eq!(changes[0].starts_with("fault: "), !allowed, "{shown}: {changes:?}");
            if home.is_none() && allowed {
                assert!(matches!(played.ending, Ending::Interrupt { .. }), "{shown}");
            }
            assert_valid(&played);
        }
    }
}

#[test]
fn every_part_of_a_change_that_a_hook_allows_takes_effect() {
    let change = RequestChange::default;
    let schema = Decision::Schema { schema: serde_json::json!({"type": "object"}) };
    let sampling = Sampling { temperature: Some(0.5), ..Sampling::default() };
    let demonstrations = Some(vec![Message::user("u"), Message::assistant("a")]);
    let allowed = [
        (Hook::TaskStart, Action::Replace(Replace::TaskStart { system: None, demonstrations }), "2 demonstration turns"),
        (
            Hook::StepStart,
            Action::Replace(Replace::StepStart { history: vec![HistoryEdit::Reorder { order: vec![0] }] }),
            "reordered turns",
        ),
        (Hook::BeforeModel, request(RequestChange { last_user: Some("go on".into()), ..change() }), "last user content"),
        (Hook::BeforeModel, request(RequestChange { tools: Some(Vec::new()), ..change() }), "tools 1 → 0"),
        (Hook::BeforeModel, request(RequestChange { role: Some(ModelRole::Main), ..change() }), "role main"),
        (Hook::BeforeModel, request(RequestChange { sampling: Some(sampling), ..change() }), "sampling"),
        (Hook::BeforeModel, request(RequestChange { decision: Some(schema), ..change() }), "decision schema"),
        (Hook::BeforeModel, request(RequestChange { votes: Some(1), ..change() }), "best of 1 replies"),
    ];
    for (hook, action, expected) in allowed {
        let played = play(&short_script(), vec![once("tester", hook, action)]);
        assert_eq!((played.changes("tester"), played.fault()), (vec![expected], None));
        assert_valid(&played);
    }
}

#[test]
fn answers_of_the_right_kind_with_bad_content_are_refused() {
    let assistant = || Message::assistant("a");
    let bad = [
        (Hook::TaskStart, Action::Replace(Replace::TaskStart { system: None, demonstrations: Some(vec![assistant()]) })),
        (Hook::StepStart, Action::Replace(Replace::StepStart { history: vec![HistoryEdit::Drop { from: 0, to: usize::MAX }] })),
        (Hook::StepStart, Action::Replace(Replace::StepStart { history: vec![HistoryEdit::Reorder { order: vec![usize::MAX] }] })),
        (Hook::StepStart, Action::Replace(Replace::StepStart { history: vec![HistoryEdit::Drop { from: 0, to: 1 }] })),
        (Hook::BeforeModel, request(RequestChange { role: Some(ModelRole::Judge), ..RequestChange::default() })),
        (Hook::BeforeModel, request(RequestChange { tools: Some(vec!["fly".into()]), ..RequestChange::default() })),
        (Hook::BeforeModel, request(RequestChange { actions: Some(vec!["new".into()]), ..RequestChange::default() })),
        (Hook::BeforeModel, request(RequestChange { votes: Some(0), ..RequestChange::default() })),
        (Hook::BeforeModel, request(RequestChange { votes: Some(10), ..RequestChange::default() })),
        (Hook::BeforeTool, Action::Split(Split::Calls(Vec::new()))),
        (Hook::BeforeTool, Action::Split(Split::Calls(vec![part("x"); 17]))),
        (Hook::AfterTool, Action::Split(Split::Results(Vec::new()))),
        (Hook::AfterTool, Action::Intercept(Intercept::Hide { marker: " ".into() })),
    ];
    for (hook, action) in bad {
        let shown = format!("{action:?}");
        let two = vec![Message::user("u"), assistant()];
        let demonstrations = Action::Replace(Replace::TaskStart { system: None, demonstrations: Some(two) });
        let played = play(&short_script(), vec![once("first", Hook::TaskStart, demonstrations), once("tester", hook, action)]);
        assert_eq!(played.fault(), Some("tester"), "{shown}");
    }
}

#[test]
fn each_processor_sees_each_call_that_another_one_split() {
    let halve = |name: &'static str| {
        station(name, |event| {
            let Event::BeforeTool { call } = event else { return Action::Pass };
            let text = call.arguments.field("text").unwrap_or_default();
            Action::Split(Split::Calls(vec![part(&format!("{text}1")), part(&format!("{text}2"))]))
        })
    };
    let played = play(&short_script(), vec![halve("a"), halve("b")]);
    let (ids, texts): (Vec<String>, Vec<String>) = played.calls().into_iter().unzip();
    assert_eq!(texts.len(), 8, "{texts:?}");
    assert!(texts[3].contains("x22") && texts[4].contains("y11"), "{texts:?}");
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 8, "{ids:?}");
    let last = played.requests().pop().unwrap();
    assert!(last[2].text().contains("x11") && last[2].text().contains("x22") && last[3].text().contains("y22"), "{last:?}");
    assert_valid(&played);
}

#[test]
fn a_fault_is_not_turned_into_another_ending() {
    let broken = once("broken", Hook::BeforeTool, Action::Split(Split::Calls(Vec::new())));
    let late = once("late", Hook::TaskEnd, Action::Interrupt { reason: "no".into() });
    let played = play(&short_script(), vec![broken, late]);
    assert_eq!(played.fault(), Some("broken"));
    assert_eq!(played.changes("late").len(), 1);
}

#[test]
fn step_end_shows_what_the_step_appended_and_comes_after_every_step() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let watcher = station("watcher", move |event| {
        if let Event::StepEnd { turns } = event {
            log.lock().unwrap().push(turns.len());
        }
        if let Event::StepStart { turns } = event
            && turns.len() > 2
        {
            let history = vec![HistoryEdit::Summarise { from: 0, to: turns.len(), text: "all".into() }];
            return Action::Replace(Replace::StepStart { history });
        }
        Action::Pass
    });
    let call = "{\"match\": {\"turn\": 0, \"contains\": \"go\"}, \"reply\": {\"tool_calls\": [{\"name\": \"echo\"}]}}";
    play(&[call.to_owned(), "{\"reply\": {\"text\": \"done\"}}".to_owned()], vec![watcher]);
    assert_eq!(*seen.lock().unwrap(), [2, 1]);
}

#[test]
fn calls_of_unknown_tools_are_on_the_record() {
    let script = ["{\"match\": {\"turn\": 0}, \"reply\": {\"tool_calls\": [{\"name\": \"fly\"}]}}", "{\"reply\": {\"text\": \"done\"}}"];
    let played = play(&script.map(str::to_owned), Vec::new());
    assert!(played.calls()[0].1.contains("There is no tool \"fly\""), "{:?}", played.calls());
}
