//! What can go wrong while loading a model or running a job.

use std::path::PathBuf;

/// Failure to load a policy or to run one job; fits after "failed to …".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The weights file cannot be read.
    #[error("read the weights in {path}")]
    Read {
        /// The weights file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The weights file is damaged, or lacks a tensor.
    #[error("parse {part} of {path}")]
    Format {
        /// The weights file.
        path: PathBuf,
        /// The header or the tensor's name.
        part: String,
        /// The cause.
        #[source]
        source: Box<candle_core::Error>,
    },
    /// The file lacks a setting, or has it in another type.
    #[error("find the setting {key} in {path}")]
    Missing {
        /// The weights file.
        path: PathBuf,
        /// The setting.
        key: String,
    },
    /// The model has a shape that this module does not handle.
    #[error("use {path}: {detail}")]
    Unsupported {
        /// The weights file.
        path: PathBuf,
        /// What is not handled.
        detail: String,
    },
    /// The file's vocabulary and merges do not make a tokenizer.
    #[error("build the tokenizer of {path}: {detail}")]
    Tokenizer {
        /// The weights file.
        path: PathBuf,
        /// The cause.
        detail: String,
    },
    /// The worker threads cannot be started.
    #[error("start {threads} threads for {path}")]
    Threads {
        /// The weights file.
        path: PathBuf,
        /// Threads asked for.
        threads: usize,
        /// The cause.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
    /// Context and continuation do not fit the model's window.
    #[error("run job {job}: {tokens} tokens, the model takes {limit}")]
    ContextTooLong {
        /// Place of the job in the batch.
        job: usize,
        /// Tokens asked for.
        tokens: usize,
        /// Tokens the model takes.
        limit: usize,
    },
    /// A job without a context.
    #[error("run job {job}: its context is empty")]
    EmptyContext {
        /// Place of the job in the batch.
        job: usize,
    },
    /// An option without a token.
    #[error("run job {job}: option {option} is empty")]
    EmptyOption {
        /// Place of the job in the batch.
        job: usize,
        /// Place of the option in the job.
        option: usize,
    },
    /// A token id outside the vocabulary.
    #[error("run job {job}: token {token} is outside the vocabulary of {vocabulary}")]
    UnknownToken {
        /// Place of the job in the batch.
        job: usize,
        /// The token.
        token: u32,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// A temperature that is negative or not a number.
    #[error("run job {job}: temperature {temperature} is not a finite number at or above zero")]
    Temperature {
        /// Place of the job in the batch.
        job: usize,
        /// The temperature.
        temperature: f64,
    },
}
