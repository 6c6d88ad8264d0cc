//! What a set of edits does to a harness. All names are looked up in the harness as it stands before the edits and all edits take effect
//! at once, so their order means nothing.

use super::bundle::{Conflict, Thing};
use super::find::{Finder, Target};
use super::{Edit, EditError, Groups};
use crate::domain::harness::{FILE_LIMIT, Harness, Manifest, PROCESSORS_LIMIT, ProcessorSpec, check_path, sorted};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// Most tables that a key leads into.
const KEY_DEPTH: usize = 8;

/// Edits with what each one touches in a certain harness.
pub(super) struct Resolved<'a> {
    harness: &'a Harness,
    groups: &'a Groups,
    /// Equal edits are one.
    pub(super) edits: Vec<Edit>,
    targets: Vec<Option<Target>>,
}

/// Applies edits at once.
pub(super) fn apply(edits: &[Edit], harness: &Harness, groups: &Groups) -> Result<Harness, EditError> {
    let resolved = Resolved::new(edits, harness, groups)?;
    let conflicts = resolved.conflicts();
    if !conflicts.is_empty() {
        return Err(EditError::Conflicts(conflicts));
    }
    let mut manifest = resolved.settings()?;
    manifest.processors = resolved.processors()?;
    Ok(Harness { manifest, files: resolved.files()? })
}

impl<'a> Resolved<'a> {
    /// Looks up what the edits mean; names become those of the harness, equal edits become one.
    pub(super) fn new(edits: &[Edit], harness: &'a Harness, groups: &'a Groups) -> Result<Self, EditError> {
        let finder = Finder::new(harness, groups);
        let mut kept: Vec<Edit> = Vec::new();
        for edit in edits {
            let edit = finder.named(edit)?;
            if !kept.contains(&edit) {
                kept.push(edit);
            }
        }
        let targets = kept.iter().map(|edit| finder.target(edit, &kept)).collect::<Result<_, _>>()?;
        Ok(Self { harness, groups, edits: kept, targets })
    }

    /// What an edit touches.
    fn things(&self, index: usize) -> Vec<Thing> {
        let group = |spec: &ProcessorSpec| self.groups.of(spec).map(|group| Thing::Group(group.to_owned()));
        let whole = || self.targets[index].clone().map(Thing::Processor);
        match &self.edits[index] {
            Edit::Insert { processor, .. } => group(processor).into_iter().collect(),
            Edit::Replace { with, .. } => whole().into_iter().chain(group(with)).collect(),
            Edit::Remove { .. } => whole().into_iter().collect(),
            Edit::SetParam { key, .. } => self.targets[index].clone().map(|target| Thing::Param(target, key.clone())).into_iter().collect(),
            Edit::Set { key, .. } => vec![Thing::Setting(key.clone())],
            Edit::WriteFile { path, .. } | Edit::RemoveFile { path } => vec![Thing::File(path.clone())],
        }
    }

