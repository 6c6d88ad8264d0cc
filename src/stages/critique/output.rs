//! Outputs that nobody worked for: scripts that answer instead of the model or of a tool, messages that say what only the environment or
//! the verifier may say.

use super::pieces::Kind;
use super::squeezed::Squeezed;
use super::{Case, Found, Rule};
use regex::Regex;
use std::sync::LazyLock;

/// Words of an environment's closing result that a message must not repeat.
const RESULT_WORDS: usize = 4;

static ANSWERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"\bintercept\b", "a script that answers in the place of the model or of a tool"),
        (r#"\b(?:reply|result|final_answer|answer)["']?\s*:\s*["'`]"#, "a script with a ready answer"),
        (r#"\b(?:reply|result)["']?\s*:\s*\{[^}]*\btext["']?\s*:\s*["'`]"#, "a script with a ready answer"),
        (r"\b(?:reply|result)\.text\s*=[^=]", "a script that rewrites an answer or a result"),
        (r#"\bis_error["']?\s*[:=]\s*false\b"#, "a script that makes an error look like success"),
        (r"(?m)^\s*(?:command|run|exec)\s*=.*\b(?:echo|printf)\b", "a tool that prints a ready text"),
    ];
    patterns.iter().filter_map(|(pattern, text)| Some((Regex::new(pattern).ok()?, *text))).collect()
});

static VERDICT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)["']?\b(?:reward|score|success|solved|passed|verdict|outcome)["']?\s*[:=]\s*["']?(?:1(?:\.0+)?|true|passed|solved|success)\b"#).ok()
});

/// Work is done by the model and the tools: no script intercepts them or carries answers, no tool prints a ready text.
pub(super) fn answers_for_the_model(case: &Case<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for piece in case.pieces.iter().filter(|piece| piece.kind == Kind::Code) {
        for (pattern, text) in ANSWERS.iter() {
            found.extend(pattern.find(&piece.text).map(|hit| (piece.at(hit.start()), *text)));
        }
    }
    found.into_iter().map(|(place, text)| Found::new(Rule::ForgedOutput, place, text)).collect()
}

/// Nothing but the environment says that a task is done: no message, prompt or script repeats the words with which it ends solved
/// episodes, or states a reward or success. Demonstrations show what the world said.
pub(super) fn forged_results(case: &Case<'_>) -> Vec<Found> {
    let closing: Vec<String> = case.input.closing_results.iter().filter_map(|result| phrase(result)).collect();
    let mut found = Vec::new();
    for piece in case.pieces.iter().filter(|piece| !matches!(piece.kind, Kind::Demonstration { .. })) {
        let mut hits: Vec<(usize, &str)> = stated(&piece.text).into_iter().map(|at| (at, "it states a reward or success")).collect();
        let text: String = Squeezed::new(&piece.text).letters.into_iter().collect();
        if closing.iter().any(|result| text.contains(result)) {
            hits.push((0, "it repeats the words with which the environment ends a solved task"));
        }
        found.extend(Found::first(Rule::ForgedOutput, &hits, |(at, text)| (piece.at(*at), (*text).to_owned())));
    }
    found
}

/// Where a text states a reward or success, once a line; a line with a regular expression reads such words, and states none.
fn stated(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(hit) = VERDICT.as_ref().and_then(|pattern| pattern.find_at(text, from)) {
        let begin = text[..hit.start()].rfind('\n').map_or(0, |at| at + 1);
        let end = text[hit.end()..].find('\n').map_or(text.len(), |at| hit.end() + at);
        if !is_pattern(&text[begin..end]) {
            found.push(hit.start());
        }
        from = end;
    }
    found
}

/// The letters of a result, where it has words enough.
fn phrase(result: &str) -> Option<String> {
    let result = Squeezed::new(result);
    (result.words().len() >= RESULT_WORDS).then(|| result.letters.iter().collect())
}

/// A regular expression that reads such words, and says none.
fn is_pattern(text: &str) -> bool {
    ["(?:", r"\d", r"\b", r"\s", ".*", ".+"].iter().any(|sign| text.contains(sign))
}
