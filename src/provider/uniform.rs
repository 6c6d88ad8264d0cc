//! A chooser in the model's place that picks among the actions of a choice by chance: the floor that every model must beat.

use super::Called;
use super::error::ProviderError;
use crate::clock::seeded_by;
use crate::domain::id::PolicyVersion;
use crate::domain::request::{ChoiceRecord, Decision, ModelRequest, Reply};
use rand::RngExt;

/// Picks each option with the same probability.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uniform;

impl Uniform {
    /// Picks by `seed` alone.
    ///
    /// # Errors
    /// [`ProviderError::Unsupported`] where the request gives no options.
    pub fn call(&self, request: &ModelRequest, seed: u64) -> Result<Called, ProviderError> {
        let reply = match &request.decision {
            Decision::Choice { options, .. } => pick(options, seed),
            Decision::Free | Decision::Schema { .. } => None,
        };
        let reply = reply.ok_or_else(|| ProviderError::Unsupported {
            model: "random".to_owned(),
            what: "the random chooser needs a list of actions; the harness must ask for a choice".to_owned(),
        })?;
        Ok(Called { reply, retries: Vec::new(), latency_ms: 0 })
    }

    /// There is one.
    pub fn version(&self) -> PolicyVersion {
        PolicyVersion("random-1".to_owned())
    }
}

/// One of the options, with equal scores so that its probability can be recomputed; `None` where there are none.
pub fn pick(options: &[String], seed: u64) -> Option<Reply> {
    if options.is_empty() {
        return None;
    }
    let chosen = seeded_by(seed).random_range(0..options.len());
    let choice = ChoiceRecord { chosen, scores: vec![0.0; options.len()], temperature: 1.0 };
    Some(Reply { text: options[chosen].clone(), choice: Some(choice), ..Reply::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_picked_equally_often_and_by_seed() {
        let options: Vec<String> = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut counts = [0; 3];
        for seed in 0..3000 {
            counts[pick(&options, seed).unwrap().choice.unwrap().chosen] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!(pick(&options, 7), pick(&options, 7));
        assert_eq!(pick(&[], 7), None);
    }
}
