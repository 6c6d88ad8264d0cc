//! Plays tasks under a harness: many episodes at once, finished ones never again, plumbing failures retried and never scored
//! (`system.md` §4). Reads `episodes.jsonl`, writes it and `trajectories/`.

use crate::bench::{BenchError, LoadedTask};
use crate::domain::curves::Point;
use crate::domain::id::TaskId;
use crate::domain::interval::{Share, pass_at_k, wilson};
use crate::domain::outcome::{Ending, EpisodeResult, Outcome};
use crate::domain::request::Usage;
use crate::domain::trace::{EpisodeKey, Stream};
use crate::runtime::episode::{Abort, Agent, play};
use crate::runtime::trace_log::TraceLog;
use crate::store::run_dir::{RoundDir, RunDirError};
use crate::store::trace_file::{TraceError, TraceFile, settle};
use futures::stream::{self, StreamExt};
use std::collections::{BTreeMap, BTreeSet};
use tracing::{debug, info};

/// Times an episode is tried before plumbing trouble is put on file.
const TRIES: u32 = 3;

/// What to play.
pub struct Rollout<'a> {
    /// Models and harness.
    pub agent: &'a Agent<'a>,
    /// Which episodes, in order.
    pub episodes: Vec<(&'a LoadedTask, EpisodeKey)>,
    /// Episodes live at once.
    pub jobs: usize,
    /// Where results go.
    pub dir: &'a RoundDir,
}

/// Something that happened, for whoever watches.
pub enum Progress<'a> {
    /// An episode was on file before.
    Kept(&'a EpisodeKey, &'a EpisodeResult),
    /// An episode is finished.
    Finished(&'a EpisodeKey, &'a EpisodeResult),
    /// An episode is tried again.
    Retried(&'a EpisodeKey, &'a EpisodeResult),
}

/// The run must stop.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// An episode that no retry can mend.
    #[error("play {task}: {source}")]
    Episode {
        /// The task.
        task: TaskId,
        /// Why.
        source: Abort,
    },
    /// A task's world could not be made.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// The run directory.
    #[error(transparent)]
    RunDir(#[from] RunDirError),
    /// A trace file.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// Results by episode, in order.
pub type Results = BTreeMap<EpisodeKey, EpisodeResult>;

/// Plays what is not on file yet. `stopped` is asked before each episode: true leaves the rest for another time.
///
/// # Errors
/// See [`RolloutError`]; what finished before is on file.
pub async fn rollout(
    plan: &Rollout<'_>,
    watch: &(dyn Fn(Progress<'_>) + Sync),
    stopped: &(dyn Fn() -> bool + Sync),
) -> Result<Results, RolloutError> {
    let mut results: Results = plan.dir.finished()?.into_iter().map(|line| (line.key, line.result)).collect();
    // Plumbing trouble is missing data: it is played again.
    results.retain(|_, result| !matches!(result.outcome, Outcome::Error { .. }));
    let keys: BTreeSet<&EpisodeKey> = plan.episodes.iter().map(|(_, key)| key).collect();
    results.retain(|key, _| keys.contains(key));
    info!(wanted = keys.len(), on_file = results.len(), "episodes");
    for (key, result) in &results {
        watch(Progress::Kept(key, result));
    }
    let missing: Vec<(&LoadedTask, EpisodeKey)> = plan.episodes.iter().filter(|(_, key)| !results.contains_key(key)).cloned().collect();
    let mut played = stream::iter(missing)
        .take_while(|_| std::future::ready(!stopped()))
        .map(|(task, key)| async move { (plan.episode(task, &key, watch).await, key) })
        .buffer_unordered(plan.jobs.max(1));
    while let Some((result, key)) = played.next().await {
        let result = result?;
        plan.dir.finish(&key, &result)?;
        watch(Progress::Finished(&key, &result));
        results.insert(key, result);
    }
    Ok(results)
}

/// The first `rollouts` episodes of each task on a stream, every task's first one before any second one.
pub fn episodes<'a>(tasks: &[&'a LoadedTask], stream: &Stream, rollouts: u32) -> Vec<(&'a LoadedTask, EpisodeKey)> {
    let of =
        |replicate| tasks.iter().map(move |task| (*task, EpisodeKey { task: task.task.id.clone(), stream: stream.clone(), replicate }));
    (0..rollouts).flat_map(of).collect()
}

/// The first episode that plumbing broke, with what broke.
pub fn first_broken(results: &Results) -> Option<String> {
    results.iter().find_map(|(key, result)| match &result.outcome {
        Outcome::Error { message, .. } => Some(format!("{}: {message}", key.task)),
        Outcome::Solved | Outcome::Failed => None,
    })
}

impl Rollout<'_> {
    /// One episode, tried again while plumbing fails, and once more, identically, after a fault of the harness.
    async fn episode(
        &self,
        loaded: &LoadedTask,
        key: &EpisodeKey,
        watch: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<EpisodeResult, RolloutError> {
        let path = self.dir.trace_path(key);
        let task = &key.task;
        let mut tries = 0;
        loop {
            tries += 1;
            debug!(%task, replicate = key.replicate, tries, "episode starts");
            let trace = TraceLog::to(TraceFile::create(&path)?);
            let world = loaded.world()?;
            let result = play(self.agent, &loaded.task, world, key, trace)
                .await
                .map_err(|source| RolloutError::Episode { task: key.task.clone(), source })?;
            let again = match (&result.outcome, &result.end) {
                (Outcome::Error { .. }, _) => tries < TRIES,
                (Outcome::Failed, Ending::HarnessFault { .. }) => tries < 2,
                (Outcome::Solved | Outcome::Failed, _) => false,
            };
            let Usage { input_tokens, output_tokens, .. } = result.usage;
            info!(%task, replicate = key.replicate, steps = result.steps, input_tokens, output_tokens, again, "episode ends: {}", result.outcome.name());
            if !again {
                settle(&path)?;
                return Ok(result);
            }
            watch(Progress::Retried(key, &result));
        }
    }
}

/// The figures of a set of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Tally {
    /// Tasks with at least one scored rollout.
    pub tasks: usize,
    /// Scored rollouts.
    pub scored: usize,
    /// Rollouts solved.
    pub solved: usize,
    /// Rollouts missing because plumbing failed.
    pub missing: usize,
    /// Mean over tasks of the share of rollouts solved, with Wilson's interval on tasks.
    pub pass_rate: Option<Share>,
    /// Share of tasks that are solved at least once in so many rollouts; from two rollouts a task up.
    pub pass_at: Option<PassAt>,
    /// Tokens and money.
    pub usage: Usage,
    /// Model calls.
    pub calls: u64,
    /// Failed attempts of model calls.
    pub retries: u64,
    /// Steps.
    pub steps: u64,
}

