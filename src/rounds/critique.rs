//! The Critic on the files of a run: the rules, then — where the meta-agent sits — its model, who may send a candidate back once. What came
//! of it is `critique.json`; `review-1.json`, `revised.json` and `review-2.json` before it let a round go on where it stopped.

use super::Rounds;
use super::error::RoundsError;
use super::evolve::Evolved;
use super::propose::{Proposals, standing_digests};
use crate::domain::diagnosis::{Review, ReviewWord, Reviews};
use crate::domain::digest::Anchor;
use crate::domain::harness::Harness;
use crate::domain::history::{History, PastRound};
use crate::domain::id::CandidateId;
use crate::domain::landscape::Landscape;
use crate::domain::manifest::CandidateManifest;
use crate::domain::meta::Sitting;
use crate::domain::task::Split;
use crate::stages::critique::{self, Critique, CritiqueInput, Progress, Secrets, TaskTexts, critique};
use crate::stages::meta;
use crate::store::trace_lines::read_trace_lines;
use serde::de::DeserializeOwned;

impl Rounds<'_> {
    /// The Critic's word on the candidates, on file as `critique.json`.
    pub(super) async fn critique(&self, round: u32, mut proposals: Proposals) -> Result<Proposals, RoundsError> {
        let concern = self.evolved(round)?.and_then(|evolved| evolved.concern);
        if proposals.manifests.is_empty() {
            proposals.critique.strategy_concern = concern;
            return Ok(proposals);
        }
        let name = format!("R{round}/critique.json");
        if let Some(critique) = self.found(&name)? {
            proposals.critique = critique;
            return Ok(proposals);
        }
        proposals.critique = self.criticised(round, &proposals.manifests)?;
        // A round that was cut off may hold candidates that are revised by now: what was said of them before still counts.
        let has_sat = self.visible.find_text(&format!("R{round}/review-1.json"))?.is_some();
        if (has_sat || !proposals.critique.ship_ranking.is_empty()) && self.has_critic(round, Sitting::Review)? {
            proposals = self.reviewed(round, proposals).await?;
        }
        if let Some(concern) = concern {
            proposals.critique.worry(concern);
        }
        self.course.run.write(&format!("R{round}/critique.md"), critique::markdown(&proposals.critique).as_bytes())?;
        self.course.run.write_json(&name, &proposals.critique)?;
        self.audited("critique", round, "wrote", name)?;
        Ok(proposals)
    }

    /// The model's reviews of what the rules let pass; candidates that it sends back are changed once, and judged again by rules and model.
    async fn reviewed(&self, round: u32, mut proposals: Proposals) -> Result<Proposals, RoundsError> {
        let landscape = self.visible.landscape(round)?.ok_or_else(|| RoundsError::Lost(format!("R{round}/landscape.json")))?;
        let passed = proposals.critique.ship_ranking.clone();
        let mut reviews = self.sitting(round, &proposals, &passed, &landscape, 1).await?;
        let sent_back: Vec<Review> = reviews.reviews.iter().filter(|review| review.word == ReviewWord::Revise).cloned().collect();
        if !sent_back.is_empty() {
            let revised = self.revised(round, &proposals, &sent_back, &landscape).await?;
            proposals.manifests = self.visible.candidates(round)?;
            proposals.critique = self.criticised(round, &proposals.manifests)?;
            let again: Vec<CandidateId> = proposals.critique.ship_ranking.iter().filter(|id| revised.contains(id)).cloned().collect();
            if !again.is_empty() && self.has_critic(round, Sitting::Again)? {
                let second = self.sitting(round, &proposals, &again, &landscape, 2).await?;
                reviews.reviews.retain(|review| second.reviews.iter().all(|new| new.candidate != review.candidate));
                reviews.reviews.extend(second.reviews);
                reviews.concern = second.concern.or(reviews.concern);
                reviews.ranking = if second.ranking.len() > reviews.ranking.len() { second.ranking } else { reviews.ranking };
            }
            // The rules' word stands for a revised candidate that the model says nothing more of.
            reviews.reviews.retain(|review| review.word != ReviewWord::Revise || !revised.contains(&review.candidate));
        }
        proposals.critique.hear(reviews);
        Ok(proposals)
    }

    /// One sitting of the Critic's model on some candidates, on file once it is over.
    async fn sitting(
        &self,
        round: u32,
        proposals: &Proposals,
        candidates: &[CandidateId],
        landscape: &Landscape,
        number: u32,
    ) -> Result<Reviews, RoundsError> {
        let name = format!("R{round}/review-{number}.json");
        if let Some(reviews) = self.found(&name)? {
            return Ok(reviews);
        }
        self.say(round, "the Critic's model looks over the candidates");
        let incumbent = self.repo.read(self.incumbent().as_str())?;
        let mut judged = Vec::new();
        for id in candidates {
            let Some(manifest) = proposals.manifests.iter().find(|manifest| manifest.candidate_id == *id) else { continue };
            let patch = self.repo.diff(manifest.parent.as_str(), manifest.harness.as_str())?;
            judged.push((id.clone(), critique::page(manifest, &patch, &proposals.critique)));
        }
        let sit = async |office: &meta::Office<'_>| meta::review(office, &incumbent, &judged, landscape, number).await;
        let sitting = if number == 1 { Sitting::Review } else { Sitting::Again };
        let mut reviews: Reviews = self.in_office((round, sitting), sit).await?;
        // What is changed later is changed from what was judged here.
        for review in &mut reviews.reviews {
            let manifest = proposals.manifests.iter().find(|manifest| manifest.candidate_id == review.candidate);
            review.harness = manifest.map(|manifest| manifest.harness.clone());
        }
        self.course.run.write_json(&name, &reviews)?;
        self.audited("critique", round, "wrote", name)?;
        Ok(reviews)
    }

    /// Has the candidates that were sent back changed, all before any is put on file; those that were.
    async fn revised(
        &self,
        round: u32,
        proposals: &Proposals,
        sent_back: &[Review],
        landscape: &Landscape,
    ) -> Result<Vec<CandidateId>, RoundsError> {
        let name = format!("R{round}/revised.json");
        if let Some(ids) = self.found(&name)? {
            return Ok(ids);
        }
        let revised = self.revisions(round, &proposals.manifests, sent_back, landscape).await?;
        for candidate in &revised {
            self.keep(round, candidate)?;
        }
        let ids: Vec<CandidateId> = revised.into_iter().map(|candidate| candidate.manifest.candidate_id).collect();
        self.course.run.write_json(&name, &ids)?;
        Ok(ids)
    }

    /// A file of this round that only this stage reads.
    fn found<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, RoundsError> {
        let Some(text) = self.visible.find_text(name)? else { return Ok(None) };
        let path = self.course.run.path().join(name);
        let content = |error: serde_json::Error| crate::store::atomic::FileError::Content {
            path: path.clone(),
            line: error.line(),
            message: error.to_string(),
        };
        Ok(Some(serde_json::from_str(&text).map_err(content)?))
    }

    /// What the engines of a round made besides candidates.
    fn evolved(&self, round: u32) -> Result<Option<Evolved>, RoundsError> {
        self.found(&format!("R{round}/evolved.json"))
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
        let justified = self.evolved(round)?.map(|evolved| evolved.justified).unwrap_or_default();
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
            justified: &justified,
            verify: &verify,
        };
        Ok(critique(&input))
    }

    /// Whether words stand verbatim at a place of a visible trace.
    pub(super) fn stands_at(&self, past: &[PastRound], anchor: &Anchor, words: &str) -> bool {
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
