//! The run directory: where everything of a run lies (`system.md` §5), and the lock that keeps a second process out.

use super::atomic::{FileError, JsonLines, read_lines, read_text, remove, remove_parts, write_whole};
use super::record::Frozen;
use super::trace_file;
use super::versioned::{parse_json, parse_toml};
use crate::domain::curves::{Curves, ModelShare, Point};
use crate::domain::outcome::EpisodeResult;
use crate::domain::task::Split;
use crate::domain::trace::EpisodeKey;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The response ledger within a run.
pub const LEDGER: &str = "sealed/ledger.jsonl";

const LOCK: &str = "lock";

/// A run directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// A file of it.
    #[error("use run directory: {0}")]
    File(#[from] FileError),
    /// Another process works in it.
    #[error("open run directory {}: another process holds its lock", .0.display())]
    Locked(PathBuf),
    /// The settings differ from those the run was made with.
    #[error("continue run {}: its settings differ: {}", dir.display(), differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Differs {
        /// The run.
        dir: PathBuf,
        /// What differs.
        differences: Vec<Difference>,
    },
}

/// A setting or fact that is not what the run was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Keys that lead to it, from the outermost table.
    pub path: Vec<String>,
    /// As frozen; `None` where it was not set.
    pub was: Option<String>,
    /// As it is now.
    pub is: Option<String>,
}

impl Difference {
    /// The keys with dots between.
    pub fn key(&self) -> String {
        self.path.join(".")
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<String>| value.clone().unwrap_or_else(|| "unset".to_owned());
        write!(out, "{}: {} → {}", self.key(), show(&self.was), show(&self.is))
    }
}

/// A run directory, locked while it is open.
#[derive(Debug)]
pub struct RunDir {
    dir: PathBuf,
    _lock: File,
    /// It was not there before.
    is_new: bool,
}

/// One line of `episodes.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeLine {
    /// Which episode.
    #[serde(flatten)]
    pub key: EpisodeKey,
    /// Trace, relative to the round's folder.
    pub trace: String,
    /// What came of it.
    #[serde(flatten)]
    pub result: EpisodeResult,
}

impl RunDir {
    /// Opens or makes a run directory. What a killed process was about to write there is removed.
    ///
    /// # Errors
    /// See [`RunDirError`].
    pub fn open(dir: &Path) -> Result<Self, RunDirError> {
        let is_new = !dir.exists();
        std::fs::create_dir_all(dir).map_err(FileError::io("create", dir))?;
        let path = dir.join(LOCK);
        let lock = File::options().create(true).write(true).truncate(false).open(&path).map_err(FileError::io("create", &path))?;
        match lock.try_lock() {
            Ok(()) => {
                remove_parts(dir)?;
                Ok(Self { dir: dir.to_owned(), _lock: lock, is_new })
            }
            Err(TryLockError::WouldBlock) => Err(RunDirError::Locked(dir.to_owned())),
            Err(TryLockError::Error(source)) => Err(FileError::io("lock", &path)(source).into()),
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The response ledger.
    pub fn ledger_path(&self) -> PathBuf {
        self.dir.join(LEDGER)
    }

    /// Freezes the settings of a new run, or compares them with those frozen. `text` is TOML; its `[settings]` and `[facts]` must agree but
    /// for what `may_change`, and whatever else it holds is replaced.
    ///
    /// # Errors
    /// [`RunDirError::Differs`] names everything that differs; nothing is written then.
    pub fn freeze(&self, text: &str, may_change: impl Fn(&Difference) -> bool) -> Result<(), RunDirError> {
        let path = self.dir.join("run.toml");
        if !path.exists() {
            return Ok(write_whole(&path, text.as_bytes())?);
        }
        let old = read_text(&path)?;
        let _: Frozen = parse_toml(&path, &old)?;
        let differences = differences(&old, text);
        if !differences.iter().all(may_change) {
            return Err(RunDirError::Differs { dir: self.dir.clone(), differences });
        }
        let text = with_facts_of(&old, text);
        if text == old { Ok(()) } else { Ok(write_whole(&path, text.as_bytes())?) }
    }

    /// The folder of one round's train episodes.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn round(&self, round: u32) -> Result<RoundDir, RunDirError> {
        RoundDir::open(&self.dir.join(format!("R{round}")))
    }

    /// The folder of sealed episodes of one stream and harness.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn sealed(&self, stream: &str, harness: &str) -> Result<RoundDir, RunDirError> {
        RoundDir::open(&self.dir.join("sealed").join(stream).join(harness))
    }

