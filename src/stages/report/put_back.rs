//! An earlier harness may come back, by a person between rounds or by the gate's check for slow loss: what a report says of it, and what it
//! no longer claims.

use super::input::Report;
use crate::domain::curves::{Point, RoundPoints};
use crate::domain::id::HarnessId;
use crate::domain::round::{RoundOutcome, RoundRecord};
use serde::{Deserialize, Serialize};

/// Who brought an earlier harness back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// A person, after a round.
    #[default]
    Hand,
    /// The gate, in a round.
    Gate,
}

/// An earlier harness that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBack {
    /// After which round; for the gate, at its end.
    pub after: u32,
    /// The round that first ended with it.
    pub to: Option<u32>,
    /// What came back.
    pub harness: HarnessId,
    /// By whom.
    #[serde(default)]
    pub by: By,
}

impl PutBack {
    /// All of them in order, from the records of the rounds that ended, and from `main`, the incumbent since then.
    pub fn all(records: &[&RoundRecord], main: Option<&HarnessId>) -> Vec<Self> {
        let mut found = Vec::new();
        for (index, record) in records.iter().enumerate() {
            let mut came_back = |harness: &HarnessId, by| {
                let to = records[..index].iter().find(|earlier| earlier.after == *harness).map(|earlier| earlier.round);
                found.push(Self { after: record.round, to, harness: harness.clone(), by });
            };
            if record.outcome == RoundOutcome::RolledBack {
                came_back(&record.after, By::Gate);
            }
            if let Some(began) = records.get(index + 1).map(|next| &next.before).or(main)
                && *began != record.after
            {
                came_back(began, By::Hand);
            }
        }
        found
    }

    /// How what shipped in a round was taken back, unless it was put back in turn.
    pub fn of_ships(all: &[Self], round: u32) -> Option<&Self> {
        let first = all.iter().position(|back| back.takes_back(round))?;
        let is_again = |back: &Self| back.to.is_some_and(|to| (round..=all[first].after).contains(&to));
        (!all[first + 1..].iter().any(is_again)).then(|| &all[first])
    }

    /// What came back.
    pub fn version(&self) -> String {
        self.to.map_or_else(|| "an earlier version".to_owned(), |round| format!("R{round}"))
    }

    fn takes_back(&self, round: u32) -> bool {
        round <= self.after && self.to.is_none_or(|to| to < round)
    }
}

impl Report {
    /// What a person put back after the last round that ended; no round was played with it yet.
    pub fn put_back_last(&self) -> Option<&PutBack> {
        self.put_back.last().filter(|back| back.by == By::Hand && back.after >= self.last_round())
    }

    /// The git tree id of the harness that the run stands with.
    pub fn incumbent(&self) -> &str {
        let last = self.rounds.iter().rev().find_map(|round| round.record.as_ref()).map(|record| &record.after);
        self.put_back_last().map(|back| &back.harness).or(last).map_or(self.run.harness.as_str(), HarnessId::as_str)
    }

    /// What a person put back after a round, before the next one.
    pub fn put_back_after(&self, round: u32) -> Option<&PutBack> {
        self.put_back.iter().find(|back| back.by == By::Hand && back.after == round)
    }

    /// The git tree id of the harness that a round ended with; one that is open stands as the run does.
    pub fn left_by(&self, round: u32) -> &str {
        let record = self.rounds.iter().find(|one| one.round == round).and_then(|one| one.record.as_ref());
        record.map_or_else(|| self.incumbent(), |record| record.after.as_str())
    }

    /// Whether the run stands with its first harness.
    pub fn stands_with_first(&self) -> bool {
        self.left_by(0) == self.incumbent()
    }

    /// Points of the curves of rounds that ended with a harness.
    pub fn points_of(&self, harness: &str) -> impl DoubleEndedIterator<Item = &RoundPoints> {
        self.curves.rounds.iter().filter(move |points| self.left_by(points.round) == harness)
    }

    /// The last held-out point of a harness, with its round.
    pub fn heldout_of(&self, harness: &str) -> Option<(u32, Point)> {
        self.points_of(harness).rev().find_map(|points| Some((points.round, points.heldout?)))
    }

    /// Points of the curves, up to the version that the run stands with.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = &RoundPoints> {
        let back = self.put_back_last();
        self.curves.rounds.iter().filter(move |points| back.is_none_or(|back| back.to.is_some_and(|to| points.round <= to)))
    }

    /// How what shipped in a round was taken back, unless it was put back in turn.
    pub fn taken_back(&self, round: u32) -> Option<&PutBack> {
        PutBack::of_ships(&self.put_back, round)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::run;
    use super::*;

    #[test]
    fn a_ship_is_taken_back_until_its_version_is_put_back_in_turn() {
        let back = |after, to| PutBack { after, to, harness: HarnessId::from("h"), by: By::Hand };
        let mut report = Report { put_back: vec![back(3, Some(1))], ..Report::default() };
        let taken = |report: &Report| (0..6).filter(|round| report.taken_back(*round).is_some()).collect::<Vec<u32>>();
        assert_eq!(taken(&report), [2, 3]);
        report.put_back.push(back(5, Some(2)));
        assert_eq!(taken(&report), [3, 4, 5]);
        report.put_back = vec![back(2, None)];
        assert_eq!(taken(&report), [0, 1, 2]);
    }

    #[test]
    fn what_the_gate_rolls_back_is_taken_back_too() {
        use RoundOutcome::{Baseline, Kept, RolledBack, Shipped};
        let record = |round, before: &str, after: &str, outcome| RoundRecord {
            round,
            outcome,
            before: before.into(),
            after: after.into(),
            ..run(1, 1).rounds[0].record.clone().unwrap()
        };
        let records = [
            record(0, "a", "a", Baseline),
            record(1, "a", "b", Shipped),
            record(2, "b", "c", Shipped),
            record(3, "c", "b", RolledBack),
            // What ships and is rolled back in one round changes nothing from round to round.
            record(4, "b", "b", RolledBack),
            record(5, "b", "b", Kept),
        ];
        let records: Vec<&RoundRecord> = records.iter().collect();
        let taken = |all: &[PutBack]| (0..6).filter(|round| PutBack::of_ships(all, *round).is_some()).collect::<Vec<u32>>();
        let all = PutBack::all(&records, Some(&"b".into()));
        assert_eq!(
            all.iter().map(|back| (back.after, back.to, back.by)).collect::<Vec<_>>(),
            [(3, Some(1), By::Gate), (4, Some(1), By::Gate)]
        );
        assert_eq!(taken(&all), [2, 3, 4]);
        let report = Report { put_back: all, ..Report::default() };
        assert!(report.put_back_last().is_none() && report.put_back_after(3).is_none());
        let all = PutBack::all(&records, Some(&"c".into()));
        assert_eq!(all.last().map(|back| (back.after, back.to, back.by)), Some((5, Some(2), By::Hand)));
        assert_eq!(taken(&all), [3, 4, 5], "R2's harness stands again");
    }
}
