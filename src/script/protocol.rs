//! What host and worker say to each other: JSON behind its length (4 bytes, little-endian), one report an order. The host speaks first,
//! but for the worker's greeting.

use crate::domain::event::{Hook, ToolResult};
use crate::domain::message::Arguments;
use crate::sandbox::worker::Protections;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;

/// Most bytes of one frame: a history of this size fits no model.
pub(super) const FRAME_LIMIT: usize = 64 << 20;

/// What a script is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// It listens to hooks.
    Processor,
    /// It is a tool of the agent.
    Tool,
}

/// What one instance may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptLimits {
    /// Bytes of its heap.
    pub memory: usize,
    /// Bytes of its stack.
    pub stack: usize,
    /// Interrupts of the engine within one event, each about ten thousand jumps or calls.
    pub fuel: u64,
    /// Milliseconds of one event; a backstop for what the engine does not interrupt.
    pub deadline_ms: u64,
    /// Bytes of an answer as JSON, of the arguments of a call, and of what a script says of itself.
    pub answer: usize,
    /// Bytes of the state as JSON.
    pub state: usize,
    /// Calls of the environment's tools within one run of a composed tool.
    pub calls: u32,
}

impl Default for ScriptLimits {
    fn default() -> Self {
        Self { memory: 16 << 20, stack: 256 << 10, fuel: 5000, deadline_ms: 3000, answer: 1 << 20, state: 256 << 10, calls: 64 }
    }
}

/// A script with what one instance of it is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Opening {
    /// Path within the harness.
    pub path: String,
    /// The script.
    pub source: String,
    /// What it is.
    pub kind: Kind,
    /// Its parameters, as JSON.
    pub params: Box<RawValue>,
    /// What it may use.
    pub limits: ScriptLimits,
}

/// From the host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Look a script over, and say what it offers.
    Check(Opening),
    /// Make an instance, with the state it had before, if any.
    Open { id: u64, opening: Opening, state: Option<String> },
    /// Put an event, as `view` writes it.
    Event { id: u64, hook: Hook, sent: Box<RawValue> },
    /// Run a composed tool.
    Run { id: u64, arguments: Box<RawValue> },
    /// What came of a call that the running tool made.
    Called(ToolResult),
    /// Nobody waits for the running tool any more.
    Abandon,
    /// Drop an instance; not reported.
    Close { id: u64 },
}

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// Greeting.
    Ready(Protections),
    /// Of a check.
    Checked(Result<Card, Vec<Remark>>),
    /// The instance is there.
    Opened,
    /// What the script returned (`null` for nothing), and its state where that has changed.
    Answered { answer: Box<RawValue>, state: Option<String> },
    /// The running tool calls one of the environment's.
    Call { tool: String, arguments: Arguments },
    /// The script failed; after a limit its instance is gone.
    Failed(ScriptFault),
}

/// What a script offers, as it says itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Hooks it listens to; none of a tool.
    pub hooks: Vec<Hook>,
    /// Its `meta`, empty where it has none.
    pub meta: serde_json::Map<String, serde_json::Value>,
    /// Line and column of `meta`, from 1; 0 where it has none.
    pub meta_at: (u32, u32),
}

/// Something wrong in a script, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Line from 1; 0 when the whole script is meant.
    pub line: u32,
    /// Column from 1, in letters.
    pub column: u32,
    /// What is wrong and what to do.
    pub message: String,
}

/// Why a script gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// It threw.
    Thrown,
    /// It used more than it may, or took its worker down.
    Limit,
    /// What it returned is no answer.
    Answer,
}

/// A script gave no answer: the failure of whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct ScriptFault {
    /// What happened.
    pub kind: FaultKind,
    /// Path within the harness.
    pub path: String,
    /// Line from 1; 0 where it is not known.
    pub line: u32,
    /// Column from 1.
    pub column: u32,
    /// What, in words.
    pub message: String,
}

impl fmt::Display for ScriptFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(out, "{}: {}", self.path, self.message),
            line => write!(out, "{}:{line}:{}: {}", self.path, self.column, self.message),
        }
    }
}

/// A frame: length and JSON.
pub(super) fn frame(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Length of the body that follows, if it is one that may be sent.
pub(super) fn length(head: [u8; 4]) -> Option<usize> {
    let length = u32::from_le_bytes(head) as usize;
    (length <= FRAME_LIMIT).then_some(length)
}

/// The message in a body.
pub(super) fn message<M: DeserializeOwned>(body: &[u8]) -> Result<M, serde_json::Error> {
    serde_json::from_slice(body)
}
