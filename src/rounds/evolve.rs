//! The Evolver on the files of a run: each engine fills its share of the round's places, and what it makes becomes branches with complete
//! manifests. Written last: `evolved.json`.

use super::Rounds;
use super::error::RoundsError;
use super::faults::Faults;
use super::ground::is_greedy;
use super::meta::USED_UP;
use super::players::{Known, problems};
use super::propose::{Proposals, standing_digests};
use super::rules;
use crate::domain::digest::TaskDigest;
use crate::domain::engine::Engine;
use crate::domain::gate::{Demand, Stage};
use crate::domain::harness::Harness;
use crate::domain::history::History;
use crate::domain::id::{CandidateId, HarnessId, TaskId, VariantId};
use crate::domain::landscape::Landscape;
use crate::domain::manifest::CandidateManifest;
use crate::domain::meta::Sitting;
use crate::stages::evolve::{Experience, Proposed, Search, Workshop, evolve};
use crate::stages::meta::{self, Said};
use crate::stages::replay::{ReplayError, Touch};
use crate::store::harness_repo::{Branch, CommitMessage};
use crate::store::trace_file::TraceError;
use crate::store::versioned::Versioned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Version of [`Evolved`].
const EVOLVED_FORMAT: u32 = 1;

/// `R<n>/evolved.json`: the Evolver is done.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Evolved {
    format: u32,
    candidates: Vec<CandidateId>,
    /// Tasks that got worse and need no candidate, with why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub justified: BTreeMap<TaskId, String>,
    /// What an engine wants the next Planner to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concern: Option<String>,
}

impl Versioned for Evolved {
    const FORMAT: u32 = EVOLVED_FORMAT;
}

/// What the engines of a round made.
#[derive(Default)]
pub(super) struct Made {
    pub proposed: Vec<Proposed>,
    pub justified: BTreeMap<TaskId, String>,
    pub concern: Option<String>,
    /// Whom the round waits for, and what they are to do.
    pub waiting: Option<String>,
}

