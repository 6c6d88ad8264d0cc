//! A round played by hand: the loop waits at its desks; any role is exported, written and taken back; nothing sealed leaves the run.

use crate::looped::{SETTINGS, nothing_sealed_is_in, nothing_sealed_is_outside, short};
use crate::meta::{GREEDY, audit, meta_loop, stand_in};
use crate::meta_model::{Health, MetaModel};
use crate::meta_script::play;
use crate::test_run::{Ran, TestRun};
use serde_json::{Value, json};
use std::path::Path;

fn looped(run: &TestRun, more: &[&str]) -> Ran {
    let mut arguments = vec!["loop", "--run", "r", "--rounds", "1"];
    arguments.extend(more);
    arguments.extend(SETTINGS);
    run.run(&arguments)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn value(path: &Path) -> Value {
    serde_json::from_str(&text(path)).unwrap()
}

/// Puts a processor in front of the others.
fn edit(harness: &Path, processor: &str) {
    let path = harness.join("harness.toml");
    let with = text(&path).replacen("[[processors]]", &format!("{processor}\n\n[[processors]]"), 1);
    std::fs::write(path, with).unwrap();
}

const FILTER: &str = "[[processors]]\nuse = \"goal_term_filter\"\nparams = { verbs = ['^take (.+) from .+$'] }";

/// A run that has its settings and its baseline, and no more.
fn begun(engine: &str) -> TestRun {
    let run = short();
    let mut begun = run.command(&["loop", "--run", "r", "--rounds", "1", "--engine", engine]);
    begun.args(SETTINGS).env("HARNESSX_FAIL_AFTER", "20");
    assert_ne!(Ran::of(begun).exit, 0);
    run
}

#[test]
fn a_loop_waits_for_a_person_and_goes_on() {
    let run = short();
    let wait = || looped(&run, &["--engine", "command"]);
    let ran = wait();
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.contains("R1 waits for candidates made by hand") && ran.out.contains("the same command continues"), "{}", ran.out);
    assert!(!ran.out.contains("held-out tasks, never seen"), "{}", ran.out);
    let desks = run.path().join("r/R1/desk");
    let count = std::fs::read_dir(&desks).unwrap().count();
    assert!(text(&desks.join("1/README.md")).contains("Candidate C-R1-01"));
    nothing_sealed_is_outside(&run.path().join("r"));
    // What does not hold goes back with the reason; what was written stays.
    edit(&desks.join("1/harness"), "[[processors]]\nuse = \"goal_turn_filter\"");
    for number in 2..=count {
        run.write(&format!("r/R1/desk/{number}/skip"), "");
    }
    run.write("r/R1/desk/1/done", "");
    let mut loud = vec!["loop", "--run", "r", "--rounds", "1", "--engine", "command"];
    loud.extend(SETTINGS.iter().filter(|flag| **flag != "--quiet"));
    let ran = run.run(&loud);
    assert!(ran.exit == 0 && ran.out.contains("R1 waits for candidates made by hand"), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("C-R1-01 is not taken: ") && ran.err.contains("r/R1/desk/1/log.txt says more"), "{}", ran.err);
    assert!(text(&desks.join("1/log.txt")).contains("not taken: harness/harness.toml:"), "{}", text(&desks.join("1/log.txt")));
    assert!(!desks.join("1/done").exists());
    let mended = text(&desks.join("1/harness/harness.toml")).replace("[[processors]]\nuse = \"goal_turn_filter\"", FILTER);
    run.write("r/R1/desk/1/harness/harness.toml", &mended);
    run.write("r/R1/desk/1/statement.toml", "title = \"take only what the goal names\"\n");
    run.write("r/R1/desk/1/done", "");
    let ran = wait();
    assert!(ran.exit == 0 && ran.out.contains("C-R1-01"), "{}{}", ran.out, ran.err);
    let shown = run.run(&["show", "candidate", "C-R1-01", "--run", "r"]).out;
    assert!(shown.contains("take only what the goal names") && shown.contains("proposed by command"), "{shown}");
    assert!(run.path().join("r/R1/round.json").exists());
}

