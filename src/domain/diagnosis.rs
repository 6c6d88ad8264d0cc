//! What the meta-agent's roles say (`system.md` §6): diagnoses (layer C of the digest), directions of the plan, reviews of candidates.
//! Typed and checked by code before anybody reads them; written as `R<n>/diagnoses.json` and `R<n>/review-<n>.json` and within the landscape.

use super::digest::Anchor;
use super::edit::Bucket;
use super::id::{CandidateId, HarnessId, TaskId};
use super::manifest::FailureEvidence;
use serde::{Deserialize, Serialize};

/// Version of `diagnoses.json` and of reviews.
pub const DIAGNOSIS_FORMAT: u32 = 1;

/// Most letters of one text that is said.
pub const TEXT_LIMIT: usize = 2_000;

/// Most letters of a name, a title, an id.
pub const NAME_LIMIT: usize = 200;

/// Most tasks, claims or places that are named in one statement, each.
pub const LIST_LIMIT: usize = 200;

/// Most pieces of evidence of one diagnosis.
const PIECES: usize = 20;

/// Whether texts are short enough; each comes with its field's name and the most letters it may have.
///
/// # Errors
/// A fragment that names the first field that is too long.
pub fn short_enough<'a>(texts: impl IntoIterator<Item = (&'static str, &'a str, usize)>) -> Result<(), String> {
    let long = texts.into_iter().map(|(name, text, most)| (name, text.chars().count(), most)).find(|(_, count, most)| count > most);
    long.map_or(Ok(()), |(name, count, most)| Err(format!("{name} has {count} letters; at most {most}")))
}

/// The same for lists, by their entries.
///
/// # Errors
/// A fragment that names the first list that is too long.
pub fn few_enough(lists: impl IntoIterator<Item = (&'static str, usize, usize)>) -> Result<(), String> {
    let long = lists.into_iter().find(|(_, count, most)| count > most);
    long.map_or(Ok(()), |(name, count, most)| Err(format!("{name} has {count} entries; at most {most}")))
}

/// Layer C: why a cluster or a task fails, and which part of the harness makes it so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    /// What it is about: a cluster as the overview names it (`kind=heat repeat_without_progress`), or a train task's id.
    pub about: String,
    /// The cause, in one or two sentences.
    pub cause: String,
    /// The part of the harness that makes it so.
    pub bias: HarnessBias,
    /// Where it was seen; every snippet stands there verbatim.
    pub evidence: Vec<FailureEvidence>,
}

/// A guess at the part of the harness that is to blame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarnessBias {
    /// What an edit would touch.
    pub bucket: Bucket,
    /// Which element: a processor, a prompt, a tool, a setting.
    pub element: String,
}

/// `R<n>/diagnoses.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnoses {
    /// [`DIAGNOSIS_FORMAT`].
    pub format: u32,
    /// What holds.
    pub diagnoses: Vec<Diagnosis>,
    /// Pieces of evidence that were not found where they were said to be, and were dropped.
    pub dropped: u32,
    /// Statements that stayed malformed, or were left without evidence, and were dropped.
    pub refused: u32,
}

/// One thing to work on next, as the Planner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Direction {
    /// One line.
    pub title: String,
    /// What an edit would touch.
    pub bucket: Bucket,
    /// What reputation is kept on, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Why this, and why now.
    pub why: String,
    /// Train tasks that should improve.
    #[serde(default)]
    pub tasks: Vec<TaskId>,
    /// Where that can be seen.
    #[serde(default)]
    pub evidence: Vec<Anchor>,
}

/// What the Critic's model says of one candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Which.
    pub candidate: CandidateId,
    /// Its word.
    pub word: ReviewWord,
    /// Why, in plain words; of a revision: what to change.
    pub reason: String,
    /// How the edit goes together with what is there.
    pub interaction: String,
    /// The harness that was judged; set by code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness: Option<HarnessId>,
}

/// What is to become of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewWord {
    /// It may go before the gate.
    Pass,
    /// It may not.
    Reject,
    /// It may after one change; asked once.
    Revise,
}

/// `R<n>/review-<n>.json`: one sitting of the Critic's model on a round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviews {
    /// [`DIAGNOSIS_FORMAT`].
    pub format: u32,
    /// One a candidate at most; those without one are left to the rules.
    pub reviews: Vec<Review>,
    /// Best first; those not named follow in the rules' order.
    #[serde(default)]
    pub ranking: Vec<CandidateId>,
    /// What the next Planner must read, verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concern: Option<String>,
    /// Statements that stayed malformed, and were dropped.
    #[serde(default)]
    pub refused: u32,
}

impl Diagnosis {
    /// What makes it too long to be read, if anything.
    ///
    /// # Errors
    /// A fragment that names the field.
    pub fn check(&self) -> Result<(), String> {
        short_enough([
            ("about", self.about.as_str(), NAME_LIMIT),
            ("cause", self.cause.as_str(), TEXT_LIMIT),
            ("element", self.bias.element.as_str(), NAME_LIMIT),
        ])?;
        few_enough([("evidence", self.evidence.len(), PIECES)])?;
        self.evidence.iter().try_for_each(FailureEvidence::check)
    }
}

impl Direction {
    /// What makes it too long to be read, if anything.
    ///
    /// # Errors
    /// A fragment that names the field.
    pub fn check(&self) -> Result<(), String> {
        let component = self.component.as_deref().unwrap_or_default();
        short_enough([("title", self.title.as_str(), NAME_LIMIT), ("component", component, NAME_LIMIT), ("why", &self.why, TEXT_LIMIT)])?;
        few_enough([("tasks", self.tasks.len(), LIST_LIMIT), ("evidence", self.evidence.len(), PIECES)])
    }
}

impl Review {
    /// What makes it too long to be read, if anything.
    ///
    /// # Errors
    /// A fragment that names the field.
    pub fn check(&self) -> Result<(), String> {
        short_enough([("reason", self.reason.as_str(), TEXT_LIMIT), ("interaction", &self.interaction, TEXT_LIMIT)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_named_with_its_measure() {
        let review = |reason: String| Review {
            candidate: "C-R1-01".into(),
            word: ReviewWord::Pass,
            reason,
            interaction: String::new(),
            harness: None,
        };
        assert_eq!(review("ü".repeat(TEXT_LIMIT)).check(), Ok(()));
        assert_eq!(review("x".repeat(2_001)).check(), Err("reason has 2001 letters; at most 2000".to_owned()));
        let direction = Direction {
            title: "t".into(),
            bucket: Bucket::Prompt,
            component: None,
            why: String::new(),
            tasks: vec!["a".into(); LIST_LIMIT + 1],
            evidence: Vec::new(),
        };
        assert_eq!(direction.check(), Err("tasks has 201 entries; at most 200".to_owned()));
    }
}
