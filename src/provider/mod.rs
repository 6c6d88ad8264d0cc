//! Models: one interface over served APIs, scripts and a random chooser. A call is one request in, one reply out, with what it took to get it;
//! retries, limits and meters are inside. Reads the network and script files, writes nothing.
//!
//! Reading order: `spec` (what a model is called and how an entry is set), this file, `served` (the loop around one call), `openai` and
//! `anthropic` (the two wire forms), `retry`, `limits`, `meter`, then `scripted` and `uniform`.

mod anthropic;
mod anthropic_reply;
mod body;
mod decoded;
mod error;
mod limits;
mod local;
mod meter;
mod openai;
mod openai_reply;
mod recorded;
mod retry;
mod scripted;
mod served;
mod spec;
mod uniform;

pub use error::ProviderError;
pub use local::Local;
pub use meter::{Caps, Meter};
pub use recorded::Recorded;
pub use scripted::Scripted;
pub use served::Served;
pub use spec::{Api, Bounds, DeadlineSettings, Limits, ModelEntry, ModelSpec, Prices};
pub use uniform::Uniform;

use crate::clock::Clock;
use crate::domain::id::PolicyVersion;
use crate::domain::request::{ModelRequest, Reply, Sampling};
use crate::net::Client;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A reply and what it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Called {
    /// The reply, its cost reckoned by the entry's prices.
    pub reply: Reply,
    /// One short text for each failed attempt before the reply.
    pub retries: Vec<String>,
    /// Milliseconds of the attempt that succeeded: without waiting for a free place, failed attempts and pauses.
    pub latency_ms: u64,
}

/// What a provider is opened with.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// `[models.NAME]` entries.
    pub models: &'a BTreeMap<String, ModelEntry>,
    /// Reads an environment variable: keys and base URLs come from there only.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// The process's HTTP client.
    pub client: &'a Client,
    /// The run's meter, shared by all its models.
    pub meter: &'a Arc<Meter>,
    /// Time.
    pub clock: &'a Clock,
}

/// A model that answers requests.
#[derive(Debug)]
pub enum Provider {
    /// Behind an HTTP API: `OpenAI`-compatible chat or Anthropic messages.
    Served(Box<Served>),
    /// Answers from a file, for tests.
    Scripted(Scripted),
    /// Picks among the actions of a choice by chance.
    Uniform(Uniform),
    /// A policy in this process.
    Local(Box<Local>),
    /// A recorded episode, for dry replays.
    Recorded(Recorded),
}

impl Provider {
    /// Opens the model that a spec names. No request is sent.
    ///
    /// # Errors
    /// [`ProviderError::Settings`], [`ProviderError::MissingKey`], [`ProviderError::Script`] or, for `local:`, [`ProviderError::Unsupported`].
    pub fn open(spec: &ModelSpec, around: &Surroundings<'_>) -> Result<Self, ProviderError> {
        match spec {
            ModelSpec::OpenAi { name } => {
                let entry = ModelEntry::openai(name, around.environment);
                Ok(Self::Served(Box::new(Served::open(&spec.to_string(), entry, around)?)))
            }
            ModelSpec::Anthropic { name } => {
                let entry = ModelEntry::anthropic(name, around.environment);
                Ok(Self::Served(Box::new(Served::open(&spec.to_string(), entry, around)?)))
            }
            ModelSpec::Entry { name } => {
                let entry = around.models.get(name).ok_or_else(|| spec::unknown(name, around.models))?;
                Ok(Self::Served(Box::new(Served::open(name, entry.clone(), around)?)))
            }
            ModelSpec::Scripted { file } => Ok(Self::Scripted(Scripted::open(file, around)?)),
            ModelSpec::Random => Ok(Self::Uniform(Uniform)),
            ModelSpec::Local { .. } => Err(ProviderError::Unsupported {
                model: spec.to_string(),
                what: "a local policy is opened with its weights: see Local::open".to_owned(),
            }),
        }
    }

    /// Sends one request. `seed` settles whatever is left to chance here (the pause between attempts, a random choice) and is sent to servers
    /// that take one.
    ///
    /// # Errors
    /// Any [`ProviderError`].
    pub async fn call(&self, request: &ModelRequest, seed: u64) -> Result<Called, ProviderError> {
        match self {
            Self::Served(served) => served.call(request, seed).await,
            Self::Scripted(scripted) => scripted.call(request, seed),
            Self::Uniform(uniform) => uniform.call(request, seed),
            Self::Local(local) => local.call(request, seed).await,
            Self::Recorded(recorded) => recorded.call(request),
        }
    }

    /// Whether somebody else runs the model, who may change it at any time.
    pub fn is_served(&self) -> bool {
        match self {
            Self::Served(_) => true,
            Self::Scripted(_) | Self::Uniform(_) | Self::Local(_) | Self::Recorded(_) => false,
        }
    }

    /// Whether a second reply to the same request is the same draw, by the sampling that is asked for.
    pub fn is_greedy(&self, asked: &Sampling) -> bool {
        let draws_best = |sampling: &Sampling| sampling.temperature == Some(0.0);
        match self {
            Self::Served(served) => draws_best(&served.sampling(asked)),
            Self::Local(_) => draws_best(asked),
            Self::Scripted(scripted) => scripted.is_fixed(),
            Self::Uniform(_) => false,
            Self::Recorded(_) => true,
        }
    }

    /// What a reply depends on besides the request and the seed.
    pub fn version(&self) -> PolicyVersion {
        match self {
            Self::Served(served) => served.version(),
            Self::Scripted(scripted) => scripted.version(),
            Self::Uniform(uniform) => uniform.version(),
            Self::Local(local) => local.version(),
            Self::Recorded(recorded) => recorded.version(),
        }
    }
}

#[cfg(test)]
mod tests;
