//! What goes where: events on stdout under `--json` and everything else on stderr; no control codes without a terminal.

use crate::test_run::TestRun;

const COMMANDS: [&[&str]; 12] = [
    &["run", "--bench", "echo", "--model", "scripted:s.jsonl", "--limit", "2", "--run", "a"],
    &["estimate", "--bench", "echo", "--model", "scripted:s.jsonl", "--run", "a"],
    &["digest", "--run", "a"],
    &["plan", "--run", "a"],
    &["show", "a"],
    &["check", "echo"],
    &["check", "nothing-here"],
    &["init", "harness", "mine"],
    &["doctor"],
    &["man", "pages"],
    &["completions", "bash"],
    &["run", "--bench", "echo", "--model", "scripted:s.jsonl", "--limit", "3", "--run", "a"],
];

#[test]
fn under_json_stdout_has_one_object_a_line() {
    let run = TestRun::new();
    run.echo();
    for arguments in COMMANDS {
        let ran = run.run(&[arguments, &["--json", "-v"]].concat());
        for line in ran.out.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {line}"));
            assert!(value.is_object(), "{arguments:?}: {line}");
        }
        if ran.exit != 0 {
            let last: serde_json::Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
            assert_eq!((last["event"].as_str(), last["exit"].as_i64()), (Some("error"), Some(i64::from(ran.exit))), "{}", ran.out);
        }
    }
}

#[test]
fn without_a_terminal_there_are_no_control_codes() {
    let run = TestRun::new();
    run.echo();
    for arguments in COMMANDS {
        let mut command = run.command(&[arguments, &["-vv"]].concat());
        command.env_remove("NO_COLOR");
        let ran = crate::test_run::Ran::of(command);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{arguments:?}: {}{}", ran.out, ran.err);
    }
}
