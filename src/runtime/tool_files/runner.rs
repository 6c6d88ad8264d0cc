//! Runs the tools of `tools/*.toml`: one private workspace an episode, servers started when it starts, all of it gone when it ends. What such a
//! tool does wrong is a result that says so; a server that does not start is the harness's failure; a machine without a sandbox is nobody's.

use super::keys;
use super::read::{Server, ToolFile, Transport};
use super::schema::{check_arguments, fill, fill_text};
use super::{CommandFile, Input, RecordedTools, shown};
use crate::domain::event::ToolResult;
use crate::domain::harness::{Harness, Problem};
use crate::domain::id::Digest;
use crate::domain::message::{Arguments, ToolSpec};
use crate::net::Client;
use crate::runtime::tools::{HarnessTool, ToolFault};
use crate::sandbox::{
    CommandLimits, Containers, End, Finished, Root, Sandbox, SandboxError, Stopped, ToolCommand, Wanted, Workspace, apart,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Where the tools of harnesses get their answers: one a run, shared by all episodes.
pub enum Workbench {
    /// From their programs and servers.
    Programs(Box<Programs>),
    /// From the record of an episode.
    Recorded(RecordedTools),
}

/// What programs and servers are run with.
pub struct Programs {
    wanted: Wanted,
    hidden: Vec<PathBuf>,
    network: bool,
    #[cfg_attr(not(feature = "mcp"), expect(dead_code, reason = "only servers are spoken to over HTTP"))]
    pub(super) client: Client,
    pub(super) environment: fn(&str) -> Option<String>,
    sandbox: OnceLock<Result<Sandbox, String>>,
    containers: OnceLock<Result<Containers, String>>,
    /// Bodies of the files that were started once, and did.
    started: Mutex<BTreeSet<Digest>>,
}

/// What one file of `tools/` brings into an episode.
pub struct Brought {
    /// The file, within the harness.
    pub(in crate::runtime) file: String,
    /// See [`ToolFile::body`].
    pub(in crate::runtime) body: Digest,
    /// Its tools.
    pub(in crate::runtime) tools: Vec<HarnessTool>,
}

impl Workbench {
    /// `hidden` are folders that no command may see; `network`: whether tools that ask for the network get it.
    pub fn new(wanted: Wanted, hidden: Vec<PathBuf>, network: bool, client: Client, environment: fn(&str) -> Option<String>) -> Arc<Self> {
        let (sandbox, containers, started) = (OnceLock::new(), OnceLock::new(), Mutex::default());
        let programs = Programs { wanted, hidden, network, client, environment, sandbox, containers, started };
        Arc::new(Self::Programs(Box::new(programs)))
    }

    /// For dry replays, where nothing runs.
    pub fn recorded(tools: RecordedTools) -> Arc<Self> {
        Arc::new(Self::Recorded(tools))
    }

    /// Whether these tools can run here as the user has it: a sandbox, a daemon for images, the network if they ask for it,
    /// keys for the addresses that they name.
    ///
    /// # Errors
    /// A fragment with the cure.
    pub fn check(&self, files: &[ToolFile]) -> Result<(), String> {
        match self {
            Self::Programs(programs) => programs.check(files),
            Self::Recorded(_) => Ok(()),
        }
    }

    /// What keeps the tools of a harness from running here. Each is started, without arguments; one that did is not tried again.
    pub fn try_out(&self, harness: &Harness, files: &[ToolFile]) -> Vec<Problem> {
        match self {
            Self::Programs(programs) => {
                files.iter().filter_map(|file| Some(Problem::at(file.file(), 0, programs.try_once(harness, file).err()?))).collect()
            }
            Self::Recorded(_) => Vec::new(),
        }
    }

    /// The sandbox, found out at the first need.
    ///
    /// # Errors
    /// Why there is none, with the cure.
    pub fn sandbox(&self) -> Result<&Sandbox, String> {
        match self {
            Self::Programs(programs) => programs.sandbox(),
            Self::Recorded(_) => Err("nothing runs in a dry replay".to_owned()),
        }
    }

    /// Starts what an episode needs.
    pub(in crate::runtime) async fn open(&self, harness: &Harness, files: &[ToolFile]) -> Result<Vec<Brought>, ToolFault> {
        match self {
            Self::Programs(programs) => programs.open(harness, files).await,
            Self::Recorded(tools) => tools.open(harness, files),
        }
    }
}

impl Programs {
    fn sandbox(&self) -> Result<&Sandbox, String> {
        let sandbox = || Sandbox::new(self.wanted, self.hidden.clone()).map_err(|error| error.to_string());
        self.sandbox.get_or_init(sandbox).as_ref().map_err(Clone::clone)
    }

    fn check(&self, files: &[ToolFile]) -> Result<(), String> {
        if let Some(file) = files.iter().find(|file| file.wants_network() && !self.network) {
            return Err(format!("give {} the network that it asks for: not granted; grant it with --set tool_network=true", file.file()));
        }
        for file in files {
            if let ToolFile::Server(Server { file, transport: Transport::Http { url, key_env: Some(name) }, .. }) = file {
                keys::find(self.environment, file, url, name)?;
            }
        }
        if files.iter().any(ToolFile::needs_sandbox) {
            self.sandbox()?;
        }
        if files.iter().any(|file| file.image().is_some()) {
            self.containers()?;
        }
        Ok(())
    }

    /// The daemon, found at the first need.
    fn containers(&self) -> Result<&Containers, String> {
        let containers = || Containers::find().map_err(|error| error.to_string());
        self.containers.get_or_init(containers).as_ref().map_err(Clone::clone)
    }

    fn try_once(&self, harness: &Harness, file: &ToolFile) -> Result<(), String> {
        let body = file.body(harness);
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if !started.contains(&body) {
            self.try_now(harness, file)?;
            started.insert(body);
        }
        Ok(())
    }

    fn try_now(&self, harness: &Harness, file: &ToolFile) -> Result<(), String> {
        check_program(file)?;
        let tried = apart(async || {
            for tool in self.open(harness, std::slice::from_ref(file)).await?.into_iter().flat_map(|brought| brought.tools) {
                if let HarnessTool::Command(command) = tool {
                    command.try_out().await?;
                }
            }
            Ok::<(), ToolFault>(())
        });
        match tried {
            Ok(Ok(()) | Err(ToolFault::Stop(_))) => Ok(()),
            Ok(Err(ToolFault::Harness(message) | ToolFault::Host(message))) => Err(message),
            Err(error) => Err(error.to_string()),
        }
    }

    #[cfg_attr(not(feature = "mcp"), expect(clippy::unused_async, reason = "only servers are waited for"))]
    async fn open(&self, harness: &Harness, files: &[ToolFile]) -> Result<Vec<Brought>, ToolFault> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        self.check(files).map_err(ToolFault::Host)?;
        let workspace = Workspace::new().map_err(|error| host(&error))?;
        for (path, bytes) in shown(harness) {
            workspace.add_tool(path, bytes).map_err(|error| host(&error))?;
        }
        let sandbox = if files.iter().any(ToolFile::needs_sandbox) { self.sandbox().ok().cloned() } else { None };
        let containers = if files.iter().any(|file| file.image().is_some()) { self.containers().ok().cloned() } else { None };
        let shop = Arc::new(Shop { sandbox, containers, workspace: Arc::new(workspace) });
        let mut all = Vec::new();
        for file in files {
            let tools = match file {
                ToolFile::Command(file) => vec![HarnessTool::Command(CommandTool::new(file.clone(), shop.clone()))],
                #[cfg(feature = "mcp")]
                ToolFile::Server(server) => super::mcp::open(server, self, &shop).await?.into_iter().map(HarnessTool::Server).collect(),
                #[cfg(not(feature = "mcp"))]
                ToolFile::Server(server) => return Err(ToolFault::Harness(format!("{}: this build has no MCP client", server.file))),
            };
            all.push(Brought { file: file.file().to_owned(), body: file.body(harness), tools });
        }
        Ok(all)
    }
}

