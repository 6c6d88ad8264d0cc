//! Tasks that evolution never sees: played for the curve and for people, never for a decision but a veto of one bit, where asked for. The same tasks are also played with a
//! uniformly random chooser in the model's place, which costs no model call: what is left over is the model's share.

use super::Rounds;
use super::error::RoundsError;
use super::players::Known;
use crate::domain::curves;
use crate::domain::gate::vetoes;
use crate::domain::id::HarnessId;
use crate::domain::outcome::{EpisodeResult, Outcome};
use crate::domain::request::ModelRole;
use crate::domain::round::RoundRecord;
use crate::domain::task::Split;
use crate::domain::trace::{EpisodeKey, Stream};
use crate::provider::Provider;
use crate::runtime::desk::Desk;
use crate::runtime::episode::Agent;
use crate::stages::critique::{Contribution, Tally as Solved, model_share};
use crate::stages::rollout::{Results, Rollout, Tally, episodes, first_broken, tally};
use std::collections::BTreeMap;

/// A harness on the held-out tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arms {
    /// With the model.
    pub model: Tally,
    /// With a random chooser in its place; `None` where nothing is chosen from a list.
    pub chooser: Option<Tally>,
}

/// The first harness and the last on the same held-out tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// The first.
    pub before: Arms,
    /// The last.
    pub after: Arms,
    /// Per task, mean success after minus before.
    pub differences: Vec<f64>,
    /// Whether the model or the last harness does the work, where that can be asked.
    pub share: Option<Contribution>,
}

impl Rounds<'_> {
    /// Plays the held-out tasks under the present incumbent.
    pub(super) async fn play_heldout(&self, round: u32) -> Result<(), RoundsError> {
        self.say(round, "playing held-out tasks, which decide nothing");
        let harness = self.incumbent();
        let tally = tally(self.heldout_results(&harness, self.course.desk, "heldout").await?.iter());
        self.course.run.add_point(round, Split::Heldout, tally.point())?;
        if let Some(random) = self.chooser_tally(&harness).await? {
            let flag = self.share_of(&harness, &tally, &random)?.filter(Contribution::is_flag).map(|share| share.to_string());
            let share = curves::ModelShare { split: Split::Heldout, model: tally.point(), random: random.point(), flag };
            self.course.run.add_model_share(round, share)?;
        }
        Ok(())
    }

    /// The same at the end of a run; a harness that a person has put back since is not what the round ended with.
    pub(super) async fn play_last_heldout(&self, rounds: &[RoundRecord]) -> Result<(), RoundsError> {
        match rounds.last() {
            Some(last) if last.round > 0 && last.after == self.incumbent() => self.play_heldout(last.round).await,
            Some(_) | None => Ok(()),
        }
    }

    /// Whether the held-out tasks veto a candidate that passed: one bit, and only where the run was made so.
    pub(super) async fn is_vetoed(&self, candidate: &HarnessId) -> Result<bool, RoundsError> {
        if !self.course.settings.heldout_veto {
            return Ok(false);
        }
        self.say(self.gate.round(), "asking the held-out tasks for their one bit");
        let desk = self.course.desk;
        let before = self.heldout_results(&self.incumbent(), desk, "heldout").await?;
        let differences = differences(&before, &self.heldout_results(candidate, desk, "heldout").await?);
        let count = differences.len() as f64;
        let mean = differences.iter().sum::<f64>() / count.max(1.0);
        let variance = differences.iter().map(|difference| (difference - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        Ok(vetoes(mean, (variance / count.max(1.0)).sqrt()))
    }

    /// The first harness against the present one; what is not on file yet is played.
    ///
    /// # Errors
    /// See [`RoundsError`].
    pub async fn compared(&self) -> Result<Compared, RoundsError> {
        let (first, last) = (Known::new(self.course.baseline.clone())?.id, self.incumbent());
        let desk = self.course.desk;
        let (before, after) = (self.heldout_results(&first, desk, "heldout").await?, self.heldout_results(&last, desk, "heldout").await?);
        let (differences, model) = (differences(&before, &after), tally(after.iter()));
        let before = Arms { model: tally(before.iter()), chooser: self.chooser_tally(&first).await? };
        let chooser = self.chooser_tally(&last).await?;
        let share = chooser.as_ref().map(|random| self.share_of(&last, &model, random)).transpose()?.flatten();
        Ok(Compared { before, after: Arms { model, chooser }, differences, share })
    }

    /// Whether it is the model or what shipped; `None` where nothing shipped, where no model plays, or where neither solves anything.
    fn share_of(&self, harness: &HarnessId, model: &Tally, random: &Tally) -> Result<Option<Contribution>, RoundsError> {
        let is_first = *harness == Known::new(self.course.baseline.clone())?.id;
        let by_chance = self.course.desk.seats.get(&ModelRole::Main).is_some_and(|seat| matches!(seat.provider, Provider::Uniform(_)));
        let solved =
            |tally: &Tally| Solved { solved: tally.pass_rate.map_or(0.0, |share| share.value * tally.tasks as f64), tasks: tally.tasks };
        Ok(if is_first || by_chance { None } else { model_share(solved(model), solved(random)) })
    }

    async fn chooser_tally(&self, harness: &HarnessId) -> Result<Option<Tally>, RoundsError> {
        let results = self.heldout_results(harness, self.course.chooser, "chooser").await?;
        let asks_for_more = |result: &EpisodeResult| matches!(&result.end, crate::domain::outcome::Ending::HarnessFault { .. });
        Ok((!results.values().any(asks_for_more)).then(|| tally(results.iter())))
    }

    async fn heldout_results(&self, harness: &HarnessId, desk: &Desk, stream: &str) -> Result<Results, RoundsError> {
        let known = Known::read(&self.repo, harness)?;
        let agent = Agent {
            assembly: &known.assembly,
            harness: known.id.clone(),
            desk,
            limits: self.course.benchmark.limits,
            role: ModelRole::Main,
        };
        let dir = self.course.run.sealed(stream, harness.as_str())?;
        let settings = self.course.settings;
        let episodes = episodes(&self.heldout, &Stream(stream.to_owned()), settings.heldout_rollouts);
        let results = self.play_episodes(&Rollout { agent: &agent, episodes, jobs: settings.jobs, dir: &dir }).await?;
        let is_scored = |result: &EpisodeResult| !matches!(result.outcome, Outcome::Error { .. });
        match first_broken(&results).filter(|_| !results.values().any(is_scored)) {
            Some(first) => Err(self.outage(results.len(), first)),
            None => Ok(results),
        }
    }
}

/// Per task, mean success after minus before.
fn differences(before: &Results, after: &Results) -> Vec<f64> {
    let before = rates(before);
    rates(after).iter().filter_map(|(task, after)| Some(after - before.get(task)?)).collect()
}

/// Mean success by task.
fn rates(results: &Results) -> BTreeMap<&str, f64> {
    let mut counts: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (EpisodeKey { task, .. }, result) in results {
        let solved = match result.outcome {
            Outcome::Solved => 1.0,
            Outcome::Failed => 0.0,
            Outcome::Error { .. } => continue,
        };
        let entry = counts.entry(task.as_str()).or_default();
        entry.0 += solved;
        entry.1 += 1.0;
    }
    counts.into_iter().map(|(task, (solved, scored))| (task, solved / scored)).collect()
}
