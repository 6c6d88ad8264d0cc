//! Rounds and their candidates: what was ruled, why, what was predicted and what came of it, and the diff. Latest round first.

use super::answers::{put_back_line, undone};
use super::input::{Candidate, Report, Round};
use crate::domain::digest::Anchor;
use crate::domain::figures::{count, money, points, time, tokens};
use crate::domain::ledger::ShipOutcome;
use crate::domain::manifest::{CandidateManifest, Claim};
use crate::domain::round::{RoundRecord, Ruled, RulingWord};
use crate::domain::untrusted::{plain, plain_lines};
use maud::{Markup, html};

/// Claims and places listed one by one.
const LISTED: usize = 8;

/// The section.
pub(super) fn decisions(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Rounds and candidates" }
            @if !report.evolves() {
                p class="quiet" { "This run only played a harness: no round proposed anything." }
            } @else {
                @for round in report.rounds.iter().rev() { (of_round(report, round)) }
            }
        }
    }
}

fn of_round(report: &Report, round: &Round) -> Markup {
    let outcome = round.record.as_ref().map(|record| record.outcome).or(round.decision.as_ref().map(|decision| decision.outcome));
    let rulings = round.decision.iter().flat_map(|decision| &decision.candidates);
    let is_ruled = |candidate: &&Candidate| {
        round.decision.iter().flat_map(|decision| &decision.candidates).any(|ruled| ruled.candidate == candidate.manifest.candidate_id)
    };
    let waiting: Vec<&Candidate> = round.candidates.iter().filter(|candidate| !is_ruled(candidate)).collect();
    html! {
        h3 { "R" (round.round) " · " (outcome.map_or("not finished", |outcome| outcome.as_str())) }
        @if let Some(record) = &round.record { p class="quiet" { (spent(record)) } }
        @if let Some(decision) = &round.decision {
            @if let Some(reason) = &decision.reason { p { (plain(reason)) } }
            @for note in &decision.notes { p class="note" { (plain(note)) } }
            @if let Some(concern) = &decision.strategy_concern { p class="note" { "The Critic is worried: " (plain(concern)) } }
        }
        @if let Some(back) = report.put_back_after(round.round) { p class="note" { (put_back_line(back)) } }
        @for ruled in rulings { (of_ruling(report, round.round, ruled)) }
        @for candidate in waiting {
            article class="candidate" {
                h4 { span class="word" { "no ruling" } (plain(&candidate.manifest.title)) " " code class="quiet" { (plain(candidate.manifest.candidate_id.as_str())) } }
                (of_candidate(candidate))
            }
        }
    }
}

fn spent(record: &RoundRecord) -> String {
    let (episodes, usage) = (count(record.rollouts.played(), "episode"), &record.usage);
    format!("{episodes}, {}, {}, {}", tokens(usage.tokens()), money(usage.cost), time(record.milliseconds))
}

/// The gate's line without its first words, which stand above it.
pub(super) fn reason(ruled: &Ruled) -> &str {
    let opening = format!("{} {}: ", ruled.word.as_str(), ruled.candidate);
    ruled.line.strip_prefix(opening.as_str()).unwrap_or(&ruled.line)
}

fn of_ruling(report: &Report, round: u32, ruled: &Ruled) -> Markup {
    let back = if ruled.word == RulingWord::Shipped { report.taken_back(round) } else { None };
    let class = match ruled.word {
        RulingWord::Shipped if back.is_none() => "candidate shipped",
        RulingWord::Blocked => "candidate blocked",
        RulingWord::Shipped | RulingWord::Rejected | RulingWord::Parked => "candidate",
    };
    html! {
        article class=(class) {
            h4 {
                span class="word" { (ruled.word.as_str()) @if let Some(gain) = ruled.gain { " " (points(gain)) } }
                (plain(&ruled.title)) " " code class="quiet" { (plain(ruled.candidate.as_str())) }
            }
            p { (plain(reason(ruled))) }
            @if let Some(outcome) = report.ship_outcome(&ruled.candidate) { p { (came_of(outcome)) } }
            @if let Some(back) = back { p { (undone(back)) } }
            @if let Some(candidate) = report.candidate(&ruled.candidate) { (of_candidate(candidate)) }
        }
    }
}

