//! `digest`: traces of a round to one digest a task and an overview (`system.md` §6, layers A and B; no LLM). One trace is read at a
//! time, streaming; of each only facts, calls and short snippets stay.

mod facts;
mod overview;
mod regressions;
mod signals;

pub use overview::{overview, overview_markdown, task_markdown};
pub use regressions::regressions_markdown;

use crate::domain::digest::{Anchor, DIGEST_FORMAT, Divergence, Signal, TaskDigest};
use crate::domain::id::TaskId;
use crate::domain::outcome::Outcome;
use crate::store::trace_file::{TraceError, TraceReader};
use crate::store::trace_lines::read_trace_lines;
use facts::{Facts, TraceFacts};
use std::path::Path;

/// Digests one task from the traces of its rollouts: names relative to `round`, in order of replicate.
///
/// # Errors
/// A trace that cannot be read.
pub fn digest_task(round: &Path, task: &TaskId, traces: &[(u32, String)]) -> Result<TaskDigest, TraceError> {
    let mut digest = TaskDigest {
        format: DIGEST_FORMAT,
        task: task.clone(),
        text: String::new(),
        tags: crate::domain::task::Tags::new(),
        rollouts: Vec::new(),
        signals: Vec::new(),
        divergence: None,
        dropped: 0,
    };
    let mut calls: Vec<(bool, Vec<facts::Call>, String)> = Vec::new();
    for (replicate, trace) in traces {
        let path = round.join(trace);
        let read = read_facts(&path, trace, *replicate)?;
        let (kept, dropped) = verified(&path, read.signals)?;
        digest.signals.extend(kept);
        digest.dropped += dropped;
        digest.text = read.task_text;
        digest.tags = read.tags;
        match read.rollout.verdict.as_ref().map(|verdict| &verdict.outcome) {
            Some(Outcome::Solved) => calls.push((true, read.calls, trace.clone())),
            Some(Outcome::Failed) => calls.push((false, read.calls, trace.clone())),
            Some(Outcome::Error { .. }) | None => {}
        }
        digest.rollouts.push(read.rollout);
    }
    digest.divergence = divergence(&calls);
    Ok(digest)
}

fn read_facts(path: &Path, trace: &str, replicate: u32) -> Result<TraceFacts, TraceError> {
    let mut facts = Facts::new(trace, replicate);
    read_trace_lines(&mut TraceReader::open(path)?, |line, bytes| {
        facts.line(line, bytes);
        Ok(())
    })?;
    Ok(facts.finish())
}

/// Signals whose snippet stands verbatim at their anchor, and how many did not.
fn verified(path: &Path, signals: Vec<Signal>) -> Result<(Vec<Signal>, u32), TraceError> {
    let mut found = vec![false; signals.len()];
    if signals.is_empty() {
        return Ok((signals, 0));
    }
    read_trace_lines(&mut TraceReader::open(path)?, |line, _| {
        for (signal, found) in signals.iter().zip(&mut found) {
            *found |= line.step == signal.anchor.step && stands_in(&signal.snippet, line);
        }
        Ok(())
    })?;
    let total = signals.len();
    let kept: Vec<Signal> = signals.into_iter().zip(found).filter_map(|(signal, found)| found.then_some(signal)).collect();
    let dropped = u32::try_from(total - kept.len()).unwrap_or(u32::MAX);
    Ok((kept, dropped))
}

/// Whether words stand verbatim in a record: in a call, a result, a reply, or what a fault said that ended the episode.
pub fn stands_in(snippet: &str, line: &crate::store::trace_lines::TraceLine<'_>) -> bool {
    let in_call = || line.call.as_ref().is_some_and(|call| call.arguments.get().contains(snippet) || call.name.contains(snippet));
    let in_reply = || line.text.as_ref().is_some_and(|text| text.contains(snippet));
    let in_fault = || line.end.as_ref().and_then(|end| end.message.as_ref()).is_some_and(|message| message.contains(snippet));
    line.result.as_ref().is_some_and(|result| result.text.contains(snippet)) || in_call() || in_reply() || in_fault()
}

/// Where the first passing rollout and the failing one that follows it longest part; what is missing failed at nothing.
fn divergence(rollouts: &[(bool, Vec<facts::Call>, String)]) -> Option<Divergence> {
    let (_, passing, passing_trace) = rollouts.iter().find(|(solved, ..)| *solved)?;
    let shared = |calls: &[facts::Call]| passing.iter().zip(calls).take_while(|(one, two)| one.made == two.made).count();
    let failing = rollouts.iter().filter(|(solved, ..)| !*solved);
    let (_, failing, failing_trace) = failing.reduce(|best, next| if shared(&next.1) > shared(&best.1) { next } else { best })?;
    let at = shared(failing);
    let (one, two) = (passing.get(at)?, failing.get(at)?);
    Some(Divergence {
        shared: u32::try_from(at).unwrap_or(u32::MAX),
        passing: one.text.clone(),
        passing_at: Anchor { trace: passing_trace.clone(), step: one.step },
        failing: two.text.clone(),
        failing_at: Anchor { trace: failing_trace.clone(), step: two.step },
    })
}

#[cfg(test)]
mod tests;
