//! The rounds of a run as ledgers are derived from them, read by the allow-list.

use super::visible::{ReadError, Visible};
use crate::domain::history::PastRound;

impl Visible {
    /// Every round that has a folder, ascending.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn past_rounds(&self) -> Result<Vec<PastRound>, ReadError> {
        let mut rounds = Vec::new();
        let mut after = None;
        for round in self.rounds()? {
            let record = self.round(round)?;
            // A round that is still open began with what the one before it left.
            let incumbent = record.as_ref().map_or_else(|| after.take(), |record| Some(record.before.clone()));
            after = record.map(|record| record.after);
            let (digests, proposed, decision) = (self.digests(round)?, self.candidates(round)?, self.decision(round)?);
            rounds.push(PastRound { round, incumbent, digests, proposed, decision });
        }
        Ok(rounds)
    }
}
