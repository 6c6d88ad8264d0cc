//! What is refused, whatever it is called, and that it is put on file.

use super::*;
use crate::store::atomic::write_whole;
use crate::store::audit::{AUDIT_FILE, AuditRecord};
use proptest::prelude::*;

const OPEN: [&str; 12] = [
    "R0/trajectories/a_r0.jsonl",
    "R0/digests/a.json",
    "R12/candidates/C-R12-01/manifest.toml",
    "R0/verdicts/V-C-R0-01.md",
    "R0/overview.md",
    "R0/landscape.json",
    "R0/decision.md",
    "R0/round.json",
    "R0/episodes.jsonl",
    "data/task_history.jsonl",
    "scoreboard.json",
    "journal.md",
];

const CLOSED: [&str; 23] = [
    "sealed/ledger.jsonl",
    "sealed",
    "report.html",
    "curves.json",
    "run.toml",
    "audit.jsonl",
    "harness/HEAD",
    "R0/../sealed/ledger.jsonl",
    "R0/digests/../../sealed/ledger.jsonl",
    "data/../sealed/ledger.jsonl",
    "./sealed/ledger.jsonl",
    "data/../../other/run.toml",
    "/etc/passwd",
    "..",
    "",
    "R0",
    "R0/sealed/x",
    "R0/desk/1/README.md",
    "R00/overview.md",
    "Rx/overview.md",
    "R0/overview.json.7.part",
    "R0/overview.md/x",
    "scoreboard.json/x",
];

#[test]
fn what_may_be_read_of_the_run_and_of_a_round_is_listed() {
    let (_dir, visible) = a_run();
    for top in ["", "."] {
        assert_eq!(visible.top(top).unwrap().unwrap(), ["R0", "R12", "data", "journal.md", "scoreboard.json"]);
    }
    let round = visible.top("R0/").unwrap().unwrap();
    assert!(round.contains(&"overview.md".to_owned()) && round.contains(&"trajectories".to_owned()), "{round:?}");
    assert!(round.iter().all(|name| is_allowed(&Path::new("R0").join(name))), "{round:?}");
    assert_eq!(visible.top("R7").unwrap().unwrap(), Vec::<String>::new());
    for other in ["sealed", "..", "/", "R00", "R0/digests", "./R0", "R0/.."] {
        assert_eq!(visible.top(other).unwrap(), None, "{other}");
    }
}

fn a_run() -> (tempfile::TempDir, Visible) {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    for name in OPEN.iter().chain(&["sealed/ledger.jsonl", "sealed/gate/h/episodes.jsonl", "report.html", "curves.json", "run.toml"]) {
        let text = if OPEN.contains(name) { "open" } else { "secret" };
        write_whole(&run.join(name), text.as_bytes()).unwrap();
    }
    write_whole(&dir.path().join("other/run.toml"), b"secret").unwrap();
    let visible = Visible::open(&run, "test", &Clock::stepped(1)).unwrap();
    (dir, visible)
}

fn refusals(visible: &Visible) -> Vec<AuditRecord> {
    read_lines(&visible.root.join(AUDIT_FILE)).unwrap()
}

#[test]
fn what_is_on_the_list_is_read() {
    let (_dir, visible) = a_run();
    for name in OPEN {
        assert_eq!(visible.read_text(name).unwrap(), "open", "{name}");
    }
    assert_eq!(visible.rounds().unwrap(), [0, 12]);
    assert_eq!(visible.list("R12/candidates").unwrap(), ["C-R12-01"]);
    assert_eq!(visible.find_text("R3/overview.md").unwrap(), None);
    assert!(visible.list("R3/candidates").unwrap().is_empty());
    assert_eq!(refusals(&visible), []);
}

