//! The last calls of an episode and what came of them.

use super::pattern::action_of;
use super::words::clipped;
use crate::domain::event::ToolResult;
use crate::domain::id::Digest;
use crate::domain::message::ToolCall;
use std::collections::VecDeque;

/// Most bytes of one remembered result.
const RESULT_BYTES: usize = 1000;

/// The last results in words, for questions about the episode.
pub struct Recent {
    most: usize,
    lines: VecDeque<String>,
}

impl Recent {
    /// Remembers at most so many.
    pub fn new(most: usize) -> Self {
        Self { most, lines: VecDeque::new() }
    }

    /// One more call, with its result.
    pub fn add(&mut self, call: &ToolCall, result: &ToolResult) {
        self.lines.push_back(format!("{}: {}", action_of(call), clipped(&result.text, RESULT_BYTES)));
        while self.lines.len() > self.most {
            self.lines.pop_front();
        }
    }

    /// A line each, the latest last.
    pub fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// The same for calls of one tool with equal arguments and results.
pub fn repeat_of(call: &ToolCall, result: &ToolResult) -> Digest {
    let arguments = call.arguments.0.to_string();
    Digest::of_parts(&[call.name.as_str().as_bytes(), arguments.as_bytes(), result.text.as_bytes()])
}
