//! `tools/*.toml` of a harness: command tools and MCP servers. Read and checked with file and line; run by `runner` and `mcp`.
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
#[cfg(feature = "mcp")]
pub mod mcp;
mod read;
pub mod runner;
mod schema;

pub use runner::{Workbench, check_program};

pub use read::{Server, ToolFile, Transport, read_all};
pub use schema::{check_arguments, fill};

use crate::domain::message::Arguments;
use crate::sandbox::CommandLimits;

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
    /// What is given on stdin.
    pub stdin: Input,
    /// It asks for the network.
    pub network: bool,
    /// Limits of one call.
    pub limits: CommandLimits,
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
