//! What both suites stand on: the benchmark's tasks as secrets, honest candidates to start from, one door to the Critic.

use harnessx::bench::Benchmark;
use harnessx::domain::digest::{Anchor, DIGEST_FORMAT, Pathology, TaskDigest};
use harnessx::domain::edit::Edit;
use harnessx::domain::engine::Engine;
use harnessx::domain::gate::Reader;
use harnessx::domain::harness::Harness;
use harnessx::domain::id::HarnessId;
use harnessx::domain::landscape::Landscape;
use harnessx::domain::ledger::Scoreboard;
use harnessx::domain::manifest::{
    AttributionSignature, CandidateManifest, CapabilityEvidence, Claim, FailureEvidence, MANIFEST_FORMAT, PredictedImpact, SignatureKind,
};
use harnessx::domain::task::{Split, Task};
use harnessx::runtime::assembly::Assembly;
use harnessx::runtime::native;
use harnessx::stages::critique::{Critique, CritiqueInput, Progress, Proposal, Rule, Secrets, TaskTexts, critique, limits_in_force};
use harnessx::store::harness_dir::{read, tree_id};
use std::collections::BTreeMap;
use std::path::Path;

/// Words that stand in the one visible trace there is.
pub const SEEN: &str = "Nothing happens.";

/// The trace.
pub const TRACE: &str = "trajectories/t_r0.jsonl";

/// How the environment ends a solved episode.
pub const CLOSING: &str = "The bell rings and the keeper says that all is well.";

/// A benchmark's tasks and the harness to change.
pub struct Bed {
    pub tasks: Vec<Task>,
    pub secrets: Secrets,
    pub parent: Harness,
    pub landscape: Landscape,
    pub scoreboard: Scoreboard,
    pub progress: Vec<Progress>,
}

/// A candidate with its harness.
#[derive(Clone)]
pub struct Candidate {
    pub manifest: CandidateManifest,
    pub harness: Harness,
}

