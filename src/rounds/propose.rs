//! From traces to candidates that may go before the gate: Digester, Planner, Evolver, Critic. Each reads by the allow-list only; what
//! each leaves on file is read again when a round goes on.

use super::Rounds;
use super::digest::digest_up_to;
use super::error::RoundsError;
use super::landscape::plan_round;
use super::players::{Known, problems};
use crate::domain::digest::{Anchor, TaskDigest};
use crate::domain::gate::{Claims, Demand, Proposal, Stage, TaskIndex};
use crate::domain::harness::{Harness, Problem};
use crate::domain::history::{History, PastRound};
use crate::domain::id::{CandidateId, HarnessId, TaskId, VariantId};
use crate::domain::landscape::Landscape;
use crate::domain::manifest::{CandidateManifest, Claim};
use crate::domain::task::Split;
use crate::stages::critique::{self, Critique, CritiqueInput, Progress, Secrets, TaskTexts, critique};
use crate::stages::evolve::{Experience, ExperienceBuilder, Proposed, Workshop, evolve};
use crate::stages::plan::Planned;
use crate::stages::replay::Touch;
use crate::store::harness_repo::{Branch, CommitMessage};
use crate::store::trace_lines::read_trace_lines;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Candidates of a round, and what the Critic said of them.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    pub manifests: Vec<CandidateManifest>,
    pub critique: Critique,
    /// Why there is none, where a stage found nothing to do.
    pub idle: Option<String>,
}

impl Proposals {
    /// Nothing is proposed.
    pub fn none(reason: String) -> Self {
        Self { idle: Some(reason), ..Self::default() }
    }
}

/// `R<n>/evolved.json`: the Evolver is done.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Evolved {
    format: u32,
    candidates: Vec<CandidateId>,
}

