//! Layer B: typed pathologies of one rollout, each with the place where it first shows and words that stand there. No word of any
//! domain: only calls, results, errors and the actions an environment lists.

use crate::domain::digest::{Anchor, Pathology, Signal, Verdict};
use crate::domain::id::Digest;
use crate::domain::outcome::{Ending, Outcome};
use crate::store::trace_lines::{CallLine, TraceLine};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Different calls answered with one text before that text counts as "nothing happened".
const NO_EFFECT: usize = 3;

/// Times a call is repeated with the same result before it counts.
const REPEATS: u32 = 2;

/// Longest snippet, in characters.
const SNIPPET: usize = 120;

/// Looks for pathologies, line by line.
pub(super) struct Signals {
    trace: String,
    /// Tools offered to the agent (its name is empty) and to each sub-agent.
    tools: BTreeMap<String, BTreeSet<String>>,
    actions: Option<BTreeSet<String>>,
    /// Last result of each call, and how often it came again.
    seen: HashMap<Digest, (Digest, u32)>,
    /// Calls that each text answered.
    answered: HashMap<Digest, BTreeSet<Digest>>,
    last: Option<(Digest, bool)>,
    /// Step and words of the last result.
    end: Option<(u32, String)>,
    /// Step and words of the agent's last reply.
    reply: Option<(u32, String)>,
    /// The last request was the agent's own.
    is_own: bool,
    found: BTreeMap<Pathology, Signal>,
}

impl Signals {
    pub fn new(trace: &str) -> Self {
        Self {
            trace: trace.to_owned(),
            tools: BTreeMap::new(),
            actions: None,
            seen: HashMap::new(),
            answered: HashMap::new(),
            last: None,
            end: None,
            reply: None,
            is_own: false,
            found: BTreeMap::new(),
        }
    }

    /// Takes one line.
    pub fn line(&mut self, line: &TraceLine<'_>) {
        let within = line.within.as_deref().unwrap_or_default();
        if let Some(tools) = &line.tools {
            self.tools.insert(within.to_owned(), tools.iter().map(|tool| tool.name.clone().into_owned()).collect());
        }
        if line.record == "request" {
            self.is_own = line.is_own_request();
        }
        if let Some(text) = line.text.as_ref().filter(|_| self.is_own) {
            self.reply = Some((line.step, cut(text)));
        }
        let (Some(call), Some(result)) = (&line.call, &line.result) else { return };
        let made = call.digest();
        let came = Digest::of(result.text.as_bytes());
        let mut kinds = Vec::new();
        let is_offered = |tools: &BTreeSet<String>| tools.is_empty() || tools.contains(call.name.as_ref());
        // A composed tool may call what the model is not offered.
        if !call.is_inner() && !self.tools.get(within).is_none_or(is_offered) {
            kinds.push((Pathology::MissingCapability, call.name.clone().into_owned()));
        }
        if let Some(action) = not_admitted(call, self.actions.as_ref()).filter(|_| line.is_of_environment()) {
            kinds.push((Pathology::InvalidAction, action));
        }
        if self.last == Some((made, true)) {
            kinds.push((Pathology::ErrorIgnored, arguments(call)));
        }
        if result.text.trim().is_empty() {
            kinds.push((Pathology::SilentDrop, arguments(call)));
        }
        if self.repeats(made, came) >= REPEATS {
            kinds.push((Pathology::RepeatWithoutProgress, cut(&result.text)));
        }
        let calls = self.answered.entry(came).or_default();
        calls.insert(made);
        if calls.len() >= NO_EFFECT && !result.is_error {
            kinds.push((Pathology::ToolEffectMissing, cut(&result.text)));
        }
        for (kind, snippet) in kinds {
            self.note(kind, line.step, snippet);
        }
        self.last = Some((made, result.is_error));
        self.end = Some((line.step, if result.text.trim().is_empty() { arguments(call) } else { cut(&result.text) }));
        if let Some(actions) = &line.actions {
            let listed: BTreeSet<String> = actions.iter().map(|action| action.clone().into_owned()).collect();
            self.actions = Some(listed).filter(|listed| !listed.is_empty());
        }
    }

    /// How often this call gave this result before, without a break.
    fn repeats(&mut self, made: Digest, came: Digest) -> u32 {
        let entry = self.seen.entry(made).or_insert((came, 0));
        let again = if entry.0 == came { entry.1 } else { 0 };
        *entry = (came, again + 1);
        again
    }

    fn note(&mut self, kind: Pathology, step: u32, snippet: String) {
        let anchor = Anchor { trace: self.trace.clone(), step };
        let signal = self.found.entry(kind.clone()).or_insert(Signal { kind, anchor, snippet, count: 0 });
        signal.count += 1;
    }

    /// The signals in order of step, with that of a failed ending.
    pub fn finish(mut self, verdict: Option<&Verdict>) -> Vec<Signal> {
        if let Some(verdict) = verdict.filter(|verdict| verdict.outcome == Outcome::Failed) {
            let (kind, place) = match &verdict.end {
                Ending::Budget { .. } => (Some(Pathology::BudgetStarvation), self.end.take().or(self.reply.take())),
                Ending::FinalAnswer { .. } => (Some(Pathology::FinalAnswerBrittle), self.reply.take()),
                Ending::HarnessFault { part, message } => {
                    let place = self.end.take().or(self.reply.take()).or_else(|| Some((0, cut(message))));
                    (Some(Pathology::Other(format!("fault_of_{part}"))), place)
                }
                Ending::EnvironmentDone | Ending::Interrupt { .. } | Ending::Fault { .. } => (None, None),
            };
            if let (Some(kind), Some((step, words))) = (kind, place) {
                self.note(kind, step, words);
            }
        }
        let mut signals: Vec<Signal> = self.found.into_values().collect();
        signals.sort_by(|one, two| (one.anchor.step, &one.kind).cmp(&(two.anchor.step, &two.kind)));
        signals
    }
}

/// The action that a call of one text argument names, when the environment lists its actions and it is none of them.
fn not_admitted(call: &CallLine<'_>, actions: Option<&BTreeSet<String>>) -> Option<String> {
    let arguments: BTreeMap<String, String> = serde_json::from_str(call.arguments.get()).ok()?;
    let (1, Some(action)) = (arguments.len(), arguments.into_values().next()) else { return None };
    // A quoted or escaped text would not be found verbatim.
    (!actions?.contains(&action) && call.arguments.get().contains(&action)).then(|| cut(&action))
}

fn arguments(call: &CallLine<'_>) -> String {
    cut(call.arguments.get())
}

fn cut(text: &str) -> String {
    text.chars().take(SNIPPET).collect()
}
