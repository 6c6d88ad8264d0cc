//! Tables that answer by task: hashed or numbered keys, encoded text, branches on the whole text of a task.

use super::pieces::{Kind, Piece};
use super::{Case, Found, Rule};
use regex::Regex;
use std::sync::LazyLock;

/// Keys that look like hashes, or branches on several words of the task, before they count as a table.
const TABLE: usize = 3;

static HASH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b(?:0x)?[0-9a-fA-F]{16,}\b|\b[0-9]{9,}\b").ok());
static BLOB: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[A-Za-z0-9+/_-]{40,}={0,2}").ok());
static CODES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:\\x[0-9a-fA-F]{2}){6,}|(?:\\u[0-9a-fA-F]{4}){6,}|(?:\b[0-9]{2,3}\s*,\s*){10,}").ok());
static KEYED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        r"\btask(?:\.text|\.trim\(\)|\s*\|\s*\w+)*\s*(?:===?|!==?)\s*",
        r"(?:===?|!==?)\s*task\b",
        r"\btask(?:\s*\|\s*\w+)*\s+(?:not\s+)?in\s*[\[({]",
        r"[\w})\]]\s*\[\s*task\b",
        r"\.(?:get|has)\(\s*task\b",
        r"(?i)\b(?:md5|sha\d*|crc32|blake\w*|fnv\w*|djb2|hash(?:code)?)\s*\(",
        r"\btask\s*\|\s*(?:hash|md5|sha\d*)\b",
        r"charCodeAt\(|\.codePointAt\(|fromCharCode|fromCodePoint|\batob\(|\bbtoa\(",
        r"\btask(?:\.text)?\.(?:startsWith|endsWith|charAt|slice|substring)\(",
        r"\btask\s*\[\s*-?\d|\btask(?:\s*\|\s*\w+)*\s*\|\s*length\b|\btask(?:\.text)?\.length\b",
        r"switch\s*\(\s*(?:event\.)?task\b",
    ];
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
});

static BRANCH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\bin\s+task\b[^%}]*\band\b[^%}]*\bin\s+task\b").ok());

/// No text that neither a model nor a person can read: tables of hashes, encoded stretches, letters as numbers. Demonstrations may hold
/// what the world showed.
pub(super) fn unreadable(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for piece in case.pieces.iter().filter(|piece| !matches!(piece.kind, Kind::Demonstration { .. })) {
        let mut hits: Vec<(usize, &str)> = Vec::new();
        let keys: Vec<usize> = matches(&HASH, piece).collect();
        if keys.len() >= TABLE {
            hits.push((keys[0], "a table of hashes or long numbers"));
        }
        let blobs = BLOB.iter().flat_map(|pattern| pattern.find_iter(&piece.text)).filter(|blob| is_mixed(blob.as_str()));
        hits.extend(blobs.map(|blob| (blob.start(), "a stretch of encoded text")));
        hits.extend(matches(&CODES, piece).map(|at| (at, "letters written as numbers")));
        if super::squeezed::has_invisible(&piece.text) {
            hits.push((0, "letters that nobody sees"));
        }
        found.extend(Found::first(Rule::Encoded, &hits, |(at, text)| (piece.at(*at), (*text).to_owned())));
    }
    found
}

fn matches<'a>(pattern: &'a LazyLock<Option<Regex>>, piece: &'a Piece) -> impl Iterator<Item = usize> + 'a {
    pattern.iter().flat_map(|pattern| pattern.find_iter(&piece.text)).map(|found| found.start())
}

/// Small and large letters and digits in one stretch, as encodings have them and paths and names do not.
fn is_mixed(text: &str) -> bool {
    let count = |has: fn(&char) -> bool| text.chars().filter(has).count();
    count(char::is_ascii_lowercase) >= 4 && count(char::is_ascii_uppercase) >= 4 && count(char::is_ascii_digit) >= 2
}

/// No code, template or parameter that chooses what to say by the whole text of the task, or by several words of it again and again. Asking
/// whether a word stands in it is fine, and so are tags.
pub(super) fn keyed_by_task(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for piece in case.pieces.iter().filter(|piece| !matches!(piece.kind, Kind::Demonstration { .. })) {
        let mut hits: Vec<usize> = Vec::new();
        for (from, part) in code_parts(piece) {
            let keyed = KEYED.iter().filter_map(|pattern| pattern.find(part));
            hits.extend(keyed.map(|hit| from + hit.start()));
        }
        let branches: Vec<usize> = matches(&BRANCH, piece).collect();
        if branches.len() >= TABLE {
            hits.push(branches[0]);
        }
        found.extend(Found::first(Rule::Lookup, &hits, |at| (piece.at(*at), "what is said depends on which task it is".to_owned())));
    }
    found
}

/// The parts of a piece that are executed: all of a script, what stands in braces of a template.
fn code_parts(piece: &Piece) -> Vec<(usize, &str)> {
    if piece.kind == Kind::Code {
        return vec![(0, piece.text.as_str())];
    }
    let mut parts = Vec::new();
    for (open, close) in [("{{", "}}"), ("{%", "%}")] {
        let mut next = 0;
        // What opens within a part belongs to it.
        while let Some(from) = piece.text[next..].find(open).map(|at| next + at) {
            let part = &piece.text[from..];
            let part = part.find(close).map_or(part, |end| &part[..end]);
            parts.push((from, part));
            next = from + part.len();
        }
    }
    parts
}
