//! A candidate that passed becomes the incumbent: a commit on `main`, and what the others touch on it is found out anew.

use super::Rounds;
use super::error::RoundsError;
use super::players::{Known, control_of};
use super::settings::Approve;
use crate::domain::gate::{
    Arm, Ask, Candidate, Confirmation, Control, Demand, EvidenceStream, Passed, Reader, Rebased, Ruling, Stage, TaskIndex, Verdict,
};
use crate::domain::id::{CandidateId, HarnessId, LimitsId};
use crate::domain::manifest::{CandidateManifest, Claim};
use crate::runtime::native::groups;
use crate::stages::replay::Touch;
use crate::store::harness_repo::{Branch, CommitMessage, HarnessCommit, NewCommit};
use std::collections::BTreeMap;
use std::path::PathBuf;

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
            self.stand(&before, &after, passed.candidate())?;
        }
        self.course.run.write_gate_state(&self.gate)?;
        self.lineage = self.read_lineage()?;
        Ok(None)
    }

    /// What speaks for the new incumbent: its own episodes, and those of the one before that it would repeat. Where it was judged on a task
    /// without playing it and would repeat nothing that is visible, nothing does: that is played again.
    fn stand(&mut self, before: &HarnessId, after: &HarnessId, candidate: &Candidate) -> Result<(), RoundsError> {
        let known = Known::read(&self.repo, after)?;
        let mut unseen = Vec::new();
        for (index, task) in self.places().filter(|(index, _)| candidate.touches(*index)) {
            if !self.standings.of(after, index).is_empty() {
                continue;
            }
            let mut repeated = Vec::new();
            for trace in self.standings.of(before, index) {
                if self.replay.touches(&known.assembly, task, &self.course.run.path().join(trace))? == Touch::None {
                    repeated.push(trace.clone());
                }
            }
            unseen.push((index, repeated));
        }
        self.standings.follow(before, after, self.tasks.len());
        for (index, repeated) in &unseen {
            self.standings.set(after, *index, repeated);
        }
        self.standings.write(self.course.run)?;
        let unseen: Vec<TaskIndex> = unseen.into_iter().filter(|(_, repeated)| repeated.is_empty()).map(|(index, _)| index).collect();
        self.gate.forget_visible_of(candidate.variant, &unseen);
        Ok(())
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
                let (limits, control) = (candidate.limits.clone(), candidate.control().clone());
                rebased.push(Rebased { id: candidate.id, harness: candidate.harness, limits, control, touched: Vec::new() });
                continue;
            };
            let message = CommitMessage { title: manifest.title.clone(), body: "On the new incumbent.".to_owned(), trailers: Vec::new() };
            let parents: Vec<HarnessCommit> = self.repo.tip(&Branch::Main)?.into_iter().collect();
            self.commit(&Branch::Candidate(candidate.id.clone()), &known, &parents, &message)?;
            self.standings.follow(&candidate.harness, &known.id, self.tasks.len());
            let touched = self.touched(&known)?;
            let (limits, control) = (known.limits(), self.control_limits(&known));
            rebased.push(Rebased { id: candidate.id, harness: known.id, limits, control, touched });
        }
        self.standings.write(self.course.run)?;
        self.gate.retouch(&rebased)?;
        self.course.run.write_gate_state(&self.gate)?;
        Ok(())
    }

    /// The limits that controls of a harness would play under now.
    pub(super) fn control_limits(&self, known: &Known) -> LimitsId {
        control_of(&known.limits(), &self.gate.incumbents()[0].limits)
    }

    /// Tasks with a recorded episode of the incumbent, visible or sealed, that a harness would make another one; those without any visible
    /// one count as touched.
    pub(super) fn touched(&self, known: &Known) -> Result<Vec<TaskIndex>, RoundsError> {
        let incumbent = self.incumbent();
        let mut controls: BTreeMap<TaskIndex, Vec<PathBuf>> = BTreeMap::new();
        let limits = self.control_limits(known);
        for (index, Control { epoch, replicate, .. }) in self.gate.controls(0, &limits) {
            let ask = Ask::new(Arm::Incumbent, index, EvidenceStream::Sealed(epoch), replicate);
            controls.entry(index).or_default().extend(self.control_trace(&limits, &self.key_of(&ask), &ask));
        }
        let mut touched = Vec::new();
        for (index, task) in self.places() {
            let traces = self.standings.of(&incumbent, index);
            let seen = traces.iter().map(|trace| self.course.run.path().join(trace));
            let mut is_touched = traces.is_empty();
            for trace in seen.chain(controls.remove(&index).unwrap_or_default()) {
                is_touched = is_touched || self.replay.touches(&known.assembly, task, &trace)? != Touch::None;
            }
            if is_touched {
                touched.push(index);
            }
        }
        Ok(touched)
    }

    /// What a candidate before the gate says of itself.
    pub(super) fn manifest_of(&self, candidate: &Candidate) -> Result<CandidateManifest, RoundsError> {
        let round = candidate.order.0;
        let found = self.visible.candidate(round, &candidate.id)?;
        found.ok_or_else(|| RoundsError::Lost(format!("R{round}/candidates/{}/manifest.toml", candidate.id)))
    }
}
