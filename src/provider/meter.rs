//! The run's meter: tokens and money of every call of every model, and the caps beyond which no call is started.

use super::error::ProviderError;
use crate::clock::Clock;
use crate::domain::request::Usage;
use std::sync::atomic::{AtomicU64, Ordering};

/// Caps of a run; absent ones do not bind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Caps {
    /// Prompt and reply tokens.
    pub max_tokens: Option<u64>,
    /// US dollars.
    pub max_cost: Option<f64>,
}

/// Counts what a run spends. Calls under way when a cap is reached still end and are counted, so the total can pass the cap by them.
#[derive(Debug, Default)]
pub struct Meter {
    caps: Caps,
    /// Milliseconds of the clock after which no call is started.
    until: Option<(Clock, u64)>,
    tokens: AtomicU64,
    /// Billionths of a US dollar.
    nanodollars: AtomicU64,
}

const NANO: f64 = 1e9;

impl Meter {
    /// A meter at zero.
    pub fn new(caps: Caps) -> Self {
        Self { caps, ..Self::default() }
    }

    /// The same, with a cap on time: so many milliseconds of the clock, where it has one.
    pub fn until(self, clock: &Clock, milliseconds: Option<u64>) -> Self {
        Self { until: milliseconds.map(|milliseconds| (clock.clone(), milliseconds)), ..self }
    }

    /// Tokens so far.
    pub fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// US dollars so far.
    pub fn cost(&self) -> f64 {
        self.nanodollars.load(Ordering::Relaxed) as f64 / NANO
    }

    /// Whether money is capped, so that a model without prices must be refused.
    pub fn caps_cost(&self) -> bool {
        self.caps.max_cost.is_some()
    }

    /// Counts a finished call. A resumed run counts here what it had spent before.
    pub fn charge(&self, usage: &Usage) {
        let add = |sum: &AtomicU64, more: u64| sum.update(Ordering::Relaxed, Ordering::Relaxed, |so_far| so_far.saturating_add(more));
        add(&self.tokens, usage.tokens());
        add(&self.nanodollars, (usage.cost * NANO).round() as u64);
    }

    /// Refuses once a cap is reached.
    ///
    /// # Errors
    /// [`ProviderError::BudgetSpent`].
    pub fn admit(&self, model: &str) -> Result<(), ProviderError> {
        let spent = |what, spent: String, cap: String| ProviderError::BudgetSpent { model: model.to_owned(), what, spent, cap };
        if let Some(cap) = self.caps.max_tokens.filter(|cap| self.tokens() >= *cap) {
            return Err(spent("tokens", self.tokens().to_string(), cap.to_string()));
        }
        if let Some(cap) = self.caps.max_cost.filter(|cap| self.cost() >= *cap) {
            return Err(spent("cost", format!("{:.4}", self.cost()), cap.to_string()));
        }
        if let Some((cap, now)) = self.until.as_ref().map(|(clock, cap)| (*cap, clock.milliseconds())).filter(|(cap, now)| now >= cap) {
            return Err(spent("time", format!("{now} ms"), format!("{cap} ms")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_refused_once_a_cap_is_reached() {
        let meter = Meter::new(Caps { max_cost: Some(0.01), ..Caps::default() });
        let call = Usage { input_tokens: 10, output_tokens: 5, cost: 0.006, ..Usage::default() };
        meter.charge(&call);
        meter.admit("m").unwrap();
        meter.charge(&call);
        assert!(matches!(meter.admit("m"), Err(ProviderError::BudgetSpent { what: "cost", .. })));
        assert_eq!(meter.tokens(), 30);
        let meter = Meter::default().until(&Clock::stepped(1), Some(2));
        meter.admit("m").unwrap();
        meter.admit("m").unwrap();
        assert!(matches!(meter.admit("m"), Err(ProviderError::BudgetSpent { what: "time", .. })));
    }

    #[test]
    fn no_count_that_a_server_reports_overflows_or_lifts_a_cap() {
        let meter = Meter::new(Caps { max_tokens: Some(100), max_cost: None });
        let absurd = Usage { input_tokens: u64::MAX, output_tokens: u64::MAX, cost: 1e30, ..Usage::default() };
        let mut sum = absurd;
        sum.add(&absurd);
        assert_eq!((sum.input_tokens, sum.tokens()), (u64::MAX, u64::MAX));
        meter.charge(&absurd);
        meter.charge(&absurd);
        assert_eq!(meter.tokens(), u64::MAX);
        assert!(meter.admit("m").is_err());
    }
}
