//! Requests in the form of Anthropic messages. A kept turn is one letter for its role and its content blocks, so that neighbours of one
//! role can be joined when the body is put together.

use super::body::{Body, HeadText, Template, text_of, wire};
use super::openai::choice_schema;
use super::spec::ModelEntry;
use crate::domain::message::{Message, ToolCall, Turn};
use crate::domain::request::{Decision, ModelRequest, RequestHead};
use serde::Serialize;
use serde_json::Value;

/// Path below the host.
pub const PATH: &str = "/messages";
/// Version of the API.
pub const VERSION: &str = "2023-06-01";
/// The tool that a reply must call where its form is prescribed.
pub const FORM_TOOL: &str = "reply";
/// The API wants a limit on every reply.
const DEFAULT_MAX_TOKENS: u32 = 4096;
/// The API takes no empty text.
const NO_TEXT: &str = "(no text)";
/// Marks the end of what the server should cache.
const CACHE_MARK: &str = ",\"cache_control\":{\"type\":\"ephemeral\"}}";

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Value,
    },
    ToolResult {
        tool_use_id: &'a str,
        content: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

#[derive(Serialize)]
struct WireTool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Value,
}

fn text_block(text: &str) -> String {
    text_of(&Block::Text { text: if text.trim().is_empty() { NO_TEXT } else { text } })
}

fn call_block(call: &ToolCall) -> String {
    // The API takes objects only; anything else the model wrote is shown back to it under one name.
    let input = if call.arguments.0.is_object() { call.arguments.0.clone() } else { serde_json::json!({ "arguments": call.arguments.0 }) };
    text_of(&Block::ToolUse { id: call.id.as_str(), name: call.name.as_str(), input })
}

fn render_turn(turn: &Turn) -> String {
    match &turn.message {
        Message::User { text } => format!("u{}", text_block(text)),
        Message::Assistant { text, tool_calls } => {
            let has_text = !text.trim().is_empty() || tool_calls.is_empty();
            let blocks: Vec<String> = has_text.then(|| text_block(text)).into_iter().chain(tool_calls.iter().map(call_block)).collect();
            format!("a{}", blocks.join(","))
        }
        Message::Tool { call, text, is_error, .. } => {
            format!("u{}", text_of(&Block::ToolResult { tool_use_id: call.as_str(), content: text, is_error: *is_error }))
        }
    }
}

fn render_head(head: &RequestHead) -> HeadText {
    let system = if head.system.trim().is_empty() { String::new() } else { text_block(&head.system) };
    let tools: Vec<String> = head
        .tools
        .iter()
        .map(|tool| text_of(&WireTool { name: tool.name.as_str(), description: &tool.description, input_schema: &tool.schema.0 }))
        .collect();
    HeadText { system, tools: tools.join(",") }
}

/// The body of a request.
pub fn body(template: &Template, entry: &ModelEntry, request: &ModelRequest) -> Vec<u8> {
    let head = template.head(&request.head, render_head);
    let is_cached = template.writes("cache_control");
    let turns: usize = request.turns().iter().map(|turn| turn.wire(|_| render_turn(turn)).len() + 32).sum();
    let mut body = template.start(turns + head.system.len() + head.tools.len());
    let sampling = entry.sampling(&request.sampling);
    body.field("max_tokens", &sampling.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS));
    if !head.system.is_empty() {
        body.key("system");
        body.bytes.push(b'[');
        body.bytes.extend_from_slice(head.system.as_bytes());
        if is_cached {
            mark(&mut body.bytes);
        }
        body.bytes.push(b']');
    }
    form(&mut body, &head.tools, &request.decision);
    messages(&mut body.bytes, request, is_cached);
    body.optional("temperature", sampling.temperature.as_ref());
    body.optional("top_p", sampling.top_p.as_ref());
    if !sampling.stop.is_empty() {
        body.field("stop_sequences", &sampling.stop);
    }
    if entry.stream {
        body.raw("stream", "true");
    }
    body.finish()
}

/// Tools, and the one that must be called where the form of the reply is prescribed.
fn form(body: &mut Body<'_>, tools: &str, decision: &Decision) {
    let schema = match decision {
        Decision::Free if tools.is_empty() => return,
        Decision::Free => return body.raw("tools", &format!("[{tools}]")),
        Decision::Choice { options, .. } => choice_schema(options),
        Decision::Schema { schema } => form_schema(schema),
    };
    let comma = if tools.is_empty() { "" } else { "," };
    let tool = format!("{{\"name\":\"{FORM_TOOL}\",\"description\":\"Gives the reply.\",\"input_schema\":{schema}}}");
    body.raw("tools", &format!("[{tools}{comma}{tool}]"));
    body.raw("tool_choice", &format!("{{\"type\":\"tool\",\"name\":\"{FORM_TOOL}\"}}"));
}

/// Whether a schema is wrapped in an object under `value`, as the arguments of a tool must be an object.
pub fn is_wrapped(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) != Some("object")
}

fn form_schema(schema: &Value) -> String {
    if is_wrapped(schema) {
        format!("{{\"type\":\"object\",\"properties\":{{\"value\":{}}},\"required\":[\"value\"]}}", text_of(schema))
    } else {
        text_of(schema)
    }
}

/// The messages, neighbours of one role joined, the first from the user, the end marked for the cache.
fn messages(out: &mut Vec<u8>, request: &ModelRequest, is_cached: bool) {
    out.extend_from_slice(b",\"messages\":[");
    let mut open = None;
    for turn in request.turns() {
        wire(
            out,
            turn,
            |first| matches!(first, b'u' | b'a'),
            render_turn,
            |out, text| {
                let (role, blocks) = text.split_at(1);
                let is_user = role == "u";
                match open {
                    Some(before) if before == is_user => out.push(b','),
                    Some(_) => {
                        out.extend_from_slice(b"]},");
                        open_message(out, is_user);
                    }
                    None => {
                        if !is_user {
                            open_message(out, true);
                            out.extend_from_slice(text_block("").as_bytes());
                            out.extend_from_slice(b"]},");
                        }
                        open_message(out, is_user);
                    }
                }
                open = Some(is_user);
                out.extend_from_slice(blocks.as_bytes());
            },
        );
    }
    if open.is_some() {
        if is_cached {
            mark(out);
        }
        out.extend_from_slice(b"]}");
    }
    out.push(b']');
}

fn open_message(out: &mut Vec<u8>, is_user: bool) {
    let role = if is_user { "user" } else { "assistant" };
    out.extend_from_slice(format!("{{\"role\":\"{role}\",\"content\":[").as_bytes());
}

/// Adds the cache mark to the block that was written last.
fn mark(out: &mut Vec<u8>) {
    if out.last() == Some(&b'}') {
        out.pop();
        out.extend_from_slice(CACHE_MARK.as_bytes());
    }
}
