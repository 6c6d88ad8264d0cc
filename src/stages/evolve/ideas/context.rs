//! Ideas about what the model reads: demonstrations, a line of what was done, warnings of loops, a window, a prompt.

use super::{Idea, Sources, fires, named, table};
use crate::domain::digest::Pathology;
use crate::domain::edit::Edit;
use crate::domain::manifest::{AttributionSignature, SignatureKind};
use crate::stages::evolve::lessons::Form;
use crate::stages::evolve::transcripts::{Transcript, demonstrations_file, written};
use std::collections::BTreeMap;
use std::fmt::Write;
use toml::{Table, Value};

/// Demonstrations of one kind that are written down.
const A_KIND: usize = 3;

/// Most demonstrations shown.
const SHOWN: i64 = 6;

/// The file of a mined prompt.
const PROMPT: &str = "prompts/system.md";

pub(super) fn ideas(sources: &Sources<'_>) -> Vec<Idea> {
    let mut all = demonstrations(sources);
    all.extend(done_so_far(sources));
    all.extend(loops(sources));
    all.extend(window(sources));
    all.extend(prompt(sources));
    all
}

fn demonstrations(sources: &Sources<'_>) -> Vec<Idea> {
    let idea = |title: String, edits: Vec<Edit>, weight: f64| Idea {
        component: "few_shot".into(),
        title,
        root_cause: "the model has too few, or too foreign, examples of what solves such tasks".into(),
        targeted_fix: "whole solved episodes stand before the conversation, never one of the task itself".into(),
        claim: "tasks of the same kind were solved, with steps that can be shown".into(),
        observed: sources.lessons.places.clone(),
        mends: vec![Pathology::BudgetStarvation, Pathology::InvalidAction, Pathology::FinalAnswerBrittle],
        weight,
        signature: fires("few_shot"),
        edits,
    };
    let by = || Value::String(sources.lessons.tag.clone());
    let file = demonstrations_file(sources.incumbent).unwrap_or_else(|| "prompts/demonstrations.toml".into());
    let mut all = Vec::new();
    let mined: Vec<&Transcript> = sources.lessons.transcripts.iter().filter(|transcript| !transcript.is_shown).collect();
    if let Some(text) = written(&shortest(sources, &mined)) {
        let mut edits = sources.give("few_shot", table([("by", by()), ("file", Value::String(file.clone()))]));
        edits.push(Edit::WriteFile { path: file, text });
        all.push(idea(format!("Show the shortest of {} solved train episodes", mined.len()), edits, 1.0));
    }
    if let Some(count) = sources.param("few_shot", "count").and_then(|value| value.as_integer()) {
        for other in [count - 1, count + 1, count * 2].into_iter().filter(|other| (1..=SHOWN).contains(other)) {
            let edits = sources.give("few_shot", table([("count", other.into())]));
            all.push(idea(format!("Show {other} demonstrations instead of {count}"), edits, 0.5));
        }
        if !sources.lessons.tag.is_empty() {
            let edits = sources.give("few_shot", table([("by", by())]));
            all.push(idea(format!("Show demonstrations of the same {}", sources.lessons.tag), edits, 1.5));
        }
    }
    all
}

