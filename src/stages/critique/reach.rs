//! Reaching beyond the harness: paths that lead out or hide what they are, reading what is sealed, the outside world from a script.

use super::pieces::Kind;
use super::views::readings;
use super::{Case, Found, Place, Rule};
use crate::domain::edit::Edit;
use crate::domain::harness::{HARNESS_FILE, check_path};
use crate::domain::structure::parted;
use crate::sandbox::is_of_the_system;
use regex::Regex;
use std::path::Path;
use std::sync::LazyLock;

/// Folders in which a candidate may write: each says to which bucket its files belong.
const FOLDERS: [&str; 4] = ["processors", "prompts", "skills", "tools"];

/// How the command line of a program begins that the harness brings itself.
const OWN_PROGRAMS: &str = "{tools}/";

static SEALED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(?:sealed|heldout|held-out|bank|trajectories)[/\\]|gate_state|decision\.full|\bepisodes\.jsonl|\baudit\.jsonl|/proc/|/etc/|\bharnessx\b['\x22\s,]+(?:run|loop|show|report|export|gate|check)\b|--split\b",
    )
    .ok()
});
static OUT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?:^|[\s/\\'(\x22])\.\.[/\\]|\bfile://").ok());
static INCLUDE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\{%-?\s*(?:include|import|from|extends)\b").ok());
static WORLD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"\b(?:require|import|eval|fetch|Function|XMLHttpRequest|WebSocket|readFile\w*|writeFile\w*)\s*\(|\bimport\s+[\w{*]|\bprocess\.(?:env|binding)|\bDeno\.|\bstd\.(?:open|loadFile|getenv)|\bos\.\w+\(|\bglobalThis\b|__proto__|\.constructor\s*\(",
    )
    .ok()
});

/// Files lie in the folders of a harness, under plain names, one name one file.
pub(super) fn paths(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for (index, edit) in case.proposal.manifest.edits.iter().enumerate() {
        if let Edit::WriteFile { path, .. } = edit {
            found.extend(trick(path).map(|text| (Place::Edit(index + 1), text)));
        }
    }
    let new = case.proposal.harness.files.keys().filter(|path| !case.proposal.parent.files.contains_key(*path));
    for path in new {
        let place = || Place::File(path.clone(), 0);
        found.extend(trick(path).map(|text| (place(), text)));
        if case.proposal.harness.files.keys().any(|other| other != path && other.eq_ignore_ascii_case(path)) {
            found.push((place(), "another file has this name but for capitals".to_owned()));
        }
    }
    found.into_iter().map(|(place, text)| Found::new(Rule::Path, place, text)).collect()
}

fn trick(path: &str) -> Option<String> {
    if let Err(problem) = check_path(path) {
        return Some(problem);
    }
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '/' | '.' | '-' | '_');
    if !path.chars().all(is_plain) {
        return Some("a file's name has letters, digits, dots, dashes and underscores only".to_owned());
    }
    let (agent, inner) = parted(path);
    if agent.is_some() && inner == HARNESS_FILE {
        return None;
    }
    let folder = inner.split_once('/').map(|(folder, _)| folder);
    (!folder.is_some_and(|folder| FOLDERS.contains(&folder)))
        .then(|| format!("a file of a harness lies in {}, there or under an agent's folder", FOLDERS.join(", ")))
}

/// Nothing that is added names a sealed place, leaves its folder, loads another template, or reaches for files, programs or the network.
pub(super) fn sealed_reads(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for piece in &case.pieces {
        let is_code = piece.kind == Kind::Code;
        let mut hits: Vec<(Place, &str)> = Vec::new();
        for view in readings(&piece.text) {
            let at = |offset: usize| view.line.map_or_else(|| piece.at_in(&view.text, offset), |line| piece.at_line(line));
            let rules = [
                (&SEALED, true, "it names a place that is sealed"),
                (&OUT, true, "a path that leads out of the harness"),
                (&INCLUDE, true, "a template that loads another file"),
                (&WORLD, is_code, "a script that reaches for files, programs or the network"),
            ];
            for (pattern, _, text) in rules.iter().filter(|(_, applies, _)| *applies) {
                let hit = pattern.as_ref().and_then(|pattern| pattern.find(&view.text));
                hits.extend(hit.map(|hit| (at(hit.start()), *text)));
            }
        }
        found.extend(Found::first(Rule::SealedRead, &hits, |(place, text)| (place.clone(), (*text).to_owned())));
    }
    found.extend(programs_by_path(case).map(|(place, text)| Found::new(Rule::SealedRead, place, text)));
    found
}

/// Tools, new or changed, whose program is named by its place on this machine: a sandbox shows such a program with the folder around it.
fn programs_by_path<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (Place, &'static str)> + 'a {
    let (before, after) = (&case.proposal.parent.files, &case.proposal.harness.files);
    let is_tool = |path: &str| parted(path).1.starts_with("tools/");
    let changed = after.iter().filter(move |(path, bytes)| is_tool(path) && before.get(*path) != Some(bytes));
    changed.filter_map(|(path, bytes)| {
        let table: toml::Table = std::str::from_utf8(bytes).ok()?.parse().ok()?;
        let program = table.get("argv")?.get(0)?.as_str()?;
        let is_foreign = program.contains('/') && !program.starts_with(OWN_PROGRAMS) && !is_of_the_system(Path::new(program));
        is_foreign.then(|| (Place::File(path.clone(), 0), "a program that is named by its place on this machine"))
    })
}
