//! What playing would take, before it starts: episodes, tokens, money and time (`cli.md`, `estimate`).

use super::meta::Role;
use serde::{Deserialize, Serialize};

/// What one episode takes on average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerEpisode {
    /// Model calls.
    pub calls: f64,
    /// Prompt tokens, cached ones included.
    pub input_tokens: f64,
    /// Prompt tokens served from a cache.
    #[serde(default)]
    pub cached_tokens: f64,
    /// Reply tokens, or tokens scored.
    pub output_tokens: f64,
    /// Seconds by the clock for each episode of a run, with as many at once as the figures were taken with.
    pub seconds: f64,
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenPrices {
    /// Prompt tokens.
    pub input: f64,
    /// Prompt tokens served from a cache.
    pub cached: f64,
    /// Reply tokens.
    pub output: f64,
}

/// Episodes of one part of the work: a split of a run, a stage of a round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// What it is, such as `train`.
    pub name: String,
    /// Episodes wanted.
    pub episodes: u64,
    /// Of these, finished before.
    pub on_file: u64,
}

/// Sessions of the meta-agent's role that a loop may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AtMost {
    /// Who sits.
    pub role: Role,
    /// Sessions over all rounds.
    pub sessions: u64,
    /// Tokens that one of them may take; absent: its harness sets no limit.
    pub tokens_each: Option<u64>,
}

/// Tokens of all of them together; `None` where one has no limit.
pub fn tokens_at_most(sessions: &[AtMost]) -> Option<u64> {
    sessions.iter().try_fold(0_u64, |sum, part| Some(sum.saturating_add(part.sessions.saturating_mul(part.tokens_each?))))
}

/// What the work would take. Absent figures are not known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The parts.
    pub parts: Vec<Part>,
    /// Episodes still to play.
    pub episodes: u64,
    /// Prompt and reply tokens.
    pub tokens: Option<f64>,
    /// US dollars.
    pub cost: Option<f64>,
    /// Seconds by the clock.
    pub seconds: Option<f64>,
}

/// Adds up what is still to play.
pub fn estimate(parts: Vec<Part>, each: Option<&PerEpisode>, prices: Option<&TokenPrices>) -> Estimate {
    let episodes = parts.iter().map(|part| part.episodes.saturating_sub(part.on_file)).sum();
    let count = episodes as f64;
    let cost = each.zip(prices).map(|(each, prices)| count * each.cost(prices));
    Estimate {
        parts,
        episodes,
        tokens: each.map(|each| count * (each.input_tokens + each.output_tokens)),
        cost,
        seconds: each.map(|each| count * each.seconds),
    }
}

impl PerEpisode {
    /// US dollars of one episode.
    fn cost(&self, prices: &TokenPrices) -> f64 {
        let fresh = (self.input_tokens - self.cached_tokens).max(0.0);
        (fresh * prices.input + self.cached_tokens * prices.cached + self.output_tokens * prices.output) / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_counts_and_unknown_stays_unknown() {
        let parts = || {
            let part = |name: &str, episodes, on_file| Part { name: name.to_owned(), episodes, on_file };
            vec![part("train", 10, 4), part("heldout", 5, 5)]
        };
        let each = PerEpisode { calls: 3.0, input_tokens: 1000.0, cached_tokens: 600.0, output_tokens: 100.0, seconds: 2.0 };
        let prices = TokenPrices { input: 1.0, cached: 0.5, output: 10.0 };
        let found = estimate(parts(), Some(&each), Some(&prices));
        assert_eq!((found.episodes, found.tokens, found.seconds), (6, Some(6600.0), Some(12.0)));
        assert!((found.cost.unwrap() - 6.0 * 1700.0 / 1e6).abs() < 1e-12);
        let found = estimate(parts(), None, Some(&prices));
        assert_eq!((found.episodes, found.tokens, found.cost, found.seconds), (6, None, None, None));
    }
}
