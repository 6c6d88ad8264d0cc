//! A policy: network, tokenizer and the identity of its weights.

use std::path::Path;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::error::PolicyError;
use super::forward::Network;
use super::tokenizer::Tokenizer;
use super::weights;

/// A loaded model and the threads it runs on.
#[derive(Debug)]
pub struct Policy {
    pub(super) network: Network,
    pub(super) threads: ThreadPool,
    tokenizer: Tokenizer,
    fingerprint: String,
}

impl Policy {
    /// Reads a GGUF file.
    pub fn load(path: &Path, threads: usize) -> Result<Policy, PolicyError> {
        let mut hasher = blake3::Hasher::new();
        let file = std::fs::File::open(path).map_err(|source| PolicyError::Read { path: path.into(), source })?;
        hasher.update_reader(file).map_err(|source| PolicyError::Read { path: path.into(), source })?;
        let pool = ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
        let pool = pool.map_err(|source| PolicyError::Threads { path: path.into(), threads, source })?;
        let (weights, vocabulary) = weights::read_gguf(path)?;
        Ok(Policy {
            network: pool.install(|| Network::new(&weights)),
            threads: pool,
            tokenizer: Tokenizer::new(path, vocabulary)?,
            fingerprint: hasher.finalize().to_hex().to_string(),
        })
    }

    /// BLAKE3 of the weights file, in hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Tokens of a text, none of them special.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text)
    }

    /// A special token by its name, such as `<|im_end|>`.
    pub fn special(&self, name: &str) -> Option<u32> {
        self.tokenizer.special(name)
    }

    /// Text of some tokens, special ones by their names.
    pub fn decode(&self, tokens: &[u32]) -> String {
        self.tokenizer.decode(tokens)
    }

    /// Most tokens of a context and its continuation.
    pub fn context_length(&self) -> usize {
        self.network.shape().context_length
    }
}
