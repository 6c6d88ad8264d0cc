//! From a run directory to a [`Report`]: every file that is there, typed, with its version checked. Nothing is written and no lock is
//! taken, so a run can be reported while it goes on. Held-out tasks leave as totals, gate tasks without names.

use super::failure::Failure;
use super::report_reading::readings;
use crate::domain::id::TaskId;
use crate::domain::ledger::Scoreboard;
use crate::domain::meta::{ByRole, by_role};
use crate::domain::outcome::{EpisodeResult, Outcome};
use crate::domain::round::RoundRecord;
use crate::domain::trace::EpisodeKey;
use crate::stages::report::{Candidate, Cell, Comparison, Counts, PutBack, REPORT_FORMAT, Report, Round, RunFacts, TrainTask, Use};
use crate::store::atomic::{FileError, read_lines, read_text};
use crate::store::episode_folders::{EpisodeFolder, Place, SealedStream, episode_folders, folders_of};
use crate::store::harness_repo::HarnessRepo;
use crate::store::record::frozen;
use crate::store::versioned::{Versioned, parse_json, parse_toml};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Episodes of one file, the last word on each.
pub(super) type Episodes = BTreeMap<EpisodeKey, EpisodeResult>;

/// Reads everything a report can say of a run.
pub(crate) fn read(run: &Path) -> Result<Report, Failure> {
    let Some(settings) = frozen(run)? else {
        return Err(Failure::settings(format!("report {}: no run.toml there, so it is no run directory", run.display()))
            .hint("`harnessx run` and `harnessx loop` make one; name it with --run"));
    };
    let mut report = Report { format: REPORT_FORMAT, run: facts(run, &settings), ..Report::default() };
    report.curves = found(&run.join("curves.json"))?.unwrap_or_default();
    report.ship_outcomes = read_lines(&run.join("data/ship_outcomes.jsonl"))?;
    let scoreboard: Option<Scoreboard> = found(&run.join("scoreboard.json"))?;
    report.engines = scoreboard.unwrap_or_default().engines;
    let folders = played(run)?;
    let (mut sessions, mut readings) = (sessions(run)?, readings(run, &folders)?);
    let mut visible = Vec::new();
    for number in (0..).take_while(|number| run.join(format!("R{number}")).is_dir()) {
        let dir = run.join(format!("R{number}"));
        let (meta, reading) = (sessions.remove(&number).unwrap_or_default(), readings.remove(&number));
        report.rounds.push(Round { meta, reading, ..round(&dir, number)? });
        report.overview = found(&dir.join("overview.json"))?.or(report.overview);
        visible.push(folders.iter().find(|(folder, _)| folder.place == Place::Round(number)).map(|(_, episodes)| episodes));
    }
    for (folder, episodes) in &folders {
        let own = episodes.iter().filter(|(key, _)| !folder.is_copy(key));
        let Some(what) = use_of(&folder.place) else { continue };
        own.for_each(|(_, result)| report.spent.entry(what).or_default().add(result));
    }
    let records: Vec<&RoundRecord> = report.rounds.iter().map_while(|round| round.record.as_ref()).collect();
    report.put_back = put_back(run, &records)?;
    train(&mut report, &visible);
    sealed(&mut report, &folders, &visible);
    Ok(report)
}

/// A JSON file with a version; `None` where it is not there.
pub(super) fn found<T: Versioned>(path: &Path) -> Result<Option<T>, FileError> {
    if !path.is_file() {
        return Ok(None);
    }
    parse_json(path, &read_text(path)?).map(Some)
}

/// What `run.toml` froze.
fn facts(run: &Path, whole: &toml::Table) -> RunFacts {
    let mut settings = BTreeMap::new();
    for part in ["facts", "settings", "free"] {
        flatten("", whole.get(part), &mut settings);
    }
    let mut free = BTreeMap::new();
    flatten("", whole.get("free"), &mut free);
    let of = |key: &str| settings.get(key).cloned().unwrap_or_default();
    let path = run.canonicalize().unwrap_or_else(|_| run.to_owned());
    RunFacts {
        name: path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned()),
        benchmark: of("benchmark"),
        policy: of("policy"),
        by_chance: of("model.main") == "random",
        harness: of("harness_tree"),
        settings,
        free: free.into_keys().collect(),
    }
}

