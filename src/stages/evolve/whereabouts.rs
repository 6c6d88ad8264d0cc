//! Where things are found, without any word of a domain: a place shows a thing where an action is admitted there that names both. Counted
//! by kinds, that is names without their numbers.

use super::experience::Experience;
use super::lessons::{Form, way};
use super::templates::Template;
use crate::runtime::native::words::joined;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of places kept for one kind of thing.
const KEPT: usize = 4;

/// Kinds of things kept, those seen in most places first.
const THINGS: usize = 100;

/// What train traces say of where things are.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// Names of places that one can go to.
    pub names: BTreeSet<String>,
    /// Kinds of places, those that show most things first.
    pub places: Vec<String>,
    /// By kind of thing, the kinds of places that show it in the largest share of visits first.
    pub likely: BTreeMap<String, Vec<String>>,
}

/// A share as an order: more first, then by name.
fn ranked(counts: &BTreeMap<String, usize>, visits: &BTreeMap<String, usize>) -> Vec<String> {
    let share = |place: &String| counts[place] as f64 / visits.get(place).copied().unwrap_or(1).max(1) as f64;
    let mut places: Vec<&String> = counts.keys().collect();
    places.sort_by(|one, two| share(two).total_cmp(&share(one)).then(one.cmp(two)));
    places.into_iter().cloned().collect()
}

impl Whereabouts {
    /// Kinds of places that an action names.
    pub fn named_in(&self, action: &str) -> BTreeSet<String> {
        let action = format!(" {action} ");
        self.names.iter().filter(|name| action.contains(&format!(" {name} "))).map(|name| joined(name)).collect()
    }

    /// Counts.
    pub fn of(experience: &Experience, forms: &[Form]) -> Self {
        let Some(way) = way(forms).map(|form| &form.template) else { return Self::default() };
        let pairs: Vec<&Template> = forms.iter().map(|form| &form.template).filter(|template| template.slots() == [true, true]).collect();
        let admitted: BTreeSet<usize> =
            experience.episodes.iter().flat_map(|played| &played.steps).flat_map(|step| step.admitted.iter().copied()).collect();
        let names = admitted.iter().filter_map(|number| way.fillers(experience.text(*number))).flatten().collect();
        let (mut visited, mut shown) = (BTreeSet::new(), BTreeSet::new());
        for (number, played) in experience.episodes.iter().enumerate() {
            let mut here = String::new();
            for step in &played.steps {
                // What is admitted before a step belongs to the place that the last way led to.
                if !here.is_empty() {
                    visited.insert((number, here.clone()));
                    let admitted = step.admitted.iter().map(|action| experience.text(*action));
                    let both = admitted.filter_map(|action| pairs.iter().find_map(|pair| pair.fillers(action)));
                    shown.extend(both.filter(|both| both[1] == here).map(|both| (number, here.clone(), both[0].clone())));
                }
                if let Some(to) = way.fillers(experience.text(step.action)).and_then(|fillers| fillers.into_iter().next()) {
                    here = to;
                }
            }
        }
        let mut visits: BTreeMap<String, usize> = BTreeMap::new();
        for (_, place) in &visited {
            *visits.entry(joined(place)).or_default() += 1;
        }
        let mut all: BTreeMap<String, usize> = visits.keys().map(|place| (place.clone(), 0)).collect();
        let mut by_thing: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (_, place, thing) in &shown {
            *all.entry(joined(place)).or_default() += 1;
            *by_thing.entry(joined(thing)).or_default().entry(joined(place)).or_default() += 1;
        }
        let mut things: Vec<_> = by_thing.into_iter().collect();
        things.sort_by_key(|(_, places)| std::cmp::Reverse(places.values().sum::<usize>()));
        things.truncate(THINGS);
        let first = |places: Vec<String>| places.into_iter().take(KEPT).collect();
        let likely = things.into_iter().map(|(thing, places)| (thing, first(ranked(&places, &visits)))).collect();
        Self { names, places: ranked(&all, &visits), likely }
    }
}
