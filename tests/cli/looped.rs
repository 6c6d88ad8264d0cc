//! `loop`, end to end with a random chooser in the model's place: what a round leaves on file, that sealed tasks stay sealed, that the
//! stages alone give what the loop gives, and that a kill after any write changes nothing.

use crate::test_run::{Ran, TestRun};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Two rounds over a few short tasks. The mode ships whatever looks better, so that ships are among what is killed.
pub const SETTINGS: [&str; 17] = [
    "--bench",
    "short",
    "--model",
    "random",
    "--profile",
    "quick",
    "--mode",
    "greedy",
    "--seed",
    "3",
    "--set",
    "train=4",
    "--set",
    "gate=3",
    "--set",
    "heldout=1",
    "--quiet",
];

/// A folder with a benchmark of short tasks.
pub fn short() -> TestRun {
    let run = TestRun::new();
    let bench = "format = 1\nname = \"short\"\nkind = \"household\"\ndefault_harness = \"household-base\"\n";
    run.write("short/benchmark.toml", &format!("{bench}[source]\ngenerated = 6\n[limits]\nsteps = 25\n"));
    run
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn looped(run: &TestRun, dir: &str) -> Ran {
    let mut arguments = vec!["loop", "--run", dir, "--rounds", "2"];
    arguments.extend(SETTINGS);
    run.run(&arguments)
}

/// Everything of a run that must come out the same: harness trees, ledgers, decisions, the gate's state, episodes. Times and what
/// depends on them are left out.
pub fn outcome(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(dir, dir, &mut found);
    for (rev, tree) in trees(dir) {
        found.insert(format!("harness {rev}"), tree);
    }
    found
}

/// Names under which the two are not the same.
pub fn different<'a>(one: &'a BTreeMap<String, String>, two: &'a BTreeMap<String, String>) -> Vec<&'a String> {
    one.keys().chain(two.keys()).filter(|key| one.get(*key) != two.get(*key)).collect()
}

fn collect(root: &Path, dir: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let is_told_apart = ["harness", "audit.jsonl", "run.toml", "report.html"].contains(&name.as_str());
        if path.is_dir() && !is_told_apart {
            collect(root, &path, found);
        } else if path.is_file() && !is_told_apart {
            found.insert(name.clone(), without_times(&name, &std::fs::read(&path).unwrap()));
        }
    }
}

/// Lines that are appended side by side are compared in order of content; milliseconds and sources of replies are no outcome.
fn without_times(name: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = regex::Regex::new(r#""(milliseconds|latency_ms|mean_latency_ms)": ?\d+"#).unwrap().replace_all(&text, "");
    let text = text.replace(r#""source":"ledger""#, r#""source":"model""#);
    if name.ends_with("episodes.jsonl") || name.ends_with("ledger.jsonl") || name.ends_with("untouched.jsonl") {
        let lines: BTreeSet<&str> = text.lines().collect();
        return lines.into_iter().collect::<Vec<_>>().join("\n");
    }
    text
}

fn trees(dir: &Path) -> Vec<(String, String)> {
    let repo = harnessx::store::harness_repo::HarnessRepo::open(&dir.join("harness")).unwrap();
    let tags = repo.tags().unwrap().into_iter().map(|(round, at)| (format!("R{round}"), at.to_string()));
    tags.chain([("main".to_owned(), "main".to_owned())]).map(|(name, rev)| (name, repo.harness(&rev).unwrap().to_string())).collect()
}

#[test]
fn a_loop_ships_and_says_what_came_of_it() {
    let run = short();
    let ran = looped(&run, "whole");
    assert_eq!(ran.exit, 0, "{}", ran.err);
    assert!(ran.out.contains("shipped C-R1-0") && ran.out.contains("held-out tasks, never seen by evolution"), "{}", ran.out);
    // It is a random chooser that plays: there is no model to do any work.
    assert!(!ran.out.contains("the harness does the work"), "{}", ran.out);
    let dir = run.path().join("whole");
    for file in [
        "R2/round.json",
        "R1/decision.md",
        "R1/landscape.md",
        "R1/critique.md",
        "journal.md",
        "report.html",
        "scoreboard.json",
        "audit.jsonl",
    ] {
        assert!(dir.join(file).is_file(), "{file} is missing");
    }
    let trees = trees(&dir);
    assert!(trees[0].1 != trees[1].1, "nothing has changed: {trees:?}");
    // The gate counts what was scored; what is missing is counted where all episodes are at hand.
    let baseline = &json(&dir.join("curves.json"))["rounds"][0];
    assert_eq!((&baseline["heldout"]["missing"], baseline["gate"].get("missing")), (&0.into(), None), "{baseline}");
    nothing_sealed_is_outside(&dir);
    // All is on file: the same command plays nothing and says the same.
    let before = outcome(&dir);
    let again = looped(&run, "whole");
    assert_eq!(again.exit, 0, "{}", again.err);
    assert!(
        again.out.contains("7 of the baseline (7 on file)") && again.out.contains("2 held-out, before and after (2 on file)"),
        "{}",
        again.out
    );
    assert_eq!(different(&before, &outcome(&dir)), Vec::<&String>::new());
}

/// No id of a gate or held-out task stands outside `sealed/`; the report and the curves may hold totals only.
pub fn nothing_sealed_is_outside(dir: &Path) {
    nothing_sealed_is_in(dir, dir);
}

/// The same of a folder beside a run.
pub fn nothing_sealed_is_in(dir: &Path, folder: &Path) {
    let gate: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("sealed/gate_state.json")).unwrap()).unwrap();
    let of_split = |split: &str| -> BTreeSet<String> {
        let tasks = gate["tasks"].as_array().unwrap().iter().filter(|task| task["split"] == split);
        tasks.map(|task| task["id"].as_str().unwrap().to_owned()).collect()
    };
    let (train, sealed) = (of_split("train"), of_split("gate"));
    assert!(!train.is_empty() && !sealed.is_empty());
    let mut files = BTreeMap::new();
    collect(folder, folder, &mut files);
    for (name, text) in files.iter().filter(|(name, _)| !name.starts_with("sealed/")) {
        for id in &sealed {
            let words: BTreeSet<&str> = text.split(|letter: char| !(letter.is_alphanumeric() || "/_%".contains(letter))).collect();
            assert!(!words.contains(id.as_str()) && !words.contains(id.replace('/', "%2F").as_str()), "{name} names the gate task {id}");
        }
    }
}

