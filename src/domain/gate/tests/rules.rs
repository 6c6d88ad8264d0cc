//! Rules of a whole run: determinism, generalising, drift, the modes for comparison, and what is refused.

use super::player::*;
use crate::domain::gate::*;
use crate::domain::id::{HarnessId, LimitsId};
use crate::domain::task::Tags;

fn kind(kind: &str) -> Claims {
    Claims { tasks: Vec::new(), tags: vec![Tags::from([("kind".to_owned(), kind.to_owned())])] }
}

fn all(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[test]
fn where_a_repeat_is_the_same_draw_only_gate_tasks_are_bet_on_and_once() {
    let settings = GateSettings { deterministic: true, visible: 1, ..split(15) };
    let mut gate = Gate::new(settings, tasks(120, 40), HarnessId::from("base"), LimitsId::from("default")).unwrap();
    // Train tasks and kind b are solved; kind a of the gate split is not.
    let base: Vec<f64> = (0..120).map(|task| if task < 40 || task % 2 == 1 { 1.0 } else { 0.0 }).collect();
    let mut edit = vec![1.0; 120];
    edit[3] = 0.0;
    let mut player = Player::new(1, &base).with("C", &edit);
    let proposal = Proposal { claims: kind("a"), ..proposal("C", 0, &all(120), &[]) };
    player.round(&mut gate, vec![proposal]);
    let of_candidate: Vec<&Ask> = player.asked.iter().filter(|(who, _)| who == "C").map(|(_, ask)| ask).collect();
    assert!(of_candidate.iter().all(|ask| ask.sibling.is_some() || ask.replicate == 0), "no repeats");
    assert_eq!(of_candidate.iter().filter(|ask| ask.sibling.is_none()).count(), 120);
    let Some(Ruling::Shipped(evidence) | Ruling::Blocked { evidence, .. }) = ruling(&gate, "C") else { panic!("{:?}", gate.log()) };
    assert!(evidence.e >= 150.0);
}

#[test]
fn what_could_not_be_shown_is_said_before_anything_is_spent() {
    let settings = GateSettings { deterministic: true, visible: 1, ..split(15) };
    let mut gate = Gate::new(settings, tasks(48, 16), HarnessId::from("base"), LimitsId::from("default")).unwrap();
    let mut player = Player::new(1, &[0.0; 48]).with("C", &[1.0; 48]);
    player.round(&mut gate, vec![Proposal { claims: kind("a"), ..proposal("C", 0, &all(48), &[]) }]);
    assert_eq!(ruling(&gate, "C"), Some(&Ruling::Undetectable { available: 16, wanted: 32 }));
    assert_eq!(gate.spent(), 48, "the baseline alone");
}

#[test]
fn an_edit_that_helps_only_what_it_saw_does_not_ship_where_it_must_generalise() {
    let run = |generalise: bool| {
        let settings = GateSettings { generalise, opening: 2.0, ..split(15) };
        let mut gate = Gate::new(settings, tasks(48, 24), HarnessId::from("base"), LimitsId::from("default")).unwrap();
        let edit: Vec<f64> = (0..48).map(|task| if task < 24 { 0.95 } else { 0.0 }).collect();
        let mut player = Player::new(1, &[0.0; 48]).with("C", &edit);
        player.round(&mut gate, vec![proposal("C", 0, &all(48), &all(24))]);
        gate
    };
    assert!(shipped(&run(false), "C"));
    let gate = run(true);
    assert!(matches!(ruling(&gate, "C"), Some(Ruling::FitsSeen(fit)) if fit.train > 20.0 && fit.siblings.abs() < 1e-9));
    insta::assert_snapshot!(gate.log().last().unwrap(), @"rejected C: fits the tasks it saw (+22.5 train tasks, +0.0 on their siblings)");
}

/// Ships of edits that hurt, forced through by claims that hold, until the guard looks back.
#[test]
fn an_incumbent_worse_than_its_anchor_is_rolled_back() {
    let settings = GateSettings { opening: 40.0, drift_every: 1, ..split(15) };
    let mut gate = gate(settings, 24);
    let mut player = Player::new(1, &[0.05; 24]).with("C", &[0.95; 24]);
    player.play(&mut gate);
    gate.begin_round().unwrap();
    gate.submit(vec![proposal("C", 0, &all(24), &all(24))]).unwrap();
    player.play(&mut gate);
    gate.confirm(Confirmation::Ship).unwrap();
    // The world turns: what was shipped stops working.
    player.rates.insert("C".into(), vec![0.0; 24]);
    player.rates.insert("base".into(), vec![0.95; 24]);
    player.finish(&mut gate);
    assert_eq!(gate.incumbents()[0].harness, HarnessId::from("base"));
    let line = gate.log().last().unwrap().to_string();
    assert!(line.starts_with("rolled back to R0: e=") && line.ends_with("≥ 20 that the incumbent is worse"), "{line}");
    // A train task has its old traces; the next round starts without playing any.
    gate.begin_round().unwrap();
    assert!(matches!(gate.demand(), Demand::Candidates(_)));
}

#[test]
fn an_incumbent_better_than_its_anchor_becomes_the_anchor() {
    let settings = GateSettings { opening: 40.0, drift_every: 1, ..split(15) };
    let mut gate = gate(settings, 24);
    Player::new(1, &[0.05; 24]).with("C", &[0.95; 24]).round(&mut gate, vec![proposal("C", 0, &all(24), &all(24))]);
    assert!(matches!(gate.log().last().unwrap().ruling, Ruling::AnchorMoved { e } if e >= 10.0));
    assert_eq!(gate.incumbents()[0].anchor.harness, HarnessId::from("C"));
}

#[test]
fn a_candidate_that_is_withheld_stays_out() {
    let mut gate = gate(split(15), 24);
    let mut player = Player::new(1, &[0.05; 24]).with("C", &[0.95; 24]);
    player.play(&mut gate);
    gate.begin_round().unwrap();
    gate.submit(vec![proposal("C", 0, &all(24), &all(24))]).unwrap();
    player.play(&mut gate);
    assert!(matches!(gate.demand(), Demand::Confirmation(candidate, Ruling::Shipped(_)) if candidate.id.as_str() == "C"));
    gate.confirm(Confirmation::Withhold { reason: "held-out tasks lost more than one standard error".into() }).unwrap();
    assert_eq!(gate.incumbents()[0].harness, HarnessId::from("base"));
    insta::assert_snapshot!(gate.log().last().unwrap(), @"rejected C: withheld: held-out tasks lost more than one standard error");
}

#[test]
fn the_seesaw_ships_the_first_that_does_not_fall_and_greedy_the_best() {
    let base: Vec<f64> = (0..40).map(|task| if task < 20 { 1.0 } else { 0.0 }).collect();
    let rates = |solved: u32| -> Vec<f64> { (0..40).map(|task| f64::from(u8::from(task < solved))).collect() };
    let run = |mode: Mode| {
        let mut gate = gate(GateSettings::of_mode(mode, 15), 40);
        let mut player = Player::new(1, &base).with("A", &rates(17)).with("B", &rates(18)).with("C", &rates(30));
        player.round(&mut gate, ["A", "B", "C"].iter().zip(0..).map(|(name, rank)| proposal(name, rank, &[], &[])).collect());
        gate
    };
    let paper = run(Mode::Paper);
    assert_eq!(ruling(&paper, "A"), Some(&Ruling::Seesaw { before: 20, after: 17 }));
    assert!(shipped(&paper, "B") && !shipped(&paper, "C"), "a fall of 5 % of the tasks is let through");
    assert_eq!(paper.spent(), 40 * 2 * 3);
    let greedy = run(Mode::Greedy);
    assert!(shipped(&greedy, "C") && !shipped(&greedy, "A") && !shipped(&greedy, "B"));
}

#[test]
fn calls_out_of_turn_are_refused_and_change_nothing() {
    let mut gate = gate(split(1), 3);
    let before = gate.clone();
    assert_eq!(gate.begin_round().unwrap_err().to_string(), "begin a round: the gate waits for the outcomes of a pass");
    assert!(gate.submit(Vec::new()).is_err() && gate.confirm(Confirmation::Ship).is_err() && gate.retouch(&[]).is_err());
    assert!(gate.tell(99, Told::Missing).is_err() && gate.tell(0, Told::Untouched).is_err());
    assert_eq!(gate, before);
    let mut player = Player::new(1, &[0.5; 3]);
    player.round(&mut gate, Vec::new());
    assert_eq!(
        gate.begin_round().unwrap_err().to_string(),
        "begin round 2: the run was made for 1 rounds, over which its error rate is spread"
    );
}

#[test]
fn states_of_other_versions_and_damaged_ones_are_refused() {
    let text = serde_json::to_string(&gate(split(1), 3)).unwrap();
    assert!(Gate::parse(&text).is_ok());
    let newer = Gate::parse(&text.replacen("\"version\":1", "\"version\":2", 1)).unwrap_err();
    assert_eq!(newer.to_string(), "read the gate's state: version 2, this program reads 1");
    assert!(Gate::parse("{").is_err());
    let damaged = text.replacen("\"task\":0", "\"task\":9", 1);
    assert_eq!(Gate::parse(&damaged).unwrap_err().to_string(), "read the gate's state: the pass under way names what is not there");
}
