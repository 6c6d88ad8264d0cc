//! Ideas about which actions are offered: only on the task's things, sub-goals in turn, rare chances first, nothing in vain.

use super::{Idea, Sources, fires, named, table, texts, within_line};
use crate::domain::digest::Pathology;
use crate::stages::evolve::lessons::Form;
use toml::{Table, Value};

/// Transcripts before a form that none of them uses counts as useless.
const TRANSCRIPTS: usize = 4;

/// Characters of an answer by which it is known again.
const SHOWN: usize = 80;

pub(super) fn ideas(sources: &Sources<'_>) -> Vec<Idea> {
    let mut all = goal_terms(sources);
    all.extend(plan(sources));
    all.extend(chances(sources));
    all.extend(tried(sources));
    all
}

pub(super) fn wandering() -> Vec<Pathology> {
    vec![Pathology::BudgetStarvation, Pathology::RepeatWithoutProgress]
}

/// Slots that solved episodes fill with the task's things only may be filled with nothing else.
fn goal_terms(sources: &Sources<'_>) -> Vec<Idea> {
    let known: Vec<&Form> = sources.lessons.forms.iter().filter(|form| form.about_task.contains(&true) && !form.is_at_hand()).collect();
    let paired = |form: &&&Form| form.about_task.iter().filter(|about| **about).count() > 1 || form.about_task.len() > 1;
    let learned =
        |forms: &[&Form]| -> Vec<String> { forms.iter().map(|form| form.template.pattern(|slot| form.about_task[slot])).collect() };
    let mut variants = vec![(learned(&known), known.clone(), 4.0)];
    let two: Vec<&Form> = known.iter().filter(paired).copied().collect();
    if !two.is_empty() && two.len() < known.len() {
        variants.push((learned(&two), two, 1.5));
    }
    if known.is_empty() {
        let guessed: Vec<&Form> = sources.lessons.forms.iter().filter(|form| form.template.slots().len() > 1).collect();
        let of = |last: usize| guessed.iter().map(|form| form.template.pattern(|slot| slot <= last)).collect();
        variants = vec![(of(0), guessed.clone(), 1.0), (of(1), guessed.clone(), 1.0)];
    }
    let claim = if known.is_empty() {
        "such actions are admitted; that they solve tasks on things of the task only is a guess"
    } else {
        "solved episodes use these forms on things of the task only, and such actions are admitted"
    };
    let idea = |(verbs, forms, weight): (Vec<String>, Vec<&Form>, f64)| Idea {
        component: "goal_term_filter".into(),
        title: format!("Withhold actions on things that the task does not speak of: {}", named(forms.iter().copied())),
        root_cause: "steps go into things that the task does not speak of".into(),
        targeted_fix: "actions of these forms are offered only on things of the task".into(),
        claim: claim.into(),
        observed: sources.places(forms.iter().copied()),
        mends: wandering(),
        weight,
        signature: fires("goal_term_filter"),
        edits: if verbs.is_empty() { Vec::new() } else { sources.give("goal_term_filter", table([("verbs", texts(verbs))])) },
    };
    variants.into_iter().map(idea).collect()
}

/// What all solved episodes of a kind do, in their order.
fn plan(sources: &Sources<'_>) -> Vec<Idea> {
    let lessons = sources.lessons;
    if lessons.plans.is_empty() {
        return Vec::new();
    }
    let in_plans = |form: &&Form| lessons.plans.values().flatten().any(|index| std::ptr::eq(*form, &raw const lessons.forms[*index]));
    let whole = |form: &Form| form.template.pattern(|_| false);
    // Chances that belong to no plan help any sub-goal along.
    let helpers: Vec<String> = lessons.chances().into_iter().filter(|form| !in_plans(form)).map(whole).collect();
    let plans = |offers: bool| -> Table {
        let subgoal = |index: &usize| {
            let form = &lessons.forms[*index];
            let offer = std::iter::once(whole(form)).chain(helpers.clone()).collect();
            let (name, done) = (Value::String(form.template.shown()), Value::String(whole(form)));
            let mut subgoal = table([("name", name), ("done", done), ("on", Value::String("action".into()))]);
            if offers {
                subgoal.insert("offer".into(), texts(offer));
            }
            Value::Table(subgoal)
        };
        lessons.plans.iter().map(|(kind, plan)| (kind.clone(), Value::Array(plan.iter().map(subgoal).collect()))).collect()
    };
    let idea = |offers: bool, in_turn: bool, weight: f64| {
        let by = Value::String(lessons.tag.clone());
        let mut params = table([("by", by), ("plans", Value::Table(plans(offers))), ("in_turn", Value::Boolean(in_turn))]);
        if let Some(no_effect) = no_effect(sources) {
            params.insert("no_effect".into(), no_effect);
        }
        let how = if offers { "offer what serves the next one" } else { "show the next one" };
        Idea {
            component: "subgoal_tracker".into(),
            title: format!("Follow the sub-goals of solved tasks of the same {}: {how}", lessons.tag),
            root_cause: "steps that every solved task of the kind takes are missed, or taken out of turn".into(),
            targeted_fix: format!("sub-goals mined from solved tasks, by {}: {how}", lessons.tag),
            claim: "the actions that the sub-goals need were admitted".into(),
            observed: sources.places(lessons.forms.iter().filter(in_plans)),
            mends: wandering(),
            weight,
            signature: fires("subgoal_tracker"),
            edits: sources.give("subgoal_tracker", params),
        }
    };
    vec![idea(true, true, 4.0), idea(true, false, 1.0), idea(false, true, 0.5)]
}

