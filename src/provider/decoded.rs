//! A reply as read from the wire, before it is priced and checked, and why a 2xx answer may still be none.

use super::spec::Prices;
use crate::domain::id::CallId;
use crate::domain::message::{Arguments, ToolCall, check_depth};
use crate::domain::request::{Decision, Finish, Reply, TokenRecord, Usage};

/// A reply read from the wire.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Text.
    pub text: String,
    /// Calls, in order.
    pub calls: Vec<RawCall>,
    /// Why it ended.
    pub finish: Finish,
    /// What it took.
    pub usage: RawUsage,
    /// The model's own name.
    pub served_by: Option<String>,
    /// Log-probabilities.
    pub log_probabilities: Vec<f32>,
}

/// A tool call as read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawCall {
    /// May be empty: some servers give none.
    pub id: String,
    /// Tool.
    pub name: String,
    /// Text that should be JSON.
    pub arguments: String,
}

/// Tokens as counted by the server, each prompt token in exactly one of the first three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RawUsage {
    /// Prompt, neither read from a cache nor written to one.
    pub fresh: u64,
    /// Prompt, from a cache.
    pub cached: u64,
    /// Prompt, into a cache.
    pub written: u64,
    /// Reply.
    pub output: u64,
}

/// Why a 2xx answer is no reply. Each may be tried again.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// Not what the API promises: broken JSON, a stream without its end.
    #[error("read the answer: {0}")]
    Malformed(String),
    /// The server reports an error inside its answer.
    #[error("get an answer: the server reports {0}")]
    Reported(String),
}

impl DecodeError {
    /// A malformed answer.
    pub fn malformed(error: &serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl RawUsage {
    /// Whether the server counted nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Tokens with their cost.
    pub fn priced(&self, prices: Option<&Prices>) -> Usage {
        let cost = prices.map_or(0.0, |prices| {
            let cached = prices.cached_input.unwrap_or(prices.input);
            let written = prices.cache_write.unwrap_or(prices.input);
            let prompt = self.fresh as f64 * prices.input + self.cached as f64 * cached + self.written as f64 * written;
            (prompt + self.output as f64 * prices.output) / 1e6
        });
        let input_tokens = self.fresh.saturating_add(self.cached).saturating_add(self.written);
        Usage { input_tokens, cached_tokens: self.cached, output_tokens: self.output, cost }
    }
}

impl Decoded {
    /// Bytes of what the model wrote.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>()
    }

    /// Rewrites every text in it.
    pub fn rewrite(&mut self, rewrite: impl Fn(String) -> String) {
        let of_calls = self.calls.iter_mut().flat_map(|call| [&mut call.id, &mut call.name, &mut call.arguments]);
        for text in of_calls.chain([&mut self.text]).chain(self.served_by.as_mut()) {
            *text = rewrite(std::mem::take(text));
        }
    }

    /// The reply. `turn` is the number of turns before it: it makes ids for calls that came without.
    pub fn into_reply(self, prices: Option<&Prices>, decision: &Decision, turn: usize) -> Reply {
        let usage = self.usage.priced(prices);
        let calls = self.calls.into_iter().enumerate();
        let tool_calls: Vec<ToolCall> = calls
            .map(|(index, call)| ToolCall {
                id: CallId(if call.id.is_empty() { format!("call-{turn}-{index}") } else { call.id }),
                name: call.name.as_str().into(),
                arguments: arguments(call.arguments),
            })
            .collect();
        let finish = if self.finish == Finish::Stop && !tool_calls.is_empty() { Finish::ToolCalls } else { self.finish };
        let tokens =
            (!self.log_probabilities.is_empty()).then_some(TokenRecord { ids: Vec::new(), log_probabilities: self.log_probabilities });
        let text = match decision {
            Decision::Choice { options, .. } => chosen(self.text, options),
            Decision::Free | Decision::Schema { .. } => self.text,
        };
        Reply { text, tool_calls, finish, usage, served_by: self.served_by, choice: None, tokens }
    }
}

/// Arguments as JSON; what is not JSON, or nested too deep, travels on as text, so that the harness can tell the model.
fn arguments(text: String) -> Arguments {
    if text.trim().is_empty() {
        return Arguments(serde_json::Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_str(&text) {
        Ok(json) if check_depth(&json).is_ok() => Arguments(json),
        Ok(_) | Err(_) => Arguments(serde_json::Value::String(text)),
    }
}

/// The option inside `{"choice": ...}`, or the text as the model wrote it where that is none of the options: the harness corrects it.
fn chosen(text: String, options: &[String]) -> String {
    #[derive(serde::Deserialize)]
    struct Choice {
        choice: String,
    }
    let choice = serde_json::from_str::<Choice>(&text).map(|choice| choice.choice);
    match choice {
        Ok(choice) if options.contains(&choice) => choice,
        Ok(choice) if options.iter().any(|option| option == choice.trim()) => choice.trim().to_owned(),
        _ if options.iter().any(|option| option == text.trim()) => text.trim().to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::request::ScoreRule;

    #[test]
    fn each_prompt_token_is_paid_once() {
        let raw = RawUsage { fresh: 100, cached: 1000, written: 10, output: 50 };
        let prices = Prices { input: 2.0, cached_input: Some(0.2), cache_write: Some(2.5), output: 8.0 };
        let usage = raw.priced(Some(&prices));
        assert_eq!((usage.input_tokens, usage.cached_tokens, usage.output_tokens), (1110, 1000, 50));
        assert!((usage.cost - (200.0 + 200.0 + 25.0 + 400.0) / 1e6).abs() < 1e-12);
    }

    #[test]
    fn choices_and_broken_arguments_reach_the_harness() {
        let decision = Decision::Choice { options: vec!["go east".into(), "go".into()], score: ScoreRule::Mean };
        let reply = |text: &str| Decoded { text: text.into(), ..Decoded::default() }.into_reply(None, &decision, 3).text;
        assert_eq!(reply("{\"choice\":\"go east\"}"), "go east");
        assert_eq!(reply("go\n"), "go");
        assert_eq!(reply("fly"), "fly");
        let calls = vec![RawCall { name: "a".into(), arguments: "{\"x\": 1".into(), ..RawCall::default() }, RawCall::default()];
        let reply = Decoded { calls, ..Decoded::default() }.into_reply(None, &Decision::Free, 3);
        assert_eq!(reply.tool_calls[0].arguments.0, serde_json::json!("{\"x\": 1"));
        assert_eq!(reply.tool_calls[1].arguments.0, serde_json::json!({}));
        assert_eq!((reply.tool_calls[1].id.as_str(), reply.finish), ("call-3-1", Finish::ToolCalls));
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert_eq!(arguments(deep.clone()).0, serde_json::json!(deep));
    }
}
