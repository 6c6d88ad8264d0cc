//! Evidence is looked up, predictions are about tasks that the engine could see.

use super::{Case, Found, Place, Rule};
use crate::domain::id::TaskId;
use crate::domain::manifest::Claim;
use std::collections::BTreeSet;

/// Fewest letters and digits of a snippet; shorter ones stand everywhere.
const SNIPPET: usize = 2;

/// Every snippet stands at its anchor, every observed place exists, and a claim names at least one.
pub(super) fn observed(case: &Case<'_>) -> Vec<Found> {
    let manifest = case.proposal.manifest;
    let mut found = Vec::new();
    for (index, evidence) in manifest.failure_evidence.iter().enumerate() {
        let place = Place::Manifest(format!("failure_evidence {}", index + 1));
        let anchor = evidence.anchor.to_string().escape_debug().to_string();
        if evidence.snippet.chars().filter(|letter| letter.is_alphanumeric()).count() < SNIPPET {
            found.push((Rule::InventedEvidence, place, format!("evidence at {anchor} quotes nothing that could be looked up")));
        } else if !(case.input.verify)(&evidence.anchor, &evidence.snippet) {
            found.push((Rule::InventedEvidence, place, format!("the words quoted do not stand at {anchor}")));
        }
    }
    for anchor in manifest.capability_evidence.observed.iter().filter(|anchor| !(case.input.verify)(anchor, "")) {
        let text = format!("there is no place {}", anchor.to_string().escape_debug());
        found.push((Rule::InventedEvidence, Place::Manifest("capability_evidence".to_owned()), text));
    }
    if !manifest.capability_evidence.claim.trim().is_empty() && manifest.capability_evidence.observed.is_empty() {
        let place = Place::Manifest("capability_evidence".to_owned());
        found.push((Rule::BareClaim, place, "the claim names no place where it was observed".to_owned()));
    }
    found.into_iter().map(|(rule, place, text)| Found::new(rule, place, text)).collect()
}

/// Predictions name train tasks only: another task's name is made up, or was seen where it must not be.
pub(super) fn predictions(case: &Case<'_>) -> Vec<Found> {
    let digested = case.input.digests.iter().map(|digest| &digest.task);
    let known: BTreeSet<&TaskId> = digested.chain(&case.input.secrets.tasks).collect();
    let impact = &case.proposal.manifest.predicted_impact;
    let claims = impact.will_unlock.iter().chain(&impact.will_stabilize).chain(&impact.at_risk);
    let is_unknown = |claim: &&Claim| matches!(claim, Claim::Task(task) if !known.contains(task));
    let count = claims.filter(is_unknown).count();
    let text = || format!("predictions name {count} tasks that are not train tasks");
    let found = (count > 0).then(|| Found::new(Rule::UnknownTask, Place::Manifest("predicted_impact".to_owned()), text()));
    found.into_iter().collect()
}
