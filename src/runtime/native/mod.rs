//! The processors that come with the program, one file each, and their registry. No word of any domain stands here: verbs and
//! patterns are parameters, set in `harnesses/`.

mod admissible_choice;
mod budget;
#[cfg(test)]
mod drive;
mod environment_context;
mod fence;
mod few_shot;
mod goal_term_filter;
mod loop_detection;
mod memory_line;
mod parse_retry;
mod pattern;
mod preferred_actions;
mod seam;
mod sliding_window;
mod subgoal_tracker;
mod system_prompt;
mod tool_call_correction;
mod tool_filter;
mod tried_actions;
mod user_wrapper;
mod words;

use super::processor::Native;

/// Every native processor, by name.
pub static NATIVES: &[Native] = &[
    admissible_choice::NATIVE,
    budget::NATIVE,
    environment_context::NATIVE,
    few_shot::NATIVE,
    goal_term_filter::NATIVE,
    loop_detection::NATIVE,
    memory_line::NATIVE,
    parse_retry::NATIVE,
    preferred_actions::NATIVE,
    sliding_window::NATIVE,
    subgoal_tracker::NATIVE,
    system_prompt::NATIVE,
    tool_call_correction::NATIVE,
    tool_filter::NATIVE,
    tried_actions::NATIVE,
    user_wrapper::NATIVE,
];

/// Finds a native processor.
pub fn find(name: &str) -> Option<&'static Native> {
    NATIVES.iter().find(|native| native.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natives_stand_in_order_with_distinct_names() {
        assert!(NATIVES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn unknown_parameters_are_refused_and_defaults_are_known() {
        for native in NATIVES {
            let odd: toml::Table = toml::from_str("no_such_parameter = 1").unwrap();
            let error = (native.build)(&odd, &drive::harness(&[])).err().unwrap();
            assert!(error.contains("no_such_parameter"), "{}: {error}", native.name);
            assert!(!(native.defaults)().is_empty(), "{}", native.name);
        }
    }
}
