//! Sub-agents (`system.md` §6): a tool whose body is another harness of the same folder. Checked with file and line; a call plays steps of
//! its own over the ground of the episode, and its answer is the result. Each call begins anew.

use super::assembly::Assembly;
use super::episode::{Agent, Episode, Stop};
use super::tool_files::check_arguments;
use super::tools::ToolFault;
use crate::domain::event::ToolResult;
use crate::domain::harness::{HARNESS_FILE, Harness, Problem, check_path, parse_manifest};
use crate::domain::id::{PLAIN_LIMIT, is_plain};
use crate::domain::message::{Arguments, ToolCall, ToolSpec};
use crate::domain::nearest::did_you_mean;
use crate::domain::outcome::Ending;
use crate::domain::structure::{AGENTS_FOLDER, AgentSpec};
use crate::domain::task::Task;
use crate::script::Pool;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The one argument.
const ARGUMENT: &str = "task";

/// Longest description, in bytes.
const DESCRIPTION_LIMIT: usize = 2000;

/// A sub-agent that passed its check.
pub(super) struct SubAgent {
    /// As the calling model sees it.
    pub(super) spec: ToolSpec,
    /// What it may use.
    grant: AgentSpec,
    /// Its own harness.
    pub(super) assembly: Assembly,
}

/// A sub-agent as a tool of one episode.
pub struct AgentTool(pub(super) Arc<SubAgent>);

impl SubAgent {
    /// Looks all sub-agents of a harness over; `lines` are those of their entries, `taken` the names of its other tools.
    pub(super) fn all(
        harness: &Harness,
        lines: &[usize],
        pool: Option<&Pool>,
        taken: &BTreeSet<String>,
    ) -> Result<Vec<Self>, Vec<Problem>> {
        let (mut agents, mut problems) = (Vec::new(), Vec::new());
        for (index, (name, grant)) in harness.manifest.agents.iter().enumerate() {
            let at = |message: String| {
                Problem::at(HARNESS_FILE, lines.get(index).copied().unwrap_or(0), format!("agents.{}: {message}", name.escape_debug()))
            };
            let checked = check_entry(name, grant, harness, taken).map_err(|message| vec![at(message)]);
            match checked.and_then(|()| assemble(grant, harness, pool)) {
                Ok(assembly) => agents.push(Self { spec: tool(name, grant), grant: grant.clone(), assembly }),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() { Ok(agents) } else { Err(problems) }
    }

    /// Its folder within the harness.
    pub(super) fn folder(&self) -> &str {
        &self.grant.harness
    }
}

fn tool(name: &str, grant: &AgentSpec) -> ToolSpec {
    let schema = serde_json::json!({
        "type": "object",
        "properties": { ARGUMENT: { "type": "string", "description": "what to do, with all that must be known for it" } },
        "required": [ARGUMENT],
    });
    ToolSpec { name: name.into(), description: grant.description.clone(), schema: Arguments(schema) }
}

/// What an entry says, against the harness that it stands in.
fn check_entry(name: &str, grant: &AgentSpec, harness: &Harness, taken: &BTreeSet<String>) -> Result<(), String> {
    if !is_plain(name) {
        return Err(format!("an agent's name has 1 to {PLAIN_LIMIT} letters, digits, _ and -"));
    }
    if taken.contains(name) {
        return Err("a tool of tools/ has this name already".to_owned());
    }
    if grant.description.trim().is_empty() || grant.description.len() > DESCRIPTION_LIMIT {
        return Err(format!("description: 1 to {DESCRIPTION_LIMIT} bytes"));
    }
    let folder = grant.harness.as_str();
    if check_path(folder).is_err() || folder.strip_prefix(AGENTS_FOLDER).is_none_or(|name| name.contains('/')) {
        return Err(format!("harness {folder:?} is not a folder directly under {AGENTS_FOLDER}"));
    }
    let inside = format!("{folder}/");
    if !harness.files.keys().any(|path| path.starts_with(&inside)) {
        let below = harness.files.keys().filter_map(|path| path.strip_prefix(AGENTS_FOLDER)?.split_once('/'));
        let known: BTreeSet<String> = below.map(|(folder, _)| format!("{AGENTS_FOLDER}{folder}")).collect();
        return Err(format!("the harness has no folder {folder:?}; {}", did_you_mean(folder, known.iter().map(String::as_str))));
    }
    if !harness.files.contains_key(&format!("{inside}{HARNESS_FILE}")) {
        return Err(format!("{folder} has no {HARNESS_FILE}"));
    }
    Ok(())
}

/// The harness of a sub-agent, checked as any other.
fn assemble(grant: &AgentSpec, harness: &Harness, pool: Option<&Pool>) -> Result<Assembly, Vec<Problem>> {
    let inside = format!("{}/", grant.harness);
    let placed = |problem: Problem| Problem { file: format!("{inside}{}", problem.file), ..problem };
    let text =
        harness.text(&format!("{inside}{HARNESS_FILE}")).ok_or_else(|| vec![placed(Problem::at(HARNESS_FILE, 0, "not UTF-8 text"))])?;
    let (manifest, lines) = parse_manifest(text).map_err(|problem| vec![placed(problem)])?;
    if !manifest.agents.is_empty() {
        let line = lines.get(manifest.processors.len()).copied().unwrap_or(0);
        return Err(vec![placed(Problem::at(HARNESS_FILE, line, "a sub-agent has no agents of its own; drop them"))]);
    }
    let below = harness.files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(&inside)?.to_owned(), bytes.clone())));
    let files = below.filter(|(path, _)| path != HARNESS_FILE).collect();
    Assembly::assemble(Harness { manifest, files }, &lines, pool.cloned()).map_err(|found| found.into_iter().map(placed).collect())
}

