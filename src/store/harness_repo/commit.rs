//! A commit as text: what git keeps of it, and what is read back. Author and committer are the program; the time is the caller's.

use crate::domain::id::HarnessId;
use crate::domain::untrusted::{one_line, paragraphs};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Author and committer of every commit; nothing of the person who runs the program.
const AUTHOR: &str = "harnessx <harnessx@localhost>";

/// A commit id, 40 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct HarnessCommit(pub(super) String);

impl HarnessCommit {
    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HarnessCommit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What is to be committed: a harness in canonical form and its place in history.
#[derive(Clone, Copy, Debug)]
pub struct NewCommit<'a> {
    /// The canonical `harness.toml`.
    pub manifest: &'a str,
    /// All other files, by path.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// The commits it follows, the branch it goes on first; none for a baseline.
    pub parents: &'a [HarnessCommit],
    /// What is said of it.
    pub message: &'a CommitMessage,
    /// Seconds since 1970.
    pub seconds: u64,
}

/// A commit's message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CommitMessage {
    /// One line.
    pub title: String,
    /// More, in paragraphs; may be empty.
    pub body: String,
    /// Lines `Key: value` at the end, in order: `Round`, `Candidate`, `Parent`, `Predicted`, `Gate`.
    pub trailers: Vec<(String, String)>,
}

impl fmt::Display for CommitMessage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = one_line(&self.title);
        writeln!(out, "{}", if title.is_empty() { "(no title)" } else { &title })?;
        let body = paragraphs(&self.body);
        if !body.trim().is_empty() {
            write!(out, "\n{}\n", body.trim())?;
        }
        if !self.trailers.is_empty() {
            out.write_char('\n')?;
        }
        self.trailers.iter().try_for_each(|(key, value)| writeln!(out, "{}: {}", one_line(key), one_line(value)))
    }
}

/// A commit as it is read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogEntry {
    /// Its id.
    pub commit: HarnessCommit,
    /// The harness it holds.
    pub harness: HarnessId,
    /// What it follows.
    pub parents: Vec<HarnessCommit>,
    /// Seconds since 1970.
    pub seconds: u64,
    /// Its whole message.
    pub message: String,
}

impl LogEntry {
    /// The first line of the message.
    pub fn title(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    /// The value of a trailer: a line `Key: value` of the last paragraph.
    pub fn trailer(&self, key: &str) -> Option<&str> {
        let (_, last) = self.message.trim_end().rsplit_once("\n\n")?;
        last.lines().filter_map(|line| line.split_once(": ")).find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Reads a commit object; `None` where it is none.
    pub(super) fn parse(commit: HarnessCommit, text: &str) -> Option<Self> {
        let (head, message) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
        let value = |line: &str, key: &str| line.strip_prefix(key)?.strip_prefix(' ').map(str::to_owned);
        let harness = head.lines().find_map(|line| value(line, "tree"))?;
        let parents = head.lines().filter_map(|line| value(line, "parent")).map(HarnessCommit).collect();
        let committer = head.lines().find_map(|line| value(line, "committer"))?;
        let seconds = committer.rsplit(' ').nth(1)?.parse().ok()?;
        Some(Self { commit, harness: HarnessId(harness), parents, seconds, message: message.to_owned() })
    }
}

/// The bytes of a commit object.
pub(super) fn text(tree: &str, new: &NewCommit<'_>) -> String {
    let mut text = format!("tree {tree}\n");
    for parent in new.parents {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "parent {parent}");
    }
    let who = format!("{AUTHOR} {} +0000", new.seconds);
    let _ = write!(text, "author {who}\ncommitter {who}\n\n{}", new.message);
    text
}
