//! Why a household game or transcript could not be read.

use std::path::PathBuf;

/// Why a game or a transcript could not be read; the text fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum GameError {
    /// The file or folder could not be read.
    #[error("read {path}: {source}")]
    Read {
        /// File or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The gzip stream is damaged or cut short.
    #[error("unpack {path}: {source}")]
    Unpack {
        /// File name or label of the bytes.
        path: String,
        /// What the decoder said.
        source: std::io::Error,
    },
    /// The file is larger than any game.
    #[error("read {path}: more than {limit} bytes")]
    TooLarge {
        /// File name or label of the bytes.
        path: String,
        /// Most bytes accepted, unpacked.
        limit: u64,
    },
    /// The bytes are not the JSON object expected.
    #[error("parse {path}, line {line}: {source}")]
    Json {
        /// File name or label of the bytes.
        path: String,
        /// Line in the JSON text, from 1.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A required field of the game file is absent or empty.
    #[error("parse {path}, line 1: no {field} in the game file")]
    MissingField {
        /// File name or label of the bytes.
        path: String,
        /// `pddl_domain`, `grammar` or `pddl_problem`.
        field: &'static str,
    },
    /// The problem text is not a problem of the household domain.
    #[error("parse {path}, pddl_problem line {line}: {reason}")]
    Problem {
        /// File name or label of the bytes.
        path: String,
        /// Line in the problem text, from 1.
        line: u32,
        /// What is wrong, a lower-case fragment.
        reason: String,
    },
    /// The grammar holds no task sentence.
    #[error("parse {path}, grammar line {line}: {reason}")]
    Grammar {
        /// File name or label of the bytes.
        path: String,
        /// Line in the grammar text, from 1.
        line: u32,
        /// What is wrong, a lower-case fragment.
        reason: String,
    },
}

/// A fault in one line of a text, before the file's name is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Line in the text, from 1.
    pub line: u32,
    /// What is wrong, a lower-case fragment.
    pub reason: String,
}

impl Fault {
    /// A fault at a line.
    pub fn new(line: u32, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }
}
