//! Requests in the form of `OpenAI` chat completions, as most servers and gateways take it.

use super::body::{HeadText, Template, json, text_of, wire};
use super::spec::ModelEntry;
use crate::domain::message::{Message, ToolCall, Turn};
use crate::domain::request::{Decision, ModelRequest, RequestHead};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Path below the base URL.
pub const PATH: &str = "/chat/completions";

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum WireMessage<'a> {
    System {
        content: &'a str,
    },
    User {
        content: &'a str,
    },
    Assistant {
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<WireCall<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    arguments: String,
}

impl<'a> WireCall<'a> {
    fn of(call: &'a ToolCall) -> Self {
        let arguments = match &call.arguments.0 {
            // What the model wrote and was not JSON goes back to it as it wrote it.
            Value::String(text) => text.clone(),
            value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => value.to_string(),
        };
        Self { id: call.id.as_str(), r#type: "function", function: WireFunction { name: call.name.as_str(), arguments } }
    }
}

#[derive(Serialize)]
struct WireTool<'a> {
    r#type: &'static str,
    function: WireToolFunction<'a>,
}

#[derive(Serialize)]
struct WireToolFunction<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

fn render_turn(turn: &Turn) -> String {
    text_of(&match &turn.message {
        Message::User { text } => WireMessage::User { content: text },
        Message::Assistant { text, tool_calls } => WireMessage::Assistant {
            content: (!text.is_empty() || tool_calls.is_empty()).then_some(text),
            tool_calls: tool_calls.iter().map(WireCall::of).collect(),
        },
        Message::Tool { call, text, .. } => WireMessage::Tool { tool_call_id: call.as_str(), content: text },
    })
}

fn render_head(head: &RequestHead) -> HeadText {
    let system = if head.system.is_empty() { String::new() } else { text_of(&WireMessage::System { content: &head.system }) };
    let tools: Vec<WireTool<'_>> = head
        .tools
        .iter()
        .map(|tool| WireTool {
            r#type: "function",
            function: WireToolFunction { name: tool.name.as_str(), description: &tool.description, parameters: &tool.schema.0 },
        })
        .collect();
    HeadText { system, tools: if tools.is_empty() { String::new() } else { text_of(&tools) } }
}

/// The body of a request.
pub fn body(template: &Template, entry: &ModelEntry, request: &ModelRequest, seed: u64) -> Vec<u8> {
    let head = template.head(&request.head, render_head);
    let turns: usize = request.turns().iter().map(|turn| turn.wire(|_| render_turn(turn)).len() + 1).sum();
    let mut body = template.start(turns + head.system.len() + head.tools.len());
    body.key("messages");
    body.bytes.push(b'[');
    body.bytes.extend_from_slice(head.system.as_bytes());
    for (index, turn) in request.turns().iter().enumerate() {
        if index > 0 || !head.system.is_empty() {
            body.bytes.push(b',');
        }
        wire(&mut body.bytes, turn, |first| first == b'{', render_turn, |out, text| out.extend_from_slice(text.as_bytes()));
    }
    body.bytes.push(b']');
    let format = response_format(&request.decision);
    if !head.tools.is_empty() {
        body.raw("tools", &head.tools);
        if format.is_some() {
            body.raw("tool_choice", "\"none\"");
        }
    }
    body.optional("response_format", format.as_ref());
    let sampling = entry.sampling(&request.sampling);
    body.optional("temperature", sampling.temperature.as_ref());
    body.optional("top_p", sampling.top_p.as_ref());
    let limit_field = if entry.base_url.contains("api.openai.com") { "max_completion_tokens" } else { "max_tokens" };
    body.optional(limit_field, sampling.max_tokens.as_ref());
    if !sampling.stop.is_empty() {
        body.field("stop", &sampling.stop);
    }
    // 31 bits are what every server takes.
    body.field("seed", &(seed & 0x7fff_ffff));
    if entry.logprobs {
        body.raw("logprobs", "true");
    }
    if entry.stream {
        body.raw("stream", "true");
        body.raw("stream_options", "{\"include_usage\":true}");
    }
    body.finish()
}

/// The form a reply must take, where it must take one.
fn response_format(decision: &Decision) -> Option<Box<RawValue>> {
    let (name, schema) = match decision {
        Decision::Free => return None,
        Decision::Choice { options, .. } => ("choice", choice_schema(options)),
        Decision::Schema { schema } => ("reply", text_of(schema)),
    };
    let text = format!("{{\"type\":\"json_schema\",\"json_schema\":{{\"name\":\"{name}\",\"strict\":true,\"schema\":{schema}}}}}");
    RawValue::from_string(text).ok()
}

/// Schema of an object with one of the options under `choice`.
pub fn choice_schema(options: &[String]) -> String {
    let mut schema = Vec::from(&b"{\"type\":\"object\",\"properties\":{\"choice\":{\"type\":\"string\",\"enum\":"[..]);
    json(&mut schema, &options);
    schema.extend_from_slice(b"}},\"required\":[\"choice\"],\"additionalProperties\":false}");
    String::from_utf8_lossy(&schema).into_owned()
}
