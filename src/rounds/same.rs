//! `gate --aa`: the incumbent against itself on fresh streams. A gate that ships or vetoes it is not to be trusted.

use super::Rounds;
use super::error::RoundsError;
use crate::domain::gate::{Candidate, Demand, Reader, Ruling, SameFinding, Stage};

impl Rounds<'_> {
    /// Plays the incumbent against itself once; what the gate would have said, and its line.
    ///
    /// # Errors
    /// See [`RoundsError`]; a round that is open.
    pub async fn check_same(&mut self) -> Result<(Option<SameFinding>, String), RoundsError> {
        self.baseline().await?;
        let is_same = |candidate: &Candidate| candidate.is_same_harness && candidate.stage != Stage::Closed;
        let is_going = matches!(self.gate.demand(), Demand::Rollouts(_)) && self.gate.candidates().iter().any(is_same);
        if !is_going {
            self.gate.check_same()?;
            self.course.run.write_gate_state(&self.gate)?;
        }
        self.play_demanded().await?;
        let last = self.gate.log().last();
        let finding =
            last.and_then(|verdict| if let Ruling::SameHarness { finding, .. } = &verdict.ruling { Some(*finding) } else { None });
        Ok((finding, last.map_or_else(String::new, |verdict| verdict.with_tasks(self.gate.tasks(), Reader::Person))))
    }
}