    /// The folder of episodes at a path within the run.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn folder(&self, path: &str) -> Result<RoundDir, RunDirError> {
        RoundDir::open(&self.dir.join(path))
    }

    /// Sets what the model contributes in a round, in `curves.json`.
    ///
    /// # Errors
    /// What the operating system refused, or a `curves.json` that this program did not write.
    pub fn add_model_share(&self, round: u32, share: ModelShare) -> Result<(), RunDirError> {
        let mut curves = self.curves()?;
        curves.set_model_share(round, share);
        self.write_json("curves.json", &curves)
    }

    /// Sets one point of `curves.json`.
    ///
    /// # Errors
    /// What the operating system refused, or a `curves.json` that this program did not write.
    pub fn add_point(&self, round: u32, split: Split, point: Point) -> Result<(), RunDirError> {
        let mut curves = self.curves()?;
        curves.set(round, split, point);
        self.write_json("curves.json", &curves)
    }

    fn curves(&self) -> Result<Curves, RunDirError> {
        let path = self.dir.join("curves.json");
        Ok(if path.exists() { parse_json(&path, &read_text(&path)?)? } else { Curves::default() })
    }

    /// Writes a whole file of the run.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunDirError> {
        Ok(write_whole(&self.dir.join(name), bytes)?)
    }

    /// Removes a file of the run, if it is there.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn remove(&self, name: &str) -> Result<(), RunDirError> {
        Ok(remove(&self.dir.join(name))?)
    }

    /// Writes a whole file of the run as JSON, indented.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<(), RunDirError> {
        let mut text = serde_json::to_vec_pretty(value).map_err(|error| FileError::io("write", &self.dir.join(name))(error.into()))?;
        text.push(b'\n');
        self.write(name, &text)
    }

    /// Writes a whole file of the run as one JSON value a line.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_lines<T: Serialize>(&self, name: &str, values: &[T]) -> Result<(), RunDirError> {
        let mut text = Vec::new();
        for value in values {
            serde_json::to_writer(&mut text, value).map_err(|error| FileError::io("write", &self.dir.join(name))(error.into()))?;
            text.push(b'\n');
        }
        self.write(name, &text)
    }
}

impl Drop for RunDir {
    /// A command that could not begin leaves nothing behind.
    fn drop(&mut self) {
        let holds_more = || {
            std::fs::read_dir(&self.dir).is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != LOCK)))
        };
        if self.is_new && !holds_more() {
            // Best effort: an empty folder does no harm.
            let _ = std::fs::remove_file(self.dir.join(LOCK)).and_then(|()| std::fs::remove_dir(&self.dir));
        }
    }
}

/// A `run.toml` with the facts of another one: those of the run's beginning stay.
fn with_facts_of(old: &str, new: &str) -> String {
    let (old, mut whole): (toml::Table, toml::Table) = (old.parse().unwrap_or_default(), new.parse().unwrap_or_default());
    let Some(facts) = old.get("facts") else { return new.to_owned() };
    whole.insert("facts".to_owned(), facts.clone());
    toml::to_string(&whole).unwrap_or_else(|_| new.to_owned())
}

/// Takes from a table what another one names too, at any depth.
fn take_away(table: &mut toml::Table, other: &toml::Table) {
    for (key, value) in other {
        if let (Some(toml::Value::Table(inner)), toml::Value::Table(other)) = (table.get_mut(key), value) {
            take_away(inner, other);
            if inner.is_empty() {
                table.remove(key);
            }
        } else {
            table.remove(key);
        }
    }
}

