//! Who proposed what, by engine: shares of the proposals, ships, how predictions fared, and the meta-agent's tokens for it.

use super::input::Report;
use super::table::{Head, Table};
use crate::domain::engine::Engine;
use crate::domain::figures::{grouped, percent};
use crate::domain::meta::{Role, Sessions};

/// By the scoreboard; `None` before the first proposal.
pub(super) fn by_engine(report: &Report) -> Option<Table> {
    let all: u32 = report.engines.values().map(|known| known.proposed).sum();
    if all == 0 {
        return None;
    }
    let sessions = report.sessions();
    let tokens = |engine: &str| {
        let roles: &[Role] = match engine.parse() {
            Ok(Engine::Aegis) => &[Role::Digester, Role::Planner, Role::Evolver, Role::Critic],
            Ok(Engine::Single) => &[Role::Single],
            Ok(Engine::Catalog | Engine::Random | Engine::BestOfN | Engine::Command) | Err(_) => &[],
        };
        Sessions::sum(roles.iter().filter_map(|role| sessions.get(role))).usage.tokens()
    };
    let row = |(engine, known): (&String, &crate::domain::ledger::Reputation)| {
        vec![
            engine.clone(),
            known.proposed.to_string(),
            percent(f64::from(known.proposed) / f64::from(all)),
            known.shipped.to_string(),
            known.hit_rate().map_or_else(|| "–".to_owned(), |rate| format!("{} ({} of {})", percent(rate), known.hits, known.predicted)),
            grouped(tokens(engine)),
        ]
    };
    let heads = ["proposed", "share", "shipped", "predictions that came true", "meta tokens"];
    let heads = [Head::Words("engine")].into_iter().chain(heads.map(Head::Figure)).collect();
    Some(Table { caption: "Candidates by who proposed them", heads, rows: report.engines.iter().map(row).collect() })
}
