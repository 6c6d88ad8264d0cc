//! Asks again when a reply cannot be read: it is cut off, does not match a pattern, is not JSON, lacks keys, or names no admissible action.

use crate::domain::event::{Action, Event, Hook, Intercept, Replace, Scene};
use crate::domain::harness::Harness;
use crate::domain::request::{Finish, Reply};
use crate::runtime::hooks::CALLS_A_STEP;
use crate::runtime::native::fence::unfenced;
use crate::runtime::native::pattern::{check_names, compile_optional, fill, within};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "parse_retry",
    behaviour: 1,
    group: Some("parse_retry"),
    hooks: &[Hook::StepStart, Hook::AfterModel],
    dimension: Dimension::ControlAndSafety,
    summary: "Asks again when a reply without tool calls cannot be read.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of its own")]
struct Params {
    /// Pattern that the text must match. Empty: anything does.
    pattern: String,
    /// The text must be JSON; a code fence around it is no matter.
    json: bool,
    /// Keys that the JSON object must have; implies `json`.
    keys: Vec<String>,
    /// The reply must not have been cut off at its greatest length.
    whole: bool,
    /// Where actions are listed, the text must be one of them.
    admissible: bool,
    /// What the model is told: `{problem}`.
    message: String,
    /// Most retries a step, 0 to 3; after them the reply stands.
    most: u32,
    /// Take the bad reply out of the conversation, rather than keep it beside the message.
    drop_reply: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            pattern: String::new(),
            json: false,
            keys: Vec::new(),
            whole: false,
            admissible: false,
            message: "Your reply could not be used: {problem}. Please answer again in the required form.".into(),
            most: 2,
            drop_reply: false,
        }
    }
}

struct ParseRetry {
    params: Params,
    pattern: Option<Regex>,
    retried: u32,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("most", params.most, 0, CALLS_A_STEP - 1)?;
    check_names("message", &params.message, &["problem"])?;
    Ok(Box::new(ParseRetry { pattern: compile_optional("pattern", &params.pattern)?, params, retried: 0 }))
}

impl ParseRetry {
    fn problem(&self, reply: &Reply, actions: &[String]) -> Option<String> {
        if !reply.tool_calls.is_empty() {
            return None;
        }
        let text = reply.text.trim();
        if self.params.whole && reply.finish == Finish::Length {
            return Some("it was cut off; say less at once".into());
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            return Some("it does not have the required form".into());
        }
        if self.params.admissible && !actions.is_empty() && !actions.iter().any(|action| action == text) {
            return Some("it is not one of the actions listed".into());
        }
        if !self.params.json && self.params.keys.is_empty() {
            return None;
        }
        match serde_json::from_str::<serde_json::Value>(unfenced(text)) {
            Err(error) => Some(format!("it is not JSON ({error})")),
            Ok(value) => {
                let missing = self.params.keys.iter().find(|key| value.get(key.as_str()).is_none());
                missing.map(|key| format!("the key {key:?} is missing"))
            }
        }
    }
}

impl Processor for ParseRetry {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::AfterModel { reply, actions, .. } = event else {
            self.retried = 0;
            return Ok(Action::Pass);
        };
        if self.retried >= self.params.most {
            return Ok(Action::Pass);
        }
        let Some(problem) = self.problem(reply, actions) else { return Ok(Action::Pass) };
        self.retried += 1;
        let message = fill(&self.params.message, |name| (name == "problem").then(|| problem.clone()));
        Ok(if self.params.drop_reply {
            Action::Intercept(Intercept::Again(message))
        } else {
            Action::Replace(Replace::AfterModel { reply: None, again: Some(message) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, again, refused, reply};

    #[test]
    fn unreadable_replies_are_asked_for_again_but_not_for_ever() {
        let mut drive = Drive::new(&NATIVE, "keys = [\"answer\"]\nmessage = \"{problem}\"\nmost = 2");
        assert!(again(drive.answer("well")).unwrap().contains("not JSON"));
        assert!(again(drive.answer("{\"a\": 1}")).unwrap().contains("\"answer\""));
        assert_eq!(drive.answer("well"), Action::Pass);
        drive.step_start(&[]);
        assert_eq!(drive.answer("```json\n{\"answer\": 1}\n```"), Action::Pass);
        assert!(again(drive.answer("well")).is_some());
    }

    #[test]
    fn no_more_retries_can_be_asked_for_than_a_step_has_calls() {
        assert_eq!(refused(&NATIVE, "most = 4"), "most: 4 is not within 0 to 3");
        assert!(again(Drive::new(&NATIVE, "json = true\nmost = 3").answer("well")).is_some());
    }

    #[test]
    fn the_form_can_be_a_pattern() {
        let mut drive = Drive::new(&NATIVE, "pattern = \"^answer: .+\"\ndrop_reply = true");
        assert_eq!(drive.answer("Answer: 3"), Action::Pass);
        assert!(matches!(drive.answer("3"), Action::Intercept(Intercept::Again(_))));
        assert!(refused(&NATIVE, "pattern = \"(\"").starts_with("pattern"));
    }

    #[test]
    fn a_reply_that_was_cut_off_is_asked_for_again() {
        let mut drive = Drive::new(&NATIVE, "whole = true");
        let cut = Reply { finish: Finish::Length, ..reply("Let me") };
        let told = again(drive.on(&Event::AfterModel { reply: &cut, actions: &[], calls: 1, is_final: false }));
        assert!(told.unwrap().contains("cut off"));
        assert_eq!(drive.answer("Let me"), Action::Pass);
    }
}
