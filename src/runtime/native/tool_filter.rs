//! Offers only some tools, in some steps, and turns away calls of those withheld.

use crate::domain::event::{Action, Event, Hook, Intercept, RequestChange, Scene, ToolResult};
use crate::domain::harness::Harness;
use crate::domain::id::ToolName;
use crate::runtime::native::pattern::{any, check_names, compile_list, fill, request};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "tool_filter",
    behaviour: 1,
    group: None,
    hooks: &[Hook::BeforeModel, Hook::BeforeTool],
    dimension: Dimension::Tools,
    summary: "Offers only some tools, in some steps.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Patterns on names of tools that are offered. Empty: all.
    allow: Vec<String>,
    /// Patterns on names of tools that are withheld, also where `allow` has them.
    deny: Vec<String>,
    /// First step of the filter, from 1.
    from_step: u32,
    /// Last step of the filter; 0: none.
    to_step: u32,
    /// Turn away calls of tools withheld, with `message`.
    guard: bool,
    /// Result of a call turned away: `{tool}`.
    message: String,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            from_step: 1,
            to_step: 0,
            guard: true,
            message: "The tool {tool} cannot be used now.".into(),
        }
    }
}

struct ToolFilter {
    params: Params,
    allow: Vec<Regex>,
    deny: Vec<Regex>,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    if params.to_step > 0 && params.to_step < params.from_step {
        return Err(format!("to_step: {} lies before from_step {}", params.to_step, params.from_step));
    }
    check_names("message", &params.message, &["tool"])?;
    let (allow, deny) = (compile_list("allow", &params.allow)?, compile_list("deny", &params.deny)?);
    Ok(Box::new(ToolFilter { params, allow, deny }))
}

impl ToolFilter {
    fn holds(&self, step: u32) -> bool {
        step >= self.params.from_step && (self.params.to_step == 0 || step <= self.params.to_step)
    }

    fn offered(&self, name: &ToolName) -> bool {
        (self.allow.is_empty() || any(&self.allow, name.as_str())) && !any(&self.deny, name.as_str())
    }
}

impl Processor for ToolFilter {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        if !self.holds(scene.step) {
            return Ok(Action::Pass);
        }
        match event {
            Event::BeforeModel { tools, .. } => {
                let left: Vec<ToolName> = tools.iter().map(|tool| &tool.name).filter(|name| self.offered(name)).cloned().collect();
                if left.len() == tools.len() {
                    return Ok(Action::Pass);
                }
                Ok(request(RequestChange { tools: Some(left), ..RequestChange::default() }))
            }
            Event::BeforeTool { call } if self.params.guard && !self.offered(&call.name) => {
                let text = fill(&self.params.message, |name| (name == "tool").then(|| call.name.to_string()));
                Ok(Action::Intercept(Intercept::Result(ToolResult { text, is_error: true })))
            }
            Event::TaskStart { .. }
            | Event::StepStart { .. }
            | Event::AfterModel { .. }
            | Event::BeforeTool { .. }
            | Event::AfterTool { .. }
            | Event::StepEnd { .. }
            | Event::TaskEnd { .. } => Ok(Action::Pass),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, call, refused, tool};

    #[test]
    fn tools_withheld_are_neither_offered_nor_run() {
        let mut drive = Drive::new(&NATIVE, "allow = [\"^read\", \"^write\"]\ndeny = [\"secret\"]\nto_step = 3");
        drive.tools = vec![tool("read"), tool("write_secret"), tool("run")];
        assert_eq!(drive.before_model("", &[]).tools, Some(vec!["read".into()]));
        let run = call("run", "a", "b");
        assert!(matches!(drive.on(&Event::BeforeTool { call: &run }), Action::Intercept(Intercept::Result(_))));
        drive.step = 4;
        assert_eq!(drive.before_model("", &[]).tools, None);
        assert_eq!(drive.on(&Event::BeforeTool { call: &run }), Action::Pass);
        assert!(refused(&NATIVE, "from_step = 3\nto_step = 2").starts_with("to_step"));
    }
}