#[test]
fn each_role_is_exported_written_and_taken_back() {
    let run = begun("catalog");
    let ran = run.run(&["export", "round", "hand", "--run", "r"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let hand = run.path().join("hand");
    nothing_sealed_is_in(&run.path().join("r"), &hand);
    for file in ["README.md", "digester/overview.md", "planner/landscape.md", "evolver/1/README.md", "evolver/1/harness/harness.toml"] {
        assert!(hand.join(file).is_file(), "{file} is missing");
    }
    assert!(!hand.join("critic").exists());
    assert!(run.run(&["export", "round", "hand", "--run", "r"]).err.contains("there is something already"));
    assert!(run.run(&["export", "round", "other", "--run", "r", "--round", "7"]).err.contains("R7 is not open; R1 is next"));
    // Words that are nowhere, a gate task, a broken edit: nothing is taken, everything is said.
    let overview = value(&hand.join("digester/overview.json"));
    let about = overview["clusters"][0]["name"].as_str().unwrap_or("all").to_owned();
    let digest = value(&hand.join("digester/digests/001.json"));
    let signal = &digest["signals"][0];
    let evidence = json!({"kind": signal["kind"], "anchor": signal["anchor"], "snippet": signal["snippet"]});
    let diagnoses = |evidence: &Value| json!({"diagnoses": [{"about": about, "cause": "it wanders", "bias": {"bucket": "processor", "element": "none"}, "evidence": [evidence]}]});
    let invented = json!({"kind": signal["kind"], "anchor": signal["anchor"], "snippet": "nobody said this"});
    run.write("hand/digester/diagnoses.json", &diagnoses(&invented).to_string());
    let gate = value(&run.path().join("r/sealed/gate_state.json"));
    let sealed = gate["tasks"].as_array().unwrap().iter().find(|task| task["split"] == "gate").unwrap()["id"].clone();
    let directions = |task: &Value| json!({"directions": [{"title": "narrow", "bucket": "processor", "why": "it wanders", "tasks": [task], "evidence": []}]});
    run.write("hand/planner/directions.json", &directions(&sealed).to_string());
    edit(&hand.join("evolver/1/harness"), "[[processors]]\nuse = \"nothing\"");
    let ran = run.run(&["import", "--run", "r", "hand"]);
    for part in [
        "digester/diagnoses.json, entry 1: no snippet was found",
        "planner/directions.json, entry 1: there is no train task",
        "evolver/1: harness/harness.toml:",
    ] {
        assert!(ran.exit == 3 && ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert!(!run.path().join("r/R1/diagnoses.json").exists() && !run.path().join("r/R1/evolved.json").exists());
    // No candidate is there for a Critic, nor for what needs none.
    let rest = ["hand/digester/diagnoses.json", "hand/planner/directions.json"].map(|name| run.path().join(name));
    for path in &rest {
        std::fs::remove_file(path).unwrap();
    }
    let broken = text(&hand.join("evolver/1/harness/harness.toml"));
    run.write("hand/evolver/1/harness/harness.toml", &broken.replace("[[processors]]\nuse = \"nothing\"\n\n", ""));
    run.write("hand/critic/reviews.json", "{\"reviews\": [], \"concern\": \"too early\"}");
    run.write("hand/evolver/1/justified.json", &json!({digest["task"].as_str().unwrap(): "it is hard"}).to_string());
    let ran = run.run(&["import", "--run", "r", "hand"]);
    for part in ["R1 has no Critic to play", "justified.json counts with a candidate of the same folder only"] {
        assert!(ran.exit == 3 && ran.err.contains(part), "{part}: {}", ran.err);
    }
    assert!(!run.path().join("r/R1/review-1.json").exists());
    std::fs::remove_file(hand.join("critic/reviews.json")).unwrap();
    run.write("hand/evolver/1/harness/harness.toml", &broken);
    // The same, mended.
    run.write("hand/digester/diagnoses.json", &diagnoses(&evidence).to_string());
    run.write("hand/planner/directions.json", &directions(&digest["task"]).to_string());
    let mended = text(&hand.join("evolver/1/harness/harness.toml")).replace("[[processors]]\nuse = \"nothing\"", FILTER);
    run.write("hand/evolver/1/harness/harness.toml", &mended);
    let ran = run.run(&["import", "--run", "r", "hand"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let readme = text(&hand.join("README.md"));
    assert!(readme.contains("No engine makes more") && ran.err.contains("no engine makes more"), "{readme}{}", ran.err);
    for part in ["taken: 1 diagnoses, 0 pieces", "taken: 1 directions", "taken: C-R1-01: an edit by hand"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let landscape = value(&run.path().join("r/R1/landscape.json"));
    assert_eq!((&landscape["diagnoses"][0]["cause"], &landscape["directions"][0]["title"]), (&json!("it wanders"), &json!("narrow")));
    the_critic_is_played(&run);
}

/// Then the Critic, who rejects it; the loop goes on from there.
fn the_critic_is_played(run: &TestRun) {
    let ran = run.run(&["import", "--run", "r", "hand"]);
    assert!(ran.exit == 3 && ran.err.contains("has its candidates already"), "{}", ran.err);
    let ran = run.run(&["export", "round", "judge", "--run", "r"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let judge = run.path().join("judge");
    nothing_sealed_is_in(&run.path().join("r"), &judge);
    assert!(!judge.join("evolver").exists() && text(&judge.join("critic/candidates/C-R1-01.md")).contains("goal_term_filter"));
    let review = |id: &str, word: &str| json!({"reviews": [{"candidate": id, "word": word, "reason": "too narrow", "interaction": "none"}], "concern": "look at looks"});
    run.write("judge/critic/reviews.json", &review("C-R1-02", "pass").to_string());
    assert!(run.run(&["import", "--run", "r", "judge"]).err.contains("critic/reviews.json, entry 1: there is no candidate \"C-R1-02\""));
    run.write("judge/critic/reviews.json", &review("C-R1-01", "revise").to_string());
    assert!(run.run(&["import", "--run", "r", "judge"]).err.contains("a revision cannot be asked for"));
    run.write("judge/critic/reviews.json", &review("C-R1-01", "reject").to_string());
    let ran = run.run(&["import", "--run", "r", "judge"]);
    assert!(ran.exit == 0 && ran.out.contains("taken: 1 reviews, and a concern"), "{}{}", ran.out, ran.err);
    // An afterthought takes nothing back.
    run.write("judge/critic/reviews.json", "{\"reviews\": [], \"concern\": \"never mind\"}");
    let ran = run.run(&["import", "--run", "r", "judge"]);
    assert!(ran.exit == 3 && ran.err.contains("R1 has no Critic to play: it has spoken"), "{}{}", ran.out, ran.err);
    let ran = looped(run, &["--engine", "catalog"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(!run.path().join("r/R1/candidates/C-R1-02").exists());
    let critique = value(&run.path().join("r/R1/critique.json"));
    assert_eq!(critique["rejected"][0][1], "the Critic: too narrow");
    assert!(critique["strategy_concern"].as_str().unwrap().contains("look at looks"));
    assert!(run.run(&["export", "round", "late", "--run", "r"]).err.contains("no round is open"), "the run is over");
}

#[test]
fn what_was_sent_back_waits_for_nobody_where_no_evolver_sits() {
    let run = begun("catalog");
    assert_eq!(run.run(&["evolve", "--run", "r"]).exit, 0);
    let manifest = text(&run.path().join("r/R1/candidates/C-R1-01/manifest.toml"));
    let harness = manifest.lines().find_map(|line| line.strip_prefix("harness = ")).unwrap().trim_matches('"');
    let review = json!({"candidate": "C-R1-01", "word": "revise", "reason": "say more", "interaction": "none", "harness": harness});
    run.write("r/R1/review-1.json", &json!({"format": 1, "reviews": [review], "ranking": [], "refused": 0}).to_string());
    let ran = run.run(&["critique", "--run", "r"]);
    assert!(ran.exit == 0 && ran.err.contains("no Evolver is there to change what the Critic sent back"), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("C-R1-01 is rejected: the Critic wanted a change that nobody made: say more"), "{}", ran.out);
}

#[test]
fn a_finished_desk_is_mended_by_its_person_where_a_program_came_in_between() {
    let run = short();
    assert_eq!(looped(&run, &["--engine", "command"]).exit, 0);
    let desks = run.path().join("r/R1/desk");
    for number in 1..=std::fs::read_dir(&desks).unwrap().count() {
        run.write(&format!("r/R1/desk/{number}/{}", if number == 1 { "done" } else { "skip" }), "");
    }
    edit(&desks.join("1/harness"), "[[processors]]\nuse = \"goal_turn_filter\"");
    run.write("agent.sh", "exit 0");
    let ran = looped(&run, &["--engine", "command", "--engine-command", "sh agent.sh"]);
    assert!(ran.exit == 0 && ran.out.contains("R1 waits for candidates made by hand"), "{}{}", ran.out, ran.err);
    assert!(!desks.join("1/done").exists() && text(&desks.join("1/log.txt")).contains("not taken"));
}

#[test]
fn a_person_plans_and_the_meta_agent_plays_the_other_roles() {
    let run = short();
    let model = MetaModel::start(|asked| play(asked, &[]));
    run.write("settings.toml", &model.settings("openai"));
    model.set(Health::Dying(0));
    assert_eq!(meta_loop(&run, &GREEDY, "aegis", "1", "r").exit, 4);
    assert_eq!(run.run(&["export", "round", "hand", "--run", "r"]).exit, 0);
    let filter = json!({"directions": [{"title": "filter", "bucket": "processor", "why": "it wanders", "tasks": [], "evidence": []}]});
    run.write("hand/planner/directions.json", &filter.to_string());
    let ran = run.run(&["import", "--run", "r", "hand"]);
    assert!(ran.exit == 0 && ran.out.contains("taken: 1 directions"), "{}{}", ran.out, ran.err);
    model.set(Health::Well);
    let ran = meta_loop(&run, &GREEDY, "aegis", "1", "r");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let landscape = value(&run.path().join("r/R1/landscape.json"));
    assert_eq!((&landscape["directions"][0]["title"], landscape["diagnoses"].as_array().map(Vec::len)), (&json!("filter"), Some(2)));
    let lines = audit(&run.path().join("r"));
    stand_in(&lines, &["digester session ended", "evolver-1 propose Offer only what was asked for", "critic-1 session ended"]);
    assert!(lines.iter().all(|line| !line.starts_with("planner session")), "{lines:?}");
}

#[test]
fn the_rules_are_repeated_without_a_trace() {
    let run = begun("catalog");
    assert_eq!(run.run(&["evolve", "--run", "r"]).exit, 0);
    let dir = run.path().join("r");
    let audit = text(&dir.join("audit.jsonl"));
    let open = run.run(&["critique", "--rules", "--run", "r"]);
    assert!(open.exit == 0 && open.out.contains("R1, by the rules alone"), "{}{}", open.out, open.err);
    assert!(!dir.join("R1/critique.json").exists());
    assert_eq!(audit, text(&dir.join("audit.jsonl")));
    // What the stage then writes is what the rules say, then and later.
    let absent = run.run(&["critique", "--rules", "--run", "r", "--round", "7"]);
    assert!(
        absent.exit == 3 && absent.err.contains("look over R7: the run has no such round") && absent.err.contains("it has R0, R1"),
        "{}",
        absent.err
    );
    let written = run.run(&["critique", "--run", "r"]);
    assert!(written.exit == 0 && open.out.contains(&written.out), "{}\n{}", open.out, written.out);
    assert!(dir.join("R1/critique.md").exists());
    assert_eq!(looped(&run, &["--engine", "catalog"]).exit, 0);
    let after = text(&dir.join("audit.jsonl"));
    assert_eq!(run.run(&["critique", "--rules", "--run", "r", "--round", "1"]).out, open.out);
    assert_eq!(after, text(&dir.join("audit.jsonl")));
}

/// Changes a file of a run; what stood there before.
fn changed(path: &Path, change: impl FnOnce(&str) -> String) -> String {
    let before = text(path);
    std::fs::write(path, change(&before)).unwrap();
    before
}

#[test]
fn files_that_say_what_is_done_are_of_a_known_version() {
    let run = begun("catalog");
    assert_eq!(run.run(&["critique", "--run", "r"]).exit, 0);
    let dir = run.path().join("r");
    let other = |before: &str| before.replacen("\"format\": 1", "\"format\": 2", 1).replacen("format = 1", "format = 2", 1);
    for name in ["run.toml", "sealed/standing.json", "R1/evolved.json", "R1/critique.json"] {
        let path = dir.join(name);
        let before = changed(&path, other);
        let ran = run.run(&["critique", "--run", "r"]);
        assert!(ran.exit == 3 && ran.err.contains(&format!("{name}:1: format 2 is not known here")), "{name}: {}{}", ran.out, ran.err);
        std::fs::write(path, before).unwrap();
    }
    // Of a run that was begun before these said their version.
    for name in ["run.toml", "sealed/standing.json", "R1/critique.json"] {
        changed(&dir.join(name), |before| before.replacen("\"format\": 1,", "", 1).replacen("format = 1", "", 1));
    }
    let ran = run.run(&["critique", "--run", "r"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    std::fs::remove_file(dir.join("R1/critique.json")).unwrap();
    run.write("r/R1/review-1.json", "{\"format\": 2, \"colours\": 3}");
    let ran = run.run(&["critique", "--run", "r"]);
    assert!(ran.exit == 3 && ran.err.contains("review-1.json:1: format 2 is not known here"), "{}", ran.err);
}

#[test]
fn a_stray_file_among_the_candidates_stops_nothing() {
    let run = begun("catalog");
    assert_eq!(run.run(&["evolve", "--run", "r"]).exit, 0);
    run.write("r/R1/candidates/.DS_Store", "x");
    run.write("r/R1/candidates/notes", "x");
    let ran = run.run(&["critique", "--run", "r"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
}

/// The traces of the baseline.
fn traces_of(run: &TestRun) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(run.path().join("r/R0/trajectories")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_trace_that_cannot_be_read_is_nobodys_fault_but_ends_the_stage() {
    let run = begun("catalog");
    assert_eq!(run.run(&["export", "round", "out", "--run", "r"]).exit, 0);
    let evolved = run.path().join("r/R1/evolved.json");
    let before: Vec<String> =
        traces_of(&run).iter().map(|path| changed(path, |before| format!("{before}{{\"record\":\"strange\"}}\n"))).collect();
    let ran = run.run(&["evolve", "--run", "r"]);
    assert!(ran.exit == 3 && ran.err.contains("replay an episode: ") && ran.err.contains("strange"), "{}{}", ran.out, ran.err);
    assert!(!evolved.exists());
    for (path, text) in traces_of(&run).iter().zip(before) {
        std::fs::write(path, text).unwrap();
    }
    let ran = run.run(&["evolve", "--run", "r"]);
    assert!(ran.exit == 0 && ran.out.contains("C-R1-01"), "{}{}", ran.out, ran.err);
    assert!(evolved.exists());
    // What the candidates quote cannot be looked up: that makes no liars of them.
    let broken: Vec<String> = traces_of(&run).iter().map(|path| changed(path, |_| "{\n".to_owned())).collect();
    assert_eq!(run.run(&["critique", "--run", "r"]).exit, 3);
    assert!(!run.path().join("r/R1/critique.json").exists());
    for (path, text) in traces_of(&run).iter().zip(broken) {
        std::fs::write(path, text).unwrap();
    }
    std::fs::rename(run.path().join("r/R0/trajectories"), run.path().join("aside")).unwrap();
    let ran = run.run(&["critique", "--run", "r"]);
    assert!(ran.exit == 3 && ran.err.contains("it is on record, and the file is gone") && ran.err.contains("hint:"), "{}", ran.err);
    std::fs::rename(run.path().join("aside"), run.path().join("r/R0/trajectories")).unwrap();
    assert_eq!(run.run(&["critique", "--run", "r"]).exit, 0);
}
