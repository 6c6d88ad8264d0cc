//! The trace of an episode: one JSON record a line, requests as deltas (`system.md` §4).

use super::event::{Hook, ToolResult};
use super::id::{Digest, HarnessId, PolicyVersion, ProcessorName, TaskId, ToolName};
use super::message::{Message, ToolCall, ToolSpec};
use super::outcome::EpisodeResult;
use super::request::{Decision, ModelRole, Reply, Sampling};
use serde::{Deserialize, Serialize};

/// Version of the trace format, in the first record of every file.
pub const TRACE_FORMAT: u32 = 1;

/// Which evidence an episode belongs to; streams never mix (`system.md` §4). Written as `visible`, `sealed/3`, `heldout`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stream(pub String);

impl Stream {
    /// What the meta-agent may read.
    pub fn visible() -> Self {
        Self("visible".into())
    }

    /// Sealed scores of held-out tasks.
    pub fn heldout() -> Self {
        Self("heldout".into())
    }
}

/// One episode among all of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EpisodeKey {
    /// The task.
    pub task: TaskId,
    /// The evidence stream.
    pub stream: Stream,
    /// Rollout of the task within the stream, from 0.
    pub replicate: u32,
}

/// Copies that a round publishes are numbered from its thousand, so that no trace shares its name with another round's.
const PUBLISHED: u32 = 1000;

impl EpisodeKey {
    /// A copy, made visible in a round, of an episode that was played elsewhere; `number` counts those of the task.
    pub fn published(task: TaskId, round: u32, number: usize) -> Self {
        let replicate = PUBLISHED.saturating_mul(round).saturating_add(u32::try_from(number).unwrap_or(u32::MAX));
        Self { task, stream: Stream::visible(), replicate }
    }

    /// Whether it is such a copy, in a round after the baseline's.
    pub fn is_published(&self) -> bool {
        self.stream == Stream::visible() && self.replicate >= PUBLISHED
    }
}

/// One line of a trace file. Steps are counted through the whole episode, those of its sub-agents among them; what a sub-agent did says so
/// in `within` and stands before the record of the call that it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// First line.
    Episode {
        /// Version of this format.
        format: u32,
        /// Which episode.
        #[serde(flatten)]
        key: EpisodeKey,
        /// Played under this harness.
        harness: HarnessId,
        /// Played by this policy.
        policy: PolicyVersion,
        /// Seed of the run.
        seed: u64,
        /// The task's text.
        task_text: String,
        /// The task's tags.
        tags: super::task::Tags,
    },
    /// What one file of `tools/` brought into the episode, before its first step.
    Brought {
        /// The file, within the harness.
        file: String,
        /// Digest of all that decides what its tools do.
        body: Digest,
        /// Its tools, as they are offered.
        offers: Vec<ToolSpec>,
    },
    /// A model request: turns after the `kept` leading ones that it shares with the request before it, of the same call of the same agent.
    Request {
        /// Step, from 1.
        step: u32,
        /// The sub-agent that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<ToolName>,
        /// Leading turns shared with the request before.
        kept: usize,
        /// The turns after those.
        turns: Vec<Message>,
        /// System prompt, when it differs from the request before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<String>,
        /// Tools, when they differ from the request before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tools: Option<Vec<ToolSpec>>,
        /// Form of the reply.
        decision: Decision,
        /// How it is drawn.
        sampling: Sampling,
        /// Who answers.
        role: ModelRole,
        /// Digest of the whole request.
        digest: Digest,
        /// The processor that asked, when it was not the run loop.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked_by: Option<ProcessorName>,
    },
    /// The reply to the request before it.
    Reply {
        /// Step.
        step: u32,
        /// The sub-agent that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<ToolName>,
        /// The reply.
        #[serde(flatten)]
        reply: Reply,
        /// Milliseconds from request to reply.
        latency_ms: u64,
        /// Tries that failed before it, each with its cause.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        retries: Vec<String>,
        /// Where it came from.
        source: ReplySource,
    },
    /// A tool call and what came of it, as the model will read it.
    Tool {
        /// Step.
        step: u32,
        /// The sub-agent that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<ToolName>,
        /// The call as it was made.
        call: ToolCall,
        /// The result as the tool gave it.
        result: ToolResult,
        /// Actions the environment admits after it; absent where it lists none or they are those of the record before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        actions: Option<Vec<String>>,
        /// Who answered.
        #[serde(default, skip_serializing_if = "ToolSource::is_environment")]
        source: ToolSource,
    },
    /// A change that a processor made, or a fault of it.
    Trigger {
        /// Step.
        step: u32,
        /// The sub-agent that it belongs to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<ToolName>,
        /// Where.
        hook: Hook,
        /// Who.
        processor: ProcessorName,
        /// What, in a few words.
        change: String,
    },
    /// Last line of a finished episode.
    Outcome(EpisodeResult),
}

impl Record {
    /// Step and sub-agent that it belongs to; `None` for what comes before the first step and after the last.
    pub fn place(&self) -> Option<(u32, Option<&ToolName>)> {
        match self {
            Self::Request { step, within, .. }
            | Self::Reply { step, within, .. }
            | Self::Tool { step, within, .. }
            | Self::Trigger { step, within, .. } => Some((*step, within.as_ref())),
            Self::Episode { .. } | Self::Brought { .. } | Self::Outcome(_) => None,
        }
    }
}

/// Who answered a tool call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolSource {
    /// The environment.
    #[default]
    Environment,
    /// A processor in its place, or a composed tool of the harness (whose own calls into the environment stand before it).
    Harness,
    /// A command or a server of the harness.
    Program,
    /// A sub-agent.
    Agent,
}

impl ToolSource {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
    fn is_environment(&self) -> bool {
        *self == Self::Environment
    }
}

/// Where a reply came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplySource {
    /// The model.
    Model,
    /// The response ledger: paid for before.
    Ledger,
    /// A processor supplied it.
    Processor,
    /// One option was left, so no model was asked.
    Forced,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_from_before_there_were_sub_agents_reads_and_is_written_as_it_was() {
        let old = r#"{"record":"trigger","step":2,"hook":"step_end","processor":"p","change":"c"}"#;
        let read: Record = serde_json::from_str(old).unwrap();
        assert_eq!(read.place(), Some((2, None)));
        assert_eq!(serde_json::to_string(&read).unwrap(), old);
    }
}
