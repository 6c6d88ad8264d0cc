//! From two harnesses to the edits that lead from one to the other.

use super::{Edit, EditError, Which};
use crate::domain::harness::{Harness, Manifest, ProcessorSpec};
use crate::domain::id::ProcessorName;
use toml::{Table, Value};

/// The edits that make `to` of `from`: applied as one bundle they give exactly `to`.
///
/// # Errors
/// [`EditError::File`] where a changed file is not text.
pub fn diff(from: &Harness, to: &Harness) -> Result<Vec<Edit>, EditError> {
    let mut edits = Vec::new();
    processors(&from.manifest, &to.manifest, &mut edits);
    settings(&table_of(&from.manifest), &table_of(&to.manifest), "", &mut edits);
    for path in from.files.keys().filter(|path| !to.files.contains_key(*path)) {
        edits.push(Edit::RemoveFile { path: path.clone() });
    }
    for (path, bytes) in to.files.iter().filter(|(path, bytes)| from.files.get(*path) != Some(*bytes)) {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| EditError::File { path: path.clone(), problem: "not UTF-8 text, and edits carry text only".to_owned() })?;
        edits.push(Edit::WriteFile { path: path.clone(), text: text.to_owned() });
    }
    Ok(edits)
}

fn table_of(manifest: &Manifest) -> Table {
    Table::try_from(Manifest { processors: Vec::new(), ..manifest.clone() }).unwrap_or_default()
}

/// An agent comes as a whole; of one that stays, only what changed is set.
fn settings(from: &Table, to: &Table, above: &str, edits: &mut Vec<Edit>) {
    let under = |key: &str| if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
    let are_plain = |table: &Table| table.keys().all(|name| is_plain(name));
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        edits.push(Edit::Set { key: under(key), value: None });
    }
    for (key, value) in to.iter().filter(|(key, value)| from.get(*key) != Some(*value)) {
        match (from.get(key), value) {
            (Some(Value::Table(old)), Value::Table(new)) if are_plain(old) && are_plain(new) => settings(old, new, &under(key), edits),
            (None, Value::Table(new)) if !new.is_empty() && are_plain(new) && above != "agents" => {
                settings(&Table::new(), new, &under(key), edits);
            }
            _ => edits.push(Edit::Set { key: under(key), value: Some(value.clone()) }),
        }
    }
}

fn processors(from: &Manifest, to: &Manifest, edits: &mut Vec<Edit>) {
    let names = from.names();
    let at = |index: usize| Which::Processor(names[index].clone());
    let (mut old, mut rank) = (0, 0);
    let pairs = common(&from.processors, &to.processors);
    let mut pairs = pairs.into_iter().peekable();
    for (index, spec) in to.processors.iter().enumerate() {
        let Some((kept, _)) = pairs.next_if(|(_, new)| *new == index) else {
            let before = pairs.peek().map(|(next, _)| at(*next));
            edits.push(Edit::Insert { processor: spec.clone(), before, rank });
            rank += 1;
            continue;
        };
        edits.extend((old..kept).map(|index| Edit::Remove { which: at(index) }));
        changed(&names[kept], &from.processors[kept], spec, edits);
        (old, rank) = (kept + 1, 0);
    }
    edits.extend((old..from.processors.len()).map(|index| Edit::Remove { which: at(index) }));
}

/// A name that a key of an edit can hold.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains('.')
}

/// How one processor became what it is.
fn changed(name: &ProcessorName, old: &ProcessorSpec, new: &ProcessorSpec, edits: &mut Vec<Edit>) {
    let which = || Which::Processor(name.clone());
    if old == new {
        return;
    }
    let only_params = ProcessorSpec { params: new.params.clone(), ..old.clone() } == *new;
    if !only_params || !old.params.keys().chain(new.params.keys()).all(|name| is_plain(name)) {
        edits.push(Edit::Replace { which: which(), with: new.clone() });
        return;
    }
    for key in old.params.keys().filter(|key| !new.params.contains_key(*key)) {
        edits.push(Edit::SetParam { which: which(), key: key.clone(), value: None });
    }
    for (key, value) in new.params.iter().filter(|(key, value)| old.params.get(*key) != Some(*value)) {
        edits.push(Edit::SetParam { which: which(), key: key.clone(), value: Some(value.clone()) });
    }
}

/// Places of the processors that both lists have in the same order: a longest common subsequence by label.
fn common(from: &[ProcessorSpec], to: &[ProcessorSpec]) -> Vec<(usize, usize)> {
    let mut length = vec![vec![0_u32; to.len() + 1]; from.len() + 1];
    for (i, old) in from.iter().enumerate().rev() {
        for (j, new) in to.iter().enumerate().rev() {
            length[i][j] = if old.label() == new.label() { length[i + 1][j + 1] + 1 } else { length[i + 1][j].max(length[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < from.len() && j < to.len() {
        if from[i].label() == to[j].label() {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if length[i + 1][j] >= length[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}
