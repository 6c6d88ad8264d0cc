//! Typed edits of a harness (`system.md` §2): pure, harness in, harness out. Reading order: this file (what an edit is), `apply` (what a
//! set of edits does to a harness), `bundle` (sets with a name, and how two of them go together), `diff` (from two harnesses to edits).
//!
//! In use: [`Bundle::apply`] gives the edited harness, [`Bundle::join`] gives `a | b` or names what contradicts, [`diff`] gives the edits
//! from one harness to another. The first two take the [`Groups`] of the natives. Whether the result can be
//! played is for its check to say (`runtime::assembly`).

mod apply;
mod bundle;
mod diff;
mod find;

pub use bundle::{Bundle, Conflict};
pub use diff::diff;

use super::harness::{HARNESS_FILE, Harness, ProcessorSpec};
use super::id::{Digest, ProcessorName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One change of a harness. All names in it mean the harness as it stands before the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// One processor more.
    Insert {
        /// The processor.
        processor: ProcessorSpec,
        /// It is listed before this one; absent: at the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Which>,
        /// Among several inserted at one place, lower comes first; equal ones stand in a fixed order of their content.
        #[serde(default, skip_serializing_if = "is_zero")]
        rank: u32,
    },
    /// Another processor in the place of one.
    Replace {
        /// The one that goes.
        which: Which,
        /// The one that comes.
        with: ProcessorSpec,
    },
    /// One processor less.
    Remove {
        /// The one that goes.
        which: Which,
    },
    /// Sets one parameter, also of a processor that another edit of the same bundle inserts.
    SetParam {
        /// Whose.
        which: Which,
        /// Name of the parameter; dots lead into tables.
        key: String,
        /// The value; absent: its default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<toml::Value>,
    },
    /// Sets `name`, `description`, or a key below `agents` and `slots`.
    Set {
        /// Path in `harness.toml`, such as `slots.limits.steps` or `agents.scout`.
        key: String,
        /// The value; absent: its default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<toml::Value>,
    },
    /// Adds or changes a text file: a prompt, a tool, a skill, a script.
    WriteFile {
        /// Path within the folder, with `/`.
        path: String,
        /// The whole new text.
        text: String,
    },
    /// Removes a file.
    RemoveFile {
        /// Path within the folder, with `/`.
        path: String,
    },
}

/// A processor of a harness.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// By its name: that of the native or the script's path; with `#1`, `#2` … in the order listed where there are several.
    Processor(ProcessorName),
    /// By its group.
    Group(String),
}

/// What an edit touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bucket {
    /// Prompts and skills.
    Prompt,
    /// Tools, which of them are offered, and agents that are called as tools, with their folders.
    Tools,
    /// Which processors there are, and their scripts.
    Processor,
    /// Parameters, limits, everything else.
    Config,
}

