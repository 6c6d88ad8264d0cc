//! What goes where: events on stdout under `--json` and everything else on stderr; no control codes without a terminal.

use crate::looped::{SETTINGS, short};
use crate::test_run::TestRun;
use std::process::Stdio;

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
            assert!(value["event"].is_string() || value["record"].is_string(), "{arguments:?}: {line}");
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

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let run = TestRun::new();
    let echo = run.echo();
    assert_eq!(run.run(&[&echo, ["--run", "a"].as_slice()].concat()).exit, 0);
    let report: [&str; 7] = ["report", "--run", "a", "--format", "md", "-o", "-"];
    for arguments in [&report, ["show", "a"].as_slice(), &["completions", "bash"], &["--help"]] {
        let mut command = run.command(arguments);
        command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap()).stderr(Stdio::piped());
        let done = command.spawn().unwrap().wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(4), "{arguments:?}: {err}");
        assert!(err.contains("failed to write to standard output: No space left on device"), "{arguments:?}: {err}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let run = TestRun::new();
    let echo = run.echo();
    for (name, stream) in [("a", ["--json", "-vv"].as_slice()), ("b", ["-vv"].as_slice())] {
        let mut child = run.command(&[&echo, stream, ["--run", name].as_slice()].concat());
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{stream:?}");
    }
}

#[test]
fn under_json_bad_usage_is_an_event_too() {
    let run = TestRun::new();
    let ran = run.run(&["run", "--no-such-flag", "--json"]);
    let event: serde_json::Value = serde_json::from_str(ran.out.trim()).unwrap();
    assert_eq!((ran.exit, event["event"].as_str(), event["exit"].as_i64()), (2, Some("error"), Some(2)));
    assert!(event["message"].as_str().unwrap().starts_with("unexpected argument '--no-such-flag'"), "{event}");
    assert!(ran.err.contains("unexpected argument '--no-such-flag'"), "{}", ran.err);
}

#[test]
fn under_json_every_command_on_a_loop_says_what_came_of_it() {
    let run = short();
    let ran = run.run(&[&["loop", "--run", "r", "--rounds", "1"], &SETTINGS[..]].concat());
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let digest = std::fs::read_dir(run.path().join("r/R0/digests")).unwrap().next().unwrap().unwrap().path();
    let digest = digest.to_str().unwrap().to_owned();
    let commands: [(&[&str], &str); 12] = [
        (&["gate", "--run", "r"], "over"),
        (&["evolve", "--run", "r"], "over"),
        (&["critique", "--run", "r"], "over"),
        (&["critique", "--rules", "--run", "r"], "critique"),
        (&["show", "r"], "trace"),
        (&["show", &digest], "digest"),
        (&["show", "candidate", "C-R1-01", "--run", "r"], "candidate"),
        (&["show", "decision", "R1", "--run", "r"], "decision"),
        (&["show", "decision", "1", "--full", "--run", "r"], "full_decision"),
        (&["digest", "--run", "r", "--round", "R0"], "digest"),
        (&["report", "--run", "r", "--format", "json", "-o", "-"], "report"),
        (&["report", "--run", "r", "--format", "md", "-o", "-"], "report"),
    ];
    for (arguments, event) in commands {
        let ran = run.run(&[arguments, &["--json"]].concat());
        assert_eq!(ran.exit, 0, "{arguments:?}: {}", ran.err);
        let events: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.first().map(|first| &first["event"]), Some(&event.into()), "{arguments:?}: {}", ran.out);
        assert!(events.iter().all(|one| one["event"].is_string()), "{arguments:?}: {}", ran.out);
    }
    let shown = run.run(&["show", &digest]);
    assert!(shown.exit == 0 && shown.out.starts_with("# "), "{}{}", shown.out, shown.err);
}

#[test]
fn a_terminal_that_moves_no_cursor_gets_plain_lines() {
    let run = TestRun::new();
    let line = format!("{} run --model random --limit 8 --run r", env!("CARGO_BIN_EXE_harnessx"));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(run.path()).env_remove("TERM").env("NO_COLOR", "1").stdin(Stdio::null());
    let Ok(done) = script.output() else {
        println!("skipped: no `script` here that could be a terminal");
        return;
    };
    let seen = String::from_utf8_lossy(&done.stdout);
    assert!(seen.contains("8/8 episodes, 0 s left, ") && !seen.contains('\u{1b}'), "{seen}");
}
