//! Has a model summarise the older part of a long history, and puts the summary in its place. The first user turn stays word for word.

use crate::domain::conversation::HistoryEdit;
use crate::domain::event::{Action, Event, Hook, Question, Replace, Scene};
use crate::domain::harness::Harness;
use crate::domain::message::{Message, Turn};
use crate::domain::request::{Decision, ModelRole, Reply};
use crate::runtime::native::pattern::within;
use crate::runtime::native::seam::last_assistant;
use crate::runtime::native::words::clipped;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "compaction",
    behaviour: 1,
    group: Some("history"),
    hooks: &[Hook::StepStart, Hook::StepEnd],
    dimension: Dimension::ContextAssembly,
    summary: "Replaces the older part of a long history by a model's summary of it.",
    build,
    complete: complete_params::<Params>,
};

/// Bytes that count as one token.
const BYTES_A_TOKEN: usize = 4;

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Summarise when the history reaches this many tokens, estimated as a quarter of its bytes; 100 to 10 000 000.
    threshold: usize,
    /// Turns (messages) at the end that stay, 1 to 10 000; a few more where a call and its result would be parted.
    last: usize,
    /// What the summarising model is asked to do.
    instruction: String,
    /// Put before the summary.
    heading: String,
    /// Most tokens of the summary, 16 to 100 000.
    max_tokens: u32,
    /// Most bytes of one turn that the summarising model reads, 100 to 1 000 000.
    clip: usize,
    /// Who summarises: `main`, `judge`, `meta` or `user`.
    role: ModelRole,
}

impl Default for Params {
    fn default() -> Self {
        let instruction = "Summarise what was done, what was found and what is still to do. Keep names, numbers and places. \
                           Leave out what no longer matters.";
        Self {
            threshold: 8000,
            last: 6,
            instruction: instruction.into(),
            heading: "Summary of what happened before:".into(),
            max_tokens: 400,
            clip: 2000,
            role: ModelRole::Main,
        }
    }
}

struct Compaction {
    params: Params,
    /// Turns and bytes of the history as far as it was counted; none: count anew.
    counted: Option<(usize, usize)>,
    /// The first user turn as it was before any summary.
    opening: Option<String>,
    /// After an empty summary, not again before the history has this many turns.
    not_before: usize,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("threshold", params.threshold, 100, 10_000_000)?;
    within("last", params.last, 1, 10_000)?;
    within("max_tokens", params.max_tokens, 16, 100_000)?;
    within("clip", params.clip, 100, 1_000_000)?;
    Ok(Box::new(Compaction { params, counted: None, opening: None, not_before: 0 }))
}

fn bytes_of(turns: &[Arc<Turn>]) -> usize {
    let calls = |message: &Message| match message {
        Message::Assistant { tool_calls, .. } => tool_calls.iter().map(|call| call.arguments.0.to_string().len()).sum(),
        Message::User { .. } | Message::Tool { .. } => 0,
    };
    turns.iter().map(|turn| turn.message.text().len() + calls(&turn.message)).sum()
}

/// Turns as text, one paragraph each.
fn transcript(turns: &[Arc<Turn>], clip: usize) -> String {
    let mut paragraphs = Vec::new();
    for turn in turns {
        let text = clipped(turn.message.text(), clip);
        match &turn.message {
            Message::User { .. } => paragraphs.push(format!("User: {text}")),
            Message::Tool { name, .. } => paragraphs.push(format!("Result of {name}: {text}")),
            Message::Assistant { tool_calls, .. } => {
                if !text.is_empty() {
                    paragraphs.push(format!("Assistant: {text}"));
                }
                for call in tool_calls {
                    let arguments = call.arguments.0.to_string();
                    paragraphs.push(format!("Assistant calls {} {}", call.name, clipped(&arguments, clip)));
                }
            }
        }
    }
    paragraphs.join("\n\n")
}

impl Compaction {
    fn is_due(&mut self, turns: &[Arc<Turn>]) -> bool {
        let known = self.counted.filter(|(count, _)| *count == turns.len());
        let (_, bytes) = *self.counted.insert(known.unwrap_or_else(|| (turns.len(), bytes_of(turns))));
        bytes / BYTES_A_TOKEN >= self.params.threshold && turns.len() >= self.not_before
    }