impl Episode<'_, '_> {
    /// One call of a sub-agent. True: the environment is done.
    pub(super) async fn run_agent(&mut self, tool: &AgentTool, call: &ToolCall) -> Result<(ToolResult, bool), ToolFault> {
        let SubAgent { spec, grant, assembly } = tool.0.as_ref();
        let text = match (check_arguments(&spec.schema.0, &call.arguments.0), call.arguments.field(ARGUMENT)) {
            (Ok(()), Some(text)) if !text.trim().is_empty() => text.to_owned(),
            (Ok(()), _) => return Ok((failed(format!("The argument {ARGUMENT:?} is empty.")), false)),
            (Err(text), _) => return Ok((failed(text), false)),
        };
        let task = Task { text, ..self.task.clone() };
        let limits = grant.limits.tightest(&self.left());
        let agent = Agent { assembly, harness: self.agent.harness.clone(), desk: self.agent.desk, limits, role: self.agent.role };
        let thread = std::mem::take(&mut self.ground.line.thread);
        let mut inner = Episode::within(&agent, &task, self.ground, &spec.name, grant.tools.as_deref());
        // Boxed, since an episode is within an episode.
        let ending = Box::pin(inner.play_out()).await;
        let last = inner.conversation.turns().last().map(|turn| turn.message.text().to_owned()).unwrap_or_default();
        self.ground.line.thread = thread;
        let name = &spec.name;
        match ending.map_err(|abort| ToolFault::Stop(Stop::Abort(abort)))? {
            Ending::FinalAnswer { text } => Ok((ToolResult { text, is_error: false }, false)),
            Ending::EnvironmentDone => Ok((ToolResult { text: last, is_error: false }, true)),
            Ending::Budget { limit } => Ok((failed(format!("{name} gave no answer: it is out of {limit}. Last: {last}")), false)),
            Ending::Interrupt { reason, .. } => Ok((failed(format!("{name} was stopped: {reason}. Last: {last}")), false)),
            Ending::HarnessFault { part, message } => {
                let part = if part.starts_with(&format!("{name}/")) { part } else { format!("{name}/{part}") };
                Err(ToolFault::Stop(Stop::End(Ending::HarnessFault { part, message })))
            }
            ending @ Ending::Fault { .. } => Err(ToolFault::Stop(Stop::End(ending))),
        }
    }
}

fn failed(text: String) -> ToolResult {
    ToolResult { text, is_error: true }
}
