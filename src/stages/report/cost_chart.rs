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

/// Episodes by round: by the rounds' records, else what is on file as one round.
fn rows(report: &Report) -> Vec<(u32, Rollouts)> {
    let records: Vec<(u32, Rollouts)> =
        report.rounds.iter().filter_map(|round| Some((round.round, round.record.as_ref()?.rollouts))).collect();
    let of = |what| report.spent.get(&what).map_or(0, |spent| spent.episodes);
    if records.is_empty() && report.episodes() > 0 {
        let rollouts = Rollouts { visible: of(Use::Visible), gate: of(Use::Gate), heldout: of(Use::Heldout), ..Rollouts::default() };
        return vec![(0, rollouts)];
    }
    records
}

/// The chart with its legend and its table; `None` where nothing was played.
pub(super) fn cost_chart(report: &Report) -> Option<Markup> {
    let rows = rows(report);
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
                @for (index, (round, rollouts)) in rows.iter().enumerate() { (bar(index, *round, rollouts, most)) }
            }
            (table(&rows))
        }
    })
}

fn bar(index: usize, round: u32, rollouts: &Rollouts, most: u64) -> Markup {
    let y = ROW * index as f64 + (ROW - BAR) / 2.0;
    let unit = (WIDTH - LEFT - RIGHT) / most as f64;
    let amounts = amounts(rollouts);
    let start = |kind: usize| LEFT + unit * amounts[..kind].iter().sum::<u64>() as f64;
    html! {
        g class="axis" { text x=(LEFT - 8.0) y=(format!("{:.1}", y + BAR / 2.0)) dy=".35em" text-anchor="end" { "R" (round) } }
        @for (kind, (class, words)) in KINDS.iter().enumerate().filter(|(kind, _)| amounts[*kind] > 0) {
            rect class=(format!("bar {class}")) x=(format!("{:.1}", start(kind))) y=(format!("{y:.1}"))
                width=(format!("{:.1}", (unit * amounts[kind] as f64 - 1.0).max(0.8))) height=(BAR) {
                title { "R" (round) ": " (count(amounts[kind], "episode")) ", " (words) }
            }
        }
        g class="axis" { text x=(format!("{:.1}", start(4) + 6.0)) y=(format!("{:.1}", y + BAR / 2.0)) dy=".35em" { (grouped(rollouts.played())) } }
    }
}

fn table(rows: &[(u32, Rollouts)]) -> Markup {
    html! {
        details {
            summary { "The same as a table" }
            div class="scroll" {
                table {
                    caption { "Episodes by round and use" }
                    thead { tr { th scope="col" { "round" } th scope="col" { "train" } th scope="col" { "gate" } th scope="col" { "held-out" } th scope="col" { "not played" } } }
                    tbody {
                        @for (round, rollouts) in rows {
                            tr { th scope="row" { "R" (round) } @for amount in amounts(rollouts) { td { (grouped(amount)) } } }
                        }
                    }
                }
            }
        }
    }
}
