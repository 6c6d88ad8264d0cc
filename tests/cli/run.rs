//! `run`: plays, resumes, refuses.

use crate::test_run::{TestRun, results};

const PLAY: [&str; 10] = ["run", "--bench", "household", "--model", "random", "--limit", "6", "--rollouts", "2", "--run"];

fn play(run: &TestRun, name: &str) -> crate::test_run::Ran {
    let arguments: Vec<&str> = PLAY.iter().copied().chain([name]).collect();
    run.run(&arguments)
}

#[test]
fn a_run_is_reproducible_and_the_second_call_plays_nothing() {
    let run = TestRun::new();
    let ran = play(&run, "a");
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.contains("of 6 train tasks") && ran.out.contains("in 2 rollouts (pass@2): "), "{}", ran.out);
    play(&run, "b");
    let first = results(&run.path().join("a"));
    assert_eq!(first.len(), 12);
    assert_eq!(first, results(&run.path().join("b")));
    play(&run, "a");
    assert_eq!(first, results(&run.path().join("a")));
}

#[test]
fn other_settings_are_refused_with_what_differs() {
    let run = TestRun::new();
    play(&run, "a");
    let ran = run.run(&["run", "--model", "random", "--limit", "6", "--rollouts", "2", "--seed", "9", "--run", "a"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains("seed: 1 → 9") && ran.err.contains("--force"), "{}", ran.err);
}

#[test]
fn force_lets_more_be_played_and_never_lets_results_speak_for_others() {
    let run = TestRun::new();
    run.echo();
    play(&run, "a");
    let frozen = || std::fs::read_to_string(run.path().join("a/run.toml")).unwrap();
    let before = frozen();
    let play = ["run", "--limit", "6", "--rollouts", "2", "--run", "a", "--force"];
    for (other, key) in [
        (&["--model", "random", "--seed", "9"][..], "seed"),
        (&["--model", "random", "--harness", "minimal"], "harness, harness_tree"),
        (&["--model", "scripted:s.jsonl"], "model.main, policy"),
        (&["--model", "random", "--set", "sampling.temperature=1"], "sampling.temperature"),
    ] {
        let ran = run.run(&[&play[..], other].concat());
        let said = format!("{key} cannot change");
        assert!(ran.exit == 3 && ran.err.contains(&said) && ran.err.contains("new --run"), "{}{}", ran.out, ran.err);
        assert_eq!(frozen(), before);
    }
    let first = results(&run.path().join("a"));
    let more = run.run(&["run", "--model", "random", "--limit", "8", "--rollouts", "2", "--run", "a", "--force"]);
    assert!(more.exit == 0 && more.out.contains("of 8 train tasks"), "{}{}", more.out, more.err);
    let all = results(&run.path().join("a"));
    assert!(all.len() == 16 && first.iter().all(|line| all.contains(line)));
}

#[test]
fn a_threshold_that_is_not_met_exits_with_1() {
    let ran = TestRun::new().run(&["run", "--model", "random", "--limit", "4", "--min-pass-rate", "1.0"]);
    assert_eq!(ran.exit, 1, "{}", ran.err);
}

#[test]
fn bad_settings_are_named() {
    let run = TestRun::new();
    run.write("s.toml", "benhc = \"household\"\n");
    let ran = run.run(&["run", "--config", "s.toml"]);
    assert!(ran.exit == 3 && ran.err.contains("did you mean \"bench\"?"), "{}", ran.err);
    let ran = run.run(&["run", "--model", "openai:some-model", "--limit", "1"]);
    assert!(ran.exit == 3 && ran.err.contains("OPENAI_API_KEY"), "{}", ran.err);
    let ran = run.run(&["run", "--no-such-flag"]);
    assert_eq!(ran.exit, 2);
}

#[test]
fn show_tells_the_episode_and_survives_a_cut_tail() {
    let run = TestRun::new();
    play(&run, "a");
    let dir = run.path().join("a/R0/trajectories");
    let trace = std::fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
    let ran = run.run(&["show", trace.to_str().unwrap()]);
    assert!(ran.exit == 0 && ran.out.contains("── step 1") && ran.out.contains("Your task is to"), "{}", ran.out);
    let bytes = std::fs::read(&trace).unwrap();
    std::fs::write(&trace, &bytes[..bytes.len() - 20]).unwrap();
    let ran = run.run(&["show", trace.to_str().unwrap()]);
    assert!(ran.exit == 0 && ran.out.contains("has not finished"), "{}", ran.out);
}
