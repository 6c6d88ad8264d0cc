//! Plays what the gate demands: controls first, then candidates, each of those replayed dry over its control before it costs anything
//! (`gate.md` §2). Everything played is on file under its key, so a pass that was interrupted goes on where it stopped.

use super::Rounds;
use super::error::RoundsError;
use super::players::Known;
use super::settings::Event;
use super::spent::{Untouched, tokens_of};
use crate::bench::LoadedTask;
use crate::domain::gate::{Arm, Ask, Demand, EvidenceStream, Pass, Purpose, Stage, TaskIndex, Told};
use crate::domain::id::{CandidateId, Digest, HarnessId, LimitsId};
use crate::domain::outcome::Outcome;
use crate::domain::request::ModelRole;
use crate::domain::task::Split;
use crate::domain::trace::EpisodeKey;
use crate::runtime::episode::Agent;
use crate::stages::replay::Touch;
use crate::stages::rollout::{Results, Rollout, first_broken, rollout};
use crate::store::run_dir::RoundDir;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What came of the rollouts of one arm.
#[derive(Default)]
struct Played {
    told: Vec<(usize, Told)>,
    /// The first that plumbing broke.
    broken: Option<String>,
}

/// A rollout of a pass with where it is found.
struct Wanted<'t> {
    position: usize,
    ask: Ask,
    task: Cow<'t, LoadedTask>,
    key: EpisodeKey,
}

