//! Layer A: facts of one rollout, gathered line by line. Memory is bounded by the number of calls, not by the size of the trace.

use super::signals::Signals;
use crate::domain::digest::{RolloutFacts, Signal, Verdict};
use crate::domain::id::{Digest, ProcessorName};
use crate::domain::task::Tags;
use crate::domain::trace::Record;
use crate::store::trace_lines::TraceLine;
use std::collections::{BTreeMap, HashMap};

/// Longest text of a call that is kept, in characters.
const CALL_KEPT: usize = 200;

/// One call, short.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Step.
    pub step: u32,
    /// Tool and arguments, whole.
    pub made: Digest,
    /// The same to be read, cut.
    pub text: String,
}

/// What one trace said.
#[derive(Debug)]
pub(super) struct TraceFacts {
    pub task_text: String,
    pub tags: Tags,
    pub rollout: RolloutFacts,
    pub signals: Vec<Signal>,
    pub calls: Vec<Call>,
}

/// Gathers the facts of one trace.
pub(super) struct Facts {
    read: TraceFacts,
    signals: Signals,
    /// Results of each call so far.
    seen: HashMap<Digest, Digest>,
    last: Option<Digest>,
    burst: u32,
}

impl Facts {
    pub fn new(trace: &str, replicate: u32) -> Self {
        let rollout = RolloutFacts {
            replicate,
            trace: trace.to_owned(),
            verdict: None,
            calls: 0,
            distinct_calls: 0,
            repeats: 0,
            longest_burst: 0,
            errors: 0,
            fired: BTreeMap::new(),
        };
        let facts = TraceFacts { task_text: String::new(), tags: Tags::new(), rollout, signals: Vec::new(), calls: Vec::new() };
        Self { read: facts, signals: Signals::new(trace), seen: HashMap::new(), last: None, burst: 0 }
    }

    /// Takes one line.
    pub fn line(&mut self, line: &TraceLine<'_>, bytes: &[u8]) {
        match line.record.as_ref() {
            // The two records that are short and come once are read whole.
            "episode" | "outcome" => self.end_of_file(bytes),
            "trigger" => {
                if let Some(name) = &line.processor {
                    let fired = &mut self.read.rollout.fired;
                    // A name is copied the first time only.
                    match fired.get_mut(&ProcessorName::from(name.as_ref())) {
                        Some(count) => *count += 1,
                        None => _ = fired.insert(ProcessorName::from(name.as_ref()), 1),
                    }
                }
            }
            "tool" => self.call(line),
            _ => {}
        }
        self.signals.line(line);
    }

    fn end_of_file(&mut self, bytes: &[u8]) {
        match serde_json::from_slice(bytes) {
            Ok(Record::Episode { task_text, tags, .. }) => (self.read.task_text, self.read.tags) = (task_text, tags),
            Ok(Record::Outcome(result)) => {
                let tokens = result.usage.tokens();
                let verdict = Verdict { outcome: result.outcome, end: result.end, reward: result.reward, steps: result.steps, tokens };
                self.read.rollout.verdict = Some(verdict);
            }
            // A last line without its verdict is an episode without an end: said by the absent verdict.
            Ok(Record::Brought { .. } | Record::Request { .. } | Record::Reply { .. } | Record::Tool { .. } | Record::Trigger { .. })
            | Err(_) => {}
        }
    }

    fn call(&mut self, line: &TraceLine<'_>) {
        let (Some(call), Some(result)) = (&line.call, &line.result) else { return };
        let made = call.digest();
        let came = Digest::of(result.text.as_bytes());
        let rollout = &mut self.read.rollout;
        rollout.calls += 1;
        rollout.errors += u32::from(result.is_error);
        match self.seen.insert(made, came) {
            Some(before) => rollout.repeats += u32::from(before == came),
            None => rollout.distinct_calls += 1,
        }
        self.burst = if self.last == Some(made) { self.burst + 1 } else { 1 };
        self.last = Some(made);
        rollout.longest_burst = rollout.longest_burst.max(self.burst);
        let text: String = format!("{} {}", call.name, call.arguments.get()).chars().take(CALL_KEPT).collect();
        self.read.calls.push(Call { step: line.step, made, text });
    }

    /// Everything the trace said.
    pub fn finish(mut self) -> TraceFacts {
        self.read.signals = self.signals.finish(self.read.rollout.verdict.as_ref());
        self.read
    }
}
