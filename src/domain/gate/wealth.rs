//! The betting e-process (`gate.md` §3): how much evidence paired outcomes give that a mean difference is above zero.

use serde::{Deserialize, Serialize};

/// Stakes of the four bets.
const GRID: [f64; 4] = [0.125, 0.25, 0.375, 0.5];
/// Predictions are scaled to at most this, so that a factor stays at or above .2.
const LARGEST_PREDICTION: f64 = 0.6;

/// Logarithms of the wealth of four bettors who started with a quarter each.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wealth([f64; 4]);

impl Default for Wealth {
    fn default() -> Self {
        Self([-(4.0_f64.ln()); 4])
    }
}

impl Wealth {
    /// ln e; e is the sum of the four.
    pub fn log_e(&self) -> f64 {
        let top = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        top + self.0.iter().map(|log| (log - top).exp()).sum::<f64>().ln()
    }

    /// The e-value; finite, so that it can be written as JSON.
    pub fn e(&self) -> f64 {
        self.log_e().exp().min(f64::MAX)
    }

    /// Bets once on each difference (−1, 0 or 1) less its prediction.
    pub fn bet(&mut self, differences: impl Iterator<Item = f64>) {
        for difference in differences {
            for (log, stake) in self.0.iter_mut().zip(GRID) {
                *log += (stake * difference).ln_1p();
            }
        }
    }

    /// Log growth a pass of the best bettor so far, at least 0.
    pub fn growth(&self, passes: u32) -> f64 {
        let best = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max) + 4.0_f64.ln();
        (best / f64::from(passes.max(1))).max(0.0)
    }
}

/// Predicted differences of one pass from the sums of earlier ones (`sum`, `count` per task): they sum to zero and are known before the
/// pass, so the bet stays fair.
pub fn predictions(past: impl Iterator<Item = (f64, u32)>) -> Vec<f64> {
    let mut predicted: Vec<f64> = past.map(|(sum, count)| if count == 0 { 0.0 } else { sum / (f64::from(count) + 1.5) }).collect();
    let mean = predicted.iter().sum::<f64>() / predicted.len().max(1) as f64;
    let mut largest = 0.0_f64;
    for value in &mut predicted {
        *value -= mean;
        largest = largest.max(value.abs());
    }
    if largest > LARGEST_PREDICTION {
        for value in &mut predicted {
            *value *= LARGEST_PREDICTION / largest;
        }
    }
    predicted
}

/// Wins in a row, without a loss, that reach an e-value. No sequence of that many differences reaches more.
pub fn wins_needed(threshold: f64) -> u32 {
    let mut wealth = Wealth::default();
    let mut wins = 0;
    while wealth.e() < threshold && wins < 10_000 {
        wealth.bet(std::iter::once(1.0));
        wins += 1;
    }
    wins
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_starts_at_one_and_a_tie_leaves_it() {
        let mut wealth = Wealth::default();
        assert!((wealth.e() - 1.0).abs() < 1e-12);
        wealth.bet([0.0; 9].into_iter());
        assert!((wealth.e() - 1.0).abs() < 1e-12);
        assert!(wealth.growth(0).abs() < 1e-12);
    }

    #[test]
    fn sixteen_wins_reach_the_standard_threshold() {
        assert_eq!(wins_needed(150.0), 16);
        assert_eq!(wins_needed(0.5), 0);
    }

    proptest! {
        #[test]
        fn predictions_are_bounded_and_sum_to_zero(past in prop::collection::vec((-5_i32..=5, 0_u32..6), 0..40)) {
            let predicted = predictions(past.iter().map(|(sum, count)| (f64::from(*sum), *count)));
            prop_assert!(predicted.iter().sum::<f64>().abs() < 1e-9);
            prop_assert!(predicted.iter().all(|value| value.abs() <= LARGEST_PREDICTION + 1e-9));
        }

        #[test]
        fn a_worse_outcome_never_pays_more(wins in 0_usize..20, losses in 0_usize..20) {
            let e = |wins: usize, losses: usize| {
                let mut wealth = Wealth::default();
                wealth.bet(std::iter::repeat_n(1.0, wins).chain(std::iter::repeat_n(-1.0, losses)));
                wealth.log_e()
            };
            prop_assert!(e(wins, losses + 1) < e(wins, losses));
            prop_assert!(e(wins, losses) <= e(wins + 1, losses));
        }
    }
}
