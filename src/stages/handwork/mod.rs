//! A round as folders for whoever plays a role without being a model of the meta-agent: a program of the user's own, or a person. What is
//! laid out here is what the meta-agent's sessions are shown — train tasks only, nothing sealed — and what comes back is taken by the same
//! checks. Pure: files in memory in, files in memory out; who writes and reads them is the caller's affair.
//!
//! Reading order: this file (what is laid out), `given` (what comes back); the `*.md` beside them are the contracts, as their readers see
//! them.

mod given;

pub use given::{Desired, Words, statement};

use crate::domain::diagnosis::Direction;
use crate::domain::digest::{Overview, TaskDigest};
use crate::domain::harness::Harness;
use crate::domain::id::CandidateId;
use crate::domain::landscape::Landscape;
use crate::domain::untrusted::{one_line, quoted};
use crate::script::declarations;
use crate::stages::critique::{self, Critique};
use crate::stages::digest::{overview_markdown, task_markdown};
use crate::stages::meta;
use crate::stages::plan::landscape_markdown;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Most bytes of transcripts in one folder.
pub const TRACES_LIMIT: usize = 4 << 20;

/// Files by their paths in a folder.
pub type Sheets = BTreeMap<String, Vec<u8>>;

/// The statement's file in an Evolver's folder.
pub const STATEMENT: &str = "statement.toml";

/// The file that says why a regression needs no candidate.
pub const JUSTIFIED: &str = "justified.json";

/// A visible trace in words.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// Its name in anchors: `trajectories/FILE.jsonl`.
    pub name: String,
    /// What happened.
    pub text: String,
}

/// What a round has to show.
pub struct Shown<'a> {
    /// Round.
    pub round: u32,
    /// What went wrong in it.
    pub overview: &'a Overview,
    /// Task by task.
    pub digests: &'a [TaskDigest],
    /// Visible traces that speak for the incumbent, those to be read first first.
    pub transcripts: &'a [Transcript],
    /// The incumbent.
    pub incumbent: &'a Harness,
}

/// One candidate's place.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// Version of this file.
    pub format: u32,
    /// Round.
    pub round: u32,
    /// The id that the candidate will have.
    pub candidate: CandidateId,
    /// Its number in the round, from 1.
    pub number: usize,
}

/// For the Digester: overview, digests, transcripts; wanted are diagnoses.
pub fn digester(shown: &Shown<'_>) -> Sheets {
    let mut sheets = common(shown);
    put(&mut sheets, "README.md", include_str!("digester.md"));
    put(&mut sheets, "diagnoses.json", "{\n  \"diagnoses\": []\n}\n");
    sheets
}

/// For the Planner: the landscape; wanted are directions.
pub fn planner(shown: &Shown<'_>, landscape: &Landscape) -> Sheets {
    let mut sheets = common(shown);
    chart(&mut sheets, landscape);
    put(&mut sheets, "README.md", include_str!("planner.md"));
    put(&mut sheets, "directions.json", "{\n  \"directions\": []\n}\n");
    sheets
}

/// For the Evolver of one candidate: all of it, and the harness to change.
pub fn evolver(shown: &Shown<'_>, landscape: &Landscape, place: &Place, ending: &str) -> Sheets {
    let mut sheets = common(shown);
    chart(&mut sheets, landscape);
    let mut readme = include_str!("evolver.md").replace("{candidate}", place.candidate.as_str()).replace("{ending}", ending);
    if let Some(direction) = landscape.directions.get((place.number - 1) % landscape.directions.len().max(1)) {
        readme.push_str(&directed(direction));
    }
    put(&mut sheets, "README.md", &readme);
    put(&mut sheets, "candidate.json", &json(place));
    put(&mut sheets, "types.d.ts", &declarations());
    put(&mut sheets, STATEMENT, include_str!("statement.toml"));
    sheets
}

/// For the Critic: each candidate with what the rules found in it; wanted are reviews.
pub fn critic(landscape: &Landscape, candidates: &[(CandidateId, String)], rules: &Critique, may_revise: bool) -> Sheets {
    let mut sheets = Sheets::new();
    chart(&mut sheets, landscape);
    for (id, page) in candidates {
        put(&mut sheets, &format!("candidates/{id}.md"), &format!("# {id}\n\n{page}\n"));
    }
    put(&mut sheets, "rules.md", &critique::markdown(rules));
    let revise = if may_revise { ", or `revise` once: an Evolver then changes it as `reason` asks" } else { "" };
    let names: Vec<String> = rules.ship_ranking.iter().map(|id| format!("- {id}")).collect();
    let readme = include_str!("critic.md").replace("{revise}", revise).replace("{candidates}", &names.join("\n"));
    put(&mut sheets, "README.md", &readme);
    put(&mut sheets, "reviews.json", "{\n  \"reviews\": [],\n  \"ranking\": [],\n  \"concern\": null\n}\n");
    sheets
}

/// What every folder but the Critic's begins with.
fn common(shown: &Shown<'_>) -> Sheets {
    let mut sheets = Sheets::new();
    put(&mut sheets, "overview.md", &overview_markdown(shown.overview));
    put(&mut sheets, "overview.json", &json(shown.overview));
    for (number, digest) in shown.digests.iter().enumerate() {
        put(&mut sheets, &format!("digests/{:03}.md", number + 1), &task_markdown(digest));
        put(&mut sheets, &format!("digests/{:03}.json", number + 1), &json(digest));
    }
    let mut room = TRACES_LIMIT;
    let mut left_out = 0;
    for transcript in shown.transcripts {
        let Some(rest) = room.checked_sub(transcript.text.len()) else {
            left_out += 1;
            continue;
        };
        room = rest;
        let file = transcript.name.rsplit('/').next().unwrap_or(&transcript.name);
        let head = format!("anchors here: {}#step_N, where N stands in brackets\n\n", transcript.name);
        put(&mut sheets, &format!("traces/{file}.txt"), &(head + &transcript.text));
    }
    if left_out > 0 {
        put(&mut sheets, "traces/LEFT-OUT.txt", &format!("{left_out} transcripts are left out: together they would be too long\n"));
    }
    for (path, bytes) in shown.incumbent.folder() {
        sheets.insert(format!("harness/{path}"), bytes);
    }
    sheets
}

fn chart(sheets: &mut Sheets, landscape: &Landscape) {
    put(sheets, "landscape.md", &landscape_markdown(landscape));
    put(sheets, "landscape.json", &json(landscape));
    put(sheets, "natives.md", &format!("# Native processors\n\n{}\n", meta::natives()));
}

fn directed(direction: &Direction) -> String {
    let (title, why) = (quoted(&one_line(&direction.title)), quoted(&one_line(&direction.why)));
    let mut text = format!("\n## The Planner's direction for this candidate\n\n{title}, bucket {}: {why}\n", direction.bucket);
    let tasks: Vec<String> = direction.tasks.iter().map(|task| quoted(task.as_str())).collect();
    if !tasks.is_empty() {
        _ = writeln!(text, "\nTasks that should improve: {}", tasks.join(", "));
    }
    text
}

fn put(sheets: &mut Sheets, path: &str, text: &str) {
    sheets.insert(path.to_owned(), text.as_bytes().to_vec());
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests;
