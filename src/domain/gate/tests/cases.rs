//! One case for each thing that can happen to a candidate.

use super::player::*;
use crate::domain::gate::*;
use crate::domain::id::{CandidateId, HarnessId, LimitsId};
use crate::domain::task::Tags;

const BROKEN: [f64; 24] = [0.05; 24];
const NEVER: [f64; 24] = [0.0; 24];

fn half_solved() -> Vec<f64> {
    (0..24).map(|task| if task < 12 { 0.02 } else { 0.98 }).collect()
}

fn all() -> Vec<u32> {
    (0..24).collect()
}

#[test]
fn a_great_edit_ships_and_its_history_is_its_own() {
    let mut gate = gate(split(15), 24);
    let mut player = Player::new(1, &BROKEN).with("C-R1-01", &[0.95; 24]);
    player.round(&mut gate, vec![proposal("C-R1-01", 0, &all(), &all())]);
    assert!(shipped(&gate, "C-R1-01"), "{:?}", gate.log());
    let incumbent = &gate.incumbents()[0];
    assert_eq!(incumbent.harness, HarnessId::from("C-R1-01"));
    assert!(incumbent.visible().iter().all(|counts| counts.total() >= 2 && counts.solved > 0));
    let line = gate.log().last().unwrap().to_string();
    insta::assert_snapshot!(line, @"shipped C-R1-01: +84.1 pts (fresh paired, shrunk); claimed fixes e=6e6 ≥ 150; P(net gain)=1.00; 0/0 protected regressed; 96 rollouts");
}

#[test]
fn a_useless_edit_is_futile() {
    let mut gate = gate(split(15), 24);
    Player::new(1, &BROKEN).with("C", &BROKEN).round(&mut gate, vec![proposal("C", 0, &all(), &all()[..8])]);
    insta::assert_snapshot!(gate.log().last().unwrap(), @"rejected C: futile after 2 passes (e=1, needs 150)");
}

#[test]
fn a_tie_on_every_task_costs_no_rollout_of_the_candidate() {
    let mut gate = gate(split(15), 24);
    let mut player = Player::new(1, &half_solved());
    player.play(&mut gate);
    gate.begin_round().unwrap();
    gate.submit(vec![proposal("C", 0, &all(), &all()[..8])]).unwrap();
    while let Demand::Rollouts(pass) = gate.demand() {
        let untouched: Vec<bool> = pass.asks.iter().map(|ask| matches!(ask.arm, Arm::Candidate(_))).collect();
        for (ask, untouched) in untouched.into_iter().enumerate() {
            gate.tell(ask, if untouched { Told::Untouched } else { Told::Scored { solved: true } }).unwrap();
        }
    }
    assert!(matches!(ruling(&gate, "C"), Some(Ruling::Futile { passes: 2, e, .. }) if (e - 1.0).abs() < 1e-12), "{:?}", gate.log());
    assert_eq!(gate.spent(), 48 + 16, "the baseline, and two controls for each claimed task");
}

#[test]
fn a_gain_that_breaks_solved_tasks_of_one_cluster_is_offered_as_a_fork() {
    // Kind a (even tasks) gains, kind b loses what it had solved.
    let base: Vec<f64> = (0..24)
        .map(|task| {
            if task % 2 == 0 {
                0.02
            } else if task < 6 {
                0.99
            } else {
                0.5
            }
        })
        .collect();
    let edit: Vec<f64> = (0..24)
        .map(|task| {
            if task % 2 == 0 {
                0.95
            } else if task < 6 {
                0.01
            } else {
                0.4
            }
        })
        .collect();
    let claimed: Vec<u32> = (0..24).step_by(2).collect();
    let mut gate = gate(split(15), 24);
    Player::new(2, &base).with("C", &edit).round(&mut gate, vec![proposal("C", 0, &all(), &claimed)]);
    let Some(Ruling::Blocked { evidence, fork: Some(fork) }) = ruling(&gate, "C") else { panic!("{:?}", gate.log()) };
    assert!(!evidence.regressed.is_empty() && evidence.gain > 0.0);
    let routed: Vec<bool> = fork.clusters.iter().map(|cluster| cluster.routed).collect();
    assert_eq!(routed, [true, false]);
    insta::assert_snapshot!(gate.log().last().unwrap(), @"blocked C: +34.0 pts but 3/3 protected regressed: offered as fork");
}

