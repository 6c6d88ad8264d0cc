//! MCP servers: started with the episode, their tools listed once, each offered under the server's name. What a server says is untrusted: names
//! are made plain, texts cut and cleaned, every wait has an end. Sole user of rmcp, with `http` and `pipes`.

use super::http::HttpDoor;
use super::keys;
use super::pipes::Pipes;
use super::read::{Server, Transport};
use super::runner::{Programs, Shop};
use super::schema::fill;
use crate::domain::event::ToolResult;
use crate::domain::id::ToolName;
use crate::domain::message::{Arguments, ToolSpec, check_depth};
use crate::net::Secret;
use crate::runtime::tools::ToolFault;
use crate::sandbox::command::plain;
use crate::sandbox::{SandboxError, Session, ToolCommand};
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, PaginatedRequestParams, Tool};
use rmcp::service::{RoleClient, RunningService, ServiceError};
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransport, StreamableHttpClientTransportConfig};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Most tools of one server.
const TOOLS: usize = 64;

/// Most pages of its list.
const PAGES: usize = 16;

/// Longest description that is offered, in bytes.
const DESCRIPTION: usize = 1000;

/// Largest schema that is offered, in bytes of JSON.
const SCHEMA: usize = 16 << 10;

/// How long a server may take to start and to list its tools, at least.
const START: Duration = Duration::from_secs(30);

/// A server that runs. Ended when the last of its tools is dropped.
struct Running {
    service: RunningService<RoleClient, ()>,
    session: Option<Session>,
    secret: Option<Secret>,
    seconds: u64,
    output_bytes: usize,
}

/// One tool of a server.
pub struct ServerTool {
    pub(in crate::runtime) spec: ToolSpec,
    /// As the server calls it.
    name: String,
    server: Arc<Running>,
}

/// Starts a server and lists its tools.
pub(super) async fn open(server: &Server, bench: &Programs, shop: &Arc<Shop>) -> Result<Vec<ServerTool>, ToolFault> {
    let patience = START.max(Duration::from_secs(server.limits.seconds));
    let (running, tools) = match timeout(patience, start(server, bench, shop)).await {
        Ok(started) => started?,
        Err(_) => return Err(fault(server, &format!("no list of tools after {} s", patience.as_secs()))),
    };
    let running = Arc::new(running);
    let wanted = |tool: &Tool| server.tools.as_ref().is_none_or(|names| names.iter().any(|name| *name == tool.name));
    if let Some(name) = server.tools.iter().flatten().find(|name| !tools.iter().any(|tool| tool.name == name.as_str())) {
        return Err(fault(server, &format!("it has no tool {name:?}")));
    }
    let mut taken = BTreeSet::new();
    let mut offered = Vec::new();
    for tool in tools.iter().filter(|tool| wanted(tool)).take(TOOLS) {
        let schema = serde_json::Value::Object(tool.input_schema.as_ref().clone());
        let name = ToolName::mended(&format!("{}__{}", server.name, tool.name));
        // What cannot be offered to a model is left out; a name can stand for one tool only.
        if schema.to_string().len() <= SCHEMA && check_depth(&schema).is_ok() && taken.insert(name.clone()) {
            let description = cut(&plain(tool.description.as_deref().unwrap_or_default().as_bytes()), DESCRIPTION).0;
            let spec = ToolSpec { name, description, schema: Arguments(schema) };
            offered.push(ServerTool { spec, name: tool.name.to_string(), server: running.clone() });
        }
    }
    Ok(offered)
}

/// The harness's failure: what it brought does not start.
fn fault(server: &Server, problem: &str) -> ToolFault {
    let named = match &server.transport {
        Transport::Program { argv, .. } => argv.first().map_or("", String::as_str),
        Transport::Http { url, .. } => url,
    };
    ToolFault::Harness(format!("{}: start {named:?}: {problem}", server.file))
}

