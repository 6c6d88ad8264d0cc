//! Files of a round beside its episodes (`system.md` §5): landscape, candidates, verdicts, decision, and `round.json`, written last.
//! Written through [`RoundFiles`] while the run is locked; read through [`Visible`]. Of a pair the Markdown goes first: once the JSON is
//! there, both are.

use super::atomic::{FileError, remove_folder};
use super::run_dir::{RunDir, RunDirError};
use super::trace_file::slug;
use super::versioned::parse_toml;
use super::visible::{ReadError, Visible};
use crate::domain::digest::{Overview, TaskDigest};
use crate::domain::id::CandidateId;
use crate::domain::landscape::Landscape;
use crate::domain::manifest::CandidateManifest;
use crate::domain::round::{Decision, RoundRecord};
use serde::Serialize;
use std::path::Path;

/// A round's files, for writing.
#[derive(Debug)]
pub struct RoundFiles<'a> {
    run: &'a RunDir,
    round: u32,
}

impl RunDir {
    /// The files of a round.
    pub fn files(&self, round: u32) -> RoundFiles<'_> {
        RoundFiles { run: self, round }
    }
}

impl RoundFiles<'_> {
    /// Writes `digests/<task>.{json,md}`.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_digest(&self, digest: &TaskDigest, markdown: &str) -> Result<(), RunDirError> {
        self.write_pair(&format!("digests/{}", slug(&digest.task)), digest, markdown)
    }

    /// Writes `overview.{json,md}`.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_overview(&self, overview: &Overview, markdown: &str) -> Result<(), RunDirError> {
        self.write_pair("overview", overview, markdown)
    }

    /// Removes overview and landscape: what they were made from has changed.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn forget_plan(&self) -> Result<(), RunDirError> {
        for name in ["landscape.json", "landscape.md", "diagnoses.json", "overview.json", "overview.md"] {
            self.run.remove(&format!("R{}/{name}", self.round))?;
        }
        Ok(())
    }

    /// Writes `landscape.{json,md}`.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_landscape(&self, landscape: &Landscape, markdown: &str) -> Result<(), RunDirError> {
        self.write_pair("landscape", landscape, markdown)
    }

    /// Writes `decision.{json,md}`: the public rendering.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_decision(&self, decision: &Decision, markdown: &str) -> Result<(), RunDirError> {
        self.write_pair("decision", decision, markdown)
    }

    /// Writes `regressions.md`.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_regressions(&self, markdown: &str) -> Result<(), RunDirError> {
        self.run.write(&self.name("regressions.md"), markdown.as_bytes())
    }

    /// Writes `round.json`: the round is done.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_round(&self, record: &RoundRecord) -> Result<(), RunDirError> {
        self.run.write_json(&self.name("round.json"), record)
    }

    /// Writes `candidates/<id>/{manifest.toml,diff.patch}`.
    ///
    /// # Errors
    /// An id that is no folder's name; what the operating system refused.
    pub fn write_candidate(&self, manifest: &CandidateManifest, patch: &str) -> Result<(), RunDirError> {
        let folder = self.name(&candidate_folder(&manifest.candidate_id)?);
        let text = toml::to_string(manifest).map_err(|error| {
            let target = self.run.path().join(&folder).join("manifest.toml");
            FileError::io("write", &target)(std::io::Error::other(error))
        })?;
        self.run.write(&format!("{folder}/diff.patch"), patch.as_bytes())?;
        self.run.write(&format!("{folder}/manifest.toml"), text.as_bytes())
    }

    /// Removes a candidate's folder.
    ///
    /// # Errors
    /// An id that is no folder's name; what the operating system refused.
    pub fn remove_candidate(&self, id: &CandidateId) -> Result<(), RunDirError> {
        Ok(remove_folder(&self.run.path().join(self.name(&candidate_folder(id)?)))?)
    }

    /// Writes `candidates/<id>/smoke.jsonl`: what its smoke test did, a check a line.
    ///
    /// # Errors
    /// An id that is no folder's name; what the operating system refused.
    pub fn write_smoke<T: Serialize>(&self, id: &CandidateId, lines: &[T]) -> Result<(), RunDirError> {
        self.run.write_lines(&format!("{}/smoke.jsonl", self.name(&candidate_folder(id)?)), lines)
    }

    /// Writes `verdicts/V-<id>.{json,md}`.
    ///
    /// # Errors
    /// An id that is no file's name; what the operating system refused.
    pub fn write_verdict<T: Serialize>(&self, id: &CandidateId, verdict: &T, markdown: &str) -> Result<(), RunDirError> {
        self.write_pair(&verdict_name(id)?, verdict, markdown)
    }

    fn write_pair<T: Serialize>(&self, name: &str, value: &T, markdown: &str) -> Result<(), RunDirError> {
        self.run.write(&self.name(&format!("{name}.md")), markdown.as_bytes())?;
        self.run.write_json(&self.name(&format!("{name}.json")), value)
    }

    fn name(&self, file: &str) -> String {
        format!("R{}/{file}", self.round)
    }
}

