//! The posterior of an edit's net gain, and what protects solved tasks (`gate.md` §3).

use serde::{Deserialize, Serialize};
use statrs::function::beta::{beta_reg, ln_beta};
use statrs::function::erf::erfc;
use statrs::function::gamma::ln_gamma;

/// Paired rollouts of one task so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairs {
    /// Pairs scored, k.
    pub count: u32,
    /// The candidate's successes, s.
    pub candidate: u32,
    /// The control's successes, h.
    pub control: u32,
}

impl Pairs {
    /// Sum of the differences, candidate minus control.
    pub fn difference(self) -> f64 {
        f64::from(self.candidate) - f64::from(self.control)
    }

    /// Mean difference and its variance, smoothed by a quarter of a rollout each way. `None` without pairs.
    pub fn estimate(self) -> Option<(f64, f64)> {
        if self.count == 0 {
            return None;
        }
        let k = f64::from(self.count);
        let spread = |successes: u32| {
            let p = (f64::from(successes) + 0.25) / (k + 0.5);
            p * (1.0 - p)
        };
        Some((self.difference() / k, (spread(self.candidate) + spread(self.control)) / k))
    }
}

/// Successes and failures of the incumbent on a task, on its current version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Successes, S.
    pub solved: u32,
    /// Failures, F.
    pub failed: u32,
}

impl Counts {
    /// Adds one rollout.
    pub fn add(&mut self, solved: bool) {
        if solved {
            self.solved += 1;
        } else {
            self.failed += 1;
        }
    }

    /// Rollouts counted.
    pub fn total(self) -> u32 {
        self.solved + self.failed
    }

    /// Parameters of the beta distribution of the success rate.
    fn beta(self) -> (f64, f64) {
        (f64::from(self.solved) + 0.5, f64::from(self.failed) + 0.5)
    }

    /// Whether the task counts as solved: its rate is above .75 with probability .8 or more.
    pub fn is_protected(self) -> bool {
        let (a, b) = self.beta();
        self.total() > 0 && 1.0 - beta_reg(a, b, 0.75) >= 0.8
    }

    /// Chance of at most `solved` successes in `rollouts` if nothing has changed (beta-binomial tail).
    pub fn tail(self, solved: u32, rollouts: u32) -> f64 {
        let (a, b) = self.beta();
        let k = f64::from(rollouts);
        let term = |y: u32| {
            let y = f64::from(y);
            let ways = ln_gamma(k + 1.0) - ln_gamma(y + 1.0) - ln_gamma(k - y + 1.0);
            (ways + ln_beta(a + y, b + k - y) - ln_beta(a, b)).exp()
        };
        (0..=solved.min(rollouts)).map(term).sum::<f64>().min(1.0)
    }

    /// Expected loss of success rate under a candidate, whose rollouts are shrunk to the incumbent's rate by two more.
    pub fn loss(self, pairs: Pairs) -> f64 {
        let (a, b) = self.beta();
        let rate = a / (a + b);
        rate - (2.0 * rate + f64::from(pairs.candidate)) / (2.0 + f64::from(pairs.count))
    }
}

/// Net gain of an edit over all tasks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetGain {
    /// Expected tasks gained, shrunk.
    pub mean: f64,
    /// Its variance.
    pub variance: f64,
}

impl NetGain {
    /// Probability that the gain is above zero; ½ where nothing is known.
    pub fn probability(self) -> f64 {
        if self.variance > 0.0 {
            0.5 * erfc(-self.mean / (2.0 * self.variance).sqrt())
        } else if self.mean > 0.0 {
            1.0
        } else if self.mean < 0.0 {
            0.0
        } else {
            0.5
        }
    }
}

/// Sum of mean differences and of their variances over some tasks; tasks without pairs add nothing.
fn segment(tasks: impl Iterator<Item = Pairs>) -> Option<(f64, f64)> {
    tasks.filter_map(Pairs::estimate).fold(None, |sum, (x, v)| {
        let (sx, sv) = sum.unwrap_or((0.0, 0.0));
        Some((sx + x, sv + v))
    })
}

/// The posterior of the net gain: claimed tasks as measured, less half a standard error because stopping was optional; the others shrunk
/// to a slight loss by a prior.
pub fn net_gain<C, R>(claimed: C, rest: R) -> NetGain
where
    C: Iterator<Item = Pairs>,
    R: ExactSizeIterator<Item = Pairs>,
{
    let (measured, variance) = segment(claimed).unwrap_or((0.0, 0.0));
    let gain = measured - 0.5 * variance.sqrt();
    let tasks = rest.len() as f64;
    if tasks == 0.0 {
        return NetGain { mean: gain, variance };
    }
    let prior = -0.01 * tasks;
    let prior_variance = (0.03 * tasks).powi(2) + 1.5 * 1.5;
    let (x, weight) = segment(rest).map_or((0.0, 0.0), |(x, v)| (x, prior_variance / (prior_variance + v)));
    NetGain { mean: gain + prior + weight * (x - prior), variance: variance + prior_variance * (1.0 - weight) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(count: u32, candidate: u32, control: u32) -> Pairs {
        Pairs { count, candidate, control }
    }

    #[test]
    fn no_tasks_and_no_data_give_no_opinion() {
        let none = net_gain(std::iter::empty(), std::iter::empty());
        assert!((none.probability() - 0.5).abs() < 1e-12);
        let unplayed = net_gain(std::iter::empty(), [pairs(0, 0, 0); 10].into_iter());
        assert!((unplayed.mean + 0.1).abs() < 1e-12 && unplayed.probability() < 0.5);
    }

    #[test]
    fn a_zero_standard_error_is_no_trap() {
        assert!((NetGain { mean: 1.0, variance: 0.0 }.probability() - 1.0).abs() < 1e-12);
        assert!(NetGain { mean: -1.0, variance: 0.0 }.probability().abs() < 1e-12);
    }

    #[test]
    fn a_tie_is_a_slight_loss() {
        let tied = net_gain([pairs(2, 1, 1); 5].into_iter(), [pairs(2, 2, 2); 20].into_iter());
        assert!(tied.mean < 0.0 && tied.probability() < 0.5);
    }

    #[test]
    fn protection_needs_more_than_two_successes() {
        let protected: Vec<u32> = (1..8).filter(|solved| Counts { solved: *solved, failed: 0 }.is_protected()).collect();
        assert_eq!(protected.first(), Some(&3), "{protected:?}");
        assert!(!Counts { solved: 4, failed: 4 }.is_protected());
        assert!(!Counts::default().is_protected());
    }

    #[test]
    fn the_beta_binomial_tail_is_a_distribution() {
        let counts = Counts { solved: 6, failed: 1 };
        let tails: Vec<f64> = (0..=4).map(|y| counts.tail(y, 4)).collect();
        assert!(tails.windows(2).all(|pair| pair[0] < pair[1]));
        assert!((tails[4] - 1.0).abs() < 1e-9, "{tails:?}");
        // By hand for k=1: P(0) = b/(a+b).
        assert!((counts.tail(0, 1) - 1.5 / 8.0).abs() < 1e-12);
    }

    #[test]
    fn loss_is_zero_where_the_candidate_keeps_the_rate() {
        let counts = Counts { solved: 5, failed: 5 };
        assert!(counts.loss(pairs(4, 2, 0)).abs() < 1e-12);
        assert!(counts.loss(pairs(4, 0, 0)) > 0.0);
        assert!(counts.loss(pairs(0, 0, 0)).abs() < 1e-12);
    }
}