#[test]
fn the_stages_one_by_one_give_what_the_loop_gives() {
    let run = short();
    let looped = |dir: &str| {
        let mut arguments = vec!["loop", "--run", dir, "--rounds", "3"];
        arguments.extend(SETTINGS);
        run.run(&arguments)
    };
    let whole = looped("whole");
    assert_eq!(whole.exit, 0, "{}", whole.err);
    // A run that is stopped at once leaves its settings, which the stages then read.
    let mut begun = run.command(&["loop", "--run", "staged", "--rounds", "3"]);
    begun.args(SETTINGS).env("HARNESSX_FAIL_AFTER", "20");
    assert_ne!(Ran::of(begun).exit, 0);
    let staged = run.path().join("staged");
    for round in 1..=3 {
        for stage in ["evolve", "digest", "plan", "critique", "gate"] {
            let ran = run.run(&[stage, "--run", "staged"]);
            assert_eq!(ran.exit, 0, "{stage}: {}", ran.err);
            assert_eq!(staged.join(format!("R{round}/round.json")).exists(), stage == "gate", "{stage} of R{round}");
        }
    }
    let ran = looped("staged");
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let (staged, whole) = (outcome(&staged), outcome(&run.path().join("whole")));
    assert_eq!(different(&staged, &whole), Vec::<&String>::new());
}

