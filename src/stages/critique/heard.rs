//! What the Critic's model says, on top of the rules: it may reject what they let pass and change the order, never bring back what they
//! rejected.

use super::Critique;
use crate::domain::diagnosis::{ReviewWord, Reviews};
use crate::domain::id::CandidateId;

impl Critique {
    /// Takes the model's word in. A revision that was asked for and never came is a rejection.
    pub fn hear(&mut self, said: Reviews) {
        let Reviews { reviews, ranking, concern, .. } = said;
        for review in &reviews {
            let reason = match review.word {
                ReviewWord::Pass => continue,
                ReviewWord::Reject => format!("the Critic: {}", review.reason),
                ReviewWord::Revise => format!("the Critic wanted a change that nobody made: {}", review.reason),
            };
            if self.ship_ranking.contains(&review.candidate) {
                self.ship_ranking.retain(|id| *id != review.candidate);
                self.rejected.push((review.candidate.clone(), reason));
            }
        }
        let named: Vec<CandidateId> = ranking.into_iter().filter(|id| self.ship_ranking.contains(id)).collect();
        let rest: Vec<CandidateId> = self.ship_ranking.iter().filter(|id| !named.contains(id)).cloned().collect();
        self.ship_ranking = Vec::new();
        for id in named.into_iter().chain(rest) {
            if !self.ship_ranking.contains(&id) {
                self.ship_ranking.push(id);
            }
        }
        if self.ship_ranking.is_empty() && self.no_op.is_none() {
            self.no_op = Some("the Critic lets no candidate pass".to_owned());
        }
        if let Some(concern) = concern {
            self.worry(concern);
        }
        self.reviews = reviews;
    }

    /// Something more that the next Planner must read.
    pub fn worry(&mut self, concern: String) {
        let worries: Vec<String> = self.strategy_concern.take().into_iter().chain([concern]).collect();
        self.strategy_concern = Some(worries.join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::diagnosis::Review;

    fn review(id: &str, word: ReviewWord) -> Review {
        Review { candidate: id.into(), word, reason: "why".into(), interaction: String::new(), harness: None }
    }

    #[test]
    fn the_model_rejects_and_reorders_but_brings_nothing_back() {
        let rejected = vec![("C-9".into(), "a rule".into())];
        let mut critique = Critique { ship_ranking: vec!["C-1".into(), "C-2".into(), "C-3".into()], rejected, ..Critique::default() };
        critique.hear(Reviews {
            reviews: vec![review("C-2", ReviewWord::Reject), review("C-9", ReviewWord::Pass)],
            ranking: vec!["C-9".into(), "C-3".into(), "C-3".into(), "C-1".into()],
            concern: Some("too many knobs".into()),
            ..Reviews::default()
        });
        assert_eq!(critique.ship_ranking, ["C-3".into(), "C-1".into()]);
        assert_eq!(critique.rejected[1], ("C-2".into(), "the Critic: why".to_owned()));
        assert_eq!((critique.strategy_concern.as_deref(), critique.no_op), (Some("too many knobs"), None));
    }

    #[test]
    fn a_revision_that_never_came_is_a_rejection() {
        let mut critique = Critique { ship_ranking: vec!["C-1".into()], ..Critique::default() };
        critique.hear(Reviews { reviews: vec![review("C-1", ReviewWord::Revise)], ..Reviews::default() });
        assert!(critique.ship_ranking.is_empty() && critique.no_op.is_some());
        assert!(critique.rejected[0].1.contains("nobody made"));
    }
}
