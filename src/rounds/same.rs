//! `gate --aa`: the incumbent against itself on fresh streams. A gate that ships or vetoes it is not to be trusted.

use super::Rounds;
use super::error::RoundsError;
use crate::domain::gate::{Demand, Reader, Ruling, SameFinding};

impl Rounds<'_> {
    /// Plays the incumbent against itself once; what the gate would have said, and its line.
    ///
    /// # Errors
    /// See [`RoundsError`]; a round that is open.
    pub async fn check_same(&mut self) -> Result<(Option<SameFinding>, String), RoundsError> {
        self.baseline().await?;
        if matches!(self.gate.demand(), Demand::Round) {
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
