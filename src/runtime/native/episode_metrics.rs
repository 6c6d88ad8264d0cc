//! Counts what happened in an episode and notes it in the trace at the end.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::domain::id::Digest;
use crate::runtime::native::pattern::{compile_optional, failed};
use crate::runtime::native::recent::repeat_of;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "episode_metrics",
    behaviour: 1,
    group: Some("episode_metrics"),
    hooks: &[Hook::AfterModel, Hook::AfterTool, Hook::TaskEnd],
    dimension: Dimension::Observability,
    summary: "Notes counts of the episode in the trace: steps, calls, failures, repeats, tokens, time.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Pattern on results that count as failures besides those marked as errors. Empty: none.
    failure: String,
}

#[derive(Default)]
struct EpisodeMetrics {
    failure: Option<Regex>,
    replies: u32,
    second_calls: u32,
    tool_calls: u32,
    failures: u32,
    repeats: u32,
    offered: u64,
    seen: HashSet<Digest>,
    note: Option<String>,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    let failure = compile_optional("failure", &params.failure)?;
    Ok(Box::new(EpisodeMetrics { failure, ..EpisodeMetrics::default() }))
}

impl EpisodeMetrics {
    fn summary(&self, scene: &Scene<'_>) -> String {
        format!(
            "steps {}, replies {}, asked again {}, mean offered {:.1}, tool calls {}, failures {}, repeats {}, tokens {}, cost {:.4}, ms {}",
            scene.step,
            self.replies,
            self.second_calls,
            self.offered as f64 / f64::from(self.replies.max(1)),
            self.tool_calls,
            self.failures,
            self.repeats,
            scene.usage.tokens(),
            scene.usage.cost,
            scene.elapsed_ms,
        )
    }
}

impl Processor for EpisodeMetrics {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        match event {
            Event::AfterModel { actions, calls, .. } => {
                self.replies += 1;
                self.second_calls += u32::from(*calls > 1);
                self.offered += actions.len() as u64;
            }
            Event::AfterTool { call, result, .. } => {
                self.tool_calls += 1;
                self.failures += u32::from(failed(result, self.failure.as_ref()));
                self.repeats += u32::from(!self.seen.insert(repeat_of(call, result)));
            }
            Event::TaskEnd { .. } => self.note = Some(self.summary(scene)),
            Event::TaskStart { .. }
            | Event::StepStart { .. }
            | Event::BeforeModel { .. }
            | Event::BeforeTool { .. }
            | Event::StepEnd { .. } => {}
        }
        Ok(Action::Pass)
    }

    fn note(&mut self) -> Option<String> {
        self.note.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::native::drive::Drive;

    #[test]
    fn counts_are_noted_at_the_end() {
        let mut drive = Drive::new(&NATIVE, "failure = \"^nothing\"");
        drive.answer("x");
        drive.after_tool("a", "nothing", &[]);
        drive.after_tool("a", "nothing", &[]);
        drive.after_error("b");
        drive.elapsed_ms = 5;
        let note = drive.task_end().unwrap();
        assert_eq!(
            note,
            "steps 1, replies 1, asked again 0, mean offered 0.0, tool calls 3, failures 3, repeats 1, tokens 0, cost 0.0000, ms 5"
        );
        assert_eq!(drive.processor.note(), None);
    }
}
