//! Withholds actions that can bring nothing new: tried before in the same state, known to do nothing, undoing what was just done,
//! or leading where the agent has been. Each rule yields when it would leave no action at all.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::domain::id::Digest;
use crate::runtime::native::pattern::{action_of, any, compile, compile_list, compile_optional, expand, narrowed, observed, within};
use crate::runtime::native::words::words;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet, VecDeque};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "tried_actions",
    behaviour: 1,
    group: Some("tried_actions"),
    hooks: &[Hook::StepStart, Hook::BeforeModel, Hook::AfterTool],
    dimension: Dimension::ControlAndSafety,
    summary: "Withholds actions already tried in this state, without effect, undoing the last one, or leading to places visited.",
    build,
    complete: complete_params::<Params>,
};

/// By what two states are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// The text of the last observation that had an effect.
    #[default]
    Observation,
    /// The set of actions that the environment admits.
    Actions,
}

/// Parameters. An empty pattern or list turns its rule off.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Withhold actions already tried in the same state.
    tried: bool,
    /// By what states are told apart: `observation` or `actions`.
    state: State,
    /// Pattern on observations: only its match (capture 1 where it has one) tells states apart, and an observation without a match
    /// leaves the state as it is. Empty: the whole text. For `state = "observation"`.
    signature: String,
    /// Pattern on results: the action did nothing. Such actions are withheld everywhere until `reset`, and leave the state as it is.
    no_effect: String,
    /// Pairs of a pattern on actions and the action that undoes it, with `$1` or `${name}` from captures.
    undo: Vec<(String, String)>,
    /// For how many of the last actions their undoing is withheld, 1 to 100.
    undo_window: usize,
    /// Pattern on actions; capture 1 is the place they lead to. Actions that lead to places visited are withheld.
    visited: String,
    /// Places with a word of the task in their name are never withheld as visited.
    revisit_task_places: bool,
    /// Patterns on results or actions: on a match, all that was tried, did nothing or was visited is forgotten.
    reset: Vec<String>,
    /// Patterns on actions that are never offered.
    drop: Vec<String>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            tried: true,
            state: State::default(),
            signature: String::new(),
            no_effect: String::new(),
            undo: Vec::new(),
            undo_window: 1,
            visited: String::new(),
            revisit_task_places: false,
            reset: Vec::new(),
            drop: Vec::new(),
        }
    }
}

struct TriedActions {
    params: Params,
    signature: Option<Regex>,
    no_effect: Option<Regex>,
    undo: Vec<(Regex, String)>,
    visited: Option<Regex>,
    reset: Vec<Regex>,
    drop: Vec<Regex>,
    memory: Memory,
}

/// What is known of this episode; grows by at most one entry a step.
#[derive(Default)]
struct Memory {
    state: Option<Digest>,
    tried: HashMap<Digest, HashSet<String>>,
    idle: HashSet<String>,
    undoing: VecDeque<Option<String>>,
    places: HashSet<String>,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("undo_window", params.undo_window, 1, 100)?;
    let mut undo = Vec::new();
    for (index, (pattern, inverse)) in params.undo.iter().enumerate() {
        undo.push((compile(&format!("undo[{index}]"), pattern)?, inverse.clone()));
    }
    let visited = compile_optional("visited", &params.visited)?;
    if visited.as_ref().is_some_and(|pattern| pattern.captures_len() < 2) {
        return Err("visited: the pattern has no capture for the place".into());
    }
    Ok(Box::new(TriedActions {
        signature: compile_optional("signature", &params.signature)?,
        no_effect: compile_optional("no_effect", &params.no_effect)?,
        undo,
        visited,
        reset: compile_list("reset", &params.reset)?,
        drop: compile_list("drop", &params.drop)?,
        memory: Memory::default(),
        params,
    }))
}

/// Keeps what `keep` likes, or all where it likes none.
fn sift(actions: &mut Vec<String>, keep: impl Fn(&str) -> bool) {
    if actions.iter().any(|action| keep(action)) {
        actions.retain(|action| keep(action));
    }
}

impl TriedActions {
    fn observe_text(&mut self, text: &str) {
        let seen = match &self.signature {
            None => Some(text),
            Some(pattern) => pattern.captures(text).and_then(|found| found.get(1).or_else(|| found.get(0))).map(|found| found.as_str()),
        };
        if let Some(seen) = seen {
            self.memory.state = Some(Digest::of(seen.as_bytes()));
        }
    }

    fn observe_actions(&mut self, actions: &[String]) {
        let mut sorted: Vec<&[u8]> = actions.iter().map(String::as_bytes).collect();
        sorted.sort_unstable();
        self.memory.state = Some(Digest::of_parts(&sorted));
    }

    fn place_of(&self, action: &str) -> Option<String> {
        let found = self.visited.as_ref()?.captures(action)?;
        found.get(1).map(|place| place.as_str().to_lowercase())
    }

