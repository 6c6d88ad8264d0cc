//! Small rounds for tests.

use super::PastRound;
use crate::domain::digest::{RolloutFacts, TaskDigest, Verdict};
use crate::domain::edit::Bucket;
use crate::domain::id::{CandidateId, HarnessId, ProcessorName, TaskId};
use crate::domain::manifest::{CandidateManifest, Claim};
use crate::domain::outcome::{Ending, Outcome};
use crate::domain::round::{Decision, ROUND_FORMAT, RoundOutcome, Ruled, RulingWord};
use crate::domain::task::Tags;
use std::collections::BTreeMap;

/// A task with a tag `kind` = the first letter of its name, solved in so many of its rollouts.
pub(crate) fn digest(task: &str, solved: u32, scored: u32) -> TaskDigest {
    let rollout = |replicate: u32| {
        let outcome = if replicate < solved { Outcome::Solved } else { Outcome::Failed };
        let verdict = Verdict { outcome, end: Ending::EnvironmentDone, reward: 0.0, steps: 1, tokens: 1 };
        let trace = format!("trajectories/{task}_r{replicate}.jsonl");
        RolloutFacts {
            replicate,
            trace,
            verdict: Some(verdict),
            calls: 1,
            distinct_calls: 1,
            repeats: 0,
            longest_burst: 1,
            errors: 0,
            fired: BTreeMap::new(),
        }
    };
    TaskDigest {
        format: crate::domain::digest::DIGEST_FORMAT,
        task: TaskId::from(task),
        text: "do it".to_owned(),
        tags: Tags::from([("kind".to_owned(), task[..1].to_owned())]),
        rollouts: (0..scored).map(rollout).collect(),
        signals: Vec::new(),
        divergence: None,
        dropped: 0,
    }
}

/// The same digest, with a processor that changed something in every rollout.
pub(crate) fn with_fired(mut digest: TaskDigest, processor: &str) -> TaskDigest {
    for rollout in &mut digest.rollouts {
        rollout.fired.insert(ProcessorName::from(processor), 1);
    }
    digest
}

/// A candidate of a component that claims these tasks.
pub(crate) fn manifest(id: &str, bucket: Bucket, component: &str, claims: &[&str]) -> CandidateManifest {
    let text = format!(
        "format = 1\ncandidate_id = '{id}'\ntitle = 't'\nengine = 'catalog'\nvariant = 'v'\nparent = 'p'\nharness = 'h'\nbuckets = ['{bucket}']\n\
         component = '{component}'\nfile_changes = []\nroot_cause = 'r'\ntargeted_fix = 'f'\nwhy_risk_holds = 'w'\nedits = []\n\
         [capability_evidence]\nclaim = 'c'\n[predicted_impact]\n[attribution_signature]\ntype = 'processor'\nname = '{component}'\n\
         expected_min_calls = 1\n"
    );
    let mut manifest: CandidateManifest = toml::from_str(&text).unwrap();
    manifest.predicted_impact.will_unlock = claims.iter().map(|task| Claim::Task(TaskId::from(*task))).collect();
    manifest
}

/// What a round decided of these candidates.
pub(crate) fn decision(round: u32, outcome: RoundOutcome, rulings: &[(&str, RulingWord)]) -> Decision {
    let ruled = |(id, word): &(&str, RulingWord)| Ruled {
        candidate: CandidateId::from(*id),
        title: "t".to_owned(),
        word: *word,
        line: format!("{id} in plain words"),
        rollouts: 8,
        gain: (*word == RulingWord::Shipped).then_some(2.0),
        at: None,
    };
    Decision {
        format: ROUND_FORMAT,
        round,
        outcome,
        reason: None,
        candidates: rulings.iter().map(ruled).collect(),
        notes: Vec::new(),
        strategy_concern: None,
    }
}

/// A round under an incumbent, with what it played.
pub(crate) fn round(round: u32, incumbent: &str, digests: Vec<TaskDigest>) -> PastRound {
    PastRound { round, incumbent: Some(HarnessId::from(incumbent)), left: None, digests, proposed: Vec::new(), decision: None }
}

impl PastRound {
    /// The round with candidates of its own, all of which shipped.
    pub(crate) fn ships(mut self, manifests: &[CandidateManifest]) -> Self {
        let rulings: Vec<(&str, RulingWord)> =
            manifests.iter().map(|manifest| (manifest.candidate_id.as_str(), RulingWord::Shipped)).collect();
        self.decision = Some(decision(self.round, RoundOutcome::Shipped, &rulings));
        self.proposed = manifests.to_vec();
        self
    }
}