    /// First turn that stays: the summary is a user turn, so an assistant's must follow.
    fn border(&self, turns: &[Arc<Turn>]) -> Option<usize> {
        last_assistant(turns, turns.len().saturating_sub(self.params.last)).filter(|border| *border > 1)
    }
}

impl Processor for Compaction {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::StepStart { turns } => {
                if self.opening.is_none()
                    && let Some(Message::User { text }) = turns.first().map(|turn| &turn.message)
                {
                    self.opening = Some(text.clone());
                }
                if !self.is_due(turns) {
                    return Ok(Action::Pass);
                }
                let Some(border) = self.border(turns) else { return Ok(Action::Pass) };
                Ok(Action::Ask(Question {
                    role: self.params.role,
                    system: self.params.instruction.clone(),
                    prompt: transcript(&turns[..border], self.params.clip),
                    decision: Decision::Free,
                    max_tokens: self.params.max_tokens,
                }))
            }
            Event::StepEnd { turns } => {
                self.counted = self.counted.map(|(count, bytes)| (count + turns.len(), bytes + bytes_of(turns)));
                Ok(Action::Pass)
            }
            Event::TaskStart { .. }
            | Event::BeforeModel { .. }
            | Event::AfterModel { .. }
            | Event::BeforeTool { .. }
            | Event::AfterTool { .. }
            | Event::TaskEnd { .. } => Ok(Action::Pass),
        }
    }

    fn told(&mut self, answer: &Reply, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::StepStart { turns } = event else { return Ok(Action::Pass) };
        let summary = answer.text.trim();
        let Some(to) = self.border(turns).filter(|_| !summary.is_empty()) else {
            self.not_before = turns.len() + self.params.last;
            return Ok(Action::Pass);
        };
        self.counted = None;
        let opening = self.opening.as_deref().map_or(String::new(), |opening| format!("{opening}\n\n"));
        let text = format!("{opening}{}\n{summary}", self.params.heading);
        Ok(Action::Replace(Replace::StepStart { history: vec![HistoryEdit::Summarise { from: 0, to, text }] }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, refused};

    fn history(pairs: usize) -> Vec<Arc<Turn>> {
        let mut turns = vec![Turn::new(Message::user("the task"))];
        for index in 0..pairs {
            turns.push(Turn::new(Message::assistant(format!("act {index} {}", "x".repeat(100)))));
            turns.push(Turn::new(Message::user(format!("seen {index} {}", "y".repeat(100)))));
        }
        turns
    }

    #[test]
    fn a_long_history_is_summarised_behind_its_first_turn() {
        let mut drive = Drive::new(&NATIVE, "threshold = 200\nlast = 2");
        assert_eq!(drive.on(&Event::StepStart { turns: &history(2) }), Action::Pass);
        let long = history(6);
        let Action::Ask(question) = drive.on(&Event::StepStart { turns: &long }) else { panic!("must ask") };
        assert!(question.prompt.contains("act 0") && !question.prompt.contains("act 5"), "{}", question.prompt);
        let Action::Replace(Replace::StepStart { history }) = drive.told(" short ", &Event::StepStart { turns: &long }) else {
            panic!("must summarise");
        };
        let text = "the task\n\nSummary of what happened before:\nshort".to_owned();
        assert_eq!(history, [HistoryEdit::Summarise { from: 0, to: 11, text }]);
    }

    #[test]
    fn an_empty_summary_changes_nothing_and_is_not_asked_for_at_once() {
        let mut drive = Drive::new(&NATIVE, "threshold = 200\nlast = 2");
        let long = history(6);
        assert!(matches!(drive.on(&Event::StepStart { turns: &long }), Action::Ask(_)));
        assert_eq!(drive.told("", &Event::StepStart { turns: &long }), Action::Pass);
        assert_eq!(drive.on(&Event::StepStart { turns: &long }), Action::Pass);
        assert!(refused(&NATIVE, "threshold = 1").starts_with("threshold"));
    }
}
