//! A candidate as readable text: its manifest, its smoke test, its verdicts and its patch.

use crate::cli::Done;
use crate::cli::failure::{Exit, Failure};
use crate::cli::printer::Printer;
use crate::domain::id::CandidateId;
use crate::domain::manifest::{CandidateManifest, SignatureKind};
use crate::domain::untrusted::plain;
use crate::store::round_files::{candidate_folder, verdict_name};
use crate::store::visible::Visible;
use std::fmt::Display;

/// Prints a candidate of a run.
pub(super) fn show(id: &str, run: &Visible, printer: &Printer) -> Done {
    let id = CandidateId::from(id);
    let (round, manifest) = find(&id, run)?;
    printer.event_of("candidate", &manifest);
    for line in about(&manifest) {
        printer.line(&plain(&line));
    }
    let folder = format!("R{round}/{}", candidate_folder(&id)?);
    if let Some(smoke) = run.find_text(&format!("{folder}/smoke.jsonl"))? {
        section("Smoke test", &smoke, printer);
    }
    for later in run.rounds()?.into_iter().filter(|later| *later >= round) {
        if let Some(verdict) = run.find_text(&format!("R{later}/{}.md", verdict_name(&id)?))? {
            section(&format!("Verdict of R{later}"), &verdict, printer);
        }
    }
    if let Some(patch) = run.find_text(&format!("{folder}/diff.patch"))? {
        section("Patch", &patch, printer);
    }
    Ok(Exit::Done)
}

fn find(id: &CandidateId, run: &Visible) -> Result<(u32, CandidateManifest), Failure> {
    for round in run.rounds()? {
        if let Some(manifest) = run.candidate(round, id)? {
            return Ok((round, manifest));
        }
    }
    Err(Failure::settings(format!("show candidate {id}: no round of this run has it"))
        .hint("candidates lie in R<n>/candidates, named such as C-R3-02"))
}

fn section(title: &str, text: &str, printer: &Printer) {
    printer.line(&format!("\n── {title}\n{}", text.trim()));
}

/// What it says of itself, a line each; its own words may hold more.
fn about(manifest: &CandidateManifest) -> Vec<String> {
    let predicted = &manifest.predicted_impact;
    let signature = &manifest.attribution_signature;
    let buckets = list(manifest.buckets.iter().map(|bucket| bucket.as_str()));
    let mut lines = vec![
        format!("{}: {}", manifest.candidate_id, manifest.title),
        format!("proposed by {} for variant {}", manifest.engine, manifest.variant),
        format!("harness {} on {}", manifest.harness, manifest.parent),
        format!("touches {buckets} ({}): {}", manifest.component, list(&manifest.file_changes)),
        format!("root cause: {}", manifest.root_cause),
        format!("fix: {}", manifest.targeted_fix),
        format!("why what is at risk holds: {}", manifest.why_risk_holds),
        format!("capability: {} (seen at {})", manifest.capability_evidence.claim, list(&manifest.capability_evidence.observed)),
        format!("will unlock: {}", list(&predicted.will_unlock)),
        format!("will stabilize: {}", list(&predicted.will_stabilize)),
        format!("at risk: {}", list(&predicted.at_risk)),
        format!("shows as: {} {} at least {} times an episode", word(signature.kind), signature.name, signature.expected_min_calls),
    ];
    if let Some(earlier) = &manifest.iterates_from {
        lines.push(format!("takes up again: {earlier}"));
    }
    if let Some(limits) = &manifest.resources {
        lines.push(format!("limits of an episode: {}", serde_json::to_string(limits).unwrap_or_default()));
    }
    lines.extend(manifest.failure_evidence.iter().map(|seen| format!("failure: {} at {}: {}", seen.kind, seen.anchor, seen.snippet)));
    lines.extend(manifest.edits.iter().map(|edit| format!("edit: {edit}")));
    lines
}

/// Where to look for an edit's effect.
fn word(kind: SignatureKind) -> &'static str {
    match kind {
        SignatureKind::Processor => "processor",
        SignatureKind::Tool => "tool",
        SignatureKind::Prompt => "prompt",
        SignatureKind::Setting => "setting",
    }
}

/// Words with commas between; "nothing" for none.
fn list<T: Display>(parts: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = parts.into_iter().map(|part| part.to_string()).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}