impl Rounds<'_> {
    /// Candidates as branches with complete manifests.
    pub(super) async fn evolve(&self, round: u32, landscape: &Landscape) -> Result<Proposals, RoundsError> {
        let name = format!("R{round}/evolved.json");
        if self.visible.find_text(&name)?.is_none() {
            let count = match self.gate.demand() {
                Demand::Candidates(room) => room,
                Demand::Round | Demand::Rollouts(_) | Demand::Confirmation(..) | Demand::Touched(_) => 0,
            };
            let made = self.made(round, landscape, count).await?;
            if made.waiting.is_some() {
                return Ok(Proposals { waiting: made.waiting, ..Proposals::default() });
            }
            self.put_forward(round, &made)?;
        }
        let manifests = self.visible.candidates(round)?;
        self.say_whose(round, &manifests);
        let is_full = self.gate.candidates().iter().any(|candidate| candidate.stage != Stage::Closed);
        let idle = if !manifests.is_empty() {
            None
        } else if is_full {
            Some("parked candidates are judged first".to_owned())
        } else if self.engines_at(round)?.is_none() {
            Some(USED_UP.to_owned())
        } else {
            Some(self.why_nothing(round)?)
        };
        Ok(Proposals { manifests, idle, ..Proposals::default() })
    }

    /// Why no candidate was made, as far as sessions say.
    fn why_nothing(&self, round: u32) -> Result<String, RoundsError> {
        let unwell = self.unwell(round)?;
        let makers: Vec<String> = unwell.into_iter().filter(|(sitting, _)| *sitting == Sitting::Evolve).map(|(_, line)| line).collect();
        let nothing = "the engine proposed nothing";
        Ok(if makers.is_empty() { nothing.to_owned() } else { format!("{nothing}: {}", makers.join("; ")) })
    }

    /// Candidates of an open round stay where another engine goes on with the run: said once it is seen.
    fn say_whose(&self, round: u32, manifests: &[CandidateManifest]) {
        let now = &self.course.settings.engines;
        let others: BTreeSet<Engine> = manifests.iter().map(|manifest| manifest.engine).filter(|engine| !now.contains(*engine)).collect();
        if !others.is_empty() {
            let others = others.iter().map(|engine| engine.as_str()).collect::<Vec<_>>().join(", ");
            self.say(round, format!("the candidates on file, by {others}, are judged; {now} proposes from the next round on"));
        }
    }

    /// Puts candidates on file; with them the Evolver is done.
    pub(super) fn put_forward(&self, round: u32, made: &Made) -> Result<(), RoundsError> {
        for candidate in &made.proposed {
            self.keep(round, candidate)?;
        }
        let candidates: Vec<CandidateId> = made.proposed.iter().map(|candidate| candidate.manifest.candidate_id.clone()).collect();
        // What another engine had begun when it was cut off is no candidate.
        for begun in self.visible.candidates(round)?.iter().filter(|begun| !candidates.contains(&begun.candidate_id)) {
            self.course.run.files(round).remove_candidate(&begun.candidate_id)?;
        }
        let (justified, concern) = (made.justified.clone(), made.concern.clone());
        let evolved = Evolved { format: EVOLVED_FORMAT, candidates, justified, concern };
        Ok(self.course.run.write_json(&format!("R{round}/evolved.json"), &evolved)?)
    }

    /// Lets each engine fill its share of `count` places. The numbers of its candidates are its own, whatever the others make.
    async fn made(&self, round: u32, landscape: &Landscape, count: usize) -> Result<Made, RoundsError> {
        let stock = self.stock(round, landscape)?;
        let Some(engines) = self.engines_at(round)? else { return Ok(Made::default()) };
        let shares = engines.shares(count, &self.visible.scoreboard()?.unwrap_or_default().engines);
        let mut made = Made::default();
        let firsts = shares.iter().scan(1, |next, (_, places)| Some(std::mem::replace(next, *next + places)));
        let mut turns: Vec<(Engine, usize, usize)> =
            shares.iter().zip(firsts).map(|((engine, places), first)| (*engine, *places, first)).collect();
        // Whoever may be waited for comes before anybody who is paid.
        turns.sort_by_key(|(engine, ..)| *engine != Engine::Command);
        for (engine, places, first) in turns {
            if places > 0 {
                self.say(round, format!("{engine} proposes candidates"));
                let taken: BTreeSet<HarnessId> = made.proposed.iter().map(|other| other.manifest.harness.clone()).collect();
                let more = self.made_by(engine, &stock, (first, places), taken).await?;
                made.proposed.extend(more.proposed);
                made.justified.extend(more.justified);
                made.concern = made.concern.or(more.concern);
                if more.waiting.is_some() {
                    return Ok(Made { waiting: more.waiting, ..made });
                }
            }
        }
        Ok(made)
    }

    /// What one engine makes; `taken` are harnesses that others made.
    async fn made_by(
        &self,
        engine: Engine,
        stock: &Stock<'_>,
        (first, count): (usize, usize),
        taken: BTreeSet<HarnessId>,
    ) -> Result<Made, RoundsError> {
        let round = stock.round;
        let search = match engine {
            Engine::Catalog => Search::Steered,
            Engine::Random => Search::Random,
            Engine::BestOfN => Search::BestOfN,
            Engine::Aegis => {
                let made = self.at_workshop(stock, (first, count), taken, async |workshop| {
                    self.in_office((round, Sitting::Evolve), async |office| meta::propose(office, workshop).await).await
                });
                let (proposed, justified) = made.await?;
                return Ok(Made { proposed, justified, ..Made::default() });
            }
            Engine::Single => {
                let said = self.at_workshop(stock, (first, count), taken, async |workshop| {
                    self.in_office((round, Sitting::Evolve), async |office| meta::propose_all(office, workshop).await).await
                });
                let Said { proposed, justified, concern, .. } = said.await?;
                return Ok(Made { proposed, justified, concern, ..Made::default() });
            }
            Engine::Command => return self.by_command(stock, (first, count), taken).await,
        };
        let proposed = self.at_workshop(stock, (first, count), taken, async |workshop| Ok(evolve(search, workshop))).await?;
        Ok(Made { proposed, ..Made::default() })
    }

    /// Does something with everything that an engine works with; `taken` are harnesses that may not be made again.
    pub(super) async fn at_workshop<T>(
        &self,
        stock: &Stock<'_>,
        (first, count): (usize, usize),
        mut taken: BTreeSet<HarnessId>,
        work: impl AsyncFnOnce(&Workshop<'_>) -> Result<T, RoundsError>,
    ) -> Result<T, RoundsError> {
        let before_gate = self.gate.candidates().iter().filter(|candidate| candidate.stage != Stage::Closed);
        taken.extend(before_gate.map(|candidate| candidate.harness.clone()));
        let samples = !self.gate.settings().deterministic;
        let id_of = |harness: &Harness| -> Result<HarnessId, String> {
            if samples && is_greedy(self.course.desk, harness) {
                return Err(
                    "it draws at temperature 0 in a run that samples: its rollouts would be one draw, and cannot be judged".to_owned()
                );
            }
            Known::new(harness.clone()).map(|known| known.id).map_err(|error| error.to_string())
        };
        let check = |harness: &Harness, lines: &[usize]| problems(harness, lines, &self.course.desk.workbench);
        let faults = Faults::default();
        let unread = || Err("a recorded episode cannot be read".to_owned());
        let replay = |harness: &Harness| faults.found(self.touched_train(harness)).unwrap_or_else(unread);
        let workshop = Workshop {
            round: stock.round,
            seed: self.course.desk.seed,
            count,
            first,
            variant: VariantId::from("main"),
            incumbent: &stock.incumbent,
            parent: self.incumbent(),
            waiting: &taken,
            landscape: stock.landscape,
            digests: &stock.digests,
            experience: &stock.experience,
            check: &check,
            id_of: &id_of,
            replay: &replay,
        };
        let made = work(&workshop).await;
        faults.over(made)?
    }

    /// What the engines of a round work from.
    pub(super) fn stock<'l>(&self, round: u32, landscape: &'l Landscape) -> Result<Stock<'l>, RoundsError> {
        let past = self.visible.past_rounds()?;
        let (digests, experience) = (standing_digests(&History::new(&past)), rules::experience(&self.visible, &past)?);
        Ok(Stock { round, landscape, digests, experience, incumbent: self.repo.read(self.incumbent().as_str())? })
    }

    /// Train tasks whose recorded episodes a harness would make others; the inner error, a fragment, where a part of it breaks in one.
    ///
    /// # Errors
    /// A trace on record that cannot be read.
    fn touched_train(&self, harness: &Harness) -> Result<Result<Vec<TaskId>, String>, RoundsError> {
        let known = match Known::new(harness.clone()) {
            Ok(known) => known,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let incumbent = self.incumbent();
        let mut touched = Vec::new();
        for (index, task) in self.train() {
            let mut is_touched = self.standings.of(&incumbent, index).is_empty();
            for trace in self.standings.of(&incumbent, index) {
                match self.replay.touches(&known.assembly, task, &self.course.run.path().join(trace)) {
                    Ok(Touch::None) => {}
                    Ok(Touch::Differs) => is_touched = true,
                    Ok(Touch::Breaks(how)) => return Ok(Err(format!("led through an episode of {}, {how}", task.task.id))),
                    Err(ReplayError::Trace(TraceError(error))) if error.is_missing() => {
                        return Err(RoundsError::Gone(trace.display().to_string()));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            if is_touched {
                touched.push(task.task.id.clone());
            }
        }
        Ok(Ok(touched))
    }

    /// A candidate's branch, manifest and smoke lines.
    pub(super) fn keep(&self, round: u32, candidate: &Proposed) -> Result<(), RoundsError> {
        let manifest = &candidate.manifest;
        let id = &manifest.candidate_id;
        let known = Known::new(candidate.harness.clone())?;
        let message = CommitMessage {
            title: manifest.title.clone(),
            body: manifest.targeted_fix.clone(),
            trailers: vec![
                ("Round".to_owned(), round.to_string()),
                ("Candidate".to_owned(), id.to_string()),
                ("Parent".to_owned(), manifest.parent.to_string()),
            ],
        };
        let parents: Vec<_> = self.repo.tip(&Branch::Main)?.into_iter().collect();
        let commit = self.commit(&Branch::Candidate(id.clone()), &known, &parents, &message)?;
        let files = self.course.run.files(round);
        files.write_smoke(id, &candidate.smoke)?;
        files.write_candidate(manifest, &self.repo.diff(manifest.parent.as_str(), known.id.as_str())?)?;
        self.audited("evolve", round, "commit", format!("{id} as {commit}"))
    }
}

/// What all engines of a round work from.
pub(super) struct Stock<'a> {
    pub round: u32,
    pub landscape: &'a Landscape,
    pub digests: Vec<TaskDigest>,
    experience: Experience,
    pub incumbent: Harness,
}
