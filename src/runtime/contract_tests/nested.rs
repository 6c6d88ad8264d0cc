//! Agents within an agent: the same contract, one record, one budget.

use super::{Played, Setting, once, play_in, station};
use crate::domain::event::{Action, Event, Hook, Replace, RequestChange};
use crate::domain::message::Message;
use crate::domain::outcome::Ending;
use crate::domain::trace::{Record, ToolSource};
use std::sync::{Arc, Mutex};

/// The caller sends the helper, then answers with what it said; the helper echoes, then answers.
fn errand() -> Vec<String> {
    let call = |name: &str, field: &str, text: &str| {
        format!("{{\"tool_calls\": [{{\"name\": \"{name}\", \"arguments\": {{\"{field}\": \"{text}\"}}}}]}}")
    };
    vec![
        format!("{{\"match\": {{\"turn\": 0, \"contains\": \"go\"}}, \"reply\": {}}}", call("helper", "task", "fetch it")),
        format!("{{\"match\": {{\"turn\": 0, \"contains\": \"fetch it\"}}, \"reply\": {}}}", call("echo", "text", "fetched")),
        "{\"match\": {\"task_contains\": \"fetch it\"}, \"reply\": {\"text\": \"here it is\"}}".to_owned(),
        "{\"match\": {\"contains\": \"here it is\"}, \"reply\": {\"text\": \"done\"}}".to_owned(),
    ]
}

/// Step, sub-agent and kind of each record.
fn outline(played: &Played) -> Vec<String> {
    let kind = |record: &Record| match record {
        Record::Episode { .. } => "episode",
        Record::Brought { .. } => "brought",
        Record::Request { .. } => "request",
        Record::Reply { .. } => "reply",
        Record::Tool { source: ToolSource::Agent, .. } => "agent",
        Record::Tool { .. } => "tool",
        Record::Trigger { .. } => "trigger",
        Record::Outcome(_) => "outcome",
    };
    let line = |record: &Record| {
        let (step, within) = record.place().unwrap();
        format!("{step}{} {}", within.map_or(String::new(), |agent| format!(" {agent}")), kind(record))
    };
    played.records.iter().map(line).collect()
}

#[test]
fn a_sub_agent_plays_steps_of_its_own_on_the_same_record() {
    let played = play_in(Setting::Calling, &errand(), Vec::new());
    assert_eq!(played.ending, Ending::FinalAnswer { text: "done".into() });
    let expected = [
        "1 request",
        "1 reply",
        "2 helper request",
        "2 helper reply",
        "2 helper tool",
        "3 helper request",
        "3 helper reply",
        "1 agent",
        "4 request",
        "4 reply",
    ];
    assert_eq!(outline(&played), expected);
    let requests = played.requests();
    assert_eq!(requests[1], [Message::user("fetch it")]);
    assert!(requests[3][0] == Message::user("go") && requests[3][2].text() == "here it is", "{requests:?}");
    let Record::Request { kept, turns, .. } = &played.records[8] else { panic!("no request") };
    assert_eq!((*kept, turns.len()), (1, 2), "the caller's turns are not written again");
}

#[test]
fn processors_of_the_caller_see_the_call_and_not_what_is_within() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let watcher = station("watcher", move |event| {
        if let Event::BeforeTool { call } = event {
            log.lock().unwrap().push(format!("before {}", call.name));
        }
        if let Event::AfterTool { result, .. } = event {
            log.lock().unwrap().push(format!("after {}", result.text));
        }
        Action::Pass
    });
    play_in(Setting::Calling, &errand(), vec![watcher]);
    assert_eq!(*seen.lock().unwrap(), ["before helper", "after here it is"]);
}

#[test]
fn a_sub_agent_ends_with_its_budget_and_its_steps_are_the_caller_s() {
    let call =
        "{\"match\": {\"contains\": \"go\"}, \"reply\": {\"tool_calls\": [{\"name\": \"helper\", \"arguments\": {\"task\": \"fetch\"}}]}}";
    let again = "{\"reply\": {\"tool_calls\": [{\"name\": \"echo\", \"arguments\": {\"text\": \"more\"}}]}}";
    let played = play_in(Setting::Calling, &[call.to_owned(), again.to_owned()], Vec::new());
    assert_eq!(played.ending, Ending::Budget { limit: "steps".into() });
    let results: Vec<String> = played.calls().into_iter().map(|(_, text)| text).collect();
    assert!(results[2].starts_with("helper gave no answer: it is out of steps. Last: {\"text\":\"more\"}"), "{results:?}");
    let last = outline(&played).pop().unwrap();
    assert_eq!(last.split_whitespace().next(), Some("6"), "{last}");
}

#[test]
fn a_call_without_a_task_is_told_so() {
    for arguments in ["{}", "{\"task\": \" \"}", "{\"task\": 3}", "{\"task\": \"x\", \"more\": 1}"] {
        let call = format!(
            "{{\"match\": {{\"turn\": 0}}, \"reply\": {{\"tool_calls\": [{{\"name\": \"helper\", \"arguments\": {arguments}}}]}}}}"
        );
        let played = play_in(Setting::Calling, &[call, "{\"reply\": {\"text\": \"done\"}}".to_owned()], Vec::new());
        let results = played.calls();
        assert!(results.len() == 1 && results[0].1.contains("argument"), "{results:?}");
    }
}

#[test]
fn the_most_frequent_of_several_replies_is_taken_and_all_are_counted() {
    let change = RequestChange { votes: Some(5), ..RequestChange::default() };
    let voter = once("voter", Hook::BeforeModel, Action::Replace(Replace::BeforeModel(Box::new(change))));
    let played = play_in(Setting::Alone, &super::short_script(), vec![voter]);
    assert_eq!(played.changes("voter"), ["best of 5 replies", "took the action of 3 of 3 replies, 1 different"]);
    let turns = |record: &Record| if let Record::Request { turns, .. } = record { Some(turns.len()) } else { None };
    let written: Vec<usize> = played.records.iter().filter_map(turns).collect();
    assert_eq!(written, [1, 0, 0, 3], "a repeated request is not written again");
}
