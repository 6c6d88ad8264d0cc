//! Before a final answer stands, has a model check whether the task is really done; if not, the agent goes on.

use crate::domain::event::{Action, Event, Hook, Question, Replace, Scene};
use crate::domain::harness::Harness;
use crate::domain::request::{Decision, ModelRole, Reply, ScoreRule};
use crate::runtime::native::pattern::{check_names, fill, within};
use crate::runtime::native::recent::Recent;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "self_verify",
    behaviour: 1,
    group: Some("self_verify"),
    hooks: &[Hook::AfterModel, Hook::AfterTool],
    dimension: Dimension::EvaluationAndReward,
    summary: "Has a model check a final answer before it stands.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// The question: `{task}`, `{answer}`, `{results}` (the last calls and what came of them).
    question: String,
    /// The answer that lets the final answer stand; anything else does not.
    yes: String,
    /// The other answer on offer.
    no: String,
    /// What the agent is told when it does not stand.
    message: String,
    /// Most checks an episode, 1 to 10; after them any answer stands.
    most: u32,
    /// How many of the last results are shown, 0 to 50.
    results: usize,
    /// Who checks: `main`, `judge`, `meta` or `user`.
    role: ModelRole,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            question: "Task: {task}\n\nLast results:\n{results}\n\nAnswer given: {answer}\n\nIs the task completely done? yes or no".into(),
            yes: "yes".into(),
            no: "no".into(),
            message: "The task does not seem to be done yet. Check what is missing, do it, then answer again.".into(),
            most: 1,
            results: 3,
            role: ModelRole::Main,
        }
    }
}

struct SelfVerify {
    params: Params,
    recent: Recent,
    checks: u32,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("most", params.most, 1, 10)?;
    within("results", params.results, 0, 50)?;
    check_names("question", &params.question, &["task", "answer", "results"])?;
    if params.yes.is_empty() || params.no.is_empty() || params.yes == params.no {
        return Err("yes: must differ from no, and neither may be empty".into());
    }
    Ok(Box::new(SelfVerify { recent: Recent::new(params.results), params, checks: 0 }))
}

impl SelfVerify {
    fn question(&self, answer: &str, task: &str) -> Question {
        let prompt = fill(&self.params.question, |name| match name {
            "task" => Some(task.to_owned()),
            "answer" => Some(answer.to_owned()),
            "results" => Some(self.recent.text()),
            _ => None,
        });
        let options = vec![self.params.yes.clone(), self.params.no.clone()];
        let decision = Decision::Choice { options, score: ScoreRule::Mean };
        Question { role: self.params.role, system: String::new(), prompt, decision, max_tokens: 16 }
    }
}

impl Processor for SelfVerify {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::AfterTool { call, result, .. } => {
                self.recent.add(call, result);
                Ok(Action::Pass)
            }
            Event::AfterModel { reply, is_final: true, .. } if self.checks < self.params.most => {
                self.checks += 1;
                Ok(Action::Ask(self.question(&reply.text, scene.task)))
            }
            Event::TaskStart { .. }
            | Event::StepStart { .. }
            | Event::BeforeModel { .. }
            | Event::AfterModel { .. }
            | Event::BeforeTool { .. }
            | Event::StepEnd { .. }
            | Event::TaskEnd { .. } => Ok(Action::Pass),
        }
    }

    fn told(&mut self, answer: &Reply, _event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        if answer.text.trim().to_lowercase().starts_with(&self.params.yes.to_lowercase()) {
            return Ok(Action::Pass);
        }
        Ok(Action::Replace(Replace::AfterModel { reply: None, again: Some(self.params.message.clone()) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, again, refused, reply};

    #[test]
    fn an_answer_that_fails_the_check_is_asked_for_again_once() {
        let mut drive = Drive::new(&NATIVE, "results = 1");
        drive.after_tool("a", "old", &[]);
        drive.after_tool("b", "new", &[]);
        let Action::Ask(question) = drive.answer("42") else { panic!("must ask") };
        assert!(question.prompt.contains("b: new") && !question.prompt.contains("old") && question.prompt.contains("42"));
        let said = reply("42");
        let event = Event::AfterModel { reply: &said, actions: &[], calls: 1, is_final: true };
        assert!(again(drive.told("No", &event)).is_some());
        assert_eq!(drive.told("Yes.", &event), Action::Pass);
        assert_eq!(drive.answer("43"), Action::Pass);
        assert!(refused(&NATIVE, "yes = \"no\"").starts_with("yes"));
    }
}
