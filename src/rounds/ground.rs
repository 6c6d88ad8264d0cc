//! What a loop stands on: what it was given, and what of it is on file.

use super::elapsed::Running;
use super::error::RoundsError;
use super::players::{Known, limits_id};
use super::settings::{Event, LoopSettings, TaskCounts};
use super::standing::Standings;
use crate::bench::{Benchmark, LoadedTask};
use crate::domain::gate::{Demand, Gate, GateSettings, GateTask, TaskIndex};
use crate::domain::harness::Harness;
use crate::domain::id::HarnessId;
use crate::domain::request::ModelRole;
use crate::domain::task::{Split, Task};
use crate::runtime::desk::Desk;
use crate::stages::meta::Staff;
use crate::stages::replay::Replay;
use crate::store::audit::Audit;
use crate::store::harness_repo::{Branch, CommitMessage, HarnessRepo, NewCommit};
use crate::store::run_dir::RunDir;
use crate::store::visible::Visible;

/// What a loop is given.
pub struct Course<'a> {
    /// The run directory, locked.
    pub run: &'a RunDir,
    /// The benchmark.
    pub benchmark: &'a Benchmark,
    /// The models.
    pub desk: &'a Desk,
    /// The harnesses of the meta-agent's roles; empty without one.
    pub staff: &'a Staff,
    /// The same with a random chooser in the main model's place, for the model share.
    pub chooser: &'a Desk,
    /// The harness to begin with.
    pub baseline: &'a Harness,
    /// How it is done.
    pub settings: &'a LoopSettings,
    /// Told of everything worth saying.
    pub watch: &'a (dyn Fn(Event<'_>) + Sync),
    /// Asked before each episode: true leaves the rest for another time.
    pub stopped: &'a (dyn Fn() -> bool + Sync),
}

/// A run of the loop.
pub struct Rounds<'a> {
    pub(super) course: Course<'a>,
    /// Train and gate tasks, in the gate's order.
    pub(super) tasks: Vec<&'a LoadedTask>,
    pub(super) heldout: Vec<&'a LoadedTask>,
    pub(super) repo: HarnessRepo,
    pub(super) audit: Audit,
    /// What stages may read.
    pub(super) visible: Visible,
    pub(super) gate: Gate,
    pub(super) standings: Standings,
    pub(super) replay: Replay,
    /// Every incumbent so far, the present one last.
    pub(super) lineage: Vec<HarnessId>,
    /// The round whose time runs.
    pub(super) running: Option<Running>,
}

impl<'a> Rounds<'a> {
    /// Opens a run where it was left, or begins it: the baseline is committed, and the gate is ready for its first demand.
    ///
    /// # Errors
    /// A benchmark without train, gate or held-out tasks; what the operating system or git refused.
    pub fn open(course: Course<'a>) -> Result<Self, RoundsError> {
        let Course { run, desk, settings, .. } = &course;
        let tasks = chosen(course.benchmark, &settings.tasks)?;
        let heldout = first(course.benchmark, Split::Heldout, settings.tasks.heldout)?;
        let repo = HarnessRepo::open(&run.path().join("harness"))?;
        let audit = Audit::open(run.path(), &desk.clock)?;
        let baseline = Known::new(course.baseline.clone())?;
        if repo.tip(&Branch::Main)?.is_none() {
            let message = CommitMessage {
                title: format!("Baseline {}", course.baseline.manifest.name),
                body: String::new(),
                trailers: vec![("Round".to_owned(), "0".to_owned())],
            };
            let harness = baseline.assembly.harness();
            let commit = NewCommit {
                manifest: baseline.assembly.canonical_manifest(),
                files: &harness.files,
                parents: &[],
                message: &message,
                seconds: desk.clock.unix_milliseconds() / 1000,
            };
            let commit = repo.commit(&Branch::Main, &commit)?;
            audit.record("loop", Some(0), "commit", format!("baseline {} as {commit}", baseline.id))?;
        }
        let gate = if let Some(gate) = run.gate_state()? {
            gate
        } else {
            let limits = limits_id(&baseline.assembly.harness().manifest.slots.limits);
            let judge = GateSettings { deterministic: is_greedy(desk, course.baseline), ..settings.gate.clone() };
            let gate = Gate::new(judge, tasks.iter().map(|task| gate_task(&task.task)).collect(), baseline.id, limits)?;
            run.write_gate_state(&gate)?;
            gate
        };
        let standings = Standings::read(run)?;
        let visible = Visible::open(run.path(), "loop", &desk.clock)?;
        let replay = Replay::of(desk, course.benchmark.limits);
        let mut rounds = Self { tasks, heldout, repo, audit, visible, gate, standings, replay, lineage: Vec::new(), running: None, course };
        rounds.lineage = rounds.read_lineage()?;
        rounds.take_rollback()?;
        Ok(rounds)
    }

