//! What a script returned, as an action: parsed once and strictly, by the hook it was returned to. The shapes are those of
//! `declarations`; which of them a hook allows is the run loop's contract, as for natives.

use crate::domain::conversation::HistoryEdit;
use crate::domain::event::{Action, Event, Intercept, Question, Replace, RequestChange, Split, ToolResult};
use crate::domain::id::{CallId, ToolName};
use crate::domain::message::{Arguments, Message, ToolCall, check_depth};
use crate::domain::nearest::with_nearest;
use crate::domain::request::{Decision, Finish, ModelRole, Reply, Sampling};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Most tokens of an answer to a script's question where it does not say.
const ASKED_TOKENS: u32 = 512;

/// Exactly one of five, or nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Returned<'a> {
    #[serde(borrow)]
    replace: Option<&'a RawValue>,
    #[serde(borrow)]
    split: Option<&'a RawValue>,
    #[serde(borrow)]
    intercept: Option<&'a RawValue>,
    interrupt: Option<String>,
    #[serde(borrow)]
    ask: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToStart {
    system: Option<String>,
    demonstrations: Option<Vec<Message>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToHistory {
    history: Vec<HistoryEdit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToRequest {
    last_user: Option<String>,
    append_user: Option<String>,
    tools: Option<Vec<ToolName>>,
    actions: Option<Vec<String>>,
    role: Option<ModelRole>,
    sampling: Option<Sampling>,
    decision: Option<Decision>,
    votes: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToReply {
    reply: Option<Words>,
    again: Option<String>,
}

/// A reply as a script writes it; what it leaves out stays as it was.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    text: Option<String>,
    tool_calls: Option<Vec<Wish>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    id: Option<CallId>,
    name: ToolName,
    #[serde(deserialize_with = "arguments")]
    arguments: Arguments,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToArguments {
    #[serde(deserialize_with = "arguments")]
    arguments: Arguments,
}

/// Arguments that can be put on file.
fn arguments<'de, D: Deserializer<'de>>(json: D) -> Result<Arguments, D::Error> {
    let arguments = Arguments::deserialize(json)?;
    check_depth(&arguments.0).map_err(|problem| D::Error::custom(format!("arguments are {problem}")))?;
    Ok(arguments)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToResult {
    result: Shown,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shown {
    text: String,
    #[serde(default)]
    is_error: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToCalls {
    calls: Vec<Wish>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToResults {
    results: Vec<Shown>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FromModel {
    reply: Words,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    again: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marker {
    marker: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    role: ModelRole,
    #[serde(default)]
    system: String,
    prompt: String,
    #[serde(default)]
    decision: Decision,
    max_tokens: Option<u32>,
}

/// The action that a returned value stands for.
///
/// # Errors
/// A fragment that says where the value is no answer to this hook.
pub(super) fn action(returned: &RawValue, event: &Event<'_>) -> Result<Action, String> {
    if returned.get() == "null" {
        return Ok(Action::Pass);
    }
    let hook = event.hook().as_str();
    let parsed: Returned<'_> = serde_json::from_str(returned.get()).map_err(|error| {
        wrong(hook, "an answer is undefined, or an object with one of replace, split, intercept, interrupt, ask", &error)
    })?;
    let none = || Err(format!("{hook} may not be answered with that key; see `harnessx check --types`"));
    match parsed {
        Returned { replace: Some(to), split: None, intercept: None, interrupt: None, ask: None } => replace(to, event),
        Returned { replace: None, split: Some(to), intercept: None, interrupt: None, ask: None } => split(to, event).unwrap_or_else(none),
        Returned { replace: None, split: None, intercept: Some(to), interrupt: None, ask: None } => {
            intercept(to, event).unwrap_or_else(none)
        }
        Returned { replace: None, split: None, intercept: None, interrupt: Some(reason), ask: None } => Ok(Action::Interrupt { reason }),
        Returned { replace: None, split: None, intercept: None, interrupt: None, ask: Some(asked) } => {
            let Asked { role, system, prompt, decision, max_tokens } = read(asked, hook, "ask")?;
            Ok(Action::Ask(Question { role, system, prompt, decision, max_tokens: max_tokens.unwrap_or(ASKED_TOKENS) }))
        }
        Returned { .. } => Err(format!("{hook} was answered with none or several of replace, split, intercept, interrupt, ask")),
    }
}

fn replace(to: &RawValue, event: &Event<'_>) -> Result<Action, String> {
    let hook = event.hook().as_str();
    Ok(Action::Replace(match event {
        Event::TaskStart { .. } => {
            let ToStart { system, demonstrations } = read(to, hook, "replace")?;
            Replace::TaskStart { system, demonstrations }
        }
        Event::StepStart { .. } => Replace::StepStart { history: read::<ToHistory>(to, hook, "replace")?.history },
        Event::BeforeModel { .. } => {
            let ToRequest { last_user, append_user, tools, actions, role, sampling, decision, votes } = read(to, hook, "replace")?;
            Replace::BeforeModel(Box::new(RequestChange { last_user, append_user, tools, actions, role, sampling, decision, votes }))
        }
        Event::AfterModel { reply, .. } => {
            let to: ToReply = read(to, hook, "replace")?;
            Replace::AfterModel { reply: to.reply.map(|words| Box::new(words.over(reply))), again: to.again }
        }
        Event::BeforeTool { .. } => Replace::BeforeTool { arguments: read::<ToArguments>(to, hook, "replace")?.arguments },
        Event::AfterTool { .. } => Replace::AfterTool { result: read::<ToResult>(to, hook, "replace")?.result.into() },
        Event::StepEnd { .. } | Event::TaskEnd { .. } => return Err(format!("{hook} replaces nothing")),
    }))
}

/// `None` where the hook splits nothing.
fn split(to: &RawValue, event: &Event<'_>) -> Option<Result<Action, String>> {
    let hook = event.hook().as_str();
    let split = match event {
        Event::BeforeTool { .. } => read(to, hook, "split")
            .map(|ToCalls { calls }| Split::Calls(calls.into_iter().map(|wish| (wish.name, wish.arguments)).collect())),
        Event::AfterTool { .. } => {
            read(to, hook, "split").map(|ToResults { results }| Split::Results(results.into_iter().map(ToolResult::from).collect()))
        }
        Event::TaskStart { .. }
        | Event::StepStart { .. }
        | Event::BeforeModel { .. }
        | Event::AfterModel { .. }
        | Event::StepEnd { .. }
        | Event::TaskEnd { .. } => return None,
    };
    Some(split.map(Action::Split))
}

/// `None` where the hook intercepts nothing.
fn intercept(to: &RawValue, event: &Event<'_>) -> Option<Result<Action, String>> {
    let hook = event.hook().as_str();
    let intercept = match event {
        Event::BeforeModel { .. } => {
            read(to, hook, "intercept").map(|FromModel { reply }| Intercept::Reply(Box::new(reply.over(&Reply::default()))))
        }
        Event::AfterModel { .. } => read(to, hook, "intercept").map(|Again { again }| Intercept::Again(again)),
        Event::BeforeTool { .. } => read(to, hook, "intercept").map(|ToResult { result }| Intercept::Result(result.into())),
        Event::AfterTool { .. } => read(to, hook, "intercept").map(|Marker { marker }| Intercept::Hide { marker }),
        Event::TaskStart { .. } | Event::StepStart { .. } | Event::StepEnd { .. } | Event::TaskEnd { .. } => return None,
    };
    Some(intercept.map(Action::Intercept))
}

/// A composed tool's result: a text, or `{text, is_error}`.
///
/// # Errors
/// A fragment that says what is wrong.
pub(super) fn result(returned: &RawValue) -> Result<ToolResult, String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Shown(Shown),
    }
    match serde_json::from_str(returned.get()) {
        Ok(Either::Text(text)) => Ok(ToolResult { text, is_error: false }),
        Ok(Either::Shown(shown)) => Ok(shown.into()),
        Err(_) => Err("run must return a text, or { text, is_error }".to_owned()),
    }
}

impl From<Shown> for ToolResult {
    fn from(shown: Shown) -> Self {
        Self { text: shown.text, is_error: shown.is_error }
    }
}

impl Words {
    fn over(self, old: &Reply) -> Reply {
        let mut reply = old.clone();
        if let Some(text) = self.text {
            reply.text = text;
        }
        if let Some(wishes) = self.tool_calls {
            let call = |wish: Wish| ToolCall { id: wish.id.unwrap_or_else(|| "".into()), name: wish.name, arguments: wish.arguments };
            reply.tool_calls = wishes.into_iter().map(call).collect();
            reply.finish = if reply.tool_calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
        }
        reply
    }
}

fn read<T: DeserializeOwned>(json: &RawValue, hook: &str, key: &str) -> Result<T, String> {
    serde_json::from_str(json.get()).map_err(|error| wrong(hook, &format!("bad {key}"), &error))
}

/// The place that serde names is one in JSON that nobody sees.
fn wrong(hook: &str, what: &str, error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    format!("{hook}: {what}: {}", with_nearest(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Event;

    fn of(json: &str, event: &Event<'_>) -> Result<Action, String> {
        action(&RawValue::from_string(json.to_owned()).unwrap(), event)
    }

    const START: Event<'static> = Event::TaskStart { system: "", demonstrations: &[] };

    #[test]
    fn answers_are_parsed_by_their_hook() {
        assert_eq!(of("null", &START), Ok(Action::Pass));
        let system = Action::Replace(Replace::TaskStart { system: Some("s".into()), demonstrations: None });
        assert_eq!(of(r#"{"replace":{"system":"s"}}"#, &START), Ok(system));
        assert_eq!(of(r#"{"interrupt":"enough"}"#, &START), Ok(Action::Interrupt { reason: "enough".into() }));
        let history = r#"{"replace":{"history":[{"edit":"drop","from":1,"to":3}]}}"#;
        assert!(matches!(of(history, &Event::StepStart { turns: &[] }), Ok(Action::Replace(Replace::StepStart { .. }))));
    }

    #[test]
    fn what_is_no_answer_says_what_would_be() {
        assert_eq!(
            of(r#"{"replace":{"sistem":"s"}}"#, &START).unwrap_err(),
            "task_start: bad replace: unknown field \"sistem\"; did you mean \"system\"?"
        );
        assert!(of("3", &START).unwrap_err().contains("an object with one of replace"));
        assert!(of("{}", &START).unwrap_err().contains("none or several"));
        assert!(of(r#"{"split":{"calls":[]}}"#, &START).unwrap_err().contains("may not be answered"));
        assert!(of(r#"{"replace":{}}"#, &Event::StepEnd { turns: &[] }).unwrap_err().contains("replaces nothing"));
    }

    #[test]
    fn a_changed_reply_keeps_what_the_script_did_not_name() {
        let reply = Reply { text: "old".into(), served_by: Some("m".into()), ..Reply::default() };
        let event = Event::AfterModel { reply: &reply, actions: &[], calls: 1, is_final: true };
        let Ok(Action::Replace(Replace::AfterModel { reply: Some(new), .. })) = of(r#"{"replace":{"reply":{"text":"new"}}}"#, &event)
        else {
            panic!("not a changed reply");
        };
        assert_eq!((new.text.as_str(), new.served_by.as_deref()), ("new", Some("m")));
    }
}
