//! Memory kept across episodes, as files of the harness, and notes taken within one. Reads `*.md` under a folder: each list item or
//! paragraph is an entry; headings are left out. Entries that share most with the task go into the system prompt.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::runtime::native::pattern::{action_of, check_names, compile, expand, fill, with_line, with_section, within};
use crate::runtime::native::words::{ranked, telling_words};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "memory",
    behaviour: 1,
    group: Some("memory"),
    hooks: &[Hook::TaskStart, Hook::BeforeModel, Hook::AfterTool],
    dimension: Dimension::Memory,
    summary: "Retrieves entries of the harness's memory files that fit the task, and shows notes taken from observations.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Folder of the memory files within the harness, with `/` at its end.
    folder: String,
    /// Most entries retrieved, 0 to 100.
    count: usize,
    /// Words that an entry must share with task and tags, 0 to 100; 0 takes any, best first.
    least: usize,
    /// Put before the entries in the system prompt.
    heading: String,
    /// How notes are taken from results, each match once.
    notes: Vec<Note>,
    /// Line of notes after each observation: `{notes}`. Shown only when there are any.
    note_line: String,
    /// Most notes kept, 1 to 1000; the oldest go first.
    most_notes: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            folder: "prompts/memory/".into(),
            count: 5,
            least: 1,
            heading: "What was learned before:".into(),
            notes: Vec::new(),
            note_line: "Notes: {notes}".into(),
            most_notes: 10,
        }
    }
}

/// How a note is taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    /// Pattern on results.
    when: String,
    /// The note, with `$1` or `${name}` from captures and `{action}` for the action taken.
    value: String,
}

struct Memory {
    params: Params,
    entries: Vec<String>,
    entry_words: Vec<BTreeSet<String>>,
    note_patterns: Vec<(Regex, String)>,
    notes: Vec<String>,
}

fn build(params: &toml::Table, harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("count", params.count, 0, 100)?;
    within("least", params.least, 0, 100)?;
    within("most_notes", params.most_notes, 1, 1000)?;
    check_names("note_line", &params.note_line, &["notes"])?;
    let mut note_patterns = Vec::new();
    for (index, note) in params.notes.iter().enumerate() {
        check_names(&format!("notes[{index}].value"), &note.value, &["action"])?;
        note_patterns.push((compile(&format!("notes[{index}].when"), &note.when)?, note.value.clone()));
    }
    let files = harness.files.keys().filter(|path| path.starts_with(&params.folder) && path.strip_suffix(".md").is_some());
    let entries: Vec<String> = files.filter_map(|path| harness.text(path)).flat_map(entries_of).collect();
    let entry_words = entries.iter().map(|entry| telling_words(entry)).collect();
    Ok(Box::new(Memory { params, entries, entry_words, note_patterns, notes: Vec::new() }))
}

/// List items and paragraphs of a file.
fn entries_of(text: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    let mut begins = true;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            begins = true;
            continue;
        }
        let item = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
        match entries.last_mut() {
            Some(entry) if !begins && item.is_none() => {
                entry.push(' ');
                entry.push_str(line);
            }
            Some(_) | None => entries.push(item.unwrap_or(line).to_owned()),
        }
        begins = false;
    }
    entries
}

impl Memory {
    fn retrieved(&self, scene: &Scene<'_>) -> Vec<&str> {
        let tags: Vec<&str> = scene.tags.values().map(String::as_str).collect();
        let query = format!("{} {}", scene.task, tags.join(" "));
        let mut order = ranked(&query, &self.entry_words, self.params.least);
        if self.params.least == 0 {
            let rest: Vec<usize> = (0..self.entries.len()).filter(|index| !order.contains(index)).collect();
            order.extend(rest);
        }
        order.into_iter().take(self.params.count).map(|index| self.entries[index].as_str()).collect()
    }

    fn take_notes(&mut self, action: &str, result: &str) {
        for (pattern, value) in &self.note_patterns {
            for found in pattern.captures_iter(result) {
                let template = fill(value, |name| (name == "action").then(|| action.replace('$', "$$")));
                let note = expand(&found, &template);
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
                if self.notes.len() > self.params.most_notes {
                    self.notes.remove(0);
                }
            }
        }
    }
}

impl Processor for Memory {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::TaskStart { system, .. } => {
                let retrieved = self.retrieved(scene);
                if retrieved.is_empty() {
                    return Ok(Action::Pass);
                }
                Ok(with_section(system, &format!("{}\n- {}", self.params.heading, retrieved.join("\n- "))))
            }
            Event::AfterTool { call, result, .. } => {
                self.take_notes(action_of(call), &result.text);
                Ok(Action::Pass)
            }
            Event::BeforeModel { turns, .. } if !self.notes.is_empty() => {
                let line = fill(&self.params.note_line, |name| (name == "notes").then(|| self.notes.join("; ")));
                Ok(with_line(turns, &line))
            }
            Event::StepStart { .. }
            | Event::BeforeModel { .. }
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

    const FILE: &str = "# Learned\n\n- Stones lie in the yard\n  near the gate.\n- Cups are blue.\n\nA red stone is rare.\n";

    #[test]
    fn entries_that_fit_the_task_go_into_the_system_prompt() {
        let files = [("prompts/memory/a.md", FILE), ("prompts/other.md", "stone red")];
        let mut drive = Drive::with_files(&NATIVE, "count = 2", &files).task("bring a red stone");
        let system = drive.task_start("Act.").0.unwrap();
        assert_eq!(system, "Act.\n\nWhat was learned before:\n- A red stone is rare.\n- Stones lie in the yard near the gate.");
        let mut drive = Drive::with_files(&NATIVE, "", &files).task("rest");
        assert_eq!(drive.task_start("Act.").0, None);
    }

    #[test]
    fn notes_are_taken_once_and_shown() {
        let params = "most_notes = 2\n[[notes]]\nwhen = \"a (\\\\w+) lies\"\nvalue = \"$1 ({action})\"";
        let mut drive = Drive::new(&NATIVE, params);
        assert_eq!(drive.before_model("hall", &[]).last_user, None);
        for (action, result) in [("x", "a cup lies here"), ("y", "a stone lies here"), ("y", "a stone lies"), ("z$1", "a rod lies")] {
            drive.after_tool(action, result, &[]);
        }
        assert_eq!(drive.before_model("hall", &[]).last_user.as_deref(), Some("hall\nNotes: stone (y); rod (z$1)"));
        assert!(refused(&NATIVE, "notes = [{ when = \"(\", value = \"\" }]").starts_with("notes[0].when"));
    }
}
