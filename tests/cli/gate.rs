//! `gate`: the gate in simulated worlds.

use crate::test_run::TestRun;

#[test]
fn a_simulation_says_the_same_again_for_the_same_seed() {
    let run = TestRun::new();
    let arguments = ["gate", "--simulate", "hostile", "--mode", "paper", "--rounds", "3", "--tasks", "20", "--runs", "10", "--seed", "7"];
    let ran = run.run(&arguments);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.first(), Some(&"paper, hostile world, 3 rounds, 20 tasks, 10 runs"));
    for name in ["final", "peak_minus_final", "p_bad_run", "rollouts_per_task", "power", "bias"] {
        assert!(lines.iter().any(|line| line.starts_with(name)), "{name}: {}", ran.out);
    }
    assert_eq!(ran.out, run.run(&arguments).out);
}

#[test]
fn the_smallest_detectable_gain_and_its_price_are_said() {
    let ran = TestRun::new().run(&["gate", "--power", "--profile", "quick"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.starts_with("smallest gain that ships in 4 of 5 runs: +"), "{}", ran.out);
}

#[test]
fn a_question_is_needed_and_a_share_is_one() {
    assert_eq!(TestRun::new().run(&["gate"]).exit, 2);
    for refused in [&["--simulate", "benign", "--aa", "2"][..], &["--power", "--require-ship"], &["--simulate", "benign", "--tasks", "0"]] {
        let ran = TestRun::new().run(&[&["gate"], refused].concat());
        assert_eq!((ran.exit, ran.out.as_str()), (2, ""), "{refused:?}: {}", ran.err);
    }
    let ran = TestRun::new().run(&["gate", "--power", "--recall", "75"]);
    assert!(ran.exit == 2 && ran.err.contains("use a share from 0 to 1"), "{}", ran.err);
}
