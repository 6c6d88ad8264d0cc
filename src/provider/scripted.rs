//! A model that answers from a file, for tests. Each line is a JSON object, and the first whose conditions hold answers:
//!
//! ```text
//! {"match": {"task_contains": "lamp", "turn": 0}, "reply": {"text": "I look.", "tool_calls": [{"name": "look", "arguments": {}}]}}
//! {"match": {"contains": "you see"}, "pick": "first"}
//! {"match": {"role": "judge"}, "fault": "429", "reply": {"text": "yes"}}
//! {"fault": "500"}
//! ```
//!
//! `turn` counts the model's turns in the conversation. A `pick` line holds for choices only. A fault with a reply costs one retry; a fault
//! without one is the end of the call. Empty lines are skipped.

use super::error::ProviderError;
use super::meter::Meter;
use super::uniform::pick;
use super::{Called, Surroundings};
use crate::domain::id::{CallId, Digest, PolicyVersion, ToolName};
use crate::domain::message::{Arguments, Message, ToolCall};
use crate::domain::request::{ChoiceRecord, Decision, Finish, ModelRequest, ModelRole, Reply, Usage};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A script.
#[derive(Debug)]
pub struct Scripted {
    file: PathBuf,
    lines: Vec<Line>,
    digest: Digest,
    meter: Arc<Meter>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, rename = "match")]
    condition: Condition,
    #[serde(default)]
    reply: Option<ScriptedReply>,
    #[serde(default)]
    pick: Option<Pick>,
    #[serde(default)]
    fault: Option<Fault>,
}

