//! Who proposed what, by engine: shares of the proposals, ships, how predictions fared, and the meta-agent's tokens for it.

use super::input::Report;
use super::table::{Head, Table};
use crate::domain::engine::{Engine, Engines};
use crate::domain::figures::{grouped, percent};
use crate::domain::ledger::Reputation;
use crate::domain::meta::{Role, Sessions};
use std::collections::BTreeMap;

/// By the scoreboard, with those that were asked and proposed nothing; `None` before the first round that asked.
pub(super) fn by_engine(report: &Report) -> Option<Table> {
    let records = report.rounds.iter().filter(|round| round.round > 0).filter_map(|round| round.record.as_ref());
    let asked = records.filter_map(|record| record.engines.as_ref()).flat_map(Engines::iter);
    let mut engines: BTreeMap<Engine, Reputation> = asked.map(|engine| (engine, Reputation::default())).collect();
    engines.extend(report.engines.clone());
    let all: u32 = engines.values().map(|known| known.proposed).sum();
    if engines.is_empty() {
        return None;
    }
    let sessions = report.sessions();
    let tokens = |engine: Engine| {
        let roles: &[Role] = match engine {
            Engine::Aegis => &[Role::Digester, Role::Planner, Role::Evolver, Role::Critic],
            Engine::Single => &[Role::Single],
            Engine::Catalog | Engine::Random | Engine::BestOfN | Engine::Command => &[],
        };
        Sessions::sum(roles.iter().filter_map(|role| sessions.get(role))).usage.tokens()
    };
    let row = |(engine, known): (&Engine, &Reputation)| {
        vec![
            engine.to_string(),
            known.proposed.to_string(),
            percent(f64::from(known.proposed) / f64::from(all.max(1))),
            known.shipped.to_string(),
            known.hit_rate().map_or_else(|| "–".to_owned(), |rate| format!("{} ({} of {})", percent(rate), known.hits, known.predicted)),
            grouped(tokens(*engine)),
        ]
    };
    let heads = ["proposed", "share", "shipped", "predictions that came true", "meta tokens"];
    let heads = [Head::Words("engine")].into_iter().chain(heads.map(Head::Figure)).collect();
    Some(Table { caption: "Candidates by who proposed them", heads, rows: engines.iter().map(row).collect() })
}
