//! What experience teaches, without any word of a domain: the forms of actions, how often each is admitted, which of them solved
//! episodes use and in what order, which slots hold things that the task speaks of, which answer means that nothing happened.

use super::experience::{Experience, Played};
use super::templates::{Template, induce};
use super::transcripts::{Transcript, of_harness, of_played};
use super::whereabouts::Whereabouts;
use crate::domain::digest::Anchor;
use crate::domain::harness::Harness;
use crate::runtime::native::words::{joined, terms_of};
use std::collections::{BTreeMap, BTreeSet};

/// An action admitted in at least this share of steps is always at hand.
const AT_HAND: f64 = 0.8;

/// A slot whose uses in solved episodes are things of the task in at least this share is about the task's things.
const ABOUT_TASK: f64 = 0.8;

/// Direct episodes kept of one kind.
const DIRECT: usize = 3;

/// Uses of a slot before its share means something.
const USES: usize = 2;

/// Different actions that one answer must meet before it means "nothing happened".
const IDLE: usize = 3;

/// Actions of one form admitted at once before it is a choice of where to go.
const WIDE: usize = 4;

/// Places kept for each form.
const PLACES: usize = 3;

/// Everything learned.
#[derive(Debug)]
pub(super) struct Lessons {
    /// Forms of actions, with what is known of each.
    pub forms: Vec<Form>,
    /// Solved episodes, those that the harness demonstrates first.
    pub transcripts: Vec<Transcript>,
    /// Answers to actions that did nothing, most frequent first.
    pub idle: Vec<String>,
    /// Sub-goals in order, by value of the tag in `tag`: places of forms in `forms`.
    pub plans: BTreeMap<String, Vec<usize>>,
    /// The tag by which plans and demonstrations are chosen; empty: none tells tasks apart.
    pub tag: String,
    /// The first places of the first episodes.
    pub places: Vec<Anchor>,
    /// Where things were found.
    pub whereabouts: Whereabouts,
}

/// A form of actions.
#[derive(Debug)]
pub(super) struct Form {
    /// The form.
    pub template: Template,
    /// Share of steps in which one of them was admitted, 0..1.
    pub admitted: f64,
    /// Share of steps in which it was admitted and taken, of those in which it was admitted.
    pub taken: f64,
    /// Solved transcripts that use it.
    pub used: usize,
    /// Slots that are about the task's things wherever solved transcripts use them.
    pub about_task: Vec<bool>,
    /// Different actions of this form admitted at once, at most.
    pub widest: usize,
    /// Where one of them was admitted.
    pub places: Vec<Anchor>,
}

impl Form {
    /// It is nearly always admitted.
    pub fn is_at_hand(&self) -> bool {
        self.admitted >= AT_HAND
    }

    /// It can be a sub-goal: not always at hand, and done to the task's things where it is done to things.
    pub fn is_end(&self) -> bool {
        !self.is_at_hand() && (self.about_task.contains(&true) || !self.template.slots().contains(&true))
    }
}

/// Counts of one form.
#[derive(Clone, Debug, Default)]
struct Count {
    admitted: usize,
    taken: usize,
    widest: usize,
    places: Vec<Anchor>,
}

impl Lessons {
    /// Draws the lessons.
    pub fn of(experience: &Experience, harness: &Harness) -> Self {
        let tag = telling_tag(experience);
        let mut transcripts = of_harness(experience, harness);
        transcripts.extend(direct(experience, &transcripts, &tag));
        let seen: BTreeSet<usize> = steps(experience).flat_map(|(_, step)| step.admitted.iter().copied().chain([step.action])).collect();
        let demonstrated = transcripts.iter().flat_map(|transcript| transcript.actions.iter().map(String::as_str));
        let templates = induce(seen.iter().map(|number| experience.text(*number)).chain(demonstrated));
        let counts = count(experience, &templates, &seen);
        let total = steps(experience).count().max(1);
        let forms: Vec<Form> =
            templates.into_iter().zip(counts).map(|(template, count)| form(template, count, total, &transcripts)).collect();
        let plans = super::plans::plans(&forms, &transcripts, &tag);
        let places = experience.episodes.iter().filter_map(|played| place(played, played.steps.first()?.step)).take(PLACES).collect();
        let whereabouts = Whereabouts::of(experience, &forms);
        Self { forms, transcripts, idle: idle(experience), plans, tag, places, whereabouts }
    }

    /// Forms that solved transcripts use and that are not always at hand: chances, the rarest first.
    pub fn chances(&self) -> Vec<&Form> {
        let mut chances: Vec<&Form> = self.forms.iter().filter(|form| form.used > 0 && !form.is_at_hand()).collect();
        chances.sort_by(|one, two| one.admitted.total_cmp(&two.admitted).then_with(|| one.template.head().cmp(two.template.head())));
        chances
    }

    /// The form by which one goes from place to place: always at hand, and a wide choice.
    pub fn way(&self) -> Option<&Form> {
        way(&self.forms)
    }

    /// Forms that no solved transcript uses.
    pub fn idle_forms(&self) -> Vec<&Form> {
        self.forms.iter().filter(|form| form.used == 0).collect()
    }
}

/// The form by which one goes from place to place.
pub(super) fn way(forms: &[Form]) -> Option<&Form> {
    forms.iter().find(|form| form.is_at_hand() && form.widest >= WIDE && form.template.slots() == [true])
}

