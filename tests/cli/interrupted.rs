//! Ctrl-C and limits: said at once, nothing is waited for long, and the words that continue are printed.

use crate::loopback::{Fault, Loopback, Weather};
use crate::looped::{SETTINGS, short};
use crate::test_run::{Ran, TestRun};
use crate::tools::has_sandbox;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Longest that anything here may take on a busy machine, though a model hangs for minutes and a program for an hour.
const SOON: Duration = Duration::from_secs(20);

fn start(run: &TestRun, arguments: &[&str]) -> Child {
    run.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(child: &Child) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
}

fn wait_for(mut is_there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(start.elapsed() < Duration::from_mins(2), "it never came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a child said and how it ended; it must end soon.
fn end(child: Child) -> Ran {
    let start = Instant::now();
    let done = child.wait_with_output().unwrap();
    assert!(start.elapsed() < SOON, "it took {:?}", start.elapsed());
    let [out, err] = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ran { exit: done.status.code().unwrap_or(-1), out, err }
}

#[test]
fn a_hanging_model_call_is_not_waited_for() {
    let run = TestRun::new();
    let server = Loopback::start(Weather::Always(Fault::Hang), Duration::ZERO);
    run.write("settings.toml", &server.patient_settings());
    let arguments = ["run", "--bench", "echo", "--model", "mine", "--config", "settings.toml", "--limit", "2", "--run", "a b"];
    for (times, asked) in [(1, 1), (2, 3)] {
        let child = start(&run, &arguments);
        wait_for(|| server.asked().len() >= asked);
        for _ in 0..times {
            interrupt(&child);
            std::thread::sleep(Duration::from_millis(300));
        }
        let ran = end(child);
        assert_eq!(ran.exit, 130, "{}", ran.err);
        assert!(ran.err.contains("stopping: nothing more is started"), "{}", ran.err);
        assert!(ran.err.contains("interrupted; 0 of 2 episodes are done"), "{}", ran.err);
        let continued = format!(
            "  continue: {} run --bench echo --model mine --config settings.toml --limit 2 --run 'a b'\n",
            env!("CARGO_BIN_EXE_harnessx")
        );
        assert!(ran.err.ends_with(&continued), "{}", ran.err);
    }
    server.set(Weather::Fair);
    assert_eq!(run.run(&arguments).exit, 0);
}

#[test]
fn the_program_of_an_engine_is_not_waited_for() {
    let run = short();
    if !has_sandbox(&run) {
        return;
    }
    run.write("agent.sh", "sleep 3600");
    let mut arguments = vec!["loop", "--run", "r", "--rounds", "1", "--engine", "command", "--engine-command", "sh agent.sh"];
    arguments.extend(["--set", "engine_seconds=3600"]);
    arguments.extend(SETTINGS.iter().filter(|flag| **flag != "--quiet"));
    let child = start(&run, &arguments);
    wait_for(|| run.path().join("r/R1/landscape.json").exists());
    std::thread::sleep(Duration::from_secs(1));
    interrupt(&child);
    let ran = end(child);
    assert_eq!(ran.exit, 130, "{}", ran.err);
    assert!(ran.err.contains("stopping: nothing more is started") && ran.err.contains("continue: "), "{}", ran.err);
    let took = || {
        let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(run.path().join("r/sealed/elapsed.json")).unwrap()).unwrap();
        assert_eq!(kept["round"], 1, "{kept}");
        kept["milliseconds"].as_u64().unwrap()
    };
    let first = took();
    arguments.extend(["--max-time", "1s"]);
    let ran = end(start(&run, &arguments));
    assert!(ran.exit == 130 && ran.err.contains("stopped: --max-time 1s is over"), "{}", ran.err);
    assert!(first > 1000 && took() > first + 1000, "{first} ms, then {} ms", took());
}

#[test]
fn a_limit_that_is_reached_is_named() {
    let run = TestRun::new();
    let server = Loopback::start(Weather::Fair, Duration::from_millis(400));
    run.write("settings.toml", &server.patient_settings());
    let arguments = ["run", "--bench", "echo", "--model", "mine", "--config", "settings.toml", "--limit", "9", "--jobs", "1", "--run", "a"];
    let ran = end(start(&run, &[&arguments[..], &["--max-time", "1s"]].concat()));
    assert!(ran.exit == 130 && ran.err.contains("stopped: --max-time 1s is over"), "{}", ran.err);
    assert!((1..=4).contains(&server.asked().len()), "{} calls in a second", server.asked().len());
    let ran = end(start(&run, &[&arguments[..], &["--max-tokens", "20", "--json"]].concat()));
    assert!(ran.exit == 130 && ran.err.contains("stopped: --max-tokens 20 is used up, "), "{}", ran.err);
    let last: serde_json::Value = serde_json::from_str(ran.out.lines().last().unwrap()).unwrap();
    assert!(last["resume"].as_str().unwrap().ends_with("--run a --max-tokens 20 --json"), "{last}");
}
