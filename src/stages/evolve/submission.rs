//! Candidates that somebody else made — a meta-agent, a program, a person: a changed harness and a statement about it. Code finds the edits,
//! the files, the buckets and the resources; what is claimed is taken as it is said, for the Critic to check and the gate to test.

use super::ideas::{Idea, silent};
use super::lessons::Lessons;
use super::smoke::smoke;
use super::statement::{Subject, statement};
use super::{Proposed, Workshop, fresh};
use crate::domain::diagnosis::{LIST_LIMIT, NAME_LIMIT, TEXT_LIMIT, few_enough, short_enough};
use crate::domain::digest::Anchor;
use crate::domain::edit::{Bundle, Edit, Which, diff};
use crate::domain::engine::Engine;
use crate::domain::harness::Harness;
use crate::domain::id::CandidateId;
use crate::domain::manifest::{AttributionSignature, Claim, FailureEvidence, PredictedImpact, SignatureKind};
use crate::runtime::native;
use serde::{Deserialize, Serialize};

/// Most bytes of a candidate's manifest, in which control letters of a file take six times their room.
const MANIFEST_LIMIT: usize = 32 << 20;

/// What is said of a candidate by whoever made it. Everything may be left out but the title; what is missing is filled from what code
/// sees: claims from the dry replay, evidence from the digests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Statement {
    /// One line in plain words.
    pub title: String,
    /// What reputation is kept on, such as a processor's name.
    pub component: Option<String>,
    /// What is wrong.
    pub root_cause: String,
    /// How the edit mends it.
    pub targeted_fix: String,
    /// Why the tasks at risk hold.
    pub why_risk_holds: String,
    /// Why it can work at all.
    pub capability: String,
    /// Where that was observed.
    pub observed: Vec<Anchor>,
    /// Tasks that fail and will be solved.
    pub will_unlock: Vec<Claim>,
    /// Tasks that are solved at times and will be more often.
    pub will_stabilize: Vec<Claim>,
    /// Tasks that might be lost.
    pub at_risk: Vec<Claim>,
    /// How its effect can be recognised in a trace.
    pub signature: Option<AttributionSignature>,
    /// Where what it mends was seen.
    pub failure_evidence: Vec<FailureEvidence>,
    /// An earlier candidate that it takes up again.
    pub iterates_from: Option<CandidateId>,
}

/// A candidate as it is handed in.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Who made it.
    pub engine: Engine,
    /// The harness as changed.
    pub harness: Harness,
    /// What is said of it.
    pub statement: Statement,
}

impl Statement {
    /// What keeps it from being a manifest, if anything.
    ///
    /// # Errors
    /// A fragment that names the field.
    pub fn check(&self) -> Result<(), String> {
        if self.title.trim().is_empty() {
            return Err("title is empty: say in one line what the edit does".to_owned());
        }
        let component = self.component.as_deref().unwrap_or_default();
        let signature = self.signature.as_ref().map_or("", |signature| signature.name.as_str());
        short_enough([
            ("title", self.title.as_str(), NAME_LIMIT),
            ("component", component, NAME_LIMIT),
            ("signature", signature, NAME_LIMIT),
            ("root_cause", &self.root_cause, TEXT_LIMIT),
            ("targeted_fix", &self.targeted_fix, TEXT_LIMIT),
            ("why_risk_holds", &self.why_risk_holds, TEXT_LIMIT),
            ("capability", &self.capability, TEXT_LIMIT),
        ])?;
        let impact = [("will_unlock", &self.will_unlock), ("will_stabilize", &self.will_stabilize), ("at_risk", &self.at_risk)];
        let counts = impact.iter().map(|(name, claims)| (*name, claims.len(), LIST_LIMIT));
        few_enough(counts).map_err(|problem| format!("{problem}: claim tags instead of single tasks"))?;
        let (observed, mended) = (self.observed.len(), self.failure_evidence.len());
        few_enough([("observed", observed, LIST_LIMIT), ("failure_evidence", mended, LIST_LIMIT)])?;
        impact.iter().flat_map(|(_, claims)| claims.iter()).try_for_each(Claim::check)?;
        self.failure_evidence.iter().try_for_each(FailureEvidence::check)
    }
}

