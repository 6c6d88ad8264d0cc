//! The statistical gate as a pure state machine (`gate.md`): it says which rollouts it needs, is told their outcomes, and rules.
//!
//! How a caller drives it:
//!
//! ```text
//! let mut gate = Gate::new(settings, tasks, harness, limits)?;      or Gate::parse(text) of a state that was written
//! loop {
//!     match gate.demand() {
//!         Round            => gate.begin_round()?                   or stop, or, of a copy, check_same(n)? for `--aa`
//!         Rollouts(pass)   => play pass.open_asks() side by side; gate.tell(position, Scored | Untouched | Missing)? for each
//!         Candidates(room) => gate.submit(at most `room` proposals)?    none makes an idle round
//!         Confirmation(..) => gate.confirm(Ship | Withhold { reason })?   a person's word, the held-out veto
//!         Touched(staying) => gate.retouch(what they touch on the new incumbent)?
//!     }
//!     write serde_json::to_string(&gate) to `sealed/gate_state.json`
//! }
//! ```
//!
//! - The first pass, before any round, is the baseline: [`GateSettings::visible`] rollouts of every task.
//! - Who plays a rollout: [`Gate::player`] of its arm. What: [`Gate::tasks`] at its task, or a sibling of it (the same tags, a new seed)
//!   where [`Ask::sibling`] says so; no such sibling: `Missing`. On which ledger stream: [`EvidenceStream::stream`] and the replicate.
//! - A candidate plays on the stream and replicate of its control, whose trace is therefore found under the same key: played before, or
//!   asked for in the same pass (play the incumbent's rollouts first). If a dry replay of the candidate over that trace differs in
//!   nothing, tell `Untouched` and play nothing. If such a replay shows a task outside what the candidate was said to touch: [`Gate::touch`].
//! - `Missing` is plumbing only, and is asked again twice; what the candidate itself broke is `Scored { solved: false }`.
//! - Rulings are in [`Gate::log`], newest last, each with its line. Ships and rollbacks change [`Gate::incumbents`]: compare the harness
//!   with the one you have committed. After a ship, the candidate's own rollouts on train tasks are the traces of the new incumbent (the
//!   controls they were paired with stay sealed); only tasks without one are played again.
//! - Controls that expire: [`Gate::retain_controls`].
//!
//! Written after any call and read again, the machine goes on to the same rulings: it draws nothing at random, and ties go by round, rank
//! and name. A call that is refused changes nothing.
//!
//! Reading order: `round` (the plot), `stage_one` (claims), `stage_two` (everything else touched), `ship`, `drift`; then the figures:
//! `wealth`, `posterior`, `fork`.

mod ask;
mod bank;
mod candidate;
mod drift;
mod error;
mod explain;
mod fork;
mod heldout;
mod incumbent;
mod posterior;
mod round;
mod settings;
mod settle;
mod ship;
mod stage_one;
mod stage_two;
#[cfg(test)]
mod tests;
mod verdict;
mod wealth;
mod whole;

pub use ask::{Arm, Ask, EvidenceStream, Pass, Purpose, TaskIndex, Told};
pub use bank::Control;
pub use candidate::{Candidate, Claims, Proposal, Stage};
pub use error::GateError;
pub use explain::Reader;
pub use fork::{ClusterGain, ForkOffer, cluster_gains};
pub use heldout::vetoes;
pub use incumbent::{Anchor, Incumbent};
pub use posterior::{Counts, NetGain, Pairs, net_gain};
pub use settings::{GENERALISE_FROM, GateSettings, Mode, Passes, Profile};
pub use ship::{Confirmation, Passed, Rebased};
pub use verdict::{Evidence, FitsSeen, Ruling, SameFinding, Verdict};
pub use wealth::wins_needed;
pub use whole::{Blindness, blindness};

use super::id::{CandidateId, HarnessId, LimitsId, TaskId, VariantId};
use super::task::{Split, Tags};
use serde::{Deserialize, Serialize};

/// Version of the state's JSON.
const VERSION: u32 = 1;

/// A task the gate plays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateTask {
    /// Its id.
    pub id: TaskId,
    /// Train or gate.
    pub split: Split,
    /// What tag claims select by.
    pub tags: Tags,
    /// Its cluster, made of tags before any outcome: siblings share it, and forks route by it.
    pub cluster: String,
}

