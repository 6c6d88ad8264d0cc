//! The meta-agent on the files of a run: what its sessions stand on, and what is made of the Digester's, the Planner's and a second-time
//! Evolver's words. Sessions are episodes under `R<n>/meta`; replies received before come from the ledger.

use super::Rounds;
use super::error::RoundsError;
use super::evolve::Made;
use super::faults::Faults;
use super::rules::trace_at;
use crate::domain::diagnosis::{Diagnoses, Review};
use crate::domain::digest::Anchor;
use crate::domain::engine::{Engine, Engines};
use crate::domain::history::History;
use crate::domain::id::TaskId;
use crate::domain::landscape::Landscape;
use crate::domain::manifest::CandidateManifest;
use crate::domain::meta::{Sitting, session_of};
use crate::stages::meta::{self, MetaError, Office, Revision, Said};
use crate::stages::plan::landscape_markdown;
use crate::store::run_dir::EpisodeLine;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Said where `meta_tokens` bounds the sessions.
pub(super) const USED_UP: &str = "the meta-agent's tokens are used up (meta_tokens)";

impl Rounds<'_> {
    /// Does something in the office of a round's sessions.
    pub(super) async fn in_office<T>(
        &self,
        (round, sitting): (u32, Sitting),
        work: impl AsyncFnOnce(&Office<'_>) -> Result<T, MetaError>,
    ) -> Result<T, RoundsError> {
        let past = self.visible.past_rounds()?;
        let mut traces: BTreeMap<String, PathBuf> = BTreeMap::new();
        for standing in History::new(&past).standings() {
            for rollout in &standing.digest.rollouts {
                traces.insert(rollout.trace.clone(), trace_at(&self.visible, standing.round, &rollout.trace)?);
            }
        }
        let tasks: BTreeSet<TaskId> = self.train().map(|(_, task)| task.task.id.clone()).collect();
        let faults = Faults::default();
        let verify = |anchor: &Anchor, words: &str| faults.found(self.stands_at(&past, anchor, words)).unwrap_or(false);
        // Engines that sit at the same time share what is left.
        let beside =
            if sitting == Sitting::Evolve { self.course.settings.engines.iter().filter(|one| one.needs_meta()).count() } else { 1 };
        let allowance = self.left(round, sitting)?.map(|left| left / beside.max(1) as u64);
        let sessions = self.course.run.folder(&format!("R{round}/meta"))?;
        let office = Office {
            desk: self.course.desk,
            staff: self.course.staff,
            round,
            sessions: &sessions,
            visible: &self.visible,
            audit: &self.audit,
            tasks: &tasks,
            traces: &traces,
            verify: &verify,
            allowance,
        };
        Ok(faults.over(work(&office).await)??)
    }

    /// Tokens that sessions may still take when a sitting begins: by those that sat before it, so that a sitting which was cut off finds
    /// what it found the first time. `None` without a bound.
    fn left(&self, round: u32, sitting: Sitting) -> Result<Option<u64>, RoundsError> {
        let Some(most) = self.course.settings.meta_tokens else { return Ok(None) };
        let is_before = |at: u32, line: &EpisodeLine| session_of(&line.key.task).is_some_and(|(_, then)| (at, then) < (round, sitting));
        let sessions = self.sessions()?;
        let before = sessions.iter().filter(|(at, line)| is_before(*at, line));
        let spent = before.map(|(_, line)| line.result.usage.tokens()).fold(0, u64::saturating_add);
        Ok(Some(most.saturating_sub(spent)))
    }

    /// Whether tokens are left for a sitting.
    pub(super) fn may_sit(&self, round: u32, sitting: Sitting) -> Result<bool, RoundsError> {
        Ok(self.left(round, sitting)?.is_none_or(|left| left > 0))
    }

    /// The same; that it may not is said.
    fn sits(&self, round: u32, sitting: Sitting) -> Result<bool, RoundsError> {
        let may = self.may_sit(round, sitting)?;
        if !may {
            self.say(round, format!("{USED_UP}: on without {}", sitting.who()));
        }
        Ok(may)
    }

    /// Whether the candidates of a round are on file.
    pub(super) fn is_evolved(&self, round: u32) -> Result<bool, RoundsError> {
        Ok(self.visible.find_text(&format!("R{round}/evolved.json"))?.is_some())
    }

    /// Who proposes in a round; `None` where those that could need a meta-agent whose tokens are used up.
    pub(super) fn engines_at(&self, round: u32) -> Result<Option<Engines>, RoundsError> {
        let engines = &self.course.settings.engines;
        let all_sit = !engines.needs_meta() || self.may_sit(round, Sitting::Evolve)?;
        Ok(if all_sit { Some(engines.clone()) } else { engines.without_meta() })
    }

    /// Whether the Critic's model sits.
    pub(super) fn has_critic(&self, round: u32, sitting: Sitting) -> Result<bool, RoundsError> {
        Ok(self.course.settings.engines.contains(Engine::Aegis) && self.sits(round, sitting)?)
    }

    /// Layer C of the digest, where the meta-agent sits and something is there to act on: `diagnoses.json`.
    pub(super) async fn diagnose(&self, round: u32) -> Result<(), RoundsError> {
        let name = format!("R{round}/diagnoses.json");
        let Some(overview) = self.visible.overview(round)? else { return Ok(()) };
        let is_idle = overview.clusters.is_empty() || overview.actionability < self.course.settings.actionability;
        if !self.course.settings.engines.contains(Engine::Aegis) || is_idle || self.visible.find_text(&name)?.is_some() {
            return Ok(());
        }
        if self.is_evolved(round)? || !self.sits(round, Sitting::Digest)? {
            return Ok(());
        }
        self.say(round, "the Digester's model says why things fail");
        let past = self.visible.past_rounds()?;
        let digests = super::propose::standing_digests(&History::new(&past));
        let incumbent = self.repo.read(self.incumbent().as_str())?;
        let sit = async |office: &Office<'_>| meta::diagnose(office, &incumbent, &overview, &digests).await;
        let diagnoses = self.in_office((round, Sitting::Digest), sit).await?;
        self.course.run.write_json(&name, &diagnoses)?;
        self.audited("digest", round, "wrote", name)
    }

    /// The landscape with what the meta-agent's Digester and Planner say, where they sit.
    pub(super) async fn directed(&self, round: u32, mut landscape: Landscape) -> Result<Landscape, RoundsError> {
        if !self.course.settings.engines.contains(Engine::Aegis) || self.is_evolved(round)? {
            return Ok(landscape);
        }
        let diagnoses: Option<Diagnoses> = self.visible.find_json(&format!("R{round}/diagnoses.json"))?;
        landscape.diagnoses = diagnoses.map(|said| said.diagnoses).unwrap_or_default();
        // They are there where a person is the Planner, or where the Planner sat before the command was cut off.
        if !landscape.directions.is_empty() {
            self.course.run.files(round).write_landscape(&landscape, &landscape_markdown(&landscape))?;
            return Ok(landscape);
        }
        if !self.sits(round, Sitting::Plan)? {
            return Ok(landscape);
        }
        self.say(round, "the Planner's model says what to work on");
        let incumbent = self.repo.read(self.incumbent().as_str())?;
        let sit = async |office: &Office<'_>| meta::direct(office, &incumbent, &landscape).await;
        let directions = self.in_office((round, Sitting::Plan), sit).await?;
        landscape.directions = directions;
        self.course.run.files(round).write_landscape(&landscape, &landscape_markdown(&landscape))?;
        self.audited("plan", round, "wrote", format!("R{round}/landscape.json"))?;
        Ok(landscape)
    }

    /// Candidates that the Critic sent back, as they were handed in again; those that nobody handed in are left out. A new harness is the
    /// meta-agent's, new words on the old one leave it its maker's. What tokens are left is shared evenly by all that were sent back, whether
    /// or not some sat before the command was cut off.
    pub(super) async fn revisions(
        &self,
        round: u32,
        manifests: &[CandidateManifest],
        sent_back: &[Review],
        landscape: &Landscape,
    ) -> Result<Made, RoundsError> {
        let mut revised = Made::default();
        if !self.course.settings.engines.contains(Engine::Aegis) {
            self.say(round, "no Evolver is there to change what the Critic sent back (--engine aegis has one)");
            return Ok(revised);
        }
        if !self.sits(round, Sitting::Revise)? {
            return Ok(revised);
        }
        let stock = self.stock(round, landscape)?;
        for review in sent_back {
            let Some(manifest) = manifests.iter().find(|manifest| manifest.candidate_id == review.candidate) else { continue };
            let Some(number) = manifest.candidate_id.number() else { continue };
            let harness = self.repo.read(review.harness.as_ref().unwrap_or(&manifest.harness).as_str())?;
            let Review { reason: request, .. } = review;
            let revision = Revision { candidate: &manifest.candidate_id, number, harness: &harness, request };
            self.say(round, format!("{} goes back to an Evolver", manifest.candidate_id));
            let others = manifests.iter().filter(|other| other.candidate_id != manifest.candidate_id);
            // As they were judged: in a round that was cut off some may be revised by now.
            let judged = |other: &CandidateManifest| {
                let review = sent_back.iter().find(|review| review.candidate == other.candidate_id);
                review.and_then(|review| review.harness.clone()).unwrap_or_else(|| other.harness.clone())
            };
            let taken = others.map(judged).collect();
            let made = self.at_workshop(&stock, (number, 1), taken, async |workshop| {
                let revise = async |office: &Office<'_>| meta::revise(&office.shared(sent_back.len()), workshop, &revision).await;
                self.in_office((round, Sitting::Revise), revise).await
            });
            let Said { proposed, justified, .. } = made.await?;
            revised.justified.extend(justified);
            revised.proposed.extend(proposed.into_iter().map(|mut candidate| {
                if candidate.manifest.harness == judged(manifest) {
                    candidate.manifest.engine = manifest.engine;
                }
                candidate
            }));
        }
        Ok(revised)
    }
}
