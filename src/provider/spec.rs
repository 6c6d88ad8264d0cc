//! What a model is called (`cli.md`, "Model spec") and the `[models.NAME]` entries that say how a served one is reached.

use super::error::ProviderError;
use crate::domain::request::Sampling;
use crate::net::Deadlines;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// A model as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSpec {
    /// `openai:NAME`.
    OpenAi {
        /// The API's name of the model.
        name: String,
    },
    /// `anthropic:NAME`.
    Anthropic {
        /// The API's name of the model.
        name: String,
    },
    /// `local:smollm2` or `local:PATH`.
    Local {
        /// A built-in name or a folder.
        source: String,
    },
    /// `scripted:FILE`.
    Scripted {
        /// The script.
        file: PathBuf,
    },
    /// `random`: a uniform chooser in the model's place.
    Random,
    /// The name of a `[models.NAME]` entry.
    Entry {
        /// The name.
        name: String,
    },
}

impl ModelSpec {
    /// Whether the entry is there that the spec may name.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] with the names that there are.
    pub fn check(&self, models: &BTreeMap<String, ModelEntry>) -> Result<(), ProviderError> {
        match self {
            Self::Entry { name } if !models.contains_key(name) => Err(unknown(name, models)),
            Self::Entry { .. }
            | Self::OpenAi { .. }
            | Self::Anthropic { .. }
            | Self::Local { .. }
            | Self::Scripted { .. }
            | Self::Random => Ok(()),
        }
    }
}

impl FromStr for ModelSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = match text.split_once(':') {
            Some((kind, "")) => return Err(format!("model {text:?} names nothing after {kind}:")),
            Some(parts) => parts,
            None if text == "random" => return Ok(Self::Random),
            None if text.is_empty() => return Err("the model has no name".to_owned()),
            None => return Ok(Self::Entry { name: text.to_owned() }),
        };
        let name = rest.to_owned();
        match kind {
            "openai" => Ok(Self::OpenAi { name }),
            "anthropic" => Ok(Self::Anthropic { name }),
            "local" => Ok(Self::Local { source: name }),
            "scripted" => Ok(Self::Scripted { file: name.into() }),
            _ => Err(format!("model {text:?} starts with none of openai:, anthropic:, local:, scripted:")),
        }
    }
}

impl fmt::Display for ModelSpec {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenAi { name } => write!(out, "openai:{name}"),
            Self::Anthropic { name } => write!(out, "anthropic:{name}"),
            Self::Local { source } => write!(out, "local:{source}"),
            Self::Scripted { file } => write!(out, "scripted:{}", file.display()),
            Self::Random => out.write_str("random"),
            Self::Entry { name } => out.write_str(name),
        }
    }
}

/// Which wire form a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// `OpenAI` chat completions.
    #[default]
    OpenAi,
    /// Anthropic messages.
    Anthropic,
}

/// A `[models.NAME]` entry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// For `openai` up to and including `/v1`; for `anthropic` the host, `/v1` is added where it is missing.
    pub base_url: String,
    /// Wire form.
    #[serde(default)]
    pub api: Api,
    /// The server's name of the model.
    pub model: String,
    /// Environment variable with the key; absent sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// Merged into the body of every request; a field named here replaces ours.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub extra_body: serde_json::Map<String, serde_json::Value>,
    /// Fields of ours that this server does not take, such as `seed`, `stop`, `temperature`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omit: Vec<String>,
    /// Receive the reply as server-sent events.
    #[serde(default)]
    pub stream: bool,
    /// Ask for log-probabilities of the reply's tokens (`openai` only).
    #[serde(default)]
    pub logprobs: bool,
    /// Money; without it costs are zero and a cost cap is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prices: Option<Prices>,
    /// Rate limits.
    #[serde(default)]
    pub limits: Limits,
    /// Deadlines.
    #[serde(default)]
    pub deadlines: DeadlineSettings,
    /// Most attempts after the first, 0 to 100.
    #[serde(default = "default_max_retries")]
    pub max_retries: u32,
    /// Longest pause before the first retry, doubled with each one up to 30 s; seconds.
    #[serde(default = "default_retry_pause")]
    pub retry_pause: f64,
    /// What a request leaves open.
    #[serde(default)]
    pub sampling: Sampling,
    /// What a request cannot exceed.
    #[serde(default)]
    pub bounds: Bounds,
}

