//! Digests of small written traces.

use super::{digest_task, overview, overview_markdown, regressions_markdown, task_markdown};
use crate::domain::digest::{Pathology, TaskDigest};
use crate::domain::edit::Bucket;
use crate::domain::history::History;
use crate::domain::history::sample::{digest as standing, manifest, round};
use crate::domain::id::TaskId;
use std::fmt::Write;
use std::path::Path;

const HEAD: &str = r#"{"record":"episode","format":1,"task":"t/1","stream":"visible","replicate":0,"harness":"h","policy":"p","seed":1,"task_text":"do it","tags":{"kind":"easy"}}"#;

fn tool(step: u32, command: &str, result: &str, is_error: bool) -> String {
    let arguments = serde_json::json!({ "command": command });
    let actions = serde_json::json!(["a", "b", "c"]);
    serde_json::json!({"record": "tool", "step": step, "call": {"id": format!("c{step}"), "name": "act", "arguments": arguments},
        "result": {"text": result, "is_error": is_error}, "actions": actions})
    .to_string()
}

fn end(solved: bool) -> String {
    let (outcome, end) =
        if solved { ("solved", r#"{"ending":"environment_done"}"#) } else { ("failed", r#"{"ending":"budget","limit":"steps"}"#) };
    format!(
        r#"{{"record":"outcome","outcome":"{outcome}","end":{end},"reward":0.0,"steps":5,"calls":5,"usage":{{"input_tokens":10,"cached_tokens":0,"output_tokens":5,"cost":0.0}}}}"#
    )
}

fn digest(dir: &Path, rollouts: &[Vec<String>]) -> TaskDigest {
    let mut names = Vec::new();
    for (index, lines) in (0..).zip(rollouts) {
        let mut text = format!("{HEAD}\n");
        for line in lines {
            writeln!(text, "{line}").unwrap();
        }
        let name = format!("t_r{index}.jsonl");
        std::fs::write(dir.join(&name), text).unwrap();
        names.push((index, name));
    }
    digest_task(dir, &TaskId::from("t/1"), &names).unwrap()
}

#[test]
fn pathologies_have_anchors_where_their_words_stand() {
    let dir = tempfile::tempdir().unwrap();
    let lines = vec![
        tool(1, "a", "nothing", false),
        tool(2, "b", "nothing", false),
        tool(3, "c", "nothing", false),
        tool(4, "fly", "no", true),
        tool(5, "fly", "no", true),
        tool(6, "fly", "no", true),
        end(false),
    ];
    let digest = digest(dir.path(), &[lines]);
    let kinds: Vec<(&Pathology, u32, u32)> = digest.signals.iter().map(|signal| (&signal.kind, signal.anchor.step, signal.count)).collect();
    assert_eq!(
        kinds,
        vec![
            (&Pathology::ToolEffectMissing, 3, 1),
            (&Pathology::InvalidAction, 4, 3),
            (&Pathology::ErrorIgnored, 5, 2),
            (&Pathology::RepeatWithoutProgress, 6, 1),
            (&Pathology::BudgetStarvation, 6, 1),
        ]
    );
    assert_eq!((digest.dropped, digest.rollouts[0].repeats, digest.rollouts[0].longest_burst), (0, 2, 3));
    assert!(digest.is_actionable());
}

#[test]
fn a_passing_and_a_failing_rollout_part_where_their_calls_differ() {
    let dir = tempfile::tempdir().unwrap();
    let passing = vec![tool(1, "a", "x", false), tool(2, "b", "y", false), end(true)];
    let failing = vec![tool(1, "a", "x", false), tool(2, "c", "z", false), end(false)];
    let digest = digest(dir.path(), &[failing, passing]);
    let parting = digest.divergence.as_ref().unwrap();
    assert_eq!((parting.shared, parting.passing_at.step), (1, 2));
    assert!(parting.passing.contains('b') && parting.failing_at.trace == "t_r0.jsonl");
    assert!(task_markdown(&digest).contains("After 1 equal calls"));
}

#[test]
fn long_calls_part_where_they_differ_and_what_is_missing_parts_from_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let long = |last: &str| format!("{}{last}", "x".repeat(300));
    let passing = vec![tool(1, &long("a"), "x", false), tool(2, "b", "y", false), end(true)];
    let failing = vec![tool(1, &long("b"), "x", false), tool(2, "c", "z", false), end(false)];
    let missing = end(false).replace("\"failed\"", "\"error\",\"boundary\":\"provider\",\"message\":\"m\"");
    let missing = vec![tool(1, &long("a"), "x", false), tool(2, "c", "z", false), missing];
    assert_eq!(digest(dir.path(), &[passing.clone(), failing]).divergence.unwrap().shared, 0);
    assert_eq!(digest(dir.path(), &[passing, missing]).divergence, None);
}

#[test]
fn only_signals_of_failed_rollouts_are_causes() {
    let dir = tempfile::tempdir().unwrap();
    let flawed = |solved| vec![tool(1, "a", "x", false), tool(2, "fly", "no", true), end(solved)];
    let plain = vec![end(false).replace(r#""budget","limit":"steps""#, r#""environment_done""#)];
    let digested = digest(dir.path(), &[flawed(true), plain.clone()]);
    assert_eq!((digested.solved_of(), digested.signals.len(), digested.causes().count()), ((1, 2), 1, 0));
    assert!(!digested.is_actionable());
    let rounds = [round(0, "h", vec![digested])];
    assert!(overview(&History::new(&rounds)).clusters.is_empty());
    assert_eq!(digest(dir.path(), &[flawed(false), plain]).causes().count(), 2);
}

#[test]
fn tools_of_the_harness_are_no_pathologies() {
    let dir = tempfile::tempdir().unwrap();
    let of = |line: String, source: &str, id: &str, name: &str| {
        let line = line.replace("\"name\":\"act\"", &format!("\"name\":\"{name}\""));
        line.replace("\"record\":\"tool\"", &format!("\"record\":\"tool\",\"source\":\"{source}\""))
            .replace("\"id\":\"c2\"", &format!("\"id\":\"{id}\""))
    };
    let offered = r#"{"record":"request","step":1,"tools":[{"name":"search"}]}"#.to_owned();
    let inner = of(tool(2, "a", "x", false), "environment", "c2.1", "act");
    let outer = of(tool(2, "look for a", "y", false), "harness", "c2", "search");
    let unlisted = of(tool(2, "b", "z", false), "harness", "c2", "search").replace(r#"["a","b","c"]"#, "[]");
    let after = of(tool(2, "fly", "w", false), "environment", "c2", "search");
    let digested = digest(dir.path(), &[vec![offered.clone(), inner, outer, unlisted, after, end(false)]]);
    let kinds: Vec<&Pathology> = digested.signals.iter().map(|signal| &signal.kind).collect();
    assert_eq!(kinds, [&Pathology::BudgetStarvation], "{:?}", digested.signals);
    let missed = of(tool(2, "a", "x", true), "environment", "c2", "dig");
    let digested = digest(dir.path(), &[vec![offered, missed, end(false)]]);
    assert_eq!(digested.signals[0].kind, Pathology::MissingCapability);
}

#[test]
fn a_fault_of_the_harness_is_told_by_what_it_said_where_nothing_was_done_yet() {
    let dir = tempfile::tempdir().unwrap();
    let fault = r#""harness_fault","part":"search","message":"it says \"no\"""#;
    let fault = || end(false).replace(r#""budget","limit":"steps""#, fault);
    let digested = digest(dir.path(), &[vec![fault()]]);
    let told = |digest: &TaskDigest| (digest.signals[0].kind.to_string(), digest.signals[0].anchor.step, digest.signals[0].snippet.clone());
    assert_eq!(told(&digested), ("other:fault_of_search".to_owned(), 0, "it says \"no\"".to_owned()));
    let request = r#"{"record":"request","step":1}"#.to_owned();
    let reply = r#"{"record":"reply","step":1,"text":"I search."}"#.to_owned();
    let digested = digest(dir.path(), &[vec![request, reply, fault()]]);
    assert_eq!(told(&digested), ("other:fault_of_search".to_owned(), 1, "I search.".to_owned()));
}

#[test]
fn a_trace_without_an_end_is_missing_and_a_cut_tail_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let name = "t_r0.jsonl".to_owned();
    std::fs::write(dir.path().join(&name), format!("{HEAD}\n{}\n{{\"record\":\"to", tool(1, "a", "x", false))).unwrap();
    let digest = digest_task(dir.path(), &TaskId::from("t/1"), &[(0, name)]).unwrap();
    assert_eq!((digest.solved_of(), digest.rollouts[0].calls), ((0, 0), 1));
    assert!(!digest.is_actionable());
}

#[test]
fn a_bad_line_is_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("t.jsonl"), format!("{HEAD}\n{{\"record\": 3}}\n")).unwrap();
    let error = digest_task(dir.path(), &TaskId::from("t/1"), &[(0, "t.jsonl".to_owned())]).unwrap_err();
    assert!(error.to_string().contains("t.jsonl:2"), "{error}");
}

#[test]
fn clusters_count_tasks_that_are_not_always_solved() {
    let dir = tempfile::tempdir().unwrap();
    let failing = digest(dir.path(), &[vec![tool(1, "a", "x", false), tool(2, "fly", "no", true), end(false)]]);
    let solved = digest(dir.path(), &[vec![tool(1, "fly", "no", true), end(true)]]);
    let rounds = [round(0, "h", vec![failing, TaskDigest { task: TaskId::from("t/2"), ..solved }]), round(1, "h", Vec::new())];
    let overview = overview(&History::new(&rounds));
    assert_eq!(overview.carried, 2);
    assert_eq!((overview.tasks, overview.always, overview.never), (2, 1, 1));
    assert!(overview.clusters.iter().all(|cluster| cluster.tasks.len() == 1), "{overview:?}");
    assert!(overview_markdown(&overview).contains("| `kind=easy` | `invalid_action` | 1 | 0 of 1 |"), "{}", overview_markdown(&overview));
}

#[test]
fn what_got_worse_is_listed_with_the_ships_suspected() {
    let ship = manifest("C-R0-01", Bucket::Config, "x", &["b"]);
    let rounds = [round(0, "h0", vec![standing("a|`", 2, 2)]).ships(&[ship]), round(1, "h1", vec![standing("a|`", 1, 2)])];
    let page = regressions_markdown(&History::new(&rounds).declines());
    assert!(page.contains("| `a\\| ` | 2 of 2 in R0 | 1 of 2 | `C-R0-01` of R0 |"), "{page}");
    assert!(overview_markdown(&overview(&History::new(&rounds))).contains("Over all rounds so far: 1 regressed."));
    assert!(regressions_markdown(&[]).contains("None"));
}
