//! The processors that come with the program, one file each, and their registry. No word of any domain stands here: verbs and
//! patterns are parameters, set in `harnesses/`.

mod admissible_choice;
mod budget;
mod checkpoint;
mod compaction;
#[cfg(test)]
mod drive;
mod environment_context;
mod episode_metrics;
mod fence;
pub(crate) mod few_shot;
mod goal_term_filter;
mod judge;
mod loop_detection;
mod memory;
mod memory_line;
mod model_router;
#[cfg(feature = "otel")]
pub mod opentelemetry;
mod parse_retry;
mod pattern;
mod plan_then_act;
mod preferred_actions;
mod propose_and_vote;
mod recent;
mod repeated_edit_detection;
mod seam;
mod self_verify;
mod skill_loader;
mod sliding_window;
mod subgoal_tracker;
mod system_prompt;
mod todo_check;
mod tool_call_correction;
mod tool_failure_guard;
mod tool_filter;
mod tried_actions;
mod user_wrapper;
pub(crate) mod words;

use super::processor::Native;
use crate::domain::edit::Groups;

/// Every native processor, by name.
pub static NATIVES: &[Native] = &[
    admissible_choice::NATIVE,
    budget::NATIVE,
    checkpoint::NATIVE,
    compaction::NATIVE,
    environment_context::NATIVE,
    episode_metrics::NATIVE,
    few_shot::NATIVE,
    goal_term_filter::NATIVE,
    judge::NATIVE,
    loop_detection::NATIVE,
    memory::NATIVE,
    memory_line::NATIVE,
    model_router::NATIVE,
    #[cfg(feature = "otel")]
    opentelemetry::NATIVE,
    parse_retry::NATIVE,
    plan_then_act::NATIVE,
    preferred_actions::NATIVE,
    propose_and_vote::NATIVE,
    repeated_edit_detection::NATIVE,
    self_verify::NATIVE,
    skill_loader::NATIVE,
    sliding_window::NATIVE,
    subgoal_tracker::NATIVE,
    system_prompt::NATIVE,
    todo_check::NATIVE,
    tool_call_correction::NATIVE,
    tool_failure_guard::NATIVE,
    tool_filter::NATIVE,
    tried_actions::NATIVE,
    user_wrapper::NATIVE,
];

/// Natives that only some builds have, each with the feature that brings it.
const OPTIONAL: [(&str, &str); 1] = [("opentelemetry", "otel")];

/// The feature that this build lacks for a native processor.
pub fn missing_feature(name: &str) -> Option<&'static str> {
    let optional = OPTIONAL.iter().find(|(native, _)| *native == name && find(native).is_none());
    optional.map(|(_, feature)| *feature)
}

/// Finds a native processor.
pub fn find(name: &str) -> Option<&'static Native> {
    NATIVES.iter().find(|native| native.name == name)
}

/// The groups that they bring along, for edits of harnesses.
pub fn groups() -> Groups {
    let of = |native: &Native| Some((native.name.to_owned(), native.group?.to_owned()));
    Groups(NATIVES.iter().filter_map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Action, Event, Hook, Intercept, Replace, Split, ToolResult};
    use crate::domain::message::{Message, Turn};
    use crate::domain::outcome::Ending;
    use crate::domain::request::{Decision, ModelRole, Sampling};

    #[test]
    fn natives_stand_in_order_with_distinct_names() {
        assert!(NATIVES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn a_native_is_in_this_build_or_a_feature_brings_it() {
        for (name, feature) in OPTIONAL {
            assert_eq!(missing_feature(name), find(name).is_none().then_some(feature));
        }
        assert!(missing_feature("budget").is_none() && missing_feature("no_such_native").is_none());
    }

    #[test]
    fn unknown_parameters_are_refused_and_defaults_are_known() {
        for native in NATIVES {
            let odd: toml::Table = toml::from_str("no_such_parameter = 1").unwrap();
            let error = (native.build)(&odd, &drive::harness(&[])).err().unwrap();
            assert!(error.contains("no_such_parameter"), "{}: {error}", native.name);
            assert!(!(native.complete)(&toml::Table::new()).unwrap().is_empty(), "{}", native.name);
        }
    }

    /// What a hook lets a processor answer (`system.md` §3).
    fn fits(hook: Hook, action: &Action) -> bool {
        match action {
            Action::Pass | Action::Interrupt { .. } | Action::Ask(_) => true,
            Action::Replace(Replace::TaskStart { .. }) => hook == Hook::TaskStart,
            Action::Replace(Replace::StepStart { .. }) => hook == Hook::StepStart,
            Action::Replace(Replace::BeforeModel(_)) | Action::Intercept(Intercept::Reply(_)) => hook == Hook::BeforeModel,
            Action::Replace(Replace::AfterModel { .. }) | Action::Intercept(Intercept::Again(_)) => hook == Hook::AfterModel,
            Action::Replace(Replace::BeforeTool { .. }) | Action::Intercept(Intercept::Result(_)) | Action::Split(Split::Calls(_)) => {
                hook == Hook::BeforeTool
            }
            Action::Replace(Replace::AfterTool { .. }) | Action::Intercept(Intercept::Hide { .. }) | Action::Split(Split::Results(_)) => {
                hook == Hook::AfterTool
            }
        }
    }

    #[test]
    fn natives_with_default_parameters_survive_odd_episodes() {
        let files = [("prompts/system.md", "{{ task }}"), ("prompts/demonstrations.toml", "")];
        let odd = "é{a}${1}$1 ```json\n- [ ] ü\u{0}";
        let actions = drive::strings(&[odd, "", "b"]);
        let turns = [drive::turns(&[odd, &"ß".repeat(40_000)]), vec![Turn::new(Message::assistant(odd))]].concat();
        let (call, result) = (drive::call(odd, odd, odd), ToolResult { text: odd.repeat(500), is_error: true });
        let (reply, ending) = (drive::reply(odd), Ending::EnvironmentDone);
        let (sampling, decision) = (Sampling::default(), Decision::Free);
        let role = ModelRole::Main;
        for native in NATIVES {
            let mut drive = drive::Drive::with_files(native, "", &files).task(odd).tag("kind", odd);
            for step in 1..30 {
                drive.step = step;
                let events = [
                    Event::TaskStart { system: odd, demonstrations: &[] },
                    Event::StepStart { turns: &turns },
                    Event::BeforeModel { turns: &turns, tools: &[], actions: &actions, role, sampling: &sampling, decision: &decision },
                    Event::AfterModel { reply: &reply, actions: &actions, calls: 2, is_final: true },
                    Event::BeforeTool { call: &call },
                    Event::AfterTool { call: &call, result: &result, actions: &actions },
                    Event::StepEnd { turns: &turns },
                    Event::TaskEnd { ending: &ending },
                ];
                for event in events.iter().filter(|event| native.hooks.contains(&event.hook())) {
                    let mut action = drive.on(event);
                    if matches!(action, Action::Ask(_)) {
                        action = drive.told(odd, event);
                    }
                    assert!(fits(event.hook(), &action), "{}: {action:?}", native.name);
                }
            }
        }
    }
}
