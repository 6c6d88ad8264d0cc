//! Puts some actions first: while actions of a preferred kind are admitted and not yet taken, only they are offered.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::runtime::native::pattern::{action_of, compile_list, narrowed, within};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "preferred_actions",
    behaviour: 1,
    group: Some("preferred_actions"),
    hooks: &[Hook::BeforeModel, Hook::AfterTool],
    dimension: Dimension::ControlAndSafety,
    summary: "Offers only actions of a preferred kind while there are any that were not taken yet.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Patterns on actions, best first.
    prefer: Vec<String>,
    /// How often one action is preferred: after it was taken so often it is offered like any other, 1 to 1000.
    times: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { prefer: Vec::new(), times: 1 }
    }
}

struct PreferredActions {
    params: Params,
    prefer: Vec<Regex>,
    taken: HashMap<String, u32>,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("times", params.times, 1, 1000)?;
    Ok(Box::new(PreferredActions { prefer: compile_list("prefer", &params.prefer)?, params, taken: HashMap::new() }))
}

impl PreferredActions {
    fn preferred(&self, actions: &[String]) -> Vec<String> {
        let fresh = |action: &&String| self.taken.get(*action).is_none_or(|taken| *taken < self.params.times);
        for pattern in &self.prefer {
            let found: Vec<String> = actions.iter().filter(fresh).filter(|action| pattern.is_match(action)).cloned().collect();
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }
}

impl Processor for PreferredActions {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::BeforeModel { actions, .. } => Ok(narrowed(actions, self.preferred(actions))),
            Event::AfterTool { call, .. } => {
                *self.taken.entry(action_of(call).to_owned()).or_default() += 1;
                Ok(Action::Pass)
            }
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
    fn preferred_actions_come_first_and_once() {
        let mut drive = Drive::new(&NATIVE, "prefer = [\"^lift\", \"^open\"]");
        assert_eq!(drive.left(&["walk", "open gate", "lift cup"]), ["lift cup"]);
        assert_eq!(drive.left(&["walk", "open gate"]), ["open gate"]);
        drive.after_tool("open gate", "it is open", &[]);
        assert_eq!(drive.left(&["walk", "open gate"]), ["walk", "open gate"]);
        assert!(refused(&NATIVE, "times = 0").starts_with("times"));
    }
}
