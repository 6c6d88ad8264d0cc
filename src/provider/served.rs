//! A model behind an HTTP API: the loop around one call. Budget, a free place, send, read, and either a reply or a pause and another attempt.

use super::body::Template;
use super::decoded::{DecodeError, Decoded, RawUsage};
use super::error::ProviderError;
use super::limits::{Limiter, Load};
use super::meter::Meter;
use super::retry::{Failure, Verdict, asked_pause, pause};
use super::spec::{Api, ModelEntry};
use super::{Called, Surroundings, anthropic, anthropic_reply, openai, openai_reply};
use crate::clock::{Clock, deadline, seeded_by};
use crate::domain::id::{Digest, PolicyVersion};
use crate::domain::request::{Decision, Finish, ModelRequest, Reply, Sampling};
use crate::domain::untrusted::quoted_piece;
use crate::net::{Answer, Endpoint, Events, HeaderText, Secret};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout_at;
use tracing::{info, warn};

/// Bytes that are taken for one token where the server gives no count, or has not yet.
const BYTES_A_TOKEN: usize = 4;

/// Bytes of an answer that is none, from its start, that may be shown.
const SHOWN: usize = 400;

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
    /// Whether it was said that the server counts no tokens.
    has_warned: AtomicBool,
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
            has_warned: AtomicBool::new(false),
            entry,
        })
    }

    /// The sampling that a request is sent with.
    pub fn sampling(&self, asked: &Sampling) -> Sampling {
        self.entry.sampling(asked)
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
        let guessed = tokens_in(body.len());
        let Some(place) = self.limiter.enter(guessed).await else {
            return Err(ProviderError::Unsupported { model: self.name.clone(), what: "the limiter is closed".to_owned() });
        };
        let start = self.clock.milliseconds();
        let outcome = self.exchange(request, body).await;
        let latency_ms = self.clock.milliseconds().saturating_sub(start);
        let failure = match outcome {
            Ok(mut decoded) => {
                self.limiter.leave(place, Load::Served);
                // A server may repeat the headers that it was sent; the reply is kept in traces and in the ledger.
                decoded.rewrite(|text| self.endpoint.blot_words(text));
                self.count(&mut decoded, guessed);
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
            Verdict::Refused { code, problem } => {
                Err(ProviderError::Refused { model, code, variable: self.entry.api_key_env.clone(), problem })
            }
            Verdict::Rejected { code, message } => Err(ProviderError::Rejected { model, code, message }),
            Verdict::TooLong(message) => Err(ProviderError::ContextTooLong { model, message }),
            Verdict::Filtered(text) => {
                let reply = Reply { text, finish: Finish::Refusal, ..Reply::default() };
                Ok(Attempt::Answered { reply, latency_ms })
            }
        }
    }

    /// Where the server counted nothing, its tokens are guessed, in one place: no cap would bind else, and no two figures agree.
    fn count(&self, decoded: &mut Decoded, guessed: u64) {
        if !decoded.usage.is_empty() {
            return;
        }
        decoded.usage = RawUsage { fresh: guessed, output: tokens_in(decoded.bytes()), ..RawUsage::default() };
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            warn!("model {} reports no usage: tokens and cost are estimated, {BYTES_A_TOKEN} bytes a token", self.name);
        }
    }

    async fn exchange(&self, request: &ModelRequest, body: Vec<u8>) -> Result<Decoded, Failure> {
        let answer = self.endpoint.post(body).await?;
        let kind = answer.header("content-type").unwrap_or("an answer without a content type").to_owned();
        if self.entry.stream {
            return self.streamed(answer, &kind, &request.decision).await;
        }
        let bytes = answer.body().await?;
        let decoded = match self.entry.api {
            Api::OpenAi => openai_reply::whole(&bytes),
            Api::Anthropic => anthropic_reply::whole(&bytes, &request.decision),
        };
        Ok(decoded.map_err(|error| self.with_words(error, &kind, &bytes))?)
    }

    async fn streamed(&self, answer: Answer<'_>, kind: &str, decision: &Decision) -> Result<Decoded, Failure> {
        let mut start = Vec::new();
        let decoded = match self.entry.api {
            Api::OpenAi => {
                let mut pieces = openai_reply::Pieces::default();
                read_events(answer, &mut start, |data| pieces.event(data)).await?;
                pieces.finish()
            }
            Api::Anthropic => {
                let mut pieces = anthropic_reply::Pieces::default();
                read_events(answer, &mut start, |data| pieces.event(data)).await?;
                pieces.finish(decision)
            }
        };
        Ok(decoded.map_err(|error| self.with_words(error, kind, &start))?)
    }

    /// The error with what the server sent in place of a reply. Keys are blotted out before it is cut.
    fn with_words(&self, error: DecodeError, kind: &str, bytes: &[u8]) -> DecodeError {
        let DecodeError::Malformed(problem) = error else { return error };
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
        let sent = format!("{} that begins {}", quoted_piece(kind), quoted_piece(self.endpoint.blot_start(&start).trim()));
        let is_json = matches!(start.trim_start().as_bytes().first(), Some(b'{'));
        DecodeError::Malformed(match (start.trim().is_empty(), is_json || start.contains("data:")) {
            (true, _) => format!("the server sent nothing ({})", quoted_piece(kind)),
            (false, true) => format!("{problem}; the server sent {sent}"),
            (false, false) => format!("no reply of a model, the server sent {sent}; is base_url right?"),
        })
    }
}

/// Tokens that so many bytes are taken for.
fn tokens_in(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_A_TOKEN) as u64
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
/// `start` gets its first bytes.
async fn read_events(
    mut answer: Answer<'_>,
    start: &mut Vec<u8>,
    mut take: impl FnMut(&str) -> Result<bool, DecodeError>,
) -> Result<(), Failure> {
    let mut events = Events::default();
    let mut is_over = false;
    loop {
        let before = events.buffer.len();
        let read = answer.read_into(&mut events.buffer).await;
        start.extend(events.buffer[before..].iter().take(SHOWN - start.len().min(SHOWN)));
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