    fn learn(&mut self, action: &str, result: &str, actions: &[String]) {
        if let Some(state) = self.memory.state {
            self.memory.tried.entry(state).or_default().insert(action.to_owned());
        }
        let idle = self.no_effect.as_ref().is_some_and(|pattern| pattern.is_match(result));
        if any(&self.reset, result) || any(&self.reset, action) {
            self.memory.tried.clear();
            self.memory.idle.clear();
            self.memory.places.clear();
        }
        if idle {
            self.memory.idle.insert(action.to_owned());
            return;
        }
        if let Some(place) = self.place_of(action) {
            self.memory.places.insert(place);
        }
        let inverse = self.undo.iter().find_map(|(pattern, inverse)| Some(expand(&pattern.captures(action)?, inverse)));
        self.memory.undoing.push_back(inverse);
        while self.memory.undoing.len() > self.params.undo_window {
            self.memory.undoing.pop_front();
        }
        match self.params.state {
            State::Observation => self.observe_text(result),
            State::Actions => self.observe_actions(actions),
        }
    }

    fn narrow(&mut self, offered: &[String], task: &str) -> Vec<String> {
        if self.memory.state.is_none() {
            self.observe_actions(offered);
        }
        let memory = &self.memory;
        let mut left = offered.to_vec();
        sift(&mut left, |action| !any(&self.drop, action));
        sift(&mut left, |action| !memory.idle.contains(action));
        sift(&mut left, |action| !memory.undoing.iter().flatten().any(|inverse| inverse == action));
        let tried = memory.state.and_then(|state| memory.tried.get(&state)).filter(|_| self.params.tried);
        if let Some(tried) = tried {
            sift(&mut left, |action| !tried.contains(action));
        }
        if !memory.places.is_empty() {
            let wanted: HashSet<String> = if self.params.revisit_task_places { words(task).collect() } else { HashSet::new() };
            sift(&mut left, |action| {
                let Some(place) = self.place_of(action) else { return true };
                !memory.places.contains(&place) || words(&place).any(|word| wanted.contains(&word))
            });
        }
        left
    }
}

impl Processor for TriedActions {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::StepStart { turns } if self.memory.state.is_none() && self.params.state == State::Observation => {
                self.observe_text(observed(turns));
                Ok(Action::Pass)
            }
            Event::AfterTool { call, result, actions } => {
                self.learn(action_of(call), &result.text, actions);
                Ok(Action::Pass)
            }
            Event::BeforeModel { actions, .. } => {
                let left = self.narrow(actions, scene.task);
                Ok(narrowed(actions, left))
            }
            Event::TaskStart { .. }
            | Event::StepStart { .. }
            | Event::AfterModel { .. }
            | Event::BeforeTool { .. }
            | Event::StepEnd { .. }
            | Event::TaskEnd { .. } => Ok(Action::Pass),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, refused};

    #[test]
    fn what_was_tried_in_a_state_is_withheld_only_there() {
        let mut drive = Drive::new(&NATIVE, "");
        drive.step_start(&["hall"]);
        assert_eq!(drive.left(&["north", "south"]), ["north", "south"]);
        drive.after_tool("north", "cellar", &[]);
        assert_eq!(drive.left(&["north", "south"]), ["north", "south"]);
        drive.after_tool("south", "hall", &[]);
        assert_eq!(drive.left(&["north", "south"]), ["south"]);
        assert_eq!(drive.left(&["north"]), ["north"]);
    }

    #[test]
    fn no_ops_stay_withheld_until_reset_and_leave_the_state() {
        let mut drive = Drive::new(&NATIVE, "no_effect = \"^nothing\"\nreset = [\"^you hold\"]");
        drive.step_start(&["hall"]);
        drive.after_tool("press", "Nothing happens", &[]);
        assert_eq!(drive.left(&["press", "pull"]), ["pull"]);
        drive.after_tool("pull", "you hold a lever", &[]);
        assert_eq!(drive.left(&["press", "pull"]), ["press", "pull"]);
    }

    #[test]
    fn undoing_and_places_visited_are_withheld() {
        let params = "tried = false\nundo = [[\"^open (.+)\", \"close $1\"]]\nvisited = \"^walk to (.+)\"\nrevisit_task_places = true";
        let mut drive = Drive::new(&NATIVE, params).task("bring it to the yard");
        drive.after_tool("walk to barn 1", "barn", &[]);
        drive.after_tool("walk to yard 1", "yard", &[]);
        drive.after_tool("open gate", "it is open", &[]);
        assert_eq!(drive.left(&["close gate", "walk to barn 1", "walk to yard 1", "look"]), ["walk to yard 1", "look"]);
        drive.after_tool("look", "all well", &[]);
        assert_eq!(drive.left(&["close gate", "walk to barn 1"]), ["close gate"]);
    }

    #[test]
    fn the_set_of_actions_can_tell_states_apart() {
        let mut drive = Drive::new(&NATIVE, "state = \"actions\"\ndrop = [\"^help\"]");
        assert_eq!(drive.left(&["help", "a", "b"]), ["a", "b"]);
        drive.after_tool("a", "one", &["b", "help", "a"]);
        assert_eq!(drive.left(&["help", "a", "b"]), ["b"]);
    }

    #[test]
    fn bad_parameters_are_named() {
        assert!(refused(&NATIVE, "visited = \"^go\"").starts_with("visited"));
        assert!(refused(&NATIVE, "undo = [[\"(\", \"\"]]").starts_with("undo[0]"));
        assert!(refused(&NATIVE, "undo_window = 0").starts_with("undo_window"));
    }
}
