//! Notices when the agent goes round in circles: the same call with the same result again and again.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::domain::id::Digest;
use crate::runtime::native::pattern::{check_names, fill, with_message, within};
use crate::runtime::native::recent::repeat_of;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "loop_detection",
    behaviour: 1,
    group: Some("loop_detection"),
    hooks: &[Hook::BeforeModel, Hook::AfterTool],
    dimension: Dimension::ControlAndSafety,
    summary: "Tells the agent, or ends the episode, when the same call brings the same result again and again.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Same call with same result so often within the window: the agent is told, and again at each further time. 2 to 1000.
    repeats: usize,
    /// How many of the last calls are looked at, 2 to 10 000.
    window: usize,
    /// What the agent is told: `{count}` times, `{tool}`, `{arguments}` as JSON.
    message: String,
    /// End the episode at this many repeats within the window; 0: never.
    interrupt_at: usize,
}

impl Default for Params {
    fn default() -> Self {
        let message = "You called {tool} with {arguments} {count} times with the same result. Try something else.".into();
        Self { repeats: 3, window: 12, message, interrupt_at: 0 }
    }
}

struct LoopDetection {
    params: Params,
    recent: VecDeque<Digest>,
    counts: HashMap<Digest, usize>,
    message: String,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("repeats", params.repeats, 2, 1000)?;
    within("window", params.window, 2, 10_000)?;
    within("interrupt_at", params.interrupt_at, 0, params.window)?;
    within("repeats", params.repeats, 2, params.window)?;
    check_names("message", &params.message, &["count", "tool", "arguments"])?;
    Ok(Box::new(LoopDetection { params, recent: VecDeque::new(), counts: HashMap::new(), message: String::new() }))
}

impl LoopDetection {
    /// How often this one is among the recent ones, itself included.
    fn count(&mut self, digest: Digest) -> usize {
        self.recent.push_back(digest);
        if self.recent.len() > self.params.window
            && let Some(old) = self.recent.pop_front()
            && let Some(count) = self.counts.get_mut(&old)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&old);
            }
        }
        let count = self.counts.entry(digest).or_default();
        *count += 1;
        *count
    }
}

impl Processor for LoopDetection {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::AfterTool { call, result, .. } => {
                let count = self.count(repeat_of(call, result));
                if self.params.interrupt_at > 0 && count >= self.params.interrupt_at {
                    return Ok(Action::Interrupt { reason: format!("{} was repeated {count} times with the same result", call.name) });
                }
                if count >= self.params.repeats {
                    self.message = fill(&self.params.message, |name| match name {
                        "count" => Some(count.to_string()),
                        "tool" => Some(call.name.to_string()),
                        "arguments" => Some(call.arguments.0.to_string()),
                        _ => None,
                    });
                }
                Ok(Action::Pass)
            }
            Event::BeforeModel { .. } => Ok(with_message(std::mem::take(&mut self.message))),
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
    fn repeats_are_told_once_each_and_end_the_episode_at_last() {
        let mut drive = Drive::new(&NATIVE, "repeats = 2\ninterrupt_at = 4\nmessage = \"{tool} {count}\"");
        drive.after_tool("x", "r", &[]);
        assert_eq!(drive.before_model("", &[]).append_user, None);
        drive.after_tool("y", "r", &[]);
        drive.after_tool("x", "r", &[]);
        assert_eq!(drive.before_model("", &[]).append_user.as_deref(), Some("act 2"));
        assert_eq!(drive.before_model("", &[]).append_user, None);
        drive.after_tool("x", "r", &[]);
        assert!(matches!(drive.after_tool("x", "r", &[]), Action::Interrupt { .. }));
    }

    #[test]
    fn what_left_the_window_does_not_count() {
        let mut drive = Drive::new(&NATIVE, "repeats = 2\nwindow = 2");
        for action in ["x", "y", "z", "x"] {
            drive.after_tool(action, "r", &[]);
        }
        assert_eq!(drive.before_model("", &[]).append_user, None);
        assert!(refused(&NATIVE, "repeats = 5\nwindow = 3").starts_with("repeats"));
    }
}
