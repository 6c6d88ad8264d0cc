//! What each role is asked, and what comes of it.

use super::room::{Bench, Room};
use super::said::Said;
use super::session::{MetaError, sit};
use super::{Office, Role, brief};
use crate::domain::diagnosis::{DIAGNOSIS_FORMAT, Diagnoses, Direction, Reviews};
use crate::domain::digest::{Overview, TaskDigest};
use crate::domain::engine::Engine;
use crate::domain::harness::Harness;
use crate::domain::id::{CandidateId, TaskId};
use crate::domain::landscape::Landscape;
use crate::stages::evolve::{Proposed, Workshop};
use crate::store::run_dir::RunDirError;
use futures::future::join_all;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A candidate before the Critic: its id, and a page about it.
pub type Judged = (CandidateId, String);

/// What a candidate is to be changed into, once.
pub struct Revision<'a> {
    /// Which.
    pub candidate: &'a CandidateId,
    /// Its number in the round.
    pub number: usize,
    /// As it is.
    pub harness: &'a Harness,
    /// What the Critic wants.
    pub request: &'a str,
}

/// The Digester: why things fail (layer C).
///
/// # Errors
/// See [`MetaError`].
pub async fn diagnose(
    office: &Office<'_>,
    incumbent: &Harness,
    overview: &Overview,
    digests: &[TaskDigest],
) -> Result<Diagnoses, MetaError> {
    let said = RefCell::new(Said::default());
    let opening = brief::digester(office, overview, digests);
    let room = Room::new(office, Role::Digester, opening, incumbent, &said);
    sit(office, "digester", "Say why things fail.", room).await?;
    let Said { diagnoses, dropped, refused, .. } = said.into_inner();
    Ok(Diagnoses { format: DIAGNOSIS_FORMAT, diagnoses, dropped, refused })
}

/// The Planner: what to work on, most promising first.
///
/// # Errors
/// See [`MetaError`].
pub async fn direct(office: &Office<'_>, incumbent: &Harness, landscape: &Landscape) -> Result<Vec<Direction>, MetaError> {
    let said = RefCell::new(Said::default());
    let room = Room::new(office, Role::Planner, brief::planner(office, landscape), incumbent, &said);
    sit(office, "planner", "Say what to work on.", room).await?;
    Ok(said.into_inner().directions)
}

/// Evolvers side by side, one a candidate wanted, each on a direction of its own while there are as many. Candidates that make the same
/// harness count once.
///
/// # Errors
/// See [`MetaError`].
pub async fn propose(office: &Office<'_>, workshop: &Workshop<'_>) -> Result<(Vec<Proposed>, BTreeMap<TaskId, String>), MetaError> {
    let office = &office.shared(workshop.count);
    let directions = &workshop.landscape.directions;
    let sessions = (0..workshop.count).map(|at| async move {
        let direction = if directions.is_empty() { None } else { directions.get(at % directions.len()) };
        let said = RefCell::new(Said::default());
        let bench = Bench { engine: Engine::Aegis, workshop, first: workshop.first + at, most: 1 };
        let opening = brief::evolver(office, workshop, direction, bench.most);
        let room = Room::new(office, Role::Evolver, opening, workshop.incumbent, &said).with_bench(bench);
        sit(office, &format!("evolver-{}", workshop.first + at), "Make a candidate.", room).await?;
        Ok::<Said, MetaError>(said.into_inner())
    });
    let mut proposed: Vec<Proposed> = Vec::new();
    let mut justified = BTreeMap::new();
    // One that fails does not take the others with it: what they are about to receive is paid for.
    for said in join_all(sessions).await {
        let said = said?;
        justified.extend(said.justified);
        for candidate in said.proposed {
            let same = proposed.iter().find(|other| other.manifest.harness == candidate.manifest.harness);
            if let Some(same) = same {
                let text = format!("{} makes the same harness as {}", candidate.manifest.candidate_id, same.manifest.candidate_id);
                office.audit.record(Role::Evolver.as_str(), Some(office.round), "dropped", text).map_err(RunDirError::from)?;
            } else {
                proposed.push(candidate);
            }
        }
    }
    Ok((proposed, justified))
}

/// One session that does everything: reads, thinks, makes all the candidates.
///
/// # Errors
/// See [`MetaError`].
pub async fn propose_all(office: &Office<'_>, workshop: &Workshop<'_>) -> Result<Said, MetaError> {
    let said = RefCell::new(Said::default());
    let bench = Bench { engine: Engine::Single, workshop, first: workshop.first, most: workshop.count };
    let opening = brief::evolver(office, workshop, None, bench.most);
    let room = Room::new(office, Role::Single, opening, workshop.incumbent, &said).with_bench(bench);
    sit(office, "single", "Make candidates.", room).await?;
    Ok(said.into_inner())
}

/// An Evolver on a candidate that came back, whoever made it: what it hands in, if anything, and which tasks it says need no candidate.
///
/// # Errors
/// See [`MetaError`].
pub async fn revise(office: &Office<'_>, workshop: &Workshop<'_>, revision: &Revision<'_>) -> Result<Said, MetaError> {
    let said = RefCell::new(Said::default());
    let bench = Bench { engine: Engine::Aegis, workshop, first: revision.number, most: 1 };
    let opening = brief::revision(office, revision.candidate, revision.request);
    let room = Room::new(office, Role::Evolver, opening, revision.harness, &said).with_bench(bench);
    sit(office, &format!("revision-{}", revision.number), "Change your candidate as the Critic asks.", room).await?;
    Ok(said.into_inner())
}

/// The Critic on the candidates that the rules let pass; `sitting` is 1, or 2 after revisions.
///
/// # Errors
/// See [`MetaError`].
pub async fn review(
    office: &Office<'_>,
    incumbent: &Harness,
    candidates: &[Judged],
    landscape: &Landscape,
    sitting: u32,
) -> Result<Reviews, MetaError> {
    let said = RefCell::new(Said::default());
    let ids: Vec<CandidateId> = candidates.iter().map(|(id, _)| id.clone()).collect();
    let may_revise = sitting == 1;
    let opening = brief::critic(office, candidates, landscape, may_revise);
    let room = Room::new(office, Role::Critic, opening, incumbent, &said).with_candidates(&ids, may_revise);
    sit(office, &format!("critic-{sitting}"), "Judge the candidates.", room).await?;
    let Said { reviews, ranking, concern, refused, .. } = said.into_inner();
    Ok(Reviews { format: DIAGNOSIS_FORMAT, reviews, ranking, concern, refused })
}
