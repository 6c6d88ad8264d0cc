//! `curves.json`: pass rates by round and split, for people and reports; engines never read it (`system.md` §5).

use super::interval::Share;
use super::task::Split;
use serde::{Deserialize, Serialize};

/// Version of `curves.json`.
pub const CURVES_FORMAT: u32 = 1;

/// Pass rates of a run, round by round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Curves {
    /// [`CURVES_FORMAT`].
    pub format: u32,
    /// Rounds with at least one point, in order.
    pub rounds: Vec<RoundPoints>,
}

/// The points of one round; a split that was not played has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundPoints {
    /// Round, 0 is the baseline.
    pub round: u32,
    /// Train split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Point>,
    /// Gate split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Point>,
    /// Held-out split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heldout: Option<Point>,
    /// What the model contributes under the incumbent of this round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_share: Option<ModelShare>,
}

/// One harness on the same tasks with the model and with a uniformly random chooser in its place (`system.md` §6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShare {
    /// On which tasks.
    pub split: Split,
    /// With the model.
    pub model: Point,
    /// With the random chooser.
    pub random: Point,
    /// Said in plain words where the model adds nothing that can be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
}

/// What a harness scored on one split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Share of tasks solved with its 95 % interval over tasks; absent without a scored episode.
    pub pass_rate: Option<Share>,
    /// Tasks scored.
    pub tasks: usize,
    /// Episodes scored.
    pub episodes: usize,
    /// Episodes missing because plumbing failed; absent where they were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<usize>,
}

impl Default for Curves {
    fn default() -> Self {
        Self { format: CURVES_FORMAT, rounds: Vec::new() }
    }
}

impl Curves {
    /// Sets one point; a later word on the same round and split replaces the earlier one.
    pub fn set(&mut self, round: u32, split: Split, point: Point) {
        let points = self.of(round);
        let point = Some(point);
        match split {
            Split::Train => points.train = point,
            Split::Gate => points.gate = point,
            Split::Heldout => points.heldout = point,
        }
    }

    /// Sets what the model contributes in a round.
    pub fn set_model_share(&mut self, round: u32, share: ModelShare) {
        self.of(round).model_share = Some(share);
    }

    fn of(&mut self, round: u32) -> &mut RoundPoints {
        let place = self.rounds.partition_point(|points| points.round < round);
        if self.rounds.get(place).is_none_or(|points| points.round != round) {
            self.rounds.insert(place, RoundPoints { round, ..RoundPoints::default() });
        }
        &mut self.rounds[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_merged_over_rounds_and_splits() {
        let point = |tasks| Point { pass_rate: None, tasks, episodes: tasks, missing: Some(0) };
        let mut curves = Curves::default();
        curves.set(1, Split::Train, point(4));
        curves.set(0, Split::Train, point(3));
        curves.set(0, Split::Heldout, point(2));
        curves.set(1, Split::Train, point(5));
        let first = RoundPoints { round: 0, train: Some(point(3)), heldout: Some(point(2)), ..RoundPoints::default() };
        let second = RoundPoints { round: 1, train: Some(point(5)), ..RoundPoints::default() };
        assert_eq!(curves.rounds, [first, second]);
    }
}
