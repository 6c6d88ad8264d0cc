//! One episode: the step loop of `system.md` §4.

use super::assembly::{Assembly, Station};
use super::call_ids::CallIds;
use super::desk::{CallFault, Desk};
use super::ground::Ground;
use super::processor::Fault;
use super::tool_files::runner::Brought;
use super::tools::{HarnessTool, ToolFault, offered};
use super::trace_log::TraceLog;
use crate::bench::{Observation, World, WorldFault};
use crate::domain::conversation::Conversation;
use crate::domain::event::{Scene, ToolResult};
use crate::domain::harness::Limits;
use crate::domain::id::{HarnessId, ProcessorName, ToolName};
use crate::domain::message::{Arguments, Message, ToolCall, ToolSpec};
use crate::domain::outcome::{Boundary, Ending, EpisodeResult};
use crate::domain::request::{ModelRole, Reply, RequestHead, Sampling, Usage};
use crate::domain::task::Task;
use crate::domain::trace::{EpisodeKey, Record, TRACE_FORMAT, ToolSource};
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

/// A running episode, or what a sub-agent plays of one.
pub(super) struct Episode<'a, 'g> {
    pub(super) agent: &'a Agent<'a>,
    pub(super) task: &'a Task,
    pub(super) ground: &'a mut Ground<'g>,
    /// The sub-agent that acts.
    pub(super) within: Option<ToolName>,
    /// What the model sees first.
    opening: String,
    /// Tools of the environment that it may use; absent: all.
    granted: Option<&'a [String]>,
    /// Tools of the harness.
    pub(super) own_tools: Vec<HarnessTool>,
    /// All that are offered, as the model sees them.
    pub(super) tools: Vec<ToolSpec>,
    /// Demonstrations first, then the history.
    pub(super) conversation: Conversation,
    /// Demonstration turns at the front.
    pub(super) demonstrations: usize,
    pub(super) head: Arc<RequestHead>,
    pub(super) sampling: Sampling,
    /// The present step, counted through the whole episode.
    pub(super) step: u32,
    limits: Limits,
    before: Before,
    pub(super) call_ids: CallIds,
    /// The processor that last changed anything but the system prompt.
    pub(super) changed_by: Option<ProcessorName>,
}

/// What was used before an agent began.
struct Before {
    steps: u32,
    usage: Usage,
    milliseconds: u64,
}

/// Plays one task once.
///
/// # Errors
/// See [`Abort`]; everything else is an outcome.
pub async fn play(agent: &Agent<'_>, task: &Task, world: World<'_>, key: &EpisodeKey, trace: TraceLog) -> Result<EpisodeResult, Abort> {
    let mut ground = Ground::new(agent.desk, world, key, trace);
    ground.trace.write(&Record::Episode {
        format: TRACE_FORMAT,
        key: key.clone(),
        harness: agent.harness.clone(),
        policy: agent.desk.policy_of(agent.role),
        seed: agent.desk.seed,
        task_text: task.text.clone(),
        tags: task.tags.clone(),
    });
    let ending = Episode::new(agent, task, &mut ground).play_out().await?;
    let result = ground.result(ending);
    ground.trace.write(&Record::Outcome(result.clone()));
    ground.trace.flush()?;
    Ok(result)
}

impl<'a, 'g> Episode<'a, 'g> {
    pub(super) fn new(agent: &'a Agent<'a>, task: &'a Task, ground: &'a mut Ground<'g>) -> Self {
        let slots = &agent.assembly.harness().manifest.slots;
        // The run's sampling is the main model's: a meta-agent is not held to the few tokens that a task's action takes.
        let standing = if agent.role == ModelRole::Main { agent.desk.sampling.clone() } else { Sampling::default() };
        Self {
            agent,
            task,
            within: None,
            opening: std::mem::take(&mut ground.opening),
            granted: None,
            tools: offered(ground.world.tools(), &[], slots.tools.as_deref()),
            own_tools: Vec::new(),
            conversation: Conversation::default(),
            demonstrations: 0,
            head: RequestHead::new(String::new(), Vec::new()),
            sampling: slots.sampling.clone().unwrap_or_default().or(&standing),
            step: ground.steps,
            limits: slots.limits.tightest(&agent.limits),
            before: Before { steps: ground.steps, usage: ground.line.usage, milliseconds: agent.desk.clock.milliseconds() },
            call_ids: CallIds::default(),
            changed_by: None,
            ground,
        }
    }