/// The shortest transcripts of each kind, those that were played before those that the harness has; each task once.
fn shortest<'a>(sources: &Sources<'a>, mined: &[&'a Transcript]) -> Vec<&'a Transcript> {
    if mined.is_empty() {
        return Vec::new();
    }
    let mut kinds: BTreeMap<&str, Vec<&Transcript>> = BTreeMap::new();
    let shown = sources.lessons.transcripts.iter().filter(|transcript| transcript.is_shown);
    let mut sorted: Vec<&Transcript> = mined.to_vec();
    sorted.sort_by_key(|transcript| (transcript.actions.len(), transcript.task.as_str()));
    for transcript in sorted.into_iter().chain(shown) {
        let kind = kinds.entry(transcript.tags.get(&sources.lessons.tag).map_or("", String::as_str)).or_default();
        if kind.len() < A_KIND && kind.iter().all(|other| other.task != transcript.task) {
            kind.push(transcript);
        }
    }
    kinds.into_values().flatten().collect()
}

/// A line of what was done so far, read off the actions.
fn done_so_far(sources: &Sources<'_>) -> Vec<Idea> {
    let is_name = |form: &&Form| form.template.head().chars().all(|letter| letter.is_ascii_alphabetic());
    let forms: Vec<&Form> =
        sources.lessons.forms.iter().filter(|form| form.used > 0 && form.template.slots().first() == Some(&true)).filter(is_name).collect();
    let rule = |form: &&Form| {
        let text = |text: &str| Value::String(text.to_owned());
        let when = Value::String(form.template.pattern(|slot| slot == 0));
        Value::Table(table([
            ("when", when),
            ("on", text("action")),
            ("set", text(form.template.head())),
            ("value", text("$1")),
            ("how", text("add")),
        ]))
    };
    let idea = |forms: &[&Form], weight: f64| {
        let line: Vec<String> = forms.iter().map(|form| format!("{} {{{}}}", form.template.shown(), form.template.head())).collect();
        let params = table([
            ("patterns", Value::Array(forms.iter().map(rule).collect())),
            ("line", Value::String(format!("Done so far: {}.", line.join("; ")))),
        ]);
        Idea {
            component: "memory_line".into(),
            title: format!("Show what was done so far: {}", named(forms.iter().copied())),
            root_cause: "what was done is far back in the conversation, and is done again".into(),
            targeted_fix: "one line after each observation says what was done".into(),
            claim: "the actions that the line reads were taken".into(),
            observed: sources.places(forms.iter().copied()),
            mends: vec![Pathology::RepeatWithoutProgress, Pathology::BudgetStarvation],
            weight,
            signature: fires("memory_line"),
            edits: if forms.is_empty() { Vec::new() } else { sources.give("memory_line", params) },
        }
    };
    let chances: Vec<&Form> = forms.iter().filter(|form| !form.is_at_hand()).copied().collect();
    vec![idea(&forms, 0.5), idea(&chances, 0.5)]
}

fn loops(sources: &Sources<'_>) -> Vec<Idea> {
    let idea = |repeats: i64, weight: f64| Idea {
        component: "loop_detection".into(),
        title: format!("Say so when one call brings one result {repeats} times"),
        root_cause: "the same call with the same result is made again and again".into(),
        targeted_fix: "a message names the call and asks for another".into(),
        claim: "other actions were admitted in the same place".into(),
        observed: sources.lessons.places.clone(),
        mends: vec![Pathology::RepeatWithoutProgress, Pathology::ErrorIgnored],
        weight,
        signature: fires("loop_detection"),
        edits: sources.give("loop_detection", table([("repeats", repeats.into())])),
    };
    vec![idea(2, 0.4), idea(4, 0.2)]
}

fn window(sources: &Sources<'_>) -> Vec<Idea> {
    let idea = |last: i64, weight: f64| Idea {
        component: "sliding_window".into(),
        title: format!("Keep the first and the last {last} turns"),
        root_cause: "long histories draw the model to its own earlier steps".into(),
        targeted_fix: "turns between the first and the last ones are dropped".into(),
        claim: "episodes are longer than the window".into(),
        observed: sources.lessons.places.clone(),
        mends: vec![Pathology::RepeatWithoutProgress, Pathology::Other("fault_of_context".into())],
        weight,
        signature: fires("sliding_window"),
        edits: sources.give("sliding_window", table([("last", last.into()), ("slack", Value::Integer(2))])),
    };
    vec![idea(8, 0.3), idea(16, 0.3)]
}

/// A system prompt that names the forms of actions that solved tasks use.
fn prompt(sources: &Sources<'_>) -> Vec<Idea> {
    let used: Vec<&Form> = sources.lessons.forms.iter().filter(|form| form.used > 0).collect();
    if used.is_empty() || sources.present("system_prompt").is_some() || sources.incumbent.files.contains_key(PROMPT) {
        return Vec::new();
    }
    let mut short = String::from("Do the task in as few steps as you can. Each reply is one action.\n");
    let plain = short.clone();
    short.push_str("Forms of actions that solve such tasks:\n");
    for form in &used {
        // Braces belong to the template language.
        _ = writeln!(short, "- {}", form.template.shown().replace(['{', '}'], ""));
    }
    let idea = |text: String, title: &str| {
        let mut edits = sources.give("system_prompt", Table::new());
        edits.push(Edit::WriteFile { path: PROMPT.into(), text: text.clone() });
        let words = text.lines().next().unwrap_or_default().to_owned();
        Idea {
            component: "system_prompt".into(),
            title: title.into(),
            root_cause: "nothing tells the model what form its replies must have".into(),
            targeted_fix: "a short system prompt says so".into(),
            claim: "solved tasks use actions of these forms".into(),
            observed: sources.places(used.iter().copied()),
            mends: vec![Pathology::InvalidAction, Pathology::FinalAnswerBrittle, Pathology::PromptRuleViolation],
            weight: 0.3,
            signature: AttributionSignature { kind: SignatureKind::Prompt, name: words, expected_min_calls: 1 },
            edits,
        }
    };
    vec![idea(plain, "A system prompt of one sentence"), idea(short, "A system prompt that names the forms of useful actions")]
}
