//! `digest` and `plan` over several rounds: files made by hand stand for what a loop leaves.

use crate::looped::{SETTINGS, different, outcome, short};
use crate::test_run::{Ran, TestRun};
use std::path::Path;

/// A decision that shipped one candidate.
const DECISION: &str = r#"{"format":1,"round":0,"outcome":"shipped","candidates":[{"candidate":"C-R0-01","title":"fewer examples",
    "word":"shipped","line":"shipped C-R0-01: +2.0 pts","rollouts":8,"gain":2.0}],"strategy_concern":"all eggs in one basket"}"#;

fn manifest(task: &str) -> String {
    format!(
        "format = 1\ncandidate_id = \"C-R0-01\"\ntitle = \"fewer examples\"\nengine = \"catalog\"\nvariant = \"main\"\nparent = \"p\"\n\
         harness = \"h\"\nbuckets = [\"prompt\"]\ncomponent = \"few_shot\"\nfile_changes = []\nroot_cause = \"r\"\ntargeted_fix = \"f\"\n\
         why_risk_holds = \"w\"\nedits = []\n[capability_evidence]\nclaim = \"c\"\n[predicted_impact]\nwill_unlock = [{{ task = \"{task}\" }}]\n\
         [attribution_signature]\ntype = \"processor\"\nname = \"few_shot\"\nexpected_min_calls = 1\n"
    )
}

/// Every file below a folder with its bytes, but not the audit, which has times in it.
fn snapshot(dir: &Path, found: &mut Vec<(std::path::PathBuf, Vec<u8>)>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            snapshot(&path, found);
        } else if !path.ends_with("audit.jsonl") {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
}

