//! One episode: the step loop of `system.md` §4.

use super::assembly::{Assembly, Station};
use super::call_ids::CallIds;
use super::desk::{CallFault, Desk, Line};
use super::processor::Fault;
use super::tools::{HarnessTool, ToolFault, offered};
use super::trace_log::TraceLog;
use crate::bench::{Observation, World, WorldFault};
use crate::domain::conversation::Conversation;
use crate::domain::event::{Scene, ToolResult};
use crate::domain::harness::Limits;
use crate::domain::id::{HarnessId, ToolName};
use crate::domain::message::{Arguments, Message, ToolCall, ToolSpec};
use crate::domain::outcome::{Boundary, Ending, EpisodeResult, Outcome, Score};
use crate::domain::request::{ModelRole, Reply, RequestHead, Sampling};
use crate::domain::task::Task;
use crate::domain::trace::{EpisodeKey, Record, TRACE_FORMAT, ToolSource};
use crate::provider::ProviderError;
use crate::store::trace_file::TraceError;
use std::sync::Arc;

/// Steps allowed where neither harness nor benchmark sets a limit.
const STEPS_BY_DEFAULT: u32 = 50;

/// The pair (model config, harness), bound for the tasks of one benchmark.
pub struct Agent<'a> {
    /// The harness.
    pub assembly: &'a Assembly,
    /// Its identity.
    pub harness: HarnessId,
    /// The models.
    pub desk: &'a Desk,
    /// The benchmark's own limits.
    pub limits: Limits,
    /// The role whose model plays: `main` in tasks, `meta` in the sessions of a meta-agent. What a harness calls `main` is this one.
    pub role: ModelRole,
}

/// Why an episode could not be finished: it leaves no result, and the run must stop or try again later.
#[derive(Debug, thiserror::Error)]
pub enum Abort {
    /// A model call that no retry can mend: settings, a cap that was reached, the ledger.
    #[error(transparent)]
    Call(#[from] CallFault),
    /// The trace could not be written.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// What takes the loop out of its steps.
pub(super) enum Stop {
    /// An ending of the episode.
    End(Ending),
    /// No result.
    Abort(Abort),
}

impl From<Abort> for Stop {
    fn from(abort: Abort) -> Self {
        Self::Abort(abort)
    }
}

/// A running episode.
pub(super) struct Episode<'a> {
    pub(super) agent: &'a Agent<'a>,
    pub(super) task: &'a Task,
    pub(super) world: World<'a>,
    /// Tools of the harness.
    pub(super) own_tools: Vec<HarnessTool>,
    /// All that are offered, as the model sees them.
    pub(super) tools: Vec<ToolSpec>,
    /// Demonstrations first, then the history.
    pub(super) conversation: Conversation,
    /// Demonstration turns at the front.
    pub(super) demonstrations: usize,
    pub(super) head: Arc<RequestHead>,
    pub(super) actions: Vec<String>,
    pub(super) sampling: Sampling,
    pub(super) line: Line<'a>,
    pub(super) trace: TraceLog,
    pub(super) step: u32,
    limits: Limits,
    started_ms: u64,
    pub(super) call_ids: CallIds,
}

/// Plays one task once.
///
/// # Errors
/// See [`Abort`]; everything else is an outcome.
pub async fn play(agent: &Agent<'_>, task: &Task, world: World<'_>, key: &EpisodeKey, trace: TraceLog) -> Result<EpisodeResult, Abort> {
    let mut episode = Episode::new(agent, task, world, key, trace);
    episode.trace.write(&Record::Episode {
        format: TRACE_FORMAT,
        key: key.clone(),
        harness: agent.harness.clone(),
        policy: agent.desk.policy_of(agent.role),
        seed: agent.desk.seed,
        task_text: task.text.clone(),
        tags: task.tags.clone(),
    });
    let parts = agent.assembly.stations().and_then(|stations| Ok((stations, agent.assembly.tools()?)));
    let ending = match parts {
        Ok((mut stations, tools)) => match episode.bring(tools).await {
            Ok(()) => episode.run(&mut stations).await?,
            Err(ending) => ending,
        },
        Err(message) => Ending::HarnessFault { part: "harness".to_owned(), message },
    };
    let result = episode.result(ending);
    episode.trace.write(&Record::Outcome(result.clone()));
    episode.trace.flush()?;
    Ok(result)
}

impl<'a> Episode<'a> {
    pub(super) fn new(agent: &'a Agent<'a>, task: &'a Task, world: World<'a>, key: &EpisodeKey, trace: TraceLog) -> Self {
        let slots = &agent.assembly.harness().manifest.slots;
        Self {
            agent,
            task,
            tools: offered(world.tools(), &[], slots.tools.as_deref()),
            own_tools: Vec::new(),
            world,
            conversation: Conversation::default(),
            demonstrations: 0,
            head: RequestHead::new(String::new(), Vec::new()),
            actions: Vec::new(),
            sampling: slots.sampling.clone().unwrap_or_default().or(&agent.desk.sampling),
            line: agent.desk.line(key),
            trace,
            step: 0,
            limits: slots.limits.tightest(&agent.limits),
            started_ms: agent.desk.clock.milliseconds(),
            call_ids: CallIds::default(),
        }
    }

