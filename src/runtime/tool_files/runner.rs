//! Runs the tools of `tools/*.toml`: one private workspace an episode, servers started when it starts, all of it gone when it ends. What such a
//! tool does wrong is a result that says so; a server that does not start is the harness's failure; a machine without a sandbox is nobody's.

use super::read::ToolFile;
use super::schema::{check_arguments, fill, fill_text};
use super::{CommandFile, Input};
use crate::domain::event::ToolResult;
use crate::domain::harness::Harness;
use crate::domain::message::{Arguments, ToolSpec};
use crate::net::Client;
use crate::runtime::tools::{HarnessTool, ToolFault};
use crate::sandbox::{End, Finished, Sandbox, SandboxError, Stopped, ToolCommand, Wanted, Workspace};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// What the tools of harnesses are run with: one a run, shared by all episodes.
pub struct Workbench {
    wanted: Wanted,
    hidden: Vec<PathBuf>,
    network: bool,
    #[cfg_attr(not(feature = "mcp"), expect(dead_code, reason = "only servers are spoken to over HTTP"))]
    pub(super) client: Client,
    #[cfg_attr(not(feature = "mcp"), expect(dead_code, reason = "only servers take keys"))]
    pub(super) environment: fn(&str) -> Option<String>,
    sandbox: OnceLock<Result<Sandbox, String>>,
}

impl Workbench {
    /// `hidden` are folders that no command may see; `network`: whether tools that ask for the network get it.
    pub fn new(wanted: Wanted, hidden: Vec<PathBuf>, network: bool, client: Client, environment: fn(&str) -> Option<String>) -> Arc<Self> {
        Arc::new(Self { wanted, hidden, network, client, environment, sandbox: OnceLock::new() })
    }

    /// For dry replays and simulations, where nothing runs: a harness with such tools fails for want of a sandbox.
    pub fn none() -> Arc<Self> {
        let none = Self::new(Wanted::Auto, Vec::new(), false, Client::new(), |_| None);
        let _ = none.sandbox.set(Err("run a command: nothing runs in a dry replay".to_owned()));
        none
    }

    /// The sandbox, found out at the first need.
    ///
    /// # Errors
    /// Why there is none, with the cure.
    pub fn sandbox(&self) -> Result<&Sandbox, String> {
        let sandbox = || Sandbox::new(self.wanted, self.hidden.clone()).map_err(|error| error.to_string());
        self.sandbox.get_or_init(sandbox).as_ref().map_err(Clone::clone)
    }

    /// Whether these tools can run here as the user has it: a sandbox, the network if they ask for it.
    ///
    /// # Errors
    /// A fragment with the cure.
    pub fn check(&self, files: &[ToolFile]) -> Result<(), String> {
        if let Some(file) = files.iter().find(|file| file.wants_network() && !self.network) {
            return Err(format!("give {} the network that it asks for: not granted; grant it with --set tool_network=true", file.file()));
        }
        if files.iter().any(ToolFile::needs_sandbox) { self.sandbox().map(drop) } else { Ok(()) }
    }

    /// Starts what an episode needs.
    #[cfg_attr(not(feature = "mcp"), expect(clippy::unused_async, reason = "only servers are waited for"))]
    pub(in crate::runtime) async fn open(&self, harness: &Harness, files: &[ToolFile]) -> Result<Vec<HarnessTool>, ToolFault> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        self.check(files).map_err(ToolFault::Host)?;
        let workspace = Workspace::new().map_err(|error| host(&error))?;
        for (path, bytes) in harness.files.iter().filter(|(path, _)| path.starts_with("tools/")) {
            workspace.add_tool(path.trim_start_matches("tools/"), bytes).map_err(|error| host(&error))?;
        }
        let sandbox = if files.iter().any(ToolFile::needs_sandbox) { self.sandbox().ok().cloned() } else { None };
        let shop = Arc::new(Shop { sandbox, workspace });
        let mut tools = Vec::new();
        for file in files {
            match file {
                ToolFile::Command(file) => tools.push(HarnessTool::Command(CommandTool::new(file.clone(), shop.clone()))),
                #[cfg(feature = "mcp")]
                ToolFile::Server(server) => {
                    let opened = super::mcp::open(server, self, &shop).await?;
                    tools.extend(opened.into_iter().map(HarnessTool::Server));
                }
                #[cfg(not(feature = "mcp"))]
                ToolFile::Server(server) => return Err(ToolFault::Harness(format!("{}: this build has no MCP client", server.file))),
            }
        }
        Ok(tools)
    }
}

