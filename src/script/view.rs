//! What a script sees of an event: one table of fields, read twice. Written out it is the JSON of an event; collected it is the type
//! declarations and the names that the static checks know. A new field of [`Event`] or [`Scene`] breaks the build here.
//!
//! What changes seldom is sent once: the history as turns kept and turns appended, tools and actions when they are others. Scripts have
//! no clock, so the time that an episode took is not among the fields.

use crate::domain::event::{Event, Hook, Scene};
use crate::domain::message::{Message, ToolSpec, Turn};
use crate::domain::outcome::Ending;
use crate::domain::request::{Decision, ModelRole, Reply, Sampling, Usage};
use crate::domain::task::Tags;
use serde::Serialize;
use std::sync::Arc;

/// Whoever reads the fields of an event.
pub(super) trait Fields {
    /// A field that is sent with every event; `kind` is its type in the declarations.
    fn field(&mut self, name: &'static str, kind: &'static str, value: &impl Serialize);
    /// The task's text and tags, the same all through an episode.
    fn task(&mut self, task: &str, tags: &Tags);
    /// The history.
    fn history(&mut self, turns: &[Arc<Turn>]);
    /// Tools that are offered now.
    fn tools(&mut self, tools: &[ToolSpec]);
    /// Actions that are offered now.
    fn actions(&mut self, actions: &[String]);
}

/// Shows all fields of an event. `answer` is that to the question which the script put about it last.
pub(super) fn show(event: &Event<'_>, scene: &Scene<'_>, answer: Option<&Reply>, to: &mut impl Fields) {
    let Scene { task, tags, tools: all_tools, step, usage, elapsed_ms: _ } = scene;
    to.field("hook", "string", &event.hook());
    to.task(task, tags);
    to.field("step", "number", step);
    to.field("usage", "Usage", usage);
    if let Some(answer) = answer {
        to.field("answer", "Reply", answer);
    }
    match event {
        Event::TaskStart { system, demonstrations } => {
            to.tools(all_tools);
            to.field("system", "string", system);
            to.field("demonstrations", "Message[]", demonstrations);
        }
        Event::StepStart { turns } => {
            to.tools(all_tools);
            to.history(turns);
        }
        Event::BeforeModel { turns, tools, actions, role, sampling, decision } => {
            to.tools(tools);
            to.history(turns);
            to.actions(actions);
            to.field("role", "Role", role);
            to.field("sampling", "Sampling", sampling);
            to.field("decision", "Decision", decision);
        }
        Event::AfterModel { reply, actions, calls, is_final } => {
            to.tools(all_tools);
            to.actions(actions);
            to.field("reply", "Reply", reply);
            to.field("calls", "number", calls);
            to.field("is_final", "boolean", is_final);
        }
        Event::BeforeTool { call } => {
            to.tools(all_tools);
            to.field("call", "ToolCall", call);
        }
        Event::AfterTool { call, result, actions } => {
            to.tools(all_tools);
            to.actions(actions);
            to.field("call", "ToolCall", call);
            to.field("result", "ToolResult", result);
        }
        Event::StepEnd { turns } => {
            to.tools(all_tools);
            let messages: Vec<&Message> = turns.iter().map(|turn| &turn.message).collect();
            to.field("turns", "Message[]", &messages);
        }
        Event::TaskEnd { ending } => {
            to.tools(all_tools);
            to.field("ending", "Ending", ending);
        }
    }
}

/// Names and types of the fields of a hook's event, in order.
pub(super) fn fields(hook: Hook) -> Vec<(&'static str, &'static str)> {
    struct Names(Vec<(&'static str, &'static str)>);
    impl Fields for Names {
        fn field(&mut self, name: &'static str, kind: &'static str, _value: &impl Serialize) {
            self.0.push((name, kind));
        }
        fn task(&mut self, _task: &str, _tags: &Tags) {
            self.0.extend([("task", "string"), ("tags", "{ readonly [name: string]: string }")]);
        }
        fn history(&mut self, _turns: &[Arc<Turn>]) {
            self.0.push(("turns", "Message[]"));
        }
        fn tools(&mut self, _tools: &[ToolSpec]) {
            self.0.push(("tools", "readonly ToolSpec[]"));
        }
        fn actions(&mut self, _actions: &[String]) {
            self.0.push(("actions", "readonly string[]"));
        }
    }
    let mut names = Names(Vec::new());
    let (tags, usage, reply) = (Tags::new(), Usage::default(), Reply::default());
    let scene = Scene { task: "", tags: &tags, tools: &[], step: 0, usage, elapsed_ms: 0 };
    with_sample(hook, |event| show(event, &scene, Some(&reply), &mut names));
    names.0
}

