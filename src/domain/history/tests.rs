//! Tasks over a few rounds.

use super::sample::{decision, digest, manifest, round, with_fired};
use super::{History, PastRound};
use crate::domain::edit::Bucket;
use crate::domain::engine::Engine;
use crate::domain::id::{HarnessId, TaskId};
use crate::domain::ledger::{RejectedAt, TaskStatus};
use crate::domain::manifest::Claim;
use crate::domain::reputation::{rejected_candidates, scoreboard, ship_outcomes};
use crate::domain::round::{RoundOutcome, RulingWord};
use crate::domain::task::Tags;

/// Status of each task in the last round.
fn last(history: &History<'_>) -> Vec<(String, TaskStatus)> {
    let now = history.rounds().last().unwrap().round;
    history.lines().into_iter().filter(|line| line.round == now).map(|line| (line.task.0, line.status)).collect()
}

#[test]
fn a_task_keeps_what_was_known_when_a_round_did_not_play_it() {
    let first = ["a", "b", "c", "d", "e"].iter().zip([2, 0, 1, 2, 1]).map(|(task, solved)| digest(task, solved, 2)).collect();
    let rounds = [
        round(0, "h0", first).ships(&[manifest("C-R0-01", Bucket::Config, "x", &["b"])]),
        round(1, "h1", vec![digest("d", 1, 2), digest("e", 2, 2)]),
    ];
    let history = History::new(&rounds);
    let names = [TaskStatus::Solved, TaskStatus::Persistent, TaskStatus::Flaky, TaskStatus::Regressed, TaskStatus::Fixed];
    let wanted: Vec<(String, TaskStatus)> = ["a", "b", "c", "d", "e"].iter().map(|task| (*task).to_owned()).zip(names).collect();
    assert_eq!(last(&history), wanted);
    assert_eq!(history.lines().len(), 10);
    assert_eq!(history.standings().map(|standing| standing.round).collect::<Vec<u32>>(), [0, 0, 0, 1, 1]);
    assert_eq!(history.home_of("trajectories/d_r0.jsonl"), Some(1));
}

#[test]
fn outages_leave_what_was_known() {
    let mut missing = digest("a", 0, 1);
    missing.rollouts[0].verdict = None;
    let rounds = [round(0, "h0", vec![digest("a", 1, 1)]), round(1, "h1", vec![missing.clone()])];
    assert_eq!(last(&History::new(&rounds)), [("a".to_owned(), TaskStatus::Solved)]);
    assert!(History::new(&[round(0, "h0", vec![missing])]).lines().is_empty());
    assert!(History::new(&[]).lines().is_empty() && History::new(&[]).declines().is_empty());
}

#[test]
fn suspects_are_ships_that_touched_the_task_most_marks_first() {
    let mut listed = manifest("C-R1-01", Bucket::Config, "y", &["b"]);
    listed.predicted_impact.at_risk = vec![Claim::Tags(Tags::from([("kind".to_owned(), "a".to_owned())]))];
    let rounds = [
        round(0, "h0", vec![digest("a", 2, 2), digest("b", 0, 2)]).ships(&[manifest("C-R0-01", Bucket::Config, "x", &["b"])]),
        // The ship of R0 did not touch `a`: it was not played again. Nor is its digest news when a round repeats it.
        round(1, "h1", vec![digest("a", 2, 2), digest("b", 1, 2)]).ships(&[listed]),
        round(2, "h2", vec![digest("a", 2, 2)]).ships(&[manifest("C-R2-01", Bucket::Prompt, "z", &["b"])]),
        round(3, "h3", vec![digest("a", 1, 2)]).ships(&[manifest("C-R3-01", Bucket::Prompt, "w", &["b"])]),
        round(4, "h4", vec![with_fired(digest("a", 0, 2), "z#2")]),
    ];
    let history = History::new(&rounds);
    let declines = history.declines();
    let (task, better_in) = (declines[0].task.as_str(), declines[0].better_in);
    assert_eq!((declines.len(), task, better_in, declines[0].before, declines[0].now), (1, "a", 3, (1, 2), (0, 2)));
    assert_eq!(declines[0].regression().suspects[0].as_str(), "C-R3-01");
    // Two rounds of the same bad shares: the drop lies between R2 and R4.
    let flat = [&rounds[..3], &[round(3, "h3", vec![digest("a", 0, 2)]).ships(&rounds[3].proposed), rounds[4].clone()]].concat();
    let declines = History::new(&flat).declines();
    let suspects: Vec<(&str, u32)> = declines[0].suspects.iter().map(|suspect| (suspect.candidate.as_str(), suspect.marks())).collect();
    assert_eq!((declines[0].better_in, suspects), (2, vec![("C-R2-01", 1), ("C-R3-01", 0)]));
    let early = History::new(&[rounds[..2].to_vec(), vec![round(2, "h2", vec![digest("a", 1, 2)])]].concat()).declines();
    assert_eq!(early[0].better_in, 1);
    assert!(early[0].suspects[0].listed && early[0].suspects.len() == 1, "{early:?}");
}

