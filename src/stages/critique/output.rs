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
        if let Some(pattern) = VERDICT.as_ref() {
            let hits = pattern.find_iter(&piece.text).filter(|_| !is_pattern(&piece.text));
            found.extend(hits.map(|hit| (piece.at(hit.start()), "it states a reward or success")));
        }
        let text: String = Squeezed::new(&piece.text).letters.into_iter().collect();
        if closing.iter().any(|result| text.contains(result)) {
            found.push((piece.at_line(1), "it repeats the words with which the environment ends a solved task"));
        }
    }
    found.into_iter().map(|(place, text)| Found::new(Rule::ForgedOutput, place, text)).collect()
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
