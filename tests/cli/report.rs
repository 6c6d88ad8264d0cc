//! `report` as a user meets it: of a run just played, of a run with rounds, and of what is no run.

use crate::test_run::TestRun;
use std::fs;

/// A fresh folder with a small run in `r`.
fn played() -> TestRun {
    let fresh = TestRun::new();
    let ran =
        fresh.run(&["run", "--bench", "household", "--model", "random", "--limit", "4", "--split", "all", "--rollouts", "2", "--run", "r"]);
    assert_eq!(ran.exit, 0, "{}", ran.err);
    fresh
}

/// A `round.json`.
fn record(before: &str, after: &str, number: u32) -> String {
    format!(
        "{{\"format\":1,\"round\":{number},\"outcome\":\"kept\",\"before\":\"{before}\",\"after\":\"{after}\",\"shipped\":[],\
         \"rollouts\":{{\"visible\":1,\"gate\":2,\"heldout\":3,\"untouched\":4,\"tokens_saved\":5}},\
         \"usage\":{{\"input_tokens\":1,\"cached_tokens\":0,\"output_tokens\":1,\"cost\":0.0}},\"milliseconds\":1500}}"
    )
}

#[test]
fn a_run_just_played_gives_every_format() {
    let fresh = played();
    for (format, file, words) in [
        ("html", "report.html", "What was gained on tasks never seen?"),
        ("md", "report.md", "## Train tasks by round"),
        ("json", "report.json", "\"curves\""),
        ("junit", "report.junit.xml", "<testsuites"),
        ("github", "report.summary.md", "## Cost"),
    ] {
        let ran = fresh.run(&["report", "--run", "r", "--format", format]);
        assert_eq!(ran.exit, 0, "{}", ran.err);
        let text = fs::read_to_string(fresh.path().join("r").join(file)).unwrap();
        assert!(text.contains(words), "{format}: {text}");
    }
    let ran = fresh.run(&["report", "--run", "r", "--format", "md", "--output", "-"]);
    assert!(ran.out.starts_with("# r\n") && ran.exit == 0, "{}", ran.out);
}

#[test]
fn what_is_no_run_and_what_is_damaged_is_said() {
    let fresh = TestRun::new();
    let ran = fresh.run(&["report", "--run", "nowhere"]);
    assert!(ran.exit == 3 && ran.err.contains("no run.toml there") && ran.err.contains("hint:"), "{}", ran.err);
    let fresh = played();
    fresh.write("r/R0/round.json", "{\"format\": 1,\n \"round\": \"none\"}");
    let ran = fresh.run(&["report", "--run", "r"]);
    assert!(ran.exit == 3 && ran.err.contains("round.json:2:"), "{}", ran.err);
    fresh.write("r/R0/round.json", "{\"format\": 9}");
    let ran = fresh.run(&["report", "--run", "r"]);
    assert!(ran.err.contains("format 9 is not known here"), "{}", ran.err);
    assert!(!fresh.path().join("r/report.html").exists());
}

