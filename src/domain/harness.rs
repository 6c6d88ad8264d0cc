//! A harness as data: `harness.toml` and the files beside it (`system.md` §2). Reading the folder is `store`'s, meaning is `runtime`'s.

use super::id::ProcessorName;
use super::nearest::with_nearest;
use super::structure::{AGENTS_LIMIT, AgentSpec, MEMORY, STRATEGY};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use toml::Spanned;

/// Version of the folder format.
pub const HARNESS_FORMAT: u32 = 1;

/// The file that makes a folder a harness.
pub const HARNESS_FILE: &str = "harness.toml";

/// Most bytes of one file of a harness.
pub const FILE_LIMIT: u64 = 4 << 20;

/// Most files of a harness.
pub const FILES_LIMIT: usize = 1000;

/// Most bytes of all files of a harness together.
pub const TREE_LIMIT: u64 = 32 << 20;

/// Most processors of a harness.
pub const PROCESSORS_LIMIT: usize = 256;

/// Longest path of a file within a harness, in bytes.
pub const PATH_LIMIT: usize = 200;

/// Something wrong in a harness or benchmark folder, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path within the folder.
    pub file: String,
    /// Line from 1; 0 when the whole file is meant.
    pub line: usize,
    /// Column from 1, in letters; 0 where it is not known.
    pub column: usize,
    /// What is wrong and what to do, a lower-case fragment.
    pub message: String,
}

impl Problem {
    /// A problem of one line.
    pub fn at(file: &str, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, column: 0, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.file)?;
        for place in [self.line, self.column].into_iter().take_while(|place| *place > 0) {
            write!(out, ":{place}")?;
        }
        write!(out, ": {}", self.message)
    }
}

/// The harness as written: manifest plus every other file by its path within the folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Harness {
    /// `harness.toml`.
    pub manifest: Manifest,
    /// All files but `harness.toml`: path with `/`, to bytes.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Harness {
    /// A text file of the folder.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// Every file of the folder, `harness.toml` among them.
    pub fn folder(&self) -> BTreeMap<String, Vec<u8>> {
        let manifest = toml::to_string(&self.manifest).unwrap_or_default();
        let mut files = self.files.clone();
        files.insert(HARNESS_FILE.to_owned(), manifest.into_bytes());
        files
    }
}

/// `harness.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the folder format.
    pub format: u32,
    /// Short name.
    pub name: String,
    /// One or two sentences.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Processors in the order in which they run within a hook.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processors: Vec<ProcessorSpec>,
    /// Agents that it calls as tools, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub agents: BTreeMap<String, AgentSpec>,
    /// Shared resources.
    #[serde(default, skip_serializing_if = "Slots::is_default")]
    pub slots: Slots,
}

impl Manifest {
    /// Names of the processors in the order listed: the label, with `#1`, `#2` … where several share one.
    pub fn names(&self) -> Vec<ProcessorName> {
        let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for spec in &self.processors {
            counts.entry(spec.label()).or_default().0 += 1;
        }
        let mut names = Vec::with_capacity(self.processors.len());
        for spec in &self.processors {
            let (total, nth) = counts.entry(spec.label()).or_default();
            *nth += 1;
            // [`ProcessorName::label`] takes the number off again.
            names.push(ProcessorName(if *total > 1 { format!("{}#{nth}", spec.label()) } else { spec.label().to_owned() }));
        }
        names
    }
}

/// One `[[processors]]` entry. Exactly one of `use` and `script` is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessorSpec {
    /// A native processor.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
    /// A script of the folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// Its parameters; absent ones have their defaults.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub params: toml::Table,
    /// Lower runs first; equal ones in the order written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub order: i32,
    /// At most one processor a group. Natives bring one of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Run after the processor of this group, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Behaviour version of the native; written by the canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<u32>,
}

impl ProcessorSpec {
    /// The native's name or the script's path.
    pub fn label(&self) -> &str {
        self.native.as_deref().or(self.script.as_deref()).unwrap_or("?")
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(number: &i32) -> bool {
    *number == 0
}

/// Resources shared by processors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Slots {
    /// Tools of the environment that are offered; absent: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Most the agent may use in one episode. The benchmark's own limits hold beside these.
    #[serde(skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
    /// Default sampling of the main model, within the model config's bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<super::request::Sampling>,
}

impl Slots {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Limits of one episode; absent means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Prompt and reply tokens together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// Seconds by the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

impl Limits {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The tighter of two limits, field by field.
    pub fn tightest(&self, other: &Self) -> Self {
        fn least<T: PartialOrd>(one: Option<T>, two: Option<T>) -> Option<T> {
            match (one, two) {
                (Some(one), Some(two)) => Some(if one < two { one } else { two }),
                (one, two) => one.or(two),
            }
        }
        Self {
            steps: least(self.steps, other.steps),
            tokens: least(self.tokens, other.tokens),
            cost: least(self.cost, other.cost),
            seconds: least(self.seconds, other.seconds),
        }
    }

