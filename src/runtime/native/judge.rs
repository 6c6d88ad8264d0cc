//! Has a model judge the finished episode and notes its score in the trace. Nothing the agent sees or is scored by depends on it.

use crate::domain::event::{Action, Event, Hook, Question, Scene};
use crate::domain::harness::Harness;
use crate::domain::outcome::Ending;
use crate::domain::request::{Decision, ModelRole, Reply};
use crate::runtime::native::pattern::{check_names, compile, fill, within};
use crate::runtime::native::recent::Recent;
use crate::runtime::native::words::clipped;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "judge",
    behaviour: 1,
    group: Some("judge"),
    hooks: &[Hook::AfterTool, Hook::TaskEnd],
    dimension: Dimension::EvaluationAndReward,
    summary: "Has a model judge the finished episode and notes its score in the trace.",
    build,
    complete: complete_params::<Params>,
};

/// Most bytes of the judge's answer that are noted.
const NOTE_BYTES: usize = 300;

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// The question: `{task}`, `{results}` (the last calls and what came of them), `{ending}`, `{best}`.
    question: String,
    /// The highest score, 1 to 1000; scores are noted as a share of it, within 0 to 1.
    best: f64,
    /// Pattern on the answer; capture 1 is the score.
    score: String,
    /// How many of the last results are shown, 0 to 200.
    results: usize,
    /// Most tokens of the answer, 1 to 10 000.
    max_tokens: u32,
    /// Who judges: `main`, `judge`, `meta` or `user`.
    role: ModelRole,
}

impl Default for Params {
    fn default() -> Self {
        let question = "Task: {task}\n\nWhat was done last:\n{results}\n\nEnd: {ending}\n\nHow well was the task done, from 0 to {best}? \
                        Answer with the number, then one sentence.";
        Self {
            question: question.into(),
            best: 10.0,
            score: r"(\d+(?:\.\d+)?)".into(),
            results: 10,
            max_tokens: 80,
            role: ModelRole::Judge,
        }
    }
}

struct Judge {
    params: Params,
    score: Regex,
    recent: Recent,
    note: Option<String>,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("best", params.best, 1.0, 1000.0)?;
    within("results", params.results, 0, 200)?;
    within("max_tokens", params.max_tokens, 1, 10_000)?;
    check_names("question", &params.question, &["task", "results", "ending", "best"])?;
    let score = compile("score", &params.score)?;
    if score.captures_len() < 2 {
        return Err("score: the pattern has no capture for the score".into());
    }
    Ok(Box::new(Judge { recent: Recent::new(params.results), params, score, note: None }))
}

/// The end of an episode in words.
fn told_of(ending: &Ending) -> String {
    match ending {
        Ending::FinalAnswer { text } => format!("the agent answered: {text}"),
        Ending::EnvironmentDone => "the environment closed the episode".into(),
        Ending::Budget { limit } => format!("the budget of {limit} was used up"),
        Ending::Interrupt { processor, reason } => format!("{processor} ended it: {reason}"),
        Ending::HarnessFault { part, message } => format!("{part} failed: {message}"),
        Ending::Fault { message, .. } => format!("it broke off: {message}"),
    }
}

impl Processor for Judge {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::AfterTool { call, result, .. } => {
                self.recent.add(call, result);
                Ok(Action::Pass)
            }
            Event::TaskEnd { ending } => {
                let prompt = fill(&self.params.question, |name| match name {
                    "task" => Some(scene.task.to_owned()),
                    "results" => Some(self.recent.text()),
                    "ending" => Some(told_of(ending)),
                    "best" => Some(self.params.best.to_string()),
                    _ => None,
                });
                let Params { role, max_tokens, .. } = self.params;
                Ok(Action::Ask(Question { role, system: String::new(), prompt, decision: Decision::Free, max_tokens }))
            }
            Event::TaskStart { .. }
            | Event::StepStart { .. }
            | Event::BeforeModel { .. }
            | Event::AfterModel { .. }
            | Event::BeforeTool { .. }
            | Event::StepEnd { .. } => Ok(Action::Pass),
        }
    }

    fn told(&mut self, answer: &Reply, _event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        let found = self.score.captures(&answer.text).and_then(|found| found.get(1)?.as_str().parse::<f64>().ok());
        let said = clipped(answer.text.trim(), NOTE_BYTES);
        self.note = Some(match found {
            Some(score) => format!("judged {:.2}: {said}", (score / self.params.best).clamp(0.0, 1.0)),
            None => format!("no score in the judge's answer: {said}"),
        });
        Ok(Action::Pass)
    }

    fn note(&mut self) -> Option<String> {
        self.note.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, refused};

    #[test]
    fn the_score_is_noted() {
        let mut drive = Drive::new(&NATIVE, "");
        drive.after_tool("sow", "it grows", &[]);
        let event = Event::TaskEnd { ending: &Ending::EnvironmentDone };
        let Action::Ask(question) = drive.on(&event) else { panic!("must ask") };
        assert!(question.prompt.contains("sow: it grows") && question.prompt.contains("0 to 10?"), "{}", question.prompt);
        assert_eq!(question.role, ModelRole::Judge);
        assert_eq!(drive.told("7. Good work.", &event), Action::Pass);
        assert_eq!(drive.processor.note().as_deref(), Some("judged 0.70: 7. Good work."));
        drive.told("well", &event);
        assert!(drive.processor.note().unwrap().starts_with("no score"));
        assert!(refused(&NATIVE, "score = \"a\"").starts_with("score"));
    }
}
