//! Runs of several engines side by side. Each goes from its own baseline to its last round; what must be the same for a fair comparison,
//! tasks and the rollouts granted, is checked by the frozen settings, and every difference is said.

use super::input::{Comparison, Report};
use super::table::{Head, Table};
use crate::domain::curves::{ModelShare, Point};
use crate::domain::figures::{gain, grouped, money, range, rate};
use crate::domain::interval::difference;
use crate::domain::meta::Sessions;
use crate::domain::round::RulingWord;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A run in one row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// Its name.
    pub name: String,
    /// Who proposed its candidates.
    pub engine: String,
    /// Rounds that are done, without the baseline.
    pub rounds: u32,
    /// Episodes it played.
    pub episodes: u64,
    /// Tokens of everything.
    pub tokens: u64,
    /// Of these, tokens of the meta-agent's sessions.
    pub meta_tokens: u64,
    /// US dollars of everything.
    pub cost: f64,
    /// Candidates that shipped.
    pub shipped: u64,
    /// Its first harness on held-out tasks.
    pub before: Option<Point>,
    /// Its present one.
    pub after: Option<Point>,
    /// Its gain on held-out tasks, where the harness is another one.
    pub heldout: Option<Comparison>,
    /// It stands with its first harness.
    #[serde(default)]
    pub is_same: bool,
    /// What the model contributes under its present harness.
    pub model_share: Option<ModelShare>,
    /// Why the two cannot be compared, in plain words; empty: they can.
    #[serde(default)]
    pub differs: Vec<String>,
}

/// Settings and facts that say which tasks are played, by whom, from which harness on; every other one belongs to the budget.
const TASKS: [&str; 14] = [
    "benchmark",
    "benchmark_digest",
    "bench",
    "split",
    "tasks",
    "limit",
    "train",
    "gate",
    "heldout",
    "seed",
    "harness",
    "harness_tree",
    "policy",
    "model.main",
];

/// Meta tokens may differ by this share before budgets count as different.
const SLACK: f64 = 0.1;

impl Control {
    /// The run in one row, beside the run that is reported.
    pub fn beside(report: &Report, own: &Report) -> Self {
        Self { differs: differences(own, report), ..Self::of(report) }
    }

    /// The run in one row.
    pub fn of(report: &Report) -> Self {
        let compared = |pick: fn(&Comparison) -> Point| report.heldout.as_ref().map(pick);
        let of = |harness: &str| report.heldout_of(harness).map(|(_, point)| point);
        let before = compared(|heldout| heldout.before).or_else(|| of(report.left_by(0)));
        let after = compared(|heldout| heldout.after).or_else(|| of(report.incumbent()));
        let usage = report.usage();
        Self {
            name: report.run.name.clone(),
            engine: report.engine(),
            rounds: report.last_round(),
            episodes: report.episodes(),
            tokens: usage.tokens(),
            meta_tokens: Sessions::sum(report.sessions().values()).usage.tokens(),
            cost: usage.cost,
            shipped: report.rulings().filter(|(_, ruled)| ruled.word == RulingWord::Shipped).count() as u64,
            before,
            after,
            heldout: report.heldout.clone(),
            is_same: report.stands_with_first(),
            model_share: report.points_of(report.incumbent()).rev().find_map(|round| round.model_share.clone()),
            differs: Vec::new(),
        }
    }
}

/// What differs between two runs that should not.
fn differences(own: &Report, other: &Report) -> Vec<String> {
    let keys: BTreeSet<&String> = own.run.settings.keys().chain(other.run.settings.keys()).collect();
    let is_free = |key: &str| ["tool_version", "engine"].contains(&key) || own.run.free.contains(key) || other.run.free.contains(key);
    let mut found = Vec::new();
    for key in keys.into_iter().filter(|key| !is_free(key)) {
        let (here, there) = (own.run.settings.get(key), other.run.settings.get(key));
        if here != there {
            let what = if TASKS.contains(&key.as_str()) { "other tasks" } else { "another budget" };
            let shown = |value: Option<&String>| value.map_or("unset", String::as_str).to_owned();
            found.push(format!("{what}: {key} is {} there and {} here", shown(there), shown(here)));
        }
    }
    if own.last_round() != other.last_round() {
        found.push(format!("another budget: {} rounds are done there and {} here", other.last_round(), own.last_round()));
    }
    let (here, there) = (Sessions::sum(own.sessions().values()).usage.tokens(), Sessions::sum(other.sessions().values()).usage.tokens());
    if here > 0 && there > 0 && here.abs_diff(there) as f64 > SLACK * here.max(there) as f64 {
        found.push(format!("another budget: {} meta tokens there and {} here", grouped(there), grouped(here)));
    }
    found
}

/// This run and the others.
pub(super) fn side_by_side(report: &Report) -> Table {
    let own = Control::of(report);
    let own = Control { name: format!("{} (this run)", own.name), ..own };
    let figures = ["rounds", "shipped", "episodes", "meta tokens", "all tokens", "money"];
    let words = ["held-out before", "after", "gain", "model's part"];
    let heads = ["run", "engine", "comparable"].map(Head::Words).into_iter().chain(figures.map(Head::Figure));
    let heads = heads.chain(words.map(Head::Words)).collect();
    let caption = "Each run from its own baseline to its last round; held-out tasks with 95 % intervals over tasks";
    Table { caption, heads, rows: std::iter::once(&own).chain(&report.controls).map(row).collect() }
}

fn row(run: &Control) -> Vec<String> {
    let gained = match &run.heldout {
        Some(heldout) => format!("{} ({})", gain(heldout.gain), range(heldout.gain)),
        None if run.before.is_none() => "–".to_owned(),
        None if run.is_same => "none: same harness".to_owned(),
        None => "not played yet".to_owned(),
    };
    let part = run.model_share.as_ref().and_then(|share| Some(gain(difference(share.random.pass_rate?, share.model.pass_rate?, 0.0))));
    vec![
        run.name.clone(),
        run.engine.clone(),
        if run.differs.is_empty() { "yes" } else { "no, see below" }.to_owned(),
        run.rounds.to_string(),
        run.shipped.to_string(),
        grouped(run.episodes),
        grouped(run.meta_tokens),
        grouped(run.tokens),
        money(run.cost),
        rate(run.before),
        rate(run.after),
        gained,
        part.unwrap_or_else(|| "–".to_owned()),
    ]
}

/// Why some of the others cannot be compared, a line each.
pub(super) fn warnings(report: &Report) -> Vec<String> {
    let of = |run: &Control| format!("{} is not comparable: {}", run.name, run.differs.join("; "));
    report.controls.iter().filter(|run| !run.differs.is_empty()).map(of).collect()
}
