//! Ideas that put a script of the shelf into the harness, with parameters from what was learned, as those of natives are. A script stands
//! behind the natives with the same evidence: it is more to read, and more that can break.

use super::narrowing::{no_effect, wandering};
use super::{Idea, Sources, fires, table, texts};
use crate::domain::digest::Pathology;
use crate::stages::evolve::lessons::Form;
use crate::stages::evolve::shelf::{
    ANSWER_FORM, ARGUMENT_NORMALISER, CONTRADICTION_CHECK, FACT_KEEPER, LOOP_BREAKER, QUERY_RETRY, RESULT_SUMMARY, SEARCH_ORDER,
    SUBGOAL_PLANNER, Shelved,
};
use std::collections::BTreeSet;
use toml::{Table, Value};

/// Kinds of places where something can be done, at most; done in more, it is done anywhere.
const SITES: usize = 2;

pub(super) fn ideas(sources: &Sources<'_>) -> Vec<Idea> {
    let mut all: Vec<Idea> = plan(sources).into_iter().chain(search(sources)).collect();
    all.extend(plain(sources));
    all
}

/// What every idea with a script has in common.
fn of(sources: &Sources<'_>, script: &Shelved, title: &str, params: Table, weight: f64) -> Idea {
    Idea {
        component: script.path.into(),
        title: title.to_owned(),
        root_cause: "steps are spent on what does not serve the task".into(),
        targeted_fix: super::within_line(title),
        claim: "the steps that the script changes were played".into(),
        observed: sources.lessons.places.clone(),
        mends: wandering(),
        weight,
        signature: fires(script.path),
        edits: sources.give_script(script, params),
    }
}

/// The plan of solved tasks, with the kinds of places where each of its acts was done.
fn plan(sources: &Sources<'_>) -> Option<Idea> {
    let lessons = sources.lessons;
    let way = lessons.way()?;
    if lessons.plans.is_empty() {
        return None;
    }
    let planned: BTreeSet<usize> = lessons.plans.values().flatten().copied().collect();
    let goals = |plan: &Vec<usize>| Value::Array(plan.iter().map(|index| goal(sources, &lessons.forms[*index])).collect());
    let plans: Table = lessons.plans.iter().map(|(kind, plan)| (kind.clone(), goals(plan))).collect();
    let in_plan = |form: &&Form| planned.iter().any(|index| std::ptr::eq(*form, &raw const lessons.forms[*index]));
    let help =
        lessons.chances().into_iter().filter(|form| !in_plan(form)).map(|form| any_number(&form.template.pattern(|_| false))).collect();
    let mut params = table([
        ("by", Value::String(lessons.tag.clone())),
        ("plans", Value::Table(plans)),
        ("go", Value::String(way.template.pattern(|_| true))),
        ("help", texts(help)),
    ]);
    params.extend(no_effect(sources).map(|pattern| ("no_effect".to_owned(), pattern)));
    let title = format!("Plan sub-goals as in solved tasks of the same {}, and go where each can be done", lessons.tag);
    let mut idea = of(sources, &SUBGOAL_PLANNER, &title, params, 3.0);
    idea.root_cause = "the way to where the next sub-goal can be done is taken by chance".into();
    idea.claim = "solved tasks of the kind take these acts in this order, and the ways to where they are done were admitted".into();
    idea.observed = sources.places(planned.iter().map(|index| &lessons.forms[*index]));
    Some(idea)
}

/// A sub-goal: the act on things of the task, and the kinds of places where it was done.
fn goal(sources: &Sources<'_>, form: &Form) -> Value {
    let found = &sources.lessons.whereabouts;
    let mut goal = table([("act", Value::String(any_number(&form.template.pattern(|slot| form.about_task[slot]))))]);
    let actions = sources.lessons.transcripts.iter().flat_map(|transcript| &transcript.actions);
    let (mut sites, mut done, mut of_task) = (BTreeSet::new(), 0, vec![0; form.about_task.len()]);
    for (action, fillers) in actions.filter_map(|action| Some((action, form.template.fillers(action)?))) {
        sites.extend(found.named_in(action));
        done += 1;
        for (slot, filler) in fillers.iter().enumerate().filter(|(slot, _)| form.about_task[*slot]) {
            of_task[slot] += usize::from(found.names.contains(filler));
        }
    }
    if done > 0 && of_task.contains(&done) {
        goal.insert("at".into(), texts(vec!["{task}".into()]));
    } else if (1..=SITES).contains(&sites.len()) {
        goal.insert("at".into(), texts(sites.into_iter().collect()));
    }
    Value::Table(goal)
}

/// A pattern in which a number that never varied stands for any: it is one of many things of a kind.
fn any_number(pattern: &str) -> String {
    let word =
        |word: &str| if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) { "\\d+".to_owned() } else { word.to_owned() };
    let body = pattern.trim_start_matches('^').trim_end_matches('$');
    format!("^{}$", body.split(' ').map(word).collect::<Vec<_>>().join(" "))
}

/// Looks where such things were seen.
fn search(sources: &Sources<'_>) -> Option<Idea> {
    let found = &sources.lessons.whereabouts;
    let way = sources.lessons.way().filter(|_| !found.likely.is_empty())?;
    let likely: Table = found.likely.iter().map(|(thing, places)| (thing.clone(), texts(places.clone()))).collect();
    let params = table([
        ("go", Value::String(way.template.pattern(|_| true))),
        ("likely", Value::Table(likely)),
        ("order", texts(found.places.clone())),
    ]);
    let mut idea = of(sources, &SEARCH_ORDER, "Look first where such things were seen", params, 0.7);
    idea.root_cause = "things are looked for in places that seldom hold them".into();
    idea.claim = "places were searched in these steps, and things of these kinds seen in some of them".into();
    idea.observed = sources.places(std::iter::once(way));
    Some(idea)
}

/// Scripts that need nothing learned.
fn plain(sources: &Sources<'_>) -> Vec<Idea> {
    let idea = |script: &Shelved, title: &str, mends: Vec<Pathology>, weight: f64| Idea {
        mends,
        ..of(sources, script, title, Table::new(), weight)
    };
    let repeats = || vec![Pathology::RepeatWithoutProgress, Pathology::BudgetStarvation];
    let brittle = || vec![Pathology::FinalAnswerBrittle];
    let calls = || vec![Pathology::InvalidAction, Pathology::ErrorIgnored];
    vec![
        idea(&LOOP_BREAKER, "Withhold actions that led back to a state seen before", repeats(), 0.5),
        idea(&FACT_KEEPER, "Show what was seen where", repeats(), 0.4),
        idea(&RESULT_SUMMARY, "Shorten long results to what speaks of the task", vec![Pathology::Other("fault_of_context".into())], 0.3),
        idea(&QUERY_RETRY, "Ask again in other words when a query found nothing", calls(), 0.3),
        idea(&ARGUMENT_NORMALISER, "Make arguments fit their schema", calls(), 0.3),
        idea(&CONTRADICTION_CHECK, "Question an answer that the results contradict", brittle(), 0.3),
        idea(&ANSWER_FORM, "Give an answer the form that the task asks for", brittle(), 0.3),
    ]
}