    /// A person has moved `main` between rounds: the gate follows.
    pub(super) fn take_rollback(&mut self) -> Result<(), RoundsError> {
        let main = self.repo.harness("main")?;
        let between = matches!(self.gate.demand(), Demand::Round) && self.visible.round(self.gate.round())?.is_some();
        if main == self.incumbent() || !between {
            return Ok(());
        }
        let mut round = 0;
        for (tagged, commit) in self.repo.tags()? {
            if self.repo.harness(commit.as_str())? == main {
                round = tagged;
                break;
            }
        }
        let before = self.incumbent();
        let changed: Vec<TaskIndex> = self
            .places()
            .map(|(index, _)| index)
            .filter(|index| self.standings.of(&before, *index) != self.standings.of(&main, *index))
            .collect();
        let limits = Known::read(&self.repo, &main)?.limits();
        self.gate.put_back((main, round), limits, &changed)?;
        self.course.run.write_gate_state(&self.gate)?;
        self.lineage = self.read_lineage()?;
        self.audited("loop", self.gate.round(), "rollback", format!("the gate goes back to R{round} with main"))
    }

    /// Every harness that was the incumbent, the present one last.
    pub(super) fn read_lineage(&self) -> Result<Vec<HarnessId>, RoundsError> {
        let mut lineage: Vec<HarnessId> = self.repo.log("main")?.into_iter().rev().map(|entry| entry.harness).collect();
        lineage.retain(|harness| *harness != self.incumbent());
        lineage.push(self.incumbent());
        Ok(lineage)
    }

    /// The present incumbent.
    pub(super) fn incumbent(&self) -> HarnessId {
        self.gate.incumbents()[0].harness.clone()
    }

    /// Tells the watcher that a stage begins.
    pub(super) fn say(&self, round: u32, text: impl Into<String>) {
        (self.course.watch)(Event::Stage { round, text: text.into() });
    }

    /// Train tasks with their places.
    pub(super) fn train(&self) -> impl Iterator<Item = (TaskIndex, &'a LoadedTask)> + '_ {
        self.places().filter(|(_, task)| task.task.split == Split::Train)
    }

    /// Train and gate tasks with their places.
    pub(super) fn places(&self) -> impl Iterator<Item = (TaskIndex, &'a LoadedTask)> + '_ {
        self.tasks.iter().enumerate().map(|(index, task)| (TaskIndex(index as u32), *task))
    }
}

/// Whether a second rollout under a harness is the same draw, as far as its settings tell.
pub(super) fn is_greedy(desk: &Desk, harness: &Harness) -> bool {
    let sampling = harness.manifest.slots.sampling.clone().unwrap_or_default().or(&desk.sampling);
    desk.seats.get(&ModelRole::Main).is_some_and(|seat| seat.provider.is_greedy(&sampling))
}

/// Train tasks, then gate tasks.
fn chosen<'a>(benchmark: &'a Benchmark, counts: &TaskCounts) -> Result<Vec<&'a LoadedTask>, RoundsError> {
    let mut tasks = first(benchmark, Split::Train, counts.train)?;
    tasks.extend(first(benchmark, Split::Gate, counts.gate)?);
    Ok(tasks)
}

/// The first tasks of a split, by rank: a larger number adds tasks and removes none.
fn first(benchmark: &Benchmark, split: Split, most: Option<usize>) -> Result<Vec<&LoadedTask>, RoundsError> {
    let mut tasks: Vec<&LoadedTask> = benchmark.split(split).collect();
    tasks.sort_by_key(|loaded| loaded.task.rank());
    tasks.truncate(most.unwrap_or(usize::MAX));
    if tasks.is_empty() { Err(RoundsError::NoTasks(split.as_str())) } else { Ok(tasks) }
}

fn gate_task(task: &Task) -> GateTask {
    let cluster: Vec<String> = task.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    GateTask { id: task.id.clone(), split: task.split, tags: task.tags.clone(), cluster: cluster.join(" ") }
}