    /// What the sub-agent `name` plays: it sees its task, and the world as it stands.
    pub(super) fn within(
        agent: &'a Agent<'a>,
        task: &'a Task,
        ground: &'a mut Ground<'g>,
        name: &ToolName,
        granted: Option<&'a [String]>,
    ) -> Self {
        Self { within: Some(name.clone()), opening: task.text.clone(), granted, ..Self::new(agent, task, ground) }
    }

    /// All of it, with fresh processors and tools.
    pub(super) async fn play_out(&mut self) -> Result<Ending, Abort> {
        let assembly = self.agent.assembly;
        let parts = assembly.stations().and_then(|stations| Ok((stations, assembly.tools()?)));
        let (mut stations, tools) = match parts {
            Ok(parts) => parts,
            Err(message) => return Ok(Ending::HarnessFault { part: "harness".to_owned(), message }),
        };
        if let Some(agent) = &self.within {
            for station in &mut stations {
                station.name = ProcessorName(format!("{agent}/{}", station.name));
            }
        }
        match self.bring(tools).await {
            Ok(()) => self.run(&mut stations).await,
            Err(ending) => Ok(ending),
        }
    }

    /// Adds the harness's own tools; its servers are started here.
    pub(super) async fn bring(&mut self, mut tools: Vec<HarnessTool>) -> Result<(), Ending> {
        let assembly = self.agent.assembly;
        let opened = self.agent.desk.workbench.open(assembly.harness(), assembly.tool_files()).await;
        for Brought { file, body, tools: brought } in opened.map_err(ToolFault::at_start)? {
            let offers = brought.iter().map(|tool| tool.spec().clone()).collect();
            self.ground.trace.write(&Record::Brought { file, body, offers });
            tools.extend(brought);
        }
        let named = self.agent.assembly.harness().manifest.slots.tools.as_deref();
        self.tools = offered(self.ground.world.tools(), &tools, named);
        if let Some(granted) = self.granted {
            let is_granted = |tool: &ToolSpec| granted.iter().any(|name| name == tool.name.as_str());
            self.tools.retain(|tool| is_granted(tool) || tools.iter().any(|own| own.spec().name == tool.name));
        }
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
        self.conversation.push(Message::user(std::mem::take(&mut self.opening)));
        loop {
            self.check_limits()?;
            self.ground.steps += 1;
            self.step = self.ground.steps;
            self.on_step_start(stations).await?;
            let before = self.conversation.turns().len();
            let reply = self.reply(stations).await?;
            self.ground.world.replied();
            let acted = self.act(stations, reply).await;
            if matches!(acted, Ok(()) | Err(Stop::End(Ending::FinalAnswer { .. } | Ending::EnvironmentDone))) {
                self.on_step_end(stations, before).await?;
            }
            acted?;
            self.ground.trace.flush().map_err(Abort::from)?;
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
        let (name, field) = self.text_call(&reply.text)?;
        let arguments = Arguments::text(field, reply.text.trim());
        let name = ToolName::from(name);
        Some(vec![ToolCall { id: self.call_ids.take(), name, arguments }])
    }

    /// The tool and its argument that a plain text stands for; `None` if it is an answer. A sub-agent has to answer in every environment:
    /// only an action that is admitted, word for word, is one of its.
    pub(super) fn text_call(&self, text: &str) -> Option<(&'static str, &'static str)> {
        let (name, field) = self.ground.world.text_tool()?;
        let is_action =
            || self.tools.iter().any(|tool| tool.name.as_str() == name) && self.ground.actions.iter().any(|action| action == text.trim());
        (self.within.is_none() || is_action()).then_some((name, field))
    }

    /// One call into the environment. The verifier's state is behind it; nothing but the result comes back.
    pub(super) fn call_world(&mut self, call: &ToolCall) -> Result<(ToolResult, bool), Stop> {
        if !self.tools.iter().any(|tool| tool.name == call.name) {
            let is_over = self.ground.world.missed(call);
            let names: Vec<&str> = self.tools.iter().map(|tool| tool.name.as_str()).collect();
            let text = format!("There is no tool {:?}. Tools: {}.", call.name.as_str(), names.join(", "));
            let result = ToolResult { text, is_error: true };
            self.record_tool(call, &result, None, ToolSource::Environment);
            return Ok((result, is_over));
        }
        self.call_environment(call)
    }

    /// The call itself, on the record.
    pub(super) fn call_environment(&mut self, call: &ToolCall) -> Result<(ToolResult, bool), Stop> {
        match self.ground.world.call(call) {
            Ok(Observation { text, actions, is_error, done }) => {
                let changed = (actions != self.ground.actions).then(|| actions.clone());
                self.ground.actions = actions;
                let result = ToolResult { text, is_error };
                self.record_tool(call, &result, changed, ToolSource::Environment);
                Ok((result, done))
            }
            Err(WorldFault(message)) => Err(Stop::End(Ending::Fault { boundary: Boundary::Environment, message })),
        }
    }

    /// Puts a tool call on the record; `actions` are those admitted after it, where they changed.
    pub(super) fn record_tool(&mut self, call: &ToolCall, result: &ToolResult, actions: Option<Vec<String>>, source: ToolSource) {
        let (call, result) = (call.clone(), result.clone());
        self.ground.trace.write(&Record::Tool { step: self.step, within: self.within.clone(), call, result, actions, source });
    }

    pub(super) fn scene(&self) -> Scene<'_> {
        Scene {
            task: &self.task.text,
            tags: &self.task.tags,
            tools: &self.tools,
            step: self.step - self.before.steps,
            usage: self.used(),
            elapsed_ms: self.agent.desk.clock.milliseconds().saturating_sub(self.before.milliseconds),
        }
    }