    /// Every pair of edits that touches one thing.
    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        let things: Vec<Vec<Thing>> = (0..self.edits.len()).map(|index| self.things(index)).collect();
        let mut found = Vec::new();
        for (second, of_second) in things.iter().enumerate() {
            for (first, of_first) in things[..second].iter().enumerate() {
                let shared = of_first.iter().find(|thing| of_second.iter().any(|other| thing.overlaps(other)));
                if let Some(thing) = shared {
                    let thing = self.describe(thing);
                    found.push(Conflict { thing, one: self.edits[first].clone(), two: self.edits[second].clone() });
                }
            }
        }
        found
    }

    fn describe(&self, thing: &Thing) -> String {
        let name = |target: &Target| match target {
            Target::Old(index) => self.harness.manifest.names().get(*index).map_or_else(String::new, ToString::to_string),
            Target::New(index) => match &self.edits[*index] {
                Edit::Insert { processor, .. } => processor.label().to_owned(),
                Edit::Replace { .. }
                | Edit::Remove { .. }
                | Edit::SetParam { .. }
                | Edit::Set { .. }
                | Edit::WriteFile { .. }
                | Edit::RemoveFile { .. } => String::new(),
            },
        };
        match thing {
            Thing::Processor(target) | Thing::Param(target, _) => format!("processor {}", name(target)),
            Thing::Group(group) => format!("group {group}"),
            Thing::Setting(key) => format!("setting {key}"),
            Thing::File(path) => format!("file {path}"),
        }
    }

    fn processors(&self) -> Result<Vec<ProcessorSpec>, EditError> {
        let mut old: Vec<Option<ProcessorSpec>> = self.harness.manifest.processors.iter().cloned().map(Some).collect();
        let mut new: BTreeMap<usize, ProcessorSpec> = BTreeMap::new();
        for (index, edit) in self.edits.iter().enumerate() {
            match (edit, &self.targets[index]) {
                (Edit::Insert { processor, .. }, _) => drop(new.insert(index, processor.clone())),
                (Edit::Replace { with, .. }, Some(Target::Old(at))) => old[*at] = Some(with.clone()),
                (Edit::Remove { .. }, Some(Target::Old(at))) => old[*at] = None,
                _ => {}
            }
        }
        for (edit, target) in self.edits.iter().zip(&self.targets) {
            let Edit::SetParam { key, value, .. } = edit else { continue };
            let spec = match target {
                Some(Target::Old(at)) => old[*at].as_mut(),
                Some(Target::New(at)) => new.get_mut(at),
                None => None,
            };
            if let Some(spec) = spec {
                put(&mut spec.params, key, value.as_ref()).map_err(|problem| EditError::Key { key: key.clone(), problem })?;
            }
        }
        let listed = self.listed(old, new);
        if listed.len() > PROCESSORS_LIMIT {
            return Err(EditError::TooMany { count: listed.len() });
        }
        self.check_groups(&listed)?;
        Ok(listed)
    }

    /// Old and new processors in one list.
    fn listed(&self, old: Vec<Option<ProcessorSpec>>, mut new: BTreeMap<usize, ProcessorSpec>) -> Vec<ProcessorSpec> {
        let end = old.len();
        let mut inserts: Vec<(usize, u32, String, usize)> = Vec::new();
        for (index, (edit, target)) in self.edits.iter().zip(&self.targets).enumerate() {
            if let Edit::Insert { rank, .. } = edit {
                let place = if let Some(Target::Old(at)) = target { *at } else { end };
                inserts.push((place, *rank, canonical(edit), index));
            }
        }
        inserts.sort();
        let mut inserts = inserts.into_iter().peekable();
        let mut listed = Vec::new();
        for (place, spec) in old.into_iter().map(Some).chain([None]).enumerate() {
            while let Some((_, _, _, index)) = inserts.next_if(|(at, ..)| *at == place) {
                listed.extend(new.remove(&index));
            }
            listed.extend(spec.flatten());
        }
        listed
    }

    /// A group that an edit fills must hold nothing else.
    fn check_groups(&self, listed: &[ProcessorSpec]) -> Result<(), EditError> {
        for edit in &self.edits {
            let (Edit::Insert { processor: spec, .. } | Edit::Replace { with: spec, .. }) = edit else { continue };
            let Some(group) = self.groups.of(spec) else { continue };
            let holders: Vec<&str> = listed.iter().filter(|other| self.groups.of(other) == Some(group)).map(ProcessorSpec::label).collect();
            if let [one, two, ..] = holders.as_slice() {
                let holder = if *one == spec.label() { two } else { one };
                return Err(EditError::GroupTaken {
                    processor: spec.label().to_owned(),
                    group: group.to_owned(),
                    holder: (*holder).to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The manifest with its settings changed, without processors.
    fn settings(&self) -> Result<Manifest, EditError> {
        let mut manifest = Manifest { processors: Vec::new(), ..self.harness.manifest.clone() };
        for edit in &self.edits {
            let Edit::Set { key, value } = edit else { continue };
            let wrong = |problem: String| EditError::Key { key: key.clone(), problem };
            if !matches!(key.split('.').next(), Some("name" | "description" | "agents" | "slots")) {
                return Err(wrong("not a setting; there are name, description and those below agents and slots".to_owned()));
            }
            let mut table = Table::try_from(&manifest).map_err(|error| wrong(error.to_string()))?;
            put(&mut table, key, value.as_ref()).map_err(wrong)?;
            manifest = Manifest::deserialize(Value::Table(table)).map_err(|error| wrong(error.message().trim().to_owned()))?;
        }
        Ok(manifest)
    }

    fn files(&self) -> Result<BTreeMap<String, Vec<u8>>, EditError> {
        let mut files = self.harness.files.clone();
        let wrong = |path: &str, problem: String| EditError::File { path: path.to_owned(), problem };
        for edit in &self.edits {
            if let Edit::RemoveFile { path } = edit
                && files.remove(path).is_none()
            {
                return Err(wrong(path, "the harness has no such file".to_owned()));
            }
        }
        let mut written = BTreeSet::new();
        for edit in &self.edits {
            let Edit::WriteFile { path, text } = edit else { continue };
            check_path(path).map_err(|problem| wrong(path, problem))?;
            if text.len() as u64 > FILE_LIMIT {
                return Err(wrong(path, format!("{} bytes; a file of a harness has at most {FILE_LIMIT}", text.len())));
            }
            files.insert(path.clone(), text.clone().into_bytes());
            written.insert(path);
        }
        for path in written {
            let above = path.match_indices('/').map(|(at, _)| &path[..at]).find(|folder| files.contains_key(*folder));
            let inside = format!("{path}/");
            let below = files.range(inside.clone()..).next().map(|(other, _)| other.as_str()).filter(|other| other.starts_with(&inside));
            if let Some(other) = above.or(below) {
                return Err(wrong(path, format!("{other} is there: a name is a file or a folder, not both")));
            }
        }
        Ok(files)
    }
}

/// Sets or removes what a dotted key leads to.
fn put(table: &mut Table, key: &str, value: Option<&Value>) -> Result<(), String> {
    let parts: Vec<&str> = key.split('.').collect();
    if parts.len() > KEY_DEPTH || parts.iter().any(|part| part.is_empty()) {
        return Err(format!("a key is 1 to {KEY_DEPTH} names with dots between"));
    }
    put_at(table, &parts, value)
}

fn put_at(table: &mut Table, parts: &[&str], value: Option<&Value>) -> Result<(), String> {
    let [head, rest @ ..] = parts else { return Ok(()) };
    if rest.is_empty() {
        match value {
            Some(value) => drop(table.insert((*head).to_owned(), value.clone())),
            None => drop(table.remove(*head)),
        }
        return Ok(());
    }
    match table.get_mut(*head) {
        Some(Value::Table(inner)) => put_at(inner, rest, value),
        Some(_) => Err(format!("{head} is not a table")),
        None if value.is_none() => Ok(()),
        None => {
            let mut inner = Table::new();
            put_at(&mut inner, rest, value)?;
            table.insert((*head).to_owned(), Value::Table(inner));
            Ok(())
        }
    }
}

/// A text that is equal for equal edits.
pub(super) fn canonical(edit: &Edit) -> String {
    Value::try_from(edit).map(|value| sorted(value).to_string()).unwrap_or_default()
}
