//! Intervals over tasks, never over rollouts (`system.md` §4).

use serde::{Deserialize, Serialize};

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

    #[test]
    fn pass_at_k_is_unbiased_on_small_cases() {
        assert!((pass_at_k(2, 1, 1).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(pass_at_k(2, 1, 2), Some(1.0));
        assert_eq!(pass_at_k(1, 0, 2), None);
    }
}
