//! What the catalog can think of for one incumbent: every edit that it could propose now, with why. `narrowing` (which actions are
//! offered), `context` (what the model reads), `settings` (how replies are drawn, limits, what can go), `scripts` (scripts from the shelf).

mod context;
mod narrowing;
mod scripts;
mod settings;

use super::lessons::{Form, Lessons};
use super::shelf::Shelved;
use crate::domain::digest::{Anchor, Pathology, TaskDigest};
use crate::domain::edit::{Edit, Groups, Which};
use crate::domain::harness::{Harness, ProcessorSpec};
use crate::domain::id::ProcessorName;
use crate::domain::manifest::{AttributionSignature, SignatureKind};
use crate::runtime::native;
use toml::{Table, Value};

/// Processors that narrow what is offered, in the order in which they must stand: what the task is about is decided first, so that what
/// follows chooses among that; the choice itself comes last.
const NARROWING: [&str; 5] = ["goal_term_filter", "tried_actions", "subgoal_tracker", "preferred_actions", "admissible_choice"];

/// One edit that could be proposed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Idea {
    /// What reputation is kept on.
    pub component: String,
    /// One line.
    pub title: String,
    /// What is wrong.
    pub root_cause: String,
    /// How this mends it.
    pub targeted_fix: String,
    /// Why it can work.
    pub claim: String,
    /// Where that was observed.
    pub observed: Vec<Anchor>,
    /// Pathologies that it addresses.
    pub mends: Vec<Pathology>,
    /// How much is expected of it before anything was tried, above 0.
    pub weight: f64,
    /// How it shows in a trace.
    pub signature: AttributionSignature,
    /// The edits.
    pub edits: Vec<Edit>,
}

/// What ideas are made from.
pub(super) struct Sources<'a> {
    /// The incumbent.
    pub incumbent: &'a Harness,
    /// What experience teaches.
    pub lessons: &'a Lessons,
    /// Digests of the train tasks.
    pub digests: &'a [TaskDigest],
}

/// Every idea, in a fixed order.
pub(super) fn ideas(sources: &Sources<'_>) -> Vec<Idea> {
    let mut all = narrowing::ideas(sources);
    all.extend(context::ideas(sources));
    all.extend(settings::ideas(sources));
    all.extend(scripts::ideas(sources));
    all.retain(|idea| !idea.edits.is_empty());
    all
}

impl Sources<'_> {
    /// The first processor of a native, with its name in edits.
    pub fn present(&self, native: &str) -> Option<(ProcessorName, &ProcessorSpec)> {
        let processors = &self.incumbent.manifest.processors;
        let found = processors.iter().position(|spec| spec.native.as_deref() == Some(native))?;
        Some((self.incumbent.manifest.names().get(found)?.clone(), &processors[found]))
    }

    /// A parameter of a native that stands in the harness, as it is or by default.
    pub fn param(&self, native: &str, key: &str) -> Option<Value> {
        let (_, spec) = self.present(native)?;
        (native::find(native)?.complete)(&spec.params).ok()?.get(key).cloned()
    }

    /// The edits that give a native these parameters: one more processor where there is none, else a change of those that differ.
    /// Nothing where its group is taken by another.
    pub fn give(&self, native: &str, params: Table) -> Vec<Edit> {
        if let Some((name, _)) = self.present(native) {
            let differs = |(key, value): &(String, Value)| self.param(native, key).as_ref() != Some(value);
            let set = |(key, value)| Edit::SetParam { which: Which::Processor(name.clone()), key, value: Some(value) };
            return params.into_iter().filter(differs).map(set).collect();
        }
        let processor = ProcessorSpec { native: Some(native.to_owned()), params, ..ProcessorSpec::default() };
        let groups: Groups = native::groups();
        let group = groups.of(&processor);
        if group.is_some() && self.incumbent.manifest.processors.iter().any(|other| groups.of(other) == group) {
            return Vec::new();
        }
        let later = NARROWING.iter().skip_while(|name| **name != native).skip(1);
        let before = later.filter_map(|name| self.first_of(name)).min().and_then(|at| self.incumbent.manifest.names().get(at).cloned());
        vec![Edit::Insert { processor, before: before.map(Which::Processor), rank: 0 }]
    }

    /// The edits that give a script of the shelf these parameters: its file and one more processor where it is not at work, else a change
    /// of the parameters that differ. A script says itself where it runs.
    pub fn give_script(&self, script: &Shelved, params: Table) -> Vec<Edit> {
        let processors = &self.incumbent.manifest.processors;
        if let Some(at) = processors.iter().position(|spec| spec.script.as_deref() == Some(script.path)) {
            let Some(name) = self.incumbent.manifest.names().get(at).cloned() else { return Vec::new() };
            let differs = |(key, value): &(String, Value)| processors[at].params.get(key) != Some(value);
            let set = |(key, value)| Edit::SetParam { which: Which::Processor(name.clone()), key, value: Some(value) };
            return params.into_iter().filter(differs).map(set).collect();
        }
        let processor = ProcessorSpec { script: Some(script.path.to_owned()), params, ..ProcessorSpec::default() };
        let file = Edit::WriteFile { path: script.path.to_owned(), text: script.text.to_owned() };
        vec![file, Edit::Insert { processor, before: None, rank: 0 }]
    }

    fn first_of(&self, native: &str) -> Option<usize> {
        self.incumbent.manifest.processors.iter().position(|spec| spec.native.as_deref() == Some(native))
    }

    /// Places where forms were admitted; the first episodes where there are none.
    pub fn places<'f>(&self, forms: impl Iterator<Item = &'f Form>) -> Vec<Anchor> {
        let mut places: Vec<Anchor> = forms.flat_map(|form| form.places.iter().take(1).cloned()).collect();
        places.sort();
        places.dedup();
        places.truncate(3);
        if places.is_empty() { self.lessons.places.clone() } else { places }
    }
}

/// The trace shows the processor's own records.
fn fires(processor: &str) -> AttributionSignature {
    AttributionSignature { kind: SignatureKind::Processor, name: processor.to_owned(), expected_min_calls: 1 }
}

/// Nothing of its own shows in a trace.
pub(super) fn silent(setting: &str) -> AttributionSignature {
    AttributionSignature { kind: SignatureKind::Setting, name: setting.to_owned(), expected_min_calls: 0 }
}

/// Texts as a parameter.
fn texts(texts: Vec<String>) -> Value {
    Value::Array(texts.into_iter().map(Value::String).collect())
}

/// Parameters from their names and values.
fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A title as it stands within a line: its first letter is small.
fn within_line(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Forms as a person reads them.
fn named<'f>(forms: impl Iterator<Item = &'f Form>) -> String {
    forms.map(|form| format!("\"{}\"", form.template.shown())).collect::<Vec<_>>().join(", ")
}
