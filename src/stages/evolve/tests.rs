//! Engines on a small written world: things lie on shelves, are lifted and dropped, and some must be washed on the way.

use super::*;
use crate::domain::conversation::Conversation;
use crate::domain::digest::{Anchor, Cluster, DIGEST_FORMAT, Pathology, RolloutFacts, Signal, Verdict};
use crate::domain::edit::{Bucket, Edit};
use crate::domain::event::ToolResult;
use crate::domain::landscape::Guard;
use crate::domain::ledger::{RejectedAt, RejectedCandidate};
use crate::domain::message::{Arguments, Message, ToolCall};
use crate::domain::outcome::{Ending, EpisodeResult, Outcome};
use crate::domain::request::{Decision, ModelRole, Sampling, ScoreRule, Usage};
use crate::domain::task::Tags;
use crate::domain::trace::{EpisodeKey, Record, Stream, ToolSource};
use crate::runtime::assembly::Assembly;
use crate::store::harness_dir::{from_files, tree_id};
use crate::store::trace_file::TraceFile;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const DEMONSTRATIONS: &str = r#"
[[demonstration]]
tags = { kind = "carry" }
turns = [{ user = "A yard. Your task: bring a rake to barn." }, { assistant = "walk to shelf 1" }, { user = "rake 1" },
         { assistant = "lift rake 1 from shelf 1" }, { user = "you lift it" }, { assistant = "drop rake 1 at barn 1" }]
[[demonstration]]
tags = { kind = "carry" }
turns = [{ user = "A yard. Your task: bring a spade to barn." }, { assistant = "lift spade 2 from shelf 2" }, { user = "you lift it" },
         { assistant = "walk to barn 1" }, { user = "barn" }, { assistant = "drop spade 2 at barn 1" }]
[[demonstration]]
tags = { kind = "wash" }
turns = [{ user = "A yard. Your task: bring a washed cup to shelf." }, { assistant = "lift cup 1 from barn 1" }, { user = "you lift it" },
         { assistant = "wash cup 1 with tap 1" }, { user = "clean" }, { assistant = "drop cup 1 at shelf 1" }]
[[demonstration]]
tags = { kind = "wash" }
turns = [{ user = "A yard. Your task: bring a washed mug to barn." }, { assistant = "lift mug 1 from shelf 2" }, { user = "you lift it" },
         { assistant = "wash mug 1 with tap 2" }, { user = "clean" }, { assistant = "drop mug 1 at barn 1" }]
"#;

const MANIFEST: &str = "format = 1\nname = \"yard\"\n[[processors]]\nuse = \"few_shot\"\nparams = { by = \"kind\" }\n\
    [[processors]]\nuse = \"admissible_choice\"\n[slots.limits]\nsteps = 6\n";

/// Actions admitted at the steps of a failing episode.
const ADMITTED: [&[&str]; 5] = [
    &["walk to shelf 1", "walk to shelf 2", "walk to barn 1", "walk to tap 1", "wait"],
    &["walk to shelf 2", "walk to barn 1", "walk to tap 1", "lift rake 1 from shelf 1", "lift cup 3 from shelf 1", "wait"],
    &["walk to shelf 1", "walk to shelf 2", "walk to barn 1", "wait", "drop cup 3 at tap 1", "wash cup 3 with tap 1"],
    &["walk to shelf 1", "walk to shelf 2", "walk to tap 1", "wait", "drop cup 3 at barn 1"],
    &["walk to shelf 1", "walk to shelf 2", "walk to tap 1", "wait", "drop cup 3 at barn 1"],
];

struct Yard {
    incumbent: Harness,
    digests: Vec<TaskDigest>,
    experience: Experience,
    landscape: Landscape,
    count: usize,
}

fn result(outcome: Outcome) -> EpisodeResult {
    let end = Ending::Budget { limit: "steps".into() };
    EpisodeResult { outcome, end, reward: 0.0, steps: 5, calls: 5, retries: 0, usage: Usage::default(), milliseconds: 0 }
}

