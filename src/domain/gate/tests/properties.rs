//! The properties of `gate.md` §7.

use super::player::*;
use crate::domain::gate::*;
use proptest::prelude::*;

/// Solved, hopeless and middling tasks in turn.
fn base(count: u32) -> Vec<f64> {
    (0..count).map(|task| [0.97, 0.1, 0.6][task as usize % 3]).collect()
}

fn all(count: u32) -> Vec<u32> {
    (0..count).collect()
}

#[test]
fn the_incumbent_against_itself_is_neither_shipped_nor_vetoed() {
    let (mut shipped, mut vetoed) = (0, 0);
    for seed in 0..200 {
        let mut gate = gate(split(15), 60);
        let mut player = Player::new(seed, &base(60));
        player.play(&mut gate);
        gate.check_same(0).unwrap();
        player.finish(&mut gate);
        match ruling(&gate, "incumbent") {
            Some(Ruling::SameHarness { finding: SameFinding::Shipped, .. }) => shipped += 1,
            Some(Ruling::SameHarness { finding: SameFinding::Vetoed, .. }) => vetoed += 1,
            Some(Ruling::SameHarness { finding: SameFinding::Undecided, .. }) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(gate.bankroll(), 1200, "the check is outside the budget");
    }
    assert!(shipped <= 4, "shipped {shipped} of 200");
    assert!(vetoed <= 20, "vetoed {vetoed} of 200");
}

#[test]
fn an_edit_that_changes_nothing_ships_in_fewer_runs_than_alpha() {
    let mut bad = 0;
    for seed in 0..200 {
        let mut gate = gate(split(5), 30);
        let mut player = Player::new(seed, &base(30));
        for round in 0..5 {
            let names: Vec<String> = (0..gate.settings().candidates).map(|number| format!("C-R{round}-{number}")).collect();
            player.play(&mut gate);
            let room = gate.settings().candidates as usize - gate.candidates().iter().filter(|candidate| candidate.is_waiting()).count();
            let proposals: Vec<Proposal> = names.iter().take(room).map(|name| proposal(name, 0, &all(30), &all(30)[..12])).collect();
            for name in &names {
                player.rates.insert(name.clone(), base(30));
            }
            player.round(&mut gate, proposals);
        }
        bad += u32::from(gate.log().iter().any(|verdict| verdict.shipped_gain().is_some()));
    }
    assert!(bad <= 20, "{bad} of 200 runs shipped");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The candidate lifts a third of the tasks; made worse, it always fails on one that the incumbent solves.
    #[test]
    fn adding_a_regression_never_turns_a_reject_into_a_ship(seed: u64, lifted in 0.1_f64..0.95, lost in 0_u32..10) {
        let (base, all) = (base(30), all(30));
        let better: Vec<f64> = base.iter().map(|rate| if *rate < 0.2 { lifted } else { *rate }).collect();
        let mut worse = better.clone();
        worse[3 * lost as usize] = 0.0;
        let claimed: Vec<u32> = all.iter().copied().filter(|task| task % 3 == 1).collect();
        let ships = |rates: &[f64]| {
            let mut gate = gate(split(15), 30);
            Player::new(seed, &base).with("C", rates).round(&mut gate, vec![proposal("C", 0, &all, &claimed)]);
            shipped(&gate, "C")
        };
        prop_assert!(ships(&better) || !ships(&worse));
    }

    #[test]
    fn a_run_resumed_in_the_middle_of_passes_rules_the_same(seed: u64, every in 3_usize..40) {
        let run = |resume_every: usize| {
            let mut gate = gate(GateSettings { opening: -2.0, ..split(3) }, 24);
            let better: Vec<f64> = base(24).iter().map(|rate| (rate + 0.5).min(0.98)).collect();
            let mut player = Player::new(seed, &base(24)).with("good", &better).with("null", &base(24));
            player.resume_every = resume_every;
            player.round(&mut gate, vec![proposal("good", 0, &all(24)[..12], &all(24)[..9]), proposal("null", 1, &all(24)[6..], &all(24)[8..14])]);
            player.round(&mut gate, Vec::new());
            gate
        };
        prop_assert_eq!(run(every), run(usize::MAX));
    }

    #[test]
    fn the_order_in_which_equal_candidates_are_handed_in_does_not_matter(seed: u64, first in 0_usize..4) {
        let run = |turn: usize| {
            let mut gate = gate(split(3), 24);
            let mut player = Player::new(seed, &base(24));
            let mut proposals = Vec::new();
            for number in 0..4_u32 {
                let name = format!("C{number}");
                let better: Vec<f64> = base(24).iter().map(|rate| (rate + 0.2 * f64::from(number)).min(0.98)).collect();
                player.rates.insert(name.clone(), better);
                proposals.push(proposal(&name, 0, &all(24)[..16], &all(24)[..9]));
            }
            proposals.rotate_left(turn);
            player.round(&mut gate, proposals);
            gate.log().to_vec()
        };
        prop_assert_eq!(run(first), run(0));
    }

    #[test]
    fn what_is_missing_is_not_a_failure(seed: u64) {
        let better: Vec<f64> = base(60).iter().map(|rate| if *rate < 0.2 { 0.9 } else { *rate }).collect();
        let claimed: Vec<u32> = all(60).into_iter().filter(|task| task % 3 == 1).collect();
        let mut gate = gate(split(15), 60);
        let mut player = Player::new(seed, &base(60)).with("C", &better);
        player.missing = vec![("C".to_owned(), 1)];
        player.round(&mut gate, vec![proposal("C", 0, &claimed, &claimed)]);
        let candidate = &gate.candidates()[0];
        let missing: Vec<u32> = candidate.touched.iter().filter(|entry| entry.missing).map(|entry| entry.task.0).collect();
        prop_assert_eq!(missing, vec![1]);
        prop_assert!(candidate.compared().all(|entry| entry.pairs.count > 0));
        prop_assert!(shipped(&gate, "C"), "{:?}", gate.log());
        let kept = gate.incumbents()[0].history()[1];
        prop_assert_eq!(kept.total(), 0, "nothing is known of the new incumbent on it");
    }

    #[test]
    fn more_than_a_twentieth_missing_voids_the_pass(seed: u64) {
        let claimed: Vec<u32> = all(60).into_iter().filter(|task| task % 3 == 1).collect();
        let mut gate = gate(split(15), 60);
        let mut player = Player::new(seed, &base(60)).with("C", &base(60));
        player.missing = vec![("C".to_owned(), 1), ("C".to_owned(), 4)];
        player.round(&mut gate, vec![proposal("C", 0, &claimed, &claimed)]);
        prop_assert_eq!(ruling(&gate, "C"), Some(&Ruling::Voided { missing: 2, tasks: 20, again: true }));
        prop_assert!(gate.candidates()[0].touched.iter().all(|entry| entry.pairs == Pairs::default()));
        prop_assert!((gate.candidates()[0].wealth.e() - 1.0).abs() < 1e-12);
        // It is tried once more; a second void pass ends it.
        player.round(&mut gate, Vec::new());
        prop_assert!(!gate.candidates()[0].is_waiting());
    }
}
