//! Harnesses with scripts, from check to run.

use crate::test_run::{TestRun, results, traces};
use harnessx::bench::Benchmark;
use harnessx::domain::harness::Limits;
use harnessx::domain::outcome::Ending;
use harnessx::domain::request::{ModelRole, Sampling};
use harnessx::domain::trace::Record;
use harnessx::runtime::assembly::Assembly;
use harnessx::sandbox::worker::WorkerProgram;
use harnessx::script::{Pool, PoolSettings, ScriptLimits};
use harnessx::stages::replay::{Replay, Touch};
use harnessx::store::harness_dir;
use harnessx::store::trace_file::TraceReader;
use std::path::Path;

const HARNESS: &str = "format = 1\nname = \"h\"\n[[processors]]\nscript = \"processors/greet.js\"\nparams = { words = 3 }\n";
const GREET: &str = "export const meta = { name: \"greet\", group: \"greeting\", params: { words: 2, mood: \"calm\" } };
export const hooks = {
  task_start(event, state, api) {
    return { replace: { system: `${api.params.mood} ${api.params.words}` } };
  },
  before_model(event, state) {
    state.calls = (state.calls ?? 0) + 1;
    return { replace: { append_user: `call ${state.calls}` } };
  },
};
";
const TWICE: &str = "export const meta = { name: \"echo\", description: \"Echoes twice.\", schema: { type: \"object\" } };
export function run(args, state, api) {
  return api.call(\"echo\", args).text + api.call(\"echo\", { text: \"again\" }).text;
}
";

fn with(run: &TestRun, greet: &str) {
    run.write("h/harness.toml", HARNESS);
    run.write("h/processors/greet.js", greet);
}

fn played(run: &TestRun) -> Vec<harnessx::store::run_dir::EpisodeLine> {
    let echo = run.echo();
    let ran = run.run(&[&echo[..], &["--harness", "h", "--run", "r"]].concat());
    assert_eq!(ran.exit, 0, "{}", ran.err);
    results(&run.path().join("r"))
}

#[test]
fn a_script_and_a_composed_tool_play_with_the_natives() {
    let run = TestRun::new();
    with(&run, GREET);
    run.write("h/tools/twice.js", TWICE);
    let lines = played(&run);
    assert!(lines.iter().all(|line| line.result.outcome.name() == "solved"), "{lines:?}");
    let traces: Vec<String> = std::fs::read_dir(run.path().join("r/R0/trajectories"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for trace in traces {
        assert!(trace.contains("\"system\":\"calm 3\"") && trace.contains("call 2"), "{trace}");
        assert!(trace.contains("call-0-0.2") && trace.contains("{\\\"text\\\":\\\"hello\\\"}{\\\"text\\\":\\\"again\\\"}"), "{trace}");
        assert!(trace.contains("\"processor\":\"processors/greet.js\""), "{trace}");
    }
}

#[test]
fn a_broken_script_is_refused_with_its_line_and_nothing_runs() {
    let run = TestRun::new();
    with(&run, &GREET.replace("state.calls = ", "sate.calls = "));
    let ran = run.run(&["check", "h"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains("h/processors/greet.js:7:5: `sate` is not defined; did you mean \"state\"?"), "{}", ran.err);
    assert!(ran.err.contains("| sate.calls = (state.calls ?? 0) + 1;"), "{}", ran.err);
    let echo = run.echo();
    assert_eq!(run.run(&[&echo[..], &["--harness", "h", "--run", "r"]].concat()).exit, 3);
    assert!(!run.path().join("r").exists(), "nothing was played");
    with(&run, GREET);
    run.write("h/harness.toml", &HARNESS.replace("words", "wrods"));
    let ran = run.run(&["check", "h"]);
    assert!(ran.err.contains("h/harness.toml:3: processors/greet.js has no parameter \"wrods\"; did you mean \"words\"?"), "{}", ran.err);
}

#[test]
fn a_script_that_the_manifest_does_not_name_is_looked_over_too() {
    let run = TestRun::new();
    with(&run, GREET);
    run.write("h/processors/spare.js", "export const hooks = {\n  step_start(event) {\n    return evnt.step;\n  },\n};\n");
    let ran = run.run(&["check", "h"]);
    assert_eq!(ran.exit, 3, "{}", ran.out);
    assert!(ran.err.contains("h/processors/spare.js:3:12: `evnt` is not defined; did you mean \"event\"?"), "{}", ran.err);
    run.write("h/processors/spare.js", "export const hooks = { step_begin() {} };\n");
    let ran = run.run(&["check", "h"]);
    assert!(ran.exit == 3 && ran.err.contains("h/processors/spare.js:1:24: "), "{}", ran.err);
    run.write("h/processors/spare.js", "export const hooks = { step_start() {} };\n");
    assert_eq!(run.run(&["check", "h"]).exit, 0);
}

#[test]
fn what_a_script_breaks_is_the_failure_of_its_harness() {
    let run = TestRun::new();
    with(&run, &GREET.replace("state.calls = (state.calls ?? 0) + 1;", "while (event.step > 1) {}"));
    for line in played(&run) {
        assert_eq!(line.result.outcome.name(), "failed");
        let Ending::HarnessFault { part, message } = &line.result.end else { panic!("{:?}", line.result.end) };
        assert!(part == "processors/greet.js" && message.contains("ran longer than an event may take"), "{part}: {message}");
    }
}

#[test]
fn dry_replays_play_scripts_too() {
    let run = TestRun::new();
    with(&run, GREET);
    run.write("h/tools/twice.js", TWICE);
    played(&run);
    let text = include_str!("../../benchmarks/echo/benchmark.toml");
    let benchmark = Benchmark::parse(text, Path::new("benchmarks/echo")).unwrap();
    let program = WorkerProgram { path: env!("CARGO_BIN_EXE_harnessx").into(), arguments: vec!["script-worker".into()] };
    let pool = Pool::new(&PoolSettings { program, workers: 1, limits: ScriptLimits::default() });
    let trace = std::fs::read_dir(run.path().join("r/R0/trajectories")).unwrap().next().unwrap().unwrap().path();
    let Record::Episode { key, .. } = TraceReader::open(&trace).unwrap().next().unwrap().unwrap() else { panic!("no episode") };
    let task = benchmark.tasks.iter().find(|task| task.task.id == key.task).unwrap();
    let roles = [ModelRole::Main].into();
    let replay = Replay { roles, seed: 1, sampling: Sampling::default(), limits: Limits { steps: Some(60), ..Limits::default() } };
    let touches = |greet: &str| {
        with(&run, greet);
        let (harness, lines) = harness_dir::read(&run.path().join("h")).unwrap();
        let assembly = Assembly::with_pool(harness, &lines, &pool).ok().unwrap();
        replay.touches(&assembly, task, &trace).unwrap()
    };
    assert!(touches(GREET) == Touch::None, "the same scripts play the same episode");
    assert!(touches(&GREET.replace("`call ", "`call${\" \"}")) == Touch::None, "written otherwise, it does the same");
    assert!(touches(&GREET.replace("call $", "turn $")) == Touch::Differs);
}

#[test]
fn default_parameters_do_not_change_the_identity() {
    let run = TestRun::new();
    with(&run, GREET);
    let id = |text: &str| {
        run.write("h/harness.toml", text);
        run.run(&["check", "h"]).out
    };
    let plain = id(&HARNESS.replace("words = 3", ""));
    assert_eq!(plain, id(&HARNESS.replace("words = 3", "words = 2, mood = \"calm\"")));
    assert_ne!(plain, id(HARNESS));
}

#[test]
fn authors_get_types() {
    let ran = TestRun::new().run(&["check", "--types"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.contains("interface BeforeModelEvent {") && ran.out.contains("readonly turns: readonly Message[];"), "{}", ran.out);
}

#[test]
fn a_fault_of_the_harness_is_told_while_it_plays_and_in_the_end() {
    let run = TestRun::new();
    with(&run, &GREET.replace("state.calls = (state.calls ?? 0) + 1;", "throw new Error(\"no\\u001b[31m way\");"));
    let ran = run.run(&[&run.echo()[..], &["--harness", "h", "--run", "r"]].concat());
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let words = "fault of processors/greet.js: ";
    let again = ran.err.lines().find(|line| line.starts_with("trying ")).unwrap();
    assert!(again.contains(" (rollout 0) again: ") && again.contains(words) && !ran.err.contains("HarnessFault"), "{}", ran.err);
    assert!(!ran.err.contains('\u{1b}') && !ran.out.contains('\u{1b}'), "{}{}", ran.err, ran.out);
    let told = ran.out.lines().find(|line| line.contains("2 episodes ended in a fault of the harness; the first, ")).unwrap();
    assert!(told.contains(words), "{told}");
}

/// JSON of so many levels.
fn nested(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

#[test]
fn what_a_script_nests_too_deep_is_its_fault_and_the_trace_stays_readable() {
    let run = TestRun::new();
    let deep = "const deep = (n) => { let v = 1; for (let i = 0; i < n; i += 1) v = [v]; return { text: v }; };\n";
    let hooks = format!("{deep}export const hooks = {{ before_tool: () => ({{ replace: {{ arguments: deep(124) }} }}) }};\n");
    run.write("h/harness.toml", &HARNESS.replace("params = { words = 3 }\n", ""));
    run.write("h/processors/greet.js", &hooks);
    for line in played(&run) {
        let Ending::HarnessFault { part, message } = &line.result.end else { panic!("{:?}", line.result.end) };
        assert!(part == "processors/greet.js" && message.contains("arguments are JSON nested deeper than 64 levels"), "{part}: {message}");
    }
    assert_eq!(traces(&run.path().join("r")).len(), 2);
    run.write("h/processors/greet.js", "export const hooks = { step_end() {} };\n");
    run.write(
        "h/tools/twice.js",
        &TWICE.replace("export function run(args", &format!("{deep}export function run(args")).replace(", args)", ", deep(123))"),
    );
    let ran = run.run(&[&run.echo()[..], &["--harness", "h", "--run", "calls"]].concat());
    assert!(ran.exit == 0 && ran.out.contains("the arguments of a call are JSON nested deeper than 64 levels"), "{}{}", ran.out, ran.err);
    run.write("h/tools/twice.js", &TWICE.replace("{ type: \"object\" }", &format!("{{ type: {} }}", nested(80))));
    let ran = run.run(&["check", "h"]);
    assert!(ran.exit == 3 && ran.err.contains("h/tools/twice.js:1:14: `meta` is JSON nested deeper than 64 levels"), "{}", ran.err);
}

#[test]
fn what_a_model_nests_too_deep_is_text_to_the_tool_and_the_run_goes_on() {
    let run = TestRun::new();
    let call = format!(r#"{{"name": "echo", "arguments": {{"text": {}}}}}"#, nested(122));
    let lines = format!("{{\"match\": {{\"turn\": 0}}, \"reply\": {{\"tool_calls\": [{call}]}}}}\n{{\"reply\": {{\"text\": \"done\"}}}}\n");
    run.write("s.jsonl", &lines);
    let play = || run.run(&["run", "--bench", "echo", "--model", "scripted:s.jsonl", "--limit", "2", "--run", "r"]);
    assert_eq!(play().exit, 0);
    for records in traces(&run.path().join("r")).values() {
        let told = |record: &Record| matches!(record, Record::Tool { call, .. } if call.arguments.0.is_string());
        assert!(records.iter().any(told), "{records:?}");
    }
    std::fs::remove_file(run.path().join("r/R0/episodes.jsonl")).unwrap();
    let ran = play();
    assert!(ran.exit == 0 && ran.out.contains("2 of 2 rollouts; 0 missing"), "{}{}", ran.out, ran.err);
}
