//! Intervals over tasks, never over rollouts (`system.md` §4).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A share with its 95 % interval, each in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl fmt::Display for Share {
    /// `41.0 % [30.2–52.7]`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:.1} % [{:.1}–{:.1}]", 100.0 * self.value, 100.0 * self.low, 100.0 * self.high)
    }
}

/// 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's interval for a mean of per-task success rates over `tasks` tasks. `None` without tasks.
/// Source: Wilson 1927; with fractional successes the variance is bounded by that of a yes/no outcome, so it is conservative.
pub fn wilson(successes: f64, tasks: usize) -> Option<Share> {
    if tasks == 0 {
        return None;
    }
    let n = tasks as f64;
    let p = (successes / n).clamp(0.0, 1.0);
    let scale = 1.0 + Z * Z / n;
    let centre = (p + Z * Z / (2.0 * n)) / scale;
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / scale;
    Some(Share { value: p, low: (centre - half).max(0.0), high: (centre + half).min(1.0) })
}

/// A difference of two shares with its 95 % interval, each in [−1, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The estimate.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// `after` − `before`, from their own intervals. `correlation` is that of the per-task rates where both were measured on the same
/// tasks, and 0 where they were not. Source: Newcombe 1998 and Zou & Donner 2008 (the limits of each share carried over).
pub fn difference(before: Share, after: Share, correlation: f64) -> Difference {
    let r = correlation.clamp(-1.0, 1.0);
    let value = after.value - before.value;
    let reach = |one: f64, two: f64| (one * one - 2.0 * r * one * two + two * two).max(0.0).sqrt();
    let down = reach(after.value - after.low, before.high - before.value);
    let up = reach(after.high - after.value, before.value - before.low);
    Difference { value, low: (value - down).max(-1.0), high: (value + up).min(1.0) }
}

/// Pearson's correlation of pairs; 0 where one side does not vary.
pub fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let n = pairs.len() as f64;
    let (sum_x, sum_y) = pairs.iter().fold((0.0, 0.0), |(x, y), pair| (x + pair.0, y + pair.1));
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        let (dx, dy) = (x - sum_x / n, y - sum_y / n);
        (xx, yy, xy) = (xx + dx * dx, yy + dy * dy, xy + dx * dy);
    }
    if xx * yy > 0.0 { xy / (xx * yy).sqrt() } else { 0.0 }
}

/// pass@k, the unbiased estimator from `n` rollouts with `c` successes: 1 − C(n−c, k)/C(n, k). `None` if `n < k` or `k` is 0.
/// Source: Chen et al. 2021.
pub fn pass_at_k(n: usize, c: usize, k: usize) -> Option<f64> {
    if n < k || k == 0 || c > n {
        return None;
    }
    if n - c < k {
        return Some(1.0);
    }
    let miss: f64 = (n - c + 1..=n).map(|i| 1.0 - k as f64 / i as f64).product();
    Some(1.0 - miss)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_matches_known_figures() {
        let share = wilson(2.0, 20).unwrap();
        assert!((share.low - 0.0279).abs() < 1e-3 && (share.high - 0.3).abs() < 2e-3, "{share:?}");
        assert!(wilson(0.0, 0).is_none());
        assert!(wilson(0.0, 20).unwrap().low.abs() < 1e-12);
    }

    /// Newcombe 1998, his example of 56/70 against 48/80: .2, from .0524 to .3339.
    #[test]
    fn a_difference_matches_a_known_figure() {
        let found = difference(wilson(48.0, 80).unwrap(), wilson(56.0, 70).unwrap(), 0.0);
        assert!((found.value - 0.2).abs() < 1e-12, "{found:?}");
        assert!((found.low - 0.0524).abs() < 1e-4 && (found.high - 0.3339).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn pairs_narrow_a_difference_and_constant_ones_say_nothing() {
        let (before, after) = (wilson(10.0, 40).unwrap(), wilson(20.0, 40).unwrap());
        let (apart, paired) = (difference(before, after, 0.0), difference(before, after, 0.6));
        assert!(paired.low > apart.low && paired.high < apart.high);
        assert!((correlation(&[(0.0, 0.0), (1.0, 1.0)]) - 1.0).abs() < 1e-12);
        assert!(correlation(&[(0.5, 0.0), (0.5, 1.0)]).abs() < 1e-12 && correlation(&[]).abs() < 1e-12);
    }

    #[test]
    fn pass_at_k_is_unbiased_on_small_cases() {
        assert!((pass_at_k(2, 1, 1).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(pass_at_k(2, 1, 2), Some(1.0));
        assert_eq!(pass_at_k(1, 0, 2), None);
    }
}
