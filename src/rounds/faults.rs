//! Failures of ours while a stage runs: what a stage asks of the run — whether words stand in a trace, which episodes a harness touches —
//! is answered yes or no, and a trace that cannot be read is neither. The first failure is kept, and nothing that was made after it counts.

use super::error::RoundsError;
use std::cell::RefCell;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Faults(RefCell<Option<RoundsError>>);

impl Faults {
    /// What was found; `None` after a failure.
    pub fn found<T>(&self, asked: Result<T, RoundsError>) -> Option<T> {
        match asked {
            Ok(found) => Some(found),
            Err(error) => {
                self.0.borrow_mut().get_or_insert(error);
                None
            }
        }
    }

    /// What a stage made, once it is over.
    ///
    /// # Errors
    /// The first failure.
    pub fn over<T>(&self, made: T) -> Result<T, RoundsError> {
        self.0.take().map_or(Ok(made), Err)
    }
}