impl Visible {
    /// `overview.json`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn overview(&self, round: u32) -> Result<Option<Overview>, ReadError> {
        self.find_json(&format!("R{round}/overview.json"))
    }

    /// `digests/*.json`, in order of file name.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn digests(&self, round: u32) -> Result<Vec<TaskDigest>, ReadError> {
        let folder = format!("R{round}/digests");
        let names = self.list(&folder)?.into_iter().filter(|name| Path::new(name).extension().is_some_and(|end| end == "json"));
        names.filter_map(|name| self.find_json(&format!("{folder}/{name}")).transpose()).collect()
    }

    /// `landscape.json`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn landscape(&self, round: u32) -> Result<Option<Landscape>, ReadError> {
        self.find_json(&format!("R{round}/landscape.json"))
    }

    /// `decision.json`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn decision(&self, round: u32) -> Result<Option<Decision>, ReadError> {
        self.find_json(&format!("R{round}/decision.json"))
    }

    /// `round.json`; `None` while the round is not done.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn round(&self, round: u32) -> Result<Option<RoundRecord>, ReadError> {
        self.find_json(&format!("R{round}/round.json"))
    }

    /// The manifests of a round's candidates, in order of their ids. What lies beside their folders is passed over.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn candidates(&self, round: u32) -> Result<Vec<CandidateManifest>, ReadError> {
        let ids = self.folders(&format!("R{round}/candidates"))?.into_iter().map(CandidateId).filter(|id| plain(id).is_ok());
        ids.filter_map(|id| self.candidate(round, &id).transpose()).collect()
    }

    /// `candidates/<id>/manifest.toml`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn candidate(&self, round: u32, id: &CandidateId) -> Result<Option<CandidateManifest>, ReadError> {
        let name = format!("R{round}/{}/manifest.toml", candidate_folder(id)?);
        let text = self.find_text(&name)?;
        Ok(text.map(|text| parse_toml(Path::new(&name), &text)).transpose()?)
    }
}

/// Folder of a candidate within its round.
///
/// # Errors
/// An id that is no folder's name.
pub fn candidate_folder(id: &CandidateId) -> Result<String, FileError> {
    Ok(format!("candidates/{}", plain(id)?))
}

/// Files of a candidate's verdict within its round, without their ending.
///
/// # Errors
/// An id that is no file's name.
pub fn verdict_name(id: &CandidateId) -> Result<String, FileError> {
    Ok(format!("verdicts/V-{}", plain(id)?))
}

