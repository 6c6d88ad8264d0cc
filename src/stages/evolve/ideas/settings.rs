//! Ideas about how replies are drawn and ranked, about limits, and about what can go.

use super::{Idea, Sources, silent, table, within_line};
use crate::domain::digest::Pathology;
use crate::domain::edit::{Edit, Which};
use crate::domain::id::ProcessorName;
use crate::domain::outcome::Ending;
use toml::Value;

/// Temperatures worth trying; at 0 a second rollout would be the same draw, which nobody can judge (`gate.md` §2a).
const TEMPERATURES: [(f64, f64); 4] = [(0.05, 1.5), (0.1, 1.0), (0.5, 0.3), (0.8, 0.2)];

pub(super) fn ideas(sources: &Sources<'_>) -> Vec<Idea> {
    let mut all = sampling(sources);
    all.extend(choice(sources));
    all.extend(steps(sources));
    all.extend(removals(sources));
    all
}

fn plain(sources: &Sources<'_>, component: &str, title: String, weight: f64, edits: Vec<Edit>) -> Idea {
    Idea {
        component: component.into(),
        root_cause: "the likeliest reply is not the one that is drawn, or not the right one".into(),
        targeted_fix: within_line(&title),
        title,
        claim: "the model's replies were drawn and ranked in these steps".into(),
        observed: sources.lessons.places.clone(),
        mends: vec![Pathology::BudgetStarvation, Pathology::RepeatWithoutProgress, Pathology::InvalidAction],
        weight,
        signature: silent(component),
        edits,
    }
}

fn sampling(sources: &Sources<'_>) -> Vec<Idea> {
    let now = sources.incumbent.manifest.slots.sampling.as_ref().and_then(|sampling| sampling.temperature);
    let others = TEMPERATURES.into_iter().filter(|(value, _)| Some(*value) != now);
    let set = |value: f64| vec![Edit::Set { key: "slots.sampling.temperature".into(), value: Some(Value::Float(value)) }];
    others.map(|(value, weight)| plain(sources, "sampling", format!("Draw replies at temperature {value}"), weight, set(value))).collect()
}

fn choice(sources: &Sources<'_>) -> Vec<Idea> {
    let text = |text: &str| Value::String(text.to_owned());
    let give = |key: &str, value: &str| sources.give("admissible_choice", table([(key, text(value))]));
    let component = "admissible_choice";
    if sources.present(component).is_none() {
        let lists = sources.lessons.forms.iter().any(|form| form.admitted > 0.0);
        let edits = if lists { give("style", "choice") } else { Vec::new() };
        return vec![plain(sources, component, "Let the model choose among the admitted actions".into(), 4.0, edits)];
    }
    let other = if sources.param(component, "score").as_ref().and_then(Value::as_str) == Some("sum") { "mean" } else { "sum" };
    vec![plain(sources, component, format!("Rank actions by the {other} of their log-probabilities"), 0.7, give("score", other))]
}

/// More steps, where episodes run out of them. Declared as what it is: an episode that may use more.
fn steps(sources: &Sources<'_>) -> Vec<Idea> {
    let Some(now) = sources.incumbent.manifest.slots.limits.steps else { return Vec::new() };
    let verdicts = sources.digests.iter().flat_map(|digest| &digest.rollouts).filter_map(|rollout| rollout.verdict.as_ref());
    let starved = verdicts.filter(|verdict| matches!(&verdict.end, Ending::Budget { limit } if limit == "steps")).count();
    if starved == 0 {
        return Vec::new();
    }
    let more = now.saturating_add(now / 2);
    let edits = vec![Edit::Set { key: "slots.limits.steps".into(), value: Some(Value::Integer(more.into())) }];
    let mut idea = plain(sources, "limits", format!("Allow {more} steps instead of {now}"), 0.2, edits);
    idea.root_cause = "episodes end for want of steps".into();
    vec![idea]
}

/// Each processor less, as far as it ever changed anything: without the others the episodes are the same.
fn removals(sources: &Sources<'_>) -> Vec<Idea> {
    let rollouts: Vec<_> = sources.digests.iter().flat_map(|digest| &digest.rollouts).collect();
    let names = sources.incumbent.manifest.names();
    let fired = |name: &ProcessorName| rollouts.iter().any(|rollout| rollout.fired.contains_key(name));
    let mut all = Vec::new();
    for (name, spec) in names.iter().zip(&sources.incumbent.manifest.processors) {
        if !rollouts.is_empty() && !fired(name) {
            continue;
        }
        let edits = vec![Edit::Remove { which: Which::Processor(name.clone()) }];
        let mut idea = plain(sources, spec.label(), format!("Remove {}, to see whether it is worth its place", spec.label()), 0.05, edits);
        idea.root_cause = "a processor may cost more than it brings".into();
        all.push(idea);
    }
    all
}
