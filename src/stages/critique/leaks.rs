//! Texts of tasks in a harness: those of gate and held-out tasks anywhere, those of train tasks outside a demonstration of their own task,
//! plain or encoded. What the parent holds already is not the candidate's doing.

use super::pieces::{Kind, Piece, added};
use super::secrets::{Fingerprints, Hit, Secrets};
use super::views::{Lines, unescaped, views};
use super::{Case, Found, Place, Rule};
use crate::domain::gate::Reader;
use crate::domain::harness::{Harness, Manifest};
use crate::domain::id::Digest;
use std::collections::{BTreeMap, BTreeSet};

/// No words of a gate or held-out task, in what is added or in the manifest.
pub(super) fn sealed(case: &Case<'_>) -> Vec<Found> {
    let found = sealed_places(case);
    match case.input.reader {
        Reader::Person => found,
        Reader::Engine => {
            let rules: BTreeSet<Rule> = found.iter().map(|found| found.rule).collect();
            rules.into_iter().map(|rule| Found::new(rule, Place::Somewhere, SEALED_WORDS)).collect()
        }
    }
}

/// What is said of words that stand in a sealed task.
const SEALED_WORDS: &str = "words of a sealed task";

fn sealed_places(case: &Case<'_>) -> Vec<Found> {
    let prints = &case.input.secrets.sealed;
    let known = held(prints, case.proposal.parent, |_, _| true);
    let mut found = Vec::new();
    for piece in &case.pieces {
        let (plain, hidden) = told(seen(prints, piece), |hit| !known.contains(&hit.run));
        found.extend(Found::first(Rule::SealedText, &plain, |seen| (piece.at_line(seen.line), SEALED_WORDS.to_owned())));
        found.extend(Found::first(Rule::Encoded, &hidden, |seen| (piece.at_line(seen.line), format!("{SEALED_WORDS}, {}", seen.how))));
    }
    for (key, text) in said(case) {
        if !prints.hits(&text).is_empty() {
            found.push(Found::new(Rule::SealedText, Place::Manifest(key.to_owned()), SEALED_WORDS));
        }
    }
    found
}

/// Words of a train task only in a demonstration that begins with that task.
pub(super) fn train(case: &Case<'_>) -> Vec<Found> {
    let prints = &case.input.secrets.train;
    // What the parent shows in a demonstration of a task stands nowhere else yet.
    let is_elsewhere = |piece: &Piece, hit: &Hit| {
        let own = own_tasks(prints, &piece.kind);
        !hit.owners.iter().any(|owner| own.contains(owner))
    };
    let known = held(prints, case.proposal.parent, is_elsewhere);
    let mut found = Vec::new();
    for piece in &case.pieces {
        let own = own_tasks(prints, &piece.kind);
        let is_strange = |hit: &Hit| !known.contains(&hit.run) && !hit.owners.iter().any(|owner| own.contains(owner));
        let (plain, hidden) = told(seen(prints, piece), is_strange);
        let text = |seen: &Seen| {
            let task = seen.hit.owners.first().and_then(|owner| case.input.secrets.tasks.get(*owner));
            let task = task.map_or_else(String::new, |task| format!(" {}", task.as_str().escape_debug()));
            format!("words of train task{task} outside a demonstration of it")
        };
        found.extend(Found::first(Rule::TrainText, &plain, |seen| (piece.at_line(seen.line), text(seen))));
        found.extend(Found::first(Rule::Encoded, &hidden, |seen| (piece.at_line(seen.line), format!("{}, {}", text(seen), seen.how))));
    }
    found
}

/// The tasks whose demonstration a piece is: those that its first turn asks for, where that is one goal and not a list of them.
fn own_tasks(prints: &Fingerprints, kind: &Kind) -> BTreeSet<usize> {
    let (Kind::Demonstration { asks } | Kind::Comment { asks }) = kind else { return BTreeSet::new() };
    let hits = prints.hits(asks);
    let mut owners = hits.iter().map(|hit| &hit.owners);
    let Some(first) = owners.next() else { return BTreeSet::new() };
    owners.fold(first.clone(), |shared, next| shared.intersection(next).copied().collect())
}

