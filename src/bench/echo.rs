//! One tool that answers with its input. A task is solved by any final answer after at least one call: enough for load tests, for
//! fault tests, and as the smallest example of an environment.

use super::Observation;
use crate::domain::message::{Arguments, ToolCall, ToolSpec};
use crate::domain::outcome::Score;

/// The environment of one echo task.
pub struct EchoWorld {
    text: String,
    tools: Vec<ToolSpec>,
    calls: u32,
}

impl EchoWorld {
    /// Starts a task with its text.
    pub fn new(text: &str) -> Self {
        let schema = serde_json::json!({ "type": "object", "properties": { "text": { "type": "string" } } });
        let tool = ToolSpec { name: "echo".into(), description: "Answers with its input.".to_owned(), schema: Arguments(schema) };
        Self { text: text.to_owned(), tools: vec![tool], calls: 0 }
    }

    pub(crate) fn opening(&self) -> Observation {
        Observation { text: self.text.clone(), ..Observation::default() }
    }

    pub(crate) fn tools(&self) -> &[ToolSpec] {
        &self.tools
    }

    pub(crate) fn call(&mut self, call: &ToolCall) -> Observation {
        self.calls += 1;
        Observation { text: call.arguments.0.to_string(), ..Observation::default() }
    }

    pub(crate) fn score(&self, answer: Option<&str>) -> Score {
        let success = self.calls > 0 && answer.is_some();
        Score { reward: if success { 1.0 } else { 0.0 }, success }
    }
}
