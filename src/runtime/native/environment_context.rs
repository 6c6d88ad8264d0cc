//! Tells the model where it is: facts of the task and its tools in the system prompt, facts of the step after each observation.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::runtime::native::pattern::{check_names, fill, with_line, with_section};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "environment_context",
    behaviour: 1,
    group: Some("environment_context"),
    hooks: &[Hook::TaskStart, Hook::BeforeModel],
    dimension: Dimension::ContextAssembly,
    summary: "Adds facts of the task, its tools and the step to what the model reads.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Put before the facts in the system prompt.
    heading: String,
    /// Tags of the task that are told, by name, as `name: value`; tags that it lacks are left out.
    tags: Vec<String>,
    /// Tell each tool's name and description.
    tools: bool,
    /// Further lines, as they are.
    facts: Vec<String>,
    /// Line after each observation: `{step}` from 1, `{tokens}` used, `{cost}` in US dollars, `{seconds}` since the start (no two
    /// episodes then ask the same, so that nothing is untouched and no reply is found again). Empty: none.
    step_line: String,
}

impl Default for Params {
    fn default() -> Self {
        Self { heading: "Environment:".into(), tags: Vec::new(), tools: false, facts: Vec::new(), step_line: String::new() }
    }
}

struct EnvironmentContext {
    params: Params,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    check_names("step_line", &params.step_line, &["step", "tokens", "cost", "seconds"])?;
    Ok(Box::new(EnvironmentContext { params }))
}

impl EnvironmentContext {
    fn section(&self, scene: &Scene<'_>) -> Option<String> {
        let tags = self.params.tags.iter().filter_map(|name| Some(format!("{name}: {}", scene.tags.get(name)?)));
        let shown = if self.params.tools { scene.tools } else { &[] };
        let tools = shown.iter().map(|tool| format!("tool {}: {}", tool.name, tool.description));
        let lines: Vec<String> = tags.chain(tools).chain(self.params.facts.iter().cloned()).map(|line| format!("- {line}")).collect();
        if lines.is_empty() { None } else { Some(format!("{}\n{}", self.params.heading, lines.join("\n"))) }
    }

    fn line(&self, scene: &Scene<'_>) -> String {
        fill(&self.params.step_line, |name| match name {
            "step" => Some(scene.step.to_string()),
            "tokens" => Some(scene.usage.tokens().to_string()),
            "cost" => Some(format!("{:.2}", scene.usage.cost)),
            "seconds" => Some((scene.elapsed_ms / 1000).to_string()),
            _ => None,
        })
    }
}

impl Processor for EnvironmentContext {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::TaskStart { system, .. } => Ok(self.section(scene).map_or(Action::Pass, |section| with_section(system, &section))),
            Event::BeforeModel { turns, .. } => Ok(with_line(turns, &self.line(scene))),
            Event::StepStart { .. }
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
    use crate::runtime::native::drive::{Drive, refused, tool};

    #[test]
    fn facts_stand_in_the_system_prompt_and_after_observations() {
        let params = "tags = [\"kind\", \"none\"]\ntools = true\nfacts = [\"be quick\"]\nstep_line = \"Step {step}.\"";
        let mut drive = Drive::new(&NATIVE, params).tag("kind", "a");
        drive.tools = vec![tool("run")];
        let system = drive.task_start("You act.").0.unwrap();
        assert_eq!(system, "You act.\n\nEnvironment:\n- kind: a\n- tool run: does run\n- be quick");
        assert_eq!(drive.before_model("hall", &[]).last_user.as_deref(), Some("hall\nStep 1."));
        assert_eq!(Drive::new(&NATIVE, "").task_start("x"), (None, None));
        assert!(refused(&NATIVE, "step_line = \"{steps}\"").starts_with("step_line"));
    }
}