fn default_max_retries() -> u32 {
    8
}

fn default_retry_pause() -> f64 {
    0.5
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Prompt tokens.
    pub input: f64,
    /// Prompt tokens served from a cache; absent is `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<f64>,
    /// Prompt tokens written to a cache; absent is `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// Reply tokens.
    pub output: f64,
}

/// Rate limits of one model. Absent rates are not limited.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Prompt and reply tokens a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Most calls at once; the number in use adapts below it.
    pub max_concurrency: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_minute: None, tokens_per_minute: None, max_concurrency: 1024 }
    }
}

/// Deadlines in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeadlineSettings {
    /// Opening a connection.
    pub connect: f64,
    /// Until the head of the answer; a reply that is not streamed is written in full before it.
    pub first_byte: f64,
    /// Between two pieces of the answer.
    pub idle: f64,
    /// One whole attempt.
    pub whole: f64,
    /// One whole call: all its attempts, the pauses between them and the wait for a free place or a rate.
    pub call: f64,
}

impl Default for DeadlineSettings {
    fn default() -> Self {
        Self { connect: 10.0, first_byte: 300.0, idle: 60.0, whole: 600.0, call: 1800.0 }
    }
}

/// Bounds on sampling, applied to request and defaults alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// Most tokens of one reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Highest temperature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_temperature: Option<f64>,
}

/// Fields that the harness fills and nothing may replace.
const OURS: [&str; 9] = ["model", "messages", "system", "tools", "tool_choice", "response_format", "stream", "stream_options", "n"];
/// Fields that an entry may leave out.
const OMITTABLE: [&str; 8] =
    ["seed", "stop", "stop_sequences", "temperature", "top_p", "max_tokens", "max_completion_tokens", "cache_control"];

impl ModelEntry {
    /// The entry behind `openai:NAME`.
    pub fn openai(name: &str, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            base_url: environment("OPENAI_BASE_URL").unwrap_or_else(|| "https://api.openai.com/v1".to_owned()),
            api_key_env: Some("OPENAI_API_KEY".to_owned()),
            ..Self::named(name, Api::OpenAi)
        }
    }

    /// The entry behind `anthropic:NAME`.
    pub fn anthropic(name: &str, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            base_url: environment("ANTHROPIC_BASE_URL").unwrap_or_else(|| "https://api.anthropic.com".to_owned()),
            api_key_env: Some("ANTHROPIC_API_KEY".to_owned()),
            ..Self::named(name, Api::Anthropic)
        }
    }

    fn named(name: &str, api: Api) -> Self {
        Self { model: name.to_owned(), api, max_retries: default_max_retries(), retry_pause: default_retry_pause(), ..Self::default() }
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// A fragment that names the field.
    pub fn check(&self) -> Result<(), String> {
        if let Some(field) = self.extra_body.keys().find(|field| OURS.contains(&field.as_str())) {
            return Err(format!("extra_body may not set {field}"));
        }
        if let Some(field) = self.omit.iter().find(|field| !OMITTABLE.contains(&field.as_str())) {
            return Err(format!("omit names {field:?}; it may name {}", OMITTABLE.join(", ")));
        }
        if self.model.is_empty() {
            return Err("model is empty".to_owned());
        }
        let Limits { requests_per_minute, tokens_per_minute, max_concurrency } = self.limits;
        if requests_per_minute == Some(0) || tokens_per_minute == Some(0) || max_concurrency == 0 {
            return Err("a limit is 0".to_owned());
        }
        if max_concurrency > 100_000 {
            return Err("limits.max_concurrency is above 100000".to_owned());
        }
        if self.max_retries > 100 {
            return Err("max_retries is above 100".to_owned());
        }
        let Prices { input, cached_input, cache_write, output } =
            self.prices.unwrap_or(Prices { input: 0.0, cached_input: None, cache_write: None, output: 0.0 });
        if [input, cached_input.unwrap_or(0.0), cache_write.unwrap_or(0.0), output].iter().any(|price| !(0.0..1e6).contains(price)) {
            return Err("a price is not within 0 to 1000000".to_owned());
        }
        if !(0.0..=3600.0).contains(&self.retry_pause) {
            return Err("retry_pause is not within 0 to 3600 seconds".to_owned());
        }
        self.call_deadline()?;
        self.deadlines().map(|_| ())
    }

    /// The deadlines as durations.
    ///
    /// # Errors
    /// A fragment that names the field.
    pub fn deadlines(&self) -> Result<Deadlines, String> {
        let DeadlineSettings { connect, first_byte, idle, whole, call: _ } = self.deadlines;
        Ok(Deadlines {
            connect: deadline("connect", connect)?,
            first_byte: deadline("first_byte", first_byte)?,
            idle: deadline("idle", idle)?,
            whole: deadline("whole", whole)?,
        })
    }

    /// The deadline over one whole call.
    ///
    /// # Errors
    /// A fragment that names the field.
    pub fn call_deadline(&self) -> Result<Duration, String> {
        deadline("call", self.deadlines.call)
    }

    /// A request's sampling with this entry's defaults and bounds.
    pub fn sampling(&self, asked: &Sampling) -> Sampling {
        let mut sampling = asked.or(&self.sampling);
        if let Some(bound) = self.bounds.max_tokens {
            sampling.max_tokens = Some(sampling.max_tokens.map_or(bound, |tokens| tokens.min(bound)));
        }
        if let Some(bound) = self.bounds.max_temperature {
            sampling.temperature = sampling.temperature.map(|temperature| temperature.min(bound));
        }
        sampling
    }
}