#[test]
fn everything_else_is_refused_and_put_on_file() {
    let (_dir, visible) = a_run();
    for (index, name) in CLOSED.iter().enumerate() {
        assert!(matches!(visible.read_text(name), Err(ReadError::Refused { .. })), "{name:?}");
        let found = refusals(&visible);
        assert_eq!(found.len(), index + 1, "{name:?}");
        let last = &found[index];
        assert_eq!((last.stage.as_str(), last.what.as_str()), ("test", "refused"));
        assert!(last.detail.contains(&format!("{name:?}")), "{last:?}");
    }
    for name in ["sealed", "", "R0/.."] {
        assert!(matches!(visible.list(name), Err(ReadError::Refused { .. })), "{name:?}");
    }
    assert!(matches!(visible.lines::<u8>("sealed/ledger.jsonl"), Err(ReadError::Refused { .. })));
    assert!(matches!(visible.trace_path(0, "../sealed/ledger.jsonl"), Err(ReadError::Refused { .. })));
}

#[test]
fn a_link_that_leads_out_is_refused() {
    let (_dir, visible) = a_run();
    let link = |target: &str, name: &str| std::os::unix::fs::symlink(target, visible.root.join(name)).unwrap();
    link("../../sealed/ledger.jsonl", "R0/digests/ledger.json");
    link("../../other", "data/other");
    link("../sealed", "data/sealed");
    link("../../curves.json", "R0/digests/curves.json");
    link("a.json", "R0/digests/b.json");
    for name in ["R0/digests/ledger.json", "data/other/run.toml", "data/sealed/ledger.jsonl", "R0/digests/curves.json"] {
        assert!(matches!(visible.read_text(name), Err(ReadError::Refused { .. })), "{name}");
    }
    assert!(matches!(visible.list("data/sealed"), Err(ReadError::Refused { .. })));
    assert_eq!(visible.read_text("R0/digests/b.json").unwrap(), "open", "a link that stays on the list");
    assert_eq!(refusals(&visible).len(), 5);
}

#[test]
fn a_pipe_is_no_file() {
    let (_dir, visible) = a_run();
    let path = visible.root.join("data/pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(visible.read_text("data/pipe").unwrap_err().to_string().contains("not a file"));
}

#[test]
fn episodes_of_other_streams_are_passed_over() {
    let (_dir, visible) = a_run();
    let line = |stream: &str| {
        let key = format!(r#""task":"t","stream":"{stream}","replicate":0,"trace":"trajectories/t_r0.jsonl""#);
        let usage = serde_json::to_string(&crate::domain::request::Usage::default()).unwrap();
        let result = r#""outcome":"solved","end":{"ending":"environment_done"},"reward":1.0,"steps":1,"calls":1"#;
        format!("{{{key},{result},\"usage\":{usage}}}\n")
    };
    let text: String = ["visible", "sealed/0", "heldout", "visible"].map(line).concat();
    write_whole(&visible.root.join("R0/episodes.jsonl"), text.as_bytes()).unwrap();
    let found = visible.episodes(0).unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|line| line.key.stream == Stream::visible()));
}

const WORDS: &[&str] =
    &["..", ".", "", "sealed", "R0", "digests", "data", "ledger.jsonl", "run", "run.toml", "other", "a.json", "curves.json"];

fn part() -> impl Strategy<Value = String> {
    prop_oneof![9 => proptest::sample::select(WORDS).prop_map(str::to_owned), 1 => "\\PC{0,3}"]
}

#[test]
fn no_spelling_reaches_what_is_sealed() {
    let (_dir, visible) = a_run();
    proptest!(|(parts in proptest::collection::vec(part(), 0..7))| {
        if let Ok(text) = visible.read_text(&parts.join("/")) {
            prop_assert_eq!(text, "open");
        }
    });
}

#[test]
fn a_place_is_told_without_detours_and_a_refusal_leaves_no_line() {
    let (dir, visible) = a_run();
    assert_eq!(visible.place("R0//digests/./a.json").unwrap(), Path::new("R0/digests/a.json"));
    std::os::unix::fs::symlink("../R0/digests", dir.path().join("run/data/detour")).unwrap();
    assert_eq!(visible.place("data/detour/a.json").unwrap(), Path::new("R0/digests/a.json"));
    assert!(matches!(visible.place("sealed/ledger.jsonl"), Err(ReadError::Refused { .. })));
    assert!(visible.place("R0/digests/b.json").unwrap_err().is_missing());
    assert!(!dir.path().join("run").join(AUDIT_FILE).exists());
}
