//! Tracks an ordered list of sub-goals, chosen by a tag of the task, and shows the next one after each observation. Parts of the
//! task's text can stand in the sub-goals as `{name}`.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::domain::task::Tags;
use crate::runtime::native::pattern::{
    Source, action_of, any, check_names, compile, compile_list, compile_optional, fill, narrowed, observed, with_line,
};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "subgoal_tracker",
    behaviour: 2,
    group: Some("subgoal_tracker"),
    hooks: &[Hook::StepStart, Hook::BeforeModel, Hook::AfterTool],
    dimension: Dimension::ContextAssembly,
    summary: "Shows the next of an ordered list of sub-goals, chosen by a tag of the task.",
    build,
    complete: complete_params::<Params>,
};

/// The plan for tasks without one of their own.
const ANY: &str = "any";

/// In the place of a part that the task's text does not have, within patterns.
const UNKNOWN: &str = ".+?";

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Tag whose value names the plan. Empty, or no plan of that name: the plan `any`.
    by: String,
    /// Patterns on the task's text; their named captures may stand as `{name}` in sub-goals.
    goal: Vec<String>,
    /// Sub-goals in order, by the name of their plan.
    plans: BTreeMap<String, Vec<SubGoal>>,
    /// The line: `{next}` is the next sub-goal, `{done}` how many are done, `{count}` how many there are.
    line: String,
    /// The line once all are done; empty: none.
    finished: String,
    /// A later sub-goal reached counts those before it as done.
    skip_ahead: bool,
    /// Withhold actions that would reach a later sub-goal before its turn, unless nothing else is left.
    in_turn: bool,
    /// In the place of a part that the task's text does not have, within names.
    unknown: String,
    /// Pattern on results: the action did nothing, and the step counts for no sub-goal.
    no_effect: String,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            by: String::new(),
            goal: Vec::new(),
            plans: BTreeMap::new(),
            line: "Next: {next}".into(),
            finished: String::new(),
            skip_ahead: false,
            in_turn: false,
            unknown: "it".into(),
            no_effect: String::new(),
        }
    }
}

/// One sub-goal as written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubGoal {
    /// As the model reads it.
    name: String,
    /// Pattern: it is reached.
    done: String,
    /// Pattern: it is lost again, and is next once more. Empty: never.
    #[serde(default)]
    lost: String,
    /// Text that `done` and `lost` read: `result`, `action` or `either`.
    #[serde(default)]
    on: Source,
    /// Patterns on actions, best first: while this is next, only actions of the first pattern that matches any are offered.
    #[serde(default)]
    offer: Vec<String>,
}

/// A sub-goal of one task.
struct Target {
    name: String,
    on: Source,
    done: Regex,
    lost: Option<Regex>,
    offer: Vec<Regex>,
}

struct SubGoalTracker {
    params: Params,
    goal: Vec<Regex>,
    no_effect: Option<Regex>,
    /// Of the task, once its text is known.
    targets: Option<Vec<Target>>,
    /// How many are done.
    reached: usize,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    check_names("line", &params.line, &["next", "done", "count"])?;
    check_names("finished", &params.finished, &["done", "count"])?;
    let goal = compile_list("goal", &params.goal)?;
    let names: Vec<&str> = goal.iter().flat_map(Regex::capture_names).flatten().collect();
    for (plan, subgoals) in &params.plans {
        for (index, subgoal) in subgoals.iter().enumerate() {
            let parameter = format!("plans.{plan}[{index}]");
            check_names(&format!("{parameter}.name"), &subgoal.name, &names)?;
            check_names(&format!("{parameter}.done"), &subgoal.done, &names)?;
            check_names(&format!("{parameter}.lost"), &subgoal.lost, &names)?;
            subgoal.offer.iter().try_for_each(|offer| check_names(&format!("{parameter}.offer"), offer, &names))?;
            target(&parameter, subgoal, &BTreeMap::new(), "")?;
        }
    }
    let no_effect = compile_optional("no_effect", &params.no_effect)?;
    Ok(Box::new(SubGoalTracker { params, goal, no_effect, targets: None, reached: 0 }))
}

