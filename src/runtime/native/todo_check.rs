//! Does not let a final answer stand while the agent's own last to-do list (`- [ ]`, `- [x]`) has open items.

use crate::domain::event::{Action, Event, Hook, Replace, Scene};
use crate::domain::harness::Harness;
use crate::runtime::native::pattern::{check_names, fill, within};
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "todo_check",
    behaviour: 1,
    group: Some("todo_check"),
    hooks: &[Hook::AfterModel],
    dimension: Dimension::ControlAndSafety,
    summary: "Asks again when a final answer leaves items of the agent's own to-do list open.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// What the agent is told: `{items}` still open, `{count}` of them.
    message: String,
    /// Most refusals an episode, 1 to 20; after them any answer stands.
    most: u32,
}

impl Default for Params {
    fn default() -> Self {
        let message = "Your list still has {count} open items: {items}. Do them or strike them off, then answer again.".into();
        Self { message, most: 2 }
    }
}

struct TodoCheck {
    params: Params,
    /// Open items of the last list.
    open: Vec<String>,
    refused: u32,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("most", params.most, 1, 20)?;
    check_names("message", &params.message, &["items", "count"])?;
    Ok(Box::new(TodoCheck { params, open: Vec::new(), refused: 0 }))
}

/// Items of a list: whether each is open, and its text.
fn items(text: &str) -> Vec<(bool, &str)> {
    let item = |line: &'_ str| -> Option<(bool, usize)> {
        let rest = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "))?;
        let open = rest.starts_with("[ ]");
        (open || rest.starts_with("[x]") || rest.starts_with("[X]")).then_some((open, 5))
    };
    text.lines().map(str::trim).filter_map(|line| item(line).map(|(open, skip)| (open, line[skip..].trim()))).collect()
}

impl Processor for TodoCheck {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::AfterModel { reply, is_final, .. } = event else { return Ok(Action::Pass) };
        let listed = items(&reply.text);
        if !listed.is_empty() {
            self.open = listed.iter().filter(|(open, _)| *open).map(|(_, item)| (*item).to_owned()).collect();
        }
        if !is_final || self.open.is_empty() || self.refused >= self.params.most {
            return Ok(Action::Pass);
        }
        self.refused += 1;
        let message = fill(&self.params.message, |name| match name {
            "items" => Some(self.open.join("; ")),
            "count" => Some(self.open.len().to_string()),
            _ => None,
        });
        Ok(Action::Replace(Replace::AfterModel { reply: None, again: Some(message) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::{Drive, again, refused, reply};

    #[test]
    fn open_items_of_the_last_list_hold_the_answer_back() {
        let mut drive = Drive::new(&NATIVE, "message = \"{count}: {items}\"\nmost = 1");
        let plan = reply("Plan:\n- [ ] sow\n  * [x] dig\n- [ ] reap");
        drive.on(&Event::AfterModel { reply: &plan, actions: &[], calls: 1, is_final: false });
        assert_eq!(again(drive.answer("done")).as_deref(), Some("2: sow; reap"));
        assert_eq!(drive.answer("done"), Action::Pass);
        let mut drive = Drive::new(&NATIVE, "");
        assert_eq!(drive.answer("- [x] sow\n- [X] reap\n[ ] é"), Action::Pass);
        assert!(refused(&NATIVE, "most = 0").starts_with("most"));
    }
}
