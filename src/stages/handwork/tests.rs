//! What is laid out, and what is made of what comes back.

use super::*;
use crate::domain::digest::Anchor;
use crate::domain::harness::parse_manifest;
use crate::domain::id::TaskId;
use crate::stages::meta::Ground;
use std::collections::BTreeSet;

fn incumbent() -> Harness {
    let (manifest, _) = parse_manifest("format = 1\nname = \"h\"\n").unwrap();
    Harness { manifest, files: BTreeMap::from([("prompts/a.md".to_owned(), b"x".to_vec())]) }
}

#[test]
fn an_evolver_gets_everything_and_long_traces_are_left_out() {
    let transcript = |name: &str, length: usize| Transcript { name: format!("trajectories/{name}.jsonl"), text: "t".repeat(length) };
    let transcripts = [transcript("a", 10), transcript("b", TRACES_LIMIT), transcript("c", 20)];
    let (overview, incumbent) = (Overview::default(), incumbent());
    let shown = Shown { round: 2, overview: &overview, digests: &[], transcripts: &transcripts, incumbent: &incumbent };
    let place = Place { format: 1, round: 2, candidate: "C-R2-03".into(), number: 3 };
    let direction = Direction {
        title: "plan `it`".into(),
        bucket: crate::domain::edit::Bucket::Processor,
        component: None,
        why: "why\nnot".into(),
        tasks: Vec::new(),
        evidence: Vec::new(),
    };
    let landscape = Landscape { directions: vec![direction], ..Landscape::default() };
    let sheets = evolver(&shown, &landscape, &place, "End it.");
    let text = |name: &str| String::from_utf8(sheets[name].clone()).unwrap();
    assert!(text("README.md").contains("Candidate C-R2-03") && text("README.md").contains("End it."));
    assert!(text("README.md").contains("`plan  it `, bucket processor: `why not`"), "{}", text("README.md"));
    assert!(text("traces/a.jsonl.txt").starts_with("anchors here: trajectories/a.jsonl#step_N"));
    assert!(sheets.contains_key("traces/c.jsonl.txt") && !sheets.contains_key("traces/b.jsonl.txt"));
    assert!(text("traces/LEFT-OUT.txt").starts_with("1 transcripts"));
    assert!(sheets.contains_key("harness/harness.toml") && sheets.contains_key("harness/prompts/a.md"));
    assert!(sheets.contains_key("types.d.ts") && sheets.contains_key("natives.md"));
    assert_eq!(statement(Some(&text(STATEMENT)), "an edit by hand").unwrap().title, "an edit by hand");
}

#[test]
fn a_statement_is_read_or_its_line_is_named() {
    let text = "title = \"t\"\nwill_unlock = [{ task = \"a\" }, { tags = { kind = \"x\" } }]\n";
    let read = statement(Some(text), "").unwrap();
    assert_eq!((read.title.as_str(), read.will_unlock.len()), ("t", 2));
    let problem = statement(Some("title = \"t\"\nwhy = 1\n"), "").unwrap_err();
    assert!(problem.starts_with("statement.toml:2: unknown field `why`"), "{problem}");
    assert_eq!(statement(None, "by x").unwrap().title, "by x");
}

#[test]
fn words_are_held_against_the_run_and_templates_say_nothing() {
    let tasks = BTreeSet::from([TaskId::from("known")]);
    let verify = |anchor: &Anchor, words: &str| anchor.step == 1 && (words.is_empty() || words == "seen");
    let ground = Ground { tasks: &tasks, verify: &verify };
    let candidates = [CandidateId::from("C-R1-01")];
    let desired = Desired { ground, candidates: &candidates, may_revise: false };
    let mut words = Words::default();
    assert!(words.diagnoses(Some("{\"diagnoses\": []}"), &desired).is_none());
    assert!(words.directions(None, &desired).is_none());
    assert!(words.reviews(Some("{\"reviews\": [], \"ranking\": [], \"concern\": null}"), &desired).is_none());
    assert!(words.problems.is_empty());
    let diagnosis = |step: u32| {
        format!(
            "{{\"about\": \"x\", \"cause\": \"c\", \"bias\": {{\"bucket\": \"prompt\", \"element\": \"e\"}}, \"evidence\": [{{\"kind\": \"silent_drop\", \"anchor\": \"trajectories/a.jsonl#step_{step}\", \"snippet\": \"seen\"}}]}}"
        )
    };
    let said = words.diagnoses(Some(&format!("{{\"diagnoses\": [{}, {}]}}", diagnosis(1), diagnosis(2))), &desired).unwrap();
    assert_eq!((said.diagnoses.len(), said.dropped), (1, 1));
    let direction = "{\"directions\": [{\"title\": \"t\", \"bucket\": \"prompt\", \"why\": \"w\", \"tasks\": [\"gate task\"]}]}";
    assert!(words.directions(Some(direction), &desired).is_none());
    let review =
        |id: &str, word: &str| format!("{{\"candidate\": \"{id}\", \"word\": \"{word}\", \"reason\": \"r\", \"interaction\": \"i\"}}");
    let reviews = [review("C-R1-01", "pass"), review("C-R1-01", "revise"), review("C-R1-02", "pass")].join(", ");
    let said = words.reviews(Some(&format!("{{\"reviews\": [{reviews}], \"ranking\": [\"C-R1-07\"]}}")), &desired).unwrap();
    assert_eq!(said.reviews.len(), 1);
    words.justified("evolver/1/", Some("{\"unknown\": \"why\"}"), &ground);
    words.diagnoses(Some("{"), &desired);
    let problems = words.problems.join("\n");
    for part in [
        "digester/diagnoses.json, entry 2: no snippet",
        "planner/directions.json, entry 1: there is no train task \"gate task\"",
        "critic/reviews.json, entry 2: a revision",
        "critic/reviews.json, entry 3: there is no candidate",
        "critic/reviews.json, ranking",
        "evolver/1/justified.json: there is no train task",
        "digester/diagnoses.json:1:",
    ] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
}
