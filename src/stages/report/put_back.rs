//! A person may put an earlier harness back between rounds: what a report says of it, and what it no longer claims.

use super::input::Report;
use crate::domain::curves::RoundPoints;
use crate::domain::id::HarnessId;
use crate::domain::round::RoundRecord;
use serde::{Deserialize, Serialize};

/// An earlier harness that a person put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutBack {
    /// After which round.
    pub after: u32,
    /// The round that first ended with it.
    pub to: Option<u32>,
    /// What was put back.
    pub harness: HarnessId,
}

impl PutBack {
    /// All of them, from the rounds' records, and from `main`, the incumbent now, where no round is open.
    pub fn all(records: &[&RoundRecord], main: Option<&HarnessId>) -> Vec<Self> {
        let to = |harness: &HarnessId| records.iter().find(|record| record.after == *harness).map(|record| record.round);
        let began = records.iter().skip(1).map(|record| &record.before).chain(main);
        let differ = records.iter().zip(began).filter(|(record, began)| record.after != **began);
        differ.map(|(record, began)| Self { after: record.round, to: to(began), harness: began.clone() }).collect()
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
        self.put_back.last().filter(|back| back.after >= self.last_round())
    }

    /// The git tree id of the harness that the run stands with.
    pub fn incumbent(&self) -> &str {
        let last = self.rounds.iter().rev().find_map(|round| round.record.as_ref()).map(|record| &record.after);
        self.put_back_last().map(|back| &back.harness).or(last).map_or(self.run.harness.as_str(), HarnessId::as_str)
    }

    /// Points of the curves, up to the version that the run stands with.
    pub fn points(&self) -> impl DoubleEndedIterator<Item = &RoundPoints> {
        let back = self.put_back_last();
        self.curves.rounds.iter().filter(move |points| back.is_none_or(|back| back.to.is_some_and(|to| points.round <= to)))
    }

    /// How what shipped in a round was taken back, unless it was put back in turn.
    pub fn taken_back(&self, round: u32) -> Option<&PutBack> {
        let first = self.put_back.iter().position(|back| back.takes_back(round))?;
        let is_again = |back: &PutBack| back.to.is_some_and(|to| (round..=self.put_back[first].after).contains(&to));
        (!self.put_back[first + 1..].iter().any(is_again)).then(|| &self.put_back[first])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ship_is_taken_back_until_its_version_is_put_back_in_turn() {
        let back = |after, to| PutBack { after, to, harness: HarnessId::from("h") };
        let mut report = Report { put_back: vec![back(3, Some(1))], ..Report::default() };
        let taken = |report: &Report| (0..6).filter(|round| report.taken_back(*round).is_some()).collect::<Vec<u32>>();
        assert_eq!(taken(&report), [2, 3]);
        report.put_back.push(back(5, Some(2)));
        assert_eq!(taken(&report), [3, 4, 5]);
        report.put_back = vec![back(2, None)];
        assert_eq!(taken(&report), [0, 1, 2]);
    }
}
