//! The change manifest of an idea: what it says of itself, from what was observed. Claims cover the tasks that the dry replay says it
//! touches and that are not solved; where most of a kind is, the claim is about the kind, so that gate tasks are bet on too.

use super::Workshop;
use super::ideas::Idea;
use crate::domain::digest::TaskDigest;
use crate::domain::edit::{Bucket, Edit};
use crate::domain::engine::Engine;
use crate::domain::harness::Harness;
use crate::domain::id::{CandidateId, HarnessId, TaskId};
use crate::domain::manifest::{CandidateManifest, CapabilityEvidence, Claim, FailureEvidence, MANIFEST_FORMAT, PredictedImpact};
use crate::domain::task::Tags;
use crate::stages::critique::limits_in_force;
use std::collections::{BTreeMap, BTreeSet};

/// Pieces of evidence quoted.
const EVIDENCE: usize = 3;

/// Fewest letters and digits of a quoted snippet.
const SNIPPET: usize = 3;

/// What a manifest is made from.
pub(super) struct Subject<'a> {
    /// Who proposes.
    pub engine: Engine,
    /// Its number in the round, from 1.
    pub number: usize,
    /// The idea.
    pub idea: Idea,
    /// The incumbent with its edits.
    pub harness: &'a Harness,
    /// Its identity.
    pub id: HarnessId,
    /// Train tasks that it touches.
    pub touched: &'a BTreeSet<TaskId>,
    /// The tag by which kinds are told apart; may be empty.
    pub tag: &'a str,
}

/// The whole manifest.
pub(super) fn statement(subject: Subject<'_>, workshop: &Workshop<'_>) -> CandidateManifest {
    let touched: Vec<&TaskDigest> = workshop.digests.iter().filter(|digest| subject.touched.contains(&digest.task)).collect();
    let limits = limits_in_force(subject.harness);
    let idea = subject.idea;
    let buckets: BTreeSet<Bucket> = idea.edits.iter().map(Edit::bucket).collect();
    let files: BTreeSet<&str> = idea.edits.iter().map(Edit::file).collect();
    let predicted_impact = impact(&touched, workshop, subject.tag);
    let at_risk = predicted_impact.at_risk.len();
    CandidateManifest {
        format: MANIFEST_FORMAT,
        candidate_id: CandidateId(format!("C-R{}-{:02}", workshop.round, subject.number)),
        title: idea.title,
        engine: subject.engine,
        variant: workshop.variant.clone(),
        parent: workshop.parent.clone(),
        harness: subject.id,
        iterates_from: None,
        buckets: buckets.into_iter().collect(),
        component: idea.component,
        file_changes: files.into_iter().map(str::to_owned).collect(),
        resources: (limits != limits_in_force(workshop.incumbent)).then_some(limits),
        root_cause: idea.root_cause,
        targeted_fix: idea.targeted_fix,
        why_risk_holds: match at_risk {
            0 => "no train task that it touches is solved now".to_owned(),
            count => format!("{count} solved train tasks are touched; nothing that solved them is taken out of reach on purpose"),
        },
        capability_evidence: CapabilityEvidence { claim: idea.claim, observed: idea.observed },
        predicted_impact,
        attribution_signature: idea.signature,
        failure_evidence: evidence(&touched, &idea.mends),
        edits: idea.edits,
    }
}

fn impact(touched: &[&TaskDigest], workshop: &Workshop<'_>, tag: &str) -> PredictedImpact {
    let is_open = |digest: &&&TaskDigest| digest.solved_of().0 < digest.solved_of().1;
    let kinds: Vec<Claim> = open_kinds(touched, workshop.digests, tag).into_iter().map(Claim::Tags).collect();
    let covered = |digest: &&&TaskDigest| kinds.iter().any(|kind| kind.covers(&digest.task, &digest.tags));
    let mut impact = PredictedImpact { will_unlock: kinds.clone(), ..PredictedImpact::default() };
    for digest in touched.iter().filter(is_open).filter(|digest| !covered(digest)) {
        let claim = Claim::Task(digest.task.clone());
        if digest.solved_of().0 == 0 { impact.will_unlock.push(claim) } else { impact.will_stabilize.push(claim) }
    }
    let solved = touched.iter().filter(|digest| digest.solved_of().1 > 0 && !is_open(digest));
    impact.at_risk = solved.map(|digest| Claim::Task(digest.task.clone())).collect();
    impact
}

