//! Which candidate goes to the gate first: the one whose evidence is strongest, then whose kind of edit kept its promises, then who
//! promises most for its cost, then as the Evolver put them: it proposes first what it expects most of.

use super::{CritiqueInput, Proposal};
use crate::domain::digest::TaskDigest;
use crate::domain::harness::Limits;
use crate::domain::ledger::Reputation;
use crate::domain::manifest::CandidateManifest;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Traces beyond which more evidence is not stronger.
const ENOUGH: usize = 3;

/// The candidates, best first; equal ones by id, which is the order of the Evolver.
pub(super) fn ranked<'a>(input: &CritiqueInput<'_>, mut candidates: Vec<Proposal<'a>>) -> Vec<Proposal<'a>> {
    candidates.sort_by_cached_key(|proposal| {
        let manifest = proposal.manifest;
        let promise = thousandths(gain(input.digests, manifest) / cost(proposal));
        (Reverse(evidence(manifest)), Reverse(reputation(input, manifest)), Reverse(promise), manifest.candidate_id.clone())
    });
    candidates
}

/// Different traces in which something was observed.
fn evidence(manifest: &CandidateManifest) -> usize {
    let failures = manifest.failure_evidence.iter().map(|evidence| &evidence.anchor);
    let traces: BTreeSet<&str> = failures.chain(&manifest.capability_evidence.observed).map(|anchor| anchor.trace.as_str()).collect();
    traces.len().min(ENOUGH)
}

/// Share of kept promises in tenths, of the component and its buckets alike; what was never tried stands in the middle.
fn reputation(input: &CritiqueInput<'_>, manifest: &CandidateManifest) -> u64 {
    let smoothed = |found: Option<&Reputation>| found.map_or(0.5, |found| f64::from(found.hits + 1) / f64::from(found.predicted + 2));
    let buckets: Vec<f64> = manifest.buckets.iter().map(|bucket| smoothed(input.scoreboard.buckets.get(bucket))).collect();
    let of_buckets = if buckets.is_empty() { 0.5 } else { buckets.iter().sum::<f64>() / buckets.len() as f64 };
    let of_component = smoothed(input.scoreboard.components.get(&manifest.component));
    thousandths(f64::midpoint(of_component, of_buckets)) / 100
}

/// Rollouts that would be gained, in tasks, if every promise came true.
fn gain(digests: &[TaskDigest], manifest: &CandidateManifest) -> f64 {
    let covers = |digest: &TaskDigest| manifest.claims().any(|claim| claim.covers(&digest.task, &digest.tags));
    let missing = |digest: &TaskDigest| {
        let (solved, scored) = digest.solved_of();
        if scored == 0 { 0.0 } else { 1.0 - f64::from(solved) / f64::from(scored) }
    };
    digests.iter().filter(|digest| covers(digest)).map(missing).sum()
}

/// How much more an episode may use than the parent's, at least 1; a limit lifted counts double.
fn cost(proposal: &Proposal<'_>) -> f64 {
    let (before, after) = (proposal.parent.manifest.slots.limits, proposal.harness.manifest.slots.limits);
    let numbers = |limits: Limits| {
        let wide = |number: Option<u64>| number.map(|number| number as f64);
        [wide(limits.steps.map(u64::from)), wide(limits.tokens), limits.cost, wide(limits.seconds)]
    };
    let factor = |(before, after): (Option<f64>, Option<f64>)| match (before, after) {
        (Some(before), Some(after)) if before > 0.0 => after / before,
        (Some(_), None) => 2.0,
        _ => 1.0,
    };
    numbers(before).into_iter().zip(numbers(after)).map(factor).fold(1.0, f64::max)
}

/// For comparing without the last bits of a sum.
fn thousandths(number: f64) -> u64 {
    (number * 1000.0).round().max(0.0) as u64
}