    /// Tokens and money that the agent used so far, its sub-agents included.
    fn used(&self) -> Usage {
        let mut usage = self.ground.line.usage;
        usage.subtract(&self.before.usage);
        usage
    }

    fn check_limits(&self) -> Result<(), Stop> {
        let Limits { steps, tokens, cost, seconds } = self.left();
        let over = if steps == Some(0) {
            Some("steps")
        } else if tokens == Some(0) {
            Some("tokens")
        } else if cost.is_some_and(|left| left <= 0.0) {
            Some("cost")
        } else if seconds == Some(0) {
            Some("time")
        } else {
            None
        };
        over.map_or(Ok(()), |limit| Err(Stop::End(Ending::Budget { limit: limit.to_owned() })))
    }

    /// What is left of the limits.
    pub(super) fn left(&self) -> Limits {
        let used = self.used();
        Limits {
            steps: Some(self.limits.steps.unwrap_or(STEPS_BY_DEFAULT).saturating_sub(self.ground.steps - self.before.steps)),
            tokens: self.limits.tokens.map(|most| most.saturating_sub(used.tokens())),
            cost: self.limits.cost.map(|most| most - used.cost),
            seconds: self.limits.seconds.map(|most| most.saturating_sub(self.scene().elapsed_ms / 1000)),
        }
    }
}

/// The result of a call that is not made, so that every call has one.
pub(super) fn not_called() -> ToolResult {
    ToolResult { text: "Not called.".to_owned(), is_error: true }
}

/// A processor that broke the contract or could not do its work: the harness's failure.
pub(super) fn fault_of(station: &Station, fault: &Fault) -> Stop {
    Stop::End(Ending::HarnessFault { part: station.name.0.clone(), message: fault.0.clone() })
}
