//! `init`: what it makes passes `check` and plays; what is there stays.

use crate::test_run::TestRun;

#[test]
fn what_init_makes_passes_check_and_plays() {
    let run = TestRun::new();
    let mine = [&run.echo()[..], &["--harness", "mine"]].concat();
    let steps: [&[&str]; 9] = [
        &["init", "harness", "mine"],
        &["check", "harnesses/mine"],
        &mine,
        &["init", "benchmark", "ours"],
        &["check", "benchmarks/ours"],
        &["run", "--bench", "ours", "--model", "random", "--limit", "1"],
        &["init", "settings"],
        &["check", "settings.toml"],
        &["run", "--config", "settings.toml", "--model", "random", "--limit", "1"],
    ];
    for step in steps {
        let ran = run.run(step);
        assert_eq!(ran.exit, 0, "{step:?}: {}{}", ran.out, ran.err);
        assert!(step[0] != "init" || ran.out.contains("next: "), "{}", ran.out);
    }
}

#[test]
fn what_is_there_stays() {
    let run = TestRun::new();
    let file = run.write("harnesses/mine/harness.toml", "my work\n");
    run.write("settings.toml", "seed = 2\n");
    for arguments in [&["init", "harness", "mine"][..], &["init", "settings"]] {
        let ran = run.run(arguments);
        assert!(ran.exit == 3 && ran.err.contains("it is there already"), "{}", ran.err);
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "my work\n");
    assert_eq!(std::fs::read_to_string(run.path().join("settings.toml")).unwrap(), "seed = 2\n");
    assert_eq!(run.run(&["init", "harness", "a b"]).exit, 3);
}