/// A run as a view shows it.
struct Seen {
    /// How the text was read; empty for the text itself.
    how: &'static str,
    /// Line of the piece, from 1.
    line: usize,
    hit: Hit,
}

/// What is told of those that count, once a line: in plain sight, and hidden.
fn told(all: Vec<Seen>, counts: impl Fn(&Hit) -> bool) -> (Vec<Seen>, Vec<Seen>) {
    let mut all: Vec<Seen> = all.into_iter().filter(|seen| counts(&seen.hit)).collect();
    all.dedup_by_key(|seen| (seen.how, seen.line));
    all.into_iter().partition(|seen| seen.how.is_empty())
}

/// Runs that stand in a piece, in the plainest view that shows them.
fn seen(prints: &Fingerprints, piece: &Piece) -> Vec<Seen> {
    let mut found: Vec<Seen> = Vec::new();
    let mut runs: BTreeSet<(Digest, bool)> = BTreeSet::new();
    for view in views(&piece.text) {
        let is_plain = view.how.is_empty();
        let mut lines = Lines::of(&view.text, 1);
        for hit in prints.hits(&view.text) {
            // A run that the text itself shows is not news when decoded.
            if runs.contains(&(hit.run, true)) || !runs.insert((hit.run, is_plain)) {
                continue;
            }
            let line = view.line.unwrap_or_else(|| lines.at(hit.offset));
            found.push(Seen { how: view.how, line, hit });
        }
    }
    found
}

/// Runs that a harness holds in plain sight, at places that count.
fn held(prints: &Fingerprints, harness: &Harness, counts: impl Fn(&Piece, &Hit) -> bool) -> BTreeSet<Digest> {
    let mut runs = BTreeSet::new();
    for piece in of_harness(harness) {
        let hits = prints.hits(&unescaped(&piece.text)).into_iter().filter(|hit| counts(&piece, hit));
        runs.extend(hits.map(|hit| hit.run));
    }
    runs
}

/// All texts of a harness.
fn of_harness(harness: &Harness) -> Vec<Piece> {
    let manifest = Manifest { processors: Vec::new(), agents: BTreeMap::new(), ..harness.manifest.clone() };
    added(harness, &Harness { manifest, files: BTreeMap::new() })
}

/// What a manifest says in its own words.
fn said(case: &Case<'_>) -> Vec<(&'static str, String)> {
    let manifest = case.proposal.manifest;
    let kinds = manifest.failure_evidence.iter().map(|evidence| evidence.kind.to_string());
    let claims = |claims: &[crate::domain::manifest::Claim]| claims.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    vec![
        ("title", manifest.title.clone()),
        ("component", manifest.component.clone()),
        ("root_cause", manifest.root_cause.clone()),
        ("targeted_fix", manifest.targeted_fix.clone()),
        ("why_risk_holds", manifest.why_risk_holds.clone()),
        ("capability_evidence", manifest.capability_evidence.claim.clone()),
        ("attribution_signature", manifest.attribution_signature.name.clone()),
        ("failure_evidence", kinds.collect::<Vec<_>>().join("\n")),
        ("predicted_impact.will_unlock", claims(&manifest.predicted_impact.will_unlock)),
        ("predicted_impact.will_stabilize", claims(&manifest.predicted_impact.will_stabilize)),
        ("predicted_impact.at_risk", claims(&manifest.predicted_impact.at_risk)),
    ]
}

/// Whether a harness holds words of a sealed task outside demonstrations, which may share a goal with one by chance.
pub(super) fn holds_sealed(secrets: &Secrets, harness: &Harness) -> bool {
    let pieces = of_harness(harness);
    let mut words = pieces.iter().filter(|piece| !matches!(piece.kind, Kind::Demonstration { .. }));
    words.any(|piece| !secrets.sealed.hits(&unescaped(&piece.text)).is_empty())
}
