//! Withholds actions on things that the task does not speak of. Goal terms come from the task's text; an action that matches one of
//! `verbs` stays only if everything it captures is a goal term.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::runtime::native::pattern::{any, compile_list, narrowed};
use crate::runtime::native::words::{joined, terms_of};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::{Captures, Regex};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "goal_term_filter",
    behaviour: 1,
    group: Some("goal_term_filter"),
    hooks: &[Hook::BeforeModel],
    dimension: Dimension::ControlAndSafety,
    summary: "Withholds actions on things that the task does not speak of.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Patterns on the task's text; what they capture is a goal term. Named captures hold for captures of the same name in `verbs`;
    /// a name that this task has no term for holds nothing back.
    /// Empty: every word of the task but `stopwords`.
    goal: Vec<String>,
    /// Words of the task that are no goal terms.
    stopwords: Vec<String>,
    /// Patterns on actions with at least one capture each; the first that matches decides. What it captures must be goal terms:
    /// compared without case, digits and plural ending.
    verbs: Vec<String>,
    /// Patterns on actions that always stay.
    keep: Vec<String>,
}

struct GoalTermFilter {
    params: Params,
    goal: Vec<Regex>,
    verbs: Vec<Regex>,
    keep: Vec<Regex>,
    terms: Option<Terms>,
}

/// Goal terms of one task: all, and by the name of the capture they come from.
#[derive(Debug, Default)]
struct Terms {
    all: BTreeSet<String>,
    named: BTreeMap<String, BTreeSet<String>>,
}

impl Terms {
    fn allow(&self, name: Option<&str>, part: &str) -> bool {
        let named = name.and_then(|name| self.named.get(name));
        let terms = named.unwrap_or(&self.all);
        (named.is_some() && terms.is_empty()) || terms.contains(&joined(part))
    }
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    let (goal, verbs) = (compile_list("goal", &params.goal)?, compile_list("verbs", &params.verbs)?);
    for (parameter, patterns) in [("goal", &goal), ("verbs", &verbs)] {
        if let Some(index) = patterns.iter().position(|pattern| pattern.captures_len() < 2) {
            return Err(format!("{parameter}[{index}]: the pattern has no capture"));
        }
    }
    let keep = compile_list("keep", &params.keep)?;
    Ok(Box::new(GoalTermFilter { params, goal, verbs, keep, terms: None }))
}

/// Captures with their names, those that took part in the match.
fn captured<'t>(pattern: &Regex, found: &Captures<'t>) -> Vec<(Option<String>, &'t str)> {
    let names = pattern.capture_names().map(|name| name.map(str::to_owned));
    names.zip(found.iter()).skip(1).filter_map(|(name, part)| Some((name, part?.as_str()))).collect()
}

impl GoalTermFilter {
    fn read_task(&self, task: &str) -> Terms {
        let stopwords: BTreeSet<String> = self.params.stopwords.iter().map(|word| word.to_lowercase()).collect();
        let mut terms = Terms::default();
        if self.goal.is_empty() {
            terms.all = terms_of(task, &stopwords);
        }
        for pattern in &self.goal {
            for name in pattern.capture_names().flatten() {
                terms.named.entry(name.to_owned()).or_default();
            }
            for found in pattern.captures_iter(task) {
                for (name, part) in captured(pattern, &found) {
                    let new = terms_of(part, &stopwords);
                    if let Some(name) = name {
                        terms.named.entry(name).or_default().extend(new.iter().cloned());
                    }
                    terms.all.extend(new);
                }
            }
        }
        terms
    }

    fn stays(&self, terms: &Terms, action: &str) -> bool {
        if any(&self.keep, action) {
            return true;
        }
        let matched = self.verbs.iter().find_map(|pattern| Some((pattern, pattern.captures(action)?)));
        let Some((pattern, found)) = matched else { return true };
        captured(pattern, &found).iter().all(|(name, part)| terms.allow(name.as_deref(), part))
    }
}

impl Processor for GoalTermFilter {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::BeforeModel { actions, .. } = event else { return Ok(Action::Pass) };
        let terms = self.terms.take().unwrap_or_else(|| self.read_task(scene.task));
        let left =
            if terms.all.is_empty() { Vec::new() } else { actions.iter().filter(|action| self.stays(&terms, action)).cloned().collect() };
        self.terms = Some(terms);
        Ok(narrowed(actions, left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, refused};

    const ACTIONS: [&str; 4] = ["lift red stones 2 off shelf 1", "lift cup 1 off shelf 1", "drop red stone 2 at shelf 1", "walk"];

    #[test]
    fn things_outside_the_task_are_withheld() {
        let params = r#"verbs = ["^lift (?P<object>\\D+?) \\d+ off"]"#;
        let mut drive = Drive::new(&NATIVE, params).task("Bring two red stones to the yard.");
        assert_eq!(drive.left(&ACTIONS), [ACTIONS[0], ACTIONS[2], ACTIONS[3]]);
        let mut drive = Drive::new(&NATIVE, params).task("Bring a redstone");
        assert_eq!(drive.left(&ACTIONS).len(), 3);
    }

    #[test]
    fn names_keep_objects_and_places_apart() {
        let params = r#"
            goal = ["bring a (?P<object>.+) to the (?P<place>\\w+)"]
            verbs = ["^lift (?P<object>\\D+?) \\d+ off", "^drop (?P<object>\\D+?) \\d+ at (?P<place>\\D+?) \\d+"]
        "#;
        let mut drive = Drive::new(&NATIVE, params).task("bring a red stone to the yard");
        assert_eq!(drive.left(&ACTIONS), [ACTIONS[0], ACTIONS[3]]);
    }

    #[test]
    fn a_name_without_a_term_in_this_task_holds_nothing_back() {
        let params = r#"
            goal = ["bring a (?P<object>.+) to", "near the (?P<place>\\w+)"]
            verbs = ["^lift (?P<object>\\D+?) \\d+ off", "^drop (?P<object>\\D+?) \\d+ at (?P<place>\\D+?) \\d+"]
        "#;
        let mut drive = Drive::new(&NATIVE, params).task("look near the shelf");
        assert_eq!(drive.left(&ACTIONS).len(), 4);
        let mut drive = Drive::new(&NATIVE, params).task("look near the yard");
        assert_eq!(drive.left(&ACTIONS), [ACTIONS[0], ACTIONS[1], ACTIONS[3]]);
    }

    #[test]
    fn nothing_is_withheld_without_terms_or_when_nothing_would_be_left() {
        let params = r#"goal = ["find (\\w+)"]
            verbs = ["^lift (\\D+?) \\d+"]
            keep = ["cup"]"#;
        assert_eq!(Drive::new(&NATIVE, params).task("rest").left(&ACTIONS).len(), 4);
        assert_eq!(Drive::new(&NATIVE, params).task("find moss").left(&ACTIONS).len(), 3);
        assert_eq!(Drive::new(&NATIVE, params).task("find moss").left(&ACTIONS[..1]).len(), 1);
    }

    #[test]
    fn a_verb_without_a_capture_is_refused() {
        assert!(refused(&NATIVE, "verbs = [\"^lift\"]").starts_with("verbs[0]"));
    }
}
