//! `regressions.md`: every train task that stands worse than it once did, with the ships suspected.

use crate::domain::history::{Decline, Suspect};
use crate::domain::untrusted::cell;
use std::fmt::Write;

/// Tasks shown.
const SHOWN: usize = 100;

/// The page, as Markdown.
pub fn regressions_markdown(declines: &[Decline]) -> String {
    let mut text = "# Train tasks that got worse\n\n".to_owned();
    if declines.is_empty() {
        text.push_str("None: every task is solved as often as in its best round.\n");
        return text;
    }
    text.push_str(
        "Solved less often than in an earlier round. The ships since then that touched the task are suspected, the most suspect first.\n\n",
    );
    text.push_str("| task | then | now | suspected |\n|---|---|---|---|\n");
    for decline in declines.iter().take(SHOWN) {
        let ((was, was_of), (is, is_of)) = (decline.before, decline.now);
        let suspects: Vec<String> = decline.suspects.iter().map(suspected).collect();
        let suspects = if suspects.is_empty() { "no ship".to_owned() } else { suspects.join("; ") };
        let task = cell(decline.task.as_str());
        _ = writeln!(text, "| {task} | {was} of {was_of} in R{} | {is} of {is_of} | {suspects} |", decline.better_in);
    }
    if declines.len() > SHOWN {
        _ = writeln!(text, "\nAnd {} more; all counts are in `data/task_history.jsonl`.", declines.len() - SHOWN);
    }
    text
}

fn suspected(suspect: &Suspect) -> String {
    let name = cell(suspect.candidate.as_str());
    let why = match (suspect.listed, suspect.fired) {
        (true, true) => " (it listed the task at risk, and acted in a failing rollout)",
        (true, false) => " (it listed the task at risk)",
        (false, true) => " (it acted in a failing rollout)",
        (false, false) => "",
    };
    format!("{name} of R{}{why}", suspect.round)
}
