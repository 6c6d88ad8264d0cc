//! Rules of a whole run: determinism, generalising, drift, the modes for comparison, and what is refused.

use super::player::*;
use crate::domain::gate::*;
use crate::domain::id::{CandidateId, HarnessId, LimitsId};
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
    let Some(Ruling::Blocked { evidence, .. }) = ruling(&gate, "C") else { panic!("{:?}", gate.log()) };
    assert!(evidence.e >= 150.0);
    // One rollout tells that a task is solved; siblings told that it is lost.
    assert_eq!((evidence.protected, evidence.regressed.as_slice()), (80, [TaskIndex(3)].as_slice()));
}

#[test]
fn what_could_not_be_shown_is_said_before_anything_is_spent() {
    let settings = GateSettings { deterministic: true, visible: 1, ..split(15) };
    let mut gate = Gate::new(settings, tasks(48, 16), HarnessId::from("base"), LimitsId::from("default")).unwrap();
    let mut player = Player::new(1, &[0.0; 48]).with("C", &[1.0; 48]);
    player.round(&mut gate, vec![Proposal { claims: kind("a"), ..proposal("C", 0, &all(48), &[]) }]);
    assert_eq!(ruling(&gate, "C"), Some(&Ruling::Undetectable { available: 16, wanted: 32 }));
    assert_eq!(gate.spent(), 48, "the baseline alone");
    // What is solved already cannot be won.
    let mut gate = Gate::new(gate.settings().clone(), tasks(120, 40), HarnessId::from("base"), LimitsId::from("default")).unwrap();
    let half: Vec<f64> = (0..120).map(|task| f64::from(u8::from(task < 100))).collect();
    Player::new(1, &half).with("C", &[1.0; 120]).round(&mut gate, vec![Proposal { claims: kind("a"), ..proposal("C", 0, &all(120), &[]) }]);
    assert_eq!(ruling(&gate, "C"), Some(&Ruling::Undetectable { available: 10, wanted: 32 }));
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

/// A great edit has shipped, and is compared with the anchor next.
fn after_a_ship() -> (Gate, Player) {
    let mut gate = gate(GateSettings { opening: 40.0, drift_every: 1, ..split(15) }, 24);
    let mut player = Player::new(1, &[0.05; 24]).with("C", &[0.95; 24]);
    player.play(&mut gate);
    gate.begin_round().unwrap();
    gate.submit(vec![proposal("C", 0, &all(24), &all(24))]).unwrap();
    player.play(&mut gate);
    gate.confirm(Confirmation::Ship).unwrap();
    (gate, player)
}

/// Ships of edits that hurt, forced through by claims that hold, until the guard looks back.
#[test]
fn an_incumbent_worse_than_its_anchor_is_rolled_back() {
    let (mut gate, mut player) = after_a_ship();
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
    assert!(matches!(gate.demand(), Demand::Confirmation(passed)
        if matches!(passed.ruling(), Ruling::Shipped(_)) && passed.candidate().id.as_str() == "C"));
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

#[test]
fn a_comparison_with_the_anchor_in_which_too_much_is_missing_says_nothing() {
    let (mut gate, mut player) = after_a_ship();
    player.missing = vec![("C".to_owned(), 1), ("C".to_owned(), 4)];
    player.finish(&mut gate);
    let Ruling::AnchorKept { better, worse } = gate.log().last().unwrap().ruling else { panic!("{:?}", gate.log()) };
    assert!((better - 1.0).abs() < 1e-12 && (worse - 1.0).abs() < 1e-12);
}

#[test]
fn bets_begin_anew_when_a_ship_takes_some_of_the_claims_away() {
    let mut gate = gate(split(15), 24);
    let lifted =
        |tasks: std::ops::Range<usize>| -> Vec<f64> { (0..24).map(|task| if tasks.contains(&task) { 0.97 } else { 0.02 }).collect() };
    let mut player = Player::new(4, &[0.02; 24]).with("A", &lifted(0..12)).with("B", &lifted(12..24));
    let (a, b): (Vec<u32>, Vec<u32>) = ((0..12).collect(), (12..24).collect());
    player.play(&mut gate);
    gate.begin_round().unwrap();
    gate.submit(vec![proposal("A", 0, &a, &a), proposal("B", 1, &b, &b)]).unwrap();
    player.play(&mut gate);
    gate.confirm(Confirmation::Ship).unwrap();
    let Demand::Touched(staying) = gate.demand() else { panic!("{:?}", gate.log()) };
    assert!(staying.len() == 1 && staying[0].wealth.e() > 10.0);
    let staying_harness = staying[0].harness.clone();
    let (id, mut touched) = (staying[0].id.clone(), staying[0].touched.iter().map(|entry| entry.task).collect::<Vec<_>>());
    touched.truncate(11);
    let limits = || LimitsId::from("default");
    let nobody = Rebased {
        id: CandidateId::from("nobody"),
        harness: HarnessId::from("x"),
        limits: limits(),
        control: limits(),
        touched: Vec::new(),
    };
    assert!(gate.retouch(&[nobody]).is_err());
    gate.retouch(&[Rebased { id: id.clone(), harness: staying_harness, limits: limits(), control: limits(), touched }]).unwrap();
    let staying = gate.candidates().iter().find(|candidate| candidate.id == id).unwrap();
    assert!(staying.passes(true) == Some(0) && (staying.wealth.e() - 1.0).abs() < 1e-12);
    player.finish(&mut gate);
    assert!(shipped(&gate, id.as_str()), "{:?}", gate.log());
}

#[test]
fn limits_that_a_ship_changes_hold_for_those_that_stay_and_less_of_a_resource_is_no_handicap_of_the_control() {
    let mut gate = gate(split(15), 24);
    let rates =
        |tasks: std::ops::Range<usize>| -> Vec<f64> { (0..24).map(|task| if tasks.contains(&task) { 0.97 } else { 0.02 }).collect() };
    let mut player = Player::new(4, &[0.02; 24]).with("A", &rates(0..12)).with("B", &rates(12..24));
    let (a, b): (Vec<u32>, Vec<u32>) = ((0..12).collect(), (12..24).collect());
    player.play(&mut gate);
    gate.begin_round().unwrap();
    let few = LimitsId::from("few");
    gate.submit(vec![Proposal { limits: few.clone(), ..proposal("A", 0, &a, &a) }, proposal("B", 1, &b, &b)]).unwrap();
    let Demand::Rollouts(pass) = gate.demand() else { panic!("A is played") };
    assert_eq!(gate.player(pass, Arm::Candidate(0)).1, &few);
    assert_eq!(gate.player(pass, Arm::Incumbent).1.as_str(), "default");
    assert!(gate.controls(0, &few).next().is_none());
    player.play(&mut gate);
    let Demand::Confirmation(passed) = gate.demand() else { panic!("{:?}", gate.log()) };
    let (first, own) = (passed.candidate().id.as_str().to_owned(), passed.candidate().limits.clone());
    gate.confirm(Confirmation::Ship).unwrap();
    assert_eq!(gate.incumbents()[0].limits, own);
    let Demand::Touched(staying) = gate.demand() else { panic!("{:?}", gate.log()) };
    let id = staying[0].id.clone();
    let touched: Vec<TaskIndex> = staying[0].touched.iter().map(|entry| entry.task).collect();
    // Its edits on the new incumbent.
    gate.retouch(&[Rebased { id: id.clone(), harness: HarnessId::from(id.as_str()), limits: few.clone(), control: few.clone(), touched }])
        .unwrap();
    player.finish(&mut gate);
    assert!(first != id.as_str() && shipped(&gate, id.as_str()), "{:?}", gate.log());
    assert_eq!(gate.incumbents()[0].limits, few);
}

#[test]
fn a_rollout_is_missing_at_the_third_time() {
    let mut gate = gate(split(1), 2);
    for attempts in 1..3 {
        gate.tell(0, Told::Missing).unwrap();
        let Demand::Rollouts(pass) = gate.demand() else { panic!("still open") };
        assert_eq!(pass.open_asks().map(|(at, ask)| (at, ask.attempts)).next(), Some((0, attempts)));
    }
    gate.tell(0, Told::Missing).unwrap();
    let Demand::Rollouts(pass) = gate.demand() else { panic!("three are open") };
    assert_eq!(pass.open_asks().next().map(|(at, _)| at), Some(1));
}

#[test]
fn the_incumbent_against_itself_is_played_and_never_replayed() {
    let mut player = Player::new(1, &[0.5; 3]);
    let mut gate = gate(split(1), 3);
    player.play(&mut gate);
    gate.check_same(2).unwrap();
    let Demand::Rollouts(pass) = gate.demand() else { panic!("not playing") };
    let stream_of = |is_control: bool| {
        let ask = pass.open_asks().find(|(_, ask)| (ask.arm == Arm::Incumbent) == is_control);
        ask.map(|(at, ask)| (at, ask.evidence.stream().0)).unwrap()
    };
    let ((_, control), (at, own)) = (stream_of(true), stream_of(false));
    assert_eq!((control.as_str(), own.as_str()), ("aa/4", "aa/5"));
    assert_eq!(gate.tell(at, Told::Untouched).unwrap_err().to_string(), format!("take rollout {at} as untouched: the incumbent plays it"));
    let mut paper = super::player::gate(GateSettings::of_mode(Mode::Paper, 3), 3);
    player.play(&mut paper);
    assert!(matches!(paper.check_same(0), Err(GateError::NothingSealed("paper"))));
}
