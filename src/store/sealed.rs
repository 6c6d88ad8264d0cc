//! What only the gate and people read: `sealed/gate_state.json` and the full decisions in `sealed/decisions/` (`system.md` §5).

use super::atomic::{FileError, read_text};
use super::run_dir::{RunDir, RunDirError};
use crate::domain::gate::{Gate, GateError};
use serde::Serialize;

const GATE_STATE: &str = "sealed/gate_state.json";

impl RunDir {
    /// The gate where it was left; `None` in a run that has none yet.
    ///
    /// # Errors
    /// A state that this program did not write.
    pub fn gate_state(&self) -> Result<Option<Gate>, RunDirError> {
        let path = self.path().join(GATE_STATE);
        if !path.exists() {
            return Ok(None);
        }
        let content = |error: &GateError| FileError::Content { path: path.clone(), line: 1, message: error.to_string() };
        Ok(Some(Gate::parse(&read_text(&path)?).map_err(|error| content(&error))?))
    }

    /// Puts the gate's state on file.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_gate_state(&self, gate: &Gate) -> Result<(), RunDirError> {
        let path = self.path().join(GATE_STATE);
        let bytes = serde_json::to_vec(gate).map_err(|error| FileError::io("write", &path)(error.into()))?;
        self.write(GATE_STATE, &bytes)
    }

    /// Writes `sealed/decisions/R<n>.json`: the full rendering, gate tasks included.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_full_decision<T: Serialize>(&self, round: u32, decision: &T) -> Result<(), RunDirError> {
        self.write_json(&full_decision(round), decision)
    }
}

/// Where the full rendering of a round's decision lies within a run.
pub fn full_decision(round: u32) -> String {
    format!("sealed/decisions/R{round}.json")
}
