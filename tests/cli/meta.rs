//! `loop` with a meta-agent, end to end: a scripted model on loopback plays Digester, Planner, Evolvers and Critic, blunders and cheats.
//! What ships, what is caught, and at which step.

use crate::looped::{different, nothing_sealed_is_outside, outcome, short};
use crate::meta_model::{Asked, Health, MetaModel, Part, on_file};
use crate::meta_script::{CONCERN, Directions, FINDINGS, found, many, play};
use crate::test_run::{Ran, TestRun};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// A loop over a few tasks of the household, judged by the gate with four candidates a round.
const GATED: [&str; 13] = [
    "--bench",
    "household",
    "--profile",
    "standard",
    "--set",
    "alpha=0.6",
    "--set",
    "budget=8",
    "--set",
    "train=16",
    "--set",
    "gate=8",
    "--yes",
];

/// A loop over a few short tasks with two candidates a round; whatever looks better ships.
pub const GREEDY: [&str; 10] = ["--bench", "short", "--profile", "quick", "--mode", "greedy", "--set", "train=4", "--set", "gate=3"];

/// Runs `loop` with a random chooser for the tasks and the scripted model for the meta-agent.
pub fn meta_loop(run: &TestRun, settings: &[&str], engine: &str, rounds: &str, dir: &str) -> Ran {
    Ran::of(command(run, settings, engine, rounds, dir))
}

fn command(run: &TestRun, settings: &[&str], engine: &str, rounds: &str, dir: &str) -> std::process::Command {
    let mut arguments = vec!["loop", "--run", dir, "--engine", engine, "--rounds", rounds, "--model", "random", "--model", "meta=meta"];
    arguments.extend(["--config", "settings.toml", "--seed", "3", "--set", "heldout=1", "--quiet"]);
    arguments.extend(settings);
    run.command(&arguments)
}