    /// Adds the harness's own tools; its servers are started here.
    async fn bring(&mut self, mut tools: Vec<HarnessTool>) -> Result<(), Ending> {
        let assembly = self.agent.assembly;
        let opened = self.agent.desk.workbench.open(assembly.harness(), assembly.tool_files()).await;
        tools.extend(opened.map_err(ToolFault::at_start)?);
        let named = self.agent.assembly.harness().manifest.slots.tools.as_deref();
        self.tools = offered(self.world.tools(), &tools, named);
        self.own_tools = tools;
        Ok(())
    }

    pub(super) async fn run(&mut self, stations: &mut [Station]) -> Result<Ending, Abort> {
        let ending = match self.steps(stations).await {
            Ok(never) => match never {},
            Err(Stop::End(ending)) => ending,
            Err(Stop::Abort(abort)) => return Err(abort),
        };
        match self.on_task_end(stations, &ending).await {
            Ok(()) => Ok(ending),
            // The first fault stands: nothing that happens later may turn it into something else.
            Err(Stop::End(_)) if matches!(ending, Ending::HarnessFault { .. } | Ending::Fault { .. }) => Ok(ending),
            Err(Stop::End(other)) => Ok(other),
            Err(Stop::Abort(abort)) => Err(abort),
        }
    }

    /// Runs until something stops it.
    async fn steps(&mut self, stations: &mut [Station]) -> Result<std::convert::Infallible, Stop> {
        self.on_task_start(stations).await?;
        let opening = self.world.opening();
        self.actions = opening.actions;
        self.conversation.push(Message::user(opening.text));
        loop {
            self.check_limits()?;
            self.step += 1;
            self.on_step_start(stations).await?;
            let before = self.conversation.turns().len();
            let reply = self.reply(stations).await?;
            let acted = self.act(stations, reply).await;
            if matches!(acted, Ok(()) | Err(Stop::End(Ending::FinalAnswer { .. } | Ending::EnvironmentDone))) {
                self.on_step_end(stations, before).await?;
            }
            acted?;
            self.trace.flush().map_err(Abort::from)?;
        }
    }

    /// Calls the tools that a reply asks for, or ends the episode with it.
    async fn act(&mut self, stations: &mut [Station], reply: Reply) -> Result<(), Stop> {
        if let Some(calls) = self.calls_of(&reply) {
            let as_text = reply.tool_calls.is_empty();
            self.push_reply(reply);
            let mut done = false;
            for call in calls {
                let result = if done {
                    not_called()
                } else {
                    let (result, finished) = self.use_tool(stations, &call).await?;
                    done = finished;
                    result
                };
                self.conversation.push(if as_text {
                    Message::user(result.text)
                } else {
                    Message::Tool { call: call.id, name: call.name, text: result.text, is_error: result.is_error }
                });
            }
            if done { Err(Stop::End(Ending::EnvironmentDone)) } else { Ok(()) }
        } else {
            self.conversation.push(Message::assistant(reply.text.clone()));
            Err(Stop::End(Ending::FinalAnswer { text: reply.text }))
        }
    }

    pub(super) fn push_reply(&mut self, reply: Reply) {
        self.call_ids.keep(&reply.tool_calls);
        self.conversation.push(Message::Assistant { text: reply.text, tool_calls: reply.tool_calls });
    }

    /// The tool calls that a reply stands for; `None` if it is the final answer.
    pub(super) fn calls_of(&mut self, reply: &Reply) -> Option<Vec<ToolCall>> {
        if !reply.tool_calls.is_empty() {
            return Some(reply.tool_calls.clone());
        }
        let (name, field) = self.world.text_tool()?;
        let arguments = Arguments::text(field, reply.text.trim());
        let name = ToolName::from(name);
        Some(vec![ToolCall { id: self.call_ids.take(), name, arguments }])
    }

    /// One call into the environment. The verifier's state is behind it; nothing but the result comes back.
    pub(super) fn call_world(&mut self, call: &ToolCall) -> Result<(ToolResult, bool), Stop> {
        if !self.tools.iter().any(|tool| tool.name == call.name) {
            let names: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
            let text = format!("There is no tool {:?}. Tools: {}.", call.name.as_str(), names.join(", "));
            let result = ToolResult { text, is_error: true };
            self.trace.write(&Record::Tool {
                step: self.step,
                call: call.clone(),
                result: result.clone(),
                actions: None,
                source: ToolSource::Environment,
            });
            return Ok((result, false));
        }
        self.call_environment(call)
    }

