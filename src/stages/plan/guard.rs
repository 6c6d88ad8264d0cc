//! The exploration guard: reputation alone would follow what once worked for good.

use crate::domain::edit::Bucket;
use crate::domain::landscape::Guard;
use crate::domain::ledger::{Reputation, ShipOutcome};
use std::collections::{BTreeMap, BTreeSet};

/// Ships in a row that are looked at.
const RUNNING: usize = 3;

/// The bucket that shipped in each of the last three rounds that shipped anything, each time with no better hit rate than the time
/// before, while another was never proposed. Rounds that shipped nothing are passed over: they say nothing for the bucket.
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
        let rates: Option<Vec<f64>> = last.iter().map(|round| hit_rate(outcomes, *round, *bucket)).collect();
        rates.is_some_and(|rates| rates.windows(2).all(|pair| pair[0] <= pair[1]))
    })?;
    Some(Guard { overused, neglected })
}

/// Hit rate of a bucket's ships in one round; `None` where it shipped nothing.
fn hit_rate(outcomes: &[ShipOutcome], round: u32, bucket: Bucket) -> Option<f64> {
    let mut ships = outcomes.iter().filter(|outcome| outcome.round == round && outcome.buckets.contains(&bucket)).peekable();
    ships.peek()?;
    let (hits, predicted) = ships.fold((0, 0), |(hits, predicted), ship| (hits + ship.hits, predicted + ship.predicted));
    Some(if predicted == 0 { 0.0 } else { f64::from(hits) / f64::from(predicted) })
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
        let mixed = [ship(1, Config, 2), ship(2, Prompt, 2), ship(3, Config, 1)];
        assert_eq!(guard(&mixed, &tried(&[Config, Prompt])), None);
        let beside = [falling[0].clone(), falling[1].clone(), ship(2, Prompt, 4), falling[2].clone()];
        assert_eq!(guard(&beside, &tried(&[Config, Prompt])).map(|guard| guard.overused), Some(Config));
    }
}
