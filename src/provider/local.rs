//! A local policy as a provider: one thread owns the engine and answers whatever has come in as one batch, so that live episodes
//! share its passes. Turns are tokenised once.

use super::error::ProviderError;
use super::meter::Meter;
use super::{Called, Surroundings};
use crate::clock::{Clock, seeded_by};
use crate::domain::id::{Digest, PolicyVersion};
use crate::domain::message::{Message, Turn};
use crate::domain::request::{ChoiceRecord, Decision, Finish, ModelRequest, Reply, ScoreRule, TokenRecord, Usage};
use crate::policy::{self, Engine, Job, OptionScore, Output, Policy, PolicyError, Work};
use rand::RngExt;
use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Temperature where neither harness nor settings name one: sampling, so that rollouts differ (`gate.md` §2a).
const TEMPERATURE: f64 = 0.3;

/// Tokens of a free reply where no limit is named.
const MAX_TOKENS: u32 = 128;

/// Most jobs of one batch.
const BATCH: usize = 64;

/// How long a batch waits for one job more: the time in which the run loop turns replies into new requests.
const GATHER: Duration = Duration::from_micros(400);

/// Turns whose tokens are kept.
const TURNS_KEPT: usize = 50_000;

/// A policy in this process.
#[derive(Debug)]
pub struct Local {
    name: String,
    version: PolicyVersion,
    marks: Marks,
    policy: Arc<Policy>,
    tokens: Mutex<HashMap<Digest, Arc<[u32]>>>,
    jobs: Sender<Asked>,
    work: Arc<Mutex<policy::Meter>>,
    meter: Arc<Meter>,
    clock: Clock,
}

/// Ids of the chat template's marks.
#[derive(Clone, Copy, Debug)]
struct Marks {
    start: u32,
    end: u32,
}

struct Asked {
    job: Job,
    answer: oneshot::Sender<Result<Output, PolicyError>>,
}

impl Local {
    /// Loads weights and starts the engine's thread.
    ///
    /// # Errors
    /// [`ProviderError::Settings`] when the weights cannot be read or have no chat marks.
    pub fn open(name: &str, path: &Path, threads: usize, cache_bytes: usize, around: &Surroundings<'_>) -> Result<Self, ProviderError> {
        let failed = |message: String| ProviderError::Settings { model: name.to_owned(), problem: message };
        let policy = Policy::load(path, threads).map_err(|error| failed(described(&error)))?;
        let mark = |text: &str| policy.special(text).ok_or_else(|| failed(format!("{} has no token {text}", path.display())));
        let marks = Marks { start: mark("<|im_start|>")?, end: mark("<|im_end|>")? };
        let version = PolicyVersion(format!("{name}@{}", &policy.fingerprint()[..16.min(policy.fingerprint().len())]));
        let policy = Arc::new(policy);
        let (jobs, inbox) = channel();
        let work = Arc::new(Mutex::new(policy::Meter::default()));
        let engine = Engine::new(policy.clone(), cache_bytes);
        let shared = work.clone();
        std::thread::Builder::new()
            .name("policy".to_owned())
            .spawn(move || serve(engine, &inbox, &shared))
            .map_err(|error| failed(format!("its thread cannot be started: {error}")))?;
        Ok(Self {
            name: name.to_owned(),
            version,
            marks,
            policy,
            tokens: Mutex::default(),
            jobs,
            work,
            meter: around.meter.clone(),
            clock: around.clock.clone(),
        })
    }

    /// What replies depend on besides request and seed.
    pub fn version(&self) -> PolicyVersion {
        self.version.clone()
    }