fn host(error: &SandboxError) -> ToolFault {
    ToolFault::Host(error.to_string())
}

/// The place of one episode. Sandbox and daemon are absent where no tool needs them.
pub(super) struct Shop {
    sandbox: Option<Sandbox>,
    containers: Option<Containers>,
    pub workspace: Arc<Workspace>,
}

impl Shop {
    pub fn sandbox(&self) -> Result<&Sandbox, ToolFault> {
        self.sandbox.as_ref().ok_or_else(|| ToolFault::Host("run a command: there is no sandbox".to_owned()))
    }

    fn containers(&self) -> Result<&Containers, ToolFault> {
        self.containers.as_ref().ok_or_else(|| ToolFault::Host("run a command: there is no container daemon".to_owned()))
    }

    /// The standing places of a command line.
    pub fn standing(&self, root: Root, name: &str) -> Option<Value> {
        let path = match name {
            "tools" => self.workspace.tools_inside(root),
            "workspace" => self.workspace.work_inside(root),
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
        Self { spec: file.spec(), file, shop }
    }

    /// One call.
    pub(in crate::runtime) async fn call(&self, arguments: &Arguments) -> Result<ToolResult, ToolFault> {
        if let Err(text) = check_arguments(&self.file.schema.0, &arguments.0) {
            return Ok(ToolResult { text, is_error: true });
        }
        let root = self.root()?;
        let value_of = |name: &str| self.shop.standing(root, name).or_else(|| arguments.0.get(name).cloned());
        let stdin = match &self.file.stdin {
            Input::Nothing => Vec::new(),
            Input::Json => arguments.0.to_string().into_bytes(),
            Input::Text(text) => fill_text(text, &value_of).unwrap_or_default().into_bytes(),
        };
        let command = ToolCommand { argv: fill(&self.file.argv, &value_of), stdin, network: self.file.network, ..ToolCommand::default() };
        match self.run(&command, &self.file.limits).await? {
            Ok(finished) => Ok(self.result(&finished)),
            Err(error @ SandboxError::NoProgram { .. }) => Ok(ToolResult { text: format!("The tool failed to {error}."), is_error: true }),
            Err(error @ (SandboxError::NoProtection(_) | SandboxError::System { .. })) => Err(host(&error)),
        }
    }

    /// Starts its program for a moment, without arguments and network: whether it starts is all that counts.
    async fn try_out(&self) -> Result<(), ToolFault> {
        let root = self.root()?;
        let argv = fill(&self.file.argv[..self.file.argv.len().min(1)], &|name| self.shop.standing(root, name));
        let command = ToolCommand { argv, ..ToolCommand::default() };
        match self.run(&command, &CommandLimits { seconds: 1, ..self.file.limits }).await? {
            Ok(_) => Ok(()),
            Err(error @ SandboxError::NoProgram { .. }) => Err(ToolFault::Harness(error.to_string())),
            Err(error @ (SandboxError::NoProtection(_) | SandboxError::System { .. })) => Err(host(&error)),
        }
    }

    /// Whose root folder its command has.
    fn root(&self) -> Result<Root, ToolFault> {
        match self.file.image {
            Some(_) => Ok(Root::Own),
            None => Ok(self.shop.sandbox()?.protection().root()),
        }
    }

    async fn run(&self, command: &ToolCommand, limits: &CommandLimits) -> Result<Result<Finished, SandboxError>, ToolFault> {
        Ok(match &self.file.image {
            Some(image) => self.shop.containers()?.run(image, command, &self.shop.workspace, limits).await,
            None => self.shop.sandbox()?.run(command, &self.shop.workspace, limits).await,
        })
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
