//! One candidate for the eyes of the Critic's model: what it says of itself, what the rules found, and what it changes.

use super::Critique;
use crate::domain::manifest::{CandidateManifest, Claim};
use crate::domain::untrusted::{fenced, one_line, quoted};
use std::fmt::Write;

/// The page, as Markdown.
pub fn page(manifest: &CandidateManifest, patch: &str, critique: &Critique) -> String {
    let said = |text: &str| quoted(&one_line(text));
    let claims = |claims: &[Claim]| claims.iter().map(Claim::to_string).collect::<Vec<_>>().join("; ");
    let mut text = format!("{} (engine {}, component {})\n\n", said(&manifest.title), manifest.engine, said(&manifest.component));
    let impact = &manifest.predicted_impact;
    let lines = [
        ("root cause", manifest.root_cause.clone()),
        ("fix", manifest.targeted_fix.clone()),
        ("why it can work", manifest.capability_evidence.claim.clone()),
        ("why tasks at risk hold", manifest.why_risk_holds.clone()),
        ("will unlock", claims(&impact.will_unlock)),
        ("will stabilize", claims(&impact.will_stabilize)),
        ("at risk", claims(&impact.at_risk)),
    ];
    for (name, words) in lines.into_iter().filter(|(_, words)| !words.trim().is_empty()) {
        _ = writeln!(text, "- {name}: {}", said(&words));
    }
    for evidence in &manifest.failure_evidence {
        let (kind, anchor) = (said(&evidence.kind.to_string()), said(&evidence.anchor.to_string()));
        _ = writeln!(text, "- evidence: {kind} at {anchor}: {}", said(&evidence.snippet));
    }
    for finding in critique.findings.iter().filter(|finding| finding.candidate == manifest.candidate_id) {
        _ = writeln!(text, "- the rules: {} ({})", said(&finding.text), finding.place);
    }
    _ = write!(text, "\n{}", fenced("diff", patch));
    text
}
