//! `gate`: the gate in simulated worlds.

use crate::looped::{SETTINGS, short};
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

/// Whatever a check of the gate against itself plays, the run goes on as if it had not been.
#[test]
fn a_check_against_itself_leaves_the_run_as_it_was() {
    let run = short();
    let mut begun = vec!["loop", "--run", "r", "--bench", "short", "--model", "random", "--profile", "quick", "--rounds", "1", "--quiet"];
    begun.extend(["--set", "train=3", "--set", "gate=2", "--set", "heldout=1"]);
    let ran = run.run(&begun);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let decisive = || {
        ["sealed/gate_state.json", "sealed/standing.json", "curves.json"]
            .map(|file| std::fs::read(run.path().join("r").join(file)).unwrap())
    };
    let before = decisive();
    let ran = run.run(&["gate", "--aa", "2", "--run", "r"]);
    assert!(ran.exit == 0 && ran.out.contains("in 2 of 2 repetitions"), "{}{}", ran.out, ran.err);
    assert!(before == decisive(), "the state has changed");
    let streams = std::fs::read_dir(run.path().join("r/sealed/aa")).unwrap().count();
    assert_eq!(streams, 4, "two a repetition");
    assert_eq!(run.run(&["gate", "--aa", "2", "--run", "r"]).out, ran.out);
    let report = run.run(&["report", "--run", "r", "--format", "md", "--output", "-"]).out;
    assert!(report.contains("| rollouts: train, open to the engine | 3 |"), "{report}");
    assert!(report.contains("| rollouts: the incumbent against itself, sealed | 80 |"), "{report}");
}

#[test]
fn a_model_that_draws_nothing_by_chance_is_found_out() {
    let run = TestRun::new();
    run.echo();
    for (model, is_fixed) in [("scripted:s.jsonl", true), ("random", false)] {
        let name = if is_fixed { "fixed" } else { "drawn" };
        let begun = ["loop", "--run", name, "--bench", "echo", "--harness", "minimal", "--model", model, "--profile", "quick", "--quiet"];
        let ran = run.run(&[&begun[..], &["--rounds", "1", "--set", "train=2", "--set", "gate=1", "--set", "heldout=1"]].concat());
        assert_eq!(ran.exit, 0, "{}", ran.err);
        let state = std::fs::read_to_string(run.path().join(name).join("sealed/gate_state.json")).unwrap();
        assert!(state.contains(&format!("\"deterministic\":{is_fixed}")), "{model}: {state}");
    }
}

#[test]
fn what_an_earlier_command_shipped_is_no_ship_of_this_one() {
    let run = short();
    let ran = run.run(&[&["loop", "--run", "r", "--rounds", "1"], &SETTINGS[..]].concat());
    assert!(ran.exit == 0 && ran.out.contains("R1: shipped C-R1-0"), "{}{}", ran.out, ran.err);
    let ran = run.run(&["gate", "--run", "r", "--require-ship", "--json"]);
    let event: serde_json::Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    assert_eq!((ran.exit, &event["event"], &event["shipped"]), (1, &"over".into(), &serde_json::json!([])), "{}{}", ran.out, ran.err);
}
