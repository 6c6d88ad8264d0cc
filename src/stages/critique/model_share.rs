//! What the model contributes: a harness played with the model and with a uniformly random chooser in its place (`system.md` §6).

use crate::domain::interval::{Share, wilson};
use std::fmt;

/// Success over tasks: each task counts with its mean over rollouts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tally {
    /// Tasks solved, fractions included.
    pub solved: f64,
    /// Tasks scored.
    pub tasks: usize,
}

/// Who does the work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Contribution {
    /// The 95 % intervals lie apart, the model's above.
    Model(Share, Share),
    /// The intervals overlap, and the random chooser reaches at least half of the model's share.
    Harness(Share, Share),
    /// The intervals overlap only because there are few tasks.
    Unclear(Share, Share),
}

/// Share of the model's success that a random chooser must reach before an overlap says that the harness does the work.
const HALF: f64 = 0.5;

/// Compares the two; `None` where one was not played or neither solves anything.
pub fn model_share(with_model: Tally, at_random: Tally) -> Option<Contribution> {
    let (model, random) = (wilson(with_model.solved, with_model.tasks)?, wilson(at_random.solved, at_random.tasks)?);
    if model.value <= 0.0 && random.value <= 0.0 {
        return None;
    }
    Some(if model.low > random.high {
        Contribution::Model(model, random)
    } else if random.value >= HALF * model.value {
        Contribution::Harness(model, random)
    } else {
        Contribution::Unclear(model, random)
    })
}

impl Contribution {
    /// Whether a ship is flagged.
    pub fn is_flag(&self) -> bool {
        matches!(self, Self::Harness(..))
    }
}

impl fmt::Display for Contribution {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, model, random) = match self {
            Self::Model(model, random) => ("the model does work that the harness does not", model, random),
            Self::Harness(model, random) => ("the harness does the work, not the model", model, random),
            Self::Unclear(model, random) => ("too few tasks to say whether the model or the harness does the work", model, random),
        };
        let shown = |share: &Share| format!("{:.0} % ({:.0} to {:.0})", 100.0 * share.value, 100.0 * share.low, 100.0 * share.high);
        write!(out, "{words}: {} of tasks solved with the model, {} with a random chooser", shown(model), shown(random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(model: (f64, usize), random: (f64, usize)) -> Option<Contribution> {
        let tally = |(solved, tasks)| Tally { solved, tasks };
        model_share(tally(model), tally(random))
    }

    #[test]
    fn overlapping_intervals_flag_the_harness_unless_chance_does_little() {
        let flag = share((31.0, 60), (28.0, 60)).unwrap();
        let text = "the harness does the work, not the model: 52 % (39 to 64) of tasks solved with the model, 47 % (35 to 59) with a random chooser";
        assert_eq!((flag.is_flag(), flag.to_string().as_str()), (true, text));
        assert!(matches!(share((45.0, 60), (10.0, 60)), Some(Contribution::Model(..))));
        assert!(matches!(share((3.0, 20), (0.0, 20)), Some(Contribution::Unclear(..))));
        assert!(share((10.0, 60), (40.0, 60)).unwrap().is_flag());
        assert_eq!((share((0.0, 9), (0.0, 9)), share((1.0, 9), (0.0, 0))), (None, None));
    }
}
