//! What there is to try: the native processors and the settings of a harness, each with the bucket that an edit with it touches.

use crate::domain::edit::Bucket;
use crate::domain::harness::{Harness, Limits, ProcessorSpec};
use crate::domain::landscape::Untried;
use crate::runtime::native::NATIVES;
use crate::runtime::processor::{Dimension, Native};
use std::collections::BTreeSet;

/// Parts of a harness that are no processors: the table `agents` or the key below `slots`, and what it does.
const PARTS: [(&str, Bucket, &str); 4] = [
    ("agents", Bucket::Tools, "Agents that are called as tools, each a harness of its own with its own budget."),
    ("limits", Bucket::Config, "Most steps, tokens, money and time of an episode."),
    ("sampling", Bucket::Config, "How replies are drawn: temperature and the like."),
    ("tools", Bucket::Tools, "Which tools of the environment are offered."),
];

/// Every component that can change what an agent does, in order of name: those that only observe are no levers.
pub fn components() -> Vec<Untried> {
    let levers = NATIVES.iter().filter(|native| native.dimension != Dimension::Observability);
    let natives = levers.map(|native| (native.name, bucket(native), native.summary));
    let all =
        natives.chain(PARTS).map(|(component, bucket, does)| Untried { component: component.to_owned(), bucket, does: does.to_owned() });
    let mut all: Vec<Untried> = all.collect();
    all.sort_by(|one, two| one.component.cmp(&two.component));
    all
}

/// A processor whose parameters name a prompt or a skill lives by that text; others are code.
fn bucket(native: &Native) -> Bucket {
    let defaults = (native.complete)(&toml::Table::new()).unwrap_or_default();
    let has_text = defaults.values().filter_map(toml::Value::as_str).any(|value| Bucket::of_path(value) == Bucket::Prompt);
    if has_text { Bucket::Prompt } else { Bucket::Processor }
}

/// Components that a harness has.
pub(super) fn present(harness: &Harness) -> BTreeSet<&str> {
    let slots = &harness.manifest.slots;
    let mut present: BTreeSet<&str> = harness.manifest.processors.iter().map(ProcessorSpec::label).collect();
    let is_set = [!harness.manifest.agents.is_empty(), slots.limits != Limits::default(), slots.sampling.is_some(), slots.tools.is_some()];
    present.extend(PARTS.iter().zip(is_set).filter_map(|((name, ..), is_set)| is_set.then_some(*name)));
    present
}
