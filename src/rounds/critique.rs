//! The Critic on the files of a run: the rules, then — where the meta-agent sits — its model, who may send a candidate back once. What came
//! of it is `critique.json`; `review-1.json`, `revised.json` and `review-2.json` before it let a round go on where it stopped.

use super::Rounds;
use super::error::RoundsError;
use super::evolve::Evolved;
use super::propose::Proposals;
use super::rules;
use crate::domain::diagnosis::{Review, ReviewWord, Reviews};
use crate::domain::digest::Anchor;
use crate::domain::gate::Reader;
use crate::domain::history::PastRound;
use crate::domain::id::{CandidateId, TaskId};
use crate::domain::landscape::Landscape;
use crate::domain::manifest::CandidateManifest;
use crate::domain::meta::Sitting;
use crate::stages::critique::{self, Critique};
use crate::stages::meta;
use crate::store::versioned::Versioned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of [`Revised`].
const REVISED_FORMAT: u32 = 1;

/// `R<n>/revised.json`: the candidates that were sent back are changed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revised {
    format: u32,
    /// Those that somebody handed in again.
    candidates: Vec<CandidateId>,
    /// Tasks that got worse and need no candidate, with why, as an Evolver said on that occasion.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub justified: BTreeMap<TaskId, String>,
}

impl Versioned for Revised {
    const FORMAT: u32 = REVISED_FORMAT;
}

impl Rounds<'_> {
    /// The Critic's word on the candidates, on file as `critique.json`.
    pub(super) async fn critique(&self, round: u32, mut proposals: Proposals) -> Result<Proposals, RoundsError> {
        let concern = self.evolved(round)?.and_then(|evolved| evolved.concern);
        if proposals.manifests.is_empty() {
            proposals.critique.strategy_concern = concern;
            return Ok(proposals);
        }
        let name = format!("R{round}/critique.json");
        if let Some(critique) = self.visible.find_json(&name)? {
            proposals.critique = critique;
            return Ok(proposals);
        }
        proposals.critique = self.rules(round, &proposals.manifests)?;
        // A round that was cut off may hold candidates that are revised by now: what was said of them before still counts. So does what a
        // person has written in the model's place.
        let has_sat = self.visible.find_json::<Reviews>(&first_review(round))?.is_some();
        if has_sat || (!proposals.critique.ship_ranking.is_empty() && self.has_critic(round, Sitting::Review)?) {
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
            proposals.critique = self.rules(round, &proposals.manifests)?;
            let again: Vec<CandidateId> = proposals.critique.ship_ranking.iter().filter(|id| revised.contains(id)).cloned().collect();
            if !again.is_empty() && self.has_critic(round, Sitting::Again)? {
                let second = self.sitting(round, &proposals, &again, &landscape, 2).await?;
                reviews.reviews.retain(|review| second.reviews.iter().all(|new| new.candidate != review.candidate));
                reviews.reviews.extend(second.reviews);
                reviews.concern = second.concern.or(reviews.concern);
                reviews.ranking = if second.ranking.len() > reviews.ranking.len() { second.ranking } else { reviews.ranking };
            }
            // The rules' word stands for a rewritten candidate that the model says nothing more of.
            let is_rewritten = |review: &Review| {
                let now = proposals.manifests.iter().find(|manifest| manifest.candidate_id == review.candidate);
                revised.contains(&review.candidate) && now.is_some_and(|now| review.harness.as_ref() != Some(&now.harness))
            };
            reviews.reviews.retain(|review| review.word != ReviewWord::Revise || !is_rewritten(review));
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
        if let Some(reviews) = self.visible.find_json(&name)? {
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
        if let Some(Revised { candidates, .. }) = self.visible.find_json(&name)? {
            return Ok(candidates);
        }
        let revised = self.revisions(round, &proposals.manifests, sent_back, landscape).await?;
        for candidate in &revised.proposed {
            self.keep(round, candidate)?;
        }
        let candidates = revised.proposed.into_iter().map(|candidate| candidate.manifest.candidate_id).collect();
        let revised = Revised { format: REVISED_FORMAT, candidates, justified: revised.justified };
        self.course.run.write_json(&name, &revised)?;
        Ok(revised.candidates)
    }

    /// What the engines of a round made besides candidates.
    fn evolved(&self, round: u32) -> Result<Option<Evolved>, RoundsError> {
        Ok(self.visible.find_json(&format!("R{round}/evolved.json"))?)
    }

    /// What the rules say of the candidates of the round that is open.
    pub(super) fn rules(&self, round: u32, manifests: &[CandidateManifest]) -> Result<Critique, RoundsError> {
        rules::rules(&self.visible, &self.repo, self.course.benchmark, (round, manifests), Reader::Engine)
    }

    /// Whether words stand verbatim at a place of a visible trace.
    pub(super) fn stands_at(&self, past: &[PastRound], anchor: &Anchor, words: &str) -> Result<bool, RoundsError> {
        rules::stands_at(&self.visible, past, anchor, words)
    }
}

/// The first sitting's file.
pub(super) fn first_review(round: u32) -> String {
    format!("R{round}/review-1.json")
}
