//! Shows whole played examples before the conversation begins, never one of the task itself. Reads a file of the harness:
//!
//! ```toml
//! [[demonstration]]
//! tags = { kind = "a" }
//! turns = [{ user = "…" }, { assistant = "…" }]
//! ```

use crate::domain::event::{Action, Event, Hook, Replace, Scene};
use crate::domain::harness::{Harness, line_of};
use crate::domain::message::Message;
use crate::domain::task::Tags;
use crate::runtime::native::pattern::within;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "few_shot",
    behaviour: 2,
    group: Some("few_shot"),
    hooks: &[Hook::TaskStart],
    dimension: Dimension::ContextAssembly,
    summary: "Shows demonstrations before the conversation, chosen by a tag of the task.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// File of demonstrations within the harness.
    file: String,
    /// Most demonstrations shown, 1 to 64; the first ones in the order of the file.
    count: usize,
    /// Tag by which they are chosen: only those with the task's value of this tag, or any where there is none. Empty: any.
    by: String,
}

impl Default for Params {
    fn default() -> Self {
        Self { file: "prompts/demonstrations.toml".into(), count: 2, by: String::new() }
    }
}

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Demonstrations {
    /// The examples, in order.
    #[serde(default)]
    pub demonstration: Vec<Demonstration>,
}

/// One played example.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Demonstration {
    /// By which it is chosen.
    #[serde(default)]
    pub tags: Tags,
    /// User and assistant in turn, user first, assistant last.
    pub turns: Vec<Spoken>,
}

/// One turn of an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Spoken {
    /// What the world said.
    User(String),
    /// What the agent said.
    Assistant(String),
}

impl Demonstration {
    /// Whether its opening holds a task of this text.
    fn asks(&self, task: &str) -> bool {
        let task = task.trim();
        let opening = self.turns.first().map_or("", Spoken::text);
        !task.is_empty() && opening.contains(task)
    }
}

impl Spoken {
    fn text(&self) -> &str {
        match self {
            Self::User(text) | Self::Assistant(text) => text,
        }
    }

    fn message(&self) -> Message {
        match self {
            Self::User(text) => Message::user(text.as_str()),
            Self::Assistant(text) => Message::assistant(text.as_str()),
        }
    }
}

struct FewShot {
    params: Params,
    demonstrations: Vec<Demonstration>,
}

fn build(params: &toml::Table, harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("count", params.count, 1, 64)?;
    let file = &params.file;
    let text = harness.text(file).ok_or_else(|| format!("file: {file} is not in the harness"))?;
    let read: Demonstrations = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        format!("{file}:{line}: {}", error.message().trim().replace('\n', " "))
    })?;
    for (index, demonstration) in read.demonstration.iter().enumerate() {
        check(demonstration).map_err(|problem| format!("{file}: demonstration {}: {problem}", index + 1))?;
    }
    Ok(Box::new(FewShot { params, demonstrations: read.demonstration }))
}

fn check(demonstration: &Demonstration) -> Result<(), String> {
    if demonstration.turns.is_empty() || demonstration.turns.len() % 2 == 1 {
        return Err("it must begin with the user and end with the assistant".into());
    }
    for (index, turn) in demonstration.turns.iter().enumerate() {
        if matches!(turn, Spoken::User(_)) != (index % 2 == 0) {
            return Err(format!("turn {} is out of turn: user and assistant must alternate", index + 1));
        }
    }
    Ok(())
}

impl FewShot {
    /// Those that fit the task, in the order of the file. An example that was asked the same is left out: it may be the task itself.
    fn chosen(&self, task: &str, tags: &Tags) -> Vec<&Demonstration> {
        let others = || self.demonstrations.iter().filter(|demonstration| !demonstration.asks(task));
        let all = || others().take(self.params.count);
        let Some(value) = tags.get(&self.params.by) else { return all().collect() };
        let fits = |demonstration: &&Demonstration| demonstration.tags.get(&self.params.by) == Some(value);
        let chosen: Vec<_> = others().filter(fits).take(self.params.count).collect();
        if chosen.is_empty() { all().collect() } else { chosen }
    }
}

impl Processor for FewShot {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::TaskStart { demonstrations, .. } = event else { return Ok(Action::Pass) };
        let chosen = self.chosen(scene.task, scene.tags);
        if chosen.is_empty() {
            return Ok(Action::Pass);
        }
        let mut all = demonstrations.to_vec();
        all.extend(chosen.iter().flat_map(|demonstration| demonstration.turns.iter().map(Spoken::message)));
        Ok(Action::Replace(Replace::TaskStart { system: None, demonstrations: Some(all) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, harness};

    const FILE: &str = r#"
        [[demonstration]]
        tags = { kind = "a" }
        turns = [{ user = "a1" }, { assistant = "a2" }]
        [[demonstration]]
        tags = { kind = "b" }
        turns = [{ user = "b1" }, { assistant = "b2" }]
    "#;

    fn shown(params: &str, kind: &str) -> Vec<String> {
        let mut drive = Drive::with_files(&NATIVE, params, &[("prompts/demonstrations.toml", FILE)]).tag("kind", kind);
        let messages = drive.task_start("").1.unwrap();
        messages.iter().map(|message| message.text().to_owned()).collect()
    }

    #[test]
    fn the_tag_chooses_and_any_will_do_where_none_fits() {
        assert_eq!(shown("by = \"kind\"", "b"), ["b1", "b2"]);
        assert_eq!(shown("by = \"kind\"", "c"), ["a1", "a2", "b1", "b2"]);
        assert_eq!(shown("count = 1", "b"), ["a1", "a2"]);
    }

    #[test]
    fn a_task_is_never_shown_its_own_demonstration() {
        let file = "[[demonstration]]\nturns = [{ user = \"Hall.\\nYour task: lift it.\" }, { assistant = \"lift\" }]";
        let shown = |task: &str| {
            Drive::with_files(&NATIVE, "", &[("prompts/demonstrations.toml", file)])
                .task(task)
                .task_start("")
                .1
                .map_or(0, |turns| turns.len())
        };
        assert_eq!((shown("lift it."), shown("drop it.")), (0, 2));
    }

    #[test]
    fn bad_files_are_build_errors() {
        let error = |file: &str| {
            let files = [("prompts/demonstrations.toml", file)];
            (NATIVE.build)(&toml::Table::new(), &harness(&files)).err().unwrap()
        };
        assert!(error("[[demonstration]]\nturns = [{ user = \"x\" }]").contains("end with the assistant"));
        assert!(error("[[demonstration]]\nturns = 3").contains("prompts/demonstrations.toml:2"));
        assert!((NATIVE.build)(&toml::Table::new(), &harness(&[])).err().unwrap().starts_with("file"));
    }
}
