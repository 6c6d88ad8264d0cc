//! Versions of a run's harness: rollback, promote, `show diff`, `show candidate`, `show decision`, and a kill after every write.

use crate::test_run::{TestRun, results, traces};
use harnessx::domain::harness::Harness;
use harnessx::domain::id::CandidateId;
use harnessx::runtime::assembly::Assembly;
use harnessx::store::harness_dir;
use harnessx::store::harness_repo::{Branch, CommitMessage, HarnessCommit, HarnessRepo, NewCommit};
use harnessx::store::run_dir::RunDir;
use harnessx::store::sealed::full_decision;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

/// A harness that stops after some steps.
fn stopping(steps: u32) -> Assembly {
    let text = format!("format = 1\nname = \"base\"\n[slots.limits]\nsteps = {steps}\n");
    let files = [("harness.toml".to_owned(), text.into_bytes()), ("prompts/system.md".to_owned(), b"Be brief.\n".to_vec())];
    let (harness, lines): (Harness, _) = harness_dir::from_files(files.into(), Path::new("base")).unwrap();
    Assembly::new(harness, &lines).ok().unwrap()
}

fn commit(repo: &HarnessRepo, on: &Branch, steps: u32, parents: &[HarnessCommit]) -> HarnessCommit {
    let assembly = stopping(steps);
    let message = CommitMessage { title: format!("at most {steps} steps"), ..CommitMessage::default() };
    let (manifest, files) = (assembly.canonical_manifest(), &assembly.harness().files);
    repo.commit(on, &NewCommit { manifest, files, parents, message: &message, seconds: 946_684_800 }).unwrap()
}

/// A run of three rounds: R1 shipped C-R1-01, R2 kept, R3 shipped another.
fn evolved(test: &TestRun) {
    let dir = test.path().join("run");
    let run = RunDir::open(&dir).unwrap();
    let repo = HarnessRepo::open(&dir.join("harness")).unwrap();
    let baseline = commit(&repo, &Branch::Main, 10, &[]);
    let proposed = commit(&repo, &Branch::Candidate(CandidateId::from("C-R1-01")), 20, std::slice::from_ref(&baseline));
    let first = commit(&repo, &Branch::Main, 20, &[baseline.clone(), proposed]);
    let second = commit(&repo, &Branch::Main, 30, std::slice::from_ref(&first));
    for (round, at) in [(0, &baseline), (1, &first), (2, &first), (3, &second)] {
        repo.tag(round, at).unwrap();
    }
    drop(run);
}

fn main_of(test: &TestRun) -> String {
    let repo = HarnessRepo::open(&test.path().join("run/harness")).unwrap();
    repo.read("main").unwrap().manifest.slots.limits.steps.unwrap().to_string()
}

#[test]
fn rollback_goes_back_one_version_at_a_time_or_to_any() {
    let test = TestRun::new();
    evolved(&test);
    let ran = test.run(&["rollback", "--run", "run"]);
    assert_eq!((ran.exit, main_of(&test).as_str()), (0, "20"), "{}", ran.err);
    assert!(ran.out.starts_with("rolled back to R1 ("), "{}", ran.out);
    let ran = test.run(&["rollback", "--run", "run"]);
    assert_eq!((ran.exit, main_of(&test).as_str()), (0, "10"), "{}", ran.err);
    let ran = test.run(&["rollback", "--run", "run"]);
    assert_eq!(ran.exit, 3);
    assert!(ran.err.contains("it is the baseline"), "{}", ran.err);
    let ran = test.run(&["rollback", "--run", "run", "--to", "R3"]);
    assert_eq!((ran.exit, main_of(&test).as_str()), (0, "30"), "{}", ran.err);
    let journal = std::fs::read_to_string(test.path().join("run/journal.md")).unwrap();
    assert_eq!(journal.matches("main goes back by hand").count(), 3, "{journal}");
    let audit = std::fs::read_to_string(test.path().join("run/audit.jsonl")).unwrap();
    assert_eq!(audit.matches("\"what\":\"rollback\"").count(), 3, "{audit}");
    let ran = test.run(&["rollback", "--run", "run", "--to", "3"]);
    assert!(ran.exit == 0 && ran.out.contains("already"), "{}{}", ran.out, ran.err);
    let ran = test.run(&["rollback", "--run", "run", "--to", "R9"]);
    assert!(ran.exit == 3 && ran.err.contains("there are: R0, R1, R2, R3"), "{}", ran.err);
}

