//! Episodes by round and use as an inline SVG of stacked bars; the same as a table.

use super::input::{Report, Use};
use crate::domain::figures::{count, grouped};
use crate::domain::round::Rollouts;
use maud::{Markup, html};

/// Size of the drawing, in its own units.
const WIDTH: f64 = 640.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 70.0;
const ROW: f64 = 28.0;
const BAR: f64 = 17.0;

/// Kinds of bar, with their class in the style sheet and their words.
const KINDS: [(&str, &str); 4] = [
    ("train", "train, open to the engine"),
    ("gate", "gate, sealed"),
    ("heldout", "held-out, sealed"),
    ("saved", "not played: a dry replay showed no difference"),
];

fn amounts(rollouts: &Rollouts) -> [u64; 4] {
    [rollouts.visible, rollouts.gate, rollouts.heldout, rollouts.untouched]
}

/// Episodes by round: by the rounds' records, and last what is on file beyond them: a round that is open, or held-out tasks at the end.
pub(super) fn episodes_by_round(report: &Report) -> Vec<(String, Rollouts)> {
    let of = |what| report.spent.get(&what).map_or(0, |spent| spent.episodes);
    let mut rest = Rollouts { visible: of(Use::Visible), gate: of(Use::Gate), heldout: of(Use::Heldout), ..Rollouts::default() };
    let records = report.rounds.iter().filter_map(|round| Some((round.round, round.record.as_ref()?.rollouts)));
    let mut rows: Vec<(String, Rollouts)> = records.map(|(round, rollouts)| (format!("R{round}"), rollouts)).collect();
    for (_, rollouts) in &rows {
        rest.visible = rest.visible.saturating_sub(rollouts.visible);
        rest.gate = rest.gate.saturating_sub(rollouts.gate);
        rest.heldout = rest.heldout.saturating_sub(rollouts.heldout);
    }
    if rest.played() > 0 {
        rows.push((if rows.is_empty() { "R0" } else { "after" }.to_owned(), rest));
    }
    rows
}

/// The chart with its legend and its table; `None` where nothing was played.
pub(super) fn cost_chart(report: &Report) -> Option<Markup> {
    let rows = episodes_by_round(report);
    let most = rows.iter().map(|(_, rollouts)| amounts(rollouts).iter().sum::<u64>()).max().filter(|most| *most > 0)?;
    let height = ROW * rows.len() as f64 + 4.0;
    let present = |kind: usize| rows.iter().any(|(_, rollouts)| amounts(rollouts)[kind] > 0);
    Some(html! {
        figure class="chart" {
            figcaption class="legend" {
                @for (_, (class, words)) in KINDS.iter().enumerate().filter(|(kind, _)| present(*kind)) {
                    span { svg class="swatch" viewBox="0 0 34 14" aria-hidden="true" { rect class=(format!("bar {class}")) x="9" y="1" width="16" height="12" {} } (words) }
                }
            }
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-labelledby="cost-title cost-desc" {
                title id="cost-title" { "Episodes by round and use" }
                desc id="cost-desc" { (grouped(rows.iter().map(|(_, rollouts)| rollouts.played()).sum())) " episodes were played; the table below has the figures" }
                @for (index, (round, rollouts)) in rows.iter().enumerate() { (bar(index, round, rollouts, most)) }
            }
            (table(&rows))
        }
    })
}

fn bar(index: usize, round: &str, rollouts: &Rollouts, most: u64) -> Markup {
    let y = ROW * index as f64 + (ROW - BAR) / 2.0;
    let unit = (WIDTH - LEFT - RIGHT) / most as f64;
    let amounts = amounts(rollouts);
    let start = |kind: usize| LEFT + unit * amounts[..kind].iter().sum::<u64>() as f64;
    html! {
        g class="axis" { text x=(LEFT - 8.0) y=(format!("{:.1}", y + BAR / 2.0)) dy=".35em" text-anchor="end" { (round) } }
        @for (kind, (class, words)) in KINDS.iter().enumerate().filter(|(kind, _)| amounts[*kind] > 0) {
            rect class=(format!("bar {class}")) x=(format!("{:.1}", start(kind))) y=(format!("{y:.1}"))
                width=(format!("{:.1}", (unit * amounts[kind] as f64 - 1.0).max(0.8))) height=(BAR) {
                title { (round) ": " (count(amounts[kind], "episode")) ", " (words) }
            }
        }
        g class="axis" { text x=(format!("{:.1}", start(4) + 6.0)) y=(format!("{:.1}", y + BAR / 2.0)) dy=".35em" { (grouped(rollouts.played())) } }
    }
}

fn table(rows: &[(String, Rollouts)]) -> Markup {
    html! {
        details {
            summary { "The same as a table" }
            div class="scroll" {
                table {
                    caption { "Episodes by round and use; `after` is what the last round that ended does not count: an open round, or held-out tasks at the end" }
                    thead { tr { th scope="col" { "round" } th scope="col" { "train" } th scope="col" { "gate" } th scope="col" { "held-out" } th scope="col" { "not played" } } }
                    tbody {
                        @for (round, rollouts) in rows {
                            tr { th scope="row" { (round) } @for amount in amounts(rollouts) { td { (grouped(amount)) } } }
                        }
                    }
                }
            }
        }
    }
}
