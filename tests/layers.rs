//! The house rules that a program can check: layers point downward, files stay small and say what they are.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources should stop there")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Layers from top to bottom; folders on one line may not import each other.
const LAYERS: [&[&str]; 10] = [
    &["cli"],
    &["rounds"],
    &["stages"],
    &["runtime"],
    &["bench"],
    &["provider", "script", "store"],
    &["policy", "sandbox"],
    &["net"],
    &["clock"],
    &["domain"],
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

fn all() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found.into_iter().map(|path| (path.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(&path).unwrap())).collect()
}

fn level(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&folder))
}

#[test]
fn layers_point_downward() {
    let mut wrong = Vec::new();
    for (path, text) in all() {
        let Some(own) = path.iter().next().and_then(|folder| folder.to_str()).filter(|folder| !folder.contains('.')) else { continue };
        let own_level = level(own).unwrap_or_else(|| panic!("src/{own} is in no layer"));
        for part in text.split("crate::").skip(1) {
            let other: String = part.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            let Some(other_level) = level(&other) else { continue };
            if other != own && other_level <= own_level {
                wrong.push(format!("{}: {own} imports {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_is_short_and_says_what_it_is() {
    let mut wrong = Vec::new();
    for (path, text) in all() {
        if !text.starts_with("//!") {
            wrong.push(format!("{}: does not open with //!", path.display()));
        }
        let lines = text.lines().count();
        if lines > 400 {
            wrong.push(format!("{}: {lines} lines, at most 400", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A file without the tests at its end.
fn production(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// `main` moves in these places only: the baseline, a candidate that the gate let pass, and ways back to what was there before.
#[test]
fn nobody_else_commits_what_ships() {
    let moves = ["commit(&Branch::Main", "point(&Branch::Main"];
    let mut found: Vec<String> = Vec::new();
    for (path, text) in all().into_iter().filter(|(path, _)| !path.ends_with("tests.rs")) {
        let count: usize = moves.iter().map(|what| production(&text).matches(what).count()).sum();
        found.extend((count > 0).then(|| format!("{} {count}", path.display())));
    }
    found.sort();
    assert_eq!(found, ["cli/rollback.rs 1", "rounds/close.rs 1", "rounds/ground.rs 1", "rounds/ship.rs 1"]);
}

#[test]
fn each_danger_has_one_door() {
    let doors = [
        ("git2::", "store"),
        ("reqwest::", "net"),
        ("candle_core::", "policy"),
        ("process::Command", "sandbox"),
        ("println!", "cli"),
        ("rquickjs::", "script"),
        ("oxc_parser::", "script"),
        ("rmcp::", "runtime"),
        ("bollard::", "sandbox"),
        ("SystemTime::now", "clock"),
    ];
    let mut wrong = Vec::new();
    for (path, text) in all() {
        if path.ends_with("tests.rs") {
            continue;
        }
        let production = production(&text);
        for (danger, door) in doors {
            if production.contains(danger) && !path.starts_with(door) {
                wrong.push(format!("{}: uses {danger}, which belongs to {door}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
