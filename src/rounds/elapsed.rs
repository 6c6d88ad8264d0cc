//! How long a round takes: the time of every command that works on it, added up, without the time in which none does. `sealed/elapsed.json`
//! keeps that of a round which a command leaves open; a command that is killed loses its own.

use super::Rounds;
use super::error::RoundsError;
use crate::store::atomic::read_text;
use crate::store::versioned::{Versioned, parse_json};
use serde::{Deserialize, Serialize};

const FILE: &str = "sealed/elapsed.json";

/// Version of the file.
const ELAPSED_FORMAT: u32 = 1;

/// What commands have worked on a round so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Elapsed {
    /// [`ELAPSED_FORMAT`].
    format: u32,
    round: u32,
    milliseconds: u64,
}

impl Versioned for Elapsed {
    const FORMAT: u32 = ELAPSED_FORMAT;
}

/// A round whose time runs.
pub(super) struct Running {
    round: u32,
    /// Milliseconds of the commands before.
    before: u64,
    /// By the clock's milliseconds.
    since: u64,
}

impl Rounds<'_> {
    /// The time of a round runs from here on.
    pub(super) fn start_time(&mut self, round: u32) -> Result<(), RoundsError> {
        let path = self.course.run.path().join(FILE);
        let kept: Elapsed = if path.exists() { parse_json(&path, &read_text(&path)?)? } else { Elapsed::default() };
        let before = if kept.round == round { kept.milliseconds } else { 0 };
        self.running = Some(Running { round, before, since: self.course.desk.clock.milliseconds() });
        Ok(())
    }

    /// Milliseconds of the round whose time runs.
    pub(super) fn elapsed(&self) -> u64 {
        let now = self.course.desk.clock.milliseconds();
        self.running.as_ref().map_or(0, |running| running.before + now.saturating_sub(running.since))
    }

    /// The round ends, and its time with it.
    pub(super) fn stop_time(&mut self) -> Result<(), RoundsError> {
        self.running = None;
        Ok(self.course.run.remove(FILE)?)
    }
}

impl Drop for Rounds<'_> {
    /// A round that stays open goes on with the time it has, however the command ends.
    fn drop(&mut self) {
        let milliseconds = self.elapsed();
        if let Some(Running { round, .. }) = self.running {
            // Best effort: a time that is lost stops nothing.
            let _ = self.course.run.write_json(FILE, &Elapsed { format: ELAPSED_FORMAT, round, milliseconds });
        }
    }
}
