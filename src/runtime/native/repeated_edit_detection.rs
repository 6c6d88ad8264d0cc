//! Notices when the agent edits the same thing over and over, and tells it.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::runtime::native::pattern::{any, check_names, compile_list, fill, with_message, within};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "repeated_edit_detection",
    behaviour: 1,
    group: Some("repeated_edit_detection"),
    hooks: &[Hook::BeforeModel, Hook::AfterTool],
    dimension: Dimension::ControlAndSafety,
    summary: "Tells the agent when it edits the same thing over and over.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Patterns on names of tools that edit. Empty: the processor does nothing.
    tools: Vec<String>,
    /// The argument that names what is edited.
    argument: String,
    /// Edits of one thing at which the agent is told, and at each multiple; 2 to 1000.
    edits: u32,
    /// Patterns on names of tools whose call begins the count anew.
    reset: Vec<String>,
    /// What the agent is told: `{count}` edits of `{value}`.
    message: String,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            tools: Vec::new(),
            argument: "path".into(),
            edits: 4,
            reset: Vec::new(),
            message: "You have edited {value} {count} times. Step back and check what is really wrong before editing it again.".into(),
        }
    }
}

struct RepeatedEditDetection {
    params: Params,
    tools: Vec<Regex>,
    reset: Vec<Regex>,
    counts: HashMap<String, u32>,
    message: String,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("edits", params.edits, 2, 1000)?;
    check_names("message", &params.message, &["count", "value"])?;
    let (tools, reset) = (compile_list("tools", &params.tools)?, compile_list("reset", &params.reset)?);
    Ok(Box::new(RepeatedEditDetection { params, tools, reset, counts: HashMap::new(), message: String::new() }))
}

impl Processor for RepeatedEditDetection {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::AfterTool { call, .. } => {
                if any(&self.reset, call.name.as_str()) {
                    self.counts.clear();
                }
                let value = call.arguments.field(&self.params.argument).filter(|_| any(&self.tools, call.name.as_str()));
                let Some(value) = value else { return Ok(Action::Pass) };
                let count = self.counts.entry(value.to_owned()).or_default();
                *count += 1;
                if count.is_multiple_of(self.params.edits) {
                    self.message = fill(&self.params.message, |name| match name {
                        "count" => Some(count.to_string()),
                        "value" => Some(value.to_owned()),
                        _ => None,
                    });
                }
                Ok(Action::Pass)
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
    use crate::runtime::native::drive::{Drive, refused};

    #[test]
    fn edits_of_one_thing_are_counted_until_reset() {
        let mut drive = Drive::new(&NATIVE, "tools = [\"^act$\"]\nargument = \"action\"\nedits = 2\nreset = [\"^check$\"]");
        drive.after_tool("a", "", &[]);
        drive.after_tool("b", "", &[]);
        assert_eq!(drive.before_model("", &[]).append_user, None);
        drive.after_tool("a", "", &[]);
        assert!(drive.before_model("", &[]).append_user.unwrap().contains("edited a 2 times"));
        drive.after_error("check");
        drive.after_tool("b", "", &[]);
        assert_eq!(drive.before_model("", &[]).append_user, None);
        assert!(refused(&NATIVE, "edits = 1").starts_with("edits"));
    }
}
