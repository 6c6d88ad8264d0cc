//! What comes back from a folder: words that are parsed and checked, or said to be wrong by file and place.

use super::{JUSTIFIED, STATEMENT};
use crate::domain::diagnosis::{DIAGNOSIS_FORMAT, Diagnoses, Diagnosis, Direction, Review, Reviews};
use crate::domain::harness::line_of;
use crate::domain::id::{CandidateId, TaskId};
use crate::stages::evolve::Statement;
use crate::stages::meta::{Ground, order_of, review_of};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// A statement as its author left it; without a title it has this one.
///
/// # Errors
/// With file and line.
pub fn statement(text: Option<&str>, title: &str) -> Result<Statement, String> {
    let text = text.unwrap_or_default();
    let mut statement: Statement = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        format!("{STATEMENT}:{line}: {}", error.message().trim())
    })?;
    if statement.title.trim().is_empty() {
        title.clone_into(&mut statement.title);
    }
    Ok(statement)
}

/// What may be asked for at this moment.
#[derive(Clone, Copy)]
pub struct Desired<'a> {
    /// What statements are held against.
    pub ground: Ground<'a>,
    /// Candidates that may be reviewed.
    pub candidates: &'a [CandidateId],
    /// Whether a revision may be asked for.
    pub may_revise: bool,
}

/// What the files of a role say.
#[derive(Debug, Default)]
pub struct Words {
    /// What is wrong, by file and place.
    pub problems: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiagnosesFile {
    diagnoses: Vec<Diagnosis>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectionsFile {
    directions: Vec<Direction>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReviewsFile {
    #[serde(default)]
    reviews: Vec<Review>,
    #[serde(default)]
    ranking: Vec<CandidateId>,
    #[serde(default)]
    concern: Option<String>,
}

impl Words {
    /// `diagnoses.json`; `None` where nothing is said.
    pub fn diagnoses(&mut self, text: Option<&str>, desired: &Desired<'_>) -> Option<Diagnoses> {
        let file: DiagnosesFile = self.parsed("digester/diagnoses.json", text)?;
        let mut said = Diagnoses { format: DIAGNOSIS_FORMAT, ..Diagnoses::default() };
        for (number, diagnosis) in file.diagnoses.into_iter().enumerate() {
            let (dropped, held) = desired.ground.diagnosis(diagnosis);
            said.dropped += dropped;
            said.diagnoses.extend(self.held("digester/diagnoses.json", number, held));
        }
        (!said.diagnoses.is_empty()).then_some(said)
    }

    /// `directions.json`; `None` where nothing is said.
    pub fn directions(&mut self, text: Option<&str>, desired: &Desired<'_>) -> Option<Vec<Direction>> {
        let file: DirectionsFile = self.parsed("planner/directions.json", text)?;
        let mut directions = Vec::new();
        for (number, direction) in file.directions.into_iter().enumerate() {
            directions.extend(self.held("planner/directions.json", number, desired.ground.direction(direction)));
        }
        (!directions.is_empty()).then_some(directions)
    }

    /// `reviews.json`; `None` where nothing is said.
    pub fn reviews(&mut self, text: Option<&str>, desired: &Desired<'_>) -> Option<Reviews> {
        let name = "critic/reviews.json";
        let ReviewsFile { reviews, ranking, concern } = self.parsed(name, text)?;
        let concern = concern.filter(|concern| !concern.trim().is_empty());
        let is_empty = reviews.is_empty() && ranking.is_empty() && concern.is_none();
        let mut said = Reviews { format: DIAGNOSIS_FORMAT, concern, ..Reviews::default() };
        for (number, review) in reviews.into_iter().enumerate() {
            said.reviews.extend(self.held(name, number, review_of(desired.candidates, desired.may_revise, review)));
        }
        match order_of(desired.candidates, ranking) {
            Ok(order) => said.ranking = order,
            Err(problem) => self.problems.push(format!("{name}, ranking: {problem}")),
        }
        (!is_empty).then_some(said)
    }

    /// `justified.json`: train tasks that got worse and need no candidate, with why.
    pub fn justified(&mut self, place: &str, text: Option<&str>, ground: &Ground<'_>) -> BTreeMap<TaskId, String> {
        let name = format!("{place}{JUSTIFIED}");
        let given: BTreeMap<TaskId, String> = self.parsed(&name, text).unwrap_or_default();
        self.problems.extend(given.keys().filter_map(|task| Some(format!("{name}: {}", ground.task(task).err()?))));
        given
    }

    fn parsed<T: DeserializeOwned>(&mut self, name: &str, text: Option<&str>) -> Option<T> {
        match serde_json::from_str(text?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(format!("{name}:{}: {error}", error.line()));
                None
            }
        }
    }

    fn held<T>(&mut self, name: &str, number: usize, held: Result<T, String>) -> Option<T> {
        held.map_err(|problem| self.problems.push(format!("{name}, entry {}: {problem}", number + 1))).ok()
    }
}