/// How the predictions of a ship fared.
pub(super) fn came_of(outcome: &ShipOutcome) -> String {
    let (predicted, lost) = (count(u64::from(outcome.predicted), "train task"), outcome.regressions.len() as u64);
    format!(
        "Then: {} of {predicted} predicted to improve did ({:.0} %), {} got worse, {} improved unpredicted.",
        outcome.hits,
        100.0 * outcome.hit_rate(),
        count(lost, "task"),
        outcome.orphan_flips
    )
}

/// What was said of a candidate before it was judged, and what it changes.
fn of_candidate(candidate: &Candidate) -> Markup {
    let manifest = &candidate.manifest;
    html! {
        details {
            summary { "Why, and what was predicted" }
            (of_manifest(manifest))
        }
        @match &candidate.diff {
            Some(diff) => details { summary { "What it changes: " (changes(manifest)) } (patch(diff)) },
            None => p class="quiet" { "Its diff is not on file." },
        }
    }
}

fn changes(manifest: &CandidateManifest) -> String {
    let files: Vec<String> = manifest.file_changes.iter().take(LISTED).map(|file| plain(file)).collect();
    files.join(", ")
}

fn of_manifest(manifest: &CandidateManifest) -> Markup {
    let buckets: Vec<&str> = manifest.buckets.iter().map(|bucket| bucket.as_str()).collect();
    let impact = &manifest.predicted_impact;
    let anchors: Vec<&Anchor> = manifest.capability_evidence.observed.iter().collect();
    html! {
        dl {
            dt { "proposed by" } dd { (manifest.engine) }
            dt { "touches" } dd { (buckets.join(", ")) " (" (plain(&manifest.component)) ")" }
            dt { "what is wrong" } dd { (plain(&manifest.root_cause)) }
            dt { "the fix" } dd { (plain(&manifest.targeted_fix)) }
            dt { "why it can work" } dd { (plain(&manifest.capability_evidence.claim)) (listed(&anchors, |anchor| html! { code { (plain(&anchor.to_string())) } })) }
            @for (name, claims) in [("will solve", &impact.will_unlock), ("will steady", &impact.will_stabilize), ("at risk", &impact.at_risk)] {
                @if !claims.is_empty() { dt { (name) } dd { (listed(claims, |claim: &Claim| html! { (plain(&claim.to_string())) })) } }
            }
            @if !manifest.why_risk_holds.is_empty() { dt { "why those hold" } dd { (plain(&manifest.why_risk_holds)) } }
            @if !manifest.failure_evidence.is_empty() {
                dt { "seen failing" }
                dd { (listed(&manifest.failure_evidence, |seen| html! { (plain(&seen.kind.to_string())) " at " code { (plain(&seen.anchor.to_string())) } ": " q { (plain(&seen.snippet)) } })) }
            }
        }
    }
}

fn listed<T>(items: &[T], one: impl Fn(&T) -> Markup) -> Markup {
    html! {
        @if !items.is_empty() {
            ul {
                @for item in items.iter().take(LISTED) { li { (one(item)) } }
                @if items.len() > LISTED { li { "and " (items.len() - LISTED) " more" } }
            }
        }
    }
}

/// A unified patch, line by line; added and removed lines keep their sign, so colour is not needed to tell them apart.
fn patch(diff: &str) -> Markup {
    let class = |line: &str| match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] | [b'@', b'@', ..] => Some("place"),
        [b'+', ..] => Some("added"),
        [b'-', ..] => Some("removed"),
        _ => None,
    };
    html! { pre { @for line in plain_lines(diff) { span class=[class(&line)] { (line) } } } }
}
