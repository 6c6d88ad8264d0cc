//! The eight hooks: what a processor is shown at each, and what it may do there (`system.md` §3).

use super::conversation::HistoryEdit;
use super::id::ToolName;
use super::message::{Arguments, Message, ToolCall, ToolSpec, Turn};
use super::outcome::Ending;
use super::request::{Decision, ModelRole, Reply, Sampling, Usage};
use super::task::Tags;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One of the eight points of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// Once, before the first step.
    TaskStart,
    /// Each step, before anything.
    StepStart,
    /// Before each model call.
    BeforeModel,
    /// After each reply.
    AfterModel,
    /// Before each tool call.
    BeforeTool,
    /// After each tool result.
    AfterTool,
    /// Each step, after everything.
    StepEnd,
    /// Once, at the end.
    TaskEnd,
}

impl Hook {
    /// All eight, in order.
    pub const ALL: [Self; 8] = [
        Self::TaskStart,
        Self::StepStart,
        Self::BeforeModel,
        Self::AfterModel,
        Self::BeforeTool,
        Self::AfterTool,
        Self::StepEnd,
        Self::TaskEnd,
    ];

    /// Snake-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskStart => "task_start",
            Self::StepStart => "step_start",
            Self::BeforeModel => "before_model",
            Self::AfterModel => "after_model",
            Self::BeforeTool => "before_tool",
            Self::AfterTool => "after_tool",
            Self::StepEnd => "step_end",
            Self::TaskEnd => "task_end",
        }
    }
}

/// What processors may know at every hook: the task's text, tags and tools, never its id, seed, split or verifier data.
#[derive(Clone, Debug)]
pub struct Scene<'a> {
    /// The task's text.
    pub task: &'a str,
    /// Facts known before the outcome.
    pub tags: &'a Tags,
    /// Tools of the environment and the harness.
    pub tools: &'a [ToolSpec],
    /// Step, from 1; 0 at `task_start`.
    pub step: u32,
    /// Used so far in this episode.
    pub usage: Usage,
    /// Milliseconds since the episode began, by the injected clock.
    pub elapsed_ms: u64,
}

/// A tool's result on its way to the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// What the model reads.
    pub text: String,
    /// The tool failed.
    pub is_error: bool,
}

/// One event.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// Once, before the first step.
    TaskStart {
        /// System prompt so far.
        system: &'a str,
        /// Demonstration turns so far.
        demonstrations: &'a [Message],
    },
    /// Each step, before anything.
    StepStart {
        /// History without demonstrations.
        turns: &'a [Arc<Turn>],
    },
    /// Before each model call.
    BeforeModel {
        /// History without demonstrations; the last one is a user or tool turn.
        turns: &'a [Arc<Turn>],
        /// Tools offered in this call.
        tools: &'a [ToolSpec],
        /// Actions the environment admits now, as narrowed so far; empty where the environment lists none.
        actions: &'a [String],
        /// Who answers.
        role: ModelRole,
        /// How the reply is drawn.
        sampling: &'a Sampling,
        /// Form of the reply.
        decision: &'a Decision,
    },
    /// After each reply.
    AfterModel {
        /// The reply.
        reply: &'a Reply,
        /// Actions that were offered.
        actions: &'a [String],
        /// Model calls made in this step, this one included.
        calls: u32,
        /// The reply would end the episode as its final answer.
        is_final: bool,
    },
    /// Before each tool call.
    BeforeTool {
        /// The call.
        call: &'a ToolCall,
    },
    /// After each tool result.
    AfterTool {
        /// The call.
        call: &'a ToolCall,
        /// The result.
        result: &'a ToolResult,
        /// Actions the environment admits after it.
        actions: &'a [String],
    },
    /// Each step, after everything.
    StepEnd {
        /// Turns that the step appended.
        turns: &'a [Arc<Turn>],
    },
    /// Once, at the end.
    TaskEnd {
        /// What ended the steps.
        ending: &'a Ending,
    },
}