/// An event of a hook, as empty as can be.
fn with_sample(hook: Hook, see: impl FnOnce(&Event<'_>)) {
    use crate::domain::event::ToolResult;
    use crate::domain::message::{Arguments, ToolCall};
    let call = ToolCall { id: "".into(), name: "".into(), arguments: Arguments(serde_json::Value::Null) };
    let result = ToolResult { text: String::new(), is_error: false };
    let (sampling, decision, reply) = (Sampling::default(), Decision::Free, Reply::default());
    see(&match hook {
        Hook::TaskStart => Event::TaskStart { system: "", demonstrations: &[] },
        Hook::StepStart => Event::StepStart { turns: &[] },
        Hook::BeforeModel => {
            let role = ModelRole::Main;
            Event::BeforeModel { turns: &[], tools: &[], actions: &[], role, sampling: &sampling, decision: &decision }
        }
        Hook::AfterModel => Event::AfterModel { reply: &reply, actions: &[], calls: 1, is_final: false },
        Hook::BeforeTool => Event::BeforeTool { call: &call },
        Hook::AfterTool => Event::AfterTool { call: &call, result: &result, actions: &[] },
        Hook::StepEnd => Event::StepEnd { turns: &[] },
        Hook::TaskEnd => Event::TaskEnd { ending: &Ending::EnvironmentDone },
    });
}

/// What an instance has been sent before: what is still the same is not sent again.
#[derive(Default)]
pub(super) struct Sent {
    has_task: bool,
    turns: Vec<Arc<Turn>>,
    tools: Option<Vec<ToolSpec>>,
    actions: Option<Vec<String>>,
}

impl Sent {
    /// The JSON of an event, less what the instance has; from now on it has that too.
    pub(super) fn write(&mut self, event: &Event<'_>, scene: &Scene<'_>, answer: Option<&Reply>) -> Result<String, serde_json::Error> {
        let mut writer = Writer { sent: self, event: String::from("{"), around: String::new(), error: None };
        show(event, scene, answer, &mut writer);
        let Writer { mut event, around, error, .. } = writer;
        event.push('}');
        error.map_or_else(|| Ok(format!("{{\"event\":{event}{around}}}")), Err)
    }
}

/// Writes `{"event":{…},"task":…,"tags":…,"turns":{"kept":n,"added":[…]},"tools":…,"actions":…}`; `0` stands for "the same as before".
struct Writer<'a> {
    sent: &'a mut Sent,
    event: String,
    around: String,
    error: Option<serde_json::Error>,
}

impl Writer<'_> {
    fn json(&mut self, value: &impl Serialize) -> String {
        serde_json::to_string(value).unwrap_or_else(|error| {
            self.error = Some(error);
            "null".to_owned()
        })
    }

    fn around(&mut self, name: &str, json: &str) {
        for part in [",\"", name, "\":", json] {
            self.around.push_str(part);
        }
    }
}

impl Fields for Writer<'_> {
    fn field(&mut self, name: &'static str, _kind: &'static str, value: &impl Serialize) {
        let json = self.json(value);
        let comma = if self.event.len() > 1 { "," } else { "" };
        for part in [comma, "\"", name, "\":", &json] {
            self.event.push_str(part);
        }
    }

    fn task(&mut self, task: &str, tags: &Tags) {
        if !std::mem::replace(&mut self.sent.has_task, true) {
            let json = self.json(&task);
            self.around("task", &json);
            let json = self.json(tags);
            self.around("tags", &json);
        }
    }

    fn history(&mut self, turns: &[Arc<Turn>]) {
        let kept = self.sent.turns.iter().zip(turns).take_while(|(old, new)| Arc::ptr_eq(old, new)).count();
        let added: Vec<&Message> = turns[kept..].iter().map(|turn| &turn.message).collect();
        let json = self.json(&added);
        self.around("turns", &format!("{{\"kept\":{kept},\"added\":{json}}}"));
        self.sent.turns.truncate(kept);
        self.sent.turns.extend_from_slice(&turns[kept..]);
    }

    fn tools(&mut self, tools: &[ToolSpec]) {
        let json = if self.sent.tools.as_deref() == Some(tools) { "0".to_owned() } else { self.json(&tools) };
        self.around("tools", &json);
        if json != "0" {
            self.sent.tools = Some(tools.to_vec());
        }
    }

    fn actions(&mut self, actions: &[String]) {
        let json = if self.sent.actions.as_deref() == Some(actions) { "0".to_owned() } else { self.json(&actions) };
        self.around("actions", &json);
        if json != "0" {
            self.sent.actions = Some(actions.to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(tags: &Tags) -> Scene<'_> {
        Scene { task: "go", tags, tools: &[], step: 1, usage: Usage::default(), elapsed_ms: 9 }
    }

    #[test]
    fn only_new_turns_are_sent() {
        let tags = Tags::new();
        let mut sent = Sent::default();
        let mut turns = vec![Turn::new(Message::user("one"))];
        let first = sent.write(&Event::StepStart { turns: &turns }, &scene(&tags), None).unwrap();
        assert!(
            first.contains("\"task\":\"go\"") && first.contains("\"kept\":0,\"added\":[{\"role\":\"user\",\"text\":\"one\"}]"),
            "{first}"
        );
        turns.push(Turn::new(Message::assistant("two")));
        let second = sent.write(&Event::StepStart { turns: &turns }, &scene(&tags), None).unwrap();
        assert!(!second.contains("task\"") && !second.contains("one") && second.contains("\"kept\":1"), "{second}");
        turns.remove(0);
        let third = sent.write(&Event::StepStart { turns: &turns }, &scene(&tags), None).unwrap();
        assert!(third.contains("\"kept\":0,\"added\":[{\"role\":\"assistant\""), "{third}");
    }

    #[test]
    fn every_hook_has_its_fields_and_none_tells_the_time() {
        for hook in Hook::ALL {
            let names: Vec<&str> = fields(hook).into_iter().map(|(name, _)| name).collect();
            for common in ["hook", "task", "tags", "step", "usage", "tools", "answer"] {
                assert_eq!(names.iter().filter(|name| **name == common).count(), 1, "{hook:?} {common}");
            }
            assert!(!names.contains(&"elapsed_ms"));
        }
    }
}
