//! A model behind an HTTP API: the loop around one call. Budget, a free place, send, read, and either a reply or a pause and another attempt.

use super::body::Template;
use super::decoded::{DecodeError, Decoded};
use super::error::ProviderError;
use super::limits::{Limiter, Load};
use super::meter::Meter;
use super::retry::{Failure, Verdict, asked_pause, pause};
use super::spec::{Api, ModelEntry};
use super::{Called, Surroundings, anthropic, anthropic_reply, openai, openai_reply};
use crate::clock::{Clock, deadline, seeded_by};
use crate::domain::id::{Digest, PolicyVersion};
use crate::domain::request::{Finish, ModelRequest, Reply, Usage};
use crate::net::{Answer, Endpoint, Events, HeaderText, Secret};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout_at;
use tracing::info;

/// Bytes of prompt that are taken for one token where a count is needed before the server gives one.
const BYTES_A_TOKEN: u64 = 4;

/// A model behind an HTTP API.
#[derive(Debug)]
pub struct Served {
    name: String,
    entry: ModelEntry,
    endpoint: Endpoint,
    template: Template,
    call_deadline: Duration,
    limiter: Limiter,
    meter: Arc<Meter>,
    clock: Clock,
}

impl Served {
    /// Opens an entry; `name` is what the user calls it.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] or [`ProviderError::MissingKey`].
    pub fn open(name: &str, entry: ModelEntry, around: &Surroundings<'_>) -> Result<Self, ProviderError> {
        let settings = |problem: String| ProviderError::Settings { model: name.to_owned(), problem };
        entry.check().map_err(settings)?;
        if around.meter.caps_cost() && entry.prices.is_none() {
            return Err(settings("a cost cap needs prices, and the model has none".to_owned()));
        }
        let key = match &entry.api_key_env {
            None => None,
            Some(variable) => match (around.environment)(variable).map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()) {
                Some(key) => Some(Secret::new(key)),
                None => return Err(ProviderError::MissingKey { model: name.to_owned(), variable: variable.clone() }),
            },
        };
        let deadlines = entry.deadlines().map_err(settings)?;
        let call_deadline = entry.call_deadline().map_err(settings)?;
        let endpoint = around.client.endpoint(&address(&entry), &headers(entry.api, key), deadlines);
        Ok(Self {
            name: name.to_owned(),
            endpoint: endpoint.map_err(|error| settings(error.to_string()))?,
            template: Template::new(&entry),
            call_deadline,
            limiter: Limiter::new(&entry.limits, around.clock.clone()),
            meter: Arc::clone(around.meter),
            clock: around.clock.clone(),
            entry,
        })
    }

    /// What a reply depends on besides the request: server, model and the entry's own fields.
    pub fn version(&self) -> PolicyVersion {
        let ModelEntry { base_url, api, model, extra_body, omit, sampling, bounds, logprobs, .. } = &self.entry;
        let bytes = serde_json::to_vec(&(base_url, api, model, extra_body, omit, sampling, bounds, logprobs)).unwrap_or_default();
        let digest = Digest::of(&bytes).to_string();
        PolicyVersion(format!("{model}@{}", &digest[..16]))
    }

    /// Sends a request until it is answered, given up, or out of time.
    ///
    /// # Errors
    /// Any [`ProviderError`] but the script's.
    pub async fn call(&self, request: &ModelRequest, seed: u64) -> Result<Called, ProviderError> {
        let mut tried = Vec::new();
        let called = timeout_at(deadline(self.call_deadline), self.attempts(request, seed, &mut tried)).await;
        called.unwrap_or_else(|_| {
            let after = self.call_deadline.as_secs_f64();
            tried.push("call out of time".to_owned());
            let last = format!("no reply within {after} s, retries and waits included (deadlines.call)");
            Err(outage(&self.name, tried, last))
        })
    }

    /// Attempts until one is answered or the last has failed; `tried` keeps the failed ones.
    async fn attempts(&self, request: &ModelRequest, seed: u64, tried: &mut Vec<String>) -> Result<Called, ProviderError> {
        loop {
            self.meter.admit(&self.name)?;
            let (failure, asked) = match self.attempt(request, seed).await? {
                Attempt::Answered { reply, latency_ms } => return Ok(Called { reply, retries: std::mem::take(tried), latency_ms }),
                Attempt::Failed { failure, asked } => (failure, asked),
            };
            tried.push(failure.short());
            let attempts = tried.len() as u32;
            if attempts > self.entry.max_retries {
                // A server may repeat the key inside an answer too.
                return Err(outage(&self.name, std::mem::take(tried), self.endpoint.blot(&failure.to_string())));
            }
            let asked = asked.and_then(|text| asked_pause(&text, self.clock.unix_milliseconds()));
            let mut random = seeded_by(seed ^ u64::from(attempts));
            let wait = pause(attempts - 1, self.entry.retry_pause, asked, &mut random);
            info!(model = self.name, attempts, reason = failure.short(), wait_ms = wait.as_millis() as u64, "model call is tried again");
            tokio::time::sleep(wait).await;
        }
    }

    /// One attempt: errors end the call, failures may be tried again.
    async fn attempt(&self, request: &ModelRequest, seed: u64) -> Result<Attempt, ProviderError> {
        // Rendered again for each attempt: that copies pieces, as keeping a copy would.
        let body = match self.entry.api {
            Api::OpenAi => openai::body(&self.template, &self.entry, request, seed),
            Api::Anthropic => anthropic::body(&self.template, &self.entry, request),
        };
        let guessed = body.len() as u64 / BYTES_A_TOKEN;
        let Some(place) = self.limiter.enter(guessed).await else {
            return Err(ProviderError::Unsupported { model: self.name.clone(), what: "the limiter is closed".to_owned() });
        };
        let start = self.clock.milliseconds();
        let outcome = self.exchange(request, body).await;
        let latency_ms = self.clock.milliseconds().saturating_sub(start);
        let failure = match outcome {
            Ok(decoded) => {
                self.limiter.leave(place, Load::Served);
                let reply = decoded.into_reply(self.entry.prices.as_ref(), &request.decision, request.turns().len());
                self.meter.charge(&reply.usage);
                self.limiter.settle(guessed, reply.usage.tokens());
                return Ok(Attempt::Answered { reply, latency_ms });
            }
            Err(failure) => failure,
        };
        let model = self.name.clone();
        let verdict = failure.verdict();
        let load = if let Verdict::Retry { load, .. } = verdict { load } else { Load::Unknown };
        self.limiter.leave(place, load);
        match verdict {
            Verdict::Retry { asked, .. } => Ok(Attempt::Failed { failure, asked }),
            Verdict::Settings(problem) => Err(ProviderError::Settings { model, problem }),
            Verdict::Rejected { code, message } => Err(ProviderError::Rejected { model, code, message }),
            Verdict::TooLong(message) => Err(ProviderError::ContextTooLong { model, message }),
            Verdict::Filtered(text) => {
                let reply = Reply { text, finish: Finish::Refusal, ..Reply::default() };
                Ok(Attempt::Answered { reply, latency_ms })
            }
        }
    }

    /// Counts a reply. A server that counts nothing is metered by a guess, or no cap would ever bind.
    fn charge(&self, usage: &Usage, guessed: u64) {
        let counted = if usage.tokens() > 0 { *usage } else { Usage { input_tokens: guessed, ..*usage } };
        self.meter.charge(&counted);
        self.limiter.settle(guessed, counted.tokens());
    }

    async fn exchange(&self, request: &ModelRequest, body: Vec<u8>) -> Result<Decoded, Failure> {
        let answer = self.endpoint.post(body).await?;
        let decoded = match (self.entry.api, self.entry.stream) {
            (Api::OpenAi, false) => openai_reply::whole(&answer.body().await?)?,
            (Api::Anthropic, false) => anthropic_reply::whole(&answer.body().await?, &request.decision)?,
            (Api::OpenAi, true) => {
                let mut pieces = openai_reply::Pieces::default();
                read_events(answer, |data| pieces.event(data)).await?;
                pieces.finish()?
            }
            (Api::Anthropic, true) => {
                let mut pieces = anthropic_reply::Pieces::default();
                read_events(answer, |data| pieces.event(data)).await?;
                pieces.finish(&request.decision)?
            }
        };
        Ok(decoded)
    }
}