#[test]
fn a_title_is_no_markup_in_the_journal() {
    let test = TestRun::new();
    evolved(&test);
    let repo = HarnessRepo::open(&test.path().join("run/harness")).unwrap();
    let (assembly, title) = (stopping(40), "![x](http://evil/?q)".to_owned());
    let (manifest, files) = (assembly.canonical_manifest(), &assembly.harness().files);
    let message = CommitMessage { title, ..CommitMessage::default() };
    let parents = [repo.tip(&Branch::Main).unwrap().unwrap()];
    repo.commit(&Branch::Main, &NewCommit { manifest, files, parents: &parents, message: &message, seconds: 946_684_800 }).unwrap();
    let ran = test.run(&["rollback", "--run", "run"]);
    assert!(ran.exit == 0 && ran.out.starts_with("rolled back to R3 ("), "{}{}", ran.out, ran.err);
    let journal = std::fs::read_to_string(test.path().join("run/journal.md")).unwrap();
    assert!(journal.contains("from \\!\\[x\\](http:&#47;/evil/?q) ("), "{journal}");
    let audit = std::fs::read_to_string(test.path().join("run/audit.jsonl")).unwrap();
    assert!(audit.contains("from ![x](http://evil/?q) ("), "{audit}");
}

#[test]
fn rollback_waits_for_nobody_and_makes_nothing_up() {
    let test = TestRun::new();
    let ran = test.run(&["rollback", "--run", "nowhere"]);
    assert!(ran.exit == 3 && ran.err.contains("no repository of harnesses"), "{}", ran.err);
    assert!(!test.path().join("nowhere").exists());
    evolved(&test);
    let _locked = RunDir::open(&test.path().join("run")).unwrap();
    let ran = test.run(&["rollback", "--run", "run"]);
    assert!(ran.exit == 3 && ran.err.contains("holds its lock"), "{}", ran.err);
    assert_eq!(main_of(&test), "30");
}

#[test]
fn the_git_settings_of_the_machine_have_no_say() {
    let test = TestRun::new();
    evolved(&test);
    let broken = test.write(".gitconfig", "[core\nlogAllRefUpdates = always\n");
    let mut command = test.command(&["rollback", "--run", "run", "--to", "R0"]);
    command.env("HOME", test.path()).env("GIT_CONFIG_GLOBAL", broken).env("GIT_DIR", "/nowhere").env("GIT_OBJECT_DIRECTORY", "/nowhere");
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(main_of(&test), "10");
    assert!(!test.path().join("run/harness/logs").exists());
}

