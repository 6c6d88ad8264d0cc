//! How much the Digester leaves of what it was given: traces in, what the Planner is shown out, and anchors that hold.

use super::input::Report;
use super::table::{Head, Table};
use crate::domain::figures::grouped;
use serde::{Deserialize, Serialize};

/// Bytes counted as one token, of traces and of texts alike.
pub const BYTES_A_TOKEN: u64 = 4;

/// Of one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Visible episodes that the round's digests speak of.
    pub episodes: u64,
    /// Their traces, in tokens of [`BYTES_A_TOKEN`] bytes.
    pub trace_tokens: u64,
    /// What the Planner is shown, in the same tokens.
    pub shown_tokens: u64,
    /// Whether that is what a session of the Planner opened with; else it is the landscape that engines read.
    pub in_session: bool,
    /// Anchors of signals and diagnoses whose words stand where they were said to be.
    pub verified: u64,
    /// Anchors dropped, because theirs do not.
    pub dropped: u64,
}

/// Round by round; `None` without one.
pub(super) fn readings(report: &Report) -> Option<Table> {
    let row = |round: &super::Round| {
        let found = round.reading?;
        let times = found.trace_tokens.checked_div(found.shown_tokens);
        let ratio = times.map_or_else(|| "–".to_owned(), |times| format!("{} : 1", grouped(times)));
        Some(vec![
            format!("R{}", round.round),
            grouped(found.episodes),
            grouped(found.trace_tokens),
            grouped(found.shown_tokens),
            if found.in_session { "the Planner's opening" } else { "the landscape" }.to_owned(),
            ratio,
            grouped(found.verified),
            grouped(found.dropped),
        ])
    };
    let rows: Vec<Vec<String>> = report.rounds.iter().filter_map(row).collect();
    let heads = vec![
        Head::Words("round"),
        Head::Figure("episodes"),
        Head::Figure("trace tokens"),
        Head::Figure("tokens shown"),
        Head::Words("which are"),
        Head::Figure("ratio"),
        Head::Figure("anchors verified"),
        Head::Figure("anchors dropped"),
    ];
    let caption = "Traces that the Digester read against what the Planner is shown; a token is four bytes of either";
    (!rows.is_empty()).then_some(Table { caption, heads, rows })
}
