//! Keeps named facts of the episode, read off actions and results by patterns, and shows them as one line after each observation.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::runtime::native::pattern::{
    Source, action_of, check_names, compile, compile_optional, expand, fill, observed, with_line, within,
};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "memory_line",
    behaviour: 1,
    group: Some("memory_line"),
    hooks: &[Hook::StepStart, Hook::BeforeModel, Hook::AfterTool],
    dimension: Dimension::Memory,
    summary: "Shows a line of remembered facts (held, visited, found) after each observation.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// How facts are read, applied in order to each step, and to the first observation as a result without an action.
    patterns: Vec<Rule>,
    /// The line: `{name}` is the fact of that name. Empty: nothing is shown.
    line: String,
    /// In the place of a fact that is not known.
    empty: String,
    /// Show the line also while no fact is known.
    always: bool,
    /// Most values of one fact that are kept, 1 to 1000; the oldest go first.
    most: usize,
    /// Pattern on results: the action did nothing, and nothing is read from that step.
    no_effect: String,
}

impl Default for Params {
    fn default() -> Self {
        Self { patterns: Vec::new(), line: String::new(), empty: "nothing".into(), always: false, most: 20, no_effect: String::new() }
    }
}

/// One way of reading a fact.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Pattern; every match in the text counts.
    when: String,
    /// Text that is read: `result`, `action` or `either`.
    #[serde(default)]
    on: Source,
    /// Name of the fact.
    set: String,
    /// Value, with `$1` or `${name}` from captures, then `{name}` from facts.
    #[serde(default)]
    value: String,
    /// What is done with the value.
    #[serde(default)]
    how: How,
}

/// What is done with a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    /// It becomes the only one.
    #[default]
    Replace,
    /// It joins the others, once.
    Add,
    /// It is taken away.
    Remove,
    /// All are taken away.
    Clear,
}

struct MemoryLine {
    params: Params,
    rules: Vec<(Regex, Rule)>,
    no_effect: Option<Regex>,
    facts: BTreeMap<String, Vec<String>>,
    begun: bool,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("most", params.most, 1, 1000)?;
    let names: Vec<&str> = params.patterns.iter().map(|rule| rule.set.as_str()).collect();
    check_names("line", &params.line, &names)?;
    let mut rules = Vec::new();
    for (index, rule) in params.patterns.iter().enumerate() {
        check_names(&format!("patterns[{index}].value"), &rule.value, &names)?;
        rules.push((compile(&format!("patterns[{index}].when"), &rule.when)?, rule.clone()));
    }
    let no_effect = compile_optional("no_effect", &params.no_effect)?;
    Ok(Box::new(MemoryLine { params, rules, no_effect, facts: BTreeMap::new(), begun: false }))
}

impl MemoryLine {
    fn known(&self, name: &str) -> Option<String> {
        self.facts.get(name).filter(|values| !values.is_empty()).map(|values| values.join(", "))
    }

    fn filled(&self, template: &str) -> String {
        fill(template, |name| Some(self.known(name).unwrap_or_else(|| self.params.empty.clone())))
    }

    fn read(&mut self, action: &str, result: &str) {
        if self.no_effect.as_ref().is_some_and(|pattern| pattern.is_match(result)) {
            return;
        }
        for index in 0..self.rules.len() {
            let (pattern, rule) = &self.rules[index];
            let texts = rule.on.of(action, result);
            let values: Vec<String> =
                texts.iter().flat_map(|text| pattern.captures_iter(text)).map(|found| self.filled(&expand(&found, &rule.value))).collect();
            let (name, how) = (rule.set.clone(), rule.how);
            for value in values {
                self.apply(&name, how, value);
            }
        }
    }

    fn apply(&mut self, name: &str, how: How, value: String) {
        let values = self.facts.entry(name.to_owned()).or_default();
        match how {
            How::Replace => *values = vec![value],
            How::Add if !values.contains(&value) => values.push(value),
            How::Add => {}
            How::Remove => values.retain(|known| *known != value),
            How::Clear => values.clear(),
        }
        if values.len() > self.params.most {
            values.remove(0);
        }
    }

    fn line(&self) -> String {
        let nothing = self.facts.values().all(Vec::is_empty);
        if nothing && !self.params.always { String::new() } else { self.filled(&self.params.line) }
    }
}

impl Processor for MemoryLine {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::StepStart { turns } if !self.begun => {
                self.begun = true;
                self.read("", observed(turns));
                Ok(Action::Pass)
            }
            Event::AfterTool { call, result, .. } => {
                self.read(action_of(call), &result.text);
                Ok(Action::Pass)
            }
            Event::BeforeModel { turns, .. } => Ok(with_line(turns, &self.line())),
            Event::TaskStart { .. }
            | Event::StepStart { .. }
            | Event::AfterModel { .. }
            | Event::BeforeTool { .. }
            | Event::StepEnd { .. }
            | Event::TaskEnd { .. } => Ok(Action::Pass),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, refused};

    const PARAMS: &str = r#"
        line = "Held: {held}. Seen: {seen}."
        no_effect = "^nothing"
        [[patterns]]
        when = "^you lift the (.+)"
        set = "held"
        value = "$1"
        [[patterns]]
        when = "^drop"
        on = "action"
        set = "held"
        how = "clear"
        [[patterns]]
        when = "^walk to (.+)"
        on = "action"
        set = "place"
        value = "$1"
        [[patterns]]
        when = "a (\\w+ \\d)"
        set = "seen"
        value = "$1 at {place}"
        how = "add"
    "#;

    #[test]
    fn facts_come_and_go_and_are_shown_after_the_observation() {
        let mut drive = Drive::new(&NATIVE, PARAMS);
        assert_eq!(drive.before_model("hall", &[]).last_user, None);
        drive.after_tool("walk to barn", "there is a cup 1 and a cup 2", &[]);
        drive.after_tool("lift cup 1", "you lift the cup 1", &[]);
        let shown = drive.before_model("hall", &[]).last_user.unwrap();
        assert_eq!(shown, "hall\nHeld: cup 1. Seen: cup 1 at barn, cup 2 at barn.");
        drive.after_tool("drop cup 1", "nothing happens", &[]);
        drive.after_tool("drop cup 1", "you drop it", &[]);
        let shown = drive.before_model("hall", &[]).last_user.unwrap();
        assert!(shown.contains("Held: nothing."), "{shown}");
    }

    #[test]
    fn unknown_names_are_refused() {
        assert!(refused(&NATIVE, "line = \"{held}\"").starts_with("line"));
        assert!(refused(&NATIVE, "[[patterns]]\nwhen = \"(\"\nset = \"a\"").starts_with("patterns[0].when"));
    }
}
