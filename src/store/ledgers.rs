//! Ledgers over all rounds (`system.md` §5): `data/*.jsonl` and `scoreboard.json`, derived and rewritten whole; `journal.md`, one memo a
//! round. Written while the run is locked; read through [`Visible`].

use super::atomic::read_text;
use super::run_dir::{RunDir, RunDirError};
use super::visible::{ReadError, Visible};
use crate::domain::ledger::{RejectedCandidate, Scoreboard, ShipOutcome, TaskHistoryLine};

const TASK_HISTORY: &str = "data/task_history.jsonl";
const SHIP_OUTCOMES: &str = "data/ship_outcomes.jsonl";
const REJECTED: &str = "data/rejected_candidates.jsonl";
const SCOREBOARD: &str = "scoreboard.json";
const JOURNAL: &str = "journal.md";

impl RunDir {
    /// Rewrites `data/task_history.jsonl`.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_task_history(&self, lines: &[TaskHistoryLine]) -> Result<(), RunDirError> {
        self.write_lines(TASK_HISTORY, lines)
    }

    /// Rewrites `data/ship_outcomes.jsonl`.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_ship_outcomes(&self, lines: &[ShipOutcome]) -> Result<(), RunDirError> {
        self.write_lines(SHIP_OUTCOMES, lines)
    }

    /// Rewrites `data/rejected_candidates.jsonl`.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_rejected(&self, lines: &[RejectedCandidate]) -> Result<(), RunDirError> {
        self.write_lines(REJECTED, lines)
    }

    /// Rewrites `scoreboard.json`.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn write_scoreboard(&self, scoreboard: &Scoreboard) -> Result<(), RunDirError> {
        self.write_json(SCOREBOARD, scoreboard)
    }

    /// Adds a memo (Markdown) to `journal.md`; one that stands there already is not added again, so that a round that was cut off
    /// can be gone through once more.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn add_memo(&self, memo: &str) -> Result<(), RunDirError> {
        let path = self.path().join(JOURNAL);
        let mut text = if path.exists() { read_text(&path)? } else { "# Journal\n".to_owned() };
        let memo = format!("\n{}\n", memo.trim());
        if text.contains(&format!("{memo}\n")) || text.ends_with(&memo) {
            return Ok(());
        }
        text.push_str(&memo);
        self.write(JOURNAL, text.as_bytes())
    }
}

impl Visible {
    /// `scoreboard.json`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn scoreboard(&self) -> Result<Option<Scoreboard>, ReadError> {
        self.find_json(SCOREBOARD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::domain::id::TaskId;
    use crate::domain::ledger::{SCOREBOARD_FORMAT, TaskStatus};

    #[test]
    fn ledgers_are_rewritten_whole_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        let visible = Visible::open(dir.path(), "test", &Clock::stepped(1)).unwrap();
        assert!(visible.scoreboard().unwrap().is_none());
        let line = |round| TaskHistoryLine { round, task: TaskId::from("t"), solved: 1, scored: 2, status: TaskStatus::Flaky };
        run.write_task_history(&[line(0), line(1)]).unwrap();
        run.write_task_history(&[line(2)]).unwrap();
        let board = Scoreboard { format: SCOREBOARD_FORMAT, ..Scoreboard::default() };
        run.write_scoreboard(&board).unwrap();
        assert_eq!(visible.lines::<TaskHistoryLine>(TASK_HISTORY).unwrap(), [line(2)]);
        assert_eq!(visible.scoreboard().unwrap(), Some(board));
    }

    #[test]
    fn a_memo_is_added_once() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::open(dir.path()).unwrap();
        for memo in ["## R1\n\nKept.", "## R10\n\nShipped.", "## R1\n\nKept.\n", "## R10\n\nShipped."] {
            run.add_memo(memo).unwrap();
        }
        let text = std::fs::read_to_string(dir.path().join(JOURNAL)).unwrap();
        assert_eq!(text, "# Journal\n\n## R1\n\nKept.\n\n## R10\n\nShipped.\n");
    }
}
