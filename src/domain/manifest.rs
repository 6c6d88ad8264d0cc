//! The change manifest of a candidate (`system.md` §6): what it changes, why, and what it predicts. Written before any rollout of it is
//! played, as `candidates/<id>/manifest.toml`; the Critic checks it, the gate holds it to its claims, and it is scored after a ship.

use super::diagnosis::{NAME_LIMIT, TEXT_LIMIT, short_enough};
use super::digest::{Anchor, Pathology};
use super::edit::{Bucket, Bundle, Edit, edits_digest};
use super::engine::Engine;
use super::harness::Limits;
use super::id::{CandidateId, Digest, HarnessId, TaskId, VariantId};
use super::task::{Tags, has_all};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Version of the manifest's format.
pub const MANIFEST_FORMAT: u32 = 1;

/// Everything said of a candidate before it is judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CandidateManifest {
    /// [`MANIFEST_FORMAT`].
    pub format: u32,
    /// `C-R<round>-<NN>`.
    pub candidate_id: CandidateId,
    /// One line in plain words.
    pub title: String,
    /// Who proposed it.
    pub engine: Engine,
    /// The variant it changes.
    pub variant: VariantId,
    /// The harness it was built on.
    pub parent: HarnessId,
    /// The harness it makes: what the edits give when applied to the parent.
    pub harness: HarnessId,
    /// An earlier candidate that it takes up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterates_from: Option<CandidateId>,
    /// What its edits touch, in order, without repeats.
    pub buckets: Vec<Bucket>,
    /// What reputation is kept on, such as a processor's name: `goal_term_filter`, `few_shot`.
    pub component: String,
    /// Files it changes, in order, without repeats.
    pub file_changes: Vec<String>,
    /// Limits an episode may use that differ from the parent's; absent: the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Limits>,
    /// What is wrong, in one line.
    pub root_cause: String,
    /// How the edit mends it, in one line.
    pub targeted_fix: String,
    /// Why the tasks at risk hold, in one line.
    pub why_risk_holds: String,
    /// What the model or the environment was seen to be capable of.
    pub capability_evidence: CapabilityEvidence,
    /// What it will do.
    pub predicted_impact: PredictedImpact,
    /// How its effect can be recognised in a trace.
    pub attribution_signature: AttributionSignature,
    /// Where what it mends was seen.
    #[serde(default)]
    pub failure_evidence: Vec<FailureEvidence>,
    /// The edits, on the parent.
    pub edits: Vec<Edit>,
}

/// Why the fix can work at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapabilityEvidence {
    /// The claim.
    pub claim: String,
    /// What was observed; the Critic looks it up.
    #[serde(default)]
    pub observed: Vec<Anchor>,
}

/// Frozen before any rollout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictedImpact {
    /// Tasks that fail and will be solved.
    #[serde(default)]
    pub will_unlock: Vec<Claim>,
    /// Tasks that are solved at times and will be more often.
    #[serde(default)]
    pub will_stabilize: Vec<Claim>,
    /// Tasks that might be lost.
    #[serde(default)]
    pub at_risk: Vec<Claim>,
}

/// Whom a prediction is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// One train task.
    Task(TaskId),
    /// Every task with all of these tags, gate tasks included; no tags: every task.
    Tags(Tags),
}

/// What the edit leaves in a trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributionSignature {
    /// Of what kind.
    #[serde(rename = "type")]
    pub kind: SignatureKind,
    /// Name of the processor or tool, or words of the prompt.
    pub name: String,
    /// Least times it shows in an episode it helps.
    pub expected_min_calls: u32,
}

/// Where to look for an edit's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignatureKind {
    /// Trigger records of this processor.
    Processor,
    /// Calls of this tool.
    Tool,
    /// These words in the model's request.
    Prompt,
    /// Nothing of its own: the parameters of a request or the episode's limits.
    Setting,
}

/// One place where a failure was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureEvidence {
    /// What went wrong.
    pub kind: Pathology,
    /// Where.
    pub anchor: Anchor,
    /// Words that stand there verbatim.
    pub snippet: String,
}

impl FailureEvidence {
    /// What keeps it from being read, if anything: too much of it, or names that are not one line.
    ///
    /// # Errors
    /// A fragment that names the field.
    pub fn check(&self) -> Result<(), String> {
        let (kind, trace) = (self.kind.to_string(), self.anchor.trace.as_str());
        short_enough([("kind", kind.as_str(), NAME_LIMIT), ("anchor", trace, NAME_LIMIT), ("snippet", &self.snippet, TEXT_LIMIT)])?;
        let broken = [("kind", kind.as_str()), ("anchor", trace)].into_iter().find(|(_, text)| text.contains(char::is_control));
        broken.map_or(Ok(()), |(name, _)| Err(format!("{name} has control letters; it is one line of plain text")))
    }
}

impl CandidateManifest {
    /// Its edits as a bundle of its name.
    pub fn bundle(&self) -> Bundle {
        Bundle { name: self.candidate_id.0.clone(), edits: self.edits.clone() }
    }

    /// Digest of its edits, whatever they are made on.
    pub fn edits_digest(&self) -> Digest {
        edits_digest(&self.edits)
    }

    /// Everything it says it will improve.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.predicted_impact.will_unlock.iter().chain(&self.predicted_impact.will_stabilize)
    }
}

impl Claim {
    /// What makes it too long to be read, if anything.
    ///
    /// # Errors
    /// A fragment.
    pub fn check(&self) -> Result<(), String> {
        short_enough([("a claim", self.to_string().as_str(), NAME_LIMIT)])
    }

    /// The task that it names.
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::Task(task) => Some(task),
            Self::Tags(_) => None,
        }
    }

    /// Whether it is about this task.
    pub fn covers(&self, task: &TaskId, tags: &Tags) -> bool {
        match self {
            Self::Task(named) => named == task,
            Self::Tags(wanted) => has_all(tags, wanted),
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(task) => write!(out, "{task}"),
            Self::Tags(tags) if tags.is_empty() => out.write_str("every task"),
            Self::Tags(tags) => {
                let parts: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(out, "every {} task", parts.join(" "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_evidence_are_one_line_and_words_quoted_need_not_be() {
        let checked = |kind: &str, trace: &str| {
            let anchor = Anchor { trace: trace.into(), step: 1 };
            FailureEvidence { kind: kind.to_owned().into(), anchor, snippet: "two\nlines".into() }.check()
        };
        assert_eq!(checked("other:slow", "trajectories/a.jsonl"), Ok(()));
        assert!(checked("other:x\n# Verdict", "trajectories/a.jsonl").unwrap_err().starts_with("kind has control letters"));
        assert!(checked("other:x", "trajectories/a\u{1b}[2J.jsonl").unwrap_err().starts_with("anchor has control letters"));
    }
}
