//! The Critic's rules on the files of a run: its deterministic half, for the round that is open or, once more, for any round. Reads only.

use super::critique::Revised;
use super::error::RoundsError;
use super::evolve::Evolved;
use super::faults::Faults;
use super::propose::standing_digests;
use crate::bench::{Benchmark, LoadedTask};
use crate::domain::digest::Anchor;
use crate::domain::gate::Reader;
use crate::domain::harness::Harness;
use crate::domain::history::{History, PastRound};
use crate::domain::manifest::CandidateManifest;
use crate::domain::reputation::scoreboard;
use crate::domain::task::Split;
use crate::stages::critique::{self, Critique, CritiqueInput, Progress, Secrets, TaskTexts, critique};
use crate::stages::digest::stands_in;
use crate::stages::evolve::{Experience, ExperienceBuilder};
use crate::store::harness_repo::HarnessRepo;
use crate::store::trace_file::TraceReader;
use crate::store::trace_lines::read_trace_lines;
use crate::store::visible::Visible;
use std::path::PathBuf;

/// What the rules say of a round's candidates, for people; `None` where it has none. Nothing is written.
///
/// # Errors
/// A run that cannot be read.
pub fn rules_on(visible: &Visible, benchmark: &Benchmark, round: u32) -> Result<Option<Critique>, RoundsError> {
    let manifests = visible.candidates(round)?;
    let Some(repo) = visible.harnesses()?.filter(|_| !manifests.is_empty()) else { return Ok(None) };
    rules(visible, &repo, benchmark, (round, &manifests), Reader::Person).map(Some)
}

/// The rules on a round's candidates, by what was known when they were proposed.
pub(super) fn rules(
    visible: &Visible,
    repo: &HarnessRepo,
    benchmark: &Benchmark,
    (round, manifests): (u32, &[CandidateManifest]),
    reader: Reader,
) -> Result<Critique, RoundsError> {
    let mut past = visible.past_rounds()?;
    past.retain(|past| past.round <= round);
    if let Some(last) = past.pop() {
        past.push(last.undecided());
    }
    let landscape = visible.landscape(round)?.ok_or_else(|| RoundsError::Lost(format!("R{round}/landscape.json")))?;
    let parents: Vec<Harness> = read_all(manifests, |manifest| Ok(repo.read(manifest.parent.as_str())?))?;
    let harnesses: Vec<Harness> = read_all(manifests, |manifest| Ok(repo.read(manifest.harness.as_str())?))?;
    let candidates: Vec<critique::Proposal<'_>> = manifests
        .iter()
        .zip(&harnesses)
        .zip(&parents)
        .map(|((manifest, harness), parent)| critique::Proposal { manifest, harness, parent })
        .collect();
    let history = History::new(&past);
    let evolved: Option<Evolved> = visible.find_json(&format!("R{round}/evolved.json"))?;
    let revised: Option<Revised> = visible.find_json(&format!("R{round}/revised.json"))?;
    let mut justified = evolved.map(|evolved| evolved.justified).unwrap_or_default();
    justified.extend(revised.map(|revised| revised.justified).unwrap_or_default());
    let faults = Faults::default();
    let verify = |anchor: &Anchor, words: &str| faults.found(stands_at(visible, &past, anchor, words)).unwrap_or(false);
    let input = CritiqueInput {
        round,
        candidates: &candidates,
        landscape: &landscape,
        scoreboard: &scoreboard(&history),
        digests: &standing_digests(&history),
        progress: &progress(&past),
        secrets: &secrets(benchmark),
        reader,
        closing_results: &closing_results(&experience(visible, &past)?),
        justified: &justified,
        verify: &verify,
    };
    faults.over(critique(&input))
}

/// Whether words stand verbatim at a place of a visible trace.
///
/// # Errors
/// A trace on record that cannot be read.
pub(super) fn stands_at(visible: &Visible, past: &[PastRound], anchor: &Anchor, words: &str) -> Result<bool, RoundsError> {
    let Some(round) = History::new(past).home_of(&anchor.trace) else { return Ok(false) };
    let mut found = false;
    read_trace_lines(&mut TraceReader::open(&trace_at(visible, round, &anchor.trace)?)?, |line, _| {
        found |= line.step == anchor.step && (words.is_empty() || stands_in(words, line));
        Ok(())
    })?;
    Ok(found)
}

/// Where a trace on record lies.
///
/// # Errors
/// [`RoundsError::Gone`], or what the operating system refused.
pub(super) fn trace_at(visible: &Visible, round: u32, trace: &str) -> Result<PathBuf, RoundsError> {
    let gone = || RoundsError::Gone(format!("R{round}/{trace}"));
    visible.trace_path(round, trace).map_err(|error| if error.is_missing() { gone() } else { error.into() })
}

/// What is kept of the train traces that speak for the incumbent.
pub(super) fn experience(visible: &Visible, past: &[PastRound]) -> Result<Experience, RoundsError> {
    let mut builder = ExperienceBuilder::default();
    for standing in History::new(past).standings() {
        for rollout in &standing.digest.rollouts {
            builder.read(&trace_at(visible, standing.round, &rollout.trace)?, &rollout.trace)?;
        }
    }
    Ok(builder.finish())
}

/// Results with which the environment ended visible episodes that were solved.
fn closing_results(experience: &Experience) -> Vec<String> {
    let mut results: Vec<String> = experience
        .episodes
        .iter()
        .filter(|played| played.solved == Some(true))
        .filter_map(|played| played.steps.last())
        .map(|step| experience.text(step.result).to_owned())
        .collect();
    results.sort();
    results.dedup();
    results
}

/// Goals of gate and held-out tasks as hashes, and of train tasks.
fn secrets(benchmark: &Benchmark) -> Secrets {
    let texts = |tasks: Vec<&LoadedTask>| -> Vec<TaskTexts> {
        let text = |task: &LoadedTask| TaskTexts { task: task.task.id.clone(), goal: task.task.text.clone(), answers: Vec::new() };
        tasks.into_iter().map(text).collect()
    };
    let sealed = texts(benchmark.split(Split::Gate).chain(benchmark.split(Split::Heldout)).collect());
    Secrets::new(&sealed, &texts(benchmark.split(Split::Train).collect()))
}

fn read_all<T>(
    manifests: &[CandidateManifest],
    read: impl Fn(&CandidateManifest) -> Result<T, RoundsError>,
) -> Result<Vec<T>, RoundsError> {
    manifests.iter().map(read).collect()
}

/// Means over train tasks, as each round found them.
fn progress(past: &[PastRound]) -> Vec<Progress> {
    (1..=past.len())
        .filter_map(|count| {
            let history = History::new(&past[..count]);
            let (mut reward, mut success, mut tasks) = (0.0, 0.0, 0.0);
            for standing in history.standings() {
                let (solved, scored) = standing.digest.solved_of();
                if scored == 0 {
                    continue;
                }
                let rewards = standing.digest.rollouts.iter().filter_map(|rollout| rollout.verdict.as_ref()).map(|verdict| verdict.reward);
                reward += rewards.sum::<f64>() / f64::from(scored);
                success += f64::from(solved) / f64::from(scored);
                tasks += 1.0;
            }
            let round = history.rounds().last()?.round;
            (tasks > 0.0).then(|| Progress { round, reward: reward / tasks, success: success / tasks })
        })
        .collect()
}