async fn start(server: &Server, bench: &Programs, shop: &Arc<Shop>) -> Result<(Running, Vec<Tool>), ToolFault> {
    let (service, session, secret) = match &server.transport {
        Transport::Program { argv, network } => {
            let sandbox = shop.sandbox()?;
            let argv = fill(argv, &|name| shop.standing(sandbox.protection().root(), name));
            let command = ToolCommand { argv, network: *network, ..ToolCommand::default() };
            let (receiver, sender, session) = sandbox.open(&command, &shop.workspace, &server.limits).map_err(|error| match error {
                SandboxError::NoProgram { .. } => fault(server, &error.to_string()),
                SandboxError::NoProtection(_) | SandboxError::System { .. } => ToolFault::Host(error.to_string()),
            })?;
            let service = rmcp::serve_client((), Pipes::new(receiver, sender)).await;
            (service.map_err(|error| fault(server, &said(&error.to_string(), Some(&session), None)))?, Some(session), None)
        }
        Transport::Http { url, key_env } => {
            let key = |name: &String| keys::find(bench.environment, &server.file, url, name).map_err(ToolFault::Host);
            let secret = key_env.as_ref().map(key).transpose()?;
            let door = HttpDoor::new(bench.client.clone(), secret.clone(), Duration::from_secs(server.limits.seconds));
            let config = StreamableHttpClientTransportConfig::with_uri(url.as_str());
            let transport = StreamableHttpClientTransport::with_client(door, config);
            let service = rmcp::serve_client((), transport).await;
            (service.map_err(|error| fault(server, &said(&error.to_string(), None, secret.as_ref())))?, None, secret)
        }
    };
    let listed = list(&service).await;
    let tools = listed.map_err(|error| fault(server, &said(&error.to_string(), session.as_ref(), secret.as_ref())))?;
    let (seconds, output_bytes) = (server.limits.seconds, server.limits.output_bytes);
    Ok((Running { service, session, secret, seconds, output_bytes }, tools))
}

/// All pages of the list of tools.
async fn list(service: &RunningService<RoleClient, ()>) -> Result<Vec<Tool>, ServiceError> {
    let mut tools = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES {
        let page = service.list_tools(Some(PaginatedRequestParams::default().with_cursor(cursor))).await?;
        tools.extend(page.tools);
        cursor = page.next_cursor;
        if cursor.is_none() || tools.len() > TOOLS {
            break;
        }
    }
    Ok(tools)
}

impl ServerTool {
    /// One call.
    pub(in crate::runtime) async fn call(&self, arguments: &Arguments) -> ToolResult {
        let Some(given) = arguments.0.as_object() else {
            return ToolResult { text: "The arguments must be a JSON object.".to_owned(), is_error: true };
        };
        let request = CallToolRequestParams::new(self.name.clone()).with_arguments(given.clone());
        let called = timeout(Duration::from_secs(self.server.seconds), self.server.service.call_tool(request)).await;
        let Running { session, secret, .. } = self.server.as_ref();
        let (text, is_error) = match called {
            Ok(Ok(result)) => (blotted(text_of(&result), secret.as_ref()), result.is_error == Some(true)),
            Ok(Err(error)) => (format!("The tool's server failed: {}", said(&error.to_string(), session.as_ref(), secret.as_ref())), true),
            Err(_) => (format!("The tool's server did not answer within {} s.", self.server.seconds), true),
        };
        let (mut text, is_cut) = cut(&plain(text.as_bytes()), self.server.output_bytes);
        if is_cut {
            text = format!("{text}\n[cut: only the first {} bytes are shown]", self.server.output_bytes);
        }
        ToolResult { text, is_error }
    }
}

/// The texts of a result; what is no text is named.
fn text_of(result: &CallToolResult) -> String {
    let parts: Vec<String> = result.content.iter().map(part).collect();
    if let (true, Some(value)) = (parts.is_empty(), &result.structured_content) {
        return value.to_string();
    }
    parts.join("\n")
}

fn part(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(_) => "[an image]".to_owned(),
        ContentBlock::Audio(_) => "[a sound]".to_owned(),
        ContentBlock::Resource(resource) => serde_json::to_string(resource).unwrap_or_default(),
        ContentBlock::ResourceLink(link) => format!("[{}]", link.uri),
        _ => "[something that is no text]".to_owned(),
    }
}

/// A text without the key, which servers like to repeat.
fn blotted(text: String, secret: Option<&Secret>) -> String {
    match secret {
        Some(secret) => secret.blot(&text),
        None => text,
    }
}

/// An error with the limit that may have caused it, short and clean.
fn said(error: &str, session: Option<&Session>, secret: Option<&Secret>) -> String {
    let error = cut(&blotted(plain(error.as_bytes()), secret), DESCRIPTION).0;
    match session.and_then(Session::stopped) {
        Some(limit) => format!("{error} (it was stopped: it used more {limit} than it may)"),
        None => error,
    }
}

fn cut(text: &str, most: usize) -> (String, bool) {
    let end = text.floor_char_boundary(most);
    (text[..end].to_owned(), end < text.len())
}
