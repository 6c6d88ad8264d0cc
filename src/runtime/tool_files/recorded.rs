//! Tools of `tools/*.toml` in a dry replay (`gate.md` §2): those that are what they were answer from the record, in its order; one that was
//! changed ends the replay when it is called. Nothing runs.

use super::read::ToolFile;
use super::runner::Brought;
use crate::bench::{RecordedCalls, WorldFault};
use crate::domain::event::ToolResult;
use crate::domain::harness::Harness;
use crate::domain::id::Digest;
use crate::domain::message::{ToolCall, ToolSpec};
use crate::domain::trace::ToolSource;
use crate::runtime::tools::{HarnessTool, ToolFault};
use std::collections::BTreeMap;

/// What an episode's record says of its tools.
#[derive(Clone, Debug)]
pub struct RecordedTools {
    /// By file: the body it had, and the tools that it offered.
    brought: BTreeMap<String, (Digest, Vec<ToolSpec>)>,
    calls: RecordedCalls,
}

/// A tool in a dry replay.
pub struct RecordedTool {
    pub(in crate::runtime) spec: ToolSpec,
    /// Absent where the tool is another than the recorded one.
    calls: Option<RecordedCalls>,
}

impl RecordedTools {
    /// `calls` are all of the episode, shared with its world.
    pub fn new(brought: BTreeMap<String, (Digest, Vec<ToolSpec>)>, calls: RecordedCalls) -> Self {
        Self { brought, calls }
    }

    /// What would be started. A server that is another says only when it runs what it offers: that is not on record.
    pub(super) fn open(&self, harness: &Harness, files: &[ToolFile]) -> Result<Vec<Brought>, ToolFault> {
        let open = |file: &ToolFile| {
            let body = file.body(harness);
            let known = self.brought.get(file.file()).filter(|(recorded, _)| *recorded == body);
            let specs = match (file, known) {
                (_, Some((_, offers))) => offers.clone(),
                (ToolFile::Command(file), None) => vec![file.spec()],
                (ToolFile::Server(server), None) => {
                    return Err(ToolFault::Host(format!("start {}: nothing runs in a dry replay", server.file)));
                }
            };
            let calls = known.map(|_| self.calls.clone());
            let tool = |spec| HarnessTool::Recorded(RecordedTool { spec, calls: calls.clone() });
            Ok(Brought { file: file.file().to_owned(), body, tools: specs.into_iter().map(tool).collect() })
        };
        files.iter().map(open).collect()
    }
}

impl RecordedTool {
    /// One call.
    pub(in crate::runtime) fn call(&self, call: &ToolCall) -> Result<ToolResult, ToolFault> {
        let calls = self.calls.as_ref().ok_or_else(|| ToolFault::Host("a tool that is not on record".to_owned()))?;
        match calls.answer(ToolSource::Program, call) {
            Ok(observation) => Ok(ToolResult { text: observation.text, is_error: observation.is_error }),
            Err(WorldFault(message)) => Err(ToolFault::Host(message)),
        }
    }
}