/// Puts the parts of a task into a sub-goal.
fn target(parameter: &str, subgoal: &SubGoal, parts: &BTreeMap<String, String>, unknown: &str) -> Result<Target, String> {
    let escaped =
        |pattern: &str| fill(pattern, |name| Some(parts.get(name).map_or_else(|| UNKNOWN.to_owned(), |part| regex::escape(part))));
    let offer: Vec<String> = subgoal.offer.iter().map(|pattern| escaped(pattern)).collect();
    Ok(Target {
        name: fill(&subgoal.name, |name| Some(parts.get(name).cloned().unwrap_or_else(|| unknown.to_owned()))),
        on: subgoal.on,
        done: compile(&format!("{parameter}.done"), &escaped(&subgoal.done))?,
        lost: compile_optional(&format!("{parameter}.lost"), &escaped(&subgoal.lost))?,
        offer: compile_list(&format!("{parameter}.offer"), &offer)?,
    })
}

impl SubGoalTracker {
    /// The sub-goals of this task; compiled when first needed.
    fn begin(&mut self, task: &str, tags: &Tags) -> Result<(), Fault> {
        if self.targets.is_some() {
            return Ok(());
        }
        let mut parts = BTreeMap::new();
        for pattern in &self.goal {
            let Some(found) = pattern.captures(task) else { continue };
            for name in pattern.capture_names().flatten() {
                if let Some(part) = found.name(name) {
                    parts.entry(name.to_owned()).or_insert_with(|| part.as_str().to_owned());
                }
            }
        }
        let named = tags.get(&self.params.by).and_then(|value| self.params.plans.get(value));
        let plan = named.or_else(|| self.params.plans.get(ANY)).map_or(&[][..], Vec::as_slice);
        let targets: Result<Vec<Target>, String> =
            plan.iter().map(|subgoal| target("plans", subgoal, &parts, &self.params.unknown)).collect();
        self.targets = Some(targets.map_err(Fault)?);
        Ok(())
    }

    fn read(&mut self, action: &str, result: &str) {
        if self.no_effect.as_ref().is_some_and(|pattern| pattern.is_match(result)) {
            return;
        }
        let targets = self.targets.as_deref().unwrap_or_default();
        let matches = |target: &Target, pattern: &Regex| target.on.of(action, result).iter().any(|text| pattern.is_match(text));
        let is_lost = |target: &Target| target.lost.as_ref().is_some_and(|pattern| matches(target, pattern));
        let gone = targets.iter().take(self.reached).position(is_lost);
        if let Some(index) = gone {
            self.reached = index;
            return;
        }
        if self.params.skip_ahead {
            let furthest = targets.iter().rposition(|target| matches(target, &target.done));
            self.reached = self.reached.max(furthest.map_or(0, |index| index + 1));
        }
        while targets.get(self.reached).is_some_and(|target| matches(target, &target.done)) {
            self.reached += 1;
        }
    }

    fn line(&self) -> String {
        let targets = self.targets.as_deref().unwrap_or_default();
        if targets.is_empty() {
            return String::new();
        }
        let next = targets.get(self.reached);
        let template = if next.is_some() { &self.params.line } else { &self.params.finished };
        fill(template, |name| match name {
            "next" => next.map(|target| target.name.clone()),
            "done" => Some(self.reached.to_string()),
            "count" => Some(targets.len().to_string()),
            _ => None,
        })
    }

    /// Whether an action would reach a later sub-goal, and not the next one.
    fn is_early(&self, action: &str) -> bool {
        let left = self.targets.as_deref().unwrap_or_default().get(self.reached..).unwrap_or_default();
        let reaches = |target: &Target| target.on != Source::Result && target.done.is_match(action);
        let Some((next, later)) = left.split_first() else { return false };
        self.params.in_turn && !reaches(next) && later.iter().any(reaches)
    }

    /// The actions that serve the next sub-goal, or where it names none, those whose turn it is.
    fn serving(&self, actions: &[String]) -> Vec<String> {
        let serving = self.named(actions);
        if serving.is_empty() { actions.iter().filter(|action| !self.is_early(action)).cloned().collect() } else { serving }
    }

    /// The actions that the next sub-goal names.
    fn named(&self, actions: &[String]) -> Vec<String> {
        let next = self.targets.as_deref().unwrap_or_default().get(self.reached);
        let offer = next.map_or(&[][..], |target| target.offer.as_slice());
        let found = offer.iter().find(|pattern| actions.iter().any(|action| pattern.is_match(action)));
        let fits = |action: &&String| found.is_some_and(|pattern| any(std::slice::from_ref(pattern), action));
        actions.iter().filter(fits).cloned().collect()
    }
}