fn write_trace(path: &Path, task: &str, text: &str, kind: &str) {
    let mut file = TraceFile::create(path).unwrap();
    let key = EpisodeKey { task: task.into(), stream: Stream::visible(), replicate: 0 };
    let tags = Tags::from([("kind".to_owned(), kind.to_owned())]);
    let (harness, policy) = (HarnessId::from("h"), crate::domain::id::PolicyVersion::from("p"));
    file.append(&Record::Episode { format: 1, key, harness, policy, seed: 1, task_text: text.into(), tags }).unwrap();
    for (index, admitted) in ADMITTED.iter().enumerate() {
        let step = index as u32 + 1;
        let options: Vec<String> = admitted.iter().map(|action| (*action).to_owned()).collect();
        let turns = vec![Message::user(format!("A yard. Your task: {text}"))];
        let digest = Conversation::default().digest();
        let decision = Decision::Choice { options: options.clone(), score: ScoreRule::Mean };
        let (sampling, role) = (Sampling::default(), ModelRole::Main);
        let request = Record::Request {
            step,
            kept: 0,
            turns,
            system: None,
            tools: None,
            decision,
            sampling,
            role,
            digest,
            asked_by: None,
            within: None,
        };
        file.append(&request).unwrap();
        let call = ToolCall { id: "c".into(), name: "act".into(), arguments: Arguments::text("command", admitted[step as usize % 4]) };
        let actions = ADMITTED.get(index + 1).map(|next| next.iter().map(|action| (*action).to_owned()).collect());
        let result = ToolResult { text: "Nothing is gained".into(), is_error: false };
        file.append(&Record::Tool { step, within: None, call, result, actions, source: ToolSource::Environment }).unwrap();
    }
    file.append(&Record::Outcome(result(Outcome::Failed))).unwrap();
    file.flush().unwrap();
}

fn digest(task: &str, text: &str, kind: &str, trace: &str) -> TaskDigest {
    let verdict = Verdict { outcome: Outcome::Failed, end: Ending::Budget { limit: "steps".into() }, reward: 0.0, steps: 5, tokens: 9 };
    let anchor = Anchor { trace: trace.to_owned(), step: 5 };
    TaskDigest {
        format: DIGEST_FORMAT,
        task: task.into(),
        text: text.into(),
        tags: Tags::from([("kind".to_owned(), kind.to_owned())]),
        rollouts: vec![RolloutFacts {
            replicate: 0,
            trace: trace.to_owned(),
            verdict: Some(verdict),
            calls: 5,
            distinct_calls: 4,
            repeats: 1,
            longest_burst: 1,
            errors: 0,
            fired: BTreeMap::new(),
        }],
        signals: vec![Signal { kind: Pathology::BudgetStarvation, anchor, snippet: "Nothing is gained".into(), count: 1 }],
        divergence: None,
        dropped: 0,
    }
}

impl Yard {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut builder = ExperienceBuilder::default();
        let mut digests = Vec::new();
        let tasks = [
            ("carry", "bring a rake to barn."),
            ("carry", "bring a bag to shelf."),
            ("wash", "bring a washed cup to tap."),
            ("wash", "bring a washed pot to barn."),
        ];
        for (index, (kind, text)) in tasks.iter().enumerate() {
            let (task, trace) = (format!("{kind}/{index}"), format!("trajectories/{index}_r0.jsonl"));
            let path = dir.path().join(format!("{index}.jsonl"));
            write_trace(&path, &task, text, kind);
            builder.read(&path, &trace).unwrap();
            digests.push(digest(&task, text, kind, &trace));
        }
        let files = [("harness.toml", MANIFEST), ("prompts/demonstrations.toml", DEMONSTRATIONS)];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let incumbent = from_files(files.into(), Path::new("yard")).unwrap().0;
        let tasks: Vec<TaskId> = digests.iter().map(|digest| digest.task.clone()).collect();
        let failing = vec![Cluster { tag: "all".into(), kind: Pathology::BudgetStarvation, tasks, solved: 0, scored: 4 }];
        Self { incumbent, digests, experience: builder.finish(), landscape: Landscape { failing, ..Landscape::default() }, count: 4 }
    }

    fn evolve(&self, search: Search, seed: u64) -> Vec<Proposed> {
        self.evolve_where(search, seed, &|_| Ok(self.digests.iter().map(|digest| digest.task.clone()).collect()))
    }

    fn evolve_where(&self, search: Search, seed: u64, replay: &dyn Fn(&Harness) -> Result<Vec<TaskId>, String>) -> Vec<Proposed> {
        let waiting = BTreeSet::new();
        let workshop = Workshop {
            waiting: &waiting,
            round: 2,
            seed,
            count: self.count,
            first: 1,
            variant: "main".into(),
            incumbent: &self.incumbent,
            parent: id_of(&self.incumbent).unwrap(),
            landscape: &self.landscape,
            digests: &self.digests,
            experience: &self.experience,
            check: &|harness, lines| Assembly::new(harness.clone(), lines).err().unwrap_or_default(),
            id_of: &id_of,
            replay,
        };
        evolve(search, &workshop)
    }

    /// The parameters that the catalog gives a processor, at the first seed that proposes it.
    fn given(&self, native: &str) -> toml::Table {
        let specs = (0..200).flat_map(|seed| self.evolve(Search::Steered, seed)).map(|proposed| proposed.harness.manifest.processors);
        specs.flatten().find(|spec| spec.label() == native).unwrap().params
    }
}

