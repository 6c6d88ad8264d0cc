//! Where an edit helps and where it hurts, by clusters fixed before the outcomes (`gate.md` §6).

use super::posterior::Pairs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Rollouts on every touched task before a route is trusted.
const ROLLOUTS: u32 = 4;

/// An edit's effect on one cluster; success rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterGain {
    /// The cluster.
    pub cluster: String,
    /// Its touched tasks.
    pub tasks: u32,
    /// Mean paired difference, shrunk to zero by what differs between clusters.
    pub gain: f64,
    /// Its standard deviation.
    pub deviation: f64,
    /// Whether the cluster is better off with the edit.
    pub routed: bool,
}

/// An edit that could live on as a variant of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForkOffer {
    /// Its effect by cluster.
    pub clusters: Vec<ClusterGain>,
    /// Every touched task has been played often enough to route by.
    pub enough: bool,
    /// Its claims hold even if every cluster were tested: e ≥ clusters/α.
    pub certified: bool,
}

/// Effects by cluster, from the paired rollouts of each touched task.
pub fn cluster_gains<'a>(tasks: impl Iterator<Item = (&'a str, Pairs)>) -> Vec<ClusterGain> {
    let mut clusters: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for (cluster, pairs) in tasks {
        if let Some(estimate) = pairs.estimate() {
            clusters.entry(cluster).or_default().push(estimate);
        }
    }
    let measured: Vec<(&str, f64, f64, u32)> = clusters
        .into_iter()
        .map(|(cluster, tasks)| {
            let count = tasks.len() as f64;
            let (sum, variance) = tasks.iter().fold((0.0, 0.0), |(x, v), task| (x + task.0, v + task.1));
            (cluster, sum / count, variance / (count * count), tasks.len() as u32)
        })
        .collect();
    let between = between(&measured);
    measured
        .into_iter()
        .map(|(cluster, mean, variance, tasks)| {
            let scale = if between > 0.0 { between / (between + variance) } else { 0.0 };
            let (gain, deviation) = (mean * scale, (scale * variance).sqrt());
            ClusterGain { cluster: cluster.to_owned(), tasks, gain, deviation, routed: gain - deviation > 0.0 }
        })
        .collect()
}

/// Variance between clusters beyond what chance gives.
fn between(clusters: &[(&str, f64, f64, u32)]) -> f64 {
    let count = clusters.len() as f64;
    if clusters.len() < 2 {
        return 0.0;
    }
    let mean = clusters.iter().map(|cluster| cluster.1).sum::<f64>() / count;
    let spread = clusters.iter().map(|cluster| (cluster.1 - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let noise = clusters.iter().map(|cluster| cluster.2).sum::<f64>() / count;
    (spread - noise).max(0.0)
}

/// The offer an edit's rollouts make; `None` where no cluster is better off with it.
pub(super) fn offer<'a>(tasks: impl Iterator<Item = (&'a str, Pairs)> + Clone, e: f64, alpha: f64) -> Option<ForkOffer> {
    let clusters = cluster_gains(tasks.clone());
    let enough = tasks.map(|(_, pairs)| pairs.count).min().unwrap_or(0) >= ROLLOUTS;
    let certified = e >= clusters.len() as f64 / alpha;
    clusters.iter().any(|cluster| cluster.routed).then_some(ForkOffer { clusters, enough, certified })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(candidate: u32, control: u32) -> Pairs {
        Pairs { count: 4, candidate, control }
    }

    #[test]
    fn one_cluster_or_equal_clusters_do_not_fork() {
        assert!(offer([("a", pairs(4, 0)); 6].into_iter(), 1e9, 0.1).is_none());
        let equal: Vec<_> = ["a", "b", "c"].iter().flat_map(|cluster| [(*cluster, pairs(3, 2)), (*cluster, pairs(1, 2))]).collect();
        assert!(offer(equal.into_iter(), 1e9, 0.1).is_none());
    }

    #[test]
    fn a_cluster_that_gains_is_routed_and_one_that_loses_is_not() {
        let tasks: Vec<_> = (0..8).flat_map(|_| [("heat", pairs(4, 0)), ("clean", pairs(0, 4))]).collect();
        let offer = offer(tasks.into_iter(), 25.0, 0.1).unwrap();
        let routed: Vec<(&str, bool)> = offer.clusters.iter().map(|cluster| (cluster.cluster.as_str(), cluster.routed)).collect();
        assert_eq!(routed, [("clean", false), ("heat", true)]);
        assert!(offer.enough && offer.certified);
    }
}
