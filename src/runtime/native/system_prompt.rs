//! Renders the system prompt from a minijinja template of the harness.

use crate::domain::event::{Action, Event, Hook, Replace, Scene};
use crate::domain::harness::Harness;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use crate::runtime::template::Template;
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "system_prompt",
    behaviour: 1,
    group: Some("system_prompt"),
    hooks: &[Hook::TaskStart],
    dimension: Dimension::ContextAssembly,
    summary: "Renders the system prompt from a template with the variables task, tags and tools.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Template file within the harness.
    template: String,
}

impl Default for Params {
    fn default() -> Self {
        Self { template: "prompts/system.md".into() }
    }
}

struct SystemPrompt {
    template: Template,
}

fn build(params: &toml::Table, harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    Ok(Box::new(SystemPrompt { template: Template::of_file(harness, &params.template)? }))
}

impl Processor for SystemPrompt {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::TaskStart { .. } = event else { return Ok(Action::Pass) };
        let system = Some(self.template.render(scene).map_err(Fault)?);
        Ok(Action::Replace(Replace::TaskStart { system, demonstrations: None }))
    }
}
