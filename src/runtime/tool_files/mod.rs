//! `tools/*.toml` of a harness: command tools and MCP servers. Read and checked with file and line; run by `runner` and `mcp`;
//! answered from the record of an episode by `recorded`.
//!
//! ```toml
//! name = "count_words"
//! description = "Counts the words of a text."
//! argv = ["wc", "-w"]              # never a shell; `{text}` in a word is replaced by the argument of that name
//! stdin = "{text}"                 # or "json": all arguments as JSON
//! [schema.properties.text]
//! type = "string"
//! [limits]
//! seconds = 5
//! ```
//!
//! `kind = "mcp"` makes it a server: `argv` (spoken to over stdin and stdout, in the sandbox) or `url` (streamable HTTP).

#[cfg(feature = "mcp")]
mod http;
mod keys;
#[cfg(feature = "mcp")]
pub mod mcp;
#[cfg(feature = "mcp")]
mod pipes;
mod read;
pub mod recorded;
pub mod runner;
mod schema;

pub use runner::{Workbench, check_program};

pub use read::{Server, ToolFile, Transport, read_all};
pub use recorded::RecordedTools;
pub use schema::{check_arguments, fill};

use crate::domain::harness::Harness;
use crate::domain::id::Digest;
use crate::domain::message::{Arguments, ToolSpec};
use crate::runtime::scripted::Tool;
use crate::sandbox::CommandLimits;
use read::is_tool_file;

/// A command tool.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandFile {
    /// Where it stands, within the harness.
    pub file: String,
    /// As the model calls it.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON schema of its arguments.
    pub schema: Arguments,
    /// Command line with places for arguments.
    pub argv: Vec<String>,
    /// Image in a container of which it runs; absent: programs of this machine, in the sandbox.
    pub image: Option<String>,
    /// What is given on stdin.
    pub stdin: Input,
    /// It asks for the network.
    pub network: bool,
    /// Limits of one call.
    pub limits: CommandLimits,
}

impl CommandFile {
    /// As the model sees it.
    fn spec(&self) -> ToolSpec {
        ToolSpec { name: self.name.as_str().into(), description: self.description.clone(), schema: self.schema.clone() }
    }
}

impl ToolFile {
    /// Digest of all that decides what its tools do: its own text, and what the harness shows to them. One of another text may do the same;
    /// one of the same text is the same.
    pub fn body(&self, harness: &Harness) -> Digest {
        let own = harness.files.get(self.file()).map(Vec::as_slice).unwrap_or_default();
        let mut parts: Vec<&[u8]> = vec![self.file().as_bytes(), own];
        parts.extend(shown(harness).flat_map(|(path, bytes)| [path.as_bytes(), bytes]));
        Digest::of_parts(&parts)
    }
}

/// The files that commands and servers find below `{tools}`, by their path there: what of `tools/` is no tool itself.
fn shown(harness: &Harness) -> impl Iterator<Item = (&str, &[u8])> {
    let beside = harness.files.iter().filter(|(path, _)| !is_tool_file(path) && !Tool::is_one(path));
    beside.filter_map(|(path, bytes)| Some((path.strip_prefix("tools/")?, bytes.as_slice())))
}

/// What a command gets on stdin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing.
    Nothing,
    /// All arguments as one JSON object.
    Json,
    /// A text with places for arguments.
    Text(String),
}
