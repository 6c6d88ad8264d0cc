//! What was said in a session, typed. What does not parse or does not hold is shown to the model with what is wrong, once; if it fails again
//! in a later reply that statement is dropped and counted, never the round. Statements of one reply do not count against each other: the
//! model wrote them before it saw any error.

use crate::bench::Observation;
use crate::domain::diagnosis::{Diagnosis, Direction, Review};
use crate::domain::id::{CandidateId, TaskId};
use crate::stages::evolve::Proposed;
use std::collections::BTreeMap;

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
    /// By tool and what the statement is about.
    failures: BTreeMap<(&'static str, String), Failed>,
    /// Replies so far.
    replies: u32,
}

/// Statements of one tool about one thing that did not hold.
#[derive(Debug, Default)]
struct Failed {
    /// The replies of those whose error was shown and that may still be mended, ascending.
    shown: Vec<u32>,
    /// The last reply in which one failed again.
    dropped: Option<u32>,
}

impl Failed {
    /// Whether one is there that was shown before this reply; it is none any more.
    fn take_up(&mut self, reply: u32) -> bool {
        let is_older = self.shown.first().is_some_and(|shown| *shown < reply);
        if is_older {
            self.shown.remove(0);
        }
        is_older
    }

    /// Whether nothing more is heard of it in this reply.
    fn is_closed(&self, reply: u32) -> bool {
        self.shown.is_empty() && self.dropped.is_some_and(|dropped| dropped < reply)
    }
}

impl Said {
    /// A new reply begins.
    pub(super) fn replied(&mut self) {
        self.replies += 1;
    }

    /// Takes a statement, or says what is wrong with it. Statements are told apart by their tool and what they are about, which is nothing
    /// where they cannot be read: one that fails in a reply after that of a failure which was shown drops it.
    pub(super) fn take<T>(
        &mut self,
        (tool, about): (&'static str, &str),
        statement: Result<T, String>,
        keep: impl FnOnce(&mut Self, T) -> String,
    ) -> Observation {
        let reply = self.replies;
        let failed = self.failures.entry((tool, about.to_owned())).or_default();
        if failed.is_closed(reply) {
            return error(format!("{} was dropped; go on without it", format!("{tool} {about}").trim_end()));
        }
        match statement {
            Ok(statement) => {
                // What could not be read said nothing of what it is about: this may be the mended one.
                if !failed.take_up(reply) {
                    self.failures.entry((tool, String::new())).or_default().take_up(reply);
                }
                let text = keep(self, statement);
                Observation { text, ..Observation::default() }
            }
            Err(problem) if failed.take_up(reply) => {
                failed.dropped = Some(reply);
                self.refused += 1;
                error(format!("dropped: {problem}\nGo on without it."))
            }
            Err(problem) => {
                failed.shown.push(reply);
                error(format!("not taken: {problem}\nMend it and call again; if it fails once more it is dropped."))
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

    const BAD: fn() -> Result<(), String> = || Err("no".to_owned());

    /// What comes of statements that one reply makes.
    fn reply(said: &mut Said, statements: &[(&str, bool)]) -> Vec<String> {
        said.replied();
        let keep = |_: &mut Said, ()| "taken".to_owned();
        let take = |(about, holds): &(&str, bool)| said.take(("a", about), if *holds { Ok(()) } else { BAD() }, keep).text;
        statements.iter().map(take).collect()
    }

    fn begin_with(texts: &[String], expected: &[&str]) {
        assert_eq!(texts.len(), expected.len(), "{texts:?}");
        assert!(texts.iter().zip(expected).all(|(text, words)| text.starts_with(words)), "{texts:?}");
    }

    #[test]
    fn a_statement_is_mended_once_then_dropped() {
        let mut said = Said::default();
        begin_with(&reply(&mut said, &[("x", false)]), &["not taken: no\nMend it and call again"]);
        begin_with(&reply(&mut said, &[("x", false), ("y", true)]), &["dropped: no", "taken"]);
        begin_with(&reply(&mut said, &[("x", true), ("y", true)]), &["a x was dropped", "taken"]);
        assert_eq!(said.refused, 1);
    }

    #[test]
    fn statements_of_one_reply_do_not_count_against_each_other() {
        let mut said = Said::default();
        begin_with(&reply(&mut said, &[("x", false), ("x", false)]), &["not taken", "not taken"]);
        begin_with(&reply(&mut said, &[("x", true), ("x", true)]), &["taken", "taken"]);
        // What cannot be read is about nothing; what is then about something may be the same, mended.
        begin_with(&reply(&mut said, &[("", false), ("", false)]), &["not taken", "not taken"]);
        begin_with(&reply(&mut said, &[("u", true), ("", false), ("v", true)]), &["taken", "dropped", "taken"]);
        begin_with(&reply(&mut said, &[("w", false)]), &["not taken"]);
        begin_with(&reply(&mut said, &[("w", false), ("w", true)]), &["dropped", "taken"]);
        assert_eq!(said.refused, 2);
    }
}
