//! What the Digester says of a task (`system.md` §6): facts (layer A), typed pathologies with anchors (layer B), where passing and
//! failing rollouts part, and clusters over tasks. Plain data; written by `stages/digest`, read by the Planner and by people.

use super::id::{ProcessorName, TaskId};
use super::ledger::TaskStatus;
use super::outcome::{Ending, Outcome};
use super::task::Tags;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A typed way in which an episode goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Pathology {
    /// Calls that the environment answers with one and the same text: they did nothing.
    ToolEffectMissing,
    /// The same call with the same result, again and again.
    RepeatWithoutProgress,
    /// A call that failed is made again unchanged.
    ErrorIgnored,
    /// A tool answered with nothing.
    SilentDrop,
    /// A thing is named that was never seen.
    HallucinatedReference,
    /// A tool was called that is not offered.
    MissingCapability,
    /// The episode ended on a budget.
    BudgetStarvation,
    /// A rule of the prompt was broken.
    PromptRuleViolation,
    /// A final answer that did not hold.
    FinalAnswerBrittle,
    /// A call that the environment did not admit.
    InvalidAction,
    /// Something else.
    Other(String),
}

/// Names of the closed kinds, in the order of [`Pathology`].
const NAMES: [(&str, Pathology); 10] = [
    ("tool_effect_missing", Pathology::ToolEffectMissing),
    ("repeat_without_progress", Pathology::RepeatWithoutProgress),
    ("error_ignored", Pathology::ErrorIgnored),
    ("silent_drop", Pathology::SilentDrop),
    ("hallucinated_reference", Pathology::HallucinatedReference),
    ("missing_capability", Pathology::MissingCapability),
    ("budget_starvation", Pathology::BudgetStarvation),
    ("prompt_rule_violation", Pathology::PromptRuleViolation),
    ("final_answer_brittle", Pathology::FinalAnswerBrittle),
    ("invalid_action", Pathology::InvalidAction),
];

impl fmt::Display for Pathology {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Other(tag) = self {
            return write!(out, "other:{tag}");
        }
        out.write_str(NAMES.iter().find(|(_, kind)| kind == self).map_or("other", |(name, _)| name))
    }
}

impl From<Pathology> for String {
    fn from(kind: Pathology) -> Self {
        kind.to_string()
    }
}

impl From<String> for Pathology {
    fn from(text: String) -> Self {
        let known = NAMES.into_iter().find(|(name, _)| *name == text).map(|(_, kind)| kind);
        known.unwrap_or_else(|| Self::Other(text.strip_prefix("other:").unwrap_or(&text).to_owned()))
    }
}

/// A place in a trace: `trajectories/<file>#step_<n>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Anchor {
    /// Trace, relative to the round's folder.
    pub trace: String,
    /// Step, from 1; 0: what was recorded outside of steps, such as the fault that ended the episode.
    pub step: u32,
}

impl fmt::Display for Anchor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}#step_{}", self.trace, self.step)
    }
}

impl From<Anchor> for String {
    fn from(anchor: Anchor) -> Self {
        anchor.to_string()
    }
}

impl TryFrom<String> for Anchor {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.rsplit_once("#step_").and_then(|(trace, step)| Some((trace.to_owned(), step.parse().ok()?)));
        let (trace, step) = parts.ok_or_else(|| format!("read anchor {text:?}: it needs the form trajectories/FILE#step_N"))?;
        Ok(Self { trace, step })
    }
}

/// One pathology in one rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Which.
    pub kind: Pathology,
    /// Where it first shows.
    pub anchor: Anchor,
    /// Words that stand there verbatim.
    pub snippet: String,
    /// How often in this rollout.
    pub count: u32,
}

/// Layer A: facts of one rollout, computed from its trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RolloutFacts {
    /// Which rollout of the task.
    pub replicate: u32,
    /// Trace, relative to the round's folder.
    pub trace: String,
    /// Verdict; absent: the trace has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Tool calls.
    pub calls: u32,
    /// Tool calls that differ.
    pub distinct_calls: u32,
    /// Calls made before with the same result.
    pub repeats: u32,
    /// Most equal calls in a row.
    pub longest_burst: u32,
    /// Results that are errors.
    pub errors: u32,
    /// How often each processor changed something.
    pub fired: BTreeMap<ProcessorName, u32>,
}

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Solved, failed or missing.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What ended it.
    pub end: Ending,
    /// 0..1.
    pub reward: f64,
    /// Steps taken.
    pub steps: u32,
    /// Prompt and reply tokens.
    pub tokens: u64,
}

