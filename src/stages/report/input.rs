//! What a report is made of: plain data, read by the caller. Every part but [`RunFacts`] may be missing, and the page says so.
//! Held-out tasks are here as totals only, gate tasks as rows without a name.

use super::compared::Control;
use super::put_back::PutBack;
use super::reading::Reading;
use crate::domain::curves::{Curves, Point};
use crate::domain::digest::Overview;
use crate::domain::engine::{Engine, Engines};
use crate::domain::id::{CandidateId, TaskId};
use crate::domain::interval::{Difference, correlation, difference, wilson};
use crate::domain::ledger::{Reputation, ShipOutcome};
use crate::domain::manifest::CandidateManifest;
use crate::domain::meta::{ByRole, Sessions};
use crate::domain::outcome::{EpisodeResult, Outcome};
use crate::domain::request::Usage;
use crate::domain::round::{Decision, RoundRecord, Ruled};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Version of `report.json`.
pub const REPORT_FORMAT: u32 = 1;

/// Everything a report says, before it is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_FORMAT`].
    pub format: u32,
    /// What was run.
    pub run: RunFacts,
    /// Pass rates by round and split.
    pub curves: Curves,
    /// The first harness against the present one on held-out tasks; absent where they are the same, or one was not played on them.
    pub heldout: Option<Comparison>,
    /// Rounds in order.
    pub rounds: Vec<Round>,
    /// Earlier harnesses that came back, in order.
    #[serde(default)]
    pub put_back: Vec<PutBack>,
    /// What came of the predictions of each ship.
    pub ship_outcomes: Vec<ShipOutcome>,
    /// Train tasks by id, each with one cell a round.
    pub train: Vec<TrainTask>,
    /// Gate tasks without names, each with one cell a round.
    pub gate: Vec<Vec<Cell>>,
    /// How the train episodes of the last round ended, with counts.
    pub endings: BTreeMap<String, u64>,
    /// What the Digester found last.
    pub overview: Option<Overview>,
    /// Episodes on file, by use.
    pub spent: BTreeMap<Use, Spent>,
    /// Reputation of each engine, by the scoreboard.
    #[serde(default)]
    pub engines: BTreeMap<Engine, Reputation>,
    /// Other runs, for comparison at equal budget.
    pub controls: Vec<Control>,
}

/// What was run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Name of the run directory.
    pub name: String,
    /// Benchmark.
    pub benchmark: String,
    /// Model and engine that played.
    pub policy: String,
    /// Whether that was a uniformly random chooser in the model's place.
    pub by_chance: bool,
    /// Git tree id of the first harness.
    pub harness: String,
    /// The other settings and facts, as written.
    pub settings: BTreeMap<String, String>,
    /// Those that may change while the run goes on.
    #[serde(default)]
    pub free: BTreeSet<String>,
}

/// One round; what is not on file is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Round, 0 is the baseline.
    pub round: u32,
    /// What came of it and what it cost; absent: not done.
    pub record: Option<RoundRecord>,
    /// The public decision.
    pub decision: Option<Decision>,
    /// Candidates with a manifest, in order.
    pub candidates: Vec<Candidate>,
    /// What the meta-agent's sessions took, by role.
    #[serde(default)]
    pub meta: ByRole,
    /// What the Digester left of the traces.
    #[serde(default)]
    pub reading: Option<Reading>,
}

/// A candidate as it was proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// What was said of it before it was judged.
    pub manifest: CandidateManifest,
    /// What it changes, as a unified patch.
    pub diff: Option<String>,
}

/// Solved and scored rollouts of a task in a round; absent where it was not played.
pub type Cell = Option<(u32, u32)>;

/// A train task over the rounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainTask {
    /// The task.
    pub task: TaskId,
    /// One cell a round.
    pub cells: Vec<Cell>,
}

/// What episodes were played for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// Open to the meta-agent.
    Visible,
    /// Gate tasks of the baseline, and the gate's controls and candidates.
    Gate,
    /// Held-out tasks, for the curve only.
    Heldout,
    /// The incumbent against itself, to check the gate.
    Same,
}

/// Episodes on file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Episodes.
    pub episodes: u64,
    /// Of those, missing because plumbing failed.
    pub missing: u64,
    /// Model calls.
    pub calls: u64,
    /// Tokens and money.
    pub usage: Usage,
    /// Milliseconds that they waited for models.
    #[serde(default)]
    pub milliseconds: u64,
}

/// Two harnesses on the same split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Round of the first.
    pub from_round: u32,
    /// Round of the second.
    pub to_round: u32,
    /// The first.
    pub before: Point,
    /// The second.
    pub after: Point,
    /// Second less first, with its 95 % interval over tasks.
    pub gain: Difference,
    /// Whether both were played on the same tasks, so that tasks are compared with themselves.
    pub paired: bool,
}

impl Use {
    /// All of them, in the order of a round.
    pub const ALL: [Self; 4] = [Self::Visible, Self::Gate, Self::Heldout, Self::Same];

    /// In plain words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Visible => "train, open to the engine",
            Self::Gate => "gate, sealed",
            Self::Heldout => "held-out, sealed",
            Self::Same => "the incumbent against itself, sealed",
        }
    }
}