/// Chances that solved episodes take are taken when they come.
fn chances(sources: &Sources<'_>) -> Vec<Idea> {
    let mut all = sources.lessons.chances();
    let (root_cause, claim) = if all.is_empty() {
        ("rare actions are admitted and passed over", "these actions are admitted; that they solve tasks is a guess")
    } else {
        ("actions that solved tasks take are admitted and passed over", "solved tasks take these actions, and they were admitted")
    };
    if all.is_empty() {
        all = sources.lessons.forms.iter().filter(|form| !form.is_at_hand() && form.admitted > 0.0).collect();
        all.sort_by(|one, two| one.taken.total_cmp(&two.taken).then_with(|| one.template.head().cmp(two.template.head())));
    }
    let idea = |forms: &[&Form], times: i64, weight: f64| {
        let prefer = texts(forms.iter().map(|form| form.template.pattern(|_| false)).collect());
        Idea {
            component: "preferred_actions".into(),
            title: format!("Take rare chances when they come: {}", named(forms.iter().copied())),
            root_cause: root_cause.into(),
            targeted_fix: "while one of these is admitted and not yet taken, only such are offered, the rarest first".into(),
            claim: claim.into(),
            observed: sources.places(forms.iter().copied()),
            mends: wandering(),
            weight,
            signature: fires("preferred_actions"),
            edits: if forms.is_empty() {
                Vec::new()
            } else {
                sources.give("preferred_actions", table([("prefer", prefer), ("times", times.into())]))
            },
        }
    };
    let half = all.len().div_ceil(2);
    let mut ideas = vec![idea(&all, 1, 3.0), idea(&all, 2, 0.7), idea(&all[..half], 1, 1.0)];
    ideas.extend(all.iter().map(|form| idea(&[*form], 1, 0.3)));
    ideas
}

/// A pattern of texts that begin like this one.
fn beginning(text: &str) -> String {
    format!("^{}", regex::escape(&text.chars().take(SHOWN).collect::<String>()))
}

/// The pattern of an answer that means "nothing happened": the harness's own, else one that was seen.
pub(super) fn no_effect(sources: &Sources<'_>) -> Option<Value> {
    let own = sources.param("tried_actions", "no_effect").filter(|value| value.as_str().is_some_and(|text| !text.is_empty()));
    own.or_else(|| Some(Value::String(beginning(sources.lessons.idle.first()?))))
}

/// Nothing in vain: what was tried in the same state, what did nothing, where one has been.
fn tried(sources: &Sources<'_>) -> Vec<Idea> {
    let lessons = sources.lessons;
    let whole = |form: &&Form| form.template.pattern(|_| false);
    let idea = |title: &str, params: Table, weight: f64| Idea {
        component: "tried_actions".into(),
        title: title.into(),
        root_cause: "steps are spent on actions that can bring nothing new".into(),
        targeted_fix: within_line(title),
        claim: "other actions were admitted in the same place".into(),
        observed: lessons.places.clone(),
        mends: vec![Pathology::RepeatWithoutProgress, Pathology::ToolEffectMissing, Pathology::BudgetStarvation],
        weight,
        signature: fires("tried_actions"),
        edits: sources.give("tried_actions", params),
    };
    let ended = |form: &&Form| form.used > 0 && form.is_end();
    let ends = || texts(lessons.forms.iter().filter(ended).map(|form| form.template.pattern(|_| false)).collect());
    if sources.present("tried_actions").is_some() {
        let window = sources.param("tried_actions", "undo_window").and_then(|value| value.as_integer()).unwrap_or(1);
        return vec![
            idea("Forget where one has been whenever something was achieved", table([("reset", ends())]), 1.5),
            idea("Let the task's own places be visited again", table([("revisit_task_places", Value::Boolean(true))]), 1.5),
            idea("Withhold the undoing of more of the last actions", table([("undo_window", (window * 2).min(100).into())]), 0.5),
            idea("Tell states apart by what is admitted", table([("state", Value::String("actions".into()))]), 0.5),
        ];
    }
    let mut params = Table::new();
    if let Some(no_effect) = no_effect(sources) {
        params.insert("no_effect".into(), no_effect);
    }
    let plain = params.clone();
    if let Some(places) = lessons.way() {
        params.insert("visited".into(), Value::String(places.template.pattern(|_| true)));
        params.insert("reset".into(), ends());
    }
    if lessons.transcripts.len() >= TRANSCRIPTS {
        params.insert("drop".into(), texts(lessons.idle_forms().iter().map(whole).collect()));
    }
    vec![
        idea("Withhold what was tried, what leads nowhere new and what no solved task does", params, 3.0),
        idea("Withhold what was tried in the same state", plain, 1.0),
    ]
}
