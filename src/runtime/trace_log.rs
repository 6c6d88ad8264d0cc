//! Where an episode writes its trace: a sink of the store, or nothing. A write error is kept and surfaces at the end of the step,
//! so that the loop reads plainly.

use crate::domain::trace::Record;
use crate::store::trace_file::{TraceError, TraceFile};

/// The trace of one running episode.
#[derive(Debug, Default)]
pub struct TraceLog {
    file: Option<TraceFile>,
    error: Option<TraceError>,
}

impl TraceLog {
    /// Writes to a file.
    pub fn to(file: TraceFile) -> Self {
        Self { file: Some(file), error: None }
    }

    /// Appends one record.
    pub fn write(&mut self, record: &Record) {
        if self.error.is_none()
            && let Some(file) = &mut self.file
        {
            self.error = file.append(record).err();
        }
    }

    /// Hands what is buffered to the operating system.
    ///
    /// # Errors
    /// The first write error since the last call.
    pub fn flush(&mut self) -> Result<(), TraceError> {
        match (self.error.take(), &mut self.file) {
            (Some(error), _) => Err(error),
            (None, Some(file)) => file.flush(),
            (None, None) => Ok(()),
        }
    }
}
