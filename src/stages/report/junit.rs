//! `JUnit` XML of the last round's train tasks, for programs that show tests: a task passes when every scored rollout solved it.

use super::input::{Cell, Report};
use crate::domain::figures::{gain, range};
use crate::domain::untrusted::plain;
use maud::{Markup, PreEscaped, html};

/// The XML.
pub fn junit(report: &Report) -> String {
    let rows: Vec<(String, Cell)> = report.train.iter().map(|row| (plain(row.task.as_str()), last(&row.cells))).collect();
    let is_failure = |cell: Cell| cell.is_some_and(|(solved, scored)| solved < scored);
    let failures = rows.iter().filter(|(_, cell)| is_failure(*cell)).count();
    let skipped = rows.iter().filter(|(_, cell)| cell.is_none()).count();
    let name = plain(&report.run.name);
    html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"))
        testsuites name=(name) tests=(rows.len()) failures=(failures) {
            testsuite name="train" tests=(rows.len()) failures=(failures) skipped=(skipped) {
                @if let Some(comparison) = &report.heldout {
                    properties {
                        property name="held-out gain" value=(gain(comparison.gain)) {}
                        property name="held-out gain, 95 % interval" value=(range(comparison.gain)) {}
                    }
                }
                @for (task, cell) in &rows { (case(&name, task, *cell)) }
            }
        }
    }
    .into_string()
}

fn case(run: &str, task: &str, cell: Cell) -> Markup {
    html! {
        testcase classname=(run) name=(task) {
            @match cell {
                None => skipped message="no scored rollout" {},
                Some((solved, scored)) if solved < scored => failure message=(format!("solved in {solved} of {scored} rollouts")) {},
                Some(_) => {},
            }
        }
    }
}

/// What a task stands at: its last scored round.
fn last(cells: &[Cell]) -> Cell {
    cells.iter().rev().find_map(|cell| cell.filter(|(_, scored)| *scored > 0))
}
