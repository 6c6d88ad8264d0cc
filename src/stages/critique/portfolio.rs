//! All candidates together: of two that are nearly the same, the lower-ranked one only spends the gate's rollouts.

use super::{Finding, Place, Proposal, Rule};
use crate::domain::edit::Edit;
use crate::domain::harness::ProcessorSpec;
use std::collections::BTreeSet;
use toml::Value;

/// Share of three-word runs that two nearly equal texts have in common.
const TEXT: f64 = 0.9;

/// Relative difference of two nearly equal numbers.
const NUMBER: f64 = 0.1;

/// A finding for every candidate that is nearly the same as one ranked before it.
pub(super) fn near_duplicates(ranked: &[Proposal<'_>]) -> Vec<Finding> {
    let mut kept: Vec<&Proposal<'_>> = Vec::new();
    let mut found = Vec::new();
    for proposal in ranked {
        let manifest = proposal.manifest;
        match kept.iter().find(|other| is_near(proposal, other)) {
            Some(other) => found.push(Finding {
                candidate: manifest.candidate_id.clone(),
                rule: Rule::NearDuplicate,
                place: Place::Manifest("edits".to_owned()),
                text: format!("nearly the same as {}", other.manifest.candidate_id),
            }),
            None => kept.push(proposal),
        }
    }
    found
}

fn is_near(one: &Proposal<'_>, two: &Proposal<'_>) -> bool {
    let (one, two) = (one.manifest, two.manifest);
    if one.harness == two.harness {
        return true;
    }
    let mut left: Vec<&Edit> = two.edits.iter().collect();
    let matched = |edit: &Edit| {
        let at = left.iter().position(|other| edits_near(edit, other))?;
        Some(left.swap_remove(at))
    };
    one.parent == two.parent && one.edits.len() == two.edits.len() && one.edits.iter().map(matched).all(|found| found.is_some())
}

fn edits_near(one: &Edit, two: &Edit) -> bool {
    match (one, two) {
        (Edit::Insert { processor: one, .. }, Edit::Insert { processor: two, .. }) => specs_near(one, two),
        (Edit::Replace { which, with }, Edit::Replace { which: other, with: other_with }) => which == other && specs_near(with, other_with),
        (Edit::SetParam { which, key, value }, Edit::SetParam { which: other, key: other_key, value: other_value }) => {
            which == other && key == other_key && values_near(value.as_ref(), other_value.as_ref())
        }
        (Edit::Set { key, value }, Edit::Set { key: other_key, value: other_value }) => {
            key == other_key && values_near(value.as_ref(), other_value.as_ref())
        }
        (Edit::WriteFile { text, .. }, Edit::WriteFile { text: other, .. }) => one.bucket() == two.bucket() && texts_near(text, other),
        (
            Edit::Insert { .. }
            | Edit::Replace { .. }
            | Edit::SetParam { .. }
            | Edit::Set { .. }
            | Edit::WriteFile { .. }
            | Edit::Remove { .. }
            | Edit::RemoveFile { .. },
            _,
        ) => one == two,
    }
}

fn specs_near(one: &ProcessorSpec, two: &ProcessorSpec) -> bool {
    one.label() == two.label() && tables_near(&one.params, &two.params)
}

fn tables_near(one: &toml::Table, two: &toml::Table) -> bool {
    one.len() == two.len() && one.iter().all(|(key, value)| values_near(Some(value), two.get(key)))
}

fn values_near(one: Option<&Value>, two: Option<&Value>) -> bool {
    let (Some(one), Some(two)) = (one, two) else { return one == two };
    let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
    if let (Some(one), Some(two)) = (number(one), number(two)) {
        return (one - two).abs() <= NUMBER * one.abs().max(two.abs());
    }
    match (one, two) {
        (Value::String(one), Value::String(two)) => texts_near(one, two),
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| values_near(Some(one), Some(two)))
        }
        (Value::Table(one), Value::Table(two)) => tables_near(one, two),
        _ => one == two,
    }
}

/// Equal but for case, blanks and a tenth of their three-word runs.
fn texts_near(one: &str, two: &str) -> bool {
    let runs = |text: &str| {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        words.windows(words.len().clamp(1, 3)).map(|run| run.join(" ")).collect::<BTreeSet<_>>()
    };
    let (one, two) = (runs(one), runs(two));
    let (shared, all) = (one.intersection(&two).count(), one.union(&two).count());
    all == 0 || shared as f64 >= TEXT * all as f64
}
