//! Keeps the first and the last turns of a long history and drops those between, never parting a tool call from its result.

use crate::domain::conversation::HistoryEdit;
use crate::domain::event::{Action, Event, Hook, Replace, Scene};
use crate::domain::harness::Harness;
use crate::runtime::native::pattern::within;
use crate::runtime::native::seam::cut;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "sliding_window",
    behaviour: 1,
    group: Some("history"),
    hooks: &[Hook::StepStart],
    dimension: Dimension::ContextAssembly,
    summary: "Keeps the first and the last turns of a long history.",
    build,
    complete: complete_params::<Params>,
};

/// Parameters, in turns (messages).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Kept at the beginning, 0 to 100 000.
    first: usize,
    /// Kept at the end, 1 to 100 000; a few more where a call and its result would be parted.
    last: usize,
    /// Only drop when this many more have gathered, 1 to 100 000: fewer cuts keep more of a provider's prompt cache.
    slack: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self { first: 1, last: 20, slack: 10 }
    }
}

struct SlidingWindow {
    params: Params,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("first", params.first, 0, 100_000)?;
    within("last", params.last, 1, 100_000)?;
    within("slack", params.slack, 1, 100_000)?;
    Ok(Box::new(SlidingWindow { params }))
}

impl Processor for SlidingWindow {
    fn on(&mut self, event: &Event<'_>, _scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::StepStart { turns } = event else { return Ok(Action::Pass) };
        let Params { first, last, slack } = self.params;
        if turns.len() < first + last + slack {
            return Ok(Action::Pass);
        }
        let Some((from, to)) = cut(turns, first, turns.len() - last) else { return Ok(Action::Pass) };
        Ok(Action::Replace(Replace::StepStart { history: vec![HistoryEdit::Drop { from, to }] }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::{Message, Turn};
    use crate::runtime::native::drive::{Drive, call, refused};
    use std::sync::Arc;

    fn history(steps: usize) -> Vec<Arc<Turn>> {
        let mut turns = vec![Turn::new(Message::user("task"))];
        for index in 0..steps {
            let call = call("act", "action", &index.to_string());
            let (id, name) = (call.id.clone(), call.name.clone());
            turns.push(Turn::new(Message::Assistant { text: String::new(), tool_calls: vec![call] }));
            turns.push(Turn::new(Message::Tool { call: id, name, text: "ok".into(), is_error: false }));
        }
        turns
    }

    #[test]
    fn calls_stay_with_their_results() {
        let mut drive = Drive::new(&NATIVE, "first = 2\nlast = 3\nslack = 2");
        assert_eq!(drive.on(&Event::StepStart { turns: &history(2) }), Action::Pass);
        let Action::Replace(Replace::StepStart { history: edits }) = drive.on(&Event::StepStart { turns: &history(6) }) else {
            panic!("must cut");
        };
        assert_eq!(edits, [HistoryEdit::Drop { from: 3, to: 9 }]);
    }

    #[test]
    fn an_empty_window_is_refused() {
        assert!(refused(&NATIVE, "last = 0").starts_with("last"));
    }
}