#[test]
fn a_harness_that_comes_back_brings_back_what_was_known_under_it() {
    let mut shipping =
        round(0, "h0", vec![digest("a", 2, 2), digest("b", 0, 2)]).ships(&[manifest("C-R0-01", Bucket::Config, "x", &["b"])]);
    let mut worse = round(1, "h1", vec![digest("a", 0, 2), digest("b", 1, 2)]);
    worse.decision = Some(decision(1, RoundOutcome::RolledBack, &[("C-R0-01", RulingWord::Shipped)]));
    let rounds = [shipping.clone(), worse, round(2, "h0", Vec::new())];
    let history = History::new(&rounds);
    assert_eq!(last(&history)[0], ("a".to_owned(), TaskStatus::Fixed));
    assert_eq!(history.standings().map(|standing| standing.round).collect::<Vec<u32>>(), [0, 0]);
    // `b` stood better under the harness that went; no ship is to blame.
    assert_eq!((history.declines().len(), history.declines()[0].suspects.len()), (1, 0));
    assert_eq!(history.ships(1).count(), 0, "a ship that its round took back is none");
    let kept = [rounds[0].clone(), rounds[1].clone(), round(2, "h", Vec::new())];
    assert_eq!(History::new(&kept).ships(1).count(), 1, "a ship after the way back is one");
    shipping.incumbent = None;
    assert_eq!(History::new(&[shipping]).standings().count(), 2);
}

#[test]
fn ships_are_scored_on_the_next_rounds_rollouts() {
    let every = Claim::Tags(Tags::new());
    let mut broad = manifest("C-R0-02", Bucket::Prompt, "y", &["gate/1"]);
    broad.predicted_impact.will_stabilize = vec![every];
    let narrow = manifest("C-R0-01", Bucket::Config, "x", &["a", "c"]);
    let first = vec![digest("a", 0, 2), digest("b", 1, 2), digest("c", 2, 2), digest("d", 2, 2)];
    let second = vec![digest("a", 1, 2), digest("b", 2, 2), digest("d", 1, 2)];
    let mut rounds = vec![round(0, "h0", first).ships(std::slice::from_ref(&narrow)), round(1, "h1", second)];
    let outcome = &ship_outcomes(&History::new(&rounds))[0];
    assert_eq!((outcome.predicted, outcome.hits, outcome.orphan_flips), (2, 1, 1));
    assert_eq!(outcome.regressions, [TaskId::from("d")]);
    assert!((outcome.hit_rate() - 0.5).abs() < 1e-9 && (outcome.gain - 2.0).abs() < 1e-9);
    // With a second ship that speaks of every task, nothing is an orphan; tasks always solved are not among those it speaks of.
    rounds[0] = rounds[0].clone().ships(&[narrow, broad]);
    let outcomes = ship_outcomes(&History::new(&rounds));
    assert_eq!((outcomes[1].predicted, outcomes[1].hits, outcomes[0].orphan_flips), (2, 2, 0));
    let board = scoreboard(&History::new(&rounds));
    let config = &board.buckets[&Bucket::Config];
    assert_eq!((config.proposed, config.shipped, config.predicted, config.hits, config.rounds.as_slice()), (1, 1, 2, 1, [0].as_slice()));
    assert_eq!(
        (board.engines[&Engine::Catalog].proposed, board.engines[&Engine::Catalog].rounds.len(), board.components["y"].hits),
        (2, 1, 2)
    );
    // Before the next round is played there is nothing to score.
    assert!(ship_outcomes(&History::new(&rounds[..1])).is_empty());
    assert_eq!(scoreboard(&History::new(&rounds[..1])).buckets[&Bucket::Config].shipped, 1);
}

#[test]
fn a_parked_candidate_may_ship_later_and_the_rejected_keep_their_reason() {
    let mut first = round(0, "h0", vec![digest("a", 0, 2)]);
    first.proposed = vec![manifest("C-R0-01", Bucket::Config, "x", &["a"]), manifest("C-R0-02", Bucket::Tools, "y", &["a"])];
    let mut ruled = decision(0, RoundOutcome::Kept, &[("C-R0-01", RulingWord::Parked), ("C-R0-02", RulingWord::Rejected)]);
    ruled.candidates[1].at = Some(RejectedAt::Critique);
    first.decision = Some(ruled);
    let mut second = round(1, "h0", Vec::new());
    second.decision = Some(decision(1, RoundOutcome::Shipped, &[("C-R0-01", RulingWord::Shipped)]));
    let rounds = [first, second, round(2, "h1", vec![digest("a", 1, 2)])];
    let history = History::new(&rounds);
    let outcome = &ship_outcomes(&history)[0];
    assert_eq!((outcome.round, outcome.candidate.as_str(), outcome.hits), (1, "C-R0-01", 1));
    let rejected = rejected_candidates(&history);
    assert_eq!((rejected.len(), rejected[0].at, rejected[0].reason.as_str()), (1, RejectedAt::Critique, "C-R0-02 in plain words"));
    let bytes = |history: &History<'_>| serde_json::to_vec(&(history.lines(), scoreboard(history), rejected_candidates(history))).unwrap();
    assert_eq!(bytes(&history), bytes(&History::new(&rounds)));
}

#[test]
fn a_ship_that_was_taken_back_is_scored_only_where_its_harness_played() {
    let left = |round: PastRound, harness: &str| PastRound { left: Some(HarnessId::from(harness)), ..round };
    let ship = round(0, "h0", vec![digest("a", 0, 2), digest("b", 0, 2)]).ships(&[manifest("C-R0-01", Bucket::Config, "x", &["a", "b"])]);
    let mut rounds = vec![left(ship, "h1"), left(round(1, "h0", vec![digest("a", 1, 2)]), "h0")];
    let history = History::new(&rounds);
    assert_eq!((ship_outcomes(&history), history.played_on(0)), (Vec::new(), None));
    assert_eq!(scoreboard(&history).components["x"].hit_rate(), None);
    // The person thinks better of it.
    rounds.push(round(2, "h1", vec![digest("a", 2, 2), digest("b", 0, 2)]));
    let outcomes = ship_outcomes(&History::new(&rounds));
    assert_eq!((outcomes.len(), outcomes[0].predicted, outcomes[0].hits), (1, 2, 1));
}
