//! What an engine keeps of visible train traces: per episode the actions taken, what came back, and which actions were admitted, with
//! equal texts kept once. Filled from traces one line at a time; what is beyond the limits is passed over, so memory is bounded.

use crate::domain::id::TaskId;
use crate::domain::task::Tags;
use crate::store::trace_file::{TraceError, TraceReader};
use crate::store::trace_lines::{TraceLine, read_trace_lines};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Episodes kept; those read later are passed over.
const EPISODES: usize = 4_000;

/// Steps kept of one episode.
const STEPS: usize = 500;

/// Different texts kept of all episodes together.
const TEXTS: usize = 400_000;

/// Longest text kept, in bytes.
const TEXT_BYTES: usize = 8 * 1024;

/// What was seen in train traces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Experience {
    /// Episodes in the order they were read.
    pub episodes: Vec<Played>,
    /// Every different action and result, by number.
    texts: Vec<String>,
}

/// One episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// The task.
    pub task: TaskId,
    /// Its text.
    pub text: String,
    /// Known before the outcome.
    pub tags: Tags,
    /// Trace, relative to the round's folder, as anchors name it.
    pub trace: String,
    /// Whether it was solved; `None`: missing or unfinished.
    pub solved: Option<bool>,
    /// What the agent read first.
    pub opening: String,
    /// Its calls in order.
    pub steps: Vec<PlayedStep>,
}

/// One call into the environment that named one action, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayedStep {
    /// Step, from 1.
    pub step: u32,
    /// Number of the action's text.
    pub action: usize,
    /// Number of the result's text.
    pub result: usize,
    /// The tool failed.
    pub is_error: bool,
    /// Numbers of the actions admitted when it was taken, in order; empty where the environment lists none.
    pub admitted: Vec<usize>,
}

impl Experience {
    /// The text of a number.
    pub fn text(&self, number: usize) -> &str {
        self.texts.get(number).map_or("", String::as_str)
    }
}

/// Fills an [`Experience`].
#[derive(Debug, Default)]
pub struct ExperienceBuilder {
    experience: Experience,
    numbers: HashMap<String, usize>,
}

/// What is read of a request's turn.
#[derive(Deserialize)]
struct TurnLine {
    role: String,
    #[serde(default)]
    text: String,
}

/// What is read of the form of a reply.
#[derive(Deserialize)]
struct ChoiceLine {
    #[serde(default)]
    options: Vec<String>,
}

impl ExperienceBuilder {
    /// Reads a trace; `name` is how anchors call it.
    ///
    /// # Errors
    /// What the operating system refused, or a line that is no record.
    pub fn read(&mut self, path: &Path, name: &str) -> Result<(), TraceError> {
        if self.experience.episodes.len() >= EPISODES {
            return Ok(());
        }
        let mut played = Played {
            task: TaskId(String::new()),
            text: String::new(),
            tags: Tags::new(),
            trace: name.to_owned(),
            solved: None,
            opening: String::new(),
            steps: Vec::new(),
        };
        let mut admitted: Vec<usize> = Vec::new();
        read_trace_lines(&mut TraceReader::open(path)?, |line, _| {
            self.line(line, &mut played, &mut admitted);
            Ok(())
        })?;
        self.experience.episodes.push(played);
        Ok(())
    }

    fn line(&mut self, line: &TraceLine<'_>, played: &mut Played, admitted: &mut Vec<usize>) {
        match line.record.as_ref() {
            "episode" => {
                played.task = TaskId(line.task.as_deref().unwrap_or_default().to_owned());
                line.task_text.as_deref().unwrap_or_default().clone_into(&mut played.text);
                played.tags = line.tags.clone().unwrap_or_default();
            }
            "request" if played.opening.is_empty() && line.is_own_request() => {
                played.opening = opening(line).unwrap_or_default();
                let choice = line.decision.and_then(|decision| serde_json::from_str::<ChoiceLine>(decision.get()).ok());
                *admitted = choice.into_iter().flat_map(|choice| choice.options).filter_map(|option| self.number(&option)).collect();
            }
            "tool" if line.is_of_environment() => self.step(line, played, admitted),
            "outcome" => {
                played.solved = match line.outcome.as_deref() {
                    Some("solved") => Some(true),
                    Some("failed") => Some(false),
                    _ => None,
                };
            }
            _ => {}
        }
    }

    fn step(&mut self, line: &TraceLine<'_>, played: &mut Played, admitted: &mut Vec<usize>) {
        let (Some(call), Some(result)) = (&line.call, &line.result) else { return };
        // As `runtime::native` reads a call: its first text argument is the action.
        let fields: BTreeMap<String, serde_json::Value> = serde_json::from_str(call.arguments.get()).unwrap_or_default();
        let action = fields.values().find_map(serde_json::Value::as_str);
        let numbers = action.and_then(|action| Some((self.number(action)?, self.number(&result.text)?)));
        if let (Some((action, result_number)), true) = (numbers, played.steps.len() < STEPS) {
            let (step, is_error) = (line.step, result.is_error);
            played.steps.push(PlayedStep { step, action, result: result_number, is_error, admitted: admitted.clone() });
        }
        if let Some(actions) = &line.actions {
            *admitted = actions.iter().filter_map(|action| self.number(action)).collect();
        }
    }

    /// The number of a text; `None` where it is too long, or one too many.
    fn number(&mut self, text: &str) -> Option<usize> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        let number = self.experience.texts.len();
        if number >= TEXTS || text.len() > TEXT_BYTES {
            return None;
        }
        self.experience.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        Some(number)
    }

    /// What was read.
    pub fn finish(self) -> Experience {
        self.experience
    }
}

/// The last user turn of a request.
fn opening(line: &TraceLine<'_>) -> Option<String> {
    let turns: Vec<TurnLine> = serde_json::from_str(line.turns?.get()).ok()?;
    turns.into_iter().rev().find(|turn| turn.role == "user").map(|turn| turn.text).filter(|text| text.len() <= TEXT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_environment_answered_is_a_step() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        let call = |source: &str, action: &str| {
            let call = format!(r#""call":{{"id":"c1","name":"act","arguments":{{"command":"{action}"}}}},"result":{{"text":"r"}}"#);
            format!(r#"{{"record":"tool","step":1{source},{call}}}"#)
        };
        let answered = ["", r#","source":"environment""#, r#","source":"harness""#, r#","source":"program""#, r#","source":"agent""#];
        let lines: Vec<String> = answered.iter().zip(["a", "b", "c", "d", "e"]).map(|(source, action)| call(source, action)).collect();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        let mut builder = ExperienceBuilder::default();
        builder.read(&path, "t.jsonl").unwrap();
        let experience = builder.finish();
        let actions: Vec<&str> = experience.episodes[0].steps.iter().map(|step| experience.text(step.action)).collect();
        assert_eq!(actions, ["a", "b"]);
    }
}