    /// The looser of two limits, field by field.
    pub fn loosest(&self, other: &Self) -> Self {
        fn most<T: PartialOrd>(one: Option<T>, two: Option<T>) -> Option<T> {
            one.zip(two).map(|(one, two)| if one > two { one } else { two })
        }
        Self {
            steps: most(self.steps, other.steps),
            tokens: most(self.tokens, other.tokens),
            cost: most(self.cost, other.cost),
            seconds: most(self.seconds, other.seconds),
        }
    }
}

/// Whether a harness can have a file of this path: within the folder, not hidden (a reader passes hidden files over), printable.
///
/// # Errors
/// A fragment that says why not.
pub fn check_path(path: &str) -> Result<(), String> {
    let problem = if path.is_empty() || path.len() > PATH_LIMIT {
        format!("a path has 1 to {PATH_LIMIT} bytes")
    } else if path.chars().any(|letter| letter.is_control() || letter == '\\') {
        "a path has no control characters and no backslashes".to_owned()
    } else if path.starts_with('/') {
        "a path is relative to the harness".to_owned()
    } else if path.split('/').any(|part| part.is_empty() || part.starts_with('.')) {
        "no part of a path is empty or begins with a dot".to_owned()
    } else if path.split('/').next() == Some(HARNESS_FILE) {
        format!("{HARNESS_FILE} is changed by edits of processors and settings")
    } else {
        return Ok(());
    };
    Err(problem)
}

/// The same value with the keys of every table in code-point order.
pub fn sorted(value: toml::Value) -> toml::Value {
    match value {
        toml::Value::Table(table) => {
            let entries: BTreeMap<String, toml::Value> = table.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            toml::Value::Table(entries.into_iter().collect())
        }
        toml::Value::Array(items) => toml::Value::Array(items.into_iter().map(sorted).collect()),
        toml::Value::String(_) | toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) | toml::Value::Datetime(_) => {
            value
        }
    }
}

/// Line (from 1) of a byte offset.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).fold(1, |line, byte| line + usize::from(byte == b'\n'))
}

/// `harness.toml` as people write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    processors: Vec<Spanned<ProcessorSpec>>,
    #[serde(default)]
    agents: BTreeMap<String, Spanned<AgentSpec>>,
    #[serde(default)]
    slots: Slots,
    memory: Option<Spanned<toml::Table>>,
    strategy: Option<Spanned<toml::Table>>,
}

/// Reads `harness.toml` and says on which lines its processors stand, and after them its agents. Memory and strategy become the last
/// processors.
///
/// # Errors
/// The first problem: syntax, an unknown key, a missing key, a newer format.
pub fn parse_manifest(text: &str) -> Result<(Manifest, Vec<usize>), Problem> {
    let written: Written = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        Problem::at(HARNESS_FILE, line, with_nearest(error.message().trim()))
    })?;
    if written.format != HARNESS_FORMAT {
        let message = format!("format {} is not known here; this program reads format {HARNESS_FORMAT}", written.format);
        return Err(Problem::at(HARNESS_FILE, 1, message));
    }
    let mut lines = Vec::new();
    let mut processors = Vec::new();
    for entry in written.processors {
        lines.push(line_of(text, entry.span().start));
        processors.push(entry.into_inner());
    }
    for (policy, table) in [(MEMORY, written.memory), (STRATEGY, written.strategy)] {
        let Some(table) = table else { continue };
        let line = line_of(text, table.span().start);
        let processor = policy.processor(table.into_inner()).map_err(|message| Problem::at(HARNESS_FILE, line, message))?;
        lines.extend(processor.is_some().then_some(line));
        processors.extend(processor);
    }
    let too_many = |count: usize, what: &str, most: usize| {
        let message = format!("{count} {what}; a harness has at most {most}");
        if count > most { Err(Problem::at(HARNESS_FILE, 0, message)) } else { Ok(()) }
    };
    too_many(processors.len(), "processors", PROCESSORS_LIMIT)?;
    too_many(written.agents.len(), "agents", AGENTS_LIMIT)?;
    lines.extend(written.agents.values().map(|entry| line_of(text, entry.span().start)));
    let agents = written.agents.into_iter().map(|(name, entry)| (name, entry.into_inner())).collect();
    let Written { format, name, description, slots, .. } = written;
    Ok((Manifest { format, name, description, processors, agents, slots }, lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let problem = parse_manifest("format = 1\nname = \"x\"\ncolour = 3\n").unwrap_err();
        assert_eq!(problem.line, 3, "{problem}");
        assert!(problem.message.contains("colour"), "{problem}");
    }

    #[test]
    fn processors_know_their_lines() {
        let text = "format = 1\nname = \"x\"\n\n[[processors]]\nuse = \"a\"\n\n[[processors]]\nuse = \"b\"\n";
        let (manifest, lines) = parse_manifest(text).unwrap();
        assert_eq!(manifest.processors.len(), 2);
        assert_eq!(lines, vec![4, 7]);
    }

    #[test]
    fn strategy_and_memory_are_the_last_processors() {
        let text = "format = 1\nname = \"x\"\n[strategy]\nkind = \"propose_and_vote\"\nvotes = 5\n[memory]\nkind = \"retrieval\"\n\
                    [[processors]]\nuse = \"a\"\n[agents.b]\ndescription = \"d\"\nharness = \"agents/b\"\n";
        let (manifest, lines) = parse_manifest(text).unwrap();
        let groups: Vec<Option<&str>> = manifest.processors.iter().map(|spec| spec.group.as_deref()).collect();
        assert_eq!(groups, [None, Some("memory"), Some("strategy")]);
        assert_eq!(manifest.processors[2].params["votes"].as_integer(), Some(5));
        assert_eq!(lines, [8, 6, 3, 10]);
        let again = toml::to_string(&manifest).unwrap();
        assert_eq!(parse_manifest(&again).unwrap().0, manifest);
    }

    #[test]
    fn a_bad_kind_is_named_with_its_line() {
        let problem = |table: &str| parse_manifest(&format!("format = 1\nname = \"x\"\n{table}\n")).unwrap_err().to_string();
        assert_eq!(problem("[strategy]\nkind = \"reakt\""), "harness.toml:3: strategy: unknown kind \"reakt\"; did you mean \"react\"?");
        assert_eq!(problem("\n[memory]\ncount = 3"), "harness.toml:4: memory: missing key `kind`; known: none, retrieval, line");
        assert!(problem("[strategy]\nkind = \"react\"\nvotes = 3").contains("\"react\" has no parameter \"votes\""));
    }
}