fn flatten(above: &str, value: Option<&toml::Value>, into: &mut BTreeMap<String, String>) {
    match value {
        Some(toml::Value::Table(table)) => {
            for (key, value) in table {
                let path = if above.is_empty() { key.clone() } else { format!("{above}.{key}") };
                flatten(&path, Some(value), into);
            }
        }
        Some(value) => {
            into.insert(above.to_owned(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        None => {}
    }
}

fn round(dir: &Path, number: u32) -> Result<Round, FileError> {
    let mut candidates = Vec::new();
    for path in folders_of(&dir.join("candidates"))? {
        let manifest = path.join("manifest.toml");
        if manifest.is_file() {
            let diff = path.join("diff.patch");
            let diff = if diff.is_file() { Some(read_text(&diff)?) } else { None };
            candidates.push(Candidate { manifest: parse_toml(&manifest, &read_text(&manifest)?)?, diff });
        }
    }
    let record = found(&dir.join("round.json"))?;
    let decision = found(&dir.join("decision.json"))?;
    Ok(Round { round: number, record, decision, candidates, ..Round::default() })
}

/// What the meta-agent's sessions took, by round and role.
fn sessions(run: &Path) -> Result<BTreeMap<u32, ByRole>, FileError> {
    let mut rounds = BTreeMap::new();
    for folder in episode_folders(run)? {
        if let Place::Meta(round) = folder.place {
            let sessions = folder.episodes()?;
            rounds.insert(round, by_role(sessions.iter().map(|(key, line)| (&key.task, &line.result))));
        }
    }
    Ok(rounds)
}

/// Every folder of episodes of tasks that a model played.
fn played(run: &Path) -> Result<Vec<(EpisodeFolder, Episodes)>, FileError> {
    let by_model = |folder: &EpisodeFolder| use_of(&folder.place).is_some();
    let read = |folder: EpisodeFolder| {
        let episodes = folder.episodes()?.into_iter().map(|(key, line)| (key, line.result)).collect();
        Ok((folder, episodes))
    };
    episode_folders(run)?.into_iter().filter(by_model).map(read).collect()
}

/// What came back between the rounds that ended, in them, and since.
pub(super) fn put_back(run: &Path, records: &[&RoundRecord]) -> Result<Vec<PutBack>, Failure> {
    let repo = HarnessRepo::find(&run.join("harness"))?;
    let main = repo.map(|repo| repo.incumbent_before(records.len() as u32)).transpose()?.flatten();
    Ok(PutBack::all(records, main.as_ref()))
}

/// What the episodes of a place were played for; `None` where no model played a task.
fn use_of(place: &Place) -> Option<Use> {
    match place {
        Place::Round(_) => Some(Use::Visible),
        Place::Sealed { stream: SealedStream::Gate | SealedStream::Judged, .. } => Some(Use::Gate),
        Place::Sealed { stream: SealedStream::Heldout, .. } => Some(Use::Heldout),
        Place::Sealed { stream: SealedStream::Same, .. } => Some(Use::Same),
        Place::Meta(_) | Place::Sealed { stream: SealedStream::Chooser, .. } => None,
    }
}

/// Solved and scored rollouts by task.
fn counts<'a>(episodes: impl Iterator<Item = (&'a EpisodeKey, &'a EpisodeResult)>) -> Counts {
    let mut counts = Counts::new();
    for (key, result) in episodes.filter(|(_, result)| !matches!(result.outcome, Outcome::Error { .. })) {
        let entry = counts.entry(key.task.clone()).or_default();
        *entry = (entry.0 + u32::from(result.outcome == Outcome::Solved), entry.1 + 1);
    }
    counts
}

/// One row a task, one cell a round.
fn rows(by_round: &[Counts]) -> BTreeMap<TaskId, Vec<Cell>> {
    let tasks: BTreeSet<&TaskId> = by_round.iter().flat_map(Counts::keys).collect();
    tasks.into_iter().map(|task| (task.clone(), by_round.iter().map(|counts| counts.get(task).copied()).collect())).collect()
}

/// Train tasks by round, and how the last round's episodes ended.
fn train(report: &mut Report, visible: &[Option<&Episodes>]) {
    let by_round: Vec<Counts> = visible.iter().map(|episodes| counts(episodes.iter().copied().flatten())).collect();
    report.train = rows(&by_round).into_iter().map(|(task, cells)| TrainTask { task, cells }).collect();
    let last = visible.iter().rev().flatten().find(|episodes| !episodes.is_empty());
    for result in last.into_iter().flat_map(|episodes| episodes.values()) {
        *report.endings.entry(result.end.to_string()).or_default() += 1;
    }
}

/// Gate tasks without names, and the held-out comparison.
fn sealed(report: &mut Report, folders: &[(EpisodeFolder, Episodes)], visible: &[Option<&Episodes>]) {
    let mut by_harness: BTreeMap<&str, BTreeMap<&EpisodeKey, &EpisodeResult>> = BTreeMap::new();
    for (folder, episodes) in folders {
        if let Place::Sealed { harness, .. } = &folder.place {
            by_harness.entry(harness.as_str()).or_default().extend(episodes);
        }
    }
    let seen: BTreeSet<&TaskId> = visible.iter().flatten().flat_map(|episodes| episodes.keys()).map(|key| &key.task).collect();
    let of = |harness: &str, wanted: fn(&str) -> bool| {
        let episodes = by_harness.get(harness).into_iter().flatten().map(|(key, result)| (*key, *result));
        counts(episodes.filter(|(key, _)| wanted(key.stream.0.split('/').next().unwrap_or_default()) && !seen.contains(&key.task)))
    };
    let gate: Vec<Counts> = report
        .rounds
        .iter()
        .map(|round| of(report.left_by(round.round), |stream| matches!(stream, "visible" | "gate" | "sealed")))
        .collect();
    let compared = compared(report, |harness| of(harness, |stream| stream == "heldout"));
    report.gate = rows(&gate).into_values().collect();
    report.heldout = compared;
}

/// The first harness and the present one, on the held-out tasks that both have played; else by their points of the curve.
fn compared(report: &Report, heldout_of: impl Fn(&str) -> Counts) -> Option<Comparison> {
    if report.stands_with_first() {
        return None;
    }
    let (first, present) = (report.left_by(0), report.incumbent());
    let round = report.put_back_last().map_or(report.last_round(), |back| back.to.unwrap_or(back.after));
    Comparison::of_tasks((0, &heldout_of(first)), (round, &heldout_of(present)))
        .or_else(|| Comparison::of_points(report.heldout_of(first)?, report.heldout_of(present)?))
}
