//! How a session ended, in plain words, told from its trace: a round in which nothing came of a session says why.

use super::tool::Tool;
use crate::domain::meta::Role;
use crate::domain::outcome::Ending;
use crate::domain::request::Finish;
use crate::domain::trace::{Record, ToolSource};
use crate::domain::untrusted::one_line;
use crate::store::trace_file::{TraceError, TraceReader};
use std::path::Path;

/// Most letters of what a model or a script wrote.
const PIECE: usize = 160;

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// In plain words, on one line, after the session's name.
    pub words: String,
    /// Whether it ended by itself and something of it was taken.
    pub is_well: bool,
}

/// What is told of a session before its last record.
#[derive(Default)]
struct Seen {
    /// Statements that were taken.
    taken: u32,
    /// Why the last reply ended.
    finish: Finish,
}

/// Reads how a role's session ended.
///
/// # Errors
/// A trace that cannot be read.
pub fn ended(role: Role, trace: &Path) -> Result<Ended, TraceError> {
    let mut seen = Seen::default();
    for record in TraceReader::open(trace)? {
        match record? {
            Record::Tool { call, result, source: ToolSource::Environment, .. } => {
                let is_statement = Tool::of(role, call.name.as_str()).is_some_and(Tool::states);
                seen.taken += u32::from(is_statement && !result.is_error);
            }
            Record::Reply { within: None, reply, .. } => seen.finish = reply.finish,
            Record::Outcome(result) => return Ok(seen.at(&result.end)),
            Record::Episode { .. }
            | Record::Brought { .. }
            | Record::Request { .. }
            | Record::Reply { .. }
            | Record::Tool { .. }
            | Record::Trigger { .. } => {}
        }
    }
    Ok(Ended { words: "has no end on file".to_owned(), is_well: false })
}

impl Seen {
    fn at(&self, end: &Ending) -> Ended {
        let mut words = match end {
            Ending::FinalAnswer { .. } if self.taken > 0 => return Ended { words: "ended".to_owned(), is_well: true },
            Ending::FinalAnswer { text } => {
                let did = if self.finish == Finish::Refusal { "refused" } else { "said nothing that could be taken" };
                let last = piece(text);
                return Ended {
                    words: if last.is_empty() { did.to_owned() } else { format!("{did}; its last words: {last}") },
                    is_well: false,
                };
            }
            Ending::EnvironmentDone => "was ended: reply after reply it called only tools that it does not have".to_owned(),
            Ending::Budget { limit } => format!("ended: its {limit} are used up"),
            Ending::Interrupt { processor, reason } => format!("was ended by {processor}: {}", piece(reason)),
            Ending::HarnessFault { part, message } => format!("ended by a fault of {}: {}", piece(part), piece(message)),
            Ending::Fault { message, .. } => format!("ended by a fault: {}", piece(message)),
        };
        if self.taken == 0 {
            words.push_str("; nothing that it said was taken");
        }
        Ended { words, is_well: false }
    }
}

/// What others wrote, on one line and short.
fn piece(text: &str) -> String {
    let line = one_line(text);
    line.char_indices().nth(PIECE).map_or_else(|| line.clone(), |(end, _)| format!("{}…", &line[..end]))
}
