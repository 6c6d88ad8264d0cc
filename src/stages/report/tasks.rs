//! Tasks by round as a heat map that is a table, so that it reads without colour and aloud; and what fails, by the Digester.

use super::input::{Cell, Report};
use crate::domain::digest::Overview;
use crate::domain::figures::count;
use crate::domain::untrusted::plain;
use maud::{Markup, html};
use std::cmp::Ordering;

/// With more rounds than these the maps stand below each other, so that the last rounds are in view.
const SIDE_BY_SIDE: usize = 8;

/// Clusters shown.
const CLUSTERS_SHOWN: usize = 12;

/// What a train column holds.
pub(super) const READ: &str = "A column of train tasks is what its round read: rollouts of the harness that it began with, also those that \
     the round before had played to judge it. The curve has the harness that a round ended with.";

/// What a gate column holds.
const KNOWN: &str = "A column of gate tasks is the harness that its round ended with: every rollout of it on file, also those played in \
     later rounds to judge candidates against it. The curve has what was known when the round ended.";

/// The section of the heat maps.
pub(super) fn tasks(report: &Report) -> Markup {
    let rounds: Vec<u32> = report.rounds.iter().map(|round| round.round).collect();
    let mut train: Vec<(String, &[Cell])> = report.train.iter().map(|row| (plain(row.task.as_str()), row.cells.as_slice())).collect();
    train.sort_by(|one, two| best_first(one.1, two.1).then_with(|| one.0.cmp(&two.0)));
    let mut gate: Vec<&[Cell]> = report.gate.iter().map(Vec::as_slice).collect();
    gate.sort_by(|one, two| best_first(one, two));
    let gate: Vec<(String, &[Cell])> =
        gate.into_iter().enumerate().map(|(index, cells)| (format!("gate task {}", index + 1), cells)).collect();
    html! {
        section {
            h2 { "Tasks by round" }
            @if train.is_empty() && gate.is_empty() { p class="quiet" { "No train or gate task has been scored." } } @else {
                p class="quiet" {
                    "Colours: " span class="key h0" {} " never solved, " span class="key h2" {} " in half of the rollouts, " span class="key h4" {} " always. "
                    "Figures are rollouts solved of scored; a hollow cell was not played again and stands as before."
                }
                @if rounds.len() > 1 { p class="quiet" { (READ) " " (KNOWN) } }
            }
            div class=(if rounds.len() > SIDE_BY_SIDE { "maps long" } else { "maps" }) {
                @if !train.is_empty() { (heat("Train tasks", &rounds, &train)) }
                @if !gate.is_empty() { (heat("Gate tasks, without names", &rounds, &gate)) }
            }
        }
    }
}

/// Solved of scored as a share; `None` where nothing was scored.
fn share(cell: Cell) -> Option<f64> {
    cell.filter(|(_, scored)| *scored > 0).map(|(solved, scored)| f64::from(solved) / f64::from(scored))
}

/// Rows that end well first; among those, the ones that stood well for long.
fn best_first(one: &[Cell], two: &[Cell]) -> Ordering {
    let rank = |cells: &[Cell]| {
        let shares: Vec<f64> = cells.iter().filter_map(|cell| share(*cell)).collect();
        (shares.last().copied().unwrap_or(-1.0), shares.iter().sum::<f64>())
    };
    let ((last_one, sum_one), (last_two, sum_two)) = (rank(one), rank(two));
    last_two.total_cmp(&last_one).then(sum_two.total_cmp(&sum_one))
}

fn heat(heading: &str, rounds: &[u32], rows: &[(String, &[Cell])]) -> Markup {
    html! {
        div class="sheet" {
            h3 { (heading) }
            p class="quiet" { (standing(rows)) }
            div class="scroll" tabindex="0" role="region" aria-label=(heading) {
                table class="heat" aria-label=(heading) {
                    thead { tr { th scope="col" { "task" } @for round in rounds { th scope="col" { "R" (round) } } } }
                    tbody {
                        @for (name, cells) in rows { tr { th scope="row" title=(name) { (name) } @for cell in kept(cells) { (of_cell(cell)) } } }
                    }
                }
            }
        }
    }
}

fn standing(rows: &[(String, &[Cell])]) -> String {
    let last: Vec<f64> = rows.iter().filter_map(|(_, cells)| cells.iter().filter_map(|cell| share(*cell)).next_back()).collect();
    let always = last.iter().filter(|share| **share >= 1.0).count();
    let never = last.iter().filter(|share| **share <= 0.0).count();
    format!("{always} always solved at the end, {} sometimes, {never} never", last.len() - always - never)
}

/// Each cell with whether it is kept from an earlier round.
fn kept(cells: &[Cell]) -> impl Iterator<Item = (Cell, bool)> + '_ {
    let mut last = None;
    cells.iter().map(move |cell| {
        let is_kept = share(*cell).is_none();
        if !is_kept {
            last = *cell;
        }
        (last, is_kept)
    })
}

fn of_cell((cell, is_kept): (Cell, bool)) -> Markup {
    let Some(((solved, scored), value)) = cell.zip(share(cell)) else { return html! { td { "·" } } };
    let level = match value {
        ..=0.0 => 0,
        1.0.. => 4,
        ..0.4 => 1,
        0.6.. => 3,
        _ => 2,
    };
    html! { td class=(format!("h{level}{}", if is_kept { " kept" } else { "" })) { (solved) "/" (scored) } }
}

/// The section of what fails.
pub(super) fn failures(report: &Report) -> Markup {
    html! {
        section {
            h2 { "What fails" }
            @match &report.overview {
                Some(overview) => (clusters(overview)),
                None => p class="quiet" { "No digest is on file: " code { "harnessx digest" } " says what goes wrong and where." },
            }
            @if !report.endings.is_empty() {
                h3 { "How the last round's train episodes ended" }
                div class="sheet" { div class="scroll" { table {
                    thead { tr { th scope="col" { "ending" } th scope="col" class="figure" { "episodes" } } }
                    tbody { @for (ending, number) in &report.endings { tr { th scope="row" { (plain(ending)) } td class="figure" { (number) } } } }
                } } }
            }
        }
    }
}

fn clusters(overview: &Overview) -> Markup {
    html! {
        p {
            (count(u64::from(overview.tasks), "train task")) ": " (overview.always) " always solved, " (overview.sometimes) " sometimes, " (overview.never) " never. "
            (format!("{:.0} %", 100.0 * overview.actionability)) " have a typed cause with a place in a trace."
        }
        div class="sheet" { div class="scroll" { table {
            caption { "Largest clusters: tasks that share a tag and a pathology" }
            thead { tr { th scope="col" { "where" } th scope="col" { "what goes wrong" } th scope="col" class="figure" { "tasks" } th scope="col" class="figure" { "rollouts solved" } } }
            tbody {
                @for cluster in overview.clusters.iter().take(CLUSTERS_SHOWN) {
                    tr {
                        th scope="row" { (plain(&cluster.tag)) }
                        td { (plain(&cluster.kind.to_string())) }
                        td class="figure" { (cluster.tasks.len()) }
                        td class="figure" { (cluster.solved) " of " (cluster.scored) }
                    }
                }
            }
        } } }
    }
}