fn host(error: &SandboxError) -> ToolFault {
    ToolFault::Host(error.to_string())
}

/// The place of one episode. The sandbox is absent where only servers elsewhere are spoken to.
pub(super) struct Shop {
    sandbox: Option<Sandbox>,
    pub workspace: Workspace,
}

impl Shop {
    pub fn sandbox(&self) -> Result<&Sandbox, ToolFault> {
        self.sandbox.as_ref().ok_or_else(|| ToolFault::Host("run a command: there is no sandbox".to_owned()))
    }

    /// The standing places of a command line.
    pub fn standing(&self, sandbox: &Sandbox, name: &str) -> Option<Value> {
        let path = match name {
            "tools" => self.workspace.tools_inside(sandbox.protection()),
            "workspace" => self.workspace.work_inside(sandbox.protection()),
            _ => return None,
        };
        Some(Value::String(path.display().to_string()))
    }
}

/// A command tool in one episode.
pub struct CommandTool {
    pub(in crate::runtime) spec: ToolSpec,
    file: CommandFile,
    shop: Arc<Shop>,
}

impl CommandTool {
    fn new(file: CommandFile, shop: Arc<Shop>) -> Self {
        let spec = ToolSpec { name: file.name.as_str().into(), description: file.description.clone(), schema: file.schema.clone() };
        Self { spec, file, shop }
    }

    /// One call.
    pub(in crate::runtime) async fn call(&self, arguments: &Arguments) -> Result<ToolResult, ToolFault> {
        if let Err(text) = check_arguments(&self.file.schema.0, &arguments.0) {
            return Ok(ToolResult { text, is_error: true });
        }
        let sandbox = self.shop.sandbox()?;
        let value_of = |name: &str| arguments.0.get(name).cloned().or_else(|| self.shop.standing(sandbox, name));
        let stdin = match &self.file.stdin {
            Input::Nothing => Vec::new(),
            Input::Json => arguments.0.to_string().into_bytes(),
            Input::Text(text) => fill_text(text, &value_of).unwrap_or_default().into_bytes(),
        };
        let command = ToolCommand { argv: fill(&self.file.argv, &value_of), stdin, network: self.file.network };
        match sandbox.run(&command, &self.shop.workspace, &self.file.limits).await {
            Ok(finished) => Ok(self.result(&finished)),
            Err(error @ SandboxError::NoProgram { .. }) => Ok(ToolResult { text: format!("The tool failed to {error}."), is_error: true }),
            Err(error @ (SandboxError::NoProtection(_) | SandboxError::System { .. })) => Err(host(&error)),
        }
    }

    fn result(&self, finished: &Finished) -> ToolResult {
        let mut text = finished.stdout.clone();
        if finished.is_cut {
            text = format!("{text}\n[cut: only the first {} bytes are shown]", self.file.limits.output_bytes);
        }
        let how = match finished.end {
            End::Exit(0) => return ToolResult { text, is_error: false },
            End::Exit(code) => format!("The command ended with exit code {code}."),
            End::Stopped(Stopped::Time) => format!("The command was stopped after {} s.", self.file.limits.seconds),
            End::Stopped(limit) => format!("The command was stopped: it used more {limit} than it may."),
        };
        let parts = [text.trim_end(), finished.stderr.trim_end(), how.as_str()];
        ToolResult { text: parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n"), is_error: true }
    }
}

/// Whether the program of a tool is on this machine.
///
/// # Errors
/// A fragment that names it.
pub fn check_program(file: &ToolFile) -> Result<(), String> {
    match file.program() {
        Some(program) if crate::sandbox::find_program(program).is_none() => {
            Err(format!("the program {program:?} is not on this machine: install it, or name another"))
        }
        Some(_) | None => Ok(()),
    }
}
