//! A task: one benchmark item, and the part of it that processors may see.

use super::id::{Digest, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which part of a benchmark a task belongs to (`benchmarks.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Open to the meta-agent.
    Train,
    /// Only counts leave it.
    Gate,
    /// Sealed.
    Heldout,
}

impl Split {
    /// The split of a group of near-copies: a pure threshold on a digest, 40 % train, 25 % gate, 35 % held-out.
    pub fn of_group(benchmark: &str, group: &str) -> Self {
        let share = group_fraction(benchmark, group);
        if share < 0.40 {
            Self::Train
        } else if share < 0.65 {
            Self::Gate
        } else {
            Self::Heldout
        }
    }

    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Gate => "gate",
            Self::Heldout => "heldout",
        }
    }
}

/// A number in [0, 1) fixed by benchmark and group.
fn group_fraction(benchmark: &str, group: &str) -> f64 {
    Digest::of_parts(&[b"split", benchmark.as_bytes(), group.as_bytes()]).seed() as f64 / 2f64.powi(64)
}

/// Facts about a task known before it is played, such as its kind; by these, processors choose and variants route.
pub type Tags = BTreeMap<String, String>;

/// Whether a task's tags have all of those wanted, with the same values.
pub fn has_all(tags: &Tags, wanted: &Tags) -> bool {
    wanted.iter().all(|(key, value)| tags.get(key) == Some(value))
}

/// One benchmark item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Unique within the benchmark.
    pub id: TaskId,
    /// What the agent is asked to do.
    pub text: String,
    /// Known before the outcome.
    pub tags: Tags,
    /// Near-copies share a group and so a split.
    pub group: String,
    /// The split.
    pub split: Split,
}

impl Task {
    /// Order within a split: `--limit N` takes the first N.
    pub fn rank(&self) -> Digest {
        Digest::of_parts(&[b"rank", self.id.as_str().as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_have_their_shares() {
        let mut counts = BTreeMap::new();
        for index in 0..4000 {
            *counts.entry(Split::of_group("b", &format!("g{index}"))).or_insert(0) += 1;
        }
        assert!((1500..1700).contains(&counts[&Split::Train]), "{counts:?}");
        assert!((900..1100).contains(&counts[&Split::Gate]), "{counts:?}");
    }
}
