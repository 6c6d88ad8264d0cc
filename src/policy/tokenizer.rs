//! Text to tokens and back, from the vocabulary in the weights file: byte-level pairs, digits one by one.
//!
//! Text never becomes a special token: those are had by name only.

use std::collections::HashMap;
use std::path::Path;

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;

use super::error::PolicyError;

/// GGUF's mark of an ordinary token.
const ORDINARY: i32 = 1;

/// What the file says about its tokens.
#[derive(Debug)]
pub struct Vocabulary {
    /// Text of each token, bytes written as printable characters.
    pub tokens: Vec<String>,
    /// Pairs to join, most important first, a space between the parts.
    pub merges: Vec<String>,
    /// Kind of each token.
    pub kinds: Vec<i32>,
}

/// Text to tokens and back.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    special: HashMap<String, u32>,
}

impl Tokenizer {
    /// Builds the tokenizer of the file at `path`.
    pub fn new(path: &Path, vocabulary: Vocabulary) -> Result<Tokenizer, PolicyError> {
        let fail = |detail: String| PolicyError::Tokenizer { path: path.into(), detail };
        let split = |merge: String| match merge.split_once(' ') {
            Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
            None => Err(fail(format!("the merge {merge:?} has no space"))),
        };
        let merges = vocabulary.merges.into_iter().map(split).collect::<Result<Vec<_>, _>>()?;
        let numbered = || vocabulary.tokens.iter().cloned().zip(0..);
        let special = numbered().zip(&vocabulary.kinds).filter(|(_, kind)| **kind != ORDINARY);
        let special = special.map(|(token, _)| token).collect();
        let pairs = BPE::builder().vocab_and_merges(numbered().collect::<tokenizers::models::bpe::Vocab>(), merges);
        let mut inner = tokenizers::Tokenizer::new(pairs.build().map_err(|error| fail(error.to_string()))?);
        let (digits, bytes) = (Digits::new(true), ByteLevel::new(false, true, true));
        inner.with_pre_tokenizer(Some(Sequence::new(vec![digits.into(), bytes.into()])));
        inner.with_decoder(Some(ByteLevel::default()));
        Ok(Tokenizer { inner, special })
    }

    /// Tokens of a text; bytes that the vocabulary lacks (some control characters) are left out.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        // without a normaliser, truncation or a post-processor nothing in here can fail
        self.inner.encode_fast(text, false).map_or_else(|_| Vec::new(), |encoding| encoding.get_ids().to_vec())
    }

    /// A special token by its name, such as `<|im_end|>`.
    pub fn special(&self, name: &str) -> Option<u32> {
        self.special.get(name).copied()
    }

    /// Text of some tokens, special ones by their names; bytes that are no UTF-8 become U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        self.inner.decode(tokens, false).unwrap_or_default()
    }
}
