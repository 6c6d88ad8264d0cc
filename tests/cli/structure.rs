//! Sub-agents, strategies and memory policies of a harness: the example `harnesses/structured` played to the end, what the check says of
//! bad input, and dry replays.

use crate::test_run::{TestRun, results};
use harnessx::bench::Benchmark;
use harnessx::bench::household::{Play, TaskKind, generate, plan};
use harnessx::domain::harness::Limits;
use harnessx::domain::outcome::Ending;
use harnessx::domain::request::{ModelRole, Sampling};
use harnessx::domain::trace::{Record, ToolSource};
use harnessx::runtime::assembly::Assembly;
use harnessx::stages::replay::{Replay, Touch};
use harnessx::store::harness_dir;
use harnessx::store::trace_file::TraceReader;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXAMPLE: &str = "harnesses/structured";

/// Copies a folder of this repository below the test's folder.
fn copied(run: &TestRun, from: &Path, to: &str) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{to}/{}", path.file_name().unwrap().to_string_lossy());
        if path.is_dir() {
            copied(run, &path, &name);
        } else {
            run.write(&name, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn example(run: &TestRun) {
    copied(run, &Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE), "h");
}

fn trace(run: &TestRun, dir: &str) -> PathBuf {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(run.path().join(dir).join("R0/trajectories")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.remove(0)
}

fn records(path: &Path) -> Vec<Record> {
    TraceReader::open(path).unwrap().map(Result::unwrap).collect()
}

fn answer(condition: Value, reply: Value) -> String {
    [("match", condition), ("reply", reply)].into_iter().collect::<Value>().to_string()
}

/// A model that sends the scout ahead on a shortest way, of which it leaves a share, and goes the rest itself.
fn script(left: usize) -> String {
    let mut lines = vec![
        answer(json!({ "contains": "Do not act yet" }), json!({ "text": "1. send the scout\n2. do the rest" })),
        answer(json!({ "contains": "Does the answer say" }), json!({ "text": "yes" })),
    ];
    for kind in TaskKind::ALL {
        let play = Play::new(Arc::new(generate(0, kind).game));
        let task = play.game().task_sentence().to_owned();
        let way = plan(&play, 30).unwrap();
        let (ahead, rest) = way.split_at(way.len() - way.len() / left);
        let scouted = |turn: usize| json!({ "task_contains": task, "system_contains": "You are a scout", "turn": turn });
        for (turn, action) in ahead.iter().enumerate() {
            lines.push(answer(scouted(turn), json!({ "text": action })));
        }
        lines.push(answer(scouted(ahead.len()), json!({ "text": "I went ahead." })));
        let call = json!({ "name": "scout", "arguments": { "task": format!("Go ahead: {task}") } });
        lines.push(answer(json!({ "task_contains": task, "turn": 0 }), json!({ "tool_calls": [call] })));
        for (turn, action) in rest.iter().enumerate() {
            lines.push(answer(json!({ "task_contains": task, "turn": turn + 1 }), json!({ "text": action })));
        }
    }
    lines.join("\n")
}

const BENCH: &str = "format = 1\nname = \"b\"\nkind = \"household\"\n[source]\ngenerated = 1\n[limits]\nsteps = 30\n";

#[test]
fn an_environment_that_is_done_in_a_sub_agent_ends_the_episode() {
    let run = TestRun::new();
    example(&run);
    let manifest = std::fs::read_to_string(run.path().join("h/harness.toml")).unwrap();
    run.write("h/harness.toml", &manifest.replace("limits = { steps = 12 }", "tools = [\"act\"]"));
    run.write("s.jsonl", &script(100));
    run.write("b/benchmark.toml", BENCH);
    let ran = run.run(&["run", "--bench", "b", "--harness", "h", "--model", "scripted:s.jsonl", "--run", "r", "--min-pass-rate", "1"]);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let path = trace(&run, "r");
    let records = records(&path);
    let before = |back: usize| records[records.len() - back].place().and_then(|(_, within)| within.cloned());
    assert!(before(2).is_none() && before(3).is_some(), "the call, then what was within: {records:?}");
    let benchmark = Benchmark::parse(BENCH, Path::new("b")).unwrap();
    let Record::Episode { key, .. } = &records[0] else { panic!("no episode") };
    let task = benchmark.tasks.iter().find(|task| task.task.id == key.task).unwrap();
    let roles = [ModelRole::Main].into();
    let replay = Replay { roles, seed: 1, sampling: Sampling::default(), limits: Limits { steps: Some(30), ..Limits::default() } };
    let (harness, lines) = harness_dir::read(&run.path().join("h")).unwrap();
    assert_eq!(replay.touches(&Assembly::new(harness, &lines).ok().unwrap(), task, &path).unwrap(), Touch::None);
}

#[test]
fn the_example_plays_household_with_plan_memory_and_scout() {
    let run = TestRun::new();
    example(&run);
    run.write("s.jsonl", &script(2));
    run.write("b/benchmark.toml", BENCH);
    let check = run.run(&["check", "h"]);
    assert_eq!(check.exit, 0, "{}", check.err);
    let ran = run.run(&["run", "--bench", "b", "--harness", "h", "--model", "scripted:s.jsonl", "--run", "r", "--min-pass-rate", "1"]);
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let path = trace(&run, "r");
    let records = records(&path);
    let Some(Record::Outcome(result)) = records.last() else { panic!("no end") };
    assert_eq!(result.end, Ending::EnvironmentDone);
    let is_scout = |record: &&Record| record.place().is_some_and(|(_, within)| within.is_some());
    let scouted = records.iter().filter(is_scout).count();
    assert!(scouted > 4 && records.iter().any(|record| matches!(record, Record::Tool { source: ToolSource::Agent, within: None, .. })));
    let calls = records.iter().filter(|record| matches!(record, Record::Request { .. })).count();
    assert_eq!(result.calls as usize, calls, "every request is counted, whoever made it");
    let tokens: u64 = records.iter().map(|record| if let Record::Reply { reply, .. } = record { reply.usage.tokens() } else { 0 }).sum();
    assert_eq!(result.usage.tokens(), tokens);
    let shown = run.run(&["show", &path.display().to_string()]).out;
    for part in [
        "plan_then_act asks the model:",
        "What was learned before:",
        "  │ ── step 2 · scout",
        "scout/self_verify asks the model:",
        "calls: scout {",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let digest = run.run(&["digest", "--run", "r"]);
    assert_eq!(digest.exit, 0, "{}", digest.err);
    assert!(!digest.out.contains("missing_capability") && !digest.out.contains("invalid_action"), "{}", digest.out);
}

const AGENT: &str = "[agents.scout]\ndescription = \"Looks.\"\nharness = \"agents/scout\"\n";
const HEAD: &str = "format = 1\nname = \"h\"\n";

fn with_agent(run: &TestRun, manifest: &str, inner: &str) {
    run.write("h/harness.toml", &format!("{HEAD}{manifest}"));
    run.write("h/agents/scout/harness.toml", inner);
}

#[test]
fn bad_input_is_named_with_file_and_line() {
    let plain = "format = 1\nname = \"scout\"\n";
    let cases = [
        (
            AGENT.replace("agents/scout", "agents/scot"),
            plain,
            "harness.toml:3: agents.scout: the harness has no folder \"agents/scot\"; did you mean \"agents/scout\"?",
        ),
        (
            AGENT.replace("agents/scout", "elsewhere"),
            plain,
            "harness.toml:3: agents.scout: harness \"elsewhere\" is not a folder directly under agents/",
        ),
        (AGENT.replace("agents/scout", "agents/empty"), plain, "harness.toml:3: agents.scout: agents/empty has no harness.toml"),
        (AGENT.replace("agents.scout", "agents.\"a b\""), plain, "harness.toml:3: agents.a b: an agent's name has"),
        (AGENT.replace("Looks.", " "), plain, "harness.toml:3: agents.scout: description: 1 to 2000 bytes"),
        (AGENT.replace("agents.scout", "agents.count"), plain, "harness.toml:3: agents.count: a tool of tools/ has this name already"),
        (format!("{AGENT}budget = 3\n"), plain, "harness.toml:6: unknown field \"budget\""),
        (
            AGENT.to_owned(),
            "format = 1\nname = \"scout\"\n\n[agents.x]\ndescription = \"d\"\nharness = \"agents/x\"\n",
            "agents/scout/harness.toml:4: a sub-agent has no agents of its own",
        ),
        (
            AGENT.to_owned(),
            "format = 1\nname = \"scout\"\n[[processors]]\nuse = \"jugde\"\n",
            "agents/scout/harness.toml:3: unknown processor \"jugde\"; did you mean \"judge\"?",
        ),
        (AGENT.to_owned(), "format = 1\nnam = \"scout\"\n", "agents/scout/harness.toml:2: unknown field \"nam\""),
        ("[strategy]\nkind = \"reakt\"\n".to_owned(), plain, "harness.toml:3: strategy: unknown kind \"reakt\"; did you mean \"react\"?"),
        (
            "[strategy]\nkind = \"propose_and_vote\"\nvots = 3\n".to_owned(),
            plain,
            "harness.toml:3: propose_and_vote has no parameter \"vots\"; did you mean \"votes\"?",
        ),
        (
            "[memory]\nkind = \"retrieval\"\n[[processors]]\nuse = \"memory\"\n".to_owned(),
            plain,
            "harness.toml:3: group \"memory\" holds memory already",
        ),
    ];
    for (manifest, inner, expected) in cases {
        let run = TestRun::new();
        with_agent(&run, &manifest, inner);
        run.write("h/agents/empty/prompts/a.md", "x");
        run.write("h/tools/count.toml", "name = \"count\"\ndescription = \"d\"\nargv = [\"wc\"]\n");
        let ran = run.run(&["check", "h"]);
        assert!(ran.exit == 3 && ran.err.contains(expected), "{expected}\n{}", ran.err);
    }
}

const GREET: &str = "[[processors]]\nuse = \"system_prompt\"\n";

/// The first task sends the scout, the second does not.
fn errands(run: &TestRun) {
    let call = |name: &str, field: &str| json!({ "tool_calls": [{ "name": name, "arguments": { field: "look" } }] });
    let lines = [
        answer(json!({ "system_contains": "scout", "turn": 0 }), call("echo", "text")),
        answer(json!({ "system_contains": "scout" }), json!({ "text": "nothing there" })),
        answer(json!({ "contains": "Task 1", "turn": 0 }), call("scout", "task")),
        answer(json!({ "turn": 0 }), call("echo", "text")),
        answer(json!({}), json!({ "text": "done" })),
    ];
    run.write("s.jsonl", &lines.join("\n"));
    with_agent(run, AGENT, &format!("{HEAD}{GREET}"));
    run.write("h/agents/scout/prompts/system.md", "You are a scout.");
}

#[test]
fn a_dry_replay_is_touched_by_a_sub_agent_only_where_it_is_called() {
    let run = TestRun::new();
    errands(&run);
    let ran = run.run(&["run", "--bench", "echo", "--harness", "h", "--model", "scripted:s.jsonl", "--limit", "40", "--run", "r"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let benchmark = Benchmark::parse(include_str!("../../benchmarks/echo/benchmark.toml"), Path::new("benchmarks/echo")).unwrap();
    let roles = [ModelRole::Main].into();
    let replay = Replay { roles, seed: 1, sampling: Sampling::default(), limits: Limits { steps: Some(60), ..Limits::default() } };
    let touches = || {
        let (harness, lines) = harness_dir::read(&run.path().join("h")).unwrap();
        let assembly = Assembly::new(harness, &lines).ok().unwrap();
        let mut found = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(run.path().join("r/R0/trajectories")).unwrap() {
            let path = entry.unwrap().path();
            let records = records(&path);
            let Record::Episode { key, .. } = &records[0] else { panic!("no episode") };
            let task = benchmark.tasks.iter().find(|task| task.task.id == key.task).unwrap();
            let is_called = records.iter().any(|record| matches!(record, Record::Tool { source: ToolSource::Agent, .. }));
            let touch = replay.touches(&assembly, task, &path).unwrap();
            if is_called { found.0.push(touch) } else { found.1.push(touch) }
        }
        assert!(!found.0.is_empty() && !found.1.is_empty(), "{found:?}");
        found
    };
    let all = |touches: &[Touch], expected: &Touch| touches.iter().all(|touch| touch == expected);
    let (called, not) = touches();
    assert!(all(&called, &Touch::None) && all(&not, &Touch::None), "unchanged: {called:?} {not:?}");
    run.write("h/agents/scout/prompts/system.md", "You are a good scout.");
    let (called, not) = touches();
    assert!(all(&called, &Touch::Differs) && all(&not, &Touch::None), "another prompt: {called:?} {not:?}");
    run.write("h/agents/scout/prompts/system.md", "You are a scout.");
    run.write("h/harness.toml", &format!("{HEAD}{}", AGENT.replace("Looks.", "Looks well.")));
    let (called, not) = touches();
    assert!(all(&called, &Touch::Differs) && all(&not, &Touch::Differs), "another list of tools: {called:?} {not:?}");
}

#[test]
fn what_breaks_in_a_sub_agent_is_the_harness_s_failure() {
    let run = TestRun::new();
    errands(&run);
    run.write("h/agents/scout/harness.toml", &format!("{HEAD}{GREET}[[processors]]\nuse = \"judge\"\n"));
    let play = ["run", "--bench", "echo", "--harness", "h", "--model", "scripted:s.jsonl", "--limit", "40", "--run", "r"];
    let ran = run.run(&play);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let ends: Vec<Ending> = results(&run.path().join("r")).into_iter().map(|line| line.result.end).collect();
    assert!(ends.iter().any(|end| matches!(end, Ending::HarnessFault { part, .. } if part == "scout/judge")), "{ends:?}");
}

#[test]
fn votes_and_plans_play_on_the_command_line() {
    let run = TestRun::new();
    let call = json!({ "tool_calls": [{ "name": "echo", "arguments": { "text": "x" } }] });
    let plan = answer(json!({ "contains": "Write a short plan" }), json!({ "text": "1. echo" }));
    run.write("s.jsonl", &[plan, answer(json!({ "turn": 0 }), call), answer(json!({}), json!({ "text": "done" }))].join("\n"));
    for (kind, part) in [("propose_and_vote", "took the action of 2 of 2 replies"), ("plan_then_act", "Plan:")] {
        run.write("h/harness.toml", &format!("{HEAD}[strategy]\nkind = \"{kind}\"\n"));
        let ran = run.run(&["run", "--bench", "echo", "--model", "scripted:s.jsonl", "--limit", "1", "--harness", "h", "--run", kind]);
        assert_eq!(ran.exit, 0, "{}", ran.err);
        let shown = run.run(&["show", &trace(&run, kind).display().to_string(), "--full"]).out;
        assert!(shown.contains(part), "{shown}");
    }
}
