//! What processors share in reading patterns: regular expressions and `{name}` texts checked when they are built, the text of a
//! call, the narrowing of offered actions.

use crate::domain::event::{Action, Replace, RequestChange, ToolResult};
use crate::domain::message::{ToolCall, Turn};
use regex::{Captures, Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

/// Most bytes of one compiled pattern.
const PATTERN_BYTES: usize = 4 << 20;

/// Which text of a step a pattern reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// What came back.
    #[default]
    Result,
    /// The action taken.
    Action,
    /// The result first, then the action.
    Either,
}

impl Source {
    /// The texts to read, in order.
    pub fn of<'t>(self, action: &'t str, result: &'t str) -> Vec<&'t str> {
        match self {
            Self::Result => vec![result],
            Self::Action => vec![action],
            Self::Either => vec![result, action],
        }
    }
}

/// Compiles one pattern, ignoring case.
///
/// # Errors
/// A fragment that names the parameter.
pub fn compile(parameter: &str, pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern).case_insensitive(true).size_limit(PATTERN_BYTES).build().map_err(|error| {
        let reason = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
        format!("{parameter}: {pattern:?} is not a pattern: {reason}")
    })
}

/// Compiles one pattern; an empty one is none.
///
/// # Errors
/// As [`compile`].
pub fn compile_optional(parameter: &str, pattern: &str) -> Result<Option<Regex>, String> {
    if pattern.is_empty() { Ok(None) } else { compile(parameter, pattern).map(Some) }
}

/// Compiles a list of patterns.
///
/// # Errors
/// As [`compile`], with the place in the list.
pub fn compile_list(parameter: &str, patterns: &[String]) -> Result<Vec<Regex>, String> {
    patterns.iter().enumerate().map(|(index, pattern)| compile(&format!("{parameter}[{index}]"), pattern)).collect()
}

/// One of the patterns matches.
pub fn any(patterns: &[Regex], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.is_match(text))
}

/// `template` with `$1` and `${name}` from captures.
pub fn expand(captures: &Captures<'_>, template: &str) -> String {
    let mut text = String::new();
    captures.expand(template, &mut text);
    text
}

/// A number must lie in a range.
///
/// # Errors
/// A fragment that names the parameter and the range.
pub fn within<T: Copy + PartialOrd + std::fmt::Display>(parameter: &str, value: T, least: T, most: T) -> Result<(), String> {
    if value >= least && value <= most { Ok(()) } else { Err(format!("{parameter}: {value} is not within {least} to {most}")) }
}

/// `{name}` in a text; not `${name}`, which belongs to captures, nor `{2}` and `\p{L}`, which belong to patterns.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\$|\\[pPxuU]|)\{([A-Za-z_][A-Za-z0-9_]*)\}").ok());

/// Puts values in the place of `{name}`; names without a value stay as they are.
pub fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let Some(named) = NAMED.as_ref() else { return template.to_owned() };
    let replaced = named.replace_all(template, |captures: &Captures<'_>| {
        if captures[1].is_empty() { value(&captures[2]) } else { None }.unwrap_or_else(|| captures[0].to_owned())
    });
    replaced.into_owned()
}

/// Names used in a text must be known.
///
/// # Errors
/// A fragment that names the parameter, the unknown name and the known ones.
pub fn check_names(parameter: &str, template: &str, known: &[&str]) -> Result<(), String> {
    let Some(named) = NAMED.as_ref() else { return Ok(()) };
    for captures in named.captures_iter(template) {
        if captures[1].is_empty() && !known.contains(&&captures[2]) {
            return Err(format!("{parameter}: unknown name {{{}}}; it may use {{{}}}", &captures[2], known.join("}, {")));
        }
    }
    Ok(())
}

/// The action that a call stands for: its first text argument, else nothing.
pub fn action_of(call: &ToolCall) -> &str {
    let fields = call.arguments.0.as_object();
    fields.and_then(|fields| fields.values().find_map(|value| value.as_str())).unwrap_or_default()
}

/// The text of the last turn: what was observed last.
pub fn observed(turns: &[Arc<Turn>]) -> &str {
    turns.last().map_or("", |turn| turn.message.text())
}

/// The result counts as failed: by its own mark, or by a pattern.
pub fn failed(result: &ToolResult, pattern: Option<&Regex>) -> bool {
    result.is_error || pattern.is_some_and(|pattern| pattern.is_match(&result.text))
}

/// Offers only `kept`; passes when that is nothing or everything.
pub fn narrowed(offered: &[String], kept: Vec<String>) -> Action {
    if kept.is_empty() || kept.len() == offered.len() {
        return Action::Pass;
    }
    request(RequestChange { actions: Some(kept), ..RequestChange::default() })
}

/// Appends a line to the last user content; an empty line passes.
pub fn with_line(turns: &[Arc<Turn>], line: &str) -> Action {
    if line.is_empty() {
        return Action::Pass;
    }
    let last_user = Some(format!("{}\n{line}", observed(turns)));
    request(RequestChange { last_user, ..RequestChange::default() })
}

/// One user message more; an empty one passes.
pub fn with_message(message: String) -> Action {
    if message.is_empty() {
        return Action::Pass;
    }
    request(RequestChange { append_user: Some(message), ..RequestChange::default() })
}

/// A section at the end of a system prompt.
pub fn with_section(system: &str, section: &str) -> Action {
    let system = if system.is_empty() { section.to_owned() } else { format!("{system}\n\n{section}") };
    Action::Replace(Replace::TaskStart { system: Some(system), demonstrations: None })
}

/// A change of the request.
pub fn request(change: RequestChange) -> Action {
    Action::Replace(Replace::BeforeModel(Box::new(change)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_pattern_names_its_parameter() {
        let error = compile_list("drop", &["fine".into(), "(".into()]).unwrap_err();
        assert!(error.starts_with("drop[1]"), "{error}");
    }

    #[test]
    fn names_are_filled_and_checked_but_captures_and_counts_are_left() {
        let filled = fill("{a} {b} ${a} x{2}", |name| (name == "a").then(|| "1".into()));
        assert_eq!(filled, "1 {b} ${a} x{2}");
        assert!(check_names("line", r"{a} ${b} {2} \p{Lu}", &["a"]).is_ok());
        assert!(check_names("line", "{c}", &["a"]).unwrap_err().contains("{c}"));
    }

    #[test]
    fn narrowing_never_leaves_nothing() {
        let offered = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(narrowed(&offered, Vec::new()), Action::Pass);
        assert_eq!(narrowed(&offered, offered.clone()), Action::Pass);
        assert_ne!(narrowed(&offered, vec!["a".into()]), Action::Pass);
    }
}
