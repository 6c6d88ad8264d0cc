//! From traces to a landscape, and from candidates to the gate: Digester and Planner, and what is handed in. Each reads by the allow-list
//! only; what each leaves on file is read again when a round goes on.

use super::Rounds;
use super::digest::digest_up_to;
use super::error::RoundsError;
use super::landscape::plan_round;
use super::players::Known;
use crate::domain::digest::TaskDigest;
use crate::domain::figures::count;
use crate::domain::gate::{Claims, Proposal, TaskIndex};
use crate::domain::history::{History, PastRound};
use crate::domain::id::TaskId;
use crate::domain::landscape::Landscape;
use crate::domain::manifest::{CandidateManifest, Claim};
use crate::stages::critique::Critique;
use crate::stages::plan::Planned;

/// Candidates of a round, and what the Critic said of them.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    pub manifests: Vec<CandidateManifest>,
    pub critique: Critique,
    /// Why there is none, where a stage found nothing to do.
    pub idle: Option<String>,
    /// Whom the round waits for, and what they are to do.
    pub waiting: Option<String>,
}

impl Proposals {
    /// Nothing is proposed.
    pub fn none(reason: String) -> Self {
        Self { idle: Some(reason), ..Self::default() }
    }
}

impl Rounds<'_> {
    /// Digests what was played since the last time.
    pub(super) fn digest(&self, round: u32) -> Result<(), RoundsError> {
        if self.visible.overview(round)?.is_none() {
            self.say(round, "digesting traces");
            digest_up_to(self.course.run, &self.visible, round, &|_, _| ())?;
            self.audited("digest", round, "wrote", format!("R{round}/overview.json"))?;
        }
        Ok(())
    }

    /// The landscape, or why there is nothing to plan.
    pub(super) fn plan(&self, round: u32) -> Result<Result<Landscape, String>, RoundsError> {
        if let Some(landscape) = self.visible.landscape(round)? {
            return Ok(Ok(landscape));
        }
        let incumbent = |_: &[PastRound]| Ok::<_, RoundsError>(self.repo.read(self.incumbent().as_str())?);
        match plan_round(self.course.run, &self.visible, (round, self.course.settings.actionability), incumbent)? {
            Planned::Work(landscape) => {
                self.audited("plan", round, "wrote", format!("R{round}/landscape.json"))?;
                Ok(Ok(*landscape))
            }
            Planned::NoOp { reason } => Ok(Err(reason)),
        }
    }

    /// Hands the candidates that the Critic lets pass to the gate, in its order.
    pub(super) fn submit(&mut self, round: u32, proposals: &Proposals) -> Result<(), RoundsError> {
        let mut handed = Vec::new();
        for (rank, id) in proposals.critique.ship_ranking.iter().enumerate() {
            let Some(manifest) = proposals.manifests.iter().find(|manifest| manifest.candidate_id == *id) else { continue };
            let known = Known::read(&self.repo, &manifest.harness)?;
            handed.push(Proposal {
                id: id.clone(),
                rank: rank as u32,
                harness: known.id.clone(),
                variant: manifest.variant.clone(),
                limits: known.limits(),
                control: self.control_limits(&known),
                touched: self.touched(&known)?,
                claims: self.claims(manifest),
            });
        }
        let judged = if handed.is_empty() { "no candidate".to_owned() } else { count(handed.len() as u64, "candidate") };
        self.say(round, format!("judging {judged}"));
        self.gate.submit(handed)?;
        self.course.run.write_gate_state(&self.gate)?;
        Ok(())
    }

    fn claims(&self, manifest: &CandidateManifest) -> Claims {
        let mut claims = Claims::default();
        for claim in manifest.claims() {
            match claim {
                Claim::Task(task) => claims.tasks.extend(self.index_of(task)),
                Claim::Tags(tags) => claims.tags.push(tags.clone()),
            }
        }
        claims
    }

    fn index_of(&self, task: &TaskId) -> Option<TaskIndex> {
        self.train().find(|(_, loaded)| loaded.task.id == *task).map(|(index, _)| index)
    }

    /// One line of the audit.
    pub(super) fn audited(&self, stage: &str, round: u32, what: &str, detail: impl Into<String>) -> Result<(), RoundsError> {
        Ok(self.audit.record(stage, Some(round), what, detail)?)
    }
}

/// The digest of every train task as it stands.
pub(super) fn standing_digests(history: &History<'_>) -> Vec<TaskDigest> {
    history.standings().map(|standing| standing.digest.clone()).collect()
}
