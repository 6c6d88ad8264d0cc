//! Faults of a model server: every episode ends within its deadlines, none is scored as failed because of plumbing, retries are counted.

use crate::loopback::{CALLS, Fault, Loopback, Weather};
use crate::test_run::{Ran, TestRun, results};
use harnessx::domain::outcome::{Boundary, Ending, Outcome};
use harnessx::store::run_dir::EpisodeLine;
use std::collections::BTreeMap;
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

fn looped(run: &TestRun, server: &Loopback, fail_after: Option<u32>) -> Ran {
    run.write("settings.toml", &server.hasty_settings().replace("call = 3", "call = 0.6"));
    let mut arguments = vec!["loop", "--bench", "echo", "--model", "mine", "--config", "settings.toml", "--profile", "quick", "--run", "r"];
    arguments.extend(["--rounds", "1", "--jobs", "2", "--set", "train=4", "--set", "gate=2", "--set", "heldout=2", "--quiet"]);
    let mut command = run.command(&arguments);
    command.envs(fail_after.map(|writes| ("HARNESSX_FAIL_AFTER", writes.to_string())));
    Ran::of(command)
}

#[test]
fn a_loop_whose_server_is_down_stops_and_goes_on_when_it_is_back() {
    let run = TestRun::new();
    let server = Loopback::start(Weather::Always(Fault::ServerError), Duration::ZERO);
    for _ in 0..2 {
        let ran = looped(&run, &server, None);
        assert!(ran.exit == 4 && ran.err.contains("play any of 6 episodes in round 0"), "{}{}", ran.out, ran.err);
        assert!(!run.path().join("r/R0/round.json").exists());
    }
    server.set(Weather::Fair);
    let ran = looped(&run, &server, None);
    assert!(ran.exit == 0 && ran.out.contains("1 round done"), "{}{}", ran.out, ran.err);
    assert_eq!(missing(&run, "R0"), BTreeMap::from([(false, 4)]));
}

/// The server goes down in the middle of the baseline: what is missing then is played in the next round.
#[test]
fn a_train_task_that_the_baseline_misses_is_played_again() {
    let run = TestRun::new();
    let server = Loopback::start(Weather::Fair, Duration::ZERO);
    assert_ne!(looped(&run, &server, Some(40)).exit, 0);
    let played = missing(&run, "R0")[&false];
    assert!(played < 4, "{played}");
    server.set(Weather::Always(Fault::ServerError));
    let ran = looped(&run, &server, None);
    assert!(ran.exit == 4 && ran.err.contains("play any of 2 episodes in round 0"), "held-out: {}{}", ran.out, ran.err);
    assert_eq!(missing(&run, "R0"), BTreeMap::from([(false, played), (true, 4 - played)]));
    server.set(Weather::Fair);
    let ran = looped(&run, &server, None);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    assert_eq!(missing(&run, "R1"), BTreeMap::from([(false, 4 - played)]));
}

/// How many episodes of a round are missing, and how many not, by the last word on each.
fn missing(run: &TestRun, round: &str) -> BTreeMap<bool, usize> {
    let text = std::fs::read_to_string(run.path().join("r").join(round).join("episodes.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<EpisodeLine>(line).unwrap());
    let last: BTreeMap<_, _> = lines.map(|line| (line.key, matches!(line.result.outcome, Outcome::Error { .. }))).collect();
    let mut counts = BTreeMap::new();
    for is_missing in last.into_values() {
        *counts.entry(is_missing).or_insert(0) += 1;
    }
    counts
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

const PLAIN: &str = "format = 1\nname = \"h\"\n";
const ACTS: &str = "format = 1\nname = \"h\"\n[[processors]]\nscript = \"processors/x.js\"\n";
const TOOL: &str =
    "export const meta = { name: 't', description: 'd', schema: { type: 'exotic' } };\nexport function run() { return ''; }\n";

/// Plays one echo task under the harness `h`, with a script of one hook beside it.
fn play_under(run: &TestRun, server: &Loopback, harness: &str, hook: &str, name: &str) -> Ran {
    run.write("h/harness.toml", harness);
    run.write("h/processors/x.js", &format!("export const hooks = {{ step_end() {{}}, {hook} }};\n"));
    run.write("settings.toml", &server.patient_settings());
    run.run(&["run", "--bench", "echo", "--model", "mine", "--config", "settings.toml", "--limit", "1", "--harness", "h", "--run", name])
}

/// The part of the harness that the one episode of a run failed by.
fn failed_by(run: &TestRun, name: &str) -> Option<String> {
    let results = results(&run.path().join(name));
    let [line] = results.as_slice() else { return None };
    let Ending::HarnessFault { part, message } = &line.result.end else { return None };
    assert!(line.result.outcome == Outcome::Failed && message.contains("rejected the request with status 400"), "{message}");
    Some(part.clone())
}

#[test]
fn a_request_that_a_server_rejects_is_the_failure_of_the_harness_that_shaped_it() {
    let run = TestRun::new();
    let server = Loopback::start(Weather::Fair, Duration::ZERO);
    let stops = "before_model: () => ({ replace: { sampling: { stop: ['1', '2', '3', '4', '5'] } } })";
    let ran = play_under(&run, &server, ACTS, stops, "stops");
    assert_eq!((ran.exit, failed_by(&run, "stops").as_deref()), (0, Some("processors/x.js")), "{}", ran.err);
    server.set(Weather::Always(Fault::Reject));
    let decides = "before_model: () => ({ replace: { decision: { mode: 'schema', schema: { type: 'exotic' } } } })";
    let asks = "task_start: () => ({ ask: { prompt: '?', max_tokens: 4000000000 } })";
    let shows = "task_start: () => ({ replace: { demonstrations: [{ role: 'user', text: '' }, { role: 'assistant', text: '' }] } })";
    for (name, hook) in [("decides", decides), ("asks", asks), ("shows", shows)] {
        let ran = play_under(&run, &server, ACTS, hook, name);
        assert_eq!((ran.exit, failed_by(&run, name).as_deref()), (0, Some("processors/x.js")), "{name}: {}", ran.err);
    }
    let blank = "task_start: () => ({ replace: { system: ' ' } })";
    assert_eq!((play_under(&run, &server, ACTS, blank, "blank").exit, failed_by(&run, "blank").as_deref()), (0, Some("system prompt")));
    let sampling = format!("{PLAIN}[slots.sampling]\nmax_tokens = 4000000000\n");
    assert_eq!(
        (play_under(&run, &server, &sampling, "", "sampling").exit, failed_by(&run, "sampling").as_deref()),
        (0, Some("slots.sampling"))
    );
    run.write("h/tools/t.js", TOOL);
    assert_eq!((play_under(&run, &server, PLAIN, "", "tool").exit, failed_by(&run, "tool").as_deref()), (0, Some("tools")));
}

#[test]
fn a_plain_request_that_a_server_rejects_is_a_matter_of_the_settings() {
    let run = TestRun::new();
    let server = Loopback::start(Weather::Always(Fault::Reject), Duration::ZERO);
    let system = "task_start: () => ({ replace: { system: 'Be brief.\\n' } })";
    for (name, harness, hook) in [("plain", PLAIN, ""), ("system", ACTS, system)] {
        let ran = play_under(&run, &server, harness, hook, name);
        assert!(
            ran.exit != 0 && ran.err.contains("the server rejected the request with status 400: no such thing"),
            "{}{}",
            ran.out,
            ran.err
        );
    }
}