fn id_of(harness: &Harness) -> Result<HarnessId, String> {
    let assembly = Assembly::new(harness.clone(), &[]).map_err(|problems| problems[0].to_string())?;
    tree_id(assembly.canonical_manifest(), &assembly.harness().files).map_err(|error| error.to_string())
}

#[test]
fn forms_slots_and_plans_are_mined() {
    let yard = Yard::new();
    let lessons = Lessons::of(&yard.experience, &yard.incumbent);
    let shown: Vec<String> = lessons.forms.iter().map(|form| form.template.shown()).collect();
    assert_eq!(shown, ["drop … at …", "lift … from …", "wait", "walk to …", "wash … with tap …"]);
    let about: Vec<&[bool]> = lessons.forms.iter().map(|form| form.about_task.as_slice()).collect();
    assert_eq!(about, [&[true, true][..], &[true, false], &[], &[false], &[true, false]]);
    let plan = |kind: &str| -> Vec<&str> { lessons.plans[kind].iter().map(|index| lessons.forms[*index].template.head()).collect() };
    assert_eq!((plan("carry"), plan("wash")), (vec!["lift", "drop"], vec!["lift", "wash", "drop"]));
    assert_eq!((lessons.tag.as_str(), lessons.idle[0].as_str()), ("kind", "Nothing is gained"));
}

#[test]
fn the_catalog_turns_what_was_mined_into_parameters() {
    let yard = Yard::new();
    let text = toml::to_string(&yard.given("goal_term_filter")).unwrap();
    assert!(text.contains("^drop (.+) at (.+)$") && text.contains("^lift (.+) from .+$"), "{text}");
    let text = toml::to_string(&yard.given("subgoal_tracker")).unwrap();
    assert!(text.contains("[[plans.wash]]") && text.contains("by = \"kind\""), "{text}");
    assert!(yard.given("preferred_actions")["prefer"].as_array().is_some_and(|patterns| !patterns.is_empty()));
}

#[test]
fn a_script_comes_with_its_file_and_what_was_mined() {
    let yard = Yard::new();
    let path = "processors/subgoal_planner.js";
    let found = (0..200).flat_map(|seed| yard.evolve(Search::Steered, seed)).find(|proposed| proposed.manifest.component == path).unwrap();
    assert_eq!(found.manifest.buckets, [Bucket::Processor]);
    assert_eq!(found.manifest.file_changes, ["harness.toml", path]);
    assert!(found.harness.files.contains_key(path));
    let params = &found.harness.manifest.processors.iter().find(|spec| spec.label() == path).unwrap().params;
    let goals = |kind: &str| toml::to_string(&toml::Table::from_iter([("x".to_owned(), params["plans"][kind].clone())])).unwrap();
    let wash = goals("wash");
    assert!(wash.contains("act = \"^wash (.+) with tap .+$\"\nat = [\"tap\"]"), "{wash}");
    assert!(wash.contains("act = \"^drop (.+) at (.+)$\"\nat = [\"{task}\"]"), "{wash}");
    assert_eq!(params["go"].as_str(), Some("^walk to (.+)$"));
    // Both controls can put scripts in too.
    for search in [Search::Random, Search::BestOfN] {
        let scripts =
            (0..60).flat_map(|seed| yard.evolve(search, seed)).filter(|proposed| proposed.manifest.component.starts_with("processors/"));
        assert!(scripts.count() > 0, "{search:?}");
    }
}