impl Processor for SubGoalTracker {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::StepStart { turns } if self.targets.is_none() => {
                self.begin(scene.task, scene.tags)?;
                self.read("", observed(turns));
                Ok(Action::Pass)
            }
            Event::AfterTool { call, result, .. } => {
                self.begin(scene.task, scene.tags)?;
                self.read(action_of(call), &result.text);
                Ok(Action::Pass)
            }
            Event::BeforeModel { turns, actions, .. } => {
                self.begin(scene.task, scene.tags)?;
                let shown = with_line(turns, &self.line());
                Ok(joined(shown, narrowed(actions, self.serving(actions))))
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

/// Both changes of a request in one.
fn joined(line: Action, offer: Action) -> Action {
    use crate::domain::event::Replace;
    match (line, offer) {
        (Action::Replace(Replace::BeforeModel(mut line)), Action::Replace(Replace::BeforeModel(offer))) => {
            line.actions = offer.actions;
            Action::Replace(Replace::BeforeModel(line))
        }
        (Action::Pass, offer) => offer,
        (line, _) => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, refused};

    const PARAMS: &str = r#"
        by = "kind"
        goal = ["bring a (?P<object>.+?) to the (?P<place>\\w+)"]
        finished = "All {count} done."
        no_effect = "^nothing"
        [[plans.carry]]
        name = "find a {object}"
        done = "you see a {object}|you lift the {object}"
        [[plans.carry]]
        name = "lift the {object}"
        done = "you lift the {object}"
        lost = "you drop"
        offer = ["^lift {object}", "^open"]
        [[plans.carry]]
        name = "go to the {place}"
        on = "action"
        done = "^walk to {place}"
    "#;

    fn drive(params: &str) -> Drive {
        Drive::new(&NATIVE, params).task("bring a red (stone to the yard").tag("kind", "carry")
    }

    fn shown(drive: &mut Drive) -> String {
        drive.before_model("o", &[]).last_user.unwrap_or_default()
    }

    #[test]
    fn the_next_sub_goal_is_shown_until_it_is_reached() {
        let mut drive = drive(PARAMS);
        drive.step_start(&["hall"]);
        assert_eq!(shown(&mut drive), "o\nNext: find a red (stone");
        drive.after_tool("look", "You see a red (stone", &[]);
        assert_eq!(shown(&mut drive), "o\nNext: lift the red (stone");
        drive.after_tool("lift", "nothing: you lift the red (stone", &[]);
        drive.after_tool("lift", "you lift the red (stone", &[]);
        drive.after_tool("drop", "you drop it", &[]);
        assert_eq!(shown(&mut drive), "o\nNext: lift the red (stone");
        drive.after_tool("lift", "you lift the red (stone", &[]);
        drive.after_tool("walk to yard 1", "yard", &[]);
        assert_eq!(shown(&mut drive), "o\nAll 3 done.");
    }

    #[test]
    fn the_next_sub_goal_can_choose_the_actions() {
        let mut drive = drive(PARAMS);
        drive.after_tool("look", "You see a red (stone", &[]);
        assert_eq!(drive.left(&["walk", "open gate"]), ["open gate"]);
        assert_eq!(drive.left(&["walk", "open gate", "lift red (stone 1"]), ["lift red (stone 1"]);
        assert_eq!(drive.left(&["walk"]), ["walk"]);
    }

    #[test]
    fn what_a_later_sub_goal_needs_waits_for_its_turn() {
        let mut drive = drive(&format!("in_turn = true\n{PARAMS}"));
        assert_eq!(drive.left(&["walk to yard 1", "walk to barn 1"]), ["walk to barn 1", "walk to yard 1"][..1]);
        assert_eq!(drive.left(&["walk to yard 1"]), ["walk to yard 1"]);
        drive.after_tool("lift", "you lift the red (stone", &[]);
        assert_eq!(drive.left(&["walk to yard 1", "walk to barn 1"]).len(), 2);
    }

    #[test]
    fn later_sub_goals_count_only_when_asked() {
        let mut strict = drive(PARAMS);
        strict.after_tool("walk to yard", "yard", &[]);
        assert!(shown(&mut strict).contains("find"));
        let mut eager = drive(&format!("skip_ahead = true\n{PARAMS}"));
        eager.after_tool("walk to yard", "yard", &[]);
        assert!(shown(&mut eager).contains("All 3"));
    }

    #[test]
    fn bad_sub_goals_are_named() {
        let error = refused(&NATIVE, "[[plans.any]]\nname = \"x\"\ndone = \"(\"");
        assert!(error.starts_with("plans.any[0].done"), "{error}");
        assert!(refused(&NATIVE, "[[plans.any]]\nname = \"{x}\"\ndone = \"a\"").starts_with("plans.any[0].name"));
    }
}
