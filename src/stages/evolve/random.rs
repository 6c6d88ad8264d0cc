//! Random ideas, as a control: another processor or script with mined or default parameters, a parameter shaken, a processor less, a
//! temperature.

use super::ideas::{Idea, Sources, ideas, silent};
use super::shelf;
use crate::domain::digest::Pathology;
use crate::domain::edit::{Edit, Which};
use crate::runtime::native::{self, NATIVES};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use toml::{Table, Value};

/// Random ideas drawn before giving up.
const DRAWS: usize = 60;

/// Random ideas; most can be played, none was chosen for a reason.
pub(super) fn random(sources: &Sources<'_>, chance: &mut ChaCha8Rng) -> Vec<Idea> {
    let mined = ideas(sources);
    (0..DRAWS).filter_map(|_| draw(sources, &mined, chance)).filter(|idea| !idea.edits.is_empty()).collect()
}

fn draw(sources: &Sources<'_>, mined: &[Idea], chance: &mut ChaCha8Rng) -> Option<Idea> {
    match chance.random_range(0..4) {
        0 => {
            let at = below(chance, NATIVES.len() + shelf::ALL.len());
            let (name, edits) = match NATIVES.get(at) {
                Some(native) => (native.name, sources.give(native.name, Table::new())),
                None => shelf::ALL.get(at - NATIVES.len()).map(|script| (script.path, sources.give_script(script, Table::new())))?,
            };
            Some(blind(sources, name, format!("Give {name} its default parameters"), edits))
        }
        1 => {
            let idea = mined.get(below(chance, mined.len()))?;
            Some(blind(sources, &idea.component, idea.title.clone(), idea.edits.clone()))
        }
        2 => {
            let value = f64::from(chance.random_range(0..=20_u32)) / 10.0;
            let edits = vec![Edit::Set { key: "slots.sampling.temperature".into(), value: Some(Value::Float(value)) }];
            Some(blind(sources, "sampling", format!("Draw replies at temperature {value}"), edits))
        }
        _ => shaken(sources, chance),
    }
}

/// A processor that is there with one parameter changed, or gone.
fn shaken(sources: &Sources<'_>, chance: &mut ChaCha8Rng) -> Option<Idea> {
    let specs = &sources.incumbent.manifest.processors;
    let at = below(chance, specs.len());
    let (spec, which) = (specs.get(at)?, Which::Processor(sources.incumbent.manifest.names().get(at)?.clone()));
    let params = (native::find(spec.native.as_deref()?)?.complete)(&spec.params).ok()?;
    let numbers: Vec<(&String, Value)> = params.iter().filter_map(|(key, value)| Some((key, other(value, chance)?))).collect();
    let Some((key, value)) = numbers.get(below(chance, numbers.len() + 1)) else {
        return Some(blind(sources, spec.label(), format!("Remove {}", spec.label()), vec![Edit::Remove { which }]));
    };
    let title = format!("Set {key} of {} to {value}", spec.label());
    Some(blind(sources, spec.label(), title, vec![Edit::SetParam { which, key: (*key).clone(), value: Some(value.clone()) }]))
}

/// Another value of the same kind; texts and lists are left alone.
fn other(value: &Value, chance: &mut ChaCha8Rng) -> Option<Value> {
    match value {
        Value::Boolean(value) => Some(Value::Boolean(!value)),
        Value::Integer(value) => Some(Value::Integer(if chance.random() { value.saturating_mul(2).max(1) } else { value / 2 })),
        Value::Float(value) => Some(Value::Float(if chance.random() { value * 2.0 } else { value / 2.0 })),
        Value::String(_) | Value::Array(_) | Value::Table(_) | Value::Datetime(_) => None,
    }
}

/// A number below `end`; 0 where there is none.
fn below(chance: &mut ChaCha8Rng, end: usize) -> usize {
    if end == 0 { 0 } else { chance.random_range(0..end) }
}

fn blind(sources: &Sources<'_>, component: &str, title: String, edits: Vec<Edit>) -> Idea {
    Idea {
        component: component.to_owned(),
        title,
        root_cause: "not looked for: a random edit".into(),
        targeted_fix: "none is claimed: a random edit".into(),
        claim: "the steps that it changes were played".into(),
        observed: sources.lessons.places.clone(),
        mends: Vec::<Pathology>::new(),
        weight: 1.0,
        signature: silent(component),
        edits,
    }
}