/// All that are given must hold.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Condition {
    contains: Option<String>,
    task_contains: Option<String>,
    system_contains: Option<String>,
    turn: Option<usize>,
    role: Option<ModelRole>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ScriptedReply {
    text: String,
    tool_calls: Vec<ScriptedCall>,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptedCall {
    name: ToolName,
    #[serde(default)]
    arguments: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    id: Option<CallId>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Pick {
    First,
    Random,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Fault {
    #[serde(rename = "429")]
    RateLimit,
    #[serde(rename = "500")]
    Server,
    #[serde(rename = "hang")]
    Hang,
    #[serde(rename = "truncate")]
    Truncate,
    #[serde(rename = "malformed")]
    Malformed,
    #[serde(rename = "reset")]
    Reset,
    #[serde(rename = "context")]
    Context,
    #[serde(rename = "auth")]
    Auth,
}

impl Scripted {
    /// Reads a script.
    ///
    /// # Errors
    /// [`ProviderError::Script`] with the line.
    pub fn open(file: &Path, around: &Surroundings<'_>) -> Result<Self, ProviderError> {
        let wrong = |line: usize, problem: String| ProviderError::Script { file: file.to_owned(), line, problem };
        let text = std::fs::read_to_string(file).map_err(|error| wrong(0, error.to_string()))?;
        let mut lines = Vec::new();
        for (index, source) in text.lines().enumerate().filter(|(_, source)| !source.trim().is_empty()) {
            let line: Line = serde_json::from_str(source).map_err(|error| wrong(index + 1, error.to_string()))?;
            if line.reply.is_some() == line.pick.is_some() && (line.reply.is_some() || line.fault.is_none()) {
                return Err(wrong(index + 1, "a line has one of reply and pick, or a fault alone".to_owned()));
            }
            lines.push(line);
        }
        Ok(Self { file: file.to_owned(), lines, digest: Digest::of(text.as_bytes()), meter: Arc::clone(around.meter) })
    }

    /// The script's digest.
    pub fn version(&self) -> PolicyVersion {
        PolicyVersion(format!("scripted@{}", &self.digest.to_string()[..16]))
    }

    /// Whether no line draws by chance.
    pub fn is_fixed(&self) -> bool {
        self.lines.iter().all(|line| !matches!(line.pick, Some(Pick::Random)))
    }

    /// Answers by the first line that holds.
    ///
    /// # Errors
    /// The line's fault, or [`ProviderError::Script`] where no line holds.
    pub fn call(&self, request: &ModelRequest, seed: u64) -> Result<Called, ProviderError> {
        let model = format!("scripted:{}", self.file.display());
        self.meter.admit(&model)?;
        let turn = request.turns().iter().filter(|turn| matches!(turn.message, Message::Assistant { .. })).count();
        let line = self.lines.iter().find(|line| line.holds(request, turn)).ok_or_else(|| ProviderError::Script {
            file: self.file.clone(),
            line: 0,
            problem: format!("no line answers turn {turn} of the {} model", request.role.as_str()),
        })?;
        let answer = match (&line.reply, line.pick, &request.decision) {
            (Some(reply), _, _) => Some(reply.at(turn)),
            (None, Some(Pick::Random), Decision::Choice { options, .. }) => pick(options, seed),
            (None, Some(Pick::First), Decision::Choice { options, .. }) => first(options),
            (None, _, _) => None,
        };
        let mut reply = match (answer, line.fault) {
            (
                Some(reply),
                None | Some(Fault::RateLimit | Fault::Server | Fault::Hang | Fault::Truncate | Fault::Malformed | Fault::Reset),
            ) => reply,
            (_, fault) => return Err(failure(model, fault)),
        };
        if reply.usage == Usage::default() {
            reply.usage = guessed(request, &reply);
        }
        self.meter.charge(&reply.usage);
        Ok(Called { reply, retries: line.fault.map(|fault| fault.as_str().to_owned()).into_iter().collect(), latency_ms: 0 })
    }
}

/// The error of a line that gives no reply.
fn failure(model: String, fault: Option<Fault>) -> ProviderError {
    let message = "by the script".to_owned();
    match fault {
        Some(Fault::Context) => ProviderError::ContextTooLong { model, message },
        Some(Fault::Auth) => ProviderError::Settings { model, problem: message },
        Some(fault @ (Fault::RateLimit | Fault::Server | Fault::Hang | Fault::Truncate | Fault::Malformed | Fault::Reset)) => {
            let last = fault.as_str().to_owned();
            ProviderError::Outage { model, attempts: 1, tried: vec![last.clone()], last }
        }
        None => ProviderError::Unsupported { model, what: "the request's list of actions is empty".to_owned() },
    }
}

impl Fault {
    /// As a served model would name the failed attempt.
    fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "status 429",
            Self::Server => "status 500",
            Self::Hang => "no first byte in time",
            Self::Truncate | Self::Reset => "connection broke",
            Self::Malformed => "malformed answer",
            Self::Context => "context too long",
            Self::Auth => "status 401",
        }
    }
}

impl Line {
    fn holds(&self, request: &ModelRequest, turn: usize) -> bool {
        let Condition { contains, task_contains, system_contains, turn: wanted, role } = &self.condition;
        let has = |text: Option<&str>, part: &Option<String>| part.as_ref().is_none_or(|part| text.is_some_and(|text| text.contains(part)));
        let turns = request.turns();
        wanted.is_none_or(|wanted| wanted == turn)
            && role.is_none_or(|role| role == request.role)
            && (self.pick.is_none() || matches!(request.decision, Decision::Choice { .. }))
            && has(turns.last().map(|turn| turn.message.text()), contains)
            && has(turns.first().map(|turn| turn.message.text()), task_contains)
            && has(Some(&request.head.system), system_contains)
    }
}

impl ScriptedReply {
    fn at(&self, turn: usize) -> Reply {
        let calls = self.tool_calls.iter().enumerate();
        let tool_calls: Vec<ToolCall> = calls
            .map(|(index, call)| ToolCall {
                id: call.id.clone().unwrap_or_else(|| CallId(format!("call-{turn}-{index}"))),
                name: call.name.clone(),
                arguments: Arguments::written(serde_json::Value::Object(call.arguments.clone())),
            })
            .collect();
        let finish = self.finish.unwrap_or(if tool_calls.is_empty() { Finish::Stop } else { Finish::ToolCalls });
        Reply { text: self.text.clone(), tool_calls, finish, usage: self.usage.unwrap_or_default(), ..Reply::default() }
    }
}

/// The first option, as a greedy choice among scores that put it first.
fn first(options: &[String]) -> Option<Reply> {
    let scores = (0..options.len()).map(|index| -(index as f32)).collect();
    let text = options.first()?.clone();
    Some(Reply { text, choice: Some(ChoiceRecord { chosen: 0, scores, temperature: 0.0 }), ..Reply::default() })
}

/// Tokens by a quarter of the bytes: the same for the same request in every run.
fn guessed(request: &ModelRequest, reply: &Reply) -> Usage {
    let prompt: usize = request.head.system.len() + request.turns().iter().map(|turn| turn.message.text().len()).sum::<usize>();
    Usage { input_tokens: prompt.div_ceil(4) as u64, output_tokens: reply.text.len().div_ceil(4).max(1) as u64, ..Usage::default() }
}
