//! `audit.jsonl` of a run: every stage, check and commit, append-only (`system.md` §5).

use super::atomic::{FileError, JsonLines};
use crate::clock::Clock;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The file's name within a run.
pub const AUDIT_FILE: &str = "audit.jsonl";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRecord {
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// Who acted: a stage or a command.
    pub stage: String,
    /// In which round, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
    /// What was done, in one or two words: `commit`, `ship`, `refused`.
    pub what: String,
    /// On what, and with what result.
    pub detail: String,
}

/// The audit of a run, open for appending.
#[derive(Debug)]
pub struct Audit {
    lines: Mutex<JsonLines>,
    clock: Clock,
}

impl Audit {
    /// Opens the audit of the run at `run`.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn open(run: &Path, clock: &Clock) -> Result<Self, FileError> {
        Ok(Self { lines: Mutex::new(JsonLines::open(&run.join(AUDIT_FILE))?), clock: clock.clone() })
    }

    /// Appends one record with the time of now.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn record(&self, stage: &str, round: Option<u32>, what: &str, detail: impl Into<String>) -> Result<(), FileError> {
        let record =
            AuditRecord { time: self.clock.wall_text(), stage: stage.to_owned(), round, what: what.to_owned(), detail: detail.into() };
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).append(&record)
    }
}
