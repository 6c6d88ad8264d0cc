//! Chooses who answers and how the reply is drawn, by step, by failures in a row, or by a tag of the task.

use crate::domain::event::{Action, Event, Hook, RequestChange, Scene};
use crate::domain::harness::Harness;
use crate::domain::request::{ModelRole, Sampling};
use crate::runtime::native::pattern::{compile_optional, failed, request};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "model_router",
    behaviour: 1,
    group: Some("model_router"),
    hooks: &[Hook::BeforeModel, Hook::AfterTool],
    dimension: Dimension::ModelSelection,
    summary: "Chooses role and sampling by step, by failures in a row, or by a tag of the task.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// The first rule whose conditions all hold decides.
    rules: Vec<Rule>,
    /// Pattern on results that count as failures besides those marked as errors. Empty: none.
    failure: String,
}

/// One rule; absent conditions hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rule {
    /// First step, from 1; 0: any.
    from_step: u32,
    /// Last step; 0: none.
    to_step: u32,
    /// Failures in a row, at least.
    failures: u32,
    /// Tag of the task that must have the value `equals`. Empty: none.
    tag: String,
    /// Value of `tag`.
    equals: String,
    /// Who answers: `main`, `judge`, `meta` or `user`. Absent: as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<ModelRole>,
    /// How the reply is drawn; what it leaves open stays as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    sampling: Option<Sampling>,
}

struct ModelRouter {
    params: Params,
    failure: Option<Regex>,
    failures: u32,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    for (index, rule) in params.rules.iter().enumerate() {
        check(rule).map_err(|problem| format!("rules[{index}].{problem}"))?;
    }
    Ok(Box::new(ModelRouter { failure: compile_optional("failure", &params.failure)?, params, failures: 0 }))
}

fn check(rule: &Rule) -> Result<(), String> {
    if rule.role.is_none() && rule.sampling.is_none() {
        return Err("role: a rule must set role or sampling".into());
    }
    if rule.to_step > 0 && rule.to_step < rule.from_step {
        return Err(format!("to_step: {} lies before from_step {}", rule.to_step, rule.from_step));
    }
    rule.sampling.as_ref().map_or(Ok(()), Sampling::check).map_err(|problem| format!("sampling.{problem}"))
}

impl ModelRouter {
    fn holds(&self, rule: &Rule, scene: &Scene<'_>) -> bool {
        scene.step >= rule.from_step
            && (rule.to_step == 0 || scene.step <= rule.to_step)
            && self.failures >= rule.failures
            && (rule.tag.is_empty() || scene.tags.get(&rule.tag) == Some(&rule.equals))
    }
}

impl Processor for ModelRouter {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::AfterTool { result, .. } => {
                self.failures = if failed(result, self.failure.as_ref()) { self.failures.saturating_add(1) } else { 0 };
                Ok(Action::Pass)
            }
            Event::BeforeModel { role, sampling, .. } => {
                let Some(rule) = self.params.rules.iter().find(|rule| self.holds(rule, scene)) else { return Ok(Action::Pass) };
                let changed = rule.sampling.as_ref().map(|wanted| wanted.or(sampling)).filter(|wanted| wanted != *sampling);
                let new_role = rule.role.filter(|wanted| wanted != role);
                if changed.is_none() && new_role.is_none() {
                    return Ok(Action::Pass);
                }
                Ok(request(RequestChange { role: new_role, sampling: changed, ..RequestChange::default() }))
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
    fn the_first_rule_that_holds_decides() {
        let params = r#"
            [[rules]]
            failures = 2
            role = "meta"
            [[rules]]
            tag = "kind"
            equals = "a"
            to_step = 1
            sampling = { temperature = 0.3 }
        "#;
        let mut drive = Drive::new(&NATIVE, params).tag("kind", "a");
        assert_eq!(drive.before_model("", &[]).sampling.unwrap().temperature, Some(0.3));
        drive.step = 2;
        assert_eq!(drive.before_model("", &[]), RequestChange::default());
        drive.after_error("x");
        drive.after_error("y");
        assert_eq!(drive.before_model("", &[]).role, Some(ModelRole::Meta));
        drive.after_tool("x", "fine", &[]);
        assert_eq!(drive.before_model("", &[]).role, None);
    }

    #[test]
    fn odd_rules_are_named() {
        assert!(refused(&NATIVE, "rules = [{ failures = 1 }]").starts_with("rules[0].role"));
        assert!(refused(&NATIVE, "rules = [{ sampling = { top_p = 0.0 } }]").starts_with("rules[0].sampling.top_p"));
        assert!(refused(&NATIVE, "rules = [{ sampling = { stop = [\"\"] } }]").starts_with("rules[0].sampling.stop"));
    }
}
