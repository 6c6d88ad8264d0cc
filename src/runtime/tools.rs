//! Tools that the harness brings (`tools/` of its folder) beside those of the environment, and where a call is sent.

use super::episode::{Episode, Stop, not_called};
use super::sub_agent::AgentTool;
#[cfg(feature = "mcp")]
use super::tool_files::mcp::ServerTool;
use super::tool_files::recorded::RecordedTool;
use super::tool_files::runner::CommandTool;
use crate::domain::event::ToolResult;
use crate::domain::id::{CallId, ToolName};
use crate::domain::message::{ToolCall, ToolSpec};
use crate::domain::outcome::{Boundary, Ending};
use crate::domain::trace::ToolSource;
use crate::script::{Instance, ScriptError, ToolStep};

/// A tool of the harness, one instance an episode. The set of kinds is closed.
pub enum HarnessTool {
    /// A composed tool: `tools/*.js`.
    Script(ScriptTool),
    /// An agent of the harness: `[agents.…]`.
    Agent(AgentTool),
    /// A command: `tools/*.toml`.
    Command(CommandTool),
    /// A tool of an MCP server: `tools/*.toml`.
    #[cfg(feature = "mcp")]
    Server(ServerTool),
    /// A command or a tool of a server, in a dry replay.
    Recorded(RecordedTool),
}

/// A composed tool: a script that calls the environment's own tools.
pub struct ScriptTool {
    /// As the model sees it.
    spec: ToolSpec,
    instance: Instance,
}

impl ScriptTool {
    /// A tool with its instance.
    pub fn new(spec: ToolSpec, instance: Instance) -> Self {
        Self { spec, instance }
    }
}

/// Why a tool of the harness gave no result.
pub(super) enum ToolFault {
    /// What the harness supplied broke: its failure.
    Harness(String),
    /// The host could not run it: missing data.
    Host(String),
    /// Something that ends the episode came up while it ran.
    Stop(Stop),
}

impl ToolFault {
    /// What it makes of an episode that has not begun.
    pub(super) fn at_start(self) -> Ending {
        match self {
            Self::Harness(message) => Ending::HarnessFault { part: "tools".to_owned(), message },
            Self::Host(message) => Ending::Fault { boundary: Boundary::Sandbox, message },
            Self::Stop(Stop::End(ending)) => ending,
            Self::Stop(Stop::Abort(abort)) => Ending::Fault { boundary: Boundary::Sandbox, message: abort.to_string() },
        }
    }
}

impl HarnessTool {
    /// As the model sees it.
    pub fn spec(&self) -> &ToolSpec {
        match self {
            Self::Script(tool) => &tool.spec,
            Self::Agent(tool) => &tool.0.spec,
            Self::Command(tool) => &tool.spec,
            #[cfg(feature = "mcp")]
            Self::Server(tool) => &tool.spec,
            Self::Recorded(tool) => &tool.spec,
        }
    }

    /// Who answers its calls.
    fn source(&self) -> ToolSource {
        match self {
            Self::Script(_) => ToolSource::Harness,
            Self::Agent(_) => ToolSource::Agent,
            Self::Command(_) | Self::Recorded(_) => ToolSource::Program,
            #[cfg(feature = "mcp")]
            Self::Server(_) => ToolSource::Program,
        }
    }
}

/// The tools that an agent is offered: the environment's, but for those that a tool of the harness with the same name stands before.
pub(super) fn offered(world: &[ToolSpec], own: &[HarnessTool], named: Option<&[String]>) -> Vec<ToolSpec> {
    let is_offered = |tool: &&ToolSpec| {
        let is_named = named.is_none_or(|names| names.iter().any(|name| name == tool.name.as_str()));
        is_named && !own.iter().any(|own| own.spec().name == tool.name)
    };
    world.iter().filter(is_offered).chain(own.iter().map(HarnessTool::spec)).cloned().collect()
}

impl Episode<'_, '_> {
    /// One tool call, sent to whom it belongs: the harness's own tools first, then the environment. True: the environment is done.
    pub(super) async fn call_tool(&mut self, call: &ToolCall) -> Result<(ToolResult, bool), Stop> {
        let Some(index) = self.own_tools.iter().position(|tool| tool.spec().name == call.name) else {
            return self.call_world(call);
        };
        // Taken out while one of them runs: it calls back into the episode.
        let mut own = std::mem::take(&mut self.own_tools);
        let called = match &mut own[index] {
            HarnessTool::Script(tool) => self.run_script(tool, call).await,
            HarnessTool::Agent(tool) => self.run_agent(tool, call).await,
            HarnessTool::Command(tool) => tool.call(&call.arguments).await.map(|result| (result, false)),
            #[cfg(feature = "mcp")]
            HarnessTool::Server(tool) => Ok((tool.call(&call.arguments).await, false)),
            HarnessTool::Recorded(tool) => tool.call(call).map(|result| (result, false)),
        };
        let source = own[index].source();
        self.own_tools = own;
        match called {
            Ok((result, done)) => {
                self.record_tool(call, &result, None, source);
                Ok((result, done))
            }
            Err(ToolFault::Harness(message)) => Err(Stop::End(Ending::HarnessFault { part: call.name.0.clone(), message })),
            Err(ToolFault::Host(message)) => Err(Stop::End(Ending::Fault { boundary: Boundary::Sandbox, message })),
            Err(ToolFault::Stop(stop)) => Err(stop),
        }
    }

    /// Runs a composed tool. Its calls go to the environment straight, past the hooks, each with its own record.
    async fn run_script(&mut self, tool: &mut ScriptTool, call: &ToolCall) -> Result<(ToolResult, bool), ToolFault> {
        let mut done = false;
        let mut calls = 0_u32;
        let mut step = tool.instance.run(&call.arguments).await?;
        loop {
            match step {
                ToolStep::Done(result) => return Ok((result, done)),
                ToolStep::Calls { tool: name, arguments, waiting } => {
                    calls += 1;
                    let inner = ToolCall { id: CallId(format!("{}.{calls}", call.id)), name: ToolName(name), arguments };
                    let (result, is_over) =
                        if done { (not_called(), true) } else { self.call_own_world(&inner).map_err(ToolFault::Stop)? };
                    done = is_over;
                    step = tool.instance.resume(waiting, result).await?;
                }
            }
        }
    }

    /// A call that a composed tool makes: any tool of the environment, offered to the model or not.
    fn call_own_world(&mut self, call: &ToolCall) -> Result<(ToolResult, bool), Stop> {
        let names: Vec<&str> = self.ground.world.tools().iter().map(|tool| tool.name.as_str()).collect();
        if !names.contains(&call.name.as_str()) {
            let text = format!("There is no tool {:?} in the environment. Tools: {}.", call.name.as_str(), names.join(", "));
            return Ok((ToolResult { text, is_error: true }, false));
        }
        self.call_environment(call)
    }
}

impl From<ScriptError> for ToolFault {
    fn from(error: ScriptError) -> Self {
        match error {
            ScriptError::Fault(fault) => Self::Harness(fault.to_string()),
            ScriptError::Host(_) | ScriptError::Unconfined => Self::Host(error.to_string()),
        }
    }
}
