//! Faults of a model server: every episode ends within its deadlines, none is scored as failed because of plumbing, retries are counted.

use crate::loopback::{CALLS, Fault, Loopback, Weather};
use crate::test_run::{Ran, TestRun, results};
use harnessx::domain::outcome::{Boundary, Outcome};
use std::time::{Duration, Instant};

const TASKS: usize = 8;

fn play(run: &TestRun, server: &Loopback, name: &str) -> Ran {
    run.write("settings.toml", &server.hasty_settings());
    let tasks = TASKS.to_string();
    run.run(&["run", "--bench", "echo", "--model", "mine", "--config", "settings.toml", "--limit", &tasks, "--jobs", "8", "--run", name])
}

#[test]
fn no_fault_of_a_server_is_scored_and_every_retry_is_counted() {
    let run = TestRun::new();
    let weathers = Fault::ALL.into_iter().map(Weather::Fifth).chain([Weather::All]);
    for (index, weather) in weathers.enumerate() {
        let server = Loopback::start(weather, Duration::ZERO);
        let name = format!("run-{index}");
        let ran = play(&run, &server, &name);
        assert_eq!(ran.exit, 0, "{weather:?}: {}", ran.err);
        let results = results(&run.path().join(&name));
        assert_eq!(results.len(), TASKS, "{weather:?}");
        assert!(results.iter().all(|line| line.result.outcome == Outcome::Solved), "{weather:?}: {results:?}");
        let retries: u32 = results.iter().map(|line| line.result.retries).sum();
        assert!(retries > 0, "{weather:?}");
        assert_eq!(retries as usize, server.broken(), "{weather:?}");
        assert!(ran.out.contains(&format!("{} calls ({retries} retries)", TASKS * CALLS)), "{weather:?}: {}", ran.out);
    }
}

#[test]
fn a_server_that_never_answers_leaves_missing_episodes_that_are_played_later() {
    let run = TestRun::new();
    let server = Loopback::start(Weather::Always(Fault::Hang), Duration::ZERO);
    let start = Instant::now();
    let ran = play(&run, &server, "a");
    // Three tries of the episode, each ended by the deadline over its one call.
    assert!(start.elapsed() < Duration::from_secs(15));
    assert!(ran.exit == 4 && ran.out.contains(&format!("{TASKS} missing")), "{}{}", ran.out, ran.err);
    assert!(
        ran.err.contains("failed to play any of 8 train episodes") && ran.err.contains("the same command plays them again"),
        "{}",
        ran.err
    );
    let missing = results(&run.path().join("a"));
    assert!(missing.iter().all(|line| matches!(line.result.outcome, Outcome::Error { boundary: Boundary::Provider, .. })), "{missing:?}");
    server.set(Weather::Fair);
    let ran = play(&run, &server, "a");
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.contains(&format!("{TASKS} of {TASKS} rollouts; 0 missing")), "{}", ran.out);
}

#[test]
fn many_live_episodes_do_not_run_out_of_open_files() {
    let run = TestRun::new();
    let server = Loopback::start(Weather::Fair, Duration::from_millis(50));
    run.write("settings.toml", &server.patient_settings());
    let play = ["run", "--bench", "echo", "--model", "mine", "--config", "settings.toml", "--limit", "40", "--jobs", "40", "--run", "a"];
    // A connection and a trace an episode are more than this, which is only where the limit starts.
    let ran = run.run_under("ulimit -S -n 48", &play);
    assert!(ran.exit == 0 && ran.out.contains("0 missing") && ran.out.contains("(0 retries)"), "{}{}", ran.out, ran.err);
}