impl Bucket {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Prompt, Self::Tools, Self::Processor, Self::Config];

    /// Lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Tools => "tools",
            Self::Processor => "processor",
            Self::Config => "config",
        }
    }

    /// What a file of a harness belongs to, by its path.
    pub fn of_path(path: &str) -> Self {
        match path.split('/').next() {
            Some("prompts" | "skills") => Self::Prompt,
            Some("tools" | "agents") => Self::Tools,
            Some("processors") => Self::Processor,
            Some(_) | None => Self::Config,
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The groups that native processors bring along, by native name: the registry knows them (`runtime::native::groups`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(pub BTreeMap<String, String>);

impl Groups {
    /// The group of a processor: its own, else its native's.
    pub fn of<'a>(&'a self, spec: &'a ProcessorSpec) -> Option<&'a str> {
        spec.group.as_deref().or_else(|| self.0.get(spec.native.as_deref()?).map(String::as_str))
    }
}

/// Why edits do not fit a harness.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EditError {
    /// Nothing goes by that name.
    #[error("find processor {}: the harness has none by that name; there are {}", plain(which), plain(known))]
    NoProcessor {
        /// As the edit wrote it.
        which: String,
        /// All names.
        known: String,
    },
    /// Several go by that name.
    #[error("find processor {}: there are {}; name one of them", plain(which), plain(candidates))]
    Ambiguous {
        /// As the edit wrote it.
        which: String,
        /// The names to choose from.
        candidates: String,
    },
    /// A group would hold two.
    #[error("put {} into group {}: it holds {} already; replace or remove that", plain(processor), plain(group), plain(holder))]
    GroupTaken {
        /// The newcomer.
        processor: String,
        /// The group.
        group: String,
        /// Who is in it.
        holder: String,
    },
    /// A parameter or setting that cannot be set so.
    #[error("set {}: {}", plain(key), plain(problem))]
    Key {
        /// Which.
        key: String,
        /// Why not.
        problem: String,
    },
    /// A path that a harness cannot have, or content that it cannot hold.
    #[error("change file {}: {}", plain(path), plain(problem))]
    File {
        /// Path as the edit wrote it.
        path: String,
        /// Why not.
        problem: String,
    },
    /// Too many processors.
    #[error("apply edits: {count} processors; a harness has at most {}", super::harness::PROCESSORS_LIMIT)]
    TooMany {
        /// How many there would be.
        count: usize,
    },
    /// Edits that contradict each other.
    #[error("join edits: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Conflicts(Vec<Conflict>),
}

impl Edit {
    /// The harness with this change.
    ///
    /// # Errors
    /// See [`EditError`]. Whether the result can be played (known processors, parameters, templates) is for its check to say.
    pub fn apply(&self, harness: &Harness, groups: &Groups) -> Result<Harness, EditError> {
        apply::apply(std::slice::from_ref(self), harness, groups)
    }

    /// What it touches.
    pub fn bucket(&self) -> Bucket {
        match self {
            Self::Insert { .. } | Self::Replace { .. } | Self::Remove { .. } => Bucket::Processor,
            Self::Set { key, .. } if key == "slots.tools" || key.split('.').next() == Some("agents") => Bucket::Tools,
            Self::SetParam { .. } | Self::Set { .. } => Bucket::Config,
            Self::WriteFile { path, .. } | Self::RemoveFile { path } => Bucket::of_path(path),
        }
    }

    /// The file that it changes.
    pub fn file(&self) -> &str {
        match self {
            Self::Insert { .. } | Self::Replace { .. } | Self::Remove { .. } | Self::SetParam { .. } | Self::Set { .. } => HARNESS_FILE,
            Self::WriteFile { path, .. } | Self::RemoveFile { path } => path,
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processor(name) => out.write_str(&plain(name.as_str())),
            Self::Group(group) => write!(out, "group {}", plain(group)),
        }
    }
}

/// Digest of edits, whatever they are made on.
pub fn edits_digest(edits: &[Edit]) -> Digest {
    // Edits are plain data: writing them into memory cannot fail.
    Digest::of(&serde_json::to_vec(edits).unwrap_or_default())
}

impl fmt::Display for Edit {
    /// One line in plain words.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert { processor, before, .. } => {
                write!(out, "insert {}", plain(processor.label()))?;
                before.as_ref().map_or(Ok(()), |before| write!(out, " before {before}"))
            }
            Self::Replace { which, with } => write!(out, "replace {which} with {}", plain(with.label())),
            Self::Remove { which } => write!(out, "remove {which}"),
            Self::SetParam { which: Which::Processor(name), key, value } => set(out, &format!("{name}.{key}"), value.as_ref()),
            Self::SetParam { which: Which::Group(group), key, value } => set(out, &format!("{key} of group {group}"), value.as_ref()),
            Self::Set { key, value } => set(out, key, value.as_ref()),
            Self::WriteFile { path, text } => write!(out, "write {} ({} bytes)", plain(path), text.len()),
            Self::RemoveFile { path } => write!(out, "remove file {}", plain(path)),
        }
    }
}

fn set(out: &mut fmt::Formatter<'_>, what: &str, value: Option<&toml::Value>) -> fmt::Result {
    match value {
        Some(value) => write!(out, "set {} to {}", plain(what), plain(&value.to_string())),
        None => write!(out, "set {} back to its default", plain(what)),
    }
}

/// Most characters of a name or value in a line for people.
const SHOWN: usize = 120;

/// A text that others wrote, fit for one line: what cannot be printed is escaped, what is long is cut.
fn plain(text: &str) -> String {
    let mut shown = String::new();
    for (index, letter) in text.chars().enumerate() {
        if index == SHOWN {
            shown.push('…');
            break;
        }
        match letter {
            '"' | '\'' | '\\' => shown.push(letter),
            _ => shown.extend(letter.escape_debug()),
        }
    }
    shown
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
