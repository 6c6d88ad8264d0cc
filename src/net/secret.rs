//! Keys: a text that never shows itself in debug output, errors or logs.

use std::fmt;

/// What stands in the place of a key wherever text is shown.
const REDACTED: &str = "[key]";

/// Least bytes of a key that is looked for in a model's own words: a shorter one stands for none, such as `none`, and is a word as well.
const LEAST_IN_WORDS: usize = 8;

/// A key. Only this folder can read it; it cannot be displayed or serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a key in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The key, for a header.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of the key blotted out: servers like to repeat what they were sent.
    pub fn blot(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, REDACTED) }
    }

    /// The same in words that a model may have written itself.
    pub(super) fn blot_words(&self, text: String) -> String {
        if self.0.len() >= LEAST_IN_WORDS && text.contains(&self.0) { self.blot(&text) } else { text }
    }

    /// `text`, which was cut off, with the beginning of the key at its end blotted out.
    pub(super) fn blot_end(&self, mut text: String) -> String {
        let begun = self.0.char_indices().rev().map(|(length, _)| length).find(|length| text.ends_with(&self.0[..*length]));
        if let Some(length) = begun.filter(|length| *length > 0) {
            text.truncate(text.len() - length);
            text.push_str(REDACTED);
        }
        text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown() {
        let key = Secret::new("sk-123");
        assert_eq!(format!("{key:?}"), "[key]");
        assert_eq!(key.blot("bad key sk-123."), "bad key [key].");
        assert_eq!(key.blot_end("bad key sk-12".to_owned()), "bad key [key]");
        assert_eq!(key.blot_end("bad key".to_owned()), "bad key");
        assert_eq!(Secret::new("sk-12345").blot_words("sk-12345, none".to_owned()), "[key], none");
        assert_eq!(Secret::new("none").blot_words("sk-12345, none".to_owned()), "sk-12345, none");
    }
}
