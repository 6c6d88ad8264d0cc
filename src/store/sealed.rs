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
        let mut bytes = serde_json::to_vec(gate).map_err(|error| FileError::io("write", &path)(error.into()))?;
        bytes.push(b'\n');
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::gate::{GateSettings, Mode};
    use crate::domain::id::{HarnessId, LimitsId};

    #[test]
    fn the_gate_goes_on_where_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        assert!(run.gate_state().unwrap().is_none());
        let settings = GateSettings::of_mode(Mode::Split, 15);
        let gate = Gate::new(settings, Vec::new(), HarnessId::from("h"), LimitsId::from("l")).unwrap();
        run.write_gate_state(&gate).unwrap();
        assert_eq!(run.gate_state().unwrap(), Some(gate));
        run.write(GATE_STATE, b"{\"version\": 99}").unwrap();
        let error = run.gate_state().unwrap_err().to_string();
        assert!(error.contains("gate_state.json") && error.contains("99"), "{error}");
    }
}
