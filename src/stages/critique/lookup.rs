//! Tables that answer by task: hashed or numbered keys, encoded text, branches on the whole text of a task.

use super::pieces::{Kind, Piece};
use super::views::{spelled, unescaped};
use super::{Case, Found, Rule};
use crate::domain::harness::line_of;
use regex::{Captures, Regex};
use std::collections::BTreeSet;
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
        r"switch\s*\(\s*task\b",
        r"\bof\s+task\s*\)|\bfor\s+\w+\s+in\s+task\b|\.\.\.\s*task\s*[\]),]|\bArray\.from\(\s*task\b",
        r#"\btask(?:\.\w+\(\s*\))*\.(?:at\(|split\(\s*(?:""|''|``|/(?:\(\?:\))?/))"#,
        r"\btask(?:\s*\|\s*\w+)*\s*\|\s*(?:list|first|last|batch|slice|reverse)\b",
    ];
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
});

/// The task as a property of something.
static PROPERTY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\b(?:\w+\s*\??\.\s*)+task\b").ok());

/// Where the task is given another name.
static ALIAS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = [
        r#"\b(\w+)\s*=\s*(?:String\(\s*|`\$\{\s*|(?:""|'')\s*\+\s*)?task\b(?:\.text\b|\s*\|\s*\w+|\.\w+\(\s*\))*\s*[)}`]*\s*(?:[;,)}\n]|-?%|$)"#,
        r"\{[^{}]*\btask\s*:\s*(\w+)[^{}]*\}\s*(?:=[^=>]|(?:,[^(){}]*)?\)\s*(?:=>|\{))",
        r"\b(\w+)\s+(?:in|of)\s*[\[(]\s*task\s*,?\s*[\])]",
        r"\[\s*(\w+)\s*\]\s*=\s*\[\s*task\s*\]",
    ];
    patterns.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect()
});

/// A word, with the dots before it and the colon after it.
static WORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\.+\s*)?\b(\w+)\b(\s*:)?").ok());

/// Names after names that are followed.
const NAMES: usize = 16;

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

/// No code, template or parameter that chooses what to say by the whole text of the task, by its letters, or by several words of it again
/// and again. Asking whether a word stands in it is fine, and so are tags.
pub(super) fn keyed_by_task(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for piece in case.pieces.iter().filter(|piece| !matches!(piece.kind, Kind::Demonstration { .. })) {
        let mut lines: BTreeSet<usize> = BTreeSet::new();
        for view in [unescaped(&piece.text), spelled(&piece.text)] {
            let view = with_one_name(view, &piece.kind);
            for (from, part) in code_parts(&piece.kind, &view) {
                let keyed = KEYED.iter().filter_map(|pattern| pattern.find_iter(part).find(|hit| !is_with_nothing(part, hit.range())));
                lines.extend(keyed.map(|hit| line_of(&view, from + hit.start())));
            }
            let branches: Vec<usize> = BRANCH.iter().flat_map(|pattern| pattern.find_iter(&view)).map(|found| found.start()).collect();
            if branches.len() >= TABLE {
                lines.insert(line_of(&view, branches[0]));
            }
        }
        let hits: Vec<usize> = lines.into_iter().collect();
        found.extend(Found::first(Rule::Lookup, &hits, |line| {
            (piece.at_line(*line), "what is said depends on which task it is".to_owned())
        }));
    }
    found
}

/// Whether a comparison is with nothing, or asks for a type: every script may ask whether there is a task.
fn is_with_nothing(text: &str, hit: std::ops::Range<usize>) -> bool {
    const NOTHING: [&str; 8] = ["\"\"", "''", "``", "null", "undefined", "none", "\"string\"", "'string'"];
    let is_compared = text[hit.clone()].contains(['=', '!']);
    let (before, after) = (text[..hit.start].trim_end(), &text[hit.end..]);
    let ends = |rest: &str| !rest.trim_start().starts_with(['+', '.', '~', '[', '(']);
    let follows = NOTHING.iter().any(|nothing| after.strip_prefix(nothing).is_some_and(ends));
    let leads = NOTHING.iter().any(|nothing| before.ends_with(nothing)) && text[hit].ends_with("task");
    is_compared && (follows || leads)
}

/// The text with the task under its own name, on the lines it had, wherever it was given another.
fn with_one_name(text: String, kind: &Kind) -> String {
    let plain = |found: &Captures<'_>| format!("{}task", "\n".repeat(found[0].matches('\n').count()));
    let mut text = PROPERTY.iter().fold(text, |text, pattern| pattern.replace_all(&text, plain).into_owned());
    for _ in 0..NAMES {
        let parts = code_parts(kind, &text);
        let given = |part| ALIAS.iter().flat_map(move |pattern| pattern.captures_iter(part)).map(|found| found[1].to_owned());
        let names: BTreeSet<String> = parts.into_iter().flat_map(|(_, part)| given(part)).filter(|name| name != "task").collect();
        if names.is_empty() {
            break;
        }
        let renamed = |found: &Captures<'_>| {
            let before = found.get(1).map_or("", |dots| dots.as_str());
            // The name of a property is another thing.
            let is_property = before.trim() == "." || found.get(3).is_some();
            if is_property || !names.contains(&found[2]) { found[0].to_owned() } else { format!("{before}task") }
        };
        text = WORD.iter().fold(text, |text, pattern| pattern.replace_all(&text, renamed).into_owned());
    }
    text
}

/// The parts of a text that are executed: all of a script, what stands in braces of a template.
fn code_parts<'a>(kind: &Kind, text: &'a str) -> Vec<(usize, &'a str)> {
    if *kind == Kind::Code {
        return vec![(0, text)];
    }
    let mut parts = Vec::new();
    for (open, close) in [("{{", "}}"), ("{%", "%}")] {
        let mut next = 0;
        // What opens within a part belongs to it.
        while let Some(from) = text[next..].find(open).map(|at| next + at) {
            let part = &text[from..];
            let part = part.find(close).map_or(part, |end| &part[..end]);
            parts.push((from, part));
            next = from + part.len();
        }
    }
    parts
}
