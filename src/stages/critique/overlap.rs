//! Doing what is there already: an edit that changes nothing, a processor beside its double, a group's rule dodged, a file copied.

use super::{Case, Found, Place, Rule, declared};
use crate::domain::harness::ProcessorSpec;
use crate::runtime::native;

/// A candidate brings something that the harness does not have.
pub(super) fn already_there(case: &Case<'_>) -> Vec<Found> {
    let (harness, parent) = (case.proposal.harness, case.proposal.parent);
    if declared::is_same(harness, parent) {
        return vec![Found::new(Rule::Overlap, Place::Manifest("edits".to_owned()), "it changes nothing")];
    }
    let specs = &harness.manifest.processors;
    // Two that stood beside each other before are the parent's doing, whatever is changed in one of them.
    let stood = |spec: &ProcessorSpec| parent.manifest.processors.iter().any(|old| old.label() == spec.label() && old.group == spec.group);
    let mut found = Vec::new();
    for (index, spec) in specs.iter().enumerate().filter(|(_, spec)| !parent.manifest.processors.contains(spec)) {
        let mut others = specs.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, other)| other);
        let place = || Place::Processor(spec.label().to_owned());
        if others.clone().any(|other| is_double(spec, other)) {
            found.push((place(), format!("{} stands twice with the same parameters", spec.label())));
        } else if let Some(other) = others.find(|other| shares_group(spec, other) && !(stood(spec) && stood(other))) {
            found.push((place(), format!("{} does what {} does; one of them is enough", spec.label(), other.label())));
        }
    }
    for (path, bytes) in harness.files.iter().filter(|(path, bytes)| !bytes.is_empty() && !parent.files.contains_key(*path)) {
        if let Some((other, _)) = parent.files.iter().find(|(other, old)| *old == bytes && harness.files.contains_key(*other)) {
            found.push((Place::File(path.clone(), 0), format!("a copy of {}", other.escape_debug())));
        }
    }
    found.into_iter().map(|(place, text)| Found::new(Rule::Overlap, place, text)).collect()
}

fn is_double(one: &ProcessorSpec, two: &ProcessorSpec) -> bool {
    let complete = |spec: &ProcessorSpec| {
        let native = native::find(spec.native.as_deref()?)?;
        (native.complete)(&spec.params).ok()
    };
    one.label() == two.label() && (one.params == two.params || complete(one).is_some_and(|params| complete(two) == Some(params)))
}

/// Two natives of one group, of which one was given another group's name.
fn shares_group(one: &ProcessorSpec, two: &ProcessorSpec) -> bool {
    let group = |spec: &ProcessorSpec| native::find(spec.native.as_deref()?)?.group;
    group(one).is_some_and(|own| group(two) == Some(own))
}
