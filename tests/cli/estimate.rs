//! `estimate`: figures before a run, and what they rest on. Writes nothing.

use crate::loopback::{CALLS, Loopback, Weather};
use crate::test_run::TestRun;
use std::time::Duration;

#[test]
fn before_the_first_episode_it_rests_on_what_the_benchmark_declares() {
    let run = TestRun::new();
    let ran =
        run.run(&["estimate", "run", "--bench", "household", "--split", "all", "--limit", "4", "--rollouts", "2", "--max-tokens", "9"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.contains("episodes  24 to play: 8 train, 8 gate, 8 heldout") && ran.out.contains("declares"), "{}", ran.out);
    assert!(ran.out.contains("money     $0.00") && ran.out.contains("max_tokens would stop this run"), "{}", ran.out);
    assert!(std::fs::read_dir(run.path()).unwrap().next().is_none());
}

#[test]
fn finished_episodes_are_what_it_rests_on_afterwards() {
    let run = TestRun::new();
    let server = Loopback::start(Weather::Fair, Duration::ZERO);
    run.write("s.toml", &format!("{}prices = {{ input = 1.0, output = 2.0 }}\n", server.patient_settings()));
    let with = |command: &[&str], limit| {
        let same = ["--bench", "echo", "--model", "mine", "--config", "s.toml", "--run", "a", "--limit", limit, "--json"];
        run.run(&[command, &same].concat())
    };
    assert_eq!(with(&["run"], "2").exit, 0);
    let ran = with(&["estimate", "run"], "10");
    let found: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    // Each call takes 10 tokens and gives 5.
    let calls = 8.0 * CALLS as f64;
    assert_eq!((found["episodes"].as_u64(), found["tokens"].as_f64()), (Some(8), Some(calls * 15.0)), "{}", ran.out);
    assert!((found["cost"].as_f64().unwrap() - calls * 20.0 / 1e6).abs() < 1e-9, "{}", ran.out);
    assert_eq!(found["rests_on"], "the mean of 2 finished episode(s) in a");
    // A cap holds for the whole run: what two episodes took is gone.
    for (episodes, is_enough) in [(9, false), (10, true)] {
        let cap = (episodes * 15 * CALLS).to_string();
        let ask = ["estimate", "run", "--bench", "echo", "--model", "mine", "--config", "s.toml", "--run", "a", "--limit", "10"];
        let ran = run.run(&[&ask[..], &["--max-tokens", &cap]].concat());
        assert_eq!(!ran.out.contains("max_tokens would stop this run"), is_enough, "{}", ran.out);
    }
}

#[test]
fn a_model_that_is_nowhere_is_said() {
    let ran = TestRun::new().run(&["estimate", "--model", "mine"]);
    assert!(ran.exit == 3 && ran.err.contains("no [models.mine] entry"), "{}", ran.err);
}

#[test]
fn a_loop_is_estimated_as_it_announces_itself() {
    let run = TestRun::new();
    let same = ["--bench", "household", "--model", "random", "--profile", "quick", "--rounds", "1", "--set", "heldout=4"];
    let foreseen = run.run(&[&["estimate"], &same[..]].concat());
    assert_eq!(foreseen.exit, 0, "{}", foreseen.err);
    assert!(foreseen.out.contains("of the baseline") && foreseen.out.contains("8 held-out, before and after"), "{}", foreseen.out);
    assert!(std::fs::read_dir(run.path()).unwrap().next().is_none(), "it writes nothing");
    let looped = run.run(&[&["loop"], &same[..]].concat());
    assert!(looped.out.starts_with(&foreseen.out), "{}\n{}", foreseen.out, looped.out);
    let ran = run.run(&["estimate", "run", "--profile", "quick"]);
    assert!(ran.exit == 2 && ran.err.contains("--profile: a run does not take it"), "{}", ran.err);
}

#[test]
fn sessions_of_a_meta_agent_are_estimated_too() {
    let run = TestRun::new();
    run.write("s.jsonl", "{\"reply\": {\"text\": \"done\"}}\n");
    let ran =
        run.run(&["estimate", "--model", "random", "--model", "meta=scripted:s.jsonl", "--engine", "single", "--set", "meta_tokens=5000"]);
    assert!(ran.exit == 0 && ran.out.contains("sessions  of the meta-agent, at most 5,000 tokens"), "{}{}", ran.out, ran.err);
}
