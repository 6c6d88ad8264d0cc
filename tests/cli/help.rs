//! `--help` of every command: fits a screen, and ends with an example that works.

use crate::looped::{SETTINGS, short};
use crate::test_run::{Ran, TestRun};
use std::path::Path;
use std::process::Command;

/// Most lines of a screen.
const SCREEN: usize = 40;

/// The commands that a help text lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_default();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()));
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// All commands with their help, those below commands too.
fn all(run: &TestRun, path: &[&str], found: &mut Vec<(String, String)>) {
    let help = run.run(&[path, &["--help"]].concat()).out;
    for name in commands(&help) {
        all(run, &[path, &[name.as_str()]].concat(), found);
    }
    found.push((path.join(" "), help));
}

/// Runs a line of a help text as a shell would, with a home, weights and a run of its own.
fn shell(run: &TestRun, line: &str) -> Ran {
    let program = Path::new(env!("CARGO_BIN_EXE_harnessx"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(run.path()).env("PATH", path).env("HOME", run.path()).env_remove("HARNESSX_SMOLLM2");
    command.env("XDG_CACHE_HOME", run.path().join("cache"));
    Ran::of(command)
}

/// Commands on what a loop has left.
const AFTER_A_LOOP: [&str; 8] =
    ["evolve", "critique", "promote", "rollback", "show diff", "show digest", "show candidate", "show decision"];

/// Commands on a round that is open.
const IN_A_ROUND: [&str; 3] = ["export", "export round", "import"];

/// A folder with what the example of a command names.
fn prepared(command: &str) -> (TestRun, String) {
    if IN_A_ROUND.contains(&command) {
        let run = short();
        let mut begun = run.command(&[&["loop", "--run", "runs/NAME", "--rounds", "1"], &SETTINGS[..]].concat());
        begun.env("HARNESSX_FAIL_AFTER", "20");
        assert_ne!(Ran::of(begun).exit, 0);
        if command == "import" {
            assert_eq!(run.run(&["export", "round", "round-by-hand", "--run", "runs/NAME"]).exit, 0);
        }
        return (run, String::new());
    }
    if AFTER_A_LOOP.contains(&command) {
        let run = short();
        let ran = run.run(&[&["loop", "--run", "runs/NAME", "--rounds", "1"], &SETTINGS[..]].concat());
        assert_eq!(ran.exit, 0, "{}", ran.err);
        let digest = std::fs::read_dir(run.path().join("runs/NAME/R0/digests")).unwrap().next().unwrap().unwrap().path();
        let digest: serde_json::Value = serde_json::from_slice(&std::fs::read(digest.with_extension("json")).unwrap()).unwrap();
        return (run, digest["task"].as_str().unwrap().to_owned());
    }
    let run = TestRun::new();
    run.write("cache/harnessx/smollm2-135m-instruct.gguf", "stands for the weights");
    run.write(".local/share/bash-completion/completions/other", "");
    let played = run.run(&[&run.echo()[..], &["--run", "runs/NAME"]].concat());
    assert_eq!(played.exit, 0, "{}", played.err);
    let trace = std::fs::read_dir(run.path().join("runs/NAME/R0/trajectories")).unwrap().next().unwrap().unwrap();
    (run, trace.file_name().to_string_lossy().into_owned())
}

#[test]
fn help_fits_a_screen_and_ends_with_an_example_that_works() {
    let mut found = Vec::new();
    all(&TestRun::new(), &[], &mut found);
    assert!(found.len() > 10, "{found:?}");
    for (command, help) in found {
        assert!(help.lines().count() <= SCREEN, "{command} --help has {} lines", help.lines().count());
        let example = help.rsplit_once("\nExample: ").unwrap_or_else(|| panic!("{command} --help has no example")).1.replace('\n', " ");
        let (run, named) = prepared(&command);
        // A stand-in for the weights plays nothing.
        let line = example.replace("local:smollm2", "random").replace("TASK_r0.jsonl", &named).replace("TASK ", &format!("{named} "));
        let ran = shell(&run, &line);
        let ready = if command == "doctor" { [0, 4] } else { [0, 0] };
        assert!(ready.contains(&ran.exit), "{line}: exit {}: {}{}", ran.exit, ran.out, ran.err);
    }
}