impl Rounds<'_> {
    /// Answers the gate until it wants something other than rollouts.
    pub(super) async fn play_demanded(&mut self) -> Result<(), RoundsError> {
        while let Demand::Rollouts(pass) = self.gate.demand() {
            let pass = pass.clone();
            let outage = self.answer(&pass).await?;
            if let Purpose::Claimed { candidate } = pass.purpose {
                self.note_outside(candidate, &pass)?;
            }
            self.standings.write(self.course.run)?;
            self.course.run.write_gate_state(&self.gate)?;
            outage.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// Plays what is open of a pass, and tells the gate; an error where nothing at all of it could be scored: what is broken then is no
    /// candidate. The gate is told of that too, so that what breaks each time is missing for good in the end; but not in the baseline,
    /// without which there is nothing to go on with.
    pub(super) async fn answer(&mut self, pass: &Pass) -> Result<Option<RoundsError>, RoundsError> {
        let mut has_scored = pass.scored() > 0;
        for arm in arms(pass) {
            let Played { told, broken } = self.play_arm(pass, arm).await?;
            has_scored |= told.iter().any(|(_, told)| *told != Told::Missing);
            let outage = broken.filter(|_| !has_scored).map(|first| self.outage(told.len(), first));
            if outage.is_none() || self.gate.round() > 0 {
                for (position, told) in told {
                    self.gate.tell(position, told)?;
                }
            }
            if outage.is_some() {
                return Ok(outage);
            }
        }
        Ok(None)
    }

    /// Every one of so many episodes is missing.
    pub(super) fn outage(&self, episodes: usize, first: String) -> RoundsError {
        RoundsError::Outage { round: self.gate.round(), episodes, first }
    }

    /// Plays the open rollouts of one arm, folder by folder.
    async fn play_arm(&mut self, pass: &Pass, arm: Arm) -> Result<Played, RoundsError> {
        let (harness, limits) = self.gate.player(pass, arm);
        let (harness, limits) = (harness.clone(), limits.clone());
        let known = Known::under(&self.repo, &harness, &limits)?;
        let mut played = Played::default();
        let mut folders: BTreeMap<String, Vec<Wanted<'_>>> = BTreeMap::new();
        for (position, ask) in pass.open_asks().filter(|(_, ask)| ask.arm == arm) {
            let Some(task) = self.task_of(ask) else {
                played.told.push((position, Told::Missing));
                continue;
            };
            let key = EpisodeKey { task: task.task.id.clone(), ..self.key_of(ask) };
            if matches!(arm, Arm::Candidate(_)) && self.is_untouched(pass, &known, &task, &key, ask)? {
                self.note_untouched(&self.saved(pass, &key, ask))?;
                played.told.push((position, Told::Untouched));
                continue;
            }
            let folder = self.folder(ask, &harness, &limits);
            folders.entry(folder).or_default().push(Wanted { position, ask: ask.clone(), task, key });
        }
        for (folder, wanted) in folders {
            let dir = self.course.run.folder(&folder)?;
            let results = self.play(&known, &wanted, &dir).await?;
            played.told.extend(wanted.iter().map(|wanted| (wanted.position, told_of(&results, &wanted.key))));
            played.broken = played.broken.or_else(|| first_broken(&results));
            self.note(pass, arm, &harness, &dir, &wanted)?;
        }
        Ok(played)
    }

    async fn play(&self, known: &Known, wanted: &[Wanted<'_>], dir: &RoundDir) -> Result<Results, RoundsError> {
        let course = &self.course;
        let agent = Agent {
            assembly: &known.assembly,
            harness: known.id.clone(),
            desk: course.desk,
            limits: course.benchmark.limits,
            role: ModelRole::Main,
        };
        let episodes: Vec<(&LoadedTask, EpisodeKey)> = wanted.iter().map(|wanted| (&*wanted.task, wanted.key.clone())).collect();
        self.play_episodes(&Rollout { agent: &agent, episodes, jobs: course.settings.jobs, dir }).await
    }

    /// Plays episodes, with progress; all of them or it was stopped.
    pub(super) async fn play_episodes(&self, plan: &Rollout<'_>) -> Result<Results, RoundsError> {
        let course = &self.course;
        (course.watch)(Event::Playing(plan.episodes.len()));
        let results = rollout(plan, &|progress| (course.watch)(Event::Progress(progress)), course.stopped).await?;
        (course.watch)(Event::Played);
        if results.len() < plan.episodes.len() {
            return Err(RoundsError::Stopped { round: self.gate.round() });
        }
        Ok(results)
    }

    /// What the new episodes say besides their outcome: they speak for their harness, and new controls may show that a candidate touches
    /// more than was known.
    fn note(&mut self, pass: &Pass, arm: Arm, harness: &HarnessId, dir: &RoundDir, wanted: &[Wanted<'_>]) -> Result<(), RoundsError> {
        if pass.purpose.candidate().is_some_and(|slot| self.gate.candidates()[slot].is_same_harness) {
            return Ok(());
        }
        let own: Vec<&Wanted<'_>> = wanted.iter().filter(|wanted| wanted.ask.sibling.is_none()).collect();
        let is_control = arm == Arm::Incumbent && pass.purpose != Purpose::Visible;
        if !is_control {
            let tasks: Vec<(TaskIndex, &str)> = own.iter().map(|wanted| (wanted.ask.task, wanted.key.task.as_str())).collect();
            return self.standings.add(self.course.run, harness, dir, &tasks);
        }
        // Under other limits than its own controls' an episode says nothing of what a candidate touches.
        let limits = self.gate.player(pass, arm).1;
        let judged: Vec<(CandidateId, HarnessId, Vec<TaskIndex>)> = self
            .gate
            .candidates()
            .iter()
            .filter(|candidate| candidate.stage != Stage::Closed && candidate.variant == pass.variant && !candidate.is_same_harness)
            .filter(|candidate| candidate.control() == limits)
            .map(|candidate| (candidate.id.clone(), candidate.harness.clone(), candidate.touched.iter().map(|entry| entry.task).collect()))
            .collect();
        for (id, harness, touched) in judged {
            let known = Known::read(&self.repo, &harness)?;
            let mut more = Vec::new();
            for wanted in own.iter().filter(|wanted| !touched.contains(&wanted.ask.task)) {
                if self.replay.touches(&known.assembly, &wanted.task, &dir.trace_path(&wanted.key))? != Touch::None {
                    more.push(wanted.ask.task);
                }
            }
            if !more.is_empty() {
                self.gate.touch(&id, &more)?;
            }
        }
        Ok(())
    }

    /// Whether a dry replay of a candidate over its control differs in nothing.
    fn is_untouched(&self, pass: &Pass, known: &Known, task: &LoadedTask, key: &EpisodeKey, ask: &Ask) -> Result<bool, RoundsError> {
        let Arm::Candidate(slot) = ask.arm else { return Ok(false) };
        // Modes that play everything again have no pairs of one rollout each: the ledger spares what is the same.
        if self.gate.candidates()[slot].is_same_harness || matches!(pass.purpose, Purpose::Whole { .. }) {
            return Ok(false);
        }
        let Some(control) = self.control(pass, key, ask) else { return Ok(false) };
        Ok(self.replay.touches(&known.assembly, task, &control)? == Touch::None)
    }

    /// What an untouched episode would have taken: what its control took.
    fn saved(&self, pass: &Pass, key: &EpisodeKey, ask: &Ask) -> Untouched {
        let id = pass.purpose.candidate().map(|slot| self.gate.candidates()[slot].id.clone());
        Untouched {
            candidate: id.unwrap_or_else(|| CandidateId::from("")),
            task: ask.task,
            stream: key.stream.0.clone(),
            replicate: key.replicate,
            tokens: self.control(pass, key, ask).as_deref().map_or(0, tokens_of),
        }
    }

    /// The trace of a rollout's control: played by the present incumbent, or by an earlier one that it would repeat.
    fn control(&self, pass: &Pass, key: &EpisodeKey, ask: &Ask) -> Option<PathBuf> {
        self.control_trace(self.gate.player(pass, Arm::Incumbent).1, key, ask)
    }

    /// The same under limits that are known.
    pub(super) fn control_trace(&self, limits: &LimitsId, key: &EpisodeKey, ask: &Ask) -> Option<PathBuf> {
        let name = crate::store::trace_file::file_name(key);
        self.lineage.iter().rev().find_map(|harness| {
            let folder = self.folder(&Ask { arm: Arm::Incumbent, ..ask.clone() }, harness, limits);
            let path = self.course.run.path().join(folder).join("trajectories").join(&name);
            (path.exists() || path.with_extension("jsonl.zst").exists()).then_some(path)
        })
    }

    /// The key of a rollout of the task itself.
    pub(super) fn key_of(&self, ask: &Ask) -> EpisodeKey {
        EpisodeKey { task: self.tasks[ask.task.at()].task.id.clone(), stream: ask.evidence.stream(), replicate: ask.replicate }
    }

    /// The task itself, or its sibling; `None` where it has none.
    fn task_of(&self, ask: &Ask) -> Option<Cow<'static, LoadedTask>> {
        let task = &self.tasks[ask.task.at()];
        match ask.sibling {
            None => Some(Cow::Owned((*task).clone())),
            Some(number) => task.sibling(number).map(Cow::Owned),
        }
    }

    /// Where a rollout lies: train tasks of the visible stream are open, all else is sealed, by stream and harness.
    fn folder(&self, ask: &Ask, harness: &HarnessId, limits: &LimitsId) -> String {
        let is_train = self.gate.tasks()[ask.task.at()].split == Split::Train;
        let stream = match (ask.evidence, ask.arm) {
            (EvidenceStream::Visible, Arm::Incumbent | Arm::Anchor) if is_train => return format!("R{}", self.gate.round()),
            (EvidenceStream::Visible, Arm::Incumbent | Arm::Anchor) => "gate".to_owned(),
            (EvidenceStream::Visible, Arm::Candidate(_)) => format!("whole/{}", self.gate.round()),
            (EvidenceStream::Sealed(epoch), _) => format!("bank/{epoch}"),
            (EvidenceStream::Followup(number), _) => format!("followup/{number}"),
            (EvidenceStream::Drift(number), _) => format!("drift/{number}"),
            (EvidenceStream::Same(number), _) => format!("aa/{number}"),
        };
        // The same stream under other limits is another world.
        let limits = &Digest::of(limits.as_str().as_bytes()).to_string()[..8];
        format!("sealed/{stream}/{limits}/{harness}")
    }
}

/// The arms of a pass: controls before candidates.
fn arms(pass: &Pass) -> Vec<Arm> {
    let mut arms: Vec<Arm> = Vec::new();
    for (_, ask) in pass.open_asks() {
        if !arms.contains(&ask.arm) {
            arms.push(ask.arm);
        }
    }
    arms.sort_by_key(|arm| match arm {
        Arm::Incumbent => (0, 0),
        Arm::Anchor => (1, 0),
        Arm::Candidate(slot) => (2, *slot),
    });
    arms
}

fn told_of(results: &Results, key: &EpisodeKey) -> Told {
    match results.get(key).map(|result| &result.outcome) {
        Some(Outcome::Solved) => Told::Scored { solved: true },
        Some(Outcome::Failed) => Told::Scored { solved: false },
        Some(Outcome::Error { .. }) | None => Told::Missing,
    }
}
