//! Solved episodes as transcripts: those played, and those that the harness shows as demonstrations. Also writes played ones as a file
//! of demonstrations.

use super::experience::{Experience, Played};
use crate::domain::harness::Harness;
use crate::domain::task::Tags;
use crate::runtime::native::few_shot::{Demonstration, Demonstrations, Spoken};

/// Most letters before the task's text in an opening by which its place is told.
const LEAD: usize = 24;

/// A solved episode.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Transcript {
    /// Known before the outcome.
    pub tags: Tags,
    /// What was asked.
    pub task: String,
    /// Its actions in order.
    pub actions: Vec<String>,
    /// User and assistant in turn.
    turns: Vec<Spoken>,
    /// Whether the harness shows it already.
    pub is_shown: bool,
}

/// The file that a `few_shot` of the harness reads.
pub(super) fn demonstrations_file(harness: &Harness) -> Option<String> {
    let few_shot = crate::runtime::native::find("few_shot")?;
    let spec = harness.manifest.processors.iter().find(|spec| spec.native.as_deref() == Some(few_shot.name))?;
    (few_shot.complete)(&spec.params).ok()?.get("file")?.as_str().map(str::to_owned)
}

/// Demonstrations of the harness.
pub(super) fn of_harness(experience: &Experience, harness: &Harness) -> Vec<Transcript> {
    let text = demonstrations_file(harness).and_then(|file| harness.text(&file).map(str::to_owned)).unwrap_or_default();
    let lead = lead(experience);
    let read: Demonstrations = toml::from_str(&text).unwrap_or_default();
    read.demonstration.into_iter().map(|shown| of_turns(shown.tags, shown.turns, &lead)).collect()
}

fn of_turns(tags: Tags, turns: Vec<Spoken>, lead: &str) -> Transcript {
    let mut actions = Vec::new();
    for turn in &turns {
        if let Spoken::Assistant(text) = turn {
            actions.push(text.clone());
        }
    }
    let opening = turns.first().map_or("", |turn| if let Spoken::User(text) = turn { text.as_str() } else { "" });
    let task = opening.split_once(lead).filter(|_| !lead.is_empty()).map_or(opening, |(_, task)| task).to_owned();
    Transcript { tags, task, actions, turns, is_shown: true }
}

/// The words that stand before the task's text in every opening.
fn lead(experience: &Experience) -> String {
    let before = |played: &Played| {
        let at = played.opening.find(&played.text).filter(|_| !played.text.is_empty())?;
        Some(played.opening[..at].chars().rev().take(LEAD).collect::<Vec<char>>())
    };
    let shared = experience.episodes.iter().filter_map(before).reduce(|one, two| {
        let equal = one.iter().zip(&two).take_while(|(one, two)| one == two).count();
        one[..equal].to_vec()
    });
    shared.unwrap_or_default().into_iter().rev().collect()
}

/// A played episode.
pub(super) fn of_played(experience: &Experience, played: &Played) -> Transcript {
    let text = |number: usize| experience.text(number).to_owned();
    let mut turns = vec![Spoken::User(played.opening.clone())];
    for (index, step) in played.steps.iter().enumerate() {
        turns.push(Spoken::Assistant(text(step.action)));
        if index + 1 < played.steps.len() {
            turns.push(Spoken::User(text(step.result)));
        }
    }
    let actions = played.steps.iter().map(|step| text(step.action)).collect();
    Transcript { tags: played.tags.clone(), task: played.text.clone(), actions, turns, is_shown: false }
}

/// A file of demonstrations: these transcripts, in order.
pub(super) fn written(transcripts: &[&Transcript]) -> Option<String> {
    let whole = transcripts.iter().filter(|transcript| transcript.turns.len() > 1 && transcript.turns.len() % 2 == 0);
    let demonstration: Vec<Demonstration> =
        whole.map(|transcript| Demonstration { tags: transcript.tags.clone(), turns: transcript.turns.clone() }).collect();
    if demonstration.is_empty() {
        return None;
    }
    toml::to_string(&Demonstrations { demonstration }).ok()
}
