//! What the Digester left of the traces, round by round, from the files of a run: sizes of traces, what the Planner was shown, and anchors.
//! Only sums leave here.

use super::failure::Failure;
use super::report_source::{Episodes, found};
use crate::domain::diagnosis::Diagnoses;
use crate::domain::digest::TaskDigest;
use crate::domain::id::TaskId;
use crate::domain::trace::{EpisodeKey, Record, Stream};
use crate::stages::report::{BYTES_A_TOKEN, Reading};
use crate::store::episode_folders::{EpisodeFolder, Place};
use crate::store::trace_file::{TraceReader, file_name, length};
use std::collections::BTreeMap;
use std::path::Path;

/// Of every round whose Planner was shown something. A task that a round did not play again stands as before.
pub(super) fn readings(run: &Path, folders: &[(EpisodeFolder, Episodes)]) -> Result<BTreeMap<u32, Reading>, Failure> {
    let mut traces: BTreeMap<TaskId, (u64, u64)> = BTreeMap::new();
    let mut anchors: BTreeMap<TaskId, (u64, u64)> = BTreeMap::new();
    let mut readings = BTreeMap::new();
    for number in (0..).take_while(|number| run.join(format!("R{number}")).is_dir()) {
        let dir = run.join(format!("R{number}"));
        for (folder, episodes) in folders.iter().filter(|(folder, _)| folder.place == Place::Round(number)) {
            traces.extend(sizes(folder, episodes)?);
        }
        for digest in digests(&dir)? {
            anchors.insert(digest.task, (digest.signals.len() as u64, u64::from(digest.dropped)));
        }
        let Some((shown, in_session)) = shown(&dir, number) else { continue };
        let diagnoses: Diagnoses = found(&dir.join("diagnoses.json"))?.unwrap_or_default();
        let seen: usize = diagnoses.diagnoses.iter().map(|diagnosis| diagnosis.evidence.len()).sum();
        let sum = |pairs: &BTreeMap<TaskId, (u64, u64)>| pairs.values().fold((0, 0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
        let ((episodes, bytes), (verified, dropped)) = (sum(&traces), sum(&anchors));
        let reading = Reading {
            episodes,
            trace_tokens: bytes / BYTES_A_TOKEN,
            shown_tokens: shown / BYTES_A_TOKEN,
            in_session,
            verified: verified + seen as u64,
            dropped: dropped + u64::from(diagnoses.dropped),
        };
        readings.insert(number, reading);
    }
    Ok(readings)
}

/// Episodes of each task of a round, and the bytes of their traces.
fn sizes(folder: &EpisodeFolder, episodes: &Episodes) -> Result<BTreeMap<TaskId, (u64, u64)>, Failure> {
    let mut tasks: BTreeMap<TaskId, (u64, u64)> = BTreeMap::new();
    for key in episodes.keys() {
        let bytes = length(&folder.path.join("trajectories").join(file_name(key))).map_err(|error| Failure::from(error.0))?;
        let of_task = tasks.entry(key.task.clone()).or_default();
        *of_task = (of_task.0 + 1, of_task.1 + bytes);
    }
    Ok(tasks)
}

/// The digests of a round.
fn digests(dir: &Path) -> Result<Vec<TaskDigest>, Failure> {
    let Ok(entries) = std::fs::read_dir(dir.join("digests")) else { return Ok(Vec::new()) };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|end| end == "json"));
    paths.filter_map(|path| found(&path).map_err(Failure::from).transpose()).collect()
}

/// Bytes that the Planner of a round was shown, and whether in a session; `None` where nothing was planned.
fn shown(dir: &Path, round: u32) -> Option<(u64, bool)> {
    let key = EpisodeKey { task: TaskId(format!("planner/R{round}")), stream: Stream(format!("meta/{round}")), replicate: 0 };
    let opening = TraceReader::open(&dir.join("meta/trajectories").join(file_name(&key))).into_iter().flatten().find_map(|record| {
        let Ok(Record::Request { turns, .. }) = record else { return None };
        Some(turns.iter().map(|turn| turn.text().len() as u64).sum::<u64>())
    });
    let landscape = || std::fs::metadata(dir.join("landscape.md")).ok().map(|about| (about.len(), false));
    opening.map(|bytes| (bytes, true)).or_else(landscape)
}
