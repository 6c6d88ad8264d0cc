//! The rounds of a run as ledgers are derived from them, read by the allow-list.

use super::visible::{ReadError, Visible};
use crate::domain::history::PastRound;
use crate::domain::id::HarnessId;

impl Visible {
    /// Every round that has a folder, ascending.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn past_rounds(&self) -> Result<Vec<PastRound>, ReadError> {
        let mut rounds = Vec::new();
        let mut before = None;
        for round in self.rounds()? {
            let record = self.round(round)?;
            let incumbent = match &record {
                Some(record) => Some(record.before.clone()),
                None => self.began(round)?.or(before.take()),
            };
            let left = record.map(|record| record.after);
            before.clone_from(&left);
            let (digests, proposed, decision) = (self.digests(round)?, self.candidates(round)?, self.decision(round)?);
            rounds.push(PastRound { round, incumbent, left, digests, proposed, decision });
        }
        Ok(rounds)
    }

    /// The incumbent with which a round that is open began.
    fn began(&self, round: u32) -> Result<Option<HarnessId>, ReadError> {
        let Some(repo) = self.harnesses()? else { return Ok(None) };
        Ok(repo.incumbent_before(round)?)
    }
}
