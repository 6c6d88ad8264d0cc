//! How an episode ended and what it was worth (`system.md` §4).

use super::request::Usage;
use super::untrusted::one_line;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where plumbing broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Boundary {
    /// The model's server: 429, 5xx, network, deadline.
    Provider,
    /// The command sandbox.
    Sandbox,
    /// An unmodified environment.
    Environment,
    /// A processor that came with the program.
    Processor,
    /// Host trouble while the harness was set up.
    Harness,
}

impl Boundary {
    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Sandbox => "sandbox",
            Self::Environment => "environment",
            Self::Processor => "processor",
            Self::Harness => "harness",
        }
    }
}

/// Verdict on an episode. Failure of the thing studied is data; failure of our plumbing is missing data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    /// The verifier says the goal was reached.
    Solved,
    /// It was not, or what the harness supplied broke.
    Failed,
    /// Plumbing broke: retried, never scored.
    Error {
        /// Where.
        boundary: Boundary,
        /// What.
        message: String,
    },
}

impl Outcome {
    /// `solved`, `failed` or `error`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Solved => "solved",
            Self::Failed => "failed",
            Self::Error { .. } => "error",
        }
    }
}

/// What ended the steps of an episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ending", rename_all = "snake_case")]
pub enum Ending {
    /// The agent gave its answer.
    FinalAnswer {
        /// The answer.
        text: String,
    },
    /// The environment said so.
    EnvironmentDone,
    /// A budget of the harness or the benchmark was used up.
    Budget {
        /// Which: `steps`, `tokens`, `cost`, `time`.
        limit: String,
    },
    /// A processor ended it.
    Interrupt {
        /// Who.
        processor: String,
        /// Why.
        reason: String,
    },
    /// What the harness supplied broke: scored 0.
    HarnessFault {
        /// Who: a processor, a template, a tool.
        part: String,
        /// What.
        message: String,
    },
    /// Plumbing broke.
    Fault {
        /// Where.
        boundary: Boundary,
        /// What.
        message: String,
    },
}

impl Ending {
    /// What broke and how, in a line; `None` where nothing did.
    pub fn fault(&self) -> Option<String> {
        let (what, message) = match self {
            Self::HarnessFault { part, message } => (format!("fault of {part}"), message),
            Self::Fault { boundary, message } => (format!("plumbing failed ({})", boundary.as_str()), message),
            Self::FinalAnswer { .. } | Self::EnvironmentDone | Self::Budget { .. } | Self::Interrupt { .. } => return None,
        };
        Some(one_line(&format!("{what}: {message}")))
    }
}

impl fmt::Display for Ending {
    /// What kind of ending it was and whose, without the words of a model or an environment.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FinalAnswer { .. } => out.write_str("final answer"),
            Self::EnvironmentDone => out.write_str("the environment said it was over"),
            Self::Budget { limit } => write!(out, "out of {limit}"),
            Self::Interrupt { processor, .. } => write!(out, "ended by {processor}"),
            Self::HarnessFault { part, .. } => write!(out, "fault of {part}, scored as failed"),
            Self::Fault { boundary, .. } => write!(out, "plumbing failed ({}), not scored", boundary.as_str()),
        }
    }
}

/// The verifier's word: partial reward and success are kept apart, since partial reward can be farmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// 0..1.
    pub reward: f64,
    /// Goal reached.
    pub success: bool,
}

/// One finished episode, as `episodes.jsonl` keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeResult {
    /// Verdict.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What ended it.
    pub end: Ending,
    /// 0..1.
    pub reward: f64,
    /// Steps taken.
    pub steps: u32,
    /// Model calls, ledger hits included.
    pub calls: u32,
    /// Failed attempts of model calls; the trace says what failed.
    #[serde(default)]
    pub retries: u32,
    /// Tokens and money.
    pub usage: Usage,
    /// Milliseconds that it waited for models; replies from the ledger take none.
    #[serde(default)]
    pub milliseconds: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_in_one_line_without_control_characters() {
        let fault = Ending::HarnessFault { part: "processors/x.js".to_owned(), message: "line 3:\n  \u{1b}[31mno\u{202e}".to_owned() };
        assert_eq!(fault.fault().unwrap(), "fault of processors/x.js: line 3: [31mno");
        assert_eq!(Ending::EnvironmentDone.fault(), None);
    }
}