impl Event<'_> {
    /// The hook this event belongs to.
    pub fn hook(&self) -> Hook {
        match self {
            Self::TaskStart { .. } => Hook::TaskStart,
            Self::StepStart { .. } => Hook::StepStart,
            Self::BeforeModel { .. } => Hook::BeforeModel,
            Self::AfterModel { .. } => Hook::AfterModel,
            Self::BeforeTool { .. } => Hook::BeforeTool,
            Self::AfterTool { .. } => Hook::AfterTool,
            Self::StepEnd { .. } => Hook::StepEnd,
            Self::TaskEnd { .. } => Hook::TaskEnd,
        }
    }
}

/// What a processor answers: exactly one of five. `Ask` is not an answer but a question to a model that the run loop puts for the
/// processor (metered and traced); the processor then answers in `Processor::told`.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Nothing to do.
    Pass,
    /// Change what the hook allows.
    Replace(Replace),
    /// One tool call or result becomes several.
    Split(Split),
    /// Do the next thing in its place.
    Intercept(Intercept),
    /// End the episode.
    Interrupt {
        /// Why, in plain words.
        reason: String,
    },
    /// Put a question to a model first.
    Ask(Question),
}

/// A processor's own question to a model, outside the conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Who answers.
    pub role: ModelRole,
    /// System prompt, may be empty.
    pub system: String,
    /// The one user message.
    pub prompt: String,
    /// Form of the answer.
    pub decision: Decision,
    /// Most tokens of the answer.
    pub max_tokens: u32,
}

/// Changes, one kind a hook. Absent fields stay as they are. Changes at `before_model` hold for that one request only.
#[derive(Clone, Debug, PartialEq)]
pub enum Replace {
    /// At `task_start`.
    TaskStart {
        /// New system prompt.
        system: Option<String>,
        /// New leading demonstration turns (user and assistant in turn).
        demonstrations: Option<Vec<Message>>,
    },
    /// At `step_start`: edits are applied in order.
    StepStart {
        /// Whole turns dropped, summarised, reordered.
        history: Vec<HistoryEdit>,
    },
    /// At `before_model`.
    BeforeModel(Box<RequestChange>),
    /// At `after_model`.
    AfterModel {
        /// New text and tool calls.
        reply: Option<Box<Reply>>,
        /// Keep the reply, append this user message and call the model once more (bounded, counted).
        again: Option<String>,
    },
    /// At `before_tool`.
    BeforeTool {
        /// New input.
        arguments: Arguments,
    },
    /// At `after_tool`.
    AfterTool {
        /// New result.
        result: ToolResult,
    },
}

/// What may change in a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestChange {
    /// New content of the last user (or text observation) turn.
    pub last_user: Option<String>,
    /// One user message more.
    pub append_user: Option<String>,
    /// Tools still offered, a subset of those offered so far.
    pub tools: Option<Vec<ToolName>>,
    /// Actions still offered, a subset of those offered so far, not empty.
    pub actions: Option<Vec<String>>,
    /// Who answers.
    pub role: Option<ModelRole>,
    /// Sampling, clamped to the model config's bounds.
    pub sampling: Option<Sampling>,
    /// Form of the reply.
    pub decision: Option<Decision>,
    /// Replies drawn, 1 to 9, of which the one that most agree with is taken, the first of equals.
    pub votes: Option<u32>,
}

/// Several in the place of one.
#[derive(Clone, Debug, PartialEq)]
pub enum Split {
    /// At `before_tool`: these calls, in order (the first keeps the id).
    Calls(Vec<(ToolName, Arguments)>),
    /// At `after_tool`: these results, joined in order under the one call.
    Results(Vec<ToolResult>),
}

/// Something done in the place of the next thing.
#[derive(Clone, Debug, PartialEq)]
pub enum Intercept {
    /// At `before_model`: this reply, no model call.
    Reply(Box<Reply>),
    /// At `after_model`: drop the reply, append this user message to the request and call the model once more (bounded, counted).
    Again(String),
    /// At `before_tool`: this result, no call.
    Result(ToolResult),
    /// At `after_tool`: hide the result; this marker stays.
    Hide {
        /// What the model reads instead.
        marker: String,
    },
}