#[test]
fn a_digest_of_a_baseline_that_is_still_played_is_not_taken_for_its_last() {
    let run = short();
    let whole = looped(&run, "whole");
    assert_eq!(whole.exit, 0, "{}", whole.err);
    let mut begun = run.command(&["loop", "--run", "cut", "--rounds", "2", "--max-time", "0s"]);
    begun.args(SETTINGS);
    assert_eq!(Ran::of(begun).exit, 130);
    let ran = run.run(&["digest", "--run", "cut"]);
    assert!(ran.exit == 0 && ran.out.contains("R0 is open: episodes that are still played"), "{}{}", ran.out, ran.err);
    let ran = run.run(&["plan", "--run", "cut"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let ran = looped(&run, "cut");
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let (cut, whole) = (outcome(&run.path().join("cut")), outcome(&run.path().join("whole")));
    assert_eq!(different(&cut, &whole), Vec::<&String>::new());
}

#[test]
fn a_loop_killed_after_a_write_comes_to_the_same_end() {
    let run = short();
    let whole = looped(&run, "whole");
    assert_eq!(whole.exit, 0, "{}", whole.err);
    let expected = outcome(&run.path().join("whole"));
    // Every write with HARNESSX_EVERY_WRITE=1; else a sample, since each costs a second.
    let step = if std::env::var_os("HARNESSX_EVERY_WRITE").is_some() { 1 } else { 61 };
    let mut kills = 0;
    for write in (1..).step_by(step) {
        let name = format!("killed-{write}");
        let mut command = run.command(&["loop", "--run", &name, "--rounds", "2"]);
        command.args(SETTINGS).env("HARNESSX_FAIL_AFTER", write.to_string());
        if Ran::of(command).exit == 0 {
            break;
        }
        kills += 1;
        let ran = looped(&run, &name);
        assert_eq!(ran.exit, 0, "after write {write}: {}", ran.err);
        let dir = run.path().join(&name);
        let found = outcome(&dir);
        let differs = different(&expected, &found);
        assert!(differs.is_empty(), "after write {write} these differ: {differs:?}");
        std::fs::remove_dir_all(dir).unwrap();
    }
    println!("killed after {kills} different writes");
    assert!(kills > 10);
}

#[test]
fn the_gate_follows_a_rollback_by_hand() {
    let run = short();
    assert_eq!(looped(&run, "whole").exit, 0);
    let dir = run.path().join("whole");
    let curves = || std::fs::read(dir.join("curves.json")).unwrap();
    let before = curves();
    let rolled = run.run(&["rollback", "--run", "whole", "--to", "R0"]);
    assert_eq!(rolled.exit, 0, "{}", rolled.err);
    let ran = looped(&run, "whole");
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let gate: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("sealed/gate_state.json")).unwrap()).unwrap();
    let trees = trees(&dir);
    assert_eq!(gate["incumbents"][0]["harness"], trees[0].1.as_str());
    assert!(ran.out.contains("gain on held-out tasks: +0.0 points"), "{}", ran.out);
    let line = ran.out.lines().find(|line| line.starts_with("ended: ")).unwrap();
    let words: Vec<&str> = line.rsplit("; ").next().unwrap().split(' ').collect();
    assert_eq!(words[2..], ["shipped,", words[0], "of", "them", "undone", "since"], "{line}");
    // What the rounds found stays; what was undone is claimed no more.
    assert!(before == curves(), "the curves have changed");
    let report = run.run(&["report", "--run", "whole", "--format", "md", "--output", "-"]).out;
    assert!(report.contains("After 2 rounds, put back by hand to R0, the harness is still the one it began with"), "{report}");
    assert!(report.contains("undone: put back by hand to R0 after R2"), "{report}");
}

#[test]
fn a_ship_that_a_person_took_back_is_neither_scored_nor_claimed() {
    let run = short();
    let mut begun = run.command(&["loop", "--run", "r", "--rounds", "2"]);
    begun.args(SETTINGS).env("HARNESSX_FAIL_AFTER", "20");
    assert_ne!(Ran::of(begun).exit, 0);
    let ran = run.run(&["gate", "--run", "r"]);
    assert!(ran.out.contains("shipped C-R1-0"), "{}{}", ran.out, ran.err);
    assert_eq!(run.run(&["rollback", "--run", "r", "--to", "R0"]).exit, 0);
    for stage in ["evolve", "gate"] {
        let ran = run.run(&[stage, "--run", "r"]);
        assert_eq!(ran.exit, 0, "{}", ran.err);
        let outcomes = std::fs::read_to_string(run.path().join("r/data/ship_outcomes.jsonl")).unwrap();
        assert!(!outcomes.contains("C-R1-0"), "{stage}: {outcomes}");
        // While the next round is open too.
        let report = run.run(&["report", "--run", "r", "--format", "md", "--output", "-"]).out;
        assert!(report.contains("undone: put back by hand to R0 after R1"), "{stage}: {report}");
    }
}

