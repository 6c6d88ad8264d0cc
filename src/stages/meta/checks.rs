//! What must hold of a statement before it counts, whoever made it: a model in its session, or a person who plays a role by hand. Errors are
//! words that let the author mend it.

use crate::domain::diagnosis::{Diagnosis, Direction, Review, ReviewWord};
use crate::domain::digest::Anchor;
use crate::domain::id::{CandidateId, TaskId};
use std::collections::BTreeSet;

/// What statements are held against.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Train tasks.
    pub tasks: &'a BTreeSet<TaskId>,
    /// Whether these words stand verbatim at this place of a visible trace; empty words: whether there is such a place.
    pub verify: &'a dyn Fn(&Anchor, &str) -> bool,
}

impl Ground<'_> {
    /// How many pieces of evidence were not found where they are said to be, and the diagnosis with the others; an error where none is left.
    pub fn diagnosis(&self, mut diagnosis: Diagnosis) -> (u32, Result<Diagnosis, String>) {
        if let Err(problem) = diagnosis.check() {
            return (0, Err(problem));
        }
        let before = diagnosis.evidence.len();
        diagnosis.evidence.retain(|piece| !piece.snippet.trim().is_empty() && (self.verify)(&piece.anchor, &piece.snippet));
        let dropped = (before - diagnosis.evidence.len()) as u32;
        let nothing = || "no snippet was found, word for word, at the anchor named; read the trace and quote it".to_owned();
        let held = if diagnosis.evidence.is_empty() { Err(nothing()) } else { Ok(diagnosis) };
        (dropped, held)
    }

    /// A direction whose tasks and places are there.
    ///
    /// # Errors
    /// Which is not.
    pub fn direction(&self, direction: Direction) -> Result<Direction, String> {
        direction.check()?;
        direction.tasks.iter().try_for_each(|task| self.task(task))?;
        if let Some(anchor) = direction.evidence.iter().find(|anchor| !(self.verify)(anchor, "")) {
            return Err(format!("there is no such place: {anchor}"));
        }
        Ok(direction)
    }

    /// Whether it is a train task.
    ///
    /// # Errors
    /// It is none.
    pub fn task(&self, task: &TaskId) -> Result<(), String> {
        if self.tasks.contains(task) { Ok(()) } else { Err(format!("there is no train task {:?}", task.as_str())) }
    }
}

/// A review of one of these candidates.
///
/// # Errors
/// Another candidate, or a revision where none may be asked for.
pub fn review_of(candidates: &[CandidateId], may_revise: bool, review: Review) -> Result<Review, String> {
    review.check()?;
    if !candidates.contains(&review.candidate) {
        let names: Vec<&str> = candidates.iter().map(CandidateId::as_str).collect();
        return Err(format!("there is no candidate {:?} to review; there are {}", review.candidate.as_str(), names.join(", ")));
    }
    if review.word == ReviewWord::Revise && !may_revise {
        return Err("a revision cannot be asked for now: say pass or reject".to_owned());
    }
    Ok(review)
}

/// An order of these candidates; one named twice counts where it is named first.
///
/// # Errors
/// Another candidate.
pub fn order_of(candidates: &[CandidateId], said: Vec<CandidateId>) -> Result<Vec<CandidateId>, String> {
    let mut order: Vec<CandidateId> = Vec::new();
    for id in said {
        if !candidates.contains(&id) {
            return Err(format!("there is no candidate {:?}", id.as_str()));
        }
        if !order.contains(&id) {
            order.push(id);
        }
    }
    Ok(order)
}
