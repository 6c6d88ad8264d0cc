//! Outputs that nobody worked for: scripts that answer instead of the model or of a tool, messages that say what only the environment or
//! the verifier may say.

use super::pieces::Kind;
use super::squeezed::Squeezed;
use super::views::{quoted, spelled, unescaped};
use super::{Case, Found, Rule};
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Words of an environment's closing result that a message must not repeat.
const RESULT_WORDS: usize = 4;

/// How a script answers, and what is said of one that does.
const INTERCEPT: (&str, &str) = ("intercept", "a script that answers in the place of the model or of a tool");

static ANSWERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (r"\bintercept\b", INTERCEPT.1),
        (
            r#"(?:^|[^"'`\w])(?:reply|result|final_answer|answer)\s*:\s*["'`]|["'`](?:reply|result|final_answer|answer)["'`]\s*:\s*["'`]"#,
            "a script with a ready answer",
        ),
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
        for view in [unescaped(&piece.text), spelled(&piece.text)] {
            let hits = ANSWERS.iter().filter_map(|(pattern, text)| Some((pattern.find(&view)?.start(), *text)));
            found.extend(hits.map(|(at, text)| (piece.at_in(&view, at), text)));
        }
        // Names that a script puts together from parts kept anywhere.
        if quoted(&piece.text).contains(INTERCEPT.0) {
            found.push((piece.at(0), INTERCEPT.1));
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
        let views = [unescaped(&piece.text), spelled(&piece.text)];
        let lines: BTreeSet<usize> = views.iter().flat_map(|view| stated(view, &piece.text)).collect();
        let mut hits: Vec<(usize, &str)> = lines.into_iter().map(|line| (line, "it states a reward or success")).collect();
        let repeats = |view: &String| {
            let text: String = Squeezed::new(view).letters.into_iter().collect();
            closing.iter().any(|result| text.contains(result))
        };
        if views.iter().any(repeats) {
            hits.push((1, "it repeats the words with which the environment ends a solved task"));
        }
        found.extend(Found::first(Rule::ForgedOutput, &hits, |(line, text)| (piece.at_line(*line), (*text).to_owned())));
    }
    found
}

/// Lines, from 1, on which a view of a text states a reward or success; one with a regular expression reads such words, and states none.
fn stated(view: &str, text: &str) -> BTreeSet<usize> {
    let said = |line: &str| VERDICT.as_ref().is_some_and(|pattern| pattern.is_match(line)) && !is_pattern(line);
    let mut shown = text.split('\n');
    let lines = (1..).zip(view.split('\n')).filter(|(_, line)| !shown.next().is_some_and(is_pattern) && said(line));
    lines.map(|(number, _)| number).collect()
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
