//! What keeps a command in its place: found out once by trying it, never by files under /sys.

use super::probe;
use super::workspace::Root;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// What the user wants (setting `sandbox`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Bubblewrap where it works, else landlock, else nothing runs.
    #[default]
    Auto,
    /// Bubblewrap or nothing.
    Bubblewrap,
    /// Landlock with seccomp or nothing.
    Landlock,
    /// No protection: only ever typed by the user.
    Off,
}

/// What keeps a command in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Namespaces of its own, by bubblewrap, with a seccomp filter.
    Bubblewrap,
    /// Landlock for files and signals, seccomp for everything else.
    Landlock,
    /// Limits only.
    Off,
}

impl Protection {
    /// Whose root folder commands have under it.
    pub fn root(self) -> Root {
        match self {
            Self::Bubblewrap => Root::Own,
            Self::Landlock | Self::Off => Root::Machine,
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Bubblewrap => "bubblewrap",
            Self::Landlock => "landlock",
            Self::Off => "off",
        })
    }
}

/// A command could not be put into a sandbox. None of these is the command's own failure.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The machine offers no protection of the kind wanted.
    #[error("put a command into a sandbox: {0}")]
    NoProtection(String),
    /// The program is not there: the fault of whoever named it.
    #[error("start {program:?}: {problem}")]
    NoProgram {
        /// As named.
        program: String,
        /// What is wrong.
        problem: String,
    },
    /// The operating system refused.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// Its answer.
        source: std::io::Error,
    },
}

impl SandboxError {
    pub(super) fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::System { what, source }
    }
}

/// How to get a sandbox, in one sentence.
pub const CURE: &str = "install the package `bubblewrap` (apt-get install -y bubblewrap; in a container, user namespaces must be allowed too), or use a \
     kernel with landlock (Linux 6.2 or newer); `--sandbox off` runs commands without protection";

/// The place where commands run: one a run, shared by all episodes.
#[derive(Clone, Debug)]
pub struct Sandbox {
    protection: Protection,
    /// The program that protects, where it is bubblewrap: an absolute path, since what PATH means may change.
    pub(super) launcher: Option<PathBuf>,
    /// Never shown to a command, wherever they lie.
    pub(super) hidden: Vec<PathBuf>,
}

impl Sandbox {
    /// Finds out what the machine offers. `hidden` are folders that no command may see: the run directory, benchmarks, harnesses.
    ///
    /// # Errors
    /// [`SandboxError::NoProtection`] with the cure.
    pub fn new(wanted: Wanted, hidden: Vec<PathBuf>) -> Result<Self, SandboxError> {
        let refuse = |why: String| SandboxError::NoProtection(format!("{why}; {CURE}"));
        let (protection, launcher) = match wanted {
            Wanted::Off => (Protection::Off, None),
            Wanted::Bubblewrap => (Protection::Bubblewrap, Some(probe::launcher().map_err(|error| refuse(error.to_string()))?)),
            Wanted::Landlock => probe::fallback().map(|()| (Protection::Landlock, None)).map_err(refuse)?,
            Wanted::Auto => match (probe::launcher(), probe::fallback()) {
                (Ok(launcher), _) => (Protection::Bubblewrap, Some(launcher)),
                (Err(_), Ok(())) => (Protection::Landlock, None),
                (Err(bubblewrap), Err(fallback)) => return Err(refuse(format!("{bubblewrap}; {fallback}"))),
            },
        };
        let hidden = hidden.into_iter().map(|path| path.canonicalize().unwrap_or(path)).collect();
        Ok(Self { protection, launcher, hidden })
    }

    /// What keeps commands in their place.
    pub fn protection(&self) -> Protection {
        self.protection
    }
}