#[test]
fn a_promoted_harness_passes_its_check_and_replaces_none() {
    let test = TestRun::new();
    evolved(&test);
    let ran = test.run(&["promote", "--run", "run", "better"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    let id = harness_dir::tree_id(stopping(30).canonical_manifest(), &stopping(30).harness().files).unwrap();
    assert!(ran.out.contains(id.as_str()), "{}", ran.out);
    let checked = test.run(&["check", "better"]);
    assert!(checked.exit == 0 && checked.out.contains(id.as_str()), "{}{}", checked.out, checked.err);
    let ran = test.run(&["promote", "--run", "run", "better"]);
    assert!(ran.exit == 3 && ran.err.contains("it is there already"), "{}", ran.err);
    assert_eq!(test.run(&["promote", "--run", "run", "--rev", "C-R1-01", "earlier"]).exit, 0);
    let ran = test.run(&["promote", "--run", "run", "--rev", "R7", "other"]);
    assert!(ran.exit == 3 && ran.err.contains("no such branch, tag, commit or tree"), "{}", ran.err);
    assert!(!test.path().join("harnesses/other").exists());
}

#[test]
fn the_change_between_two_versions_is_shown() {
    let test = TestRun::new();
    evolved(&test);
    let ran = test.run(&["show", "diff", "R0", "R3", "--run", "run"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    insta::assert_snapshot!(ran.out, @r#"
    diff --git a/harness.toml b/harness.toml
    --- a/harness.toml
    +++ b/harness.toml
    @@ -2,4 +2,4 @@ format = 1
     name = "base"
     
     [slots.limits]
    -steps = 10
    +steps = 30
    "#);
    assert_eq!(test.run(&["show", "diff", "R1", "C-R1-01", "--run", "run"]).out, "no difference\n");
    assert_eq!(test.run(&["show", "diff", "R1", "../x", "--run", "run"]).exit, 3);
    assert_eq!(test.run(&["show"]).exit, 2);
}

#[test]
fn a_candidate_and_a_decision_are_shown() {
    let test = TestRun::new();
    evolved(&test);
    test.write("run/R3/candidates/C-R3-02/manifest.toml", include_str!("../fixtures/manifest.toml"));
    test.write("run/R3/candidates/C-R3-02/diff.patch", "--- a/harness.toml\n");
    test.write("run/R3/verdicts/V-C-R3-02.md", "rejected: \u{1b}[31mfutile\n");
    let ran = test.run(&["show", "candidate", "C-R3-02", "--run", "run"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    insta::assert_snapshot!(ran.out, @r#"
    C-R3-02: stop earlier
    proposed by catalog for variant main
    harness bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb on aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    touches config (limits): harness.toml
    root cause: episodes go in circles
    fix: fewer steps
    why what is at risk holds: solved tasks take 5 steps at most
    capability: it ends when told to (seen at trajectories/t_r0.jsonl#step_7)
    will unlock: t1, every kind=heat task
    will stabilize: nothing
    at risk: nothing
    shows as: setting slots.limits.steps at least 0 times an episode
    limits of an episode: {"steps":20}
    failure: repeat_without_progress at trajectories/t_r0.jsonl#step_7: go to desk 1
    edit: set slots.limits.steps to 20

    ── Verdict of R3
    rejected: [31mfutile

    ── Patch
    --- a/harness.toml
    "#);
    let ran = test.run(&["show", "candidate", "C-R9-01", "--run", "run"]);
    assert!(ran.exit == 3 && ran.err.contains("no round of this run has it"), "{}", ran.err);
    let decision = r#"{"format":1,"round":3,"outcome":"kept","candidates":[]}"#;
    test.write("run/R3/decision.json", decision);
    test.write("run/R3/decision.md", "# R3: kept\n");
    test.write(&format!("run/{}", full_decision(3)), "{\"gate_tasks\": []}\n");
    assert_eq!(test.run(&["show", "decision", "3", "--run", "run"]).out, "# R3: kept\n");
    assert!(test.run(&["show", "decision", "R3", "--run", "run", "--full"]).out.contains("gate_tasks"));
    assert_eq!(test.run(&["show", "decision", "4", "--run", "run"]).exit, 3);
}

/// Kills a command right after its first write, its second, … until it gets to its end; each time it is given again undisturbed,
/// and `check` sees the folder.
fn kill_after_every_write(test: &TestRun, arguments: &[&str], again: &mut dyn FnMut(u32)) -> u32 {
    for write in 1.. {
        let killed = test.command(arguments).env("HARNESSX_FAIL_AFTER", write.to_string()).output().unwrap();
        let Some(signal) = killed.status.signal() else {
            assert!(killed.status.success(), "{}", String::from_utf8_lossy(&killed.stderr));
            return write - 1;
        };
        assert_eq!(signal, 9);
        again(write);
    }
    0
}

#[test]
fn a_rollback_killed_after_any_write_is_done_by_the_next() {
    let test = TestRun::new();
    evolved(&test);
    let arguments = ["rollback", "--run", "run", "--to", "R1"];
    let writes = kill_after_every_write(&test, &arguments, &mut |write| {
        let ran = test.run(&arguments);
        assert_eq!((ran.exit, main_of(&test).as_str()), (0, "20"), "{write}: {}", ran.err);
        assert_eq!(test.run(&["rollback", "--run", "run", "--to", "R3"]).exit, 0);
    });
    assert_eq!(writes, 4, "audit, journal, main, index");
}

#[test]
fn a_run_killed_after_any_write_comes_to_the_same_end() {
    let test = TestRun::new();
    let call = r#"{"match": {"turn": 0}, "reply": {"tool_calls": [{"name": "echo", "arguments": {"text": "hello"}}]}}"#;
    test.write("s.jsonl", &format!("{call}\n{{\"reply\": {{\"text\": \"done\"}}}}\n"));
    let play = ["run", "--bench", "echo", "--model", "scripted:s.jsonl", "--limit", "2", "--jobs", "1", "--run"];
    let into = |name: &'static str| play.iter().copied().chain([name]).collect::<Vec<&str>>();
    assert_eq!(test.run(&into("whole")).exit, 0);
    let dir = |name: &str| test.path().join(name);
    let whole = (results(&dir("whole")), traces(&dir("whole")));
    let arguments = into("killed");
    let writes = kill_after_every_write(&test, &arguments, &mut |write| {
        let ran = test.run(&arguments);
        assert_eq!(ran.exit, 0, "{write}: {}", ran.err);
        assert_eq!((results(&dir("killed")), traces(&dir("killed"))), whole, "{write}");
        std::fs::remove_dir_all(dir("killed")).unwrap();
    });
    assert!(writes > 12, "{writes}: settings, curves, index; and an episode's replies, trace and line");
}
