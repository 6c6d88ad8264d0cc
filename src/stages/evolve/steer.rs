//! Which ideas are tried first: what the landscape says fails, what was tried with what success, and chance by the seed.

use super::Workshop;
use super::ideas::Idea;
use crate::domain::edit::{Bucket, Edit, edits_digest};
use crate::domain::ledger::Reputation;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// What is left of an idea's weight where nothing that it mends is seen to fail.
const UNSEEN: f64 = 0.25;

/// What a rejection since the last ship leaves of a component's weight.
const REJECTED: f64 = 0.6;

/// How much the promising are favoured: chances go by this power of the weight.
const SHARPNESS: i32 = 2;

/// How much more a neglected bucket weighs.
const NEGLECTED: f64 = 4.0;

/// Ideas, the one to try first in front; those rejected since the last ship are gone.
pub(super) fn steered(ideas: Vec<Idea>, workshop: &Workshop<'_>, chance: &mut ChaCha8Rng) -> Vec<Idea> {
    let rejected = rejected(workshop);
    let fresh = ideas.into_iter().filter(|idea| !rejected.contains(&edits_digest(&idea.edits).to_string()));
    let mut ordered = drawn(fresh.collect(), |idea| weight(idea, workshop).powi(SHARPNESS), chance);
    if let Some(guard) = &workshop.landscape.guard {
        // One candidate must use a neglected bucket: the best of those comes first.
        let used = ordered.iter().position(|idea| buckets(idea).iter().any(|bucket| guard.neglected.contains(bucket)));
        if let Some(at) = used {
            ordered[..=at].rotate_right(1);
        }
    }
    ordered
}

/// Ideas in an order drawn by weight: without replacement, each next one with chance in proportion.
pub(super) fn drawn(ideas: Vec<Idea>, weight: impl Fn(&Idea) -> f64, chance: &mut ChaCha8Rng) -> Vec<Idea> {
    // The least of exponential times with these rates comes first: the same as drawing one after another.
    let mut timed: Vec<(f64, Idea)> = Vec::with_capacity(ideas.len());
    for idea in ideas {
        let uniform: f64 = chance.random();
        timed.push((-(1.0 - uniform).ln() / weight(&idea).max(f64::MIN_POSITIVE), idea));
    }
    timed.sort_by(|one, two| one.0.total_cmp(&two.0));
    timed.into_iter().map(|(_, idea)| idea).collect()
}

fn buckets(idea: &Idea) -> BTreeSet<Bucket> {
    idea.edits.iter().map(Edit::bucket).collect()
}

/// Round of the last ship, of any component.
fn last_ship(workshop: &Workshop<'_>) -> Option<u32> {
    workshop.landscape.components.values().flat_map(|reputation| reputation.rounds.iter().copied()).max()
}

/// Edits that were rejected on the present incumbent.
fn rejected(workshop: &Workshop<'_>) -> BTreeSet<String> {
    let since = last_ship(workshop);
    let recent = workshop.landscape.rejected.iter().filter(|old| since.is_none_or(|since| old.round > since));
    recent.map(|old| old.edits.clone()).collect()
}

fn weight(idea: &Idea, workshop: &Workshop<'_>) -> f64 {
    let landscape = workshop.landscape;
    let failing = landscape.failing.iter().filter(|cluster| idea.mends.contains(&cluster.kind)).map(|cluster| cluster.tasks.len()).max();
    let seen = failing.unwrap_or(0) as f64 / workshop.digests.len().max(1) as f64;
    let since = last_ship(workshop);
    let old = landscape.rejected.iter().filter(|old| old.component == idea.component && since.is_none_or(|since| old.round > since));
    let tired = REJECTED.powi(i32::try_from(old.count()).unwrap_or(i32::MAX));
    let of_buckets = buckets(idea).iter().filter_map(|bucket| landscape.buckets.get(bucket)).map(kept).fold(1.0, f64::min);
    let of_component = landscape.components.get(&idea.component).map_or(1.0, kept);
    let neglected = landscape.guard.as_ref().is_some_and(|guard| buckets(idea).iter().any(|bucket| guard.neglected.contains(bucket)));
    let guarded = if neglected { NEGLECTED } else { 1.0 };
    idea.weight * (UNSEEN + seen.min(1.0)) * tired * of_component * of_buckets.sqrt() * guarded
}

/// How well promises were kept: 1 before the first, towards 0 and 2 with many.
fn kept(reputation: &Reputation) -> f64 {
    2.0 * f64::from(reputation.hits + 1) / f64::from(reputation.predicted + 2)
}