/// Of the episodes solved in play, the most direct ones of each kind: long ones did much that solved nothing.
fn direct(experience: &Experience, shown: &[Transcript], tag: &str) -> Vec<Transcript> {
    let mut kinds: BTreeMap<Option<&String>, Vec<&Played>> = BTreeMap::new();
    for played in experience.episodes.iter().filter(|played| played.solved == Some(true)) {
        kinds.entry(played.tags.get(tag)).or_default().push(played);
    }
    let mut kept = Vec::new();
    for (kind, mut solved) in kinds {
        solved.sort_by_key(|played| (played.steps.len(), &played.task));
        let mut tasks = BTreeSet::new();
        solved.retain(|played| tasks.insert(&played.task));
        let known = shown.iter().filter(|transcript| transcript.tags.get(tag) == kind).map(|transcript| transcript.actions.len());
        let shortest = known.chain(solved.iter().map(|played| played.steps.len())).min().unwrap_or(0);
        let near = solved.into_iter().filter(|played| played.steps.len() <= shortest + shortest / 2).take(DIRECT);
        kept.extend(near.map(|played| of_played(experience, played)));
    }
    kept
}

fn steps(experience: &Experience) -> impl Iterator<Item = (&Played, &super::experience::PlayedStep)> {
    experience.episodes.iter().flat_map(|played| played.steps.iter().map(move |step| (played, step)))
}

fn place(played: &Played, step: u32) -> Option<Anchor> {
    (!played.trace.is_empty()).then(|| Anchor { trace: played.trace.clone(), step })
}

fn count(experience: &Experience, templates: &[Template], seen: &BTreeSet<usize>) -> Vec<Count> {
    let heads: BTreeMap<&str, usize> = templates.iter().enumerate().map(|(index, template)| (template.head(), index)).collect();
    let of = |number: usize| heads.get(experience.text(number).split_whitespace().next()?).copied();
    let form_of: BTreeMap<usize, usize> = seen.iter().filter_map(|number| Some((*number, of(*number)?))).collect();
    let mut counts = vec![Count::default(); templates.len()];
    for (played, step) in steps(experience) {
        let mut here: BTreeMap<usize, usize> = BTreeMap::new();
        for form in step.admitted.iter().filter_map(|number| form_of.get(number)) {
            *here.entry(*form).or_default() += 1;
        }
        for (form, width) in here {
            let count = &mut counts[form];
            count.admitted += 1;
            count.taken += usize::from(form_of.get(&step.action) == Some(&form));
            count.widest = count.widest.max(width);
            let is_new = count.places.last().is_none_or(|anchor| anchor.trace != played.trace);
            if is_new && count.places.len() < PLACES {
                count.places.extend(place(played, step.step));
            }
        }
    }
    counts
}

fn form(template: Template, count: Count, total: usize, transcripts: &[Transcript]) -> Form {
    let slots = template.slots();
    let (mut used, mut times, mut about) = (0, 0, vec![0; slots.len()]);
    for transcript in transcripts {
        let terms = terms_of(&transcript.task, &BTreeSet::new());
        let found: Vec<Vec<String>> = transcript.actions.iter().filter_map(|action| template.fillers(action)).collect();
        used += usize::from(!found.is_empty());
        times += found.len();
        for fillers in &found {
            for (slot, filler) in fillers.iter().enumerate().take(slots.len()) {
                about[slot] += usize::from(terms.contains(&joined(filler)));
            }
        }
    }
    let is_about = |(slot, named): (usize, &bool)| *named && times >= USES && about[slot] as f64 >= ABOUT_TASK * times as f64;
    Form {
        about_task: slots.iter().enumerate().map(is_about).collect(),
        admitted: count.admitted as f64 / total as f64,
        taken: count.taken as f64 / count.admitted.max(1) as f64,
        used,
        widest: count.widest,
        places: count.places,
        template,
    }
}

/// Answers that several different actions met, most frequent first.
fn idle(experience: &Experience) -> Vec<String> {
    let mut met: BTreeMap<usize, (BTreeSet<usize>, usize)> = BTreeMap::new();
    for (_, step) in steps(experience) {
        let (actions, times) = met.entry(step.result).or_default();
        actions.insert(step.action);
        *times += 1;
    }
    let mut found: Vec<(usize, &str)> = met
        .into_iter()
        .filter(|(_, (actions, _))| actions.len() >= IDLE)
        .map(|(result, (_, times))| (times, experience.text(result)))
        .filter(|(_, text)| !text.trim().is_empty())
        .collect();
    found.sort_by(|one, two| two.0.cmp(&one.0).then(one.1.cmp(two.1)));
    found.into_iter().map(|(_, text)| text.to_owned()).collect()
}

/// The tag that parts tasks into the most kinds, where kinds have several tasks each.
fn telling_tag(experience: &Experience) -> String {
    let mut values: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for played in &experience.episodes {
        for (key, value) in &played.tags {
            values.entry(key).or_default().entry(value).or_default().insert(played.task.as_str());
        }
    }
    let kinds = |values: &BTreeMap<&str, BTreeSet<&str>>| values.values().filter(|tasks| tasks.len() > 1).count();
    let best = values.iter().filter(|(_, values)| kinds(values) > 1 && 2 * kinds(values) >= values.len());
    best.max_by_key(|(key, values)| (kinds(values), std::cmp::Reverse(**key))).map_or_else(String::new, |(key, _)| (*key).to_owned())
}