/// Running record of how much of what edits improve their manifests claim; tasks gained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Recall {
    claimed: f64,
    all: f64,
}

/// Where the machine stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    BetweenRounds,
    Playing(Pass),
    AwaitingCandidates,
    AwaitingConfirmation { candidate: usize, ruling: Box<Ruling> },
    AwaitingTouched { by: CandidateId },
}

/// What the machine needs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Demand<'a> {
    /// [`Gate::begin_round`], or nothing if the run is over.
    Round,
    /// The open rollouts of a pass: [`Gate::tell`] each, in any order.
    Rollouts(&'a Pass),
    /// At most this many candidates: [`Gate::submit`].
    Candidates(usize),
    /// A person's or the held-out set's word on a candidate that passed: [`Gate::confirm`].
    Confirmation(Box<Passed>),
    /// What these candidates touch on the new incumbent: [`Gate::retouch`].
    Touched(Vec<&'a Candidate>),
}

/// The state of a run's gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    version: u32,
    settings: GateSettings,
    tasks: Vec<GateTask>,
    /// Rounds begun.
    round: u32,
    /// Ships over all variants.
    ships: u32,
    /// Number of the sealed stream; rises with each ship and rollback.
    epoch: u32,
    /// Rollouts on hand.
    bankroll: i64,
    /// Rollouts played and scored since the run began.
    spent: u64,
    followups: u32,
    drifts: u32,
    recall: Recall,
    incumbents: Vec<Incumbent>,
    candidates: Vec<Candidate>,
    log: Vec<Verdict>,
    step: Step,
}

impl Gate {
    /// The gate of a new run with one variant, `main`. The first demand is the baseline's visible rollouts.
    pub fn new(settings: GateSettings, tasks: Vec<GateTask>, harness: HarnessId, limits: LimitsId) -> Result<Self, GateError> {
        if let Some(problem) = settings.problem() {
            return Err(GateError::Settings(problem));
        }
        let bankroll = (settings.opening * tasks.len() as f64).floor() as i64;
        let incumbent = Incumbent::new(VariantId::from("main"), harness, limits, tasks.len());
        let mut gate = Self {
            version: VERSION,
            settings,
            tasks,
            round: 0,
            ships: 0,
            epoch: 0,
            bankroll,
            spent: 0,
            followups: 0,
            drifts: 0,
            recall: Recall { claimed: 3.0, all: 4.0 },
            incumbents: vec![incumbent],
            candidates: Vec::new(),
            log: Vec::new(),
            step: Step::BetweenRounds,
        };
        if let Some(pass) = gate.visible_pass(0) {
            gate.step = Step::Playing(pass);
        }
        Ok(gate)
    }

