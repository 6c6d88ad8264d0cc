//! The landscape as Markdown: for people, and for models that evolve. Short: what is long is cut with its count.

use crate::domain::landscape::{Landscape, REJECTED_SHOWN};
use crate::domain::ledger::Reputation;
use crate::domain::untrusted::{block, cell_piece, quoted, quoted_piece};
use std::fmt::Write;

/// Clusters shown.
const CLUSTERS: usize = 12;

/// Tasks named in a cluster's line.
const NAMED: usize = 3;

/// Regressions shown.
const REGRESSIONS: usize = 30;

/// Components shown.
const COMPONENTS: usize = 40;

/// The page. The last Critic's concern comes first, word for word.
pub fn landscape_markdown(landscape: &Landscape) -> String {
    let mut text = format!("# Landscape of R{}\n", landscape.round);
    if let Some(concern) = &landscape.concern {
        _ = write!(text, "\nThe last Critic is worried:\n\n{}", block(concern));
    }
    if let Some(guard) = &landscape.guard {
        let neglected: Vec<&str> = guard.neglected.iter().map(|bucket| bucket.as_str()).collect();
        _ = writeln!(
            text,
            "\n**Look elsewhere.** {} has shipped again and again with flat or falling success, and nobody has tried {}: use one of these, or say on what observed evidence none can help.",
            guard.overused,
            neglected.join(", ")
        );
    }
    _ = writeln!(text, "\n{:.0} % of the tasks fail for a typed, anchored cause.", 100.0 * landscape.actionability);
    directions(&mut text, landscape);
    failing(&mut text, landscape);
    diagnoses(&mut text, landscape);
    regressions(&mut text, landscape);
    tried(&mut text, landscape);
    if !landscape.untried.is_empty() {
        text.push_str("\n## Never tried\n\n");
    }
    for untried in &landscape.untried {
        _ = writeln!(text, "- {} ({}): {}", quoted(&untried.component), untried.bucket, untried.does);
    }
    if !landscape.rejected.is_empty() {
        text.push_str("\n## What did not ship, latest first\n\n");
    }
    for rejected in landscape.rejected.iter().take(REJECTED_SHOWN) {
        let (id, component, at) = (quoted(rejected.candidate.as_str()), quoted_piece(&rejected.component), rejected.at.as_str());
        _ = writeln!(text, "- {id}, {component}, at {at}: {}", quoted_piece(&rejected.reason));
    }
    more(&mut text, landscape.rejected.len(), REJECTED_SHOWN);
    text
}

fn failing(text: &mut String, landscape: &Landscape) {
    text.push_str("\n## What fails\n\n| where | what goes wrong | tasks | rollouts solved | for instance |\n|---|---|---|---|---|\n");
    for cluster in landscape.failing.iter().take(CLUSTERS) {
        let named: Vec<String> = cluster.tasks.iter().take(NAMED).map(|task| cell_piece(task.as_str())).collect();
        let (tag, kind) = (cell_piece(&cluster.tag), cell_piece(&cluster.kind.to_string()));
        let (tasks, solved, scored) = (cluster.tasks.len(), cluster.solved, cluster.scored);
        _ = writeln!(text, "| {tag} | {kind} | {tasks} | {solved} of {scored} | {} |", named.join(", "));
    }
    more(text, landscape.failing.len(), CLUSTERS);
}

/// What the Planner's model says.
fn directions(text: &mut String, landscape: &Landscape) {
    if !landscape.directions.is_empty() {
        text.push_str("\n## What to work on\n\n");
    }
    for (number, direction) in landscape.directions.iter().enumerate() {
        let (title, why) = (quoted_piece(&direction.title), quoted_piece(&direction.why));
        _ = writeln!(text, "{}. {title} ({}): {why}", number + 1, direction.bucket);
    }
}

/// What the Digester's model says.
fn diagnoses(text: &mut String, landscape: &Landscape) {
    if !landscape.diagnoses.is_empty() {
        text.push_str("\n## Why\n\n");
    }
    for diagnosis in &landscape.diagnoses {
        let (about, cause) = (quoted_piece(&diagnosis.about), quoted_piece(&diagnosis.cause));
        let (bucket, element) = (diagnosis.bias.bucket, quoted_piece(&diagnosis.bias.element));
        let places: Vec<String> = diagnosis.evidence.iter().map(|piece| quoted(&piece.anchor.to_string())).collect();
        _ = writeln!(text, "- {about}: {cause} Suspected: {bucket}, {element}. Seen at {}.", places.join(", "));
    }
}

fn regressions(text: &mut String, landscape: &Landscape) {
    if landscape.regressions.is_empty() {
        return;
    }
    text.push_str("\n## Got worse in the last round\n\nEach is addressed by a candidate or justified in writing.\n\n");
    for regression in landscape.regressions.iter().take(REGRESSIONS) {
        let ((was, was_of), (is, is_of)) = (regression.before, regression.now);
        let suspects: Vec<String> = regression.suspects.iter().map(|suspect| quoted(suspect.as_str())).collect();
        let task = quoted_piece(regression.task.as_str());
        _ = writeln!(text, "- {task}: {was} of {was_of}, now {is} of {is_of}; suspected: {}", suspects.join(", "));
    }
    more(text, landscape.regressions.len(), REGRESSIONS);
}

fn tried(text: &mut String, landscape: &Landscape) {
    if landscape.buckets.is_empty() {
        return;
    }
    text.push_str(
        "\n## What was tried\n\n| what | proposed | shipped | predictions that came true | shipped in |\n|---|---|---|---|---|\n",
    );
    for (bucket, reputation) in &landscape.buckets {
        row(text, &format!("bucket {bucket}"), reputation);
    }
    for (component, reputation) in landscape.components.iter().take(COMPONENTS) {
        row(text, &cell_piece(component), reputation);
    }
    more(text, landscape.components.len(), COMPONENTS);
}

fn row(text: &mut String, what: &str, reputation: &Reputation) {
    let Reputation { proposed, shipped, predicted, hits, rounds } = reputation;
    let rounds: Vec<String> = rounds.iter().map(|round| format!("R{round}")).collect();
    let rate = reputation.hit_rate().map_or_else(|| "–".to_owned(), |rate| format!("{hits} of {predicted} ({:.0} %)", 100.0 * rate));
    _ = writeln!(text, "| {what} | {proposed} | {shipped} | {rate} | {} |", rounds.join(" "));
}

/// A line for what was cut.
fn more(text: &mut String, total: usize, shown: usize) {
    if total > shown {
        _ = writeln!(text, "\n{} more are in `landscape.json`.", total - shown);
    }
}
