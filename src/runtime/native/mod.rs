//! The processors that come with the program, one file each, and their registry. No word of any domain stands here: verbs and
//! patterns are parameters, set in `harnesses/`.

mod admissible_choice;
mod system_prompt;

use super::processor::Native;

/// Every native processor, by name.
pub static NATIVES: &[Native] = &[admissible_choice::NATIVE, system_prompt::NATIVE];

/// Finds a native processor.
pub fn find(name: &str) -> Option<&'static Native> {
    NATIVES.iter().find(|native| native.name == name)
}
