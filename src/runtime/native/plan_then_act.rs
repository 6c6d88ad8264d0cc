//! The strategy "plan, then act": before the first action a model writes a plan, which stays in sight.

use crate::domain::event::{Action, Event, Hook, Question, Scene};
use crate::domain::harness::Harness;
use crate::domain::message::Turn;
use crate::domain::request::{Decision, ModelRole, Reply};
use crate::runtime::native::pattern::{check_names, fill, with_line, within};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use crate::runtime::template::Template;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "plan_then_act",
    behaviour: 1,
    group: Some("strategy"),
    hooks: &[Hook::BeforeModel],
    dimension: Dimension::ControlAndSafety,
    summary: "Has a model write a plan before the first action and keeps it in sight.",
    build,
    complete: complete_params::<Params>,
};

/// The question where the harness brings none.
const QUESTION: &str = "Task: {{ task }}\n\nTools:\n{% for tool in tools %}- {{ tool.name }}: {{ tool.description }}\n{% endfor %}\n\
                        Write a short plan: the steps in order, one a line. Do not act yet.";

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Template file of the question, put before what the agent sees; empty: one that comes with the program.
    prompt: String,
    /// Line of the plan after each observation: `{plan}`.
    line: String,
    /// Most tokens of the plan, 1 to 4000.
    max_tokens: u32,
    /// Who plans: `main`, `judge`, `meta` or `user`.
    role: ModelRole,
}

impl Default for Params {
    fn default() -> Self {
        Self { prompt: String::new(), line: "Plan:\n{plan}".into(), max_tokens: 300, role: ModelRole::Main }
    }
}

struct PlanThenAct {
    params: Params,
    question: Template,
    plan: Option<String>,
}

fn build(params: &toml::Table, harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("max_tokens", params.max_tokens, 1, 4000)?;
    check_names("line", &params.line, &["plan"])?;
    let question =
        if params.prompt.is_empty() { Template::of_source(QUESTION, "prompt") } else { Template::of_file(harness, &params.prompt) }?;
    Ok(Box::new(PlanThenAct { params, question, plan: None }))
}

impl PlanThenAct {
    fn shown(&self, plan: &str, turns: &[Arc<Turn>]) -> Action {
        if plan.is_empty() {
            return Action::Pass;
        }
        with_line(turns, &fill(&self.params.line, |name| (name == "plan").then(|| plan.to_owned())))
    }
}

impl Processor for PlanThenAct {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::BeforeModel { turns, .. } = event else { return Ok(Action::Pass) };
        if let Some(plan) = &self.plan {
            return Ok(self.shown(plan, turns));
        }
        let seen = turns.last().map_or("", |turn| turn.message.text());
        let prompt = format!("{}\n\n{seen}", self.question.render(scene).map_err(Fault)?);
        let Params { role, max_tokens, .. } = self.params;
        Ok(Action::Ask(Question { role, system: String::new(), prompt, decision: Decision::Free, max_tokens }))
    }

    fn told(&mut self, answer: &Reply, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        let plan = answer.text.trim().to_owned();
        let Event::BeforeModel { turns, .. } = event else { return Ok(Action::Pass) };
        let action = self.shown(&plan, turns);
        self.plan = Some(plan);
        Ok(action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::Sampling;
    use crate::runtime::native::drive::{Drive, change, refused, turns};

    fn event(turns: &[Arc<Turn>]) -> Event<'_> {
        static SAMPLING: Sampling = Sampling { temperature: None, top_p: None, max_tokens: None, stop: Vec::new() };
        Event::BeforeModel { turns, tools: &[], actions: &[], role: ModelRole::Main, sampling: &SAMPLING, decision: &Decision::Free }
    }

    #[test]
    fn one_plan_is_asked_for_and_stays_in_sight() {
        let files = [("prompts/plan.md", "Plan how to {{ task }}.")];
        let mut drive = Drive::with_files(&NATIVE, "prompt = \"prompts/plan.md\"", &files).task("sow");
        let hall = turns(&["You are in a hall."]);
        let Action::Ask(question) = drive.on(&event(&hall)) else { panic!("must ask") };
        assert_eq!(question.prompt, "Plan how to sow.\n\nYou are in a hall.");
        let shown = change(drive.told(" 1. dig ", &event(&hall))).last_user;
        assert_eq!(shown.as_deref(), Some("You are in a hall.\nPlan:\n1. dig"));
        assert_eq!(drive.before_model("You see a spade.", &[]).last_user.as_deref(), Some("You see a spade.\nPlan:\n1. dig"));
        assert!(refused(&NATIVE, "prompt = \"prompts/gone.md\"").contains("prompts/gone.md"));
    }

    #[test]
    fn an_empty_plan_changes_nothing() {
        let mut drive = Drive::new(&NATIVE, "");
        let Action::Ask(question) = drive.on(&event(&turns(&["hall"]))) else { panic!("must ask") };
        assert!(question.prompt.starts_with("Task: do it"), "{}", question.prompt);
        assert_eq!(drive.told("", &event(&turns(&["hall"]))), Action::Pass);
        assert_eq!(drive.before_model("hall", &[]).last_user, None);
    }
}
