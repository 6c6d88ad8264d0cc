//! The manifest against the harness: its edits give exactly that harness, and files, buckets and limits that change are declared.

use super::{Case, Found, Place, Rule};
use crate::domain::harness::{HARNESS_FILE, Harness, Limits};
use crate::domain::id::HarnessId;
use crate::runtime::assembly::Assembly;
use crate::runtime::native;
use crate::store::harness_dir::tree_id;
use serde::Deserialize;
use std::collections::BTreeSet;

/// The edits, applied again to the parent, give the harness that is judged, and both have the identities the manifest names.
pub(super) fn reproduced(case: &Case<'_>) -> Vec<Found> {
    let (manifest, harness, parent) = (case.proposal.manifest, case.proposal.harness, case.proposal.parent);
    let mut wrong = Vec::new();
    match manifest.bundle().apply(parent, &native::groups()) {
        Err(error) => wrong.push(("edits", format!("the edits do not fit the parent: {error}"))),
        Ok(made) if !is_same(&made, harness) => wrong.push(("edits", "the edits do not give the harness that is judged".to_owned())),
        Ok(_) => {}
    }
    for (key, said, of) in [("parent", &manifest.parent, parent), ("harness", &manifest.harness, harness)] {
        match identity(of) {
            Ok(id) if id == *said => {}
            Ok(_) => wrong.push((key, format!("the {key} named is not the {key} at hand"))),
            Err(problem) => wrong.push((key, format!("the {key} does not pass its check: {problem}"))),
        }
    }
    wrong.into_iter().map(|(key, text)| Found::new(Rule::NotReproduced, Place::Manifest(key.to_owned()), text)).collect()
}

/// Whether two harnesses do the same.
pub(super) fn is_same(one: &Harness, two: &Harness) -> bool {
    one == two || (one.files == two.files && identity(one).is_ok_and(|id| identity(two).is_ok_and(|other| id == other)))
}

/// The git tree id of the canonical form.
fn identity(harness: &Harness) -> Result<HarnessId, String> {
    let first = |problems: Vec<crate::domain::harness::Problem>| problems.first().map_or_else(String::new, ToString::to_string);
    let assembly = Assembly::new(harness.clone(), &[]).map_err(first)?;
    tree_id(assembly.canonical_manifest(), &assembly.harness().files).map_err(|error| error.to_string())
}

/// Every file that differs from the parent's is named in `file_changes`.
pub(super) fn files(case: &Case<'_>) -> Vec<Found> {
    let (harness, parent) = (case.proposal.harness, case.proposal.parent);
    let mut changed: BTreeSet<&str> = BTreeSet::new();
    changed.extend(harness.files.keys().chain(parent.files.keys()).map(String::as_str));
    changed.retain(|path| harness.files.get(*path) != parent.files.get(*path));
    if harness.manifest != parent.manifest {
        changed.insert(HARNESS_FILE);
    }
    let declared = &case.proposal.manifest.file_changes;
    changed.retain(|path| !declared.iter().any(|file| file == path));
    let silent = |path: &str| Found::new(Rule::UndeclaredFile, Place::File(path.to_owned(), 0), "a file that changes and is not declared");
    changed.into_iter().map(silent).collect()
}

/// Every bucket that an edit touches is named in `buckets`.
pub(super) fn buckets(case: &Case<'_>) -> Vec<Found> {
    let manifest = case.proposal.manifest;
    let silent = manifest.edits.iter().enumerate().filter(|(_, edit)| !manifest.buckets.contains(&edit.bucket()));
    let found = silent.map(|(index, edit)| {
        let text = format!("it touches bucket {}, which is not declared", edit.bucket());
        Found::new(Rule::UndeclaredBucket, Place::Edit(index + 1), text)
    });
    found.collect()
}

/// Limits that differ from the parent's are the ones in `resources`, those of a `budget` processor included.
pub(super) fn resources(case: &Case<'_>) -> Vec<Found> {
    let (before, after) = (limits_in_force(case.proposal.parent), limits_in_force(case.proposal.harness));
    let slots = case.proposal.harness.manifest.slots.limits;
    let said = case.proposal.manifest.resources;
    let is_declared = said.is_some_and(|said| said == after || said == slots);
    let text = if before != after && !is_declared {
        format!("an episode may use {} where the parent may use {}, and that is not declared", shown(&after), shown(&before))
    } else if before == after && said.is_some() && !is_declared {
        "other limits are declared than the harness has".to_owned()
    } else {
        return Vec::new();
    };
    vec![Found::new(Rule::UndeclaredResources, Place::Manifest("resources".to_owned()), text)]
}

/// What an episode may use: the slots' limits and those of processors that end it, whichever is tighter. A manifest declares these where
/// they differ from the parent's.
pub fn limits_in_force(harness: &Harness) -> Limits {
    let budgets = harness.manifest.processors.iter().filter(|spec| spec.native.as_deref() == Some("budget"));
    let ends = budgets.filter(|spec| spec.params.get("interrupt").and_then(toml::Value::as_bool).unwrap_or(true));
    let of = |spec: &crate::domain::harness::ProcessorSpec| Limits::deserialize(spec.params.get("limits")?.clone()).ok();
    ends.filter_map(of).fold(harness.manifest.slots.limits, |tightest, limits| tightest.tightest(&limits))
}

fn shown(limits: &Limits) -> String {
    let parts = [
        limits.steps.map(|steps| format!("{steps} steps")),
        limits.tokens.map(|tokens| format!("{tokens} tokens")),
        limits.cost.map(|cost| format!("{cost} dollars")),
        limits.seconds.map(|seconds| format!("{seconds} seconds")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "whatever the benchmark allows".to_owned() } else { parts.join(", ") }
}
