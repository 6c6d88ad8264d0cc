//! Why a model gave no reply. Which exit code or outcome follows is the caller's to say.

use std::path::PathBuf;

/// A call without a reply, or a provider that could not be opened.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProviderError {
    /// The model config is wrong. Trying again does not help.
    #[error("use model {model}: {problem}")]
    Settings {
        /// As the user named it.
        model: String,
        /// What is wrong.
        problem: String,
    },
    /// The server serves nobody like this: key refused, model or path unknown, account without credit. Trying again does not help.
    #[error("use model {model}: {problem}")]
    Refused {
        /// As the user named it.
        model: String,
        /// Status code.
        code: u16,
        /// The environment variable that the key came from; `None` where none was sent.
        variable: Option<String>,
        /// What is wrong, with the server's words.
        problem: String,
    },
    /// The environment variable that should hold the key is not set.
    #[error("use model {model}: the environment variable {variable} with its key is not set")]
    MissingKey {
        /// As the user named it.
        model: String,
        /// The variable.
        variable: String,
    },
    /// The server refused the request itself: a tool schema, a parameter.
    #[error("call model {model}: the server rejected the request with status {code}: {message}")]
    Rejected {
        /// As the user named it.
        model: String,
        /// Status code.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The prompt does not fit the model. The harness let it grow, so it counts as the harness's failure.
    #[error("call model {model}: the prompt is longer than the model's context: {message}")]
    ContextTooLong {
        /// As the user named it.
        model: String,
        /// The server's words.
        message: String,
    },
    /// Every attempt failed on the way or at the server.
    #[error("call model {model}: {attempts} attempts failed, the last with: {last}")]
    Outage {
        /// As the user named it.
        model: String,
        /// How many were made.
        attempts: u32,
        /// One short text for each attempt.
        tried: Vec<String>,
        /// The last failure in full.
        last: String,
    },
    /// The run's cap on tokens, money or time has been reached; no further call is started.
    #[error("call model {model}: the run's cap on {what} is used up: {spent} of {cap}")]
    BudgetSpent {
        /// As the user named it.
        model: String,
        /// `tokens`, `cost` or `time`, as the settings have it.
        what: &'static str,
        /// Spent so far, tokens, US dollars or milliseconds.
        spent: String,
        /// The cap.
        cap: String,
    },
    /// The model cannot do what the request asks.
    #[error("call model {model}: {what}")]
    Unsupported {
        /// As the user named it.
        model: String,
        /// What it cannot do.
        what: String,
    },
    /// A script file is wrong or has no line for a request. `line` 0 is the file as a whole.
    #[error("use script {}:{line}: {problem}", file.display())]
    Script {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}
