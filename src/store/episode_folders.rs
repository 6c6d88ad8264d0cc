//! Every folder of a run that holds episodes, found by the one walk over them: rounds, each with the meta-agent's sessions in it, and what
//! is sealed by stream, limits and harness (`system.md` §5). Nothing is locked or changed.

use super::atomic::{FileError, read_lines};
use super::run_dir::EpisodeLine;
use super::visible::round_of;
use crate::domain::id::HarnessId;
use crate::domain::trace::EpisodeKey;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// File of finished episodes.
const EPISODES: &str = "episodes.jsonl";

/// Deepest folder below `sealed/`: `bank/<epoch>/<limits>/<harness>`.
const DEPTH: u32 = 4;

/// A folder with an `episodes.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpisodeFolder {
    /// Where it is.
    pub path: PathBuf,
    /// Whose episodes these are.
    pub place: Place,
}

/// What the episodes of a folder were played for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `R<n>`: train tasks, open.
    Round(u32),
    /// `R<n>/meta`: sessions of the meta-agent; they are no rollouts of any task.
    Meta(u32),
    /// `sealed/…/<harness>`.
    Sealed {
        /// The first folder below `sealed/`.
        stream: SealedStream,
        /// Who played.
        harness: HarnessId,
    },
}

/// What sealed episodes were played for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedStream {
    /// `gate`: an incumbent on gate tasks, once a ship.
    Gate,
    /// `heldout`: for the curve.
    Heldout,
    /// `chooser`: a random chooser in the model's place; no model is called.
    Chooser,
    /// `aa`: an incumbent against itself, to check the gate; no part of any round.
    Same,
    /// Every other one: the gate's controls and candidates.
    Judged,
}

impl EpisodeFolder {
    /// Its episodes, the last word on each: one that was missing and is played again counts once.
    ///
    /// # Errors
    /// What the operating system refused, or a line that does not parse.
    pub fn episodes(&self) -> Result<BTreeMap<EpisodeKey, EpisodeLine>, FileError> {
        let lines: Vec<EpisodeLine> = read_lines(&self.path.join(EPISODES))?;
        Ok(lines.into_iter().map(|line| (line.key.clone(), line)).collect())
    }

    /// Those that were played for it: without copies that a round published of episodes which lie elsewhere too.
    ///
    /// # Errors
    /// See [`Self::episodes`].
    pub fn played(&self) -> Result<BTreeMap<EpisodeKey, EpisodeLine>, FileError> {
        let mut episodes = self.episodes()?;
        episodes.retain(|key, _| !self.is_copy(key));
        Ok(episodes)
    }

    /// Whether an episode of it was played elsewhere and published here. The baseline's round publishes nothing.
    pub fn is_copy(&self, key: &EpisodeKey) -> bool {
        matches!(self.place, Place::Round(1..)) && key.is_published()
    }
}

/// All of them, rounds first; none in a folder that is not there.
///
/// # Errors
/// What the operating system refused.
pub fn episode_folders(run: &Path) -> Result<Vec<EpisodeFolder>, FileError> {
    let mut found = Vec::new();
    for path in folders_of(run)? {
        if let Some(round) = path.file_name().and_then(|name| round_of(name.to_str()?)) {
            let sessions = EpisodeFolder { path: path.join("meta"), place: Place::Meta(round) };
            found.push((round, EpisodeFolder { path, place: Place::Round(round) }));
            found.push((round, sessions));
        }
    }
    found.sort_by_key(|(round, _)| *round);
    let mut found: Vec<EpisodeFolder> = found.into_iter().map(|(_, folder)| folder).collect();
    found.retain(|folder| folder.path.join(EPISODES).is_file());
    for path in folders_of(&run.join("sealed"))? {
        let stream = match path.file_name().and_then(std::ffi::OsStr::to_str) {
            Some("gate") => SealedStream::Gate,
            Some("heldout") => SealedStream::Heldout,
            Some("chooser") => SealedStream::Chooser,
            Some("aa") => SealedStream::Same,
            Some(_) | None => SealedStream::Judged,
        };
        sealed(&path, stream, DEPTH - 1, &mut found)?;
    }
    Ok(found)
}

/// Folders of a stream that hold episodes, down to a depth.
fn sealed(dir: &Path, stream: SealedStream, depth: u32, found: &mut Vec<EpisodeFolder>) -> Result<(), FileError> {
    for path in folders_of(dir)? {
        if path.join(EPISODES).is_file() {
            let harness = HarnessId(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
            found.push(EpisodeFolder { path, place: Place::Sealed { stream, harness } });
        } else if depth > 1 {
            sealed(&path, stream, depth - 1, found)?;
        }
    }
    Ok(())
}

/// Folders of a folder, in order; none where it is not there.
///
/// # Errors
/// What the operating system refused.
pub fn folders_of(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(FileError::io("read", dir))?;
    let mut folders: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::{Boundary, Ending, EpisodeResult, Outcome};
    use crate::domain::request::Usage;
    use crate::domain::trace::Stream;
    use crate::store::run_dir::RunDir;

    fn result(outcome: Outcome) -> EpisodeResult {
        EpisodeResult {
            outcome,
            end: Ending::EnvironmentDone,
            reward: 0.0,
            steps: 1,
            calls: 1,
            retries: 0,
            usage: Usage::default(),
            milliseconds: 0,
        }
    }

    fn key(stream: &str, replicate: u32) -> EpisodeKey {
        EpisodeKey { task: "t".into(), stream: Stream(stream.to_owned()), replicate }
    }

    #[test]
    fn every_depth_is_found_and_nothing_counts_twice() {
        let dir = tempfile::tempdir().unwrap();
        assert!(episode_folders(&dir.path().join("nowhere")).unwrap().is_empty());
        let run = RunDir::open(dir.path()).unwrap();
        let missing = Outcome::Error { boundary: Boundary::Provider, message: "down".to_owned() };
        let copy = EpisodeKey::published("t".into(), 10, 0);
        for (folder, key) in [
            ("R2", key("visible", 2000)),
            ("R10", key("visible", 0)),
            ("R10", copy.clone()),
            ("R0", key("visible", 1000)),
            ("R2/meta", key("meta/2", 0)),
            ("sealed/heldout/h", key("heldout", 0)),
            ("sealed/gate/l/h", key("visible", 0)),
            ("sealed/bank/0/l/h", key("sealed/0", 0)),
            ("sealed/chooser/h", key("chooser", 0)),
            ("sealed/aa/3/l/h", key("aa/3", 0)),
        ] {
            let folder = run.folder(folder).unwrap();
            folder.finish(&key, &result(missing.clone())).unwrap();
            folder.finish(&key, &result(Outcome::Solved)).unwrap();
        }
        run.write("sealed/decisions/R1.json", b"{}").unwrap();
        let found = episode_folders(dir.path()).unwrap();
        let of = |stream| Place::Sealed { stream, harness: HarnessId::from("h") };
        let places: Vec<(Place, usize)> = found.iter().map(|folder| (folder.place.clone(), folder.played().unwrap().len())).collect();
        let expected = [
            (Place::Round(0), 1),
            (Place::Round(2), 0),
            (Place::Meta(2), 1),
            (Place::Round(10), 1),
            (of(SealedStream::Same), 1),
            (of(SealedStream::Judged), 1),
            (of(SealedStream::Chooser), 1),
            (of(SealedStream::Gate), 1),
            (of(SealedStream::Heldout), 1),
        ];
        assert_eq!(places, expected);
        assert_eq!(found[3].episodes().unwrap()[&copy].result.outcome, Outcome::Solved);
    }
}