/// Where a passing and a failing rollout of one task part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Calls both begin with.
    pub shared: u32,
    /// The passing rollout's next call.
    pub passing: String,
    /// Where it stands.
    pub passing_at: Anchor,
    /// The failing rollout's next call.
    pub failing: String,
    /// Where it stands.
    pub failing_at: Anchor,
}

/// Everything the Digester says of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskDigest {
    /// Version of this format.
    pub format: u32,
    /// The task.
    pub task: TaskId,
    /// Its text.
    pub text: String,
    /// Known before the outcome.
    pub tags: Tags,
    /// Its rollouts, in order.
    pub rollouts: Vec<RolloutFacts>,
    /// Pathologies, in order of rollout and step.
    pub signals: Vec<Signal>,
    /// Where a passing and a failing rollout part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
    /// Snippets that were not found at their anchor, and were dropped.
    pub dropped: u32,
}

/// Version of the digest format.
pub const DIGEST_FORMAT: u32 = 1;

impl TaskDigest {
    /// Solved and scored rollouts.
    pub fn solved_of(&self) -> (u32, u32) {
        self.rollouts.iter().filter_map(|rollout| rollout.verdict.as_ref()).fold((0, 0), |(solved, scored), verdict| {
            match verdict.outcome {
                Outcome::Solved => (solved + 1, scored + 1),
                Outcome::Failed => (solved, scored + 1),
                Outcome::Error { .. } => (solved, scored),
            }
        })
    }

    /// What went wrong where it mattered: signals of failed rollouts. Those of others, passing or missing, cost nothing.
    pub fn causes(&self) -> impl Iterator<Item = &Signal> {
        let has_failed = |rollout: &&RolloutFacts| rollout.verdict.as_ref().is_some_and(|verdict| verdict.outcome == Outcome::Failed);
        let failed: BTreeSet<&str> = self.rollouts.iter().filter(has_failed).map(|rollout| rollout.trace.as_str()).collect();
        self.signals.iter().filter(move |signal| failed.contains(signal.anchor.trace.as_str()))
    }

    /// Whether something failed for a typed cause that an edit could mend.
    pub fn is_actionable(&self) -> bool {
        self.causes().next().is_some()
    }
}

/// Tasks that share a tag value and a pathology.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// `tag=value`, or `all` for tasks without tags.
    pub tag: String,
    /// What goes wrong.
    pub kind: Pathology,
    /// Tasks in which it does and that are not always solved, in order.
    pub tasks: Vec<TaskId>,
    /// Solved and scored rollouts of those tasks.
    pub solved: u32,
    /// See `solved`.
    pub scored: u32,
}

/// The round in one page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Version of this format.
    pub format: u32,
    /// Tasks digested.
    pub tasks: u32,
    /// Tasks solved in every scored rollout.
    pub always: u32,
    /// Tasks solved in some.
    pub sometimes: u32,
    /// Tasks solved in none.
    pub never: u32,
    /// Share of tasks with a typed, anchored cause outside plumbing, 0..1.
    pub actionability: f64,
    /// Snippets dropped because they were not found.
    pub dropped: u32,
    /// Tasks that this round did not play: what was known of them still holds.
    #[serde(default)]
    pub carried: u32,
    /// Tasks by how they fared over the rounds.
    #[serde(default)]
    pub history: BTreeMap<TaskStatus, u32>,
    /// Largest first.
    pub clusters: Vec<Cluster>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_anchors_survive_their_text() {
        for (name, kind) in NAMES {
            assert_eq!(Pathology::from(name.to_owned()), kind);
            assert_eq!(kind.to_string(), name);
        }
        assert_eq!(Pathology::from("other:slow".to_owned()).to_string(), "other:slow");
        let anchor = Anchor { trace: "trajectories/a#b_r0.jsonl".into(), step: 7 };
        assert_eq!(Anchor::try_from(anchor.to_string()).unwrap(), anchor);
        assert!(Anchor::try_from("x".to_owned()).is_err());
    }
}