#[test]
fn heldout_tasks_are_compared_and_sealed_names_stay_sealed() {
    let fresh = played();
    let folder = fresh.path().join("r");
    // A second round whose harness solves everything: the first one's sealed episodes with their outcome turned.
    let mut names = Vec::new();
    for split in ["gate", "heldout"] {
        let dir = folder.join("sealed").join(split);
        let first = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
        let text = fs::read_to_string(first.join("episodes.jsonl")).unwrap();
        names.extend(text.lines().map(|line| line.split("\"task\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()));
        fs::create_dir_all(dir.join("b".repeat(40))).unwrap();
        fs::write(dir.join("b".repeat(40)).join("episodes.jsonl"), text.replace("\"outcome\":\"failed\"", "\"outcome\":\"solved\""))
            .unwrap();
        let first = first.file_name().unwrap().to_string_lossy().into_owned();
        fresh.write("r/R0/round.json", &record(&first, &first, 0));
    }
    fresh.write("r/R1/round.json", &record(&"a".repeat(40), &"b".repeat(40), 1));
    for format in ["html", "md", "json", "junit", "github"] {
        let ran = fresh.run(&["report", "--run", "r", "--format", format, "--output", "-"]);
        assert_eq!(ran.exit, 0, "{}", ran.err);
        for name in &names {
            assert!(!ran.out.contains(name.as_str()), "{format} names {name}");
        }
    }
    let ran = fresh.run(&["report", "--run", "r", "--format", "md", "--output", "-", "--control", "r"]);
    assert!(ran.out.contains("After 1 round the harness solves 100.0 %") && ran.out.contains("## Engines compared"), "{}", ran.out);
    assert!(!ran.out.contains("is not comparable"), "{}", ran.out);
    let text = fs::read_to_string(folder.join("run.toml")).unwrap().replace("seed = 1", "seed = 2");
    fresh.write("other/run.toml", &text);
    let ran = fresh.run(&["report", "--run", "r", "--format", "md", "--output", "-", "--control", "other"]);
    assert!(ran.out.contains("other is not comparable: other tasks: seed is 2 there and 1 here"), "{}", ran.out);
    // A round that is open stands where the last one left.
    fs::create_dir_all(folder.join("R2")).unwrap();
    let ran = fresh.run(&["report", "--run", "r", "--format", "md", "--output", "-"]);
    assert!(ran.out.contains("After 1 round the harness solves 100.0 %"), "{}", ran.out);
}

#[test]
fn what_a_person_named_is_written_to_and_not_replaced() {
    use std::os::unix::fs::FileTypeExt;
    let fresh = played();
    let to = |name: &str| fresh.run(&["report", "--run", "r", "--format", "md", "--output", name]);
    let there = fresh.write("there.md", "");
    for (link, target) in [("old.md", "there.md"), ("new.md", "not-yet.md")] {
        std::os::unix::fs::symlink(target, fresh.path().join(link)).unwrap();
        let ran = to(link);
        assert!(ran.exit == 0 && fresh.path().join(link).is_symlink(), "{link}: {}", ran.err);
        assert!(fs::read_to_string(fresh.path().join(target)).unwrap().starts_with("# r\n"), "{link}");
    }
    let pipe = fresh.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    let ran = to("pipe");
    assert!(ran.exit == 0 && fs::metadata(&pipe).unwrap().file_type().is_fifo(), "{}", ran.err);
    let whole = fs::read_to_string(there).unwrap();
    assert_eq!(reader.join().unwrap(), whole);
    assert_eq!(to("/dev/stdout").out, whole, "and no word more");
}

/// A run whose first round shipped, with held-out episodes of its first harness alone.
fn shipped_and_not_played() -> TestRun {
    let fresh = played();
    let first = fs::read_dir(fresh.path().join("r/sealed/heldout")).unwrap().next().unwrap().unwrap().file_name();
    let first = first.to_string_lossy().into_owned();
    fresh.write("r/R0/round.json", &record(&first, &first, 0));
    fresh.write("r/R1/round.json", &record(&first, &"b".repeat(40), 1));
    fresh
}

#[test]
fn a_harness_that_was_not_played_on_heldout_tasks_is_not_given_the_figures_of_the_first() {
    let fresh = shipped_and_not_played();
    fs::create_dir_all(fresh.path().join("r/R2")).unwrap();
    let ran = fresh.run(&["report", "--run", "r", "--format", "md", "--output", "-", "--control", "r"]);
    assert!(ran.exit == 0 && !ran.out.contains("+0.0 points") && !ran.out.contains("same harness"), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("This is the harness of R0; the present one was not played on held-out tasks yet."), "{}", ran.out);
    assert_eq!(ran.out.matches("| not played yet |").count(), 2, "{}", ran.out);
    assert!(!ran.out.contains("began at") && !ran.out.contains("One harness only"), "{}", ran.out);
    // Once it was, it is compared, whatever is open since.
    let heldout = fresh.path().join("r/sealed/heldout");
    let first = fs::read_dir(&heldout).unwrap().next().unwrap().unwrap().path();
    fs::create_dir_all(heldout.join("b".repeat(40))).unwrap();
    fs::copy(first.join("episodes.jsonl"), heldout.join("b".repeat(40)).join("episodes.jsonl")).unwrap();
    let ran = fresh.run(&["report", "--run", "r", "--format", "md", "--output", "-"]);
    assert!(ran.out.contains("**+0.0 points**") && ran.out.contains("→ R1 "), "{}{}", ran.out, ran.err);
}

#[test]
fn a_run_that_ends_with_its_first_harness_gained_nothing() {
    let fresh = played();
    let folder = fresh.path().join("r");
    let first = fs::read_dir(folder.join("sealed/heldout")).unwrap().next().unwrap().unwrap().file_name().to_string_lossy().into_owned();
    for number in 0..2 {
        fresh.write(&format!("r/R{number}/round.json"), &record(&first, &first, number));
    }
    let ran = fresh.run(&["report", "--run", "r", "--format", "github", "--output", "-"]);
    assert!(ran.out.contains("the harness is still the one it began with"), "{}", ran.out);
}
