//! Makes the model choose among the actions that the environment admits: constrained to one of them, or as free text with the
//! list shown.

use crate::domain::event::{Action, Event, Hook, Replace, RequestChange, Scene};
use crate::domain::harness::Harness;
use crate::domain::request::{Decision, ScoreRule};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "admissible_choice",
    behaviour: 1,
    group: Some("decision"),
    hooks: &[Hook::BeforeModel],
    dimension: Dimension::ControlAndSafety,
    summary: "The model chooses among the admissible actions, by likelihood, constrained, or from a list it is shown.",
    build,
    complete: complete_params::<Params>,
};

/// How the choice is put to the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Style {
    /// Constrained to one of the actions; a local policy ranks them by likelihood.
    #[default]
    Choice,
    /// Free text; the list is appended to the last user message.
    List,
}

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// `choice` or `list`.
    style: Style,
    /// `mean` or `sum` of log-probabilities, for a local policy.
    score: ScoreRule,
    /// Put before the list under `list`.
    heading: String,
}

impl Default for Params {
    fn default() -> Self {
        Self { style: Style::default(), score: ScoreRule::default(), heading: "You may answer with one of:".into() }
    }
}

struct AdmissibleChoice {
    params: Params,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    Ok(Box::new(AdmissibleChoice { params: read_params(params)? }))
}

impl Processor for AdmissibleChoice {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::BeforeModel { actions, turns, .. } = event else { return Ok(Action::Pass) };
        if actions.is_empty() {
            return Ok(Action::Pass);
        }
        let mut change = RequestChange::default();
        match self.params.style {
            Style::Choice => {
                change.decision = Some(Decision::Choice { options: actions.to_vec(), score: self.params.score });
            }
            Style::List => {
                let observed = turns.last().map_or("", |turn| turn.message.text());
                let list: Vec<String> = actions.iter().map(|action| format!("- {action}")).collect();
                change.last_user = Some(format!("{observed}\n\n{}\n{}", self.params.heading, list.join("\n")));
            }
        }
        Ok(Action::Replace(Replace::BeforeModel(Box::new(change))))
    }
}