/// Takes a submission as the candidate with this number in the round; `before` are those taken already.
///
/// # Errors
/// Why it is none, in words that let its author mend it: what was not reproduced, the first problem of its check, the smoke test that failed.
pub fn accept(submission: &Submission, number: usize, before: &[Proposed], workshop: &Workshop<'_>) -> Result<Proposed, String> {
    submission.statement.check()?;
    if let Some(problem) = (workshop.check)(&submission.harness, &[]).first() {
        return Err(problem.to_string());
    }
    let edits = diff(workshop.incumbent, &submission.harness).map_err(|error| error.to_string())?;
    let bundle = Bundle { name: "submission".to_owned(), edits: edits.clone() };
    let harness = bundle.apply(workshop.incumbent, &native::groups()).map_err(|error| error.to_string())?;
    let id = fresh(&harness, workshop, before)?;
    let (smoke, touched) = smoke(&harness, workshop);
    if let Some(failed) = smoke.iter().find(|line| !line.passed) {
        return Err(format!("the smoke test fails at {}: {}", failed.check, failed.seen));
    }
    let said = submission.statement.clone();
    let component = said.component.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| component_of(&edits));
    let idea = Idea {
        signature: said.signature.unwrap_or_else(|| signature_of(&edits, &component)),
        component,
        title: said.title,
        root_cause: said.root_cause,
        targeted_fix: said.targeted_fix,
        claim: said.capability,
        observed: said.observed,
        mends: said.failure_evidence.iter().map(|evidence| evidence.kind.clone()).collect(),
        weight: 1.0,
        edits,
    };
    let touched = touched.into_iter().collect();
    let lessons = Lessons::of(workshop.experience, workshop.incumbent);
    let subject = Subject { engine: submission.engine, number, idea, harness: &harness, id, touched: &touched, tag: &lessons.tag };
    let mut manifest = statement(subject, workshop);
    let impact = &mut manifest.predicted_impact;
    if !said.will_unlock.is_empty() || !said.will_stabilize.is_empty() {
        *impact = PredictedImpact { will_unlock: said.will_unlock, will_stabilize: said.will_stabilize, at_risk: said.at_risk };
    } else if !said.at_risk.is_empty() {
        impact.at_risk = said.at_risk;
    }
    if !said.why_risk_holds.trim().is_empty() {
        manifest.why_risk_holds = said.why_risk_holds;
    }
    if !said.failure_evidence.is_empty() {
        manifest.failure_evidence = said.failure_evidence;
    }
    manifest.iterates_from = said.iterates_from;
    let written = toml::to_string(&manifest).map_err(|error| error.to_string())?.len();
    if written > MANIFEST_LIMIT {
        return Err(format!("its edits take {written} bytes in a manifest; at most {MANIFEST_LIMIT} are taken"));
    }
    Ok(Proposed { manifest, harness, smoke })
}

/// The name of what the first edit is about.
fn component_of(edits: &[Edit]) -> String {
    let named = |edit: &Edit| match edit {
        Edit::Insert { processor, .. } => processor.label().to_owned(),
        Edit::Replace { with, .. } => with.label().to_owned(),
        Edit::Remove { which: Which::Processor(name) } | Edit::SetParam { which: Which::Processor(name), .. } => name.label().to_owned(),
        Edit::Remove { which: Which::Group(group) } | Edit::SetParam { which: Which::Group(group), .. } => group.clone(),
        Edit::Set { key, .. } => key.clone(),
        Edit::WriteFile { path, .. } | Edit::RemoveFile { path } => path.clone(),
    };
    edits.first().map_or_else(|| "harness".to_owned(), named)
}

/// How it would show in a trace: by the processor that comes, else not by itself.
fn signature_of(edits: &[Edit], component: &str) -> AttributionSignature {
    let comes = edits.iter().find_map(|edit| match edit {
        Edit::Insert { processor, .. } => Some(processor.label()),
        Edit::Replace { with, .. } => Some(with.label()),
        Edit::Remove { .. } | Edit::SetParam { .. } | Edit::Set { .. } | Edit::WriteFile { .. } | Edit::RemoveFile { .. } => None,
    });
    let fires = |name: &str| AttributionSignature { kind: SignatureKind::Processor, name: name.to_owned(), expected_min_calls: 1 };
    comes.map_or_else(|| silent(component), fires)
}
