//! Replies in the form of `OpenAI` chat completions, whole or as a stream.

use super::decoded::{DecodeError, Decoded, RawCall, RawUsage};
use crate::domain::request::Finish;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(default)]
    error: Option<Reported>,
}

/// A choice; `message` in a whole answer, `delta` in a piece of a stream.
#[derive(Deserialize)]
struct Choice {
    #[serde(default, alias = "delta")]
    message: Option<WireMessage>,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct WireMessage {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<WireCall>>,
}

#[derive(Deserialize)]
struct WireCall {
    #[serde(default)]
    index: Option<usize>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<WireFunction>,
}

#[derive(Deserialize)]
struct WireFunction {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct Logprobs {
    #[serde(default)]
    content: Option<Vec<Logprob>>,
}

#[derive(Deserialize)]
struct Logprob {
    logprob: f32,
}

#[derive(Deserialize)]
struct WireUsage {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Reported {
    #[serde(default)]
    message: Option<String>,
}

/// Reads a whole answer.
pub fn whole(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    let answer: Answer = serde_json::from_slice(bytes).map_err(|error| DecodeError::malformed(&error))?;
    let mut pieces = Pieces::default();
    pieces.take(answer)?;
    pieces.finish()
}

/// Puts the pieces of a stream together.
#[derive(Debug, Default)]
pub struct Pieces {
    decoded: Decoded,
    /// For each index on the wire, the call that was begun last under it.
    open: BTreeMap<usize, usize>,
    is_refusal: bool,
    has_choice: bool,
    is_done: bool,
}

impl Pieces {
    /// Takes the data of one event; `true` when the stream has said that it is over.
    pub fn event(&mut self, data: &str) -> Result<bool, DecodeError> {
        if data.trim() == "[DONE]" {
            return Ok(true);
        }
        self.take(serde_json::from_str(data).map_err(|error| DecodeError::malformed(&error))?)?;
        Ok(false)
    }

    fn take(&mut self, answer: Answer) -> Result<(), DecodeError> {
        if let Some(reported) = answer.error {
            return Err(DecodeError::Reported(reported.message.unwrap_or_else(|| "an error".to_owned())));
        }
        if let Some(usage) = answer.usage {
            let cached = usage.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0);
            let fresh = usage.prompt_tokens.unwrap_or(0).saturating_sub(cached);
            self.decoded.usage = RawUsage { fresh, cached, written: 0, output: usage.completion_tokens.unwrap_or(0) };
        }
        if self.decoded.served_by.is_none() {
            self.decoded.served_by = answer.model;
        }
        let Some(choice) = answer.choices.into_iter().next() else { return Ok(()) };
        self.has_choice = true;
        if let Some(logprobs) = choice.logprobs.and_then(|logprobs| logprobs.content) {
            self.decoded.log_probabilities.extend(logprobs.iter().map(|token| token.logprob));
        }
        if let Some(message) = choice.message {
            self.message(message);
        }
        if let Some(reason) = choice.finish_reason {
            self.is_done = true;
            self.decoded.finish = match reason.as_str() {
                "length" => Finish::Length,
                "tool_calls" | "function_call" => Finish::ToolCalls,
                "content_filter" => Finish::Refusal,
                _ => Finish::Stop,
            };
        }
        Ok(())
    }

    fn message(&mut self, message: WireMessage) {
        if let Some(text) = message.content {
            append(&mut self.decoded.text, text);
        }
        if let Some(text) = message.refusal.filter(|text| !text.is_empty()) {
            append(&mut self.decoded.text, text);
            self.is_refusal = true;
        }
        for (position, call) in message.tool_calls.into_iter().flatten().enumerate() {
            // Servers that stream whole calls leave the index out or repeat it; a new id then starts a new call.
            let calls = &mut self.decoded.calls;
            let id = call.id.unwrap_or_default();
            let index = call.index.unwrap_or(position);
            let known = self.open.get(&index).copied().filter(|at| {
                let open = calls.get(*at).map_or("", |open| open.id.as_str());
                id.is_empty() || open.is_empty() || open == id
            });
            let at = known.unwrap_or(calls.len());
            if known.is_none() {
                calls.push(RawCall::default());
                self.open.insert(index, at);
            }
            let Some(open) = calls.get_mut(at) else { continue };
            if open.id.is_empty() {
                open.id = id;
            }
            if let Some(function) = call.function {
                append(&mut open.name, function.name.unwrap_or_default());
                append(&mut open.arguments, function.arguments.unwrap_or_default());
            }
        }
    }

