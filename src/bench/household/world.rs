//! The household text world as an environment: one tool that takes a command; a plain text reply is a command too.

use super::play::Play;
use crate::bench::Observation;
use crate::domain::message::{Arguments, ToolCall, ToolSpec};
use crate::domain::outcome::Score;

/// The one tool.
pub const TOOL: &str = "act";

/// Its one argument.
pub const ARGUMENT: &str = "command";

/// A game being played.
pub struct HouseholdWorld {
    play: Play,
    tools: Vec<ToolSpec>,
    won: bool,
}

impl HouseholdWorld {
    /// Starts a game.
    pub fn new(play: Play) -> Self {
        let schema = serde_json::json!({
            "type": "object",
            "properties": { ARGUMENT: { "type": "string", "description": "one command, word for word" } },
            "required": [ARGUMENT],
            "additionalProperties": false
        });
        let description = "Gives one command to the household, such as \"go to shelf 1\"; answers with what you see.".to_owned();
        let tools = vec![ToolSpec { name: TOOL.into(), description, schema: Arguments(schema) }];
        Self { play, tools, won: false }
    }

    pub(crate) fn opening(&self) -> Observation {
        Observation { text: self.play.opening(), actions: self.play.admissible(), is_error: false, done: false }
    }

    pub(crate) fn tools(&self) -> &[ToolSpec] {
        &self.tools
    }

    pub(crate) fn call(&mut self, call: &ToolCall) -> Observation {
        let Some(command) = call.arguments.field(ARGUMENT) else {
            let text = format!("The argument {ARGUMENT:?} is missing or is not text.");
            return Observation { text, actions: self.play.admissible(), is_error: true, done: false };
        };
        let step = self.play.step(command);
        self.won |= step.done;
        Observation { text: step.observation, actions: self.play.admissible(), is_error: false, done: step.done }
    }

    pub(crate) fn score(&self) -> Score {
        Score { reward: if self.won { 1.0 } else { 0.0 }, success: self.won }
    }
}