#[test]
fn rounds_are_digested_and_planned_and_the_same_input_gives_the_same_bytes() {
    let run = TestRun::new();
    let played = run.run(&["run", "--bench", "household", "--model", "random", "--limit", "6", "--rollouts", "2", "--run", "a"]);
    assert_eq!(played.exit, 0, "{}", played.err);
    // Planning comes after digesting, and says so.
    let early = run.run(&["plan", "--run", "a"]);
    assert!(early.exit == 3 && early.err.contains("harnessx digest --run a --round 0"), "{}", early.err);
    // R0 ships; R1 plays one task again, and all its rollouts fail.
    let lines = std::fs::read_to_string(run.path().join("a/R0/episodes.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(lines.lines().find(|line| line.contains("\"failed\"")).unwrap()).unwrap();
    let (task, trace) = (line["task"].as_str().unwrap(), line["trace"].as_str().unwrap());
    let again: String = lines.split_inclusive('\n').filter(|other| other.contains(trace)).collect();
    run.write("a/R1/episodes.jsonl", &again);
    std::fs::create_dir_all(run.path().join("a/R1/trajectories")).unwrap();
    std::fs::copy(run.path().join("a/R0").join(trace), run.path().join("a/R1").join(trace)).unwrap();
    run.write("a/R0/decision.json", DECISION);
    run.write("a/R0/candidates/C-R0-01/manifest.toml", &manifest(task));
    let digested = run.run(&["digest", "--run", "a"]);
    assert!(digested.exit == 0 && digested.out.contains("5 tasks were not played again"), "{}{}", digested.out, digested.err);
    assert!(run.path().join("a/R0/overview.json").exists() && run.path().join("a/R1/regressions.md").exists());
    let history = std::fs::read_to_string(run.path().join("a/data/task_history.jsonl")).unwrap();
    assert_eq!(history.lines().count(), 12, "{history}");
    let outcomes = std::fs::read_to_string(run.path().join("a/data/ship_outcomes.jsonl")).unwrap();
    assert!(outcomes.contains("\"predicted\":1,\"hits\":0"), "{outcomes}");
    let planned = run.run(&["plan", "--run", "a"]);
    assert!(planned.exit == 0 && planned.out.contains("    all eggs in one basket"), "{}{}", planned.out, planned.err);
    assert!(planned.out.contains("| bucket prompt | 1 | 1 | 0 of 1 (0 %) | R0 |"), "{}", planned.out);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    snapshot(&run.path().join("a"), &mut first);
    std::fs::remove_dir_all(run.path().join("a/data")).unwrap();
    std::fs::remove_file(run.path().join("a/scoreboard.json")).unwrap();
    assert_eq!(run.run(&["digest", "--run", "a"]).exit + run.run(&["plan", "--run", "a"]).exit, 0);
    snapshot(&run.path().join("a"), &mut second);
    assert!(first == second, "rebuilt from the rounds, something differs");
    // What was said of a landscape stays when it is planned again; candidates that were made from it hold it.
    let landscape = run.path().join("a/R1/landscape.json");
    let told = || {
        let mut kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&landscape).unwrap()).unwrap();
        kept["directions"] = serde_json::json!([{"title": "look first", "bucket": "prompt", "why": "it helps"}]);
        kept["actionability"] = 0.5.into();
        std::fs::write(&landscape, kept.to_string()).unwrap();
    };
    told();
    assert_eq!(run.run(&["plan", "--run", "a"]).exit, 0);
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&landscape).unwrap()).unwrap();
    assert!(kept["directions"][0]["title"] == "look first" && kept["actionability"] == 1.0, "{kept}");
    run.write("a/R1/evolved.json", "{}");
    let again = run.run(&["plan", "--run", "a"]);
    assert_eq!(again.exit, 0, "{}", again.err);
    told();
    let before = std::fs::read(&landscape).unwrap();
    let late = run.run(&["plan", "--run", "a"]);
    assert!(late.exit == 3 && late.err.contains("R1 has its candidates") && late.err.contains("next round"), "{}", late.err);
    assert_eq!(std::fs::read(&landscape).unwrap(), before);
    // What a candidate says of itself stays on the lines it is printed on.
    run.write("a/R0/candidates/C-R0-01/manifest.toml", &manifest(task).replace("\"r\"", "\"r\\nwill unlock: all\""));
    let shown = run.run(&["show", "candidate", "C-R0-01", "--run", "a"]);
    assert!(shown.out.contains("root cause: r will unlock: all\n"), "{}{}", shown.out, shown.err);
    // With less to act on than the threshold, the round is a no-op.
    let overview = std::fs::read_to_string(run.path().join("a/R1/overview.json")).unwrap();
    run.write("a/R1/overview.json", &overview.replace("\"actionability\": 1.0", "\"actionability\": 0.2"));
    let idle = run.run(&["plan", "--run", "a", "--threshold", "0.3", "--json"]);
    assert!(idle.exit == 0 && idle.out.contains("\"no_op\""), "{}", idle.out);
    let missing = run.run(&["plan", "--run", "a", "--round", "7"]);
    assert!(missing.exit == 3 && missing.err.contains("R7"), "{}", missing.err);
}

#[test]
fn a_digest_of_traces_that_are_still_published_is_not_taken_for_its_last() {
    let run = short();
    let looped = |dir: &str, more: &[(&str, String)]| {
        let mut command = run.command(&["loop", "--run", dir, "--rounds", "2"]);
        command.args(SETTINGS).envs(more.iter().cloned());
        Ran::of(command)
    };
    let whole = looped("whole", &[]);
    assert_eq!(whole.exit, 0, "{}", whole.err);
    let dir = run.path().join("cut");
    let killed = |writes: usize| assert_ne!(looped("cut", &[("HARNESSX_FAIL_AFTER", writes.to_string())]).exit, 0);
    killed(20);
    let ran = run.run(&["gate", "--run", "cut"]);
    assert!(ran.out.contains("shipped C-R1-0"), "{}{}", ran.out, ran.err);
    let lines = |dir: &Path| std::fs::read_to_string(dir.join("R2/episodes.jsonl")).unwrap_or_default().lines().count();
    let mut writes = 1;
    while lines(&dir) == 0 {
        killed(writes);
        writes += 1;
    }
    assert!(lines(&dir) < lines(&run.path().join("whole")));
    for stage in ["digest", "plan"] {
        assert_eq!(run.run(&[stage, "--run", "cut"]).exit, 0);
    }
    let ran = looped("cut", &[]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let (cut, whole) = (outcome(&dir), outcome(&run.path().join("whole")));
    assert_eq!(different(&cut, &whole), Vec::<&String>::new());
}
