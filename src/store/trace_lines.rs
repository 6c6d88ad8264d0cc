//! A trace read for its facts: one line at a time, borrowed, prompts and demonstrations passed over. Several times as fast as whole
//! records, and constant in memory however large the run.

use super::trace_file::{TraceError, TraceReader};
use crate::domain::id::Digest;
use crate::domain::task::Tags;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What facts need of one line. Fields that a record does not have are absent; see [`crate::domain::trace::Record`] for all of them.
#[derive(Debug, Deserialize)]
pub struct TraceLine<'a> {
    /// Kind of record: `episode`, `brought`, `request`, `reply`, `tool`, `trigger`, `outcome`.
    #[serde(borrow)]
    pub record: Cow<'a, str>,
    /// Step, from 1; 0 before the first.
    #[serde(default)]
    pub step: u32,
    /// The sub-agent that it belongs to.
    #[serde(default, borrow)]
    pub within: Option<Cow<'a, str>>,
    /// The processor that put a request.
    #[serde(default, borrow)]
    pub asked_by: Option<Cow<'a, str>>,
    /// Where a reply or a tool's result came from.
    #[serde(default, borrow)]
    pub source: Option<Cow<'a, str>>,
    /// The task, in the first line.
    #[serde(default, borrow)]
    pub task: Option<Cow<'a, str>>,
    /// The task's text, in the first line.
    #[serde(default, borrow)]
    pub task_text: Option<Cow<'a, str>>,
    /// The task's tags, in the first line.
    #[serde(default)]
    pub tags: Option<Tags>,
    /// JSON text of a request's turns.
    #[serde(default, borrow)]
    pub turns: Option<&'a RawValue>,
    /// JSON text of the form of a reply.
    #[serde(default, borrow)]
    pub decision: Option<&'a RawValue>,
    /// `solved`, `failed` or `error`, in the last line.
    #[serde(default, borrow)]
    pub outcome: Option<Cow<'a, str>>,
    /// What ended the episode, in the last line.
    #[serde(default, borrow)]
    pub end: Option<EndLine<'a>>,
    /// Text of a reply.
    #[serde(default, borrow)]
    pub text: Option<Cow<'a, str>>,
    /// Tools offered, when they changed.
    #[serde(default, borrow)]
    pub tools: Option<Vec<Named<'a>>>,
    /// A tool call.
    #[serde(default, borrow)]
    pub call: Option<CallLine<'a>>,
    /// Its result.
    #[serde(default, borrow)]
    pub result: Option<ResultLine<'a>>,
    /// Actions admitted after it, when they changed.
    #[serde(default, borrow)]
    pub actions: Option<Vec<Cow<'a, str>>>,
    /// The processor that fired.
    #[serde(default, borrow)]
    pub processor: Option<Cow<'a, str>>,
}

/// Something with a name.
#[derive(Debug, Deserialize)]
pub struct Named<'a> {
    /// The name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

impl TraceLine<'_> {
    /// Whether it is a request of the run loop for the agent itself: not a processor's question, not a sub-agent's.
    pub fn is_own_request(&self) -> bool {
        self.record == "request" && self.asked_by.is_none() && self.within.is_none()
    }

    /// Whether it is a call that the environment answered: not a tool of the harness, a sub-agent or a processor in its place.
    pub fn is_of_environment(&self) -> bool {
        self.record == "tool" && self.source.as_deref().is_none_or(|source| source == "environment")
    }
}

/// What ended an episode.
#[derive(Debug, Deserialize)]
pub struct EndLine<'a> {
    /// What a fault said.
    #[serde(default, borrow)]
    pub message: Option<Cow<'a, str>>,
}

/// A tool call: its arguments as they were written.
#[derive(Debug, Deserialize)]
pub struct CallLine<'a> {
    /// Its id; that of a composed tool's own call is its id, a dot and a number.
    #[serde(default, borrow)]
    pub id: Cow<'a, str>,
    /// The tool.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// JSON text of the arguments.
    #[serde(borrow)]
    pub arguments: &'a RawValue,
}

impl CallLine<'_> {
    /// Whether a composed tool made it.
    pub fn is_inner(&self) -> bool {
        let number = self.id.rsplit_once('.').map(|(_, number)| number);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// The same for calls of one tool with the same arguments.
    pub fn digest(&self) -> Digest {
        Digest::of_parts(&[self.name.as_bytes(), self.arguments.get().as_bytes()])
    }
}

/// A tool's result.
#[derive(Debug, Deserialize)]
pub struct ResultLine<'a> {
    /// Text.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// Whether the tool failed.
    #[serde(default)]
    pub is_error: bool,
}

/// Hands every whole line of a trace to `visit`, with its bytes.
///
/// # Errors
/// What the operating system refused, or a line that is no record; `visit`'s own errors.
pub fn read_trace_lines(
    reader: &mut TraceReader,
    mut visit: impl FnMut(&TraceLine<'_>, &[u8]) -> Result<(), TraceError>,
) -> Result<(), TraceError> {
    while let Some(bytes) = reader.next_line()? {
        let parsed = serde_json::from_slice::<TraceLine<'_>>(bytes).map_err(|error| error.to_string());
        match parsed {
            Ok(line) => visit(&line, bytes)?,
            Err(message) => return Err(reader.content(message)),
        }
    }
    Ok(())
}
