//! Engines on one run directory: what the meta-agent's sessions took is counted by role, another engine may go on with a run, and sessions
//! end with their tokens. The meta-agent is a script that says nothing of use, at a known price.

use crate::looped::{SETTINGS, short};
use crate::test_run::{Ran, TestRun};
use serde_json::Value;

/// What one session takes.
const REPLY: &str = r#"{"reply": {"text": "done", "usage": {"input_tokens": 100, "output_tokens": 10, "cost": 0.25}}}"#;

fn looped(run: &TestRun, more: &[&str]) -> Ran {
    let mut arguments = vec!["loop", "--run", "r", "--rounds", "2"];
    arguments.extend(SETTINGS.iter().filter(|flag| **flag != "--quiet"));
    arguments.extend(more);
    run.run(&arguments)
}

fn json(run: &TestRun, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(run.path().join("r").join(file)).unwrap()).unwrap()
}

#[test]
fn another_engine_goes_on_with_a_run_and_its_sessions_are_counted() {
    let run = short();
    run.write("m.jsonl", REPLY);
    // The catalog leaves the first round open, with candidates.
    let mut begun = run.command(&["loop", "--run", "r", "--rounds", "2"]);
    begun.args(SETTINGS).env("HARNESSX_FAIL_AFTER", "20");
    assert_ne!(Ran::of(begun).exit, 0);
    let ran = run.run(&["evolve", "--run", "r"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let meta = ["--engine", "aegis,random", "--model", "random", "--model", "meta=scripted:m.jsonl"];
    let ran = looped(&run, &meta);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.contains("candidates come from aegis,random from now on; until here they came from catalog"), "{}", ran.out);
    assert!(
        ran.err.contains("the candidates on file, by catalog, are judged; aegis,random proposes from the next round on"),
        "{}",
        ran.err
    );
    assert!(ran.out.contains("sessions  of the meta-agent, at most ") && ran.out.contains("planner 2 × 250,000"), "{}", ran.out);
    let (first, second) = (json(&run, "R1/round.json"), json(&run, "R2/round.json"));
    assert_eq!(second["engines"], "aegis,random");
    assert!(first["meta"].get("planner").is_none(), "{first}");
    let planner = &second["meta"]["planner"];
    assert_eq!((&planner["sessions"], &planner["usage"]["input_tokens"]), (&1.into(), &100.into()), "{second}");
    assert_eq!(second["meta"]["digester"]["calls"], 1, "{second}");
    // Candidates know who made them.
    let engines = json(&run, "scoreboard.json")["engines"].clone();
    assert!(engines["catalog"]["proposed"].as_u64() > Some(0) && engines["random"]["proposed"].as_u64() > Some(0), "{engines}");
    // A session is no rollout: neither the estimate nor the digest takes it for one, and the page has it under its own name.
    let ran = run.run(&["report", "--run", "r", "--format", "json", "--output", "-"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["rounds"][2]["meta"], second["meta"]);
    let reading = &report["rounds"][2]["reading"];
    assert!(reading["in_session"] == true && reading["trace_tokens"].as_u64() > reading["shown_tokens"].as_u64(), "{reading}");
    assert!(!std::fs::read_to_string(run.path().join("r/R2/overview.md")).unwrap().contains("planner"));
    let ran = run.run(&["report", "--run", "r", "--format", "md", "--output", "-"]);
    for words in ["| meta-agent: planner | 1 |", "## Who proposed", "| catalog |", "the Planner's opening"] {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    // Who proposes stays as it is where nothing is said of it.
    let ran = looped(&run, &[]);
    assert!(ran.exit == 0 && !ran.out.contains("from now on"), "{} {}", ran.out, ran.err);
    assert!(std::fs::read_to_string(run.path().join("r/run.toml")).unwrap().contains("engine = \"aegis,random\""));
}

#[test]
fn sessions_end_with_their_tokens_and_so_does_a_run_that_needs_them() {
    let run = short();
    run.write("m.jsonl", REPLY);
    let meta = ["--engine", "aegis", "--model", "random", "--model", "meta=scripted:m.jsonl", "--set", "meta_tokens=150"];
    let ran = looped(&run, &meta);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.contains("at most 150 tokens (meta_tokens)"), "{}", ran.out);
    assert!(
        ran.out.contains("ended: the meta-agent's tokens are used up (meta_tokens), and no engine of this run goes on without it"),
        "{}",
        ran.out
    );
    assert_eq!(json(&run, "R1/decision.json")["reason"], "the meta-agent's tokens are used up (meta_tokens)");
    let ran = looped(&run, &["--engine", "catalog"]);
    assert!(ran.exit == 0 && run.path().join("r/R2/round.json").is_file(), "{} {}", ran.out, ran.err);
}
