//! Notes a digest of the history in the trace every few steps: two episodes with the same note had the same history up to there.

use crate::domain::event::{Action, Event, Hook, Scene};
use crate::domain::harness::Harness;
use crate::domain::id::Digest;
use crate::runtime::native::pattern::within;
use crate::runtime::processor::{Dimension, Fault, Native, Processor, complete_params, read_params};
use serde::{Deserialize, Serialize};

/// Registry entry.
pub const NATIVE: Native = Native {
    name: "checkpoint",
    behaviour: 1,
    group: Some("checkpoint"),
    hooks: &[Hook::StepEnd],
    dimension: Dimension::Observability,
    summary: "Notes a digest of the history in the trace every few steps.",
    build,
    complete: complete_params::<Params>,
};

/// Hex digits of the digest that are noted.
const DIGITS: usize = 16;

/// Parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    /// Steps between notes, 1 to 10 000.
    every: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { every: 5 }
    }
}

struct Checkpoint {
    params: Params,
    digest: Digest,
    turns: usize,
    note: Option<String>,
}

fn build(params: &toml::Table, _harness: &Harness) -> Result<Box<dyn Processor>, String> {
    let params: Params = read_params(params)?;
    within("every", params.every, 1, 10_000)?;
    Ok(Box::new(Checkpoint { params, digest: Digest::of(b"checkpoint"), turns: 0, note: None }))
}

impl Processor for Checkpoint {
    fn on(&mut self, event: &Event<'_>, scene: &Scene<'_>) -> Result<Action, Fault> {
        let Event::StepEnd { turns } = event else { return Ok(Action::Pass) };
        for turn in *turns {
            self.digest = Digest::of_parts(&[&self.digest.0, &turn.digest.0]);
        }
        self.turns += turns.len();
        if scene.step.is_multiple_of(self.params.every) {
            let hex = self.digest.to_string();
            let shown = hex.get(..DIGITS).unwrap_or_default();
            self.note = Some(format!("step {}: {} turns appended, digest {shown}", scene.step, self.turns));
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
    use crate::runtime::native::drive::{Drive, refused, turns};

    fn notes(texts: &[&str]) -> Vec<String> {
        let mut drive = Drive::new(&NATIVE, "every = 2");
        let mut notes = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            drive.step = index as u32 + 1;
            drive.on(&Event::StepEnd { turns: &turns(&[text]) });
            notes.extend(drive.processor.note());
        }
        notes
    }

    #[test]
    fn equal_histories_have_equal_notes() {
        let one = notes(&["a", "b", "c", "d"]);
        assert_eq!(one.len(), 2);
        assert_eq!(one, notes(&["a", "b", "c", "d", "e"]));
        assert_ne!(one[1], notes(&["a", "b", "c", "x"])[1]);
        assert!(refused(&NATIVE, "every = 0").starts_with("every"));
    }
}
