//! Names and digests as types of their own, so that one is never taken for another.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id!(
    /// One benchmark item, unique within its benchmark.
    TaskId
);
text_id!(
    /// Git tree id (40 hex digits) of a harness in canonical form.
    HarnessId
);
text_id!(
    /// Name of a tool, as the model sees it.
    ToolName
);
text_id!(
    /// Name of a processor within a harness: its native name or its script path.
    ProcessorName
);
text_id!(
    /// Joins a tool call to its result.
    CallId
);
text_id!(
    /// What a reply depends on besides the request: model name, weights, sampling engine.
    PolicyVersion
);
text_id!(
    /// A candidate: `C-R<round>-<number>`.
    CandidateId
);
text_id!(
    /// One of several incumbents.
    VariantId
);
text_id!(
    /// A declaration of limits: steps, tokens, cost per task. Equal limits have equal names.
    LimitsId
);

/// A BLAKE3 digest, written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Digest of several parts, each preceded by its length so that parts cannot run together.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The first eight bytes as a number: a seed for whatever depends on the digest.
    pub fn seed(&self) -> u64 {
        self.0[..8].iter().fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(serde::de::Error::custom("a digest has 64 hex digits"));
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(serde::de::Error::custom)?;
        }
        Ok(Self(bytes))
    }
}

/// Longest name of a tool or id of a call that every provider takes, in bytes.
pub const PLAIN_LIMIT: usize = 64;

/// Whether every provider takes the text as the name of a tool or the id of a call: letters, digits, `_` and `-`, 1 to [`PLAIN_LIMIT`].
pub fn is_plain(text: &str) -> bool {
    (1..=PLAIN_LIMIT).contains(&text.len()) && text.chars().all(is_plain_letter)
}

fn is_plain_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

impl ToolName {
    /// The nearest name that every provider takes: `_` for each odd letter, cut at the end, `_` for none.
    pub fn mended(text: &str) -> Self {
        let mended: String = text.chars().take(PLAIN_LIMIT).map(|letter| if is_plain_letter(letter) { letter } else { '_' }).collect();
        Self(if mended.is_empty() { "_".to_owned() } else { mended })
    }
}

impl ProcessorName {
    /// The name without its number: of several processors of one name in a harness, each has `#` and a number after it.
    pub fn label(&self) -> &str {
        let (label, number) = self.0.rsplit_once('#').unwrap_or((&self.0, ""));
        let is_numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if is_numbered { label } else { &self.0 }
    }
}

impl CandidateId {
    /// Its number in its round, from 1, where it has the form `C-R<round>-<NN>`.
    pub fn number(&self) -> Option<usize> {
        self.0.strip_prefix("C-R")?.rsplit_once('-')?.1.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_json() {
        let digest = Digest::of_parts(&[b"a", b"bc"]);
        let text = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), digest);
        assert_ne!(digest, Digest::of_parts(&[b"ab", b"c"]));
    }

    #[test]
    fn a_processor_has_its_label_whatever_its_number() {
        for (name, label) in
            [("few_shot", "few_shot"), ("few_shot#12", "few_shot"), ("processors/a#b.js", "processors/a#b.js"), ("x#", "x#")]
        {
            assert_eq!(ProcessorName::from(name).label(), label);
        }
    }
}