/// A candidate that a person must see holds the loop up, and ships or does not by the person's word; no round is used up by waiting.
#[test]
fn a_ship_waits_for_a_persons_word() {
    let run = short();
    let looped = |dir: &str| {
        let mut arguments = vec!["loop", "--run", dir, "--rounds", "2", "--approve", "always"];
        arguments.extend(SETTINGS);
        run.run(&arguments)
    };
    let waiting = |ran: &Ran| {
        assert!(ran.exit == 0 && ran.out.contains("the same command continues"), "{}{}", ran.out, ran.err);
        ran.out.split("R1 waits: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned()
    };
    for (dir, folder, ruling) in [("yes", "approved", "shipped_whole"), ("no", "refused", "refused")] {
        let candidate = waiting(&looped(dir));
        assert_eq!(waiting(&looped(dir)), candidate);
        assert!(!run.path().join(dir).join("R1/round.json").exists());
        // What the round took before is counted, however long ago that was.
        let elapsed = run.path().join(dir).join("sealed/elapsed.json");
        let mut kept = json(&elapsed);
        kept["milliseconds"] = 3_600_000.into();
        run.write(&format!("{dir}/sealed/elapsed.json"), &kept.to_string());
        run.write(&format!("{dir}/{folder}/{candidate}"), "");
        let ran = looped(dir);
        assert_eq!(ran.exit, 0, "{}", ran.err);
        let state = std::fs::read_to_string(run.path().join(dir).join("sealed/gate_state.json")).unwrap();
        assert!(state.contains(&format!("\"ruling\":\"{ruling}\"")), "{}", ran.out);
        let took = |round: u32| json(&run.path().join(dir).join(format!("R{round}/round.json")))["milliseconds"].as_u64().unwrap();
        assert!(took(0) < 600_000 && (3_600_000..4_200_000).contains(&took(1)));
        assert!(!elapsed.exists() || json(&elapsed)["milliseconds"].as_u64() < Some(600_000), "the next round begins at 0");
    }
}

#[test]
fn a_word_that_comes_after_the_commit_comes_too_late() {
    let run = short();
    let looped = |dir: &str, writes: Option<u32>| {
        let mut command = run.command(&["loop", "--run", dir, "--rounds", "1", "--approve", "always"]);
        command.args(SETTINGS).envs(writes.map(|writes| ("HARNESSX_FAIL_AFTER", writes.to_string())));
        Ran::of(command)
    };
    for writes in 1..9 {
        let name = format!("killed-{writes}");
        let ran = looped(&name, None);
        let candidate = ran.out.split("R1 waits: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
        let dir = run.path().join(&name);
        let state = || std::fs::read(dir.join("sealed/gate_state.json")).unwrap();
        let before = state();
        run.write(&format!("{name}/approved/{candidate}"), "");
        assert_ne!(looped(&name, Some(writes)).exit, 0);
        let head = |rev: &str| harnessx::store::harness_repo::HarnessRepo::open(&dir.join("harness")).unwrap().harness(rev).unwrap();
        if head("main") == head("R0") || state() != before {
            continue;
        }
        run.write(&format!("{name}/refused/{candidate}"), "");
        let ran = looped(&name, None);
        assert!(ran.exit == 0 && ran.out.contains(&format!("shipped {candidate}")), "{}{}", ran.out, ran.err);
        return;
    }
    panic!("no write came between the commit and the gate's state");
}

/// What is parked when no round is left, or waits for more than those left can bring, is said to be.
#[test]
fn a_candidate_that_waits_in_vain_is_said_to() {
    let run = TestRun::new();
    let settings =
        ["--bench", "household", "--model", "random", "--profile", "quick", "--engine", "random", "--set", "heldout=1", "--quiet"];
    let ran = run.run(&[&["loop", "--run", "r"][..], &settings].concat());
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let parked: Vec<&str> = ran.out.lines().filter_map(|line| line.strip_prefix("R3: parked ")?.split(':').next()).collect();
    assert!(!parked.is_empty(), "{}", ran.out);
    for candidate in parked {
        assert!(ran.out.contains(&format!("R3: {candidate} waits in vain: no round is left to judge it in")), "{}", ran.out);
    }
    assert!(ran.out.contains("waits in vain: at most"), "{}", ran.out);
}

#[test]
fn what_the_gate_was_made_with_stays_with_force_too_and_the_old_command_still_goes() {
    let run = short();
    assert_eq!(looped(&run, "a").exit, 0);
    let frozen = || std::fs::read_to_string(run.path().join("a/run.toml")).unwrap();
    let before = frozen();
    let again = |more: &[&str]| run.run(&[&["loop", "--run", "a", "--force"], &SETTINGS[..], more].concat());
    for (more, said) in [
        (&["--rounds", "3"][..], "rounds cannot change: the gate's"),
        (&["--rounds", "2", "--set", "alpha=0.3"], "alpha cannot change: the gate's"),
        (&["--rounds", "2", "--set", "gate=2"], "gate cannot change: results on file"),
    ] {
        let ran = again(more);
        assert!(ran.exit == 3 && ran.err.contains(said), "{}{}", ran.out, ran.err);
        assert_eq!(frozen(), before);
    }
    // Nor does a plain run in its folder change its tasks.
    let plain: Vec<&str> = SETTINGS.iter().copied().filter(|word| !["--profile", "quick", "--mode", "greedy"].contains(word)).collect();
    let ran = run.run(&[&["run", "--run", "a", "--force", "--limit", "5"], &plain[..]].concat());
    assert!(ran.exit == 3 && ran.err.contains("limit") && ran.err.contains("cannot change"), "{}{}", ran.out, ran.err);
    assert_eq!(frozen(), before);
    let ran = again(&["--rounds", "2", "--patience", "2"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
}
