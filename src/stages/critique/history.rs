//! What earlier rounds teach: levers that are worn out, regressions that need an answer, signs that the search goes astray.

use super::{Case, CritiqueInput, Found, Place, Proposal, Rule, leaks};
use crate::domain::edit::{Edit, Which};
use crate::domain::id::TaskId;
use crate::domain::ledger::Reputation;
use crate::domain::manifest::Claim;
use crate::domain::task::has_all;
use std::collections::BTreeSet;

/// Rounds looked back.
const WINDOW: u32 = 3;

/// Ships within them that wear a lever out.
const SHIPS: usize = 2;

/// Share of predictions that must come true.
const HIT_RATE: f64 = 0.4;

/// Difference of means that is not noise.
const NOISE: f64 = 0.05;

/// A lever that shipped in two of the last three rounds with a cumulative hit rate under .4 is not shipped again, under whatever name:
/// the component named and every processor that the edits touch count.
pub(super) fn worn_lever(case: &Case<'_>) -> Vec<Found> {
    let manifest = case.proposal.manifest;
    let mut levers: BTreeSet<&str> = manifest.edits.iter().filter_map(touched).collect();
    levers.insert(&manifest.component);
    let worn = |lever: &&str| case.input.scoreboard.components.get(*lever).filter(|reputation| is_worn(reputation, case.input.round));
    levers
        .iter()
        .filter_map(|lever| {
            let reputation = worn(lever)?;
            let (hits, predicted) = (reputation.hits, reputation.predicted);
            let lever = lever.escape_debug();
            let text = format!("{lever} shipped in {SHIPS} of the last {WINDOW} rounds, and {hits} of {predicted} predictions came true");
            Some(Found::new(Rule::WornLever, Place::Manifest("component".to_owned()), text))
        })
        .collect()
}

fn is_worn(reputation: &Reputation, round: u32) -> bool {
    let recent = reputation.rounds.iter().filter(|shipped| **shipped < round && **shipped + WINDOW >= round);
    recent.collect::<BTreeSet<_>>().len() >= SHIPS && reputation.hit_rate().unwrap_or(0.0) < HIT_RATE
}

/// The processor that an edit is about, without its number.
fn touched(edit: &Edit) -> Option<&str> {
    match edit {
        Edit::Insert { processor, .. } => Some(processor.label()),
        Edit::Replace { with, .. } => Some(with.label()),
        Edit::SetParam { which: Which::Processor(name), .. } => Some(name.label()),
        Edit::SetParam { which: Which::Group(group), .. } => Some(group),
        // Taking a lever away again is no use of it.
        Edit::Remove { .. } | Edit::Set { .. } | Edit::WriteFile { .. } | Edit::RemoveFile { .. } => None,
    }
}

/// Why the round ships nothing, if so: nothing is left, or a regression of the last round has no answer. A regression is answered by a
/// candidate that promises to mend the task, shows evidence from it, or says why it holds; by the engine's written word; or by nothing
/// having shipped since, so that only chance can be its cause.
pub(super) fn unanswered(input: &CritiqueInput<'_>, left: &[Proposal<'_>]) -> Option<String> {
    let regressions = input.landscape.regressions.iter().filter(|regression| !regression.suspects.is_empty());
    let justified = |task: &TaskId| input.justified.get(task).is_some_and(|words| !words.trim().is_empty());
    let open: Vec<&str> = regressions
        .map(|regression| &regression.task)
        .filter(|task| !justified(task) && !left.iter().any(|proposal| addresses(input, proposal, task)))
        .map(TaskId::as_str)
        .collect();
    match (input.candidates.len(), left.len(), open.as_slice()) {
        (0, ..) => Some("there is no candidate".to_owned()),
        (_, 0, _) => Some("no candidate passed the rules".to_owned()),
        (_, _, []) => None,
        (_, _, tasks) => {
            let names: Vec<String> = tasks.iter().map(|task| task.escape_debug().to_string()).collect();
            Some(format!("tasks that got worse and that no candidate addresses or explains: {}", names.join(", ")))
        }
    }
}

fn addresses(input: &CritiqueInput<'_>, proposal: &Proposal<'_>, task: &TaskId) -> bool {
    let manifest = proposal.manifest;
    let digest = input.digests.iter().find(|digest| digest.task == *task);
    let covers = |claim: &Claim| match claim {
        Claim::Task(claimed) => claimed == task,
        // A promise to everybody is none to this one.
        Claim::Tags(tags) => !tags.is_empty() && digest.is_some_and(|digest| has_all(&digest.tags, tags)),
    };
    let explains = !manifest.why_risk_holds.trim().is_empty() && manifest.predicted_impact.at_risk.iter().any(covers);
    let traces = || digest.iter().flat_map(|digest| &digest.rollouts).map(|rollout| rollout.trace.as_str());
    let shows = manifest.failure_evidence.iter().any(|evidence| traces().any(|trace| trace == evidence.anchor.trace));
    manifest.claims().any(covers) || explains || shows
}

/// What the next Planner must read: reward that rises without success, a bucket that goes on being overused, an incumbent that holds what
/// it must not.
pub(super) fn concern(input: &CritiqueInput<'_>, left: &[Proposal<'_>]) -> Option<String> {
    let concerns = [farmed_reward(input), ignored_guard(input, left), tainted_incumbent(input)];
    let concerns: Vec<String> = concerns.into_iter().flatten().collect();
    (!concerns.is_empty()).then(|| concerns.join("; "))
}

/// Partial reward up by more than noise within the window, and success not up at all.
fn farmed_reward(input: &CritiqueInput<'_>) -> Option<String> {
    let last = input.progress.last()?;
    let earlier = input.progress.iter().filter(|progress| progress.round < last.round && progress.round + WINDOW >= last.round);
    let found = earlier.rev().find(|then| last.reward >= then.reward + NOISE && last.success <= then.success)?;
    Some(format!(
        "partial reward rose from {:.2} to {:.2} since round {} while success went from {:.2} to {:.2}: the harness may be farming reward",
        found.reward, last.reward, found.round, found.success, last.success
    ))
}

fn ignored_guard(input: &CritiqueInput<'_>, left: &[Proposal<'_>]) -> Option<String> {
    let guard = input.landscape.guard.as_ref().filter(|guard| !guard.neglected.is_empty())?;
    let uses_neglected = left.iter().any(|proposal| proposal.manifest.buckets.iter().any(|bucket| guard.neglected.contains(bucket)));
    let names: Vec<&str> = guard.neglected.iter().map(|bucket| bucket.as_str()).collect();
    (!uses_neglected && !left.is_empty()).then(|| {
        format!("bucket {} is used again though it gains less and less, and {} is still not tried", guard.overused, names.join(", "))
    })
}

fn tainted_incumbent(input: &CritiqueInput<'_>) -> Option<String> {
    let is_tainted = input.candidates.first().is_some_and(|proposal| leaks::holds_sealed(input.secrets, proposal.parent));
    is_tainted.then(|| "the incumbent itself holds words of sealed tasks: its figures on them cannot be trusted".to_owned())
}
