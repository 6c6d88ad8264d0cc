//! Drives one processor in tests: builds it from TOML parameters and shows it events.

use crate::domain::event::{Action, Event, Intercept, Replace, RequestChange, Scene, ToolResult};
use crate::domain::harness::{Harness, Manifest, Slots};
use crate::domain::id::CallId;
use crate::domain::message::{Arguments, Message, ToolCall, ToolSpec, Turn};
use crate::domain::outcome::Ending;
use crate::domain::request::{Decision, ModelRole, Reply, Sampling, Usage};
use crate::domain::task::Tags;
use crate::runtime::processor::{Native, Processor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A processor and the scene it is shown.
pub struct Drive {
    /// The processor.
    pub processor: Box<dyn Processor>,
    /// The task's text.
    pub task: String,
    /// The task's tags.
    pub tags: Tags,
    /// Tools of the scene.
    pub tools: Vec<ToolSpec>,
    /// Step.
    pub step: u32,
    /// Used so far.
    pub usage: Usage,
    /// Milliseconds since the start.
    pub elapsed_ms: u64,
}

/// A harness of these files.
pub fn harness(files: &[(&str, &str)]) -> Harness {
    let manifest = Manifest {
        format: 1,
        name: "t".into(),
        description: String::new(),
        processors: Vec::new(),
        agents: BTreeMap::new(),
        slots: Slots::default(),
    };
    Harness { manifest, files: files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect() }
}

/// The error of a build that must fail.
pub fn refused(native: &Native, params: &str) -> String {
    (native.build)(&toml::from_str(params).unwrap(), &harness(&[])).err().unwrap()
}

/// A tool without arguments.
pub fn tool(name: &str) -> ToolSpec {
    ToolSpec { name: name.into(), description: format!("does {name}"), schema: Arguments(serde_json::json!({"type": "object"})) }
}

/// Texts as owned strings.
pub fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// User turns of these texts.
pub fn turns(texts: &[&str]) -> Vec<Arc<Turn>> {
    texts.iter().map(|text| Turn::new(Message::user(*text))).collect()
}

/// A call of `tool` with one text argument.
pub fn call(tool: &str, field: &str, value: &str) -> ToolCall {
    ToolCall { id: CallId::from("c1"), name: tool.into(), arguments: Arguments::text(field, value) }
}

/// A reply of text only.
pub fn reply(text: &str) -> Reply {
    Reply { text: text.into(), ..Reply::default() }
}

/// The change of a request; none when the processor passed.
pub fn change(action: Action) -> RequestChange {
    if let Action::Replace(Replace::BeforeModel(change)) = action {
        return *change;
    }
    assert_eq!(action, Action::Pass);
    RequestChange::default()
}

/// The message with which the model is called once more.
pub fn again(action: Action) -> Option<String> {
    if let Action::Replace(Replace::AfterModel { again, .. }) = action {
        return again;
    }
    if let Action::Intercept(Intercept::Again(message)) = action { Some(message) } else { None }
}

impl Drive {
    /// Builds a processor in an empty harness.
    pub fn new(native: &Native, params: &str) -> Self {
        Self::with_files(native, params, &[])
    }

    /// Builds a processor in a harness of these files.
    pub fn with_files(native: &Native, params: &str, files: &[(&str, &str)]) -> Self {
        let processor = (native.build)(&toml::from_str(params).unwrap(), &harness(files)).unwrap();
        Self { processor, task: "do it".into(), tags: Tags::new(), tools: Vec::new(), step: 1, usage: Usage::default(), elapsed_ms: 0 }
    }

    /// Sets the task's text.
    pub fn task(mut self, text: &str) -> Self {
        text.clone_into(&mut self.task);
        self
    }

    /// Sets a tag.
    pub fn tag(mut self, name: &str, value: &str) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// Shows an event.
    pub fn on(&mut self, event: &Event<'_>) -> Action {
        let (task, tags, tools, usage) = (self.task.clone(), self.tags.clone(), self.tools.clone(), self.usage);
        let scene = Scene { task: &task, tags: &tags, tools: &tools, step: self.step, usage, elapsed_ms: self.elapsed_ms };
        self.processor.on(event, &scene).unwrap()
    }

    /// Tells the answer to a question put at an event.
    pub fn told(&mut self, answer: &str, event: &Event<'_>) -> Action {
        let (task, tags, tools, usage) = (self.task.clone(), self.tags.clone(), self.tools.clone(), self.usage);
        let scene = Scene { task: &task, tags: &tags, tools: &tools, step: self.step, usage, elapsed_ms: self.elapsed_ms };
        self.processor.told(&reply(answer), event, &scene).unwrap()
    }

    /// `task_start` with this system prompt: the new system prompt and demonstrations.
    pub fn task_start(&mut self, system: &str) -> (Option<String>, Option<Vec<Message>>) {
        let action = self.on(&Event::TaskStart { system, demonstrations: &[] });
        if let Action::Replace(Replace::TaskStart { system, demonstrations }) = action {
            return (system, demonstrations);
        }
        assert_eq!(action, Action::Pass);
        (None, None)
    }

    /// `step_start` with a history of these user turns.
    pub fn step_start(&mut self, texts: &[&str]) -> Action {
        let turns = turns(texts);
        self.on(&Event::StepStart { turns: &turns })
    }

    /// `before_model` after this observation.
    pub fn before_model(&mut self, observation: &str, actions: &[&str]) -> RequestChange {
        let (turns, actions, tools) = (turns(&[observation]), strings(actions), self.tools.clone());
        change(self.on(&Event::BeforeModel {
            turns: &turns,
            tools: &tools,
            actions: &actions,
            role: ModelRole::Main,
            sampling: &Sampling::default(),
            decision: &Decision::Free,
        }))
    }

    /// The actions left at `before_model`.
    pub fn left(&mut self, actions: &[&str]) -> Vec<String> {
        self.before_model("", actions).actions.unwrap_or_else(|| strings(actions))
    }

    /// `after_model` with a final answer.
    pub fn answer(&mut self, text: &str) -> Action {
        self.on(&Event::AfterModel { reply: &reply(text), actions: &[], calls: 1, is_final: true })
    }

    /// `after_tool` for an action of a text world.
    pub fn after_tool(&mut self, action: &str, result: &str, actions: &[&str]) -> Action {
        let result = ToolResult { text: result.into(), is_error: false };
        self.on(&Event::AfterTool { call: &call("act", "action", action), result: &result, actions: &strings(actions) })
    }

    /// `after_tool` for a tool that failed.
    pub fn after_error(&mut self, tool: &str) -> Action {
        let result = ToolResult { text: "no".into(), is_error: true };
        self.on(&Event::AfterTool { call: &call(tool, "a", "b"), result: &result, actions: &[] })
    }

    /// `task_end`, and what the processor notes there.
    pub fn task_end(&mut self) -> Option<String> {
        self.on(&Event::TaskEnd { ending: &Ending::EnvironmentDone });
        self.processor.note()
    }
}
