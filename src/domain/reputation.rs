//! What came of the candidates, derived from the rounds: how each ship's predictions fared, what did not ship and why, and the
//! reputation of buckets, components and engines (`system.md` §6). Pure: the same rounds give the same ledgers.

use super::history::{Change, History};
use super::ledger::{RejectedAt, RejectedCandidate, Reputation, SCOREBOARD_FORMAT, Scoreboard, ShipOutcome};
use super::manifest::{CandidateManifest, Claim};
use super::round::RulingWord;
use std::collections::BTreeMap;

/// Scores every ship with which a later round was played, in the order shipped; one that a person took back before is not scored. Losses
/// count against every ship of their round.
pub fn ship_outcomes(history: &History<'_>) -> Vec<ShipOutcome> {
    let mut outcomes = Vec::new();
    for index in (0..history.rounds().len()).filter(|index| history.played_on(*index).is_some()) {
        let ships: Vec<(&CandidateManifest, f64)> = history.ships(index).collect();
        let changes: Vec<Change<'_>> = if ships.is_empty() { Vec::new() } else { history.changes(index).collect() };
        let is_foretold = |change: &Change<'_>| ships.iter().any(|(manifest, _)| predicts(manifest, change));
        let orphans = changes.iter().filter(|change| change.is_gain() && !is_foretold(change)).count();
        for (manifest, gain) in &ships {
            let predicted: Vec<&Change<'_>> = changes.iter().filter(|change| predicts(manifest, change)).collect();
            outcomes.push(ShipOutcome {
                round: history.rounds()[index].round,
                candidate: manifest.candidate_id.clone(),
                engine: manifest.engine,
                buckets: manifest.buckets.clone(),
                component: manifest.component.clone(),
                gain: *gain,
                predicted: predicted.len() as u32,
                hits: predicted.iter().filter(|change| change.is_gain()).count() as u32,
                regressions: changes.iter().filter(|change| change.is_loss()).map(|change| change.task.clone()).collect(),
                orphan_flips: orphans as u32,
            });
        }
    }
    outcomes
}

/// Whether a manifest says that this task will improve. Tags speak of the tasks among theirs that can: those not always solved before.
fn predicts(manifest: &CandidateManifest, change: &Change<'_>) -> bool {
    let can_improve = change.before.0 < change.before.1;
    manifest.claims().any(|claim| match claim {
        Claim::Task(_) => claim.covers(change.task, &change.digest.tags),
        Claim::Tags(_) => can_improve && claim.covers(change.task, &change.digest.tags),
    })
}

/// Every candidate that was rejected or blocked, with the reason in plain words, in the order judged.
pub fn rejected_candidates(history: &History<'_>) -> Vec<RejectedCandidate> {
    let manifests: BTreeMap<_, _> = proposals(history).map(|manifest| (&manifest.candidate_id, manifest)).collect();
    let mut rejected = Vec::new();
    for past in history.rounds() {
        for ruled in past.decision.iter().flat_map(|decision| &decision.candidates) {
            let (RulingWord::Rejected | RulingWord::Blocked, Some(manifest)) = (ruled.word, manifests.get(&ruled.candidate)) else {
                continue;
            };
            rejected.push(RejectedCandidate {
                round: past.round,
                candidate: ruled.candidate.clone(),
                engine: manifest.engine,
                buckets: manifest.buckets.clone(),
                component: manifest.component.clone(),
                edits: manifest.edits_digest().to_string(),
                at: ruled.at.unwrap_or(RejectedAt::Gate),
                reason: ruled.line.clone(),
            });
        }
    }
    rejected
}

/// Reputation from all proposals, ships and what came of them.
pub fn scoreboard(history: &History<'_>) -> Scoreboard {
    let mut board = Scoreboard { format: SCOREBOARD_FORMAT, ..Scoreboard::default() };
    for manifest in proposals(history) {
        each(&mut board, manifest, |reputation| reputation.proposed += 1);
    }
    for (index, past) in history.rounds().iter().enumerate() {
        for (manifest, _) in history.ships(index) {
            each(&mut board, manifest, |reputation| {
                reputation.shipped += 1;
                if reputation.rounds.last() != Some(&past.round) {
                    reputation.rounds.push(past.round);
                }
            });
        }
    }
    let manifests: BTreeMap<_, _> = proposals(history).map(|manifest| (&manifest.candidate_id, manifest)).collect();
    for outcome in ship_outcomes(history) {
        if let Some(manifest) = manifests.get(&outcome.candidate) {
            each(&mut board, manifest, |reputation| {
                reputation.predicted += outcome.predicted;
                reputation.hits += outcome.hits;
            });
        }
    }
    board
}

fn proposals<'a>(history: &History<'a>) -> impl Iterator<Item = &'a CandidateManifest> + use<'a> {
    history.rounds().iter().flat_map(|past| &past.proposed)
}

/// Every reputation that a candidate belongs to.
fn each(board: &mut Scoreboard, manifest: &CandidateManifest, mut change: impl FnMut(&mut Reputation)) {
    for bucket in &manifest.buckets {
        change(board.buckets.entry(*bucket).or_default());
    }
    change(board.components.entry(manifest.component.clone()).or_default());
    change(board.engines.entry(manifest.engine).or_default());
}
