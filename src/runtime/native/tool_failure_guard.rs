//! Steps in when a tool fails time after time: a hint, a rest for the tool, or the end of the episode.

use crate::domain::event::{Action, Event, Hook, Intercept, Scene, ToolResult};
use crate::domain::harness::Harness;
use crate::domain::id::ToolName;
use crate::runtime::native::pattern::{check_names, compile_optional, failed, fill, with_message, within};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "tool_failure_guard",
    behaviour: 1,
    group: Some("tool_failure_guard"),
    hooks: &[Hook::BeforeModel, Hook::BeforeTool, Hook::AfterTool],
    dimension: Dimension::ControlAndSafety,
    summary: "Hints, denies or interrupts when a tool fails several times in a row.",
    build,
    complete: complete_params::<Params>,
};

/// What happens after too many failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Then {
    /// The agent is told, at each failure from then on.
    #[default]
    Hint,
    /// Calls of the tool are turned away for some steps.
    Deny,
    /// The episode ends.
    Interrupt,
}

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Failures of one tool in a row, 1 to 1000.
    failures: u32,
    /// Pattern on results that count as failures besides those marked as errors. Empty: none.
    pattern: String,
    /// `hint`, `deny` or `interrupt`.
    then: Then,
    /// Steps for which the tool is denied, the present one not counted; 1 to 1000.
    deny_steps: u32,
    /// What the agent is told: `{tool}` failed `{count}` times.
    message: String,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            failures: 3,
            pattern: String::new(),
            then: Then::default(),
            deny_steps: 3,
            message: "{tool} failed {count} times in a row. Use another way.".into(),
        }
    }
}

struct ToolFailureGuard {
    params: Params,
    pattern: Option<Regex>,
    /// Failures in a row.
    failures: HashMap<ToolName, u32>,
    /// First step in which a denied tool may be used again.
    denied: HashMap<ToolName, u32>,
    message: String,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("failures", params.failures, 1, 1000)?;
    within("deny_steps", params.deny_steps, 1, 1000)?;
    check_names("message", &params.message, &["tool", "count"])?;
    let pattern = compile_optional("pattern", &params.pattern)?;
    Ok(Box::new(ToolFailureGuard { params, pattern, failures: HashMap::new(), denied: HashMap::new(), message: String::new() }))
}

impl ToolFailureGuard {
    fn is_denied(&self, tool: &ToolName, step: u32) -> bool {
        self.denied.get(tool).is_some_and(|until| step < *until)
    }

    fn message_for(&self, tool: &ToolName, count: u32) -> String {
        fill(&self.params.message, |name| match name {
            "tool" => Some(tool.to_string()),
            "count" => Some(count.to_string()),
            _ => None,
        })
    }

    fn learn(&mut self, tool: &ToolName, result: &ToolResult, step: u32) -> Action {
        // A call that was turned away here says nothing about the tool.
        if self.is_denied(tool, step) {
            return Action::Pass;
        }
        if !failed(result, self.pattern.as_ref()) {
            self.failures.remove(tool);
            return Action::Pass;
        }
        let count = self.failures.entry(tool.clone()).or_default();
        *count += 1;
        let count = *count;
        if count < self.params.failures {
            return Action::Pass;
        }
        match self.params.then {
            Then::Hint => self.message = self.message_for(tool, count),
            Then::Deny => {
                self.failures.remove(tool);
                self.denied.insert(tool.clone(), step.saturating_add(self.params.deny_steps + 1));
            }
            Then::Interrupt => return Action::Interrupt { reason: format!("{tool} failed {count} times in a row") },
        }
        Action::Pass
    }
}

impl Processor for ToolFailureGuard {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::AfterTool { call, result, .. } => Ok(self.learn(&call.name, result, scene.step)),
            Event::BeforeTool { call } if self.is_denied(&call.name, scene.step) => {
                let text = self.message_for(&call.name, self.params.failures);
                Ok(Action::Intercept(Intercept::Result(ToolResult { text, is_error: true })))
            }
            Event::BeforeModel { .. } => Ok(with_message(std::mem::take(&mut self.message))),
            Event::TaskStart { .. }
            | Event::StepStart { .. }
            | Event::AfterModel { .. }
            | Event::BeforeTool { .. }
            | Event::StepEnd { .. }
            | Event::TaskEnd { .. } => Ok(Action::Pass),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, call, refused};

    #[test]
    fn a_hint_follows_failures_in_a_row_only() {
        let mut drive = Drive::new(&NATIVE, "failures = 2\npattern = \"^cannot\"");
        drive.after_error("act");
        drive.after_tool("x", "fine", &[]);
        drive.after_error("act");
        assert_eq!(drive.before_model("", &[]).append_user, None);
        drive.after_tool("x", "cannot do it", &[]);
        assert!(drive.before_model("", &[]).append_user.unwrap().starts_with("act failed 2 times"));
    }

    #[test]
    fn a_failing_tool_can_be_rested_or_end_the_episode() {
        let mut drive = Drive::new(&NATIVE, "failures = 1\nthen = \"deny\"\ndeny_steps = 1");
        drive.after_error("run");
        let run = call("run", "a", "b");
        drive.step = 2;
        assert!(matches!(drive.on(&Event::BeforeTool { call: &run }), Action::Intercept(_)));
        drive.step = 3;
        assert_eq!(drive.on(&Event::BeforeTool { call: &run }), Action::Pass);
        let mut drive = Drive::new(&NATIVE, "failures = 1\nthen = \"interrupt\"");
        assert!(matches!(drive.after_error("run"), Action::Interrupt { .. }));
        assert!(refused(&NATIVE, "failures = 0").starts_with("failures"));
    }
}
