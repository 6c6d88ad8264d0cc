//! What a candidate adds to its parent, as pieces of text with their places: new and changed files, each demonstration on its own, and the
//! texts among the parameters of new and changed processors.

use super::Place;
use super::readers::Readers;
use crate::domain::harness::{Harness, ProcessorSpec, line_of};
use crate::domain::structure::parted;
use regex::Regex;
use serde::Deserialize;
use std::sync::LazyLock;

/// A stretch of added text.
pub(super) struct Piece {
    /// File, or processor.
    pub place: Place,
    /// Line of its file at which it begins, from 1.
    first_line: usize,
    /// The text.
    pub text: String,
    /// What it is.
    pub kind: Kind,
}

/// What a piece of text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One played example; `asks` is how it begins, empty where it is not well formed.
    Demonstration {
        /// First turn of the user.
        asks: String,
    },
    /// The comments in and above such an example, which nobody is shown; `asks` is how it begins.
    Comment {
        /// First turn of the user.
        asks: String,
    },
    /// Code: scripts and tools.
    Code,
    /// Anything else that a model reads, or a parameter.
    Words,
}

impl Piece {
    /// The place of a byte of the text.
    pub fn at(&self, offset: usize) -> Place {
        self.at_line(line_of(&self.text, offset))
    }

    /// The place of a byte of the text as a view shows it on the same lines.
    pub fn at_in(&self, view: &str, offset: usize) -> Place {
        self.at_line(line_of(view, offset))
    }

    /// The place of a line of the text, from 1.
    pub fn at_line(&self, line: usize) -> Place {
        match &self.place {
            Place::File(path, _) => Place::File(path.clone(), self.first_line + line - 1),
            Place::Processor(_) | Place::Edit(_) | Place::Manifest(_) | Place::Somewhere => self.place.clone(),
        }
    }
}

/// Everything that stands in a harness and not in its parent.
pub(super) fn added(harness: &Harness, parent: &Harness) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let (new, old) = (&harness.manifest, &parent.manifest);
    for (text, before) in [(&new.name, &old.name), (&new.description, &old.description)] {
        if text != before {
            pieces.push(words(Place::File("harness.toml".to_owned(), 0), text.clone()));
        }
    }
    for spec in new.processors.iter().filter(|spec| !old.processors.contains(spec)) {
        pieces.push(words(Place::Processor(spec.label().to_owned()), texts_of(spec)));
    }
    for (name, agent) in new.agents.iter().filter(|(name, agent)| old.agents.get(*name) != Some(*agent)) {
        pieces.push(words(Place::File("harness.toml".to_owned(), 0), format!("{name}\n{}\n{}", agent.description, agent.harness)));
    }
    for stop in new.slots.sampling.iter().flat_map(|sampling| &sampling.stop) {
        pieces.push(words(Place::File("harness.toml".to_owned(), 0), stop.clone()));
    }
    let (shown, shown_before) = (Readers::of(harness), Readers::of(parent));
    for (path, bytes) in &harness.files {
        let is_old = parent.files.get(path) == Some(bytes);
        // What was shown as examples alone, and is now read otherwise too, is new to whoever reads it.
        if is_old && (shown.is_for_examples(path) || !shown_before.is_for_examples(path) || !shown.is_read_otherwise(path)) {
            continue;
        }
        if !is_old {
            pieces.push(words(Place::File(path.clone(), 0), path.clone()));
        }
        let old = parent.text(path).map_or_else(Vec::new, |text| file(path, text, shown_before.is_for_examples(path)));
        let is_new = |piece: &Piece| !old.iter().any(|old| old.kind == piece.kind && old.text.trim() == piece.text.trim());
        pieces.extend(file(path, &String::from_utf8_lossy(bytes), shown.is_for_examples(path)).into_iter().filter(is_new));
    }
    pieces
}

fn words(place: Place, text: String) -> Piece {
    Piece { place, first_line: 0, text, kind: Kind::Words }
}

/// All texts of a processor's entry, one a line: what is split over parameters stands together here.
fn texts_of(spec: &ProcessorSpec) -> String {
    let mut texts: Vec<String> = spec.group.iter().chain(&spec.after).cloned().collect();
    texts_in(&toml::Value::Table(spec.params.clone()), &mut texts);
    texts.join("\n")
}

/// Every text, key and whole number in a value, in order.
pub(super) fn texts_in(value: &toml::Value, into: &mut Vec<String>) {
    match value {
        toml::Value::String(text) => into.push(text.clone()),
        toml::Value::Array(items) => {
            for item in items {
                texts_in(item, into);
            }
        }
        toml::Value::Table(table) => {
            for (key, value) in table {
                into.push(key.clone());
                texts_in(value, into);
            }
        }
        toml::Value::Integer(number) => into.push(number.to_string()),
        toml::Value::Float(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) => {}
    }
}

#[derive(Deserialize)]
struct Demonstrations {
    demonstration: Vec<Demonstration>,
}

#[derive(Deserialize)]
struct Demonstration {
    turns: Vec<toml::Table>,
}