impl Bed {
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dir = root.join("benchmarks/household");
        let benchmark = Benchmark::parse(&std::fs::read_to_string(dir.join("benchmark.toml")).unwrap(), &dir).unwrap();
        let tasks: Vec<Task> = benchmark.tasks.into_iter().map(|loaded| loaded.task).collect();
        let of = |is_train: bool| -> Vec<TaskTexts> {
            let chosen = tasks.iter().filter(|task| (task.split == Split::Train) == is_train);
            chosen.map(|task| TaskTexts { task: task.id.clone(), goal: task.text.clone(), answers: Vec::new() }).collect()
        };
        let secrets = Secrets::new(&of(false), &of(true));
        let (parent, _) = read(&root.join("harnesses/household-base")).unwrap();
        let (landscape, scoreboard) = (Landscape { round: 4, ..Landscape::default() }, Scoreboard::default());
        Self { secrets, tasks, parent, landscape, scoreboard, progress: Vec::new() }
    }

    /// A task of a split that shares its text with no task of another split.
    pub fn task(&self, split: Split) -> &Task {
        let is_own = |task: &&Task| !self.tasks.iter().any(|other| other.split != task.split && other.text == task.text);
        self.tasks.iter().filter(|task| task.split == split).find(is_own).unwrap()
    }

    /// What a task asks for, without the words that all begin with.
    pub fn goal(&self, split: Split) -> &str {
        let text = &self.task(split).text;
        text.split_once(": ").map_or(text.as_str(), |(_, goal)| goal)
    }

    /// An honest candidate with these edits on the parent.
    pub fn honest(&self, edits: Vec<Edit>) -> Candidate {
        self.on(&self.parent, edits)
    }

    /// The same on another parent.
    pub fn on(&self, parent: &Harness, edits: Vec<Edit>) -> Candidate {
        let mut manifest = self.manifest(edits);
        let harness = manifest.bundle().apply(parent, &native::groups()).unwrap();
        let limits = limits_in_force(&harness);
        manifest.resources = (limits != limits_in_force(parent)).then_some(limits);
        (manifest.parent, manifest.harness) = (identity(parent), identity(&harness));
        Candidate { manifest, harness }
    }

    fn manifest(&self, edits: Vec<Edit>) -> CandidateManifest {
        let anchor = Anchor { trace: TRACE.into(), step: 3 };
        let mut manifest = CandidateManifest {
            format: MANIFEST_FORMAT,
            candidate_id: "C-R4-01".into(),
            title: "less repetition".into(),
            engine: Engine::Catalog,
            variant: "main".into(),
            parent: "".into(),
            harness: "".into(),
            iterates_from: None,
            buckets: Vec::new(),
            component: "repetition".into(),
            file_changes: Vec::new(),
            resources: None,
            root_cause: "actions without effect are repeated".into(),
            targeted_fix: "withhold them".into(),
            why_risk_holds: "what worked is never withheld".into(),
            capability_evidence: CapabilityEvidence { claim: "other actions were admitted".into(), observed: vec![anchor.clone()] },
            predicted_impact: PredictedImpact {
                will_unlock: vec![Claim::Task(self.task(Split::Train).id.clone())],
                ..PredictedImpact::default()
            },
            attribution_signature: AttributionSignature {
                kind: SignatureKind::Processor,
                name: "tried_actions".into(),
                expected_min_calls: 1,
            },
            failure_evidence: vec![FailureEvidence { kind: Pathology::ToolEffectMissing, anchor, snippet: SEEN.into() }],
            edits,
        };
        let bundle = manifest.bundle();
        manifest.buckets = bundle.buckets().into_iter().collect();
        manifest.file_changes = bundle.files().into_iter().map(str::to_owned).collect();
        manifest
    }

    /// The Critic's word on some candidates.
    pub fn judge(&self, candidates: &[Candidate]) -> Critique {
        self.judge_on(&self.parent, candidates)
    }

    pub fn judge_on(&self, parent: &Harness, candidates: &[Candidate]) -> Critique {
        self.judge_for(Reader::Engine, parent, candidates)
    }

    pub fn judge_for(&self, reader: Reader, parent: &Harness, candidates: &[Candidate]) -> Critique {
        let proposals: Vec<Proposal<'_>> =
            candidates.iter().map(|one| Proposal { manifest: &one.manifest, harness: &one.harness, parent }).collect();
        let digests = [self.digest()];
        let verify = |anchor: &Anchor, words: &str| anchor.trace == TRACE && anchor.step <= 9 && SEEN.contains(words);
        critique(&CritiqueInput {
            round: 4,
            candidates: &proposals,
            landscape: &self.landscape,
            scoreboard: &self.scoreboard,
            digests: &digests,
            progress: &self.progress,
            secrets: &self.secrets,
            reader,
            closing_results: &[CLOSING.to_owned()],
            justified: &BTreeMap::new(),
            verify: &verify,
        })
    }

    fn digest(&self) -> TaskDigest {
        let task = self.task(Split::Train);
        TaskDigest {
            format: DIGEST_FORMAT,
            task: task.id.clone(),
            text: task.text.clone(),
            tags: task.tags.clone(),
            rollouts: Vec::new(),
            signals: Vec::new(),
            divergence: None,
            dropped: 0,
        }
    }

    /// The rules that reject a single candidate.
    pub fn rules(&self, candidate: Candidate) -> Vec<Rule> {
        self.judge(&[candidate]).findings.into_iter().map(|finding| finding.rule).filter(|rule| rule.rejects()).collect()
    }
}

/// An edit as it stands in a manifest.
pub fn edit(text: &str) -> Edit {
    toml::from_str(text).unwrap()
}

/// One processor more.
pub fn insert(native: &str, params: &str) -> Edit {
    edit(&format!("edit = \"insert\"\n[processor]\nuse = \"{native}\"\n[processor.params]\n{params}\n"))
}

/// A file written.
pub fn write(path: &str, text: &str) -> Edit {
    Edit::WriteFile { path: path.to_owned(), text: text.to_owned() }
}

/// A harness's identity; empty where it does not pass its check.
pub fn identity(harness: &Harness) -> HarnessId {
    let Ok(assembly) = Assembly::new(harness.clone(), &[]) else { return "".into() };
    tree_id(assembly.canonical_manifest(), &assembly.harness().files).unwrap()
}

/// A file of demonstrations with one in which this is asked and answered.
pub fn demonstration(asks: &str, then: &str) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    format!(
        "[[demonstration]]\nturns = [\n    {{ user = {} }},\n    {{ assistant = \"go to drawer 1\" }},\n    {{ user = {} }},\n    {{ assistant = \"open drawer 1\" }},\n]\n",
        quoted(asks),
        quoted(then)
    )
}