    /// What the engine has done so far.
    pub fn work(&self) -> policy::Meter {
        *self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request.
    ///
    /// # Errors
    /// [`ProviderError::ContextTooLong`], [`ProviderError::Unsupported`] for a schema, or an outage if the engine's thread is gone.
    pub async fn call(&self, request: &ModelRequest, seed: u64) -> Result<Called, ProviderError> {
        self.meter.admit(&self.name)?;
        let started = self.clock.milliseconds();
        let context = self.context(request);
        let input_tokens = context.len() as u64;
        let temperature = request.sampling.temperature.unwrap_or(TEMPERATURE);
        let work = match &request.decision {
            Decision::Free => Work::Generate {
                max_tokens: request.sampling.max_tokens.unwrap_or(MAX_TOKENS) as usize,
                temperature,
                seed,
                stop: vec![self.marks.end],
            },
            Decision::Choice { options, .. } => Work::Score { options: options.iter().map(|option| self.policy.encode(option)).collect() },
            Decision::Schema { .. } => {
                let what = "a reply by JSON schema; use a choice or free text".to_owned();
                return Err(ProviderError::Unsupported { model: self.name.clone(), what });
            }
        };
        let reply = self.reply(self.run(Job { context, work }).await?, request, temperature, seed, input_tokens);
        self.meter.charge(&reply.usage);
        Ok(Called { reply, retries: Vec::new(), latency_ms: self.clock.milliseconds().saturating_sub(started) })
    }

    async fn run(&self, job: Job) -> Result<Output, ProviderError> {
        let (answer, answered) = oneshot::channel();
        let gone = || ProviderError::Settings { model: self.name.clone(), problem: "its thread has ended".to_owned() };
        self.jobs.send(Asked { job, answer }).map_err(|_| gone())?;
        let output = answered.await.map_err(|_| gone())?;
        output.map_err(|error| {
            let model = self.name.clone();
            if matches!(error, PolicyError::ContextTooLong { .. }) {
                ProviderError::ContextTooLong { model, message: error.to_string() }
            } else {
                ProviderError::Settings { model, problem: described(&error) }
            }
        })
    }

    fn reply(&self, output: Output, request: &ModelRequest, temperature: f64, seed: u64, input_tokens: u64) -> Reply {
        match (output, &request.decision) {
            (Output::Scores(scores), Decision::Choice { options, score }) => {
                let output_tokens = scores.iter().map(|score| score.log_probabilities.len() as u64).sum();
                let scores: Vec<f32> = scores.iter().map(|option| ranked(option, *score)).collect();
                let chosen = draw(&scores, temperature, seed);
                Reply {
                    text: options.get(chosen).cloned().unwrap_or_default(),
                    usage: Usage { input_tokens, output_tokens, ..Usage::default() },
                    choice: Some(ChoiceRecord { chosen, scores, temperature }),
                    ..Reply::default()
                }
            }
            (Output::Text { tokens, log_probabilities, stopped }, _) => Reply {
                text: self.policy.decode(&tokens).trim().to_owned(),
                finish: if stopped { Finish::Stop } else { Finish::Length },
                usage: Usage { input_tokens, output_tokens: tokens.len() as u64, ..Usage::default() },
                tokens: Some(TokenRecord { ids: tokens, log_probabilities }),
                ..Reply::default()
            },
            (Output::Scores(_), Decision::Free | Decision::Schema { .. }) => Reply::default(),
        }
    }

    /// The request by the chat template, up to where the model's own turn begins.
    fn context(&self, request: &ModelRequest) -> Vec<u32> {
        let mut tokens = Vec::new();
        if !request.head.system.is_empty() {
            tokens.extend(self.spoken("system", &request.head.system));
        }
        for turn in request.turns() {
            tokens.extend_from_slice(&self.turn(turn));
        }
        tokens.push(self.marks.start);
        tokens.extend(self.policy.encode("assistant\n"));
        tokens
    }

    fn turn(&self, turn: &Turn) -> Arc<[u32]> {
        let kept = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&turn.digest).cloned();
        if let Some(tokens) = kept {
            return tokens;
        }
        let role = match &turn.message {
            Message::User { .. } | Message::Tool { .. } => "user",
            Message::Assistant { .. } => "assistant",
        };
        let tokens: Arc<[u32]> = self.spoken(role, turn.message.text()).into();
        let mut all = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= TURNS_KEPT {
            all.clear();
        }
        all.insert(turn.digest, tokens.clone());
        tokens
    }

    /// One turn. Role and text are tokenised apart, so that an option and the same text in the history are the same tokens.
    fn spoken(&self, role: &str, text: &str) -> Vec<u32> {
        let mut tokens = vec![self.marks.start];
        tokens.extend(self.policy.encode(&format!("{role}\n")));
        tokens.extend(self.policy.encode(text));
        tokens.push(self.marks.end);
        tokens.extend(self.policy.encode("\n"));
        tokens
    }
}

/// An error with its causes on one line.
fn described(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn ranked(option: &OptionScore, rule: ScoreRule) -> f32 {
    match rule {
        ScoreRule::Sum => option.total() as f32,
        ScoreRule::Mean => (option.total() / option.log_probabilities.len().max(1) as f64) as f32,
    }
}

/// Draws from softmax(score / temperature); at temperature 0 the first of the best.
fn draw(scores: &[f32], temperature: f64, seed: u64) -> usize {
    let best = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let first_best = scores.iter().position(|score| *score >= best).unwrap_or(0);
    if temperature <= 0.0 {
        return first_best;
    }
    let weights: Vec<f64> = scores.iter().map(|score| ((f64::from(*score) - f64::from(best)) / temperature).exp()).collect();
    let mut left = seeded_by(seed).random::<f64>() * weights.iter().sum::<f64>();
    for (index, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return index;
        }
    }
    first_best
}

/// The engine's thread: gathers what has come in, runs it as one batch, answers. Ends when the last sender is gone.
fn serve(mut engine: Engine, inbox: &Receiver<Asked>, work: &Mutex<policy::Meter>) {
    while let Ok(first) = inbox.recv() {
        let mut jobs = vec![first.job];
        let mut answers = vec![first.answer];
        while jobs.len() < BATCH {
            match inbox.recv_timeout(GATHER) {
                Ok(asked) => {
                    jobs.push(asked.job);
                    answers.push(asked.answer);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let outputs = engine.run(&jobs);
        *work.lock().unwrap_or_else(PoisonError::into_inner) = engine.meter();
        for (answer, output) in answers.into_iter().zip(outputs) {
            // Nobody waits any more when the run was stopped.
            let _ = answer.send(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_scores() {
        assert_eq!(draw(&[-3.0, -1.0, -1.0], 0.0, 7), 1);
        let hits = (0..2000).filter(|seed| draw(&[0.0, (3.0f32).ln()], 1.0, *seed) == 1).count();
        assert!((1400..1600).contains(&hits), "{hits}");
    }
}