const HEADER: &str = "[[demonstration]]";

/// The strings and the comments of TOML.
static TOML: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?s)"""(?:[^\\]|\\.)*?"""|'''.*?'''|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|(?<comment>#[^\n]*)"#).ok());

/// The pieces of a file; `is_for_examples`: a `few_shot` reads it and nobody else.
fn file(path: &str, text: &str, is_for_examples: bool) -> Vec<Piece> {
    let place = || Place::File(path.to_owned(), 0);
    let piece = |first_line: usize, text: String, kind: Kind| Piece { place: place(), first_line, text, kind };
    if is_code(path) || !is_for_examples || toml::from_str::<Demonstrations>(text).is_err() {
        let kind = if is_code(path) { Kind::Code } else { Kind::Words };
        return vec![piece(1, text.to_owned(), kind)];
    }
    let mut pieces = Vec::new();
    for (first_line, segment) in segments(text) {
        let turns = toml::from_str::<Demonstrations>(&segment).ok().and_then(|mut read| read.demonstration.pop());
        let asks = turns.as_ref().and_then(|demonstration| demonstration.turns.first()?.get("user")?.as_str());
        let answers = turns.as_ref().is_some_and(|demonstration| demonstration.turns.iter().any(|turn| turn.contains_key("assistant")));
        match asks {
            Some(asks) if answers => {
                let (shown, comments) = uncommented(&segment);
                pieces.push(piece(first_line, shown, Kind::Demonstration { asks: asks.to_owned() }));
                if !comments.trim().is_empty() {
                    pieces.push(piece(first_line, comments, Kind::Comment { asks: asks.to_owned() }));
                }
            }
            Some(_) | None => pieces.push(piece(first_line, segment, Kind::Words)),
        }
    }
    pieces
}

fn is_code(path: &str) -> bool {
    let (_, inner) = parted(path);
    inner.starts_with("processors/") || inner.starts_with("tools/")
}

/// TOML without its comments, and its comments alone, each on the lines it had.
fn uncommented(text: &str) -> (String, String) {
    let (mut shown, mut comments) = (String::new(), String::new());
    let mut from = 0;
    let mut keep = |part: &str, comment: &str| {
        shown.push_str(part);
        comments.extend(part.chars().filter(|letter| *letter == '\n'));
        comments.push_str(comment);
    };
    for comment in TOML.iter().flat_map(|pattern| pattern.captures_iter(text)).filter_map(|found| found.name("comment")) {
        keep(&text[from..comment.start()], comment.as_str());
        from = comment.end();
    }
    keep(&text[from..], "");
    (shown, comments)
}

/// A file of demonstrations, each with its header and the comments above it, and the line at which each begins.
fn segments(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut begins = vec![0];
    for (index, _) in lines.iter().enumerate().filter(|(_, line)| line.trim_start().starts_with(HEADER)) {
        let comments = lines[..index].iter().rev().take_while(|line| line.trim_start().starts_with('#')).count();
        begins.push(index - comments);
    }
    let ends = begins.iter().skip(1).copied().chain([lines.len()]);
    begins.iter().zip(ends).filter(|(from, to)| *from < to).map(|(from, to)| (from + 1, lines[*from..to].concat())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn each_demonstration_is_a_piece_with_its_lines() {
        let text = "# all\n\n[[demonstration]]\nturns = [{ user = \"a\" }, { assistant = \"b # \\\" #\" }] # c\n# two\n[[demonstration]]\nturns = []\n";
        let pieces = file("prompts/d.toml", text, true);
        let kinds: Vec<&Kind> = pieces.iter().map(|piece| &piece.kind).collect();
        let asks = || "a".to_owned();
        assert_eq!(kinds, [&Kind::Words, &Kind::Demonstration { asks: asks() }, &Kind::Comment { asks: asks() }, &Kind::Words]);
        assert!(pieces[1].text.ends_with("b # \\\" #\" }] \n"), "{}", pieces[1].text);
        assert_eq!((pieces[2].text.trim(), pieces[2].at(pieces[2].text.len() - 1)), ("# c", Place::File("prompts/d.toml".into(), 4)));
        assert_eq!(pieces[3].at(0), Place::File("prompts/d.toml".into(), 5));
        assert_eq!(file("prompts/d.toml", text, false).len(), 1);
    }

    #[test]
    fn only_what_is_new_is_a_piece() {
        let manifest = crate::domain::harness::parse_manifest("format = 1\nname = \"x\"\n[[processors]]\nuse = \"a\"\n").unwrap().0;
        let parent = Harness { manifest, files: BTreeMap::from([("prompts/a.md".to_owned(), b"x".to_vec())]) };
        let mut harness = parent.clone();
        assert!(added(&harness, &parent).is_empty());
        harness.manifest.processors[0].params.insert("before".into(), toml::Value::String("text".into()));
        let pieces = added(&harness, &parent);
        assert_eq!((pieces.len(), pieces[0].text.as_str()), (1, "before\ntext"));
    }
}