/// Keys of `[settings]` and `[facts]` on which two `run.toml` disagree. The program's own version is no difference: formats and behaviours
/// have versions of their own. Nor is what one of them calls free.
fn differences(old: &str, new: &str) -> Vec<Difference> {
    let (old, new): (toml::Table, toml::Table) = (old.parse().unwrap_or_default(), new.parse().unwrap_or_default());
    let part = |whole: &toml::Table, part: &str| whole.get(part).and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let settings = |whole: &toml::Table| {
        let mut settings = part(whole, "settings");
        take_away(&mut settings, &part(&old, "free"));
        take_away(&mut settings, &part(&new, "free"));
        settings.extend(part(whole, "facts").into_iter().filter(|(key, _)| key != "tool_version"));
        let mut found = BTreeMap::new();
        flatten(settings, &[], &mut found);
        found
    };
    let (old, new) = (settings(&old), settings(&new));
    let paths: BTreeSet<&Vec<String>> = old.keys().chain(new.keys()).collect();
    let compared = |path: &Vec<String>| Difference { path: path.clone(), was: old.get(path).cloned(), is: new.get(path).cloned() };
    paths.into_iter().map(compared).filter(|difference| difference.was != difference.is).collect()
}

/// Every value that is no table, as TOML, by the keys that lead to it.
fn flatten(table: toml::Table, above: &[String], found: &mut BTreeMap<Vec<String>, String>) {
    for (key, value) in table {
        let path = [above, &[key]].concat();
        if let toml::Value::Table(inner) = value {
            flatten(inner, &path, found);
        } else {
            found.insert(path, value.to_string());
        }
    }
}

/// Episodes of one harness on one stream: `episodes.jsonl` and `trajectories/`.
#[derive(Debug)]
pub struct RoundDir {
    dir: PathBuf,
    episodes: Mutex<JsonLines>,
}

impl RoundDir {
    fn open(dir: &Path) -> Result<Self, RunDirError> {
        let trajectories = dir.join("trajectories");
        std::fs::create_dir_all(&trajectories).map_err(FileError::io("create", &trajectories))?;
        Ok(Self { dir: dir.to_owned(), episodes: Mutex::new(JsonLines::open(&dir.join("episodes.jsonl"))?) })
    }

    /// Episodes that are finished.
    ///
    /// # Errors
    /// What the operating system refused, or a line that does not parse.
    pub fn finished(&self) -> Result<Vec<EpisodeLine>, RunDirError> {
        Ok(read_lines(&self.dir.join("episodes.jsonl"))?)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Where an episode's trace goes.
    pub fn trace_path(&self, key: &EpisodeKey) -> PathBuf {
        self.dir.join("trajectories").join(trace_file::file_name(key))
    }

    /// Puts a finished episode on file; its trace must be whole by then.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn finish(&self, key: &EpisodeKey, result: &EpisodeResult) -> Result<(), RunDirError> {
        let trace = format!("trajectories/{}", trace_file::file_name(key));
        let line = EpisodeLine { key: key.clone(), trace, result: result.clone() };
        Ok(self.episodes.lock().unwrap_or_else(PoisonError::into_inner).append(&line)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_may_change_and_facts_stay() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        // As an older version wrote it: who proposes was among the fixed settings.
        run.freeze(
            "[facts]\ntool_version = \"1\"\n[settings]\nengine = \"random\"\nseed = 1\nmodel = { main = \"a\", meta = \"b\" }\n",
            |_| false,
        )
        .unwrap();
        let now = |seed: u32| {
            format!(
                "[facts]\ntool_version = \"2\"\n[settings]\nseed = {seed}\nmodel = {{ main = \"a\" }}\n[free]\nengine = \"aegis\"\nmodel = {{ meta = \"c\" }}\n"
            )
        };
        run.freeze(&now(1), |_| false).unwrap();
        let text = read_text(&dir.path().join("run.toml")).unwrap();
        assert!(text.contains("tool_version = \"1\"") && text.contains("meta = \"c\"") && !text.contains("random"), "{text}");
        let differs = run.freeze(&now(2), |difference| difference.key() != "seed").unwrap_err().to_string();
        assert!(differs.ends_with("seed: 1 → 2"), "{differs}");
        assert_eq!(read_text(&dir.path().join("run.toml")).unwrap(), text, "what is refused changes nothing");
        run.freeze(&now(2), |difference| difference.key() == "seed").unwrap();
        let text = read_text(&dir.path().join("run.toml")).unwrap();
        assert!(text.contains("tool_version = \"1\"") && text.contains("seed = 2"), "{text}");
    }
}
