//! `gate --aa`: the incumbent against itself on fresh streams. A gate that ships or vetoes it is not to be trusted. It is played on a copy of
//! the gate's state that is thrown away: nothing that the run decides later depends on it. What is on file of a repetition is not played
//! again.

use super::Rounds;
use super::error::RoundsError;
use crate::domain::gate::{Demand, Reader, Ruling, SameFinding};

impl Rounds<'_> {
    /// Plays the incumbent against itself once, on streams that belong to this `number` alone; what the gate would have said, and its line.
    ///
    /// # Errors
    /// See [`RoundsError`]; a round that is open.
    pub async fn check_same(&mut self, number: u32) -> Result<(Option<SameFinding>, String), RoundsError> {
        self.baseline().await?;
        let own = self.gate.clone();
        let found = self.played_against_itself(number).await;
        self.gate = own;
        let (finding, line) = found?;
        self.audited("gate", self.gate.round(), "aa", format!("{number}: {line}"))?;
        Ok((finding, line))
    }

    async fn played_against_itself(&mut self, number: u32) -> Result<(Option<SameFinding>, String), RoundsError> {
        self.gate.check_same(number)?;
        while let Demand::Rollouts(pass) = self.gate.demand() {
            let pass = pass.clone();
            self.answer(&pass).await?.map_or(Ok(()), Err)?;
        }
        let last = self.gate.log().last();
        let finding =
            last.and_then(|verdict| if let Ruling::SameHarness { finding, .. } = &verdict.ruling { Some(*finding) } else { None });
        Ok((finding, last.map_or_else(String::new, |verdict| verdict.with_tasks(self.gate.tasks(), Reader::Person))))
    }
}
