//! The pure helpers that scripts are given as `api`: text, JSON, regular expressions in linear time, an estimate of tokens, and a choice
//! that is drawn from a key, the same on any machine. No clock, no chance, no files. What they build lies outside the script's heap until it
//! is handed over: no helper builds more than a few times what that heap may hold.

use crate::domain::id::Digest;
use crate::domain::nearest::distance;
use regex::{Regex, RegexBuilder};
use rquickjs::{Ctx, Exception, Function, Object, Result};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::{self, Write};

/// Letters of each text that `similarity` looks at.
const COMPARED: usize = 2000;

/// Most matches that `regex.all` returns.
const MATCHES: usize = 10_000;

/// Bytes of a pattern: each may stand for a large class of letters before it is compiled.
const PATTERN: usize = 8 << 10;

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

/// The functions as an object for the prelude; `memory` is what the script's heap may hold, in bytes.
pub(super) fn natives<'js>(ctx: &Ctx<'js>, path: &str, memory: usize) -> Result<Object<'js>> {
    let natives = Object::new(ctx.clone())?;
    let add = |name: &str, function: Result<Function<'js>>| natives.set(name, function?.with_name(name)?);
    add("tokens", Function::new(ctx.clone(), |text: String| tokens(&text)))?;
    add("normalise", Function::new(ctx.clone(), |text: String| normalised(&text)))?;
    add("truncate", Function::new(ctx.clone(), |text: String, letters: f64| truncated(&text, letters as usize)))?;
    add("similarity", Function::new(ctx.clone(), |one: String, two: String| similarity(&one, &two)))?;
    add("find", Function::new(ctx.clone(), |text: String| find_json(&text)))?;
    add("escape", Function::new(ctx.clone(), |text: String| regex::escape(&text)))?;
    let all = move |ctx: Ctx<'js>, pattern: String, text: String| {
        let regex = compiled(&pattern).map_err(|message| Exception::throw_syntax(&ctx, &message))?;
        // Worded as the engine's own error, which it is taken for.
        let full = || Exception::throw_range(&ctx, &format!("out of memory: the matches take more than {memory} bytes"));
        matches(&regex, &text, memory).ok_or_else(full)
    };
    add("all", Function::new(ctx.clone(), all))?;
    let path = path.to_owned();
    let draw = move |key: rquickjs::Coerced<String>, count: f64| draw(&path, &key.0, count as u64) as f64;
    add("draw", Function::new(ctx.clone(), draw))?;
    Ok(natives)
}

/// About four bytes a token, rounded up.
fn tokens(text: &str) -> f64 {
    text.len().div_ceil(4) as f64
}

fn normalised(text: &str) -> String {
    let mut normal = String::new();
    for word in text.to_lowercase().split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.push_str(word);
    }
    normal
}

fn truncated(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// 1 for the same text, 0 for nothing in common.
fn similarity(one: &str, two: &str) -> f64 {
    let cut = |text: &str| text.chars().take(COMPARED).collect::<String>();
    let (one, two) = (cut(one), cut(two));
    let longest = one.chars().count().max(two.chars().count());
    if longest == 0 { 1.0 } else { 1.0 - distance(&one, &two) as f64 / longest as f64 }
}

/// The first JSON object or array that stands in a text.
fn find_json(text: &str) -> Option<String> {
    let starts = text.char_indices().filter(|(_, letter)| matches!(letter, '{' | '[')).take(64);
    for (start, _) in starts {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Read>();
        if let Some(Ok(Read)) = values.next() {
            return Some(text[start..start + values.byte_offset()].to_owned());
        }
    }
    None
}

/// JSON that was read through, and not kept: in memory it may be a hundred times its text.
struct Read;

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(json: D) -> std::result::Result<Self, D::Error> {
        json.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Read {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<Self, A::Error> {
        while fields.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// A pattern, or what is wrong with it.
fn compiled(pattern: &str) -> std::result::Result<Regex, String> {
    if pattern.len() > PATTERN {
        return Err(format!("a pattern has at most {PATTERN} bytes"));
    }
    RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build().map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Found<'a> {
    groups: Vec<Option<&'a str>>,
    index: usize,
    text: &'a str,
}

/// All matches as JSON: `[{"groups": [text or null], "index", "text"}]`, `index` in letters; `None` where it is longer than `most` bytes.
fn matches(regex: &Regex, text: &str, most: usize) -> Option<String> {
    let (mut letters, mut bytes) = (0, 0);
    let mut json = Bounded { bytes: vec![b'['], most };
    for (number, found) in regex.captures_iter(text).take(MATCHES).enumerate() {
        let whole = found.get(0).map_or(0..0, |whole| whole.range());
        letters += text[bytes..whole.start].chars().count();
        bytes = whole.start;
        let groups = found.iter().skip(1).map(|group| group.map(|group| group.as_str())).collect();
        json.write_all(if number == 0 { b"" } else { b"," }).ok()?;
        serde_json::to_writer(&mut json, &Found { groups, index: letters, text: &text[whole] }).ok()?;
    }
    json.write_all(b"]").ok()?;
    String::from_utf8(json.bytes).ok()
}

/// Bytes up to a most.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + more.len() > self.most {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A number below `count` that depends on script and key only.
fn draw(path: &str, key: &str, count: u64) -> u64 {
    if count == 0 { 0 } else { Digest::of_parts(&[b"choose", path.as_bytes(), key.as_bytes()]).seed() % count }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helpers_do_what_they_say() {
        assert_eq!((normalised(" A  b\n"), truncated("añb", 2)), ("a b".into(), "añ…".into()));
        assert!(similarity("abcd", "abcx") > 0.7 && similarity("", "") >= 1.0);
        assert_eq!(find_json("say: {bad} then [1, {\"a\": 2.5}] end").unwrap(), "[1, {\"a\": 2.5}]");
        assert_eq!(find_json(&format!("{}{}", "[".repeat(130), "]".repeat(130))).unwrap().len(), 2 * 127);
        let regex = compiled("b(c)?").unwrap();
        assert_eq!(
            matches(&regex, "aé bc b", 100).unwrap(),
            r#"[{"groups":["c"],"index":3,"text":"bc"},{"groups":[null],"index":6,"text":"b"}]"#
        );
        assert_eq!((matches(&regex, "aé bc b", 70), matches(&regex, "", 2)), (None, Some("[]".to_owned())));
        assert!(compiled("(").is_err() && compiled(&"a".repeat(PATTERN + 1)).is_err());
        assert!(draw("a", "k", 7) < 7 && draw("a", "k", 7) == draw("a", "k", 7));
    }
}