fn deadline(field: &str, seconds: f64) -> Result<Duration, String> {
    if (0.001..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("deadlines.{field} is not within 0.001 to 86400 seconds"))
    }
}

/// The error for a name that no entry has.
pub(super) fn unknown(name: &str, models: &BTreeMap<String, ModelEntry>) -> ProviderError {
    let known: Vec<&str> = models.keys().map(String::as_str).collect();
    let known = if known.is_empty() { "there is none".to_owned() } else { format!("there are {}", known.join(", ")) };
    let problem = format!("no [models.{name}] entry ({known}), and not random, openai:, anthropic:, local: or scripted:");
    ProviderError::Settings { model: name.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_survive_being_written() {
        for text in ["openai:gpt-5:x", "anthropic:claude", "local:smollm2", "local:/a/b", "scripted:a.jsonl", "random", "mine"] {
            assert_eq!(text.parse::<ModelSpec>().unwrap().to_string(), text);
        }
        for text in ["", "openai:", "what:x"] {
            assert!(text.parse::<ModelSpec>().is_err(), "{text}");
        }
    }

    #[test]
    fn entries_are_checked() {
        let entry: ModelEntry = toml::from_str("base_url = 'http://x/v1'\nmodel = 'm'\nextra_body = { top_k = 3 }").unwrap();
        entry.check().unwrap();
        assert!(toml::from_str::<ModelEntry>("base_url = 'http://x'\nmodel = 'm'\nprice = 1").is_err());
        assert!(ModelEntry { max_retries: 1000, ..entry.clone() }.check().is_err());
        let entry = ModelEntry { omit: vec!["messages".to_owned()], ..entry };
        assert!(entry.check().unwrap_err().contains("messages"));
    }

    #[test]
    fn bounds_hold_for_requests_and_defaults() {
        let bounds = Bounds { max_tokens: Some(10), max_temperature: Some(1.0) };
        let entry = ModelEntry { bounds, sampling: Sampling { temperature: Some(2.0), ..Sampling::default() }, ..ModelEntry::default() };
        let sampling = entry.sampling(&Sampling { max_tokens: Some(50), ..Sampling::default() });
        assert_eq!((sampling.max_tokens, sampling.temperature), (Some(10), Some(1.0)));
        assert_eq!(entry.sampling(&Sampling::default()).max_tokens, Some(10));
    }
}
