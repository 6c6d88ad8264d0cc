//! The one way from an episode to a model: ledger first, then the provider; every call metered and traced as a delta.

use super::tool_files::Workbench;
use super::trace_log::TraceLog;
use crate::clock::Clock;
use crate::domain::conversation::Conversation;
use crate::domain::id::{Digest, PolicyVersion, ProcessorName, ToolName};
use crate::domain::request::{ChoiceRecord, Decision, Finish, ModelRequest, ModelRole, Reply, RequestHead, Sampling, Usage};
use crate::domain::trace::{EpisodeKey, Record, ReplySource};
use crate::provider::{Provider, ProviderError};
use crate::store::ledger::{Ledger, LedgerError};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One model that plays a role.
pub struct Seat {
    /// Where its replies come from.
    pub provider: Provider,
    /// What they depend on besides the request.
    pub policy: PolicyVersion,
}

/// The model config of a run, with its ledger: shared by all episodes.
pub struct Desk {
    /// Who plays which role. `main` must be there.
    pub seats: BTreeMap<ModelRole, Seat>,
    /// Replies received before; `None` keeps nothing, for dry replays.
    pub ledger: Option<Ledger>,
    /// Seed of the run.
    pub seed: u64,
    /// Sampling of the main model where the harness is silent.
    pub sampling: Sampling,
    /// Time.
    pub clock: Clock,
    /// What command tools and MCP servers are run with.
    pub workbench: Arc<Workbench>,
}

/// Why a call gave no reply.
#[derive(Debug, thiserror::Error)]
pub enum CallFault {
    /// No model plays the role.
    #[error("no model is set for the role `{}`", .0.as_str())]
    NoSeat(ModelRole),
    /// The provider gave up.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The ledger could not be written: going on would pay twice.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Who puts a request, and when.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// Step of the episode.
    pub step: u32,
    /// The sub-agent that acts.
    pub within: Option<&'a ToolName>,
    /// The processor that asks, when it is not the run loop.
    pub processor: Option<&'a ProcessorName>,
}

/// The request that the next one is written as a delta to.
#[derive(Default)]
pub struct Thread {
    conversation: Conversation,
    head: Option<Arc<RequestHead>>,
}

/// The desk as one episode sees it.
pub struct Line<'a> {
    desk: &'a Desk,
    base: Digest,
    occurrences: HashMap<Digest, u32>,
    /// A sub-agent has one of its own while it acts: neither its requests nor those after it are written whole again.
    pub thread: Thread,
    /// Tokens and money of this episode.
    pub usage: Usage,
    /// Calls made, ledger hits included.
    pub calls: u32,
    /// Attempts of calls that failed.
    pub retries: u32,
    /// Milliseconds waited for replies that came from a model.
    pub waited_ms: u64,
}

impl Desk {
    /// Policy version of the model that plays a role.
    pub fn policy_of(&self, role: ModelRole) -> PolicyVersion {
        self.seats.get(&role).map_or_else(|| PolicyVersion::from("none"), |seat| seat.policy.clone())
    }

    /// Whether a model plays the role.
    ///
    /// # Errors
    /// A fragment that says that none does.
    pub(super) fn check_role(&self, role: ModelRole) -> Result<(), String> {
        if self.seats.contains_key(&role) { Ok(()) } else { Err(CallFault::NoSeat(role).to_string()) }
    }

    /// Opens a line for one episode.
    pub fn line(&self, key: &EpisodeKey) -> Line<'_> {
        let base = Digest::of_parts(&[
            &self.seed.to_le_bytes(),
            key.task.as_str().as_bytes(),
            key.stream.0.as_bytes(),
            &key.replicate.to_le_bytes(),
        ]);
        Line {
            desk: self,
            base,
            occurrences: HashMap::new(),
            thread: Thread::default(),
            usage: Usage::default(),
            calls: 0,
            retries: 0,
            waited_ms: 0,
        }
    }
}

impl Line<'_> {
    /// Puts one request.
    ///
    /// # Errors
    /// See [`CallFault`].
    pub async fn call(&mut self, request: &ModelRequest, asker: Asker<'_>, trace: &mut TraceLog) -> Result<Reply, CallFault> {
        let digest = request.digest();
        trace.write(&self.record(request, digest, asker));
        self.thread = Thread { conversation: request.conversation.clone(), head: Some(request.head.clone()) };
        self.calls += 1;
        if let Some(reply) = forced(&request.decision) {
            trace.write(&reply_record(asker, &reply, 0, Vec::new(), ReplySource::Forced));
            return Ok(reply);
        }
        let seat = self.desk.seats.get(&request.role).ok_or(CallFault::NoSeat(request.role))?;
        let occurrence = self.occurrences.entry(digest).and_modify(|count| *count += 1).or_insert(0);
        let key = Digest::of_parts(&[&digest.0, seat.policy.as_str().as_bytes(), &self.base.0, &occurrence.to_le_bytes()]);
        let ledger = self.desk.ledger.as_ref();
        if let Some(reply) = ledger.map(|ledger| ledger.find(&key)).transpose()?.flatten() {
            self.usage.add(&reply.usage);
            trace.write(&reply_record(asker, &reply, 0, Vec::new(), ReplySource::Ledger));
            return Ok(reply);
        }
        let called = seat.provider.call(request, key.seed()).await;
        self.retries += match &called {
            Ok(called) => called.retries.len() as u32,
            Err(ProviderError::Outage { attempts, .. }) => *attempts,
            Err(_) => 0,
        };
        let called = called?;
        ledger.map_or(Ok(()), |ledger| ledger.add(&key, &called.reply))?;
        self.usage.add(&called.reply.usage);
        self.waited_ms += called.latency_ms;
        trace.write(&reply_record(asker, &called.reply, called.latency_ms, called.retries, ReplySource::Model));
        Ok(called.reply)
    }

    /// The request as a delta to the one before it.
    fn record(&self, request: &ModelRequest, digest: Digest, asker: Asker<'_>) -> Record {
        let kept = self.thread.conversation.shared_prefix(&request.conversation);
        let last = self.thread.head.as_deref();
        let head = &request.head;
        Record::Request {
            step: asker.step,
            within: asker.within.cloned(),
            kept,
            turns: request.turns()[kept..].iter().map(|turn| turn.message.clone()).collect(),
            system: last.is_none_or(|last| last.system != head.system).then(|| head.system.clone()),
            tools: last.is_none_or(|last| last.tools != head.tools).then(|| head.tools.clone()),
            decision: request.decision.clone(),
            sampling: request.sampling.clone(),
            role: request.role,
            digest,
            asked_by: asker.processor.cloned(),
        }
    }
}

/// With one option left there is nothing to ask.
fn forced(decision: &Decision) -> Option<Reply> {
    match decision {
        Decision::Choice { options, .. } if options.len() == 1 => Some(Reply {
            text: options[0].clone(),
            finish: Finish::Stop,
            choice: Some(ChoiceRecord { chosen: 0, scores: Vec::new(), temperature: 0.0 }),
            ..Reply::default()
        }),
        Decision::Choice { .. } | Decision::Free | Decision::Schema { .. } => None,
    }
}

fn reply_record(asker: Asker<'_>, reply: &Reply, latency_ms: u64, retries: Vec<String>, source: ReplySource) -> Record {
    Record::Reply { step: asker.step, within: asker.within.cloned(), reply: reply.clone(), latency_ms, retries, source }
}