impl Spent {
    /// Counts one episode.
    pub fn add(&mut self, result: &EpisodeResult) {
        self.episodes += 1;
        self.missing += u64::from(matches!(result.outcome, Outcome::Error { .. }));
        self.calls += u64::from(result.calls);
        self.usage.add(&result.usage);
        self.milliseconds += result.milliseconds;
    }
}

impl Comparison {
    /// From two points that share no task, or whose tasks are not on file.
    pub fn of_points(from: (u32, Point), to: (u32, Point)) -> Option<Self> {
        let gain = difference(from.1.pass_rate?, to.1.pass_rate?, 0.0);
        Some(Self { from_round: from.0, to_round: to.0, before: from.1, after: to.1, gain, paired: false })
    }

    /// From solved and scored rollouts by task; tasks that only one of them has are left out.
    pub fn of_tasks(from: (u32, &Counts), to: (u32, &Counts)) -> Option<Self> {
        let common: Vec<((u32, u32), (u32, u32))> = from.1.iter().filter_map(|(task, one)| Some((*one, *to.1.get(task)?))).collect();
        let rate = |(solved, scored): (u32, u32)| f64::from(solved) / f64::from(scored.max(1));
        let pairs: Vec<(f64, f64)> = common.iter().map(|(one, two)| (rate(*one), rate(*two))).collect();
        let point = |rates: f64, episodes: u32| Point {
            pass_rate: wilson(rates, pairs.len()),
            tasks: pairs.len(),
            episodes: episodes as usize,
            missing: None,
        };
        let before = point(pairs.iter().map(|pair| pair.0).sum(), common.iter().map(|(one, _)| one.1).sum());
        let after = point(pairs.iter().map(|pair| pair.1).sum(), common.iter().map(|(_, two)| two.1).sum());
        let gain = difference(before.pass_rate?, after.pass_rate?, correlation(&pairs));
        Some(Self { from_round: from.0, to_round: to.0, before, after, gain, paired: true })
    }
}

/// Solved and scored rollouts by task.
pub type Counts = BTreeMap<TaskId, (u32, u32)>;

impl Report {
    /// Every ruling, in order.
    pub fn rulings(&self) -> impl Iterator<Item = (u32, &Ruled)> {
        self.rounds
            .iter()
            .flat_map(|round| round.decision.iter().flat_map(|decision| decision.candidates.iter().map(|ruled| (decision.round, ruled))))
    }

    /// Whether anything beyond the baseline was tried.
    pub fn evolves(&self) -> bool {
        self.rounds.len() > 1 || self.rulings().next().is_some()
    }

    /// Whether it tried to change the harness, and stands with the one it began with.
    pub fn is_unchanged(&self) -> bool {
        self.evolves() && self.stands_with_first()
    }

    /// The last round that ended, or 0.
    pub fn last_round(&self) -> u32 {
        self.rounds.iter().rev().find(|round| round.record.is_some()).map_or(0, |round| round.round)
    }

    /// The candidate's manifest and diff.
    pub fn candidate(&self, id: &CandidateId) -> Option<&Candidate> {
        self.rounds.iter().flat_map(|round| &round.candidates).find(|candidate| candidate.manifest.candidate_id == *id)
    }

    /// What came of a ship.
    pub fn ship_outcome(&self, id: &CandidateId) -> Option<&ShipOutcome> {
        self.ship_outcomes.iter().find(|outcome| outcome.candidate == *id)
    }

    /// What the meta-agent's sessions took over all rounds, by role.
    pub fn sessions(&self) -> ByRole {
        let roles: BTreeSet<_> = self.rounds.iter().flat_map(|round| round.meta.keys().copied()).collect();
        let of = |role| Sessions::sum(self.rounds.iter().filter_map(|round| round.meta.get(role)));
        roles.iter().map(|role| (*role, of(role))).collect()
    }

    /// Tokens and money of the episodes and sessions on file.
    pub fn known(&self) -> Usage {
        let sessions = Sessions::sum(self.sessions().values()).usage;
        self.spent.values().fold(sessions, |mut sum, spent| {
            sum.add(&spent.usage);
            sum
        })
    }

    /// Tokens and money of everything: by the rounds' own records where they say more.
    pub fn usage(&self) -> Usage {
        let recorded = self.rounds.iter().filter_map(|round| round.record.as_ref()).fold(Usage::default(), |mut sum, record| {
            sum.add(&record.usage);
            sum
        });
        let known = self.known();
        if recorded.tokens() > known.tokens() { recorded } else { known }
    }

    /// Episodes played.
    pub fn episodes(&self) -> u64 {
        self.spent.values().map(|spent| spent.episodes).sum()
    }

    /// Who was asked for this run's candidates, and whoever proposed one.
    pub fn engine(&self) -> String {
        let candidates = self.rounds.iter().flat_map(|round| &round.candidates);
        let mut engines: BTreeSet<Engine> = candidates.map(|candidate| candidate.manifest.engine).collect();
        let records = self.rounds.iter().filter(|round| round.round > 0).filter_map(|round| round.record.as_ref());
        engines.extend(records.filter_map(|record| record.engines.as_ref()).flat_map(Engines::iter));
        engines.iter().map(|engine| engine.as_str()).collect::<Vec<_>>().join(", ")
    }
}