#[test]
fn names_of_gate_tasks_are_for_people_only() {
    let regressed = vec![TaskIndex(0), TaskIndex(3)];
    let evidence =
        Evidence { gain: 3.1, e: 171.0, threshold: 150.0, probability: 0.94, protected: 41, regressed, loss: 2.0, fits_seen: None };
    let candidate = Some(CandidateId::from("C-R3-03"));
    let verdict = Verdict { round: 3, candidate, rollouts: 212, ruling: Ruling::Blocked { evidence, fork: None } };
    let tasks = tasks(4, 2);
    assert_eq!(verdict.with_tasks(&tasks, Reader::Person), "blocked C-R3-03: +3.1 pts but 2/41 protected regressed (t0, t3)");
    assert_eq!(verdict.with_tasks(&tasks, Reader::Engine), "blocked C-R3-03: +3.1 pts but 2/41 protected regressed (t0)");
}

#[test]
fn disjoint_edits_ship_in_one_round_and_overlapping_ones_do_not() {
    let mut gate = gate(split(15), 24);
    let lifted =
        |from: usize, to: usize| -> Vec<f64> { (0..24).map(|task| if (from..to).contains(&task) { 0.97 } else { 0.05 }).collect() };
    let mut player = Player::new(4, &BROKEN).with("A", &lifted(0, 8)).with("B", &lifted(8, 16)).with("C", &lifted(4, 12));
    let (a, b, c): (Vec<u32>, Vec<u32>, Vec<u32>) = ((0..8).collect(), (8..16).collect(), (4..12).collect());
    player.round(&mut gate, vec![proposal("A", 0, &a, &a), proposal("B", 1, &b, &b), proposal("C", 2, &c, &c)]);
    let ships = gate.log().iter().filter(|verdict| verdict.shipped_gain().is_some()).count();
    let overtaken = gate.log().iter().filter(|verdict| matches!(verdict.ruling, Ruling::Overtaken { .. })).count();
    assert!((ships, overtaken) == (2, 1) || (ships, overtaken) == (1, 2), "{:?}", gate.log());
}

#[test]
fn what_cannot_be_paid_waits_and_at_most_two_do() {
    let settings = GateSettings { opening: -2.0, budget: 3.0, ..split(15) };
    let mut gate = gate(settings, 24);
    let mut player = Player::new(1, &BROKEN);
    let names = ["A", "B", "C", "D"];
    for name in names {
        player.rates.insert(name.to_owned(), vec![0.95; 24]);
    }
    player.round(&mut gate, names.iter().map(|name| proposal(name, 0, &all(), &all())).collect());
    let waiting = gate.candidates().iter().filter(|candidate| candidate.is_waiting()).count();
    assert_eq!(waiting, 2, "{:?}", gate.log());
    assert!(gate.log().iter().any(|verdict| verdict.ruling == Ruling::Crowded));
    player.play(&mut gate);
    gate.begin_round().unwrap();
    assert_eq!(gate.demand(), Demand::Candidates(2));
}

#[test]
fn a_control_is_retired_after_eight_comparisons() {
    let mut gate = gate(GateSettings { candidates: 3, ..split(15) }, 24);
    let mut player = Player::new(1, &NEVER);
    for round in 0..4 {
        let names: Vec<String> = (0..3).map(|number| format!("C{round}{number}")).collect();
        for name in &names {
            player.rates.insert(name.clone(), NEVER.to_vec());
        }
        player.round(&mut gate, names.iter().map(|name| proposal(name, 0, &all()[..8], &all()[..8])).collect());
    }
    let controls = player.asked.iter().filter(|(_, ask)| ask.arm == Arm::Incumbent && ask.evidence == EvidenceStream::Sealed(0));
    let replicates: Vec<u32> = controls.filter(|(_, ask)| ask.task == TaskIndex(0)).map(|(_, ask)| ask.replicate).collect();
    assert_eq!(replicates, [0, 1, 2, 3], "twelve candidates, two passes each, eight a control");
    // A candidate plays on the stream and replicate of its control.
    let candidate: Vec<u32> =
        player.asked.iter().filter(|(who, ask)| who == "C32" && ask.task == TaskIndex(0)).map(|(_, ask)| ask.replicate).collect();
    assert_eq!(candidate, [2, 3]);
}