/// An id fit for a file's name: engines make ids too.
fn plain(id: &CandidateId) -> Result<&str, FileError> {
    let text = id.as_str();
    let is_plain = (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_plain {
        return Ok(text);
    }
    let message = "no candidate's id: 1 to 100 letters, digits, '-' and '_'".to_owned();
    Err(FileError::Content { path: format!("{text:?}").into(), line: 0, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::domain::edit::{Bucket, Edit, Which};
    use crate::domain::harness::ProcessorSpec;
    use crate::domain::landscape::LANDSCAPE_FORMAT;
    use crate::domain::manifest::Claim;

    fn manifest() -> CandidateManifest {
        parse_toml(Path::new("manifest.toml"), include_str!("../../tests/fixtures/manifest.toml")).unwrap()
    }

    fn a_run() -> (tempfile::TempDir, RunDir, Visible) {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        let visible = Visible::open(dir.path(), "test", &Clock::stepped(1)).unwrap();
        (dir, run, visible)
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (dir, run, visible) = a_run();
        assert!(visible.landscape(3).unwrap().is_none() && visible.candidates(3).unwrap().is_empty());
        let landscape = Landscape { format: LANDSCAPE_FORMAT, round: 3, actionability: 0.1 + 0.2, ..Landscape::default() };
        run.files(3).write_landscape(&landscape, "# Landscape\n").unwrap();
        run.files(3).write_candidate(&manifest(), "").unwrap();
        run.files(3).write_smoke(&manifest().candidate_id, &["loaded", "fired"]).unwrap();
        run.files(3).write_verdict(&manifest().candidate_id, &1, "kept").unwrap();
        assert_eq!(visible.landscape(3).unwrap(), Some(landscape));
        assert_eq!(visible.candidates(3).unwrap(), [manifest()]);
        let candidates = dir.path().join("R3/candidates");
        for stray in [".DS_Store", "notes", "C-R3-09"] {
            std::fs::write(candidates.join(stray), "x").unwrap();
        }
        for stray in [".git", "a b", "C-R3-08"] {
            std::fs::create_dir(candidates.join(stray)).unwrap();
        }
        assert_eq!(visible.candidates(3).unwrap(), [manifest()]);
        assert_eq!(visible.read_text("R3/candidates/C-R3-02/smoke.jsonl").unwrap(), "\"loaded\"\n\"fired\"\n");
        assert_eq!(visible.read_text("R3/verdicts/V-C-R3-02.md").unwrap(), "kept");
    }

    /// TOML has no null and wants plain values before tables.
    #[test]
    fn every_edit_survives_the_manifest() {
        let (_dir, run, visible) = a_run();
        let which = || Which::Group("memory".into());
        let processor = ProcessorSpec {
            native: Some("few_shot".into()),
            params: [("a".to_owned(), toml::Value::from(vec![1, 2]))].into_iter().collect(),
            ..ProcessorSpec::default()
        };
        let edits = vec![
            Edit::Insert { processor: processor.clone(), before: Some(which()), rank: 0 },
            Edit::Insert { processor: processor.clone(), before: None, rank: 2 },
            Edit::Replace { which: which(), with: processor },
            Edit::Remove { which: which() },
            Edit::SetParam { which: which(), key: "k".into(), value: Some(toml::Value::Table(toml::Table::new())) },
            Edit::SetParam { which: which(), key: "k".into(), value: None },
            Edit::Set { key: "slots.limits.steps".into(), value: Some(toml::Value::Float(0.1)) },
            Edit::Set { key: "slots.limits.steps".into(), value: None },
            Edit::WriteFile { path: "prompts/a.md".into(), text: "''' \"\"\" \\ \u{0}\r\n\té\n".into() },
            Edit::RemoveFile { path: "prompts/a.md".into() },
        ];
        let mut written = CandidateManifest { edits, buckets: Bucket::ALL.to_vec(), ..manifest() };
        written.predicted_impact.at_risk = vec![Claim::Tags(crate::domain::task::Tags::new())];
        run.files(3).write_candidate(&written, "").unwrap();
        assert_eq!(visible.candidate(3, &written.candidate_id).unwrap(), Some(written));
    }

    #[test]
    fn an_id_is_no_way_out() {
        let (dir, run, _) = a_run();
        for id in ["../../x", "", ".", "a/b", "a b"] {
            let strange = CandidateManifest { candidate_id: CandidateId::from(id), ..manifest() };
            assert!(run.files(3).write_candidate(&strange, "").is_err(), "{id:?}");
            assert!(run.files(3).write_verdict(&strange.candidate_id, &1, "").is_err(), "{id:?}");
        }
        assert!(!dir.path().join("R3").exists());
    }
}