#[test]
fn every_script_of_the_shelf_passes_its_check() {
    let yard = Yard::new();
    for script in shelf::ALL {
        let edits = [
            Edit::WriteFile { path: script.path.into(), text: script.text.into() },
            Edit::Insert {
                processor: crate::domain::harness::ProcessorSpec { script: Some(script.path.into()), ..Default::default() },
                before: None,
                rank: 0,
            },
        ];
        let bundle = Bundle { name: script.path.into(), edits: edits.into() };
        let harness = bundle.apply(&yard.incumbent, &native::groups()).unwrap();
        assert!(id_of(&harness).is_ok(), "{:?}", id_of(&harness));
    }
}

#[test]
fn candidates_differ_in_component_and_say_what_they_do() {
    let yard = Yard::new();
    for search in Search::ALL {
        let engine = search.engine();
        let proposed = yard.evolve(search, 3);
        assert_eq!(proposed, yard.evolve(search, 3), "{engine}");
        assert_eq!(proposed.len(), 4, "{engine}");
        for candidate in &proposed {
            let manifest = &candidate.manifest;
            assert_eq!(id_of(&candidate.harness).unwrap(), manifest.harness);
            let rebuilt = manifest.bundle().apply(&yard.incumbent, &native::groups()).unwrap();
            assert_eq!(rebuilt, candidate.harness);
            assert!(manifest.edits.iter().all(|edit| manifest.buckets.contains(&edit.bucket())));
            assert!(
                manifest.claims().count() > 0 && !manifest.failure_evidence.is_empty() && !manifest.capability_evidence.observed.is_empty()
            );
            assert!(candidate.smoke.iter().all(|line| line.passed) && candidate.smoke.len() == 3);
        }
    }
    let components: std::collections::BTreeSet<String> =
        yard.evolve(Search::Steered, 3).into_iter().map(|candidate| candidate.manifest.component).collect();
    assert_eq!(components.len(), 4);
}

#[test]
fn what_touches_nothing_is_not_proposed() {
    let yard = Yard::new();
    assert!(yard.evolve_where(Search::Steered, 1, &|_| Ok(Vec::new())).is_empty());
    assert!(yard.evolve_where(Search::Steered, 1, &|_| Err("unreadable".into())).is_empty());
}

#[test]
fn edits_rejected_since_the_last_ship_are_not_proposed_again() {
    let mut yard = Yard::new();
    let first = yard.evolve(Search::Steered, 1);
    yard.landscape.rejected = first
        .iter()
        .map(|candidate| RejectedCandidate {
            round: 1,
            candidate: candidate.manifest.candidate_id.clone(),
            engine: Engine::Catalog,
            buckets: candidate.manifest.buckets.clone(),
            component: candidate.manifest.component.clone(),
            edits: candidate.manifest.edits_digest().to_string(),
            at: RejectedAt::Gate,
            reason: "no gain".into(),
        })
        .collect();
    for seed in 0..20 {
        let again = yard.evolve(Search::Steered, seed);
        assert!(again.iter().all(|candidate| first.iter().all(|old| old.manifest.edits != candidate.manifest.edits)));
    }
}

#[test]
fn the_guard_makes_a_neglected_bucket_be_used() {
    let mut yard = Yard::new();
    yard.landscape.guard = Some(Guard { overused: Bucket::Processor, neglected: vec![Bucket::Prompt] });
    for seed in 0..20 {
        let proposed = yard.evolve(Search::Steered, seed);
        assert!(proposed.iter().any(|candidate| candidate.manifest.buckets.contains(&Bucket::Prompt)), "{seed}");
    }
}

#[test]
fn what_promises_most_is_found_within_few_rounds() {
    let yard = Yard::new();
    let found = |seed: &u64| yard.evolve(Search::Steered, *seed).iter().any(|candidate| candidate.manifest.component == "goal_term_filter");
    let hits = (0..40).filter(found).count();
    assert!(hits >= 32, "{hits} of 40");
}

#[test]
fn limits_are_declared() {
    let yard = Yard { count: 100, ..Yard::new() };
    let raised = yard.evolve(Search::Steered, 1).into_iter().find(|candidate| candidate.manifest.component == "limits").unwrap();
    assert_eq!(raised.manifest.resources.unwrap().steps, Some(9));
    assert!(matches!(&raised.manifest.edits[0], Edit::Set { key, .. } if key == "slots.limits.steps"));
}