/// Kinds of tasks of which at least half are touched and not solved; all of them as one.
fn open_kinds(touched: &[&TaskDigest], all: &[TaskDigest], tag: &str) -> Vec<Tags> {
    let open: BTreeSet<&TaskId> =
        touched.iter().filter(|digest| digest.solved_of().0 < digest.solved_of().1).map(|digest| &digest.task).collect();
    let mut kinds: BTreeMap<Option<&String>, (usize, usize)> = BTreeMap::new();
    for digest in all {
        let (in_kind, in_all) = kinds.entry(digest.tags.get(tag)).or_default();
        *in_kind += usize::from(open.contains(&digest.task));
        *in_all += 1;
    }
    let most = |(open, all): &(usize, usize)| 2 * open >= *all && *open > 0;
    if !kinds.is_empty() && kinds.values().all(most) {
        return vec![Tags::new()];
    }
    let named = kinds.into_iter().filter(|(_, counts)| most(counts));
    named.filter_map(|(value, _)| Some(Tags::from([(tag.to_owned(), value?.clone())]))).collect()
}

/// What went wrong in tasks that are touched, at most once a task: first what the idea mends.
fn evidence(touched: &[&TaskDigest], mends: &[crate::domain::digest::Pathology]) -> Vec<FailureEvidence> {
    let failing = || touched.iter().filter(|digest| digest.solved_of().0 < digest.solved_of().1);
    let tells = |snippet: &str| snippet.chars().filter(|letter| letter.is_alphanumeric()).count() >= SNIPPET;
    let found = |only_mended: bool| {
        let of = move |digest: &&TaskDigest| {
            let signal = digest.causes().find(|signal| tells(&signal.snippet) && (!only_mended || mends.contains(&signal.kind)))?;
            Some(FailureEvidence { kind: signal.kind.clone(), anchor: signal.anchor.clone(), snippet: signal.snippet.clone() })
        };
        failing().filter_map(of).take(EVIDENCE).collect::<Vec<_>>()
    };
    let mended = found(true);
    if mended.is_empty() { found(false) } else { mended }
}

#[cfg(test)]
mod tests {
    use super::super::{Experience, Workshop, ideas};
    use super::*;
    use crate::domain::harness::Limits;
    use crate::domain::landscape::Landscape;

    fn harness(processors: &str) -> Harness {
        let text = format!("format = 1\nname = \"x\"\n{processors}[slots.limits]\nsteps = 9\n");
        Harness { manifest: crate::domain::harness::parse_manifest(&text).unwrap().0, files: BTreeMap::new() }
    }

    #[test]
    fn limits_that_a_processor_puts_in_force_are_declared() {
        let (incumbent, experience, landscape) = (harness(""), Experience::default(), Landscape::default());
        let workshop = Workshop {
            round: 1,
            seed: 1,
            count: 1,
            first: 1,
            variant: "main".into(),
            incumbent: &incumbent,
            parent: "p".into(),
            waiting: &BTreeSet::new(),
            landscape: &landscape,
            digests: &[],
            experience: &experience,
            check: &|_, _| Vec::new(),
            id_of: &|_| Ok("h".into()),
            replay: &|_| Ok(Vec::new()),
        };
        let declared = |processors: &str| {
            let idea = Idea {
                component: "budget".into(),
                title: "t".into(),
                root_cause: String::new(),
                targeted_fix: String::new(),
                claim: String::new(),
                observed: Vec::new(),
                mends: Vec::new(),
                weight: 1.0,
                signature: ideas::silent("budget"),
                edits: Vec::new(),
            };
            let (harness, touched) = (harness(processors), BTreeSet::new());
            let subject =
                Subject { engine: Engine::Catalog, number: 1, idea, harness: &harness, id: "h".into(), touched: &touched, tag: "" };
            statement(subject, &workshop).resources
        };
        let budget = |params: &str| format!("[[processors]]\nuse = \"budget\"\nparams = {{ {params} }}\n");
        let six = Limits { steps: Some(6), ..Limits::default() };
        assert_eq!(declared(&budget("limits = { steps = 6 }")), Some(six));
        assert_eq!(declared(&budget("limits = { steps = 6 }, interrupt = false")), None);
        assert_eq!(declared(&budget("limits = { steps = 12 }")), None);
    }
}