impl Rounds<'_> {
    /// Digests what was played since the last time.
    pub(super) fn digest(&self, round: u32) -> Result<(), RoundsError> {
        if self.visible.overview(round)?.is_some() {
            return Ok(());
        }
        self.say(round, "digesting traces");
        digest_up_to(self.course.run, &self.visible, round, &|_, _| ())?;
        self.audited("digest", round, "wrote", format!("R{round}/overview.json"))
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
                Ok(Ok(landscape))
            }
            Planned::NoOp { reason } => Ok(Err(reason)),
        }
    }

    /// Candidates as branches with complete manifests.
    pub(super) fn evolve(&self, round: u32, landscape: &Landscape) -> Result<Proposals, RoundsError> {
        let name = format!("R{round}/evolved.json");
        if self.visible.find_text(&name)?.is_none() {
            let engine = self.course.settings.engine;
            self.say(round, format!("{engine} proposes candidates"));
            let count = match self.gate.demand() {
                Demand::Candidates(room) => room,
                Demand::Round | Demand::Rollouts(_) | Demand::Confirmation(..) | Demand::Touched(_) => 0,
            };
            let proposed = self.proposed(round, landscape, count)?;
            for candidate in &proposed {
                self.keep(round, candidate)?;
            }
            let candidates = proposed.iter().map(|candidate| candidate.manifest.candidate_id.clone()).collect();
            self.course.run.write(&name, &serde_json::to_vec_pretty(&Evolved { format: 1, candidates }).unwrap_or_default())?;
        }
        let manifests = self.visible.candidates(round)?;
        let is_full = self.gate.candidates().iter().any(|candidate| candidate.stage != Stage::Closed);
        let why = if is_full { "parked candidates are judged first" } else { "the engine proposed nothing" };
        let idle = manifests.is_empty().then(|| why.to_owned());
        Ok(Proposals { manifests, idle, ..Proposals::default() })
    }

    fn proposed(&self, round: u32, landscape: &Landscape, count: usize) -> Result<Vec<Proposed>, RoundsError> {
        let parent = self.incumbent();
        let incumbent = self.repo.read(parent.as_str())?;
        let past = self.visible.past_rounds()?;
        let digests = standing_digests(&History::new(&past));
        let experience = self.experience(&past)?;
        let problems = |harness: &Harness| -> Vec<Problem> { problems(harness, &self.course.desk.workbench) };
        let id_of = |harness: &Harness| -> Result<HarnessId, String> {
            Known::new(harness.clone()).map(|known| known.id).map_err(|error| error.to_string())
        };
        let replay = |harness: &Harness| self.touched_train(harness);
        let before_gate = self.gate.candidates().iter().filter(|candidate| candidate.stage != Stage::Closed);
        let waiting = before_gate.map(|candidate| candidate.harness.clone()).collect();
        let workshop = Workshop {
            round,
            seed: self.course.desk.seed,
            count,
            variant: VariantId::from("main"),
            incumbent: &incumbent,
            parent,
            waiting: &waiting,
            landscape,
            digests: &digests,
            experience: &experience,
            check: &problems,
            id_of: &id_of,
            replay: &replay,
        };
        Ok(evolve(self.course.settings.engine, &workshop))
    }

    /// Train tasks whose recorded episodes a harness would make others; an error, as a fragment, where a part of it breaks in one.
    fn touched_train(&self, harness: &Harness) -> Result<Vec<TaskId>, String> {
        let known = Known::new(harness.clone()).map_err(|error| error.to_string())?;
        let incumbent = self.incumbent();
        let mut touched = Vec::new();
        for (index, task) in self.train() {
            let mut is_touched = self.standings.of(&incumbent, index).is_empty();
            for trace in self.standings.of(&incumbent, index) {
                match self.replay.touches(&known.assembly, task, &self.course.run.path().join(trace)) {
                    Ok(Touch::None) => {}
                    Ok(Touch::Differs) => is_touched = true,
                    Ok(Touch::Breaks(how)) => return Err(format!("led through an episode of {}, {how}", task.task.id)),
                    Err(error) => return Err(error.to_string()),
                }
            }
            if is_touched {
                touched.push(task.task.id.clone());
            }
        }
        Ok(touched)
    }

    /// What is kept of the train traces that speak for the incumbent.
    fn experience(&self, past: &[PastRound]) -> Result<Experience, RoundsError> {
        let mut builder = ExperienceBuilder::default();
        for standing in History::new(past).standings() {
            for rollout in &standing.digest.rollouts {
                builder.read(&self.visible.trace_path(standing.round, &rollout.trace)?, &rollout.trace)?;
            }
        }
        Ok(builder.finish())
    }

    /// A candidate's branch, manifest and smoke lines.
    fn keep(&self, round: u32, candidate: &Proposed) -> Result<(), RoundsError> {
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

    /// The Critic's rules on the candidates; its word is on file as `critique.json`.
    pub(super) fn critique(&self, round: u32, mut proposals: Proposals) -> Result<Proposals, RoundsError> {
        if proposals.manifests.is_empty() {
            return Ok(proposals);
        }
        let name = format!("R{round}/critique.json");
        if let Some(text) = self.visible.find_text(&name)? {
            let path = self.course.run.path().join(&name);
            let content = |error: serde_json::Error| crate::store::atomic::FileError::Content {
                path: path.clone(),
                line: error.line(),
                message: error.to_string(),
            };
            proposals.critique = serde_json::from_str(&text).map_err(content)?;
            return Ok(proposals);
        }
        proposals.critique = self.criticised(round, &proposals.manifests)?;
        self.course.run.write(&format!("R{round}/critique.md"), critique::markdown(&proposals.critique).as_bytes())?;
        self.course.run.write(&name, &serde_json::to_vec_pretty(&proposals.critique).unwrap_or_default())?;
        self.audited("critique", round, "wrote", name)?;
        Ok(proposals)
    }

    fn criticised(&self, round: u32, manifests: &[CandidateManifest]) -> Result<Critique, RoundsError> {
        let past = self.visible.past_rounds()?;
        let landscape = self.visible.landscape(round)?.ok_or_else(|| RoundsError::Lost(format!("R{round}/landscape.json")))?;
        let parents: Vec<Harness> = read_all(manifests, |manifest| Ok(self.repo.read(manifest.parent.as_str())?))?;
        let harnesses: Vec<Harness> = read_all(manifests, |manifest| Ok(self.repo.read(manifest.harness.as_str())?))?;
        let candidates: Vec<critique::Proposal<'_>> = manifests
            .iter()
            .zip(&harnesses)
            .zip(&parents)
            .map(|((manifest, harness), parent)| critique::Proposal { manifest, harness, parent })
            .collect();
        let digests = standing_digests(&History::new(&past));
        let verify = |anchor: &Anchor, words: &str| self.stands_at(&past, anchor, words);
        let (closing_results, progress) = (self.closing_results(&past)?, progress(&past));
        let input = CritiqueInput {
            round,
            candidates: &candidates,
            landscape: &landscape,
            scoreboard: &self.visible.scoreboard()?.unwrap_or_default(),
            digests: &digests,
            progress: &progress,
            secrets: &self.secrets(),
            closing_results: &closing_results,
            justified: &BTreeMap::new(),
            verify: &verify,
        };
        Ok(critique(&input))
    }

    /// Whether words stand verbatim at a place of a visible trace.
    fn stands_at(&self, past: &[PastRound], anchor: &Anchor, words: &str) -> bool {
        let history = History::new(past);
        let Some(path) = history.home_of(&anchor.trace).and_then(|round| self.visible.trace_path(round, &anchor.trace).ok()) else {
            return false;
        };
        let Ok(mut reader) = crate::store::trace_file::TraceReader::open(&path) else { return false };
        let mut found = false;
        let read = read_trace_lines(&mut reader, |line, _| {
            found |= line.step == anchor.step && (words.is_empty() || crate::stages::digest::stands_in(words, line));
            Ok(())
        });
        read.is_ok() && found
    }

    /// Results with which the environment ended visible episodes that were solved.
    fn closing_results(&self, past: &[PastRound]) -> Result<Vec<String>, RoundsError> {
        let experience = self.experience(past)?;
        let mut results: Vec<String> = experience
            .episodes
            .iter()
            .filter(|played| played.solved == Some(true))
            .filter_map(|played| played.steps.last())
            .map(|step| experience.text(step.result).to_owned())
            .collect();
        results.sort();
        results.dedup();
        Ok(results)
    }

    /// Goals of gate and held-out tasks as hashes, and of train tasks.
    fn secrets(&self) -> Secrets {
        let texts = |tasks: Vec<&crate::bench::LoadedTask>| -> Vec<TaskTexts> {
            tasks
                .into_iter()
                .map(|task| TaskTexts { task: task.task.id.clone(), goal: task.task.text.clone(), answers: Vec::new() })
                .collect()
        };
        let benchmark = self.course.benchmark;
        let sealed = texts(benchmark.split(Split::Gate).chain(benchmark.split(Split::Heldout)).collect());
        Secrets::new(&sealed, &texts(benchmark.split(Split::Train).collect()))
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
                touched: self.touched(&known)?,
                claims: self.claims(manifest),
            });
        }
        self.say(round, format!("judging {} candidates", handed.len()));
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
fn standing_digests(history: &History<'_>) -> Vec<TaskDigest> {
    history.standings().map(|standing| standing.digest.clone()).collect()
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
