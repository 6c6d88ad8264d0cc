//! The exploration guard: reputation alone would follow what once worked for good.

use crate::domain::edit::Bucket;
use crate::domain::landscape::Guard;
use crate::domain::ledger::{Reputation, ShipOutcome};
use std::collections::{BTreeMap, BTreeSet};

/// Ships in a row that are looked at.
const RUNNING: usize = 3;

/// The bucket that shipped in each of the last three rounds that shipped anything, with a hit rate that did not rise over them, while
/// another was never proposed. Rounds that shipped nothing are passed over: they say nothing for the bucket.
pub(super) fn guard(outcomes: &[ShipOutcome], buckets: &BTreeMap<Bucket, Reputation>) -> Option<Guard> {
    let is_tried = |bucket: &Bucket| buckets.get(bucket).is_some_and(|reputation| reputation.proposed > 0);
    let neglected: Vec<Bucket> = Bucket::ALL.into_iter().filter(|bucket| !is_tried(bucket)).collect();
    let rounds: BTreeSet<u32> = outcomes.iter().map(|outcome| outcome.round).collect();
    let last: Vec<u32> = rounds.into_iter().rev().take(RUNNING).collect();
    if neglected.is_empty() || last.len() < RUNNING {
        return None;
    }
    let overused = Bucket::ALL.into_iter().find(|bucket| {
        // Latest first.
        let kept: Option<Vec<Kept>> = last.iter().map(|round| Kept::of(outcomes, *round, *bucket)).collect();
        kept.is_some_and(|kept| !kept[0].is_above(&kept[RUNNING - 1]))
    })?;
    Some(Guard { overused, neglected })
}

/// Predictions of a bucket's ships in one round.
struct Kept {
    hits: f64,
    predicted: f64,
}

impl Kept {
    /// `None` where the bucket shipped nothing.
    fn of(outcomes: &[ShipOutcome], round: u32, bucket: Bucket) -> Option<Self> {
        let mut ships = outcomes.iter().filter(|outcome| outcome.round == round && outcome.buckets.contains(&bucket)).peekable();
        ships.peek()?;
        let (hits, predicted) = ships.fold((0, 0), |(hits, predicted), ship| (hits + ship.hits, predicted + ship.predicted));
        Some(Self { hits: f64::from(hits), predicted: f64::from(predicted) })
    }

    /// Whether more came true than before, by more than one standard error: one task more or less is luck, and luck goes up and down.
    fn is_above(&self, before: &Self) -> bool {
        let share = |hits: f64, predicted: f64| if predicted > 0.0 { hits / predicted } else { 0.0 };
        let pooled = share(self.hits + before.hits, self.predicted + before.predicted);
        let variance = pooled * (1.0 - pooled) * (self.predicted.max(1.0).recip() + before.predicted.max(1.0).recip());
        share(self.hits, self.predicted) - share(before.hits, before.predicted) > variance.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::engine::Engine;
    use crate::domain::id::CandidateId;

    fn ship(round: u32, bucket: Bucket, hits: u32) -> ShipOutcome {
        ShipOutcome {
            round,
            candidate: CandidateId::from("c"),
            engine: Engine::Catalog,
            buckets: vec![bucket],
            component: "x".to_owned(),
            gain: 0.0,
            predicted: 4,
            hits,
            regressions: Vec::new(),
            orphan_flips: 0,
        }
    }

    fn tried(buckets: &[Bucket]) -> BTreeMap<Bucket, Reputation> {
        buckets.iter().map(|bucket| (*bucket, Reputation { proposed: 1, ..Reputation::default() })).collect()
    }

    #[test]
    fn flat_and_falling_ships_of_one_bucket_are_called_out() {
        use Bucket::{Config, Processor, Prompt, Tools};
        let falling = [ship(1, Config, 2), ship(2, Config, 2), ship(5, Config, 1)];
        let named = guard(&falling, &tried(&[Config, Processor])).unwrap();
        assert_eq!(named, Guard { overused: Config, neglected: vec![Prompt, Tools] });
        assert_eq!(guard(&falling, &tried(&Bucket::ALL)), None, "nothing is neglected");
        assert_eq!(guard(&falling[..2], &tried(&[Config])), None, "two rounds are not three");
        let rising = [ship(1, Config, 1), ship(2, Config, 2), ship(3, Config, 3)];
        assert_eq!(guard(&rising, &tried(&[Config])), None);
        let lucky = [ship(1, Config, 1), ship(2, Config, 0), ship(3, Config, 2)];
        assert!(guard(&lucky, &tried(&[Config])).is_some(), "one task more is luck");
        let mixed = [ship(1, Config, 2), ship(2, Prompt, 2), ship(3, Config, 1)];
        assert_eq!(guard(&mixed, &tried(&[Config, Prompt])), None);
        let beside = [falling[0].clone(), falling[1].clone(), ship(2, Prompt, 4), falling[2].clone()];
        assert_eq!(guard(&beside, &tried(&[Config, Prompt])).map(|guard| guard.overused), Some(Config));
    }
}
