//! A candidate that passed becomes the incumbent: a commit on `main`, and what the others touch on it is found out anew.

use super::Rounds;
use super::error::RoundsError;
use super::players::Known;
use super::settings::Approve;
use crate::domain::gate::{Candidate, Confirmation, Demand, Passed, Reader, Rebased, Ruling, Stage, TaskIndex, Verdict};
use crate::domain::id::{CandidateId, HarnessId};
use crate::domain::manifest::{CandidateManifest, Claim};
use crate::runtime::native::groups;
use crate::stages::replay::Touch;
use crate::store::harness_repo::{Branch, CommitMessage, HarnessCommit, NewCommit};

/// Folder of files, each named like a candidate that may ship.
const APPROVED: &str = "approved";
/// The same for those that may not.
const REFUSED: &str = "refused";

/// What a person says to a ship.
enum PersonsWord {
    Yes,
    No,
    Awaited,
}

fn waits_for_a_person(round: u32, id: &CandidateId) -> String {
    format!("R{round} waits: {id} passed; an empty file {APPROVED}/{id} in the run directory ships it, {REFUSED}/{id} turns it down")
}

impl Rounds<'_> {
    /// Ships the candidate that passed, or says whom it waits for. The commit comes before the gate's state: a process that ends between
    /// them makes the same commit again, which is none.
    pub(super) async fn ship(&mut self, round: u32) -> Result<Option<String>, RoundsError> {
        let Demand::Confirmation(passed) = self.gate.demand() else { return Ok(None) };
        let manifest = self.manifest_of(passed.candidate())?;
        let is_committed = self.repo.harness("main")? == passed.candidate().harness;
        let confirmation = match self.persons_word(&manifest) {
            // It was cut off after the commit: everybody had spoken by then.
            _ if is_committed => Confirmation::Ship,
            PersonsWord::Awaited => return Ok(Some(waits_for_a_person(round, &manifest.candidate_id))),
            PersonsWord::No => Confirmation::Refuse,
            PersonsWord::Yes if self.is_vetoed(&passed.candidate().harness).await? => {
                Confirmation::Withhold { reason: "the held-out tasks veto it".to_owned() }
            }
            PersonsWord::Yes => {
                self.commit_ship(round, &passed, &manifest)?;
                Confirmation::Ship
            }
        };
        let before = self.incumbent();
        self.gate.confirm(confirmation)?;
        let after = self.incumbent();
        if before != after {
            self.standings.follow(&before, &after, self.tasks.len());
            self.standings.write(self.course.run)?;
        }
        self.course.run.write_gate_state(&self.gate)?;
        self.lineage = self.read_lineage()?;
        Ok(None)
    }

    /// What a person says to a ship, by a file, so that it also works where nobody sits at a terminal. Yes where nobody is asked.
    fn persons_word(&self, manifest: &CandidateManifest) -> PersonsWord {
        let is_risky =
            manifest.resources.is_some() || manifest.file_changes.iter().any(|file| file != crate::domain::harness::HARNESS_FILE);
        let said = |word: &str| self.course.run.path().join(word).join(manifest.candidate_id.as_str()).exists();
        match self.course.settings.approve {
            Approve::Never => PersonsWord::Yes,
            Approve::Risky if !is_risky => PersonsWord::Yes,
            Approve::Risky | Approve::Always if said(REFUSED) => PersonsWord::No,
            Approve::Risky | Approve::Always if said(APPROVED) => PersonsWord::Yes,
            Approve::Risky | Approve::Always => PersonsWord::Awaited,
        }
    }

    fn commit_ship(&self, round: u32, passed: &Passed, manifest: &CandidateManifest) -> Result<(), RoundsError> {
        let candidate = passed.candidate();
        let predicted: Vec<String> = manifest.claims().map(Claim::to_string).collect();
        let trailers = [
            ("Round", round.to_string()),
            ("Candidate", candidate.id.to_string()),
            ("Parent", self.incumbent().to_string()),
            ("Predicted", predicted.join("; ")),
            ("Gate", self.gate_word(candidate, passed.ruling())),
        ];
        let message = CommitMessage {
            title: manifest.title.clone(),
            body: format!("{}\n\n{}", manifest.root_cause, manifest.targeted_fix),
            trailers: trailers.map(|(key, value)| (key.to_owned(), value)).to_vec(),
        };
        let mut parents: Vec<HarnessCommit> = self.repo.tip(&Branch::Main)?.into_iter().collect();
        parents.extend(self.repo.tip(&Branch::Candidate(candidate.id.clone()))?);
        let known = Known::read(&self.repo, &candidate.harness)?;
        let commit = self.commit(&Branch::Main, &known, &parents, &message)?;
        self.audit.record("gate", Some(round), "ship", format!("{} as {commit}", candidate.id))?;
        Ok(())
    }

    /// The gate's line on a candidate that passed.
    fn gate_word(&self, candidate: &Candidate, ruling: &Ruling) -> String {
        let Candidate { id, rollouts, .. } = candidate;
        let verdict = Verdict { round: self.gate.round(), candidate: Some(id.clone()), rollouts: *rollouts, ruling: ruling.clone() };
        verdict.with_tasks(self.gate.tasks(), Reader::Engine)
    }

    /// Commits a harness on a branch.
    pub(super) fn commit(
        &self,
        on: &Branch,
        known: &Known,
        parents: &[HarnessCommit],
        message: &CommitMessage,
    ) -> Result<HarnessCommit, RoundsError> {
        let new = NewCommit {
            manifest: known.assembly.canonical_manifest(),
            files: &known.assembly.harness().files,
            parents,
            message,
            seconds: self.course.desk.clock.unix_milliseconds() / 1000,
        };
        Ok(self.repo.commit(on, &new)?)
    }

    /// After a ship: the candidates that stay are made anew on the new incumbent, and what they touch there is found by dry replay.
    /// One whose edits no longer apply touches nothing.
    pub(super) fn rebase(&mut self) -> Result<(), RoundsError> {
        let Demand::Touched(staying) = self.gate.demand() else { return Ok(()) };
        let staying: Vec<Candidate> = staying.into_iter().filter(|candidate| candidate.stage != Stage::Closed).cloned().collect();
        let incumbent = self.repo.read(self.incumbent().as_str())?;
        let mut rebased = Vec::new();
        for candidate in staying {
            let manifest = self.manifest_of(&candidate)?;
            let made = manifest.bundle().apply(&incumbent, &groups()).ok().and_then(|harness| Known::new(harness).ok());
            let Some(known) = made else {
                rebased.push(Rebased { id: candidate.id, harness: candidate.harness, touched: Vec::new() });
                continue;
            };
            let message = CommitMessage { title: manifest.title.clone(), body: "On the new incumbent.".to_owned(), trailers: Vec::new() };
            let parents: Vec<HarnessCommit> = self.repo.tip(&Branch::Main)?.into_iter().collect();
            self.commit(&Branch::Candidate(candidate.id.clone()), &known, &parents, &message)?;
            self.standings.follow(&candidate.harness, &known.id, self.tasks.len());
            let touched = self.touched(&known)?;
            rebased.push(Rebased { id: candidate.id, harness: known.id, touched });
        }
        self.standings.write(self.course.run)?;
        self.gate.retouch(&rebased)?;
        self.course.run.write_gate_state(&self.gate)?;
        Ok(())
    }

    /// Tasks with a recorded episode of the incumbent that a harness would make another one; those without any count as touched.
    pub(super) fn touched(&self, known: &Known) -> Result<Vec<TaskIndex>, RoundsError> {
        let incumbent = self.incumbent();
        let mut touched = Vec::new();
        for (index, task) in self.places() {
            if self.is_touched(known, &incumbent, index, task)? {
                touched.push(index);
            }
        }
        Ok(touched)
    }

    /// The same for one task.
    pub(super) fn is_touched(
        &self,
        known: &Known,
        incumbent: &HarnessId,
        index: TaskIndex,
        task: &crate::bench::LoadedTask,
    ) -> Result<bool, RoundsError> {
        let traces = self.standings.of(incumbent, index);
        for trace in traces {
            if self.replay.touches(&known.assembly, task, &self.course.run.path().join(trace))? != Touch::None {
                return Ok(true);
            }
        }
        Ok(traces.is_empty())
    }

    /// What a candidate before the gate says of itself.
    pub(super) fn manifest_of(&self, candidate: &Candidate) -> Result<CandidateManifest, RoundsError> {
        let round = candidate.order.0;
        let found = self.visible.candidate(round, &candidate.id)?;
        found.ok_or_else(|| RoundsError::Lost(format!("R{round}/candidates/{}/manifest.toml", candidate.id)))
    }
}
