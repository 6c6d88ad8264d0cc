//! Messages between a model and the run loop, and the turns that carry them through a conversation.

use super::id::{CallId, Digest, ToolName};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// Deepest that arguments and schemas may be nested, in levels of objects and arrays. Traces and the ledger are read back by a parser that
/// takes 128 in all; on file a few more stand around them.
pub const DEPTH_LIMIT: usize = 64;

/// Checks how deep JSON is nested that comes from a model, a harness or a server, before it travels on and is put on file.
///
/// # Errors
/// A fragment that names the limit.
pub fn check_depth(json: &serde_json::Value) -> Result<(), String> {
    if is_deeper(json, DEPTH_LIMIT) { Err(format!("JSON nested deeper than {DEPTH_LIMIT} levels")) } else { Ok(()) }
}

fn is_deeper(json: &serde_json::Value, levels: usize) -> bool {
    use serde_json::Value;
    match json {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper(item, levels - 1)),
        Value::Object(fields) => levels == 0 || fields.values().any(|field| is_deeper(field, levels - 1)),
    }
}

/// Arguments of a tool call: JSON as the model wrote it, untrusted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arguments(pub serde_json::Value);

impl Arguments {
    /// Arguments with one text field.
    pub fn text(field: &str, value: &str) -> Self {
        Self(serde_json::json!({ field: value }))
    }

    /// Arguments that a model wrote: what is nested too deep stays the text that it is, as what is no JSON does.
    pub fn written(json: serde_json::Value) -> Self {
        Self(if check_depth(&json).is_err() { serde_json::Value::String(json.to_string()) } else { json })
    }

    /// The text of one field, if it is there and is text.
    pub fn field(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }
}

/// A model's wish to call a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Joins the call to its result.
    pub id: CallId,
    /// Which tool.
    pub name: ToolName,
    /// With what.
    pub arguments: Arguments,
}

/// A tool as the model sees it: name, what it does, JSON schema of its arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Name.
    pub name: ToolName,
    /// What it does, one or two sentences.
    pub description: String,
    /// JSON schema of the arguments (an object schema).
    pub schema: Arguments,
}

/// One message of a conversation. The system prompt is not among them: it travels in the request's head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// From the task, the environment (as text) or a processor.
    User {
        /// The text.
        text: String,
    },
    /// From the model.
    Assistant {
        /// The text, may be empty when tools are called.
        text: String,
        /// Tool calls, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
    },
    /// A tool's result.
    Tool {
        /// The call it answers.
        call: CallId,
        /// The tool.
        name: ToolName,
        /// The result as text.
        text: String,
        /// Whether the tool failed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_error: bool,
    },
}

impl Message {
    /// A user message.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User { text: text.into() }
    }

    /// An assistant message without tool calls.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::Assistant { text: text.into(), tool_calls: Vec::new() }
    }

    /// The text, whoever wrote it.
    pub fn text(&self) -> &str {
        match self {
            Self::User { text } | Self::Assistant { text, .. } | Self::Tool { text, .. } => text,
        }
    }
}

/// A message fixed in a conversation: its digest and its wire form are computed once and shared by every request.
#[derive(Debug)]
pub struct Turn {
    /// The message.
    pub message: Message,
    /// Digest of the message.
    pub digest: Digest,
    wire: OnceLock<Box<str>>,
}

impl Turn {
    /// Fixes a message.
    pub fn new(message: Message) -> Arc<Self> {
        let bytes = serde_json::to_vec(&message).unwrap_or_default();
        Arc::new(Self { digest: Digest::of(&bytes), message, wire: OnceLock::new() })
    }

    /// The message in the form a provider sends, rendered by `render` the first time only. One conversation speaks to one kind of
    /// provider at a time; a caller with another form must render for itself.
    pub fn wire(&self, render: impl FnOnce(&Message) -> String) -> &str {
        self.wire.get_or_init(|| render(&self.message).into_boxed_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_nested_too_deep_stay_text() {
        let nested = |levels: usize| (0..levels).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        assert_eq!(Arguments::written(nested(DEPTH_LIMIT)).0, nested(DEPTH_LIMIT));
        assert_eq!(Arguments::written(nested(DEPTH_LIMIT + 1)).0, serde_json::json!(nested(DEPTH_LIMIT + 1).to_string()));
        assert!(check_depth(&serde_json::json!({ "a": [nested(DEPTH_LIMIT - 2)], "b": 1 })).is_ok());
        assert!(check_depth(&serde_json::json!({ "a": [nested(DEPTH_LIMIT - 1)], "b": 1 })).is_err());
    }
}
