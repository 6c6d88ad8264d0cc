//! Replays recorded plays of the original engine and counts the steps that come out the same, byte for byte.
//!
//! Reads `NAME.tw-pddl[.gz]` with `NAME.transcript.json[.gz]`, and `game.tw-pddl[.gz]` with `transcript.json[.gz]`, in a folder
//! and all folders below. A transcript is `{game, desc, steps: [{cmd, obs, admissible, reward, done}]}`; step 0 has no command
//! and holds the opening.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::error::GameError;
use super::game::{Game, parse_json, read_file, unpack};
use super::play::{Play, StepResult};

/// How far folders are followed.
const DEPTH_LIMIT: usize = 16;

/// How many recorded steps came out the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Steps whose observation, admissible commands, reward and end all agree.
    pub agreed: usize,
    /// Steps recorded.
    pub total: usize,
    /// Pairs of game and transcript found.
    pub games: usize,
    /// Where the first difference is.
    pub first_difference: Option<Difference>,
}

/// One step that came out differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The transcript.
    pub file: PathBuf,
    /// The step in it, from 0 (the opening).
    pub step: usize,
    /// The command, empty for the opening.
    pub command: String,
    /// `obs`, `admissible`, `reward` or `done`.
    pub field: String,
    /// What the transcript holds.
    pub expected: String,
    /// What came out.
    pub found: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, step, command, field, expected, found } = self;
        write!(out, "{} step {step} ({command:?}): {field} is {found:?}, recorded {expected:?}", file.display())
    }
}

#[derive(Deserialize)]
struct Transcript {
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default)]
    cmd: Option<String>,
    obs: String,
    #[serde(default)]
    admissible: Option<Vec<String>>,
    #[serde(default)]
    reward: Option<serde_json::Number>,
    #[serde(default)]
    done: Option<bool>,
}

/// Replays all transcripts in a folder and below, in the order of their paths.
pub fn replay(dir: &Path) -> Result<Agreement, GameError> {
    let mut files = Vec::new();
    collect(dir, 0, &mut files)?;
    files.sort();
    let mut agreement = Agreement::default();
    for file in &files {
        if let Some(game) = game_of(file) {
            replay_one(&game, file, &mut agreement)?;
        }
    }
    Ok(agreement)
}

/// Replays one transcript on its game and adds to the count.
fn replay_one(game: &Path, file: &Path, agreement: &mut Agreement) -> Result<(), GameError> {
    let mut play = Play::new(Arc::new(Game::read(game)?));
    let source = file.display().to_string();
    let bytes = read_file(file)?;
    let transcript: Transcript = parse_json(&unpack(&bytes, &source)?, &source)?;
    agreement.games += 1;
    for (number, step) in transcript.steps.iter().enumerate() {
        let result = match &step.cmd {
            Some(command) => play.step(command),
            None => StepResult { observation: play.opening(), reward: u8::from(play.won()), done: play.won() },
        };
        agreement.total += 1;
        match difference(step, &result, &play) {
            None => agreement.agreed += 1,
            Some((field, expected, found)) => {
                agreement.first_difference.get_or_insert_with(|| Difference {
                    file: file.to_owned(),
                    step: number,
                    command: step.cmd.clone().unwrap_or_default(),
                    field: field.to_owned(),
                    expected,
                    found,
                });
            }
        }
    }
    Ok(())
}

/// The first field that differs, with both values.
fn difference(step: &Step, result: &StepResult, play: &Play) -> Option<(&'static str, String, String)> {
    if step.obs != result.observation {
        return Some(("obs", step.obs.clone(), result.observation.clone()));
    }
    if let Some(expected) = &step.admissible {
        let found = play.admissible();
        if *expected != found {
            return Some(("admissible", expected.join("; "), found.join("; ")));
        }
    }
    if let Some(expected) = &step.reward
        && expected.as_f64() != Some(f64::from(result.reward))
    {
        return Some(("reward", expected.to_string(), result.reward.to_string()));
    }
    match step.done {
        Some(expected) if expected != result.done => Some(("done", expected.to_string(), result.done.to_string())),
        Some(_) | None => None,
    }
}

/// All files in a folder and below; links are not followed.
fn collect(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), GameError> {
    let failed = |source| GameError::Read { path: dir.to_owned(), source };
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() && depth < DEPTH_LIMIT {
            collect(&entry.path(), depth + 1, files)?;
        } else if !kind.is_dir() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// The game file that belongs to a transcript; none where the file is no transcript or has no game beside it.
fn game_of(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    let stem = match plain {
        "transcript.json" => "game",
        other => other.strip_suffix(".transcript.json")?,
    };
    let beside = |ending: &str| file.with_file_name(format!("{stem}{ending}"));
    [".tw-pddl", ".tw-pddl.gz"].map(beside).into_iter().find(|path| path.exists())
}
