//! A model request and its reply, the same for every provider.

use super::conversation::Conversation;
use super::id::Digest;
use super::message::{ToolCall, ToolSpec, Turn, check_depth};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Which model of the model config plays a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelRole {
    /// The task agent.
    #[default]
    Main,
    /// Judges outcomes.
    Judge,
    /// The meta-agent.
    Meta,
    /// A simulated user.
    User,
}

impl ModelRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Main, Self::Judge, Self::Meta, Self::User];

    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Judge => "judge",
            Self::Meta => "meta",
            Self::User => "user",
        }
    }
}

/// How a reply is drawn. Absent fields are left to the model config.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// 0 is greedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus, in (0, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Most tokens of one reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Texts that end a reply.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

impl Sampling {
    /// Checks what every provider demands.
    ///
    /// # Errors
    /// A fragment that names the setting.
    pub fn check(&self) -> Result<(), String> {
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return Err("temperature is not within 0 to 2".to_owned());
        }
        if self.top_p.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return Err("top_p is not above 0 and at most 1".to_owned());
        }
        if self.max_tokens == Some(0) {
            return Err("max_tokens is 0".to_owned());
        }
        if self.stop.iter().any(String::is_empty) {
            return Err("stop holds an empty text".to_owned());
        }
        Ok(())
    }

    /// These settings, with `other`'s where this one is silent.
    pub fn or(&self, other: &Self) -> Self {
        Self {
            temperature: self.temperature.or(other.temperature),
            top_p: self.top_p.or(other.top_p),
            max_tokens: self.max_tokens.or(other.max_tokens),
            stop: if self.stop.is_empty() { other.stop.clone() } else { self.stop.clone() },
        }
    }
}

/// How options are compared under likelihood choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreRule {
    /// Mean log-probability a token.
    #[default]
    Mean,
    /// Sum of log-probabilities.
    Sum,
}

/// What form the reply must take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case")]
pub enum Decision {
    /// Anything.
    #[default]
    Free,
    /// One of the options, word for word.
    Choice {
        /// The options, in order, distinct, none empty.
        options: Vec<String>,
        /// How a local policy ranks them.
        score: ScoreRule,
    },
    /// JSON that fits a schema.
    Schema {
        /// JSON schema.
        schema: serde_json::Value,
    },
}

impl Decision {
    /// Checks what every provider demands.
    ///
    /// # Errors
    /// A fragment that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Choice { options, .. } => {
                let distinct: BTreeSet<&String> = options.iter().collect();
                if options.is_empty() || distinct.len() != options.len() || options.iter().any(String::is_empty) {
                    return Err("the options of a choice must be distinct, not empty, and at least one".to_owned());
                }
            }
            Self::Schema { schema } if !schema.is_object() => return Err("a schema must be an object".to_owned()),
            Self::Schema { schema } => return check_depth(schema).map_err(|problem| format!("the schema is {problem}")),
            Self::Free => {}
        }
        Ok(())
    }
}

/// The part of a request that seldom changes: computed once, shared by many requests.
#[derive(Debug)]
pub struct RequestHead {
    /// System prompt; may be empty.
    pub system: String,
    /// Tools offered.
    pub tools: Vec<ToolSpec>,
    /// Digest of both.
    pub digest: Digest,
}

impl RequestHead {
    /// Fixes system prompt and tools.
    pub fn new(system: String, tools: Vec<ToolSpec>) -> Arc<Self> {
        let tools_bytes = serde_json::to_vec(&tools).unwrap_or_default();
        let digest = Digest::of_parts(&[b"head", system.as_bytes(), &tools_bytes]);
        Arc::new(Self { system, tools, digest })
    }
}

/// Everything a model is sent.
#[derive(Clone, Debug)]
pub struct ModelRequest {
    /// System prompt and tools.
    pub head: Arc<RequestHead>,
    /// The turns, demonstrations first.
    pub conversation: Conversation,
    /// Form of the reply.
    pub decision: Decision,
    /// How it is drawn.
    pub sampling: Sampling,
    /// Who answers.
    pub role: ModelRole,
}

impl ModelRequest {
    /// Digest of the whole request; costs only the parts that are not digested yet.
    pub fn digest(&self) -> Digest {
        let rest = serde_json::to_vec(&(&self.decision, &self.sampling, self.role)).unwrap_or_default();
        Digest::of_parts(&[&self.head.digest.0, &self.conversation.digest().0, &rest])
    }

    /// The turns.
    pub fn turns(&self) -> &[Arc<Turn>] {
        self.conversation.turns()
    }
}

/// Tokens and money of one or many calls. `input_tokens` counts every prompt token, `cached_tokens` those of them served from a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub input_tokens: u64,
    /// Prompt tokens served from a cache.
    pub cached_tokens: u64,
    /// Tokens of the reply; under likelihood choice, tokens scored.
    pub output_tokens: u64,
    /// US dollars, by the model config's prices.
    pub cost: f64,
}

impl Usage {
    /// Adds another call. Counts are as servers report them: a sum that is too large stays at the largest.
    pub fn add(&mut self, other: &Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(other.cached_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cost += other.cost;
    }

    /// Takes away what was added before.
    pub fn subtract(&mut self, other: &Self) {
        self.input_tokens = self.input_tokens.saturating_sub(other.input_tokens);
        self.cached_tokens = self.cached_tokens.saturating_sub(other.cached_tokens);
        self.output_tokens = self.output_tokens.saturating_sub(other.output_tokens);
        self.cost = (self.cost - other.cost).max(0.0);
    }

    /// Prompt and reply tokens together.
    pub fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// Why a reply ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model was done.
    #[default]
    Stop,
    /// It wants tools called.
    ToolCalls,
    /// The token limit cut it.
    Length,
    /// The provider refused or filtered it.
    Refusal,
}

/// A drawn choice with all that is needed to recompute its probability: softmax(score / temperature) over the options of the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChoiceRecord {
    /// Index of the option taken.
    pub chosen: usize,
    /// One score an option, by the request's score rule.
    pub scores: Vec<f32>,
    /// 0 took the best.
    pub temperature: f64,
}

/// Token ids and natural log-probabilities of a reply, where the provider gives them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Token ids (empty where only texts are known).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<u32>,
    /// One a token.
    pub log_probabilities: Vec<f32>,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reply {
    /// Text, may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Tool calls, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    pub finish: Finish,
    /// What it cost.
    pub usage: Usage,
    /// The model's own name or fingerprint, where the provider gives one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served_by: Option<String>,
    /// Under likelihood choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<ChoiceRecord>,
    /// Where the provider gives them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenRecord>,
}
