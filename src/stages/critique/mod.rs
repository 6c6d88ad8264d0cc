//! `critique`: the Critic's deterministic part (`system.md` §6). Candidates of a round in; findings, what may ship in which order, what is
//! rejected and why, and what to worry about out. No model, no files, no chance: the same input gives the same answer.
//!
//! One file a family of rules: `leaks` (sealed and train texts, plain or encoded), `lookup` (tables keyed by task), `output` (answers and
//! results that nobody worked for), `reach` (paths, sealed files, the outside world), `declared` (manifest against harness), `evidence`,
//! `overlap`, `history` (levers, regressions, concern). `heard` takes in what the Critic's model says, for which `page` shows a candidate.
//! `portfolio` and `ranking` look at all candidates together. The rules read what a candidate adds (`pieces`; `readers` says who reads a
//! file), not what its parent has already. `secrets` holds sealed texts as hashes only, so neither a finding nor a log can give one away.

mod declared;
mod evidence;
mod heard;
mod history;
mod leaks;
mod lookup;
mod markdown;
mod model_share;
mod output;
mod overlap;
mod page;
mod pieces;
mod portfolio;
mod ranking;
mod reach;
mod readers;
mod secrets;
mod squeezed;
mod views;

pub use declared::limits_in_force;
pub use markdown::{markdown, terminal};
pub use model_share::{Contribution, Tally, model_share};
pub use page::page;
pub use secrets::{Secrets, TaskTexts};

use crate::domain::diagnosis::Review;
use crate::domain::digest::{Anchor, TaskDigest};
use crate::domain::gate::Reader;
use crate::domain::harness::Harness;
use crate::domain::id::{CandidateId, TaskId};
use crate::domain::landscape::Landscape;
use crate::domain::ledger::Scoreboard;
use crate::domain::manifest::CandidateManifest;
use crate::store::versioned::{Versioned, unmarked};
use pieces::{Piece, added};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A candidate with the harnesses it lies between.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// What it says of itself.
    pub manifest: &'a CandidateManifest,
    /// The harness it makes.
    pub harness: &'a Harness,
    /// The harness it was built on.
    pub parent: &'a Harness,
}

/// How a round's incumbent did on the train split: means over tasks, 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Round.
    pub round: u32,
    /// Mean partial reward.
    pub reward: f64,
    /// Mean success.
    pub success: f64,
}

/// Everything the rules read.
pub struct CritiqueInput<'a> {
    /// The round.
    pub round: u32,
    /// Its candidates.
    pub candidates: &'a [Proposal<'a>],
    /// What the Evolver was told.
    pub landscape: &'a Landscape,
    /// Reputation before this round.
    pub scoreboard: &'a Scoreboard,
    /// Digests of the round's train tasks.
    pub digests: &'a [TaskDigest],
    /// Rounds so far, ascending.
    pub progress: &'a [Progress],
    /// Texts that must not appear.
    pub secrets: &'a Secrets,
    /// Who reads the findings: a person is told where sealed words stand, an engine only that they do, or a list of guesses would come back
    /// with the right ones marked.
    pub reader: Reader,
    /// Results with which the environment ended visible episodes that were solved: nobody else may say these.
    pub closing_results: &'a [String],
    /// Regressions that the engine justified in writing.
    pub justified: &'a BTreeMap<TaskId, String>,
    /// Whether these words stand verbatim at this place of a visible trace; empty words: whether there is such a place.
    pub verify: &'a dyn Fn(&Anchor, &str) -> bool,
}

/// A rule of the Critic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Words of a gate or held-out task.
    SealedText,
    /// Words of a train task outside a demonstration of that task.
    TrainText,
    /// Either of them, encoded; or text that nobody can read.
    Encoded,
    /// A table or a branch keyed by the task.
    Lookup,
    /// An answer or a tool's result that nobody worked for.
    ForgedOutput,
    /// A path that leads out, or hides what it is.
    Path,
    /// Reading what is sealed, or the outside world.
    SealedRead,
    /// The edits do not give the harness, or the manifest names other harnesses.
    NotReproduced,
    /// A file changed and not declared.
    UndeclaredFile,
    /// A bucket touched and not declared.
    UndeclaredBucket,
    /// A limit changed and not declared.
    UndeclaredResources,
    /// Evidence that is not where it is said to be.
    InventedEvidence,
    /// A claim without a place to look it up.
    BareClaim,
    /// A prediction about a task that is not a train task.
    UnknownTask,
    /// It does what is there already.
    Overlap,
    /// A lever shipped again and again with few hits.
    WornLever,
    /// Nearly the same as a better candidate.
    NearDuplicate,
}

impl Rule {
    /// Whether a finding ends a candidate. The others are said, and lower its place.
    pub fn rejects(self) -> bool {
        match self {
            Self::SealedText
            | Self::TrainText
            | Self::Encoded
            | Self::Lookup
            | Self::ForgedOutput
            | Self::Path
            | Self::SealedRead
            | Self::NotReproduced
            | Self::UndeclaredFile
            | Self::UndeclaredBucket
            | Self::UndeclaredResources
            | Self::InventedEvidence
            | Self::UnknownTask
            | Self::Overlap
            | Self::WornLever
            | Self::NearDuplicate => true,
            Self::BareClaim => false,
        }
    }
}