/// pass@k over the tasks with at least k scored rollouts.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct PassAt {
    /// Rollouts.
    pub k: usize,
    /// Mean of the unbiased estimates, with Wilson's interval on tasks.
    pub rate: Share,
}

impl Tally {
    /// These figures as a point of the curves.
    pub fn point(&self) -> Point {
        Point { pass_rate: self.pass_rate, tasks: self.tasks, episodes: self.scored, missing: Some(self.missing) }
    }
}

/// Adds results up.
pub fn tally<'a>(results: impl Iterator<Item = (&'a EpisodeKey, &'a EpisodeResult)>) -> Tally {
    let mut sum = Sum::default();
    for (key, result) in results {
        sum.add(key, result);
    }
    sum.tally()
}

/// Results added up one by one, as they come.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// All but the rates.
    sum: Tally,
    /// Solved and scored rollouts.
    by_task: BTreeMap<TaskId, (u32, u32)>,
}

impl Sum {
    /// Adds one.
    pub fn add(&mut self, key: &EpisodeKey, result: &EpisodeResult) {
        let sum = &mut self.sum;
        sum.usage.add(&result.usage);
        sum.calls += u64::from(result.calls);
        sum.retries += u64::from(result.retries);
        sum.steps += u64::from(result.steps);
        let solved = match &result.outcome {
            Outcome::Solved => true,
            Outcome::Failed => false,
            Outcome::Error { .. } => {
                sum.missing += 1;
                return;
            }
        };
        let entry = self.by_task.entry(key.task.clone()).or_default();
        entry.0 += u32::from(solved);
        entry.1 += 1;
        sum.scored += 1;
        sum.solved += usize::from(solved);
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.sum.scored + self.sum.missing
    }

    /// What they come to.
    pub fn tally(&self) -> Tally {
        let tasks = self.by_task.len();
        let mean: f64 = self.by_task.values().map(|(solved, scored)| f64::from(*solved) / f64::from(*scored)).sum();
        Tally { tasks, pass_at: pass_at(self.by_task.values()), pass_rate: wilson(mean, tasks), ..self.sum }
    }
}

/// At the most rollouts that any task has.
fn pass_at<'a>(tasks: impl Iterator<Item = &'a (u32, u32)> + Clone) -> Option<PassAt> {
    let k = tasks.clone().map(|(_, scored)| *scored as usize).max().filter(|most| *most > 1)?;
    let rates: Vec<f64> = tasks.filter_map(|(solved, scored)| pass_at_k(*scored as usize, *solved as usize, k)).collect();
    Some(PassAt { k, rate: wilson(rates.iter().sum(), rates.len())? })
}