fn outage(name: &str, tried: Vec<String>, last: String) -> ProviderError {
    ProviderError::Outage { model: name.to_owned(), attempts: tried.len() as u32, tried, last }
}

/// How one attempt ended.
enum Attempt {
    Answered { reply: Reply, latency_ms: u64 },
    Failed { failure: Failure, asked: Option<String> },
}

/// Feeds a stream's events to `take` until it has seen the last, then reads to the end of the body so that the connection can be used again.
async fn read_events(mut answer: Answer<'_>, mut take: impl FnMut(&str) -> Result<bool, DecodeError>) -> Result<(), Failure> {
    let mut events = Events::default();
    let mut is_over = false;
    loop {
        let read = answer.read_into(&mut events.buffer).await;
        match read {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            // Once the stream has said that it is over, how the connection ends is of no interest.
            Err(_) if is_over => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        while let Some(data) = events.next_event() {
            is_over = is_over || take(&data)?;
        }
    }
}

fn address(entry: &ModelEntry) -> String {
    let base = entry.base_url.trim_end_matches('/');
    match entry.api {
        Api::OpenAi => format!("{base}{}", openai::PATH),
        Api::Anthropic if base.ends_with("/v1") => format!("{base}{}", anthropic::PATH),
        Api::Anthropic => format!("{base}/v1{}", anthropic::PATH),
    }
}

fn headers(api: Api, key: Option<Secret>) -> Vec<(&'static str, HeaderText)> {
    let mut headers = Vec::new();
    match api {
        Api::OpenAi => {
            headers.extend(key.map(|secret| ("authorization", HeaderText::Secret { before: "Bearer ", secret })));
        }
        Api::Anthropic => {
            headers.push(("anthropic-version", HeaderText::Plain(anthropic::VERSION.to_owned())));
            headers.extend(key.map(|secret| ("x-api-key", HeaderText::Secret { before: "", secret })));
        }
    }
    headers
}