pub fn json(path: &Path) -> Value {
    assert!(path.exists(), "{} is missing", path.display());
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Lines of the audit as `stage what detail`.
pub fn audit(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("audit.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let word = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    lines.map(|line| format!("{} {} {}", word(&line, "stage"), word(&line, "what"), word(&line, "detail"))).collect()
}

/// That each of these is part of a line.
pub fn stand_in(lines: &[String], wanted: &[&str]) {
    for words in wanted {
        assert!(lines.iter().any(|line| line.contains(words)), "{words:?} is nowhere in\n{}", lines.join("\n"));
    }
}

const TWO_ROUNDS: Directions = &[&["filter", "forged", "goals", "limits"], &["closing", "nothing", "refusal", "plain"]];

fn rejected(critique: &Value, id: &str) -> String {
    let found = critique["rejected"].as_array().unwrap().iter().find(|pair| pair[0] == id);
    found.map_or_else(String::new, |pair| pair[1].as_str().unwrap().to_owned())
}

#[test]
fn honest_work_ships_through_the_gate_and_tricks_are_caught() {
    let run = TestRun::new();
    let model = MetaModel::start(|asked| play(asked, TWO_ROUNDS));
    model.set(Health::Stumbling);
    run.write("settings.toml", &model.settings("openai"));
    let ran = meta_loop(&run, &GATED, "aegis", "2", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    assert!(model.stumbled() > 0);
    let dir = run.path().join("run");
    assert!(ran.out.contains("shipped C-R1-01") && ran.out.contains("fresh paired"), "{}", ran.out);
    first_round(&dir);
    second_round(&dir);
    what_is_shown_is_capped(&model.heard());
    nothing_sealed_is_outside(&dir);
}

fn first_round(dir: &Path) {
    let lines = audit(dir);
    let diagnoses = json(&dir.join("R1/diagnoses.json"));
    assert_eq!((diagnoses["diagnoses"].as_array().unwrap().len(), &diagnoses["dropped"], &diagnoses["refused"]), (2, &3.into(), &1.into()));
    assert_eq!(diagnoses["diagnoses"][0]["evidence"].as_array().unwrap().len(), 1);
    let landscape = json(&dir.join("R1/landscape.json"));
    let titles: Vec<&str> = landscape["directions"].as_array().unwrap().iter().map(|line| line["title"].as_str().unwrap()).collect();
    assert_eq!(titles, TWO_ROUNDS[0]);
    stand_in(
        &lines,
        &[
            "digester refused open_browser: the digester has no such tool",
            "digester refused read_file sealed/gate_state.json: read \"sealed/gate_state.json\" of the run: refused",
            "digester refused diagnose: not taken: the arguments do not fit",
            "digester refused diagnose all silent_drop: dropped: no snippet was found",
            "planner refused direct ghost: dropped: there is no train task \"nowhere/100\"",
            "planner refused write_harness: the planner has no such tool",
            "evolver-4 refused propose Think longer: dropped: the smoke test fails at replay",
            "evolver-1 propose Offer only what was asked for",
            "evolver-1 write_harness harness.toml",
            "evolver-4 session ended, ",
            "critic-1 refused review C-R9-99",
            "critic-2 refused review C-R1-04: not taken: a revision cannot be asked for now",
            "revision-4 refused read_file R1//candidates/C-R1-01/manifest.toml",
        ],
    );
    let critique = json(&dir.join("R1/critique.json"));
    assert!(rejected(&critique, "C-R1-02").contains("a ready answer"), "{critique}");
    assert!(rejected(&critique, "C-R1-03").contains("words of train task"), "{critique}");
    assert_eq!(critique["ship_ranking"][0], "C-R1-01");
    assert_eq!(json(&dir.join("R1/review-1.json"))["reviews"][1]["word"], "revise");
    assert_eq!(json(&dir.join("R1/revised.json")), serde_json::json!({ "format": 1, "candidates": ["C-R1-04"] }));
    let revised = std::fs::read_to_string(dir.join("R1/candidates/C-R1-04/manifest.toml")).unwrap();
    assert!(revised.contains("Work in order, and look"), "{revised}");
}

fn second_round(dir: &Path) {
    assert_eq!(json(&dir.join("R2/landscape.json"))["concern"], CONCERN);
    let critique = json(&dir.join("R2/critique.json"));
    assert!(rejected(&critique, "C-R2-01").contains("the words with which the environment ends"), "{critique}");
    assert_eq!(rejected(&critique, "C-R2-04"), "the Critic: it says nothing new");
    let made = json(&dir.join("R2/evolved.json"));
    assert_eq!(made["candidates"], Value::from(vec!["C-R2-01", "C-R2-04"]));
}

/// Nothing that a model is shown is longer than its cap, and what is cut says so.
fn what_is_shown_is_capped(heard: &[Asked]) {
    assert!(heard.iter().all(|asked| asked.opening.chars().count() <= 48_000));
    let results: Vec<&String> = heard.iter().flat_map(|asked| &asked.results).collect();
    assert!(results.iter().all(|text| text.chars().count() <= 12_000));
    for words in ["[cut here: ask from step", " more; name a part of the trace's name in `within`]"] {
        assert!(results.iter().any(|text| text.contains(words)), "{words}");
    }
    let long = heard.iter().find(|asked| asked.part == Part::Critic && asked.opening.contains("Be careful")).unwrap();
    assert!(long.opening.contains(" letters are shown; read its files for the rest]"), "{}", long.opening);
    // A session that read an empty reply as the last word would have been over.
    assert!(heard.iter().any(|asked| asked.part == Part::Digester && asked.told.iter().any(|text| text.contains("could not be used"))));
}

const FILTER_AND_PLAIN: Directions = &[&["filter", "limits"]];

#[test]
fn engines_share_a_round_and_are_scored_apart() {
    let run = short();
    let model = MetaModel::start(|asked| play(asked, FILTER_AND_PLAIN));
    run.write("settings.toml", &model.settings("anthropic"));
    let ran = meta_loop(&run, &GREEDY, "aegis,catalog", "2", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let dir = run.path().join("run");
    let engines: Vec<String> = ["C-R1-01", "C-R1-02"]
        .map(|id| std::fs::read_to_string(dir.join(format!("R1/candidates/{id}/manifest.toml"))).unwrap())
        .iter()
        .map(|manifest| manifest.lines().find(|line| line.starts_with("engine = ")).unwrap().to_owned())
        .collect();
    assert_eq!(engines, ["engine = \"aegis\"", "engine = \"catalog\""]);
    let scores = json(&dir.join("scoreboard.json"));
    assert!(
        scores["engines"]["aegis"]["proposed"].as_u64() >= Some(1) && scores["engines"]["catalog"]["proposed"].as_u64() >= Some(1),
        "{scores}"
    );
    nothing_sealed_is_outside(&dir);
}

#[test]
fn one_session_does_it_all_and_its_worry_reaches_the_next_round() {
    let run = short();
    let model = MetaModel::start(|asked| play(asked, FILTER_AND_PLAIN));
    run.write("settings.toml", &model.settings("openai"));
    // What bounds the replies of the tasks' model is no bound for this one.
    let settings = [&GREEDY[..], &["--set", "sampling.max_tokens=7"]].concat();
    let ran = meta_loop(&run, &settings, "single", "2", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let dir = run.path().join("run");
    let manifest = std::fs::read_to_string(dir.join("R1/candidates/C-R1-01/manifest.toml")).unwrap();
    assert!(manifest.contains("engine = \"single\"") && !dir.join("R1/candidates/C-R1-02").exists(), "{manifest}");
    assert_eq!(json(&dir.join("R2/landscape.json"))["concern"], CONCERN);
    assert!(model.heard().iter().all(|asked| asked.part == Part::Single && asked.most.is_none()));
}

/// What the ledger of a run holds of the model's replies.
fn paid(dir: &Path) -> BTreeSet<u64> {
    on_file(&std::fs::read_to_string(dir.join("sealed/ledger.jsonl")).unwrap_or_default())
}

/// A whole run to compare with, and how many replies it took.
fn whole(run: &TestRun, model: &MetaModel) -> (BTreeMap<String, String>, usize) {
    run.write("settings.toml", &model.settings("openai"));
    let ran = meta_loop(run, &GREEDY, "aegis", "1", "whole");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let replies = model.answered().len();
    model.forget();
    (outcome(&run.path().join("whole")), replies)
}

fn is_the_same(run: &TestRun, expected: &BTreeMap<String, String>, dir: &str) {
    let found = outcome(&run.path().join(dir));
    let differs = different(expected, &found);
    assert!(differs.is_empty(), "{dir}: these differ: {differs:?}");
}

#[test]
fn a_server_that_dies_in_a_stage_ends_the_command_which_then_goes_on_there() {
    let run = short();
    let model = MetaModel::start(|asked| play(asked, FILTER_AND_PLAIN));
    let (expected, replies) = whole(&run, &model);
    for at in [0, 2, 5, replies / 2, replies - 2] {
        let dir = format!("died-{at}");
        model.set(Health::Dying(at));
        let ran = meta_loop(&run, &GREEDY, "aegis", "1", &dir);
        assert_eq!(ran.exit, 4, "after {at} replies: {}{}", ran.out, ran.err);
        assert!(ran.err.contains("hold the session of ") && ran.err.contains("the same command continues where it stopped"), "{}", ran.err);
        let answered: BTreeSet<u64> = model.answered().into_iter().collect();
        assert_eq!(answered, paid(&run.path().join(&dir)), "what was received is on file");
        model.set(Health::Well);
        let ran = meta_loop(&run, &GREEDY, "aegis", "1", &dir);
        assert_eq!(ran.exit, 0, "after {at} replies: {}{}", ran.out, ran.err);
        let all = model.answered();
        assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (replies, replies), "nothing is asked twice");
        is_the_same(&run, &expected, &dir);
        model.forget();
    }
}

#[test]
fn sessions_killed_in_the_middle_come_to_the_same_end() {
    let run = short();
    let model = MetaModel::start(|asked| {
        std::thread::sleep(Duration::from_millis(20));
        play(asked, FILTER_AND_PLAIN)
    });
    let (expected, replies) = whole(&run, &model);
    for at in [1, 7, 10, 13, replies - 3] {
        let dir = format!("killed-{at}");
        let mut child = command(&run, &GREEDY, "aegis", "1", &dir).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while model.answered().len() < at && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (before, kept) = (model.answered().len(), paid(&run.path().join(&dir)));
        let ran = meta_loop(&run, &GREEDY, "aegis", "1", &dir);
        assert_eq!(ran.exit, 0, "killed after {at} replies: {}{}", ran.out, ran.err);
        let again = model.answered()[before..].iter().filter(|mark| kept.contains(mark)).count();
        assert_eq!(again, 0, "replies on file are not paid for again");
        is_the_same(&run, &expected, &dir);
        model.forget();
    }
}

#[test]
fn a_round_of_a_meta_agent_killed_after_a_write_comes_to_the_same_end() {
    let run = short();
    let model = MetaModel::start(|asked| play(asked, FILTER_AND_PLAIN));
    let (expected, _) = whole(&run, &model);
    // Every write with HARNESSX_EVERY_WRITE=1; else a sample, since each costs a second.
    let step = if std::env::var_os("HARNESSX_EVERY_WRITE").is_some() { 1 } else { 61 };
    let mut kills = 0;
    for write in (1..).step_by(step) {
        let dir = format!("written-{write}");
        let mut killed = command(&run, &GREEDY, "aegis", "1", &dir);
        killed.env("HARNESSX_FAIL_AFTER", write.to_string());
        if Ran::of(killed).exit == 0 {
            break;
        }
        kills += 1;
        let ran = meta_loop(&run, &GREEDY, "aegis", "1", &dir);
        assert_eq!(ran.exit, 0, "after write {write}: {}{}", ran.out, ran.err);
        is_the_same(&run, &expected, &dir);
        std::fs::remove_dir_all(run.path().join(dir)).unwrap();
    }
    println!("killed after {kills} different writes");
    assert!(kills > 5, "{kills}");
}

/// Tokens of a round of a hundred tasks, stage by stage; see with `--nocapture`.
#[test]
fn a_round_of_a_hundred_tasks_reaches_the_planner_as_a_few_thousand_tokens() {
    let run = TestRun::new();
    let model = MetaModel::start(|asked| if asked.part == Part::Digester { many(asked) } else { play(asked, FILTER_AND_PLAIN) });
    run.write("settings.toml", &model.settings("openai"));
    let settings = ["--bench", "household", "--profile", "quick", "--mode", "greedy", "--set", "train=100", "--set", "gate=4", "--yes"];
    let ran = meta_loop(&run, &settings, "aegis", "1", "run");
    assert_eq!(ran.exit, 0, "{}{}", ran.out, ran.err);
    let dir = run.path().join("run");
    let raw = bytes_of(&dir.join("R0/trajectories")) / 4;
    let sessions = std::fs::read_to_string(dir.join("R1/meta/episodes.jsonl")).unwrap();
    let mut sums: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
    for line in sessions.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let stage = line["task"].as_str().unwrap().split(['-', '/']).next().unwrap().to_owned();
        let (calls, came, went) = sums.entry(stage).or_default();
        *calls += line["calls"].as_u64().unwrap();
        *came += line["usage"]["input_tokens"].as_u64().unwrap();
        *went += line["usage"]["output_tokens"].as_u64().unwrap();
    }
    let heard = model.heard();
    let opening = |part: Part| heard.iter().find(|asked| asked.part == part).unwrap().opening.clone();
    let shown = |part: Part| opening(part).len() as u64 / 4;
    println!(
        "raw traces of 100 tasks: {raw} tokens; shown to the Digester {}, to the Planner {}, to an Evolver {}, to the Critic {}",
        shown(Part::Digester),
        shown(Part::Planner),
        shown(Part::Evolver),
        shown(Part::Critic)
    );
    for (stage, (calls, came, went)) in sums {
        println!("{stage}: {calls} calls, {came} tokens in, {went} out");
    }
    assert!(raw > 40 * shown(Part::Planner), "{raw} tokens of traces, {} to the Planner", shown(Part::Planner));
    // No verified place is lost on the way from the Digester to those who work with it.
    let diagnoses = json(&dir.join("R1/diagnoses.json"));
    let places = found(r#"(trajectories/[^"]+#step_\d+)"#, &diagnoses.to_string());
    assert_eq!(places.len(), FINDINGS);
    println!("{FINDINGS} verified places, of {} that were named", FINDINGS as u64 + diagnoses["dropped"].as_u64().unwrap());
    for part in [Part::Planner, Part::Evolver, Part::Critic] {
        let text = opening(part);
        assert!(places.iter().all(|place| text.contains(place.as_str())), "{part:?}: {places:?}");
    }
}

fn bytes_of(dir: &Path) -> u64 {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}