    /// The reply, if the answer came to its end.
    pub fn finish(mut self) -> Result<Decoded, DecodeError> {
        if !self.is_done {
            let missing = if self.has_choice { "it ended without a finish reason" } else { "it holds no reply (`choices` is empty)" };
            return Err(DecodeError::Malformed(missing.to_owned()));
        }
        if self.is_refusal {
            self.decoded.finish = Finish::Refusal;
        }
        Ok(self.decoded)
    }
}

/// Appends, without copying where there is nothing yet.
fn append(text: &mut String, more: String) {
    if text.is_empty() {
        *text = more;
    } else {
        text.push_str(&more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_is_read() {
        let decoded = whole(
            br#"{"model":"m-1","choices":[{"message":{"role":"assistant","content":null,"tool_calls":[
            {"id":"a","type":"function","function":{"name":"echo","arguments":"{\"x\":1}"}},
            {"id":"b","type":"function","function":{"name":"echo","arguments":"{"}}]},
            "logprobs":{"content":[{"token":"x","logprob":-0.5}]},"finish_reason":"tool_calls"}],
            "usage":{"prompt_tokens":100,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":64}}}"#,
        )
        .unwrap();
        assert_eq!(decoded.calls.len(), 2);
        assert_eq!(decoded.usage, RawUsage { fresh: 36, cached: 64, written: 0, output: 7 });
        assert_eq!((decoded.served_by.as_deref(), decoded.log_probabilities.as_slice()), (Some("m-1"), &[-0.5][..]));
    }

    #[test]
    fn a_stream_is_put_together_and_must_end() {
        let mut pieces = Pieces::default();
        for data in [
            r#"{"choices":[{"delta":{"role":"assistant","content":"He"}}]}"#,
            r#"{"choices":[{"delta":{"content":"y"}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"echo","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"echo","arguments":"{}"}}]}}]}"#,
        ] {
            assert!(!pieces.event(data).unwrap());
        }
        assert!(Pieces::default().finish().is_err());
        pieces.event(r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#).unwrap();
        pieces.event(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#).unwrap();
        assert!(pieces.event("[DONE]").unwrap());
        let decoded = pieces.finish().unwrap();
        assert_eq!((decoded.text.as_str(), decoded.calls.len(), decoded.usage.output), ("Hey", 2, 2));
        assert_eq!(decoded.calls[0].arguments, "{}");
    }

    #[test]
    fn calls_of_a_stream_are_told_apart_by_whatever_index_they_have() {
        // Index and id of each piece; one with an id begins a call, one without goes on with it.
        let joined = |sent: &[(usize, &str)]| {
            let mut pieces = Pieces::default();
            for (index, id) in sent {
                let (name, arguments) = if id.is_empty() { ("", "}") } else { ("echo", "{") };
                let call = serde_json::json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}});
                pieces.event(&serde_json::json!({"choices": [{"delta": {"tool_calls": [call]}}]}).to_string()).unwrap();
            }
            let calls = pieces.decoded.calls.into_iter();
            calls.map(|call| format!("{} {} {}", call.id, call.name, call.arguments)).collect::<Vec<_>>()
        };
        assert_eq!(joined(&[(1, "a"), (1, "")]), ["a echo {}"], "the only call, from 1");
        let both = ["a echo {}", "b echo {}"];
        assert_eq!(joined(&[(1, "a"), (2, "b"), (1, ""), (2, "")]), both, "two from 1, mixed");
        assert_eq!(joined(&[(0, "a"), (0, ""), (0, "b"), (0, "")]), both, "one index for all");
    }

    #[test]
    fn errors_and_nonsense_are_not_replies() {
        assert!(matches!(whole(br#"{"error":{"message":"busy"}}"#), Err(DecodeError::Reported(text)) if text == "busy"));
        assert!(matches!(whole(br#"{"choices":[{"message":{"content":"x"}"#), Err(DecodeError::Malformed(_))));
        assert!(matches!(whole(br#"{"choices":[]}"#), Err(DecodeError::Malformed(_))));
        let refusal = whole(br#"{"choices":[{"message":{"content":null,"refusal":"no"},"finish_reason":"stop"}]}"#).unwrap();
        assert_eq!((refusal.finish, refusal.text.as_str()), (Finish::Refusal, "no"));
    }
}
