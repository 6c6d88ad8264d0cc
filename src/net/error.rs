//! What can go wrong on the way to a server and back. No variant holds a key: hosts are named, addresses in full are not.

use std::fmt;
use std::time::Duration;

/// The part of an exchange that a deadline bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Opening the connection.
    Connect,
    /// From sending until the head of the answer.
    FirstByte,
    /// Between two pieces of the answer.
    Idle,
    /// The whole exchange.
    Whole,
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Connect => "connection",
            Self::FirstByte => "first byte",
            Self::Idle => "next piece",
            Self::Whole => "end of the answer",
        })
    }
}

/// A failed exchange.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NetError {
    /// The client could not be built or the address or a header is not valid.
    #[error("set up the connection to {host}: {problem}")]
    Setup {
        /// Host, or the address where it could not be read.
        host: String,
        /// What is wrong.
        problem: String,
    },
    /// No connection: name unknown, port closed, TLS refused.
    #[error("connect to {host}: {problem}")]
    Connect {
        /// Host.
        host: String,
        /// What is wrong.
        problem: String,
    },
    /// A deadline passed.
    #[error("wait for {host}: no {phase} within {} s", after.as_secs_f64())]
    Timeout {
        /// Host.
        host: String,
        /// Which deadline.
        phase: Phase,
        /// How long it was.
        after: Duration,
    },
    /// The connection broke: reset, closed early, not HTTP.
    #[error("read from {host}: {problem}")]
    Broken {
        /// Host.
        host: String,
        /// What is wrong.
        problem: String,
    },
    /// The answer is larger than allowed.
    #[error("read from {host}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// Host.
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// An answer whose status is not 2xx. Redirects are not followed and end here.
    #[error("get an answer from {host}: status {code}: {body}")]
    Status {
        /// Host.
        host: String,
        /// Status code.
        code: u16,
        /// `Retry-After` as the server wrote it: seconds or a date.
        retry_after: Option<String>,
        /// Start of the answer's body, keys blotted out.
        body: String,
    },
}

impl NetError {
    /// A few words for a list of retries: no host, no body.
    pub fn short(&self) -> String {
        match self {
            Self::Setup { .. } => "not set up".to_owned(),
            Self::Connect { .. } => "no connection".to_owned(),
            Self::Timeout { phase, .. } => format!("no {phase} in time"),
            Self::Broken { .. } => "connection broke".to_owned(),
            Self::TooLarge { .. } => "answer too large".to_owned(),
            Self::Status { code, .. } => format!("status {code}"),
        }
    }
}