#[test]
fn a_candidate_with_other_limits_has_a_bank_of_its_own() {
    let mut gate = gate(GateSettings { opening: 2.0, ..split(15) }, 24);
    let mut player = Player::new(1, &BROKEN).with("A", &BROKEN).with("B", &BROKEN);
    let steps = || LimitsId::from("steps=60");
    let raised = Proposal { limits: steps(), control: steps(), ..proposal("B", 1, &all()[..8], &all()[..8]) };
    player.round(&mut gate, vec![proposal("A", 0, &all()[..8], &all()[..8]), raised]);
    let controls = player.asked.iter().filter(|(_, ask)| ask.arm == Arm::Incumbent && ask.evidence == EvidenceStream::Sealed(0)).count();
    assert_eq!(controls, 2 * 2 * 8);
}

#[test]
fn controls_that_expire_are_played_again_as_new_replicates() {
    let mut gate = gate(split(15), 24);
    let mut player = Player::new(1, &BROKEN).with("A", &BROKEN).with("B", &BROKEN);
    player.round(&mut gate, vec![proposal("A", 0, &all()[..8], &all()[..8])]);
    gate.retain_controls(|_, _, _| false);
    player.round(&mut gate, vec![proposal("B", 0, &all()[..8], &all()[..8])]);
    let replicates: Vec<u32> =
        player.asked.iter().filter(|(who, ask)| who == "B" && ask.task == TaskIndex(0)).map(|(_, ask)| ask.replicate).collect();
    assert_eq!(replicates, [2, 3]);
}

#[test]
fn a_task_found_to_be_touched_later_is_played_as_part_of_the_rest() {
    let mut gate = gate(split(15), 24);
    let mut player = Player::new(1, &BROKEN).with("C", &[0.95; 24]);
    player.play(&mut gate);
    gate.begin_round().unwrap();
    gate.submit(vec![proposal("C", 0, &all()[..8], &all()[..8])]).unwrap();
    gate.touch(&CandidateId::from("C"), &[TaskIndex(20)]).unwrap();
    player.finish(&mut gate);
    let entry = gate.candidates()[0].touched.iter().find(|entry| entry.task == TaskIndex(20)).unwrap();
    assert!(!entry.claimed && entry.pairs.count >= 2, "{entry:?}");
    assert!(gate.touch(&CandidateId::from("C"), &[TaskIndex(99)]).is_err());
}

#[test]
fn tag_claims_reach_gate_tasks_and_names_of_gate_tasks_are_refused() {
    let mut gate = Gate::new(split(15), tasks(24, 16), HarnessId::from("base"), LimitsId::from("default")).unwrap();
    let mut player = Player::new(1, &BROKEN);
    player.play(&mut gate);
    gate.begin_round().unwrap();
    let named = gate.submit(vec![proposal("C", 0, &all(), &[20])]);
    assert_eq!(
        named.unwrap_err().to_string(),
        "take candidate C: its manifest names a task outside the train split; those can be claimed by tag only"
    );
    let mut by_tag = proposal("C", 0, &all(), &[]);
    by_tag.claims.tags = vec![Tags::from([("kind".to_owned(), "a".to_owned())])];
    gate.submit(vec![by_tag]).unwrap();
    let claimed: Vec<u32> = gate.candidates()[0].part(true).map(|entry| entry.task.0).collect();
    assert_eq!(claimed, (0..24).step_by(2).collect::<Vec<u32>>());
}