    /// What is needed next.
    pub fn demand(&self) -> Demand<'_> {
        match &self.step {
            Step::BetweenRounds => Demand::Round,
            Step::Playing(pass) => Demand::Rollouts(pass),
            Step::AwaitingCandidates => Demand::Candidates(self.room()),
            Step::AwaitingConfirmation { candidate, ruling } => {
                Demand::Confirmation(Box::new(Passed::new(&self.candidates[*candidate], ruling)))
            }
            Step::AwaitingTouched { .. } => {
                Demand::Touched(self.candidates.iter().filter(|candidate| candidate.stage != Stage::Closed).collect())
            }
        }
    }

    /// Settings.
    pub fn settings(&self) -> &GateSettings {
        &self.settings
    }

    /// The tasks, in the order of [`TaskIndex`].
    pub fn tasks(&self) -> &[GateTask] {
        &self.tasks
    }

    /// Rounds begun.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Rollouts played and scored since the run began.
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// Rollouts on hand.
    pub fn bankroll(&self) -> i64 {
        self.bankroll
    }

    /// The variants' harnesses.
    pub fn incumbents(&self) -> &[Incumbent] {
        &self.incumbents
    }

    /// Keeps only the sealed controls for which `keep` holds: those of a served model expire after a day, and when its fingerprint changes.
    /// A control belongs to the limits it was played under and to the harness that was the incumbent in its epoch.
    pub fn retain_controls(&mut self, mut keep: impl FnMut(&LimitsId, TaskIndex, &Control) -> bool) {
        self.incumbents.iter_mut().for_each(|incumbent| incumbent.retain_controls(&mut keep));
    }

    /// The sealed controls that candidates with such control limits are compared with.
    pub fn controls(&self, variant: usize, limits: &LimitsId) -> impl Iterator<Item = (TaskIndex, Control)> {
        self.incumbents[variant].banks.get(limits).into_iter().flat_map(bank::Bank::controls)
    }

    /// Tasks of which nothing visible speaks for a variant's harness: they are played again.
    pub fn forget_visible_of(&mut self, variant: usize, tasks: &[TaskIndex]) {
        for task in tasks {
            self.incumbents[variant].visible[task.at()] = Counts::default();
        }
    }

    /// The candidates of this round, and those carried over, in the order of [`Arm::Candidate`].
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Every ruling so far.
    pub fn log(&self) -> &[Verdict] {
        &self.log
    }

    /// The harness and the limits an arm of a pass plays with.
    pub fn player(&self, pass: &Pass, arm: Arm) -> (&HarnessId, &LimitsId) {
        let incumbent = &self.incumbents[pass.variant];
        match arm {
            Arm::Incumbent => {
                let judged = pass.purpose.candidate().map(|candidate| &self.candidates[candidate]);
                (&incumbent.harness, judged.map_or(&incumbent.limits, Candidate::control))
            }
            Arm::Candidate(candidate) => (&self.candidates[candidate].harness, &self.candidates[candidate].limits),
            Arm::Anchor => (&incumbent.anchor.harness, &incumbent.anchor.limits),
        }
    }

    /// Tasks a variant counts as solved: a candidate must not lose them. Where every rollout is the same draw, one tells.
    pub fn protected(&self, variant: usize) -> impl Iterator<Item = TaskIndex> {
        let once = self.settings.deterministic;
        let history = self.incumbents.get(variant).map_or(&[][..], Incumbent::history);
        let is_protected = move |counts: &Counts| if once { counts.solved > 0 && counts.failed == 0 } else { counts.is_protected() };
        history.iter().enumerate().filter(move |(_, counts)| is_protected(counts)).map(|(index, _)| TaskIndex(index as u32))
    }

    /// Reads a state that was written as JSON.
    pub fn parse(text: &str) -> Result<Self, GateError> {
        /// Only what must be known before the rest can be read.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let versioned: Versioned = serde_json::from_str(text)?;
        if versioned.version != VERSION {
            return Err(GateError::Version { found: versioned.version, known: VERSION });
        }
        let gate: Self = serde_json::from_str(text)?;
        gate.fits_together().map_err(GateError::Damaged)?;
        Ok(gate)
    }

    /// What does not fit together in a state that was read, so that no later step meets it.
    fn fits_together(&self) -> Result<(), &'static str> {
        let tasks = self.tasks.len();
        if let Some(problem) = self.settings.problem() {
            return Err(problem);
        }
        if !self.incumbents.iter().all(|incumbent| incumbent.fits(tasks)) || self.incumbents.is_empty() {
            return Err("an incumbent does not cover the tasks");
        }
        let fits = |candidate: &Candidate| {
            candidate.variant < self.incumbents.len()
                && candidate.touched.is_sorted_by_key(|entry| entry.task)
                && candidate.touched.last().is_none_or(|entry| entry.task.at() < tasks)
        };
        if !self.candidates.iter().all(fits) {
            return Err("a candidate names an unknown variant or task");
        }
        match &self.step {
            Step::Playing(pass) if !pass.fits(tasks, self.candidates.len(), self.incumbents.len()) => {
                Err("the pass under way names what is not there")
            }
            Step::AwaitingConfirmation { candidate, .. } if *candidate >= self.candidates.len() => {
                Err("the candidate to be confirmed is not there")
            }
            Step::Playing(_)
            | Step::AwaitingConfirmation { .. }
            | Step::BetweenRounds
            | Step::AwaitingCandidates
            | Step::AwaitingTouched { .. } => Ok(()),
        }
    }
}
