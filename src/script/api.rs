//! The pure helpers that scripts are given as `api`: text, JSON, regular expressions in linear time, an estimate of tokens, and a choice
//! that is drawn from a key, the same on any machine. No clock, no chance, no files.

use crate::domain::id::Digest;
use crate::domain::nearest::distance;
use regex::RegexBuilder;
use rquickjs::{Ctx, Exception, Function, Object, Result};
use serde_json::{Value, json};

/// Letters of each text that `similarity` looks at.
const COMPARED: usize = 2000;

/// Most matches that `regex.all` returns.
const MATCHES: usize = 10_000;

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

/// The functions as an object for the prelude.
pub(super) fn natives<'js>(ctx: &Ctx<'js>, path: &str) -> Result<Object<'js>> {
    let natives = Object::new(ctx.clone())?;
    let add = |name: &str, function: Result<Function<'js>>| natives.set(name, function?.with_name(name)?);
    add("tokens", Function::new(ctx.clone(), |text: String| tokens(&text)))?;
    add("normalise", Function::new(ctx.clone(), |text: String| normalised(&text)))?;
    add("truncate", Function::new(ctx.clone(), |text: String, letters: f64| truncated(&text, letters as usize)))?;
    add("similarity", Function::new(ctx.clone(), |one: String, two: String| similarity(&one, &two)))?;
    add("find", Function::new(ctx.clone(), |text: String| find_json(&text)))?;
    add("escape", Function::new(ctx.clone(), |text: String| regex::escape(&text)))?;
    let all =
        |ctx: Ctx<'js>, pattern: String, text: String| matches(&pattern, &text).map_err(|message| Exception::throw_syntax(&ctx, &message));
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
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
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
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        if let Some(Ok(value)) = values.next() {
            return serde_json::to_string(&value).ok();
        }
    }
    None
}

/// All matches as JSON: `[{"text", "index", "groups": [text or null]}]`, `index` in letters.
fn matches(pattern: &str, text: &str) -> std::result::Result<String, String> {
    let regex = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build().map_err(|error| error.to_string())?;
    let (mut letters, mut bytes) = (0, 0);
    let of = |found: regex::Captures<'_>| {
        let whole = found.get(0).map_or(0..0, |whole| whole.range());
        letters += text[bytes..whole.start].chars().count();
        bytes = whole.start;
        let groups: Vec<Option<&str>> = found.iter().skip(1).map(|group| group.map(|group| group.as_str())).collect();
        json!({ "text": &text[whole], "index": letters, "groups": groups })
    };
    let found: Vec<Value> = regex.captures_iter(text).take(MATCHES).map(of).collect();
    serde_json::to_string(&found).map_err(|error| error.to_string())
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
        assert_eq!(find_json("say: {bad} then [1, {\"a\": 2}] end").unwrap(), "[1,{\"a\":2}]");
        assert_eq!(
            matches("b(c)?", "aé bc b").unwrap(),
            r#"[{"groups":["c"],"index":3,"text":"bc"},{"groups":[null],"index":6,"text":"b"}]"#
        );
        assert!(matches("(", "").is_err());
        assert!(draw("a", "k", 7) < 7 && draw("a", "k", 7) == draw("a", "k", 7));
    }
}