/// Where a finding points.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A line of a file of the harness, from 1; 0: the whole file.
    File(String, usize),
    /// A processor of `harness.toml`, by its label.
    Processor(String),
    /// An edit, by its place in the manifest, from 1.
    Edit(usize),
    /// A key of the manifest.
    Manifest(String),
    /// Somewhere in the candidate.
    Somewhere,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, 0) => write!(out, "{}", path.escape_debug()),
            Self::File(path, line) => write!(out, "{}:{line}", path.escape_debug()),
            Self::Processor(label) => write!(out, "harness.toml, {}", label.escape_debug()),
            Self::Edit(number) => write!(out, "edit {number}"),
            Self::Manifest(key) => write!(out, "manifest.toml, {key}"),
            Self::Somewhere => out.write_str("where is not said: `critique --rules` tells people"),
        }
    }
}

/// One thing a rule found. It never quotes a sealed text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// In whom.
    pub candidate: CandidateId,
    /// By which rule.
    pub rule: Rule,
    /// Where.
    pub place: Place,
    /// What, in plain words.
    pub text: String,
}

/// Version of [`Critique`].
pub const CRITIQUE_FORMAT: u32 = 1;

/// What the Critic says of a round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Critique {
    /// [`CRITIQUE_FORMAT`].
    #[serde(default = "unmarked")]
    pub format: u32,
    /// Everything found, by candidate, rule and place.
    pub findings: Vec<Finding>,
    /// Candidates that may go to the gate, best first; empty where the round is a no-op.
    pub ship_ranking: Vec<CandidateId>,
    /// The others, with the reason, by candidate.
    pub rejected: Vec<(CandidateId, String)>,
    /// Why the round ships nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_op: Option<String>,
    /// What the next Planner must read, verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy_concern: Option<String>,
    /// What the Critic's model says of candidates that the rules let pass; none without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviews: Vec<Review>,
}

impl Versioned for Critique {
    const FORMAT: u32 = CRITIQUE_FORMAT;
}

/// One candidate under the rules.
struct Case<'a> {
    input: &'a CritiqueInput<'a>,
    proposal: Proposal<'a>,
    /// What it adds.
    pieces: Vec<Piece>,
}

/// What a rule found in a case.
struct Found {
    rule: Rule,
    place: Place,
    text: String,
}

impl Found {
    fn new(rule: Rule, place: Place, text: impl Into<String>) -> Self {
        Self { rule, place, text: text.into() }
    }

    /// What a rule found in one piece, as one finding: the first of it, and how many more there are.
    fn first<T>(rule: Rule, hits: &[T], tell: impl FnOnce(&T) -> (Place, String)) -> Option<Self> {
        let (first, more) = hits.split_first()?;
        let (place, text) = tell(first);
        let text = if more.is_empty() { text } else { format!("{text}, and {} more like it", more.len()) };
        Some(Self::new(rule, place, text))
    }
}

/// The rules on one candidate.
const RULES: [fn(&Case<'_>) -> Vec<Found>; 16] = [
    declared::reproduced,
    declared::files,
    declared::buckets,
    declared::resources,
    leaks::sealed,
    leaks::train,
    lookup::unreadable,
    lookup::keyed_by_task,
    output::answers_for_the_model,
    output::forged_results,
    reach::paths,
    reach::sealed_reads,
    evidence::observed,
    evidence::predictions,
    overlap::already_there,
    history::worn_lever,
];

/// Judges the candidates of a round.
pub fn critique(input: &CritiqueInput<'_>) -> Critique {
    let mut findings: BTreeSet<Finding> = BTreeSet::new();
    for proposal in input.candidates {
        let case = Case { input, proposal: *proposal, pieces: added(proposal.harness, proposal.parent) };
        let candidate = &proposal.manifest.candidate_id;
        let found = RULES.iter().flat_map(|rule| rule(&case));
        findings.extend(found.map(|Found { rule, place, text }| Finding { candidate: candidate.clone(), rule, place, text }));
    }
    let passed = |findings: &BTreeSet<Finding>| -> Vec<Proposal<'_>> {
        let is_rejected = |id: &CandidateId| findings.iter().any(|finding| finding.candidate == *id && finding.rule.rejects());
        input.candidates.iter().filter(|proposal| !is_rejected(&proposal.manifest.candidate_id)).copied().collect()
    };
    let ranked = ranking::ranked(input, passed(&findings));
    findings.extend(portfolio::near_duplicates(&ranked));
    let left = passed(&findings);
    let is_left = |id: &CandidateId| left.iter().any(|proposal| proposal.manifest.candidate_id == *id);
    let ranked: Vec<CandidateId> = ranked.iter().map(|proposal| proposal.manifest.candidate_id.clone()).filter(is_left).collect();
    let no_op = history::unanswered(input, &left);
    Critique {
        format: CRITIQUE_FORMAT,
        rejected: reasons(&findings),
        ship_ranking: if no_op.is_some() { Vec::new() } else { ranked },
        strategy_concern: history::concern(input, &left),
        findings: findings.into_iter().collect(),
        no_op,
        reviews: Vec::new(),
    }
}

/// One reason a rejected candidate: its first finding that rejects, and how many more there are.
fn reasons(findings: &BTreeSet<Finding>) -> Vec<(CandidateId, String)> {
    let mut grouped: BTreeMap<&CandidateId, Vec<&Finding>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.rule.rejects()) {
        grouped.entry(&finding.candidate).or_default().push(finding);
    }
    let reason = |found: &[&Finding]| {
        let first = found.first().map_or_else(String::new, |finding| format!("{} ({})", finding.text, finding.place));
        if found.len() > 1 { format!("{first}; and {} more", found.len() - 1) } else { first }
    };
    grouped.into_iter().map(|(candidate, found)| (candidate.clone(), reason(&found))).collect()
}
