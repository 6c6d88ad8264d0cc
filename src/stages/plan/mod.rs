//! `plan`: from what the rounds so far showed to a landscape (`system.md` §6): what fails, what was tried and with what success, what is
//! untried, and which bucket must not be neglected any longer. No LLM; everything is counted.
//!
//! Reading order: this file, `components` (what there is to try), `guard` (exploration), `markdown` (for people and models).

mod components;
mod guard;
mod markdown;

pub use components::components;
pub use markdown::landscape_markdown;

use crate::domain::digest::Overview;
use crate::domain::harness::Harness;
use crate::domain::history::History;
use crate::domain::landscape::{LANDSCAPE_FORMAT, Landscape, Untried};
use crate::domain::ledger::Scoreboard;
use crate::domain::reputation::{rejected_candidates, scoreboard, ship_outcomes};
use crate::domain::round::RoundOutcome;

/// A round with a smaller share of actionable tasks is a no-op.
pub const ACTIONABILITY: f64 = 0.05;

/// What the Planner works from.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// The rounds so far; the last is planned: played, with nothing proposed in it.
    pub history: &'a History<'a>,
    /// The overview of the last.
    pub overview: &'a Overview,
    /// The harness to improve.
    pub incumbent: &'a Harness,
    /// Everything there is to try.
    pub components: &'a [Untried],
    /// Least share of actionable tasks, 0..1.
    pub threshold: f64,
}

/// What came of planning.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned {
    /// There is something to work on.
    Work(Box<Landscape>),
    /// The round stops here.
    NoOp {
        /// Why, in plain words.
        reason: String,
    },
}

/// Plans a round.
pub fn plan(input: &PlanInput<'_>) -> Planned {
    if let Some(reason) = idle_reason(input.overview, input.threshold) {
        return Planned::NoOp { reason };
    }
    let rounds = input.history.rounds();
    let round = rounds.last().map_or(0, |past| past.round);
    let Scoreboard { buckets, components, .. } = scoreboard(input.history);
    let before = rounds.iter().rev().nth(1).map(|past| past.round);
    // What got worse without a ship went with a harness that was taken back: nothing is there to address.
    let declines = input.history.declines().into_iter().filter(|decline| Some(decline.better_in) == before && !decline.suspects.is_empty());
    let mut rejected = rejected_candidates(input.history);
    rejected.reverse();
    let present = components::present(input.incumbent);
    let untried = input.components.iter().filter(|known| !present.contains(known.component.as_str()));
    Planned::Work(Box::new(Landscape {
        format: LANDSCAPE_FORMAT,
        round,
        concern: concern(input.history),
        actionability: input.overview.actionability,
        failing: input.overview.clusters.clone(),
        regressions: declines.map(|decline| decline.regression()).collect(),
        guard: guard::guard(&ship_outcomes(input.history), &buckets),
        untried: untried.filter(|known| !components.contains_key(&known.component)).cloned().collect(),
        rejected,
        buckets,
        components,
        diagnoses: Vec::new(),
        directions: Vec::new(),
    }))
}

/// Why there is nothing to plan, if so.
fn idle_reason(overview: &Overview, threshold: f64) -> Option<String> {
    let share = overview.actionability;
    if share < threshold {
        let (share, least) = (100.0 * share, 100.0 * threshold);
        return Some(format!(
            "{share:.1} % of the tasks fail for a typed, anchored cause; under {least:.1} % a round is not worth its price"
        ));
    }
    overview.clusters.is_empty().then(|| "no task fails for a typed, anchored cause".to_owned())
}

/// The worry of the Critic that sat last. In a baseline or idle round none did.
fn concern(history: &History<'_>) -> Option<String> {
    let mut decisions = history.rounds().iter().rev().filter_map(|past| past.decision.as_ref());
    let last = decisions.find(|decision| !matches!(decision.outcome, RoundOutcome::Baseline | RoundOutcome::Idle))?;
    last.strategy_concern.clone()
}

#[cfg(test)]
mod tests;