    /// The call itself, on the record.
    pub(super) fn call_environment(&mut self, call: &ToolCall) -> Result<(ToolResult, bool), Stop> {
        match self.world.call(call) {
            Ok(Observation { text, actions, is_error, done }) => {
                let changed = (actions != self.actions).then(|| actions.clone());
                self.actions = actions;
                let result = ToolResult { text, is_error };
                self.trace.write(&Record::Tool {
                    step: self.step,
                    call: call.clone(),
                    result: result.clone(),
                    actions: changed,
                    source: ToolSource::Environment,
                });
                Ok((result, done))
            }
            Err(WorldFault(message)) => Err(Stop::End(Ending::Fault { boundary: Boundary::Environment, message })),
        }
    }

    pub(super) fn scene(&self) -> Scene<'_> {
        Scene {
            task: &self.task.text,
            tags: &self.task.tags,
            tools: &self.tools,
            step: self.step,
            usage: &self.line.usage,
            elapsed_ms: self.agent.desk.clock.milliseconds().saturating_sub(self.started_ms),
        }
    }

    fn check_limits(&self) -> Result<(), Stop> {
        let usage = &self.line.usage;
        let over = if self.step >= self.limits.steps.unwrap_or(STEPS_BY_DEFAULT) {
            Some("steps")
        } else if self.limits.tokens.is_some_and(|most| usage.tokens() >= most) {
            Some("tokens")
        } else if self.limits.cost.is_some_and(|most| usage.cost >= most) {
            Some("cost")
        } else if self.limits.seconds.is_some_and(|most| self.scene().elapsed_ms >= most.saturating_mul(1000)) {
            Some("time")
        } else {
            None
        };
        over.map_or(Ok(()), |limit| Err(Stop::End(Ending::Budget { limit: limit.to_owned() })))
    }

    fn result(&self, end: Ending) -> EpisodeResult {
        let score = self.world.score(match &end {
            Ending::FinalAnswer { text } => Some(text),
            Ending::EnvironmentDone
            | Ending::Budget { .. }
            | Ending::Interrupt { .. }
            | Ending::HarnessFault { .. }
            | Ending::Fault { .. } => None,
        });
        let (outcome, reward) = judge(&end, score);
        EpisodeResult {
            outcome,
            end,
            reward,
            steps: self.step,
            calls: self.line.calls,
            retries: self.line.retries,
            usage: self.line.usage,
            milliseconds: self.line.waited_ms,
        }
    }
}

/// The result of a call that is not made, so that every call has one.
pub(super) fn not_called() -> ToolResult {
    ToolResult { text: "Not called.".to_owned(), is_error: true }
}

/// Failure of the thing studied is data; failure of our plumbing is missing data.
fn judge(end: &Ending, score: Score) -> (Outcome, f64) {
    match end {
        Ending::Fault { boundary, message } => (Outcome::Error { boundary: *boundary, message: message.clone() }, 0.0),
        Ending::HarnessFault { .. } => (Outcome::Failed, 0.0),
        Ending::FinalAnswer { .. } | Ending::EnvironmentDone | Ending::Budget { .. } | Ending::Interrupt { .. } => {
            (if score.success { Outcome::Solved } else { Outcome::Failed }, score.reward)
        }
    }
}

/// A model call that failed: an ending where the harness or an outage is to blame, else the run must stop.
pub(super) fn stop_for(fault: CallFault) -> Stop {
    match fault {
        CallFault::Provider(ProviderError::ContextTooLong { .. }) => {
            Stop::End(Ending::HarnessFault { part: "context".to_owned(), message: fault.to_string() })
        }
        CallFault::Provider(ProviderError::Unsupported { .. }) => {
            Stop::End(Ending::HarnessFault { part: "decision".to_owned(), message: fault.to_string() })
        }
        CallFault::Provider(ProviderError::Outage { .. }) => {
            Stop::End(Ending::Fault { boundary: Boundary::Provider, message: fault.to_string() })
        }
        // A processor's role is checked before it takes effect, so this one is the run's own.
        CallFault::NoSeat(_) | CallFault::Provider(_) | CallFault::Ledger(_) => Stop::Abort(Abort::Call(fault)),
    }
}

/// A processor that broke the contract or could not do its work: the harness's failure.
pub(super) fn fault_of(station: &Station, fault: &Fault) -> Stop {
    Stop::End(Ending::HarnessFault { part: station.name.0.clone(), message: fault.0.clone() })
}
