//! What was said in a session, typed. What does not parse or does not hold is shown to the model with what is wrong, once; if it fails again
//! that statement is dropped and counted, never the round.

use crate::bench::Observation;
use crate::domain::diagnosis::{Diagnosis, Direction, Review};
use crate::domain::id::{CandidateId, TaskId};
use crate::domain::message::Arguments;
use crate::stages::evolve::Proposed;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Times a statement may fail before it is dropped.
const TRIES: u32 = 2;

/// Everything said in a session.
#[derive(Debug, Default)]
pub struct Said {
    /// Why things fail.
    pub diagnoses: Vec<Diagnosis>,
    /// What to work on, most promising first.
    pub directions: Vec<Direction>,
    /// Candidates that passed check and smoke test.
    pub proposed: Vec<Proposed>,
    /// Regressions that need no candidate, with why.
    pub justified: BTreeMap<TaskId, String>,
    /// On candidates.
    pub reviews: Vec<Review>,
    /// Candidates, best first.
    pub ranking: Vec<CandidateId>,
    /// For the next Planner.
    pub concern: Option<String>,
    /// Pieces of evidence that were not where they were said to be.
    pub dropped: u32,
    /// Statements that were dropped.
    pub refused: u32,
    failures: BTreeMap<String, u32>,
}

/// Reads the arguments of a call.
///
/// # Errors
/// What is wrong, in words for the model.
pub(super) fn read<T: DeserializeOwned>(arguments: &Arguments) -> Result<T, String> {
    serde_json::from_value(arguments.0.clone()).map_err(|error| format!("the arguments do not fit: {error}"))
}

impl Said {
    /// Takes a statement, or says what is wrong with it. `key` tells statements apart: a second failure under one key drops it.
    pub(super) fn take<T>(&mut self, key: &str, statement: Result<T, String>, keep: impl FnOnce(&mut Self, T) -> String) -> Observation {
        let failures = self.failures.get(key).copied().unwrap_or(0);
        if failures >= TRIES {
            return error(format!("{key} was dropped; go on without it"));
        }
        match statement {
            Ok(statement) => {
                let text = keep(self, statement);
                Observation { text, ..Observation::default() }
            }
            Err(problem) => {
                self.failures.insert(key.to_owned(), failures + 1);
                if failures + 1 < TRIES {
                    return error(format!("not taken: {problem}\nMend it and call again; if it fails once more it is dropped."));
                }
                self.refused += 1;
                error(format!("dropped: {problem}\nGo on without it."))
            }
        }
    }
}

/// A result that says what went wrong.
pub(super) fn error(text: String) -> Observation {
    Observation { text, is_error: true, ..Observation::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_mended_once_then_dropped() {
        let mut said = Said::default();
        let bad = || Err::<(), _>("no".to_owned());
        let keep = |_: &mut Said, ()| "taken".to_owned();
        assert!(said.take("a", bad(), keep).text.contains("call again"));
        assert!(!said.take("a", Ok(()), keep).is_error);
        assert!(said.take("a", bad(), keep).text.starts_with("dropped: no"));
        assert!(said.take("a", Ok(()), keep).text.contains("was dropped"));
        assert_eq!(said.refused, 1);
        assert!(!said.take("b", Ok(()), keep).is_error);
    }
}
