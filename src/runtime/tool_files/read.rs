//! Reads `tools/*.toml`: every problem with its file and line.

use super::schema::{STANDING, check_schema, places};
use super::{CommandFile, Input};
use crate::domain::harness::{Harness, Problem, line_of};
use crate::domain::id::is_plain;
use crate::domain::message::Arguments;
use crate::domain::nearest::with_nearest;
use crate::sandbox::CommandLimits;
use serde::Deserialize;
use std::collections::BTreeSet;
use toml::Spanned;

/// Keys of servers are read from variables that begin so, and from no others: a harness may be written by a model.
const KEY_PREFIX: &str = "HARNESSX_TOOL_KEY_";

/// Longest name of a tool or server: that of a server leaves room for those of its tools.
const NAME_LIMIT: usize = 32;

/// Longest description of a tool, in bytes.
const DESCRIPTION_LIMIT: usize = 2000;

/// Longest name of an image.
const IMAGE_LIMIT: usize = 200;

/// One file of `tools/`.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolFile {
    /// A command.
    Command(CommandFile),
    /// An MCP server.
    Server(Server),
}

/// An MCP server.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Where it stands, within the harness.
    pub file: String,
    /// Before the names of its tools.
    pub name: String,
    /// How it is reached.
    pub transport: Transport,
    /// Tools that are offered; absent: all.
    pub tools: Option<Vec<String>>,
    /// `seconds` holds for each call, the rest for the whole episode.
    pub limits: CommandLimits,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A program in the sandbox.
    Program {
        /// Command line.
        argv: Vec<String>,
        /// It asks for the network.
        network: bool,
    },
    /// Streamable HTTP.
    Http {
        /// Address.
        url: String,
        /// Variable that holds the key.
        key_env: Option<String>,
    },
}

impl ToolFile {
    /// The name of the tool, or what stands before the names of the server's tools.
    pub fn name(&self) -> &str {
        match self {
            Self::Command(tool) => &tool.name,
            Self::Server(server) => &server.name,
        }
    }

    /// The same, standing in a folder of another harness.
    #[must_use]
    pub fn below(&self, folder: &str) -> Self {
        let mut placed = self.clone();
        let (Self::Command(CommandFile { file, .. }) | Self::Server(Server { file, .. })) = &mut placed;
        *file = format!("{folder}/{file}");
        placed
    }

    /// Where it stands.
    pub fn file(&self) -> &str {
        match self {
            Self::Command(tool) => &tool.file,
            Self::Server(server) => &server.file,
        }
    }

    /// The program of this machine that it starts, if it starts one.
    pub fn program(&self) -> Option<&str> {
        let argv = match self {
            Self::Command(CommandFile { argv, image: None, .. })
            | Self::Server(Server { transport: Transport::Program { argv, .. }, .. }) => argv,
            Self::Command(CommandFile { image: Some(_), .. }) | Self::Server(Server { transport: Transport::Http { .. }, .. }) => {
                return None;
            }
        };
        argv.first().map(String::as_str).filter(|program| !program.contains('{'))
    }

    /// Whether it asks for the network.
    pub fn wants_network(&self) -> bool {
        match self {
            Self::Command(tool) => tool.network,
            Self::Server(Server { transport: Transport::Program { network, .. }, .. }) => *network,
            Self::Server(Server { transport: Transport::Http { .. }, .. }) => true,
        }
    }

    /// Whether it runs in the sandbox.
    pub fn needs_sandbox(&self) -> bool {
        match self {
            Self::Command(tool) => tool.image.is_none(),
            Self::Server(server) => matches!(server.transport, Transport::Program { .. }),
        }
    }

    /// The image in a container of which it runs.
    pub fn image(&self) -> Option<&str> {
        match self {
            Self::Command(tool) => tool.image.as_deref(),
            Self::Server(_) => None,
        }
    }
}

/// The keys as written; which go together is checked afterwards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    kind: Kind,
    name: Spanned<String>,
    description: Option<Spanned<String>>,
    argv: Option<Spanned<Vec<String>>>,
    image: Option<Spanned<String>>,
    stdin: Option<Spanned<String>>,
    schema: Option<Spanned<toml::Table>>,
    url: Option<Spanned<String>>,
    key_env: Option<Spanned<String>>,
    tools: Option<Spanned<Vec<String>>>,
    #[serde(default)]
    network: bool,
    limits: Option<Spanned<CommandLimits>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Command,
    Mcp,
}

/// Reads every `tools/*.toml` of a harness.
///
/// # Errors
/// Every problem found.
pub fn read_all(harness: &Harness) -> Result<Vec<ToolFile>, Vec<Problem>> {
    let (mut tools, mut problems): (Vec<ToolFile>, Vec<Problem>) = (Vec::new(), Vec::new());
    let mut names: BTreeSet<String> = BTreeSet::new();
    for path in harness.files.keys().filter(|path| is_tool_file(path)) {
        let read = harness.text(path).ok_or_else(|| Problem::at(path, 0, "not UTF-8 text")).and_then(|text| File { path, text }.read());
        match read {
            Ok(tool) => {
                let name = tool.name().to_owned();
                if !names.insert(name.clone()) {
                    problems.push(Problem::at(path, 1, format!("another file of tools/ has the name {name:?} already")));
                }
                tools.push(tool);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(tools) } else { Err(problems) }
}

/// Whether a file of a harness describes a command or a server.
pub(super) fn is_tool_file(path: &str) -> bool {
    path.strip_prefix("tools/").and_then(|name| name.strip_suffix(".toml")).is_some_and(|name| !name.contains('/'))
}

struct File<'a> {
    path: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn read(&self) -> Result<ToolFile, Problem> {
        let written: Written = toml::from_str(self.text).map_err(|error| {
            let line = error.span().map_or(0, |span| line_of(self.text, span.start));
            Problem::at(self.path, line, with_nearest(error.message().trim()))
        })?;
        let name = written.name.get_ref();
        if name.len() > NAME_LIMIT || !is_plain(name) {
            let message = format!("name {name:?}: 1 to {NAME_LIMIT} ASCII letters, digits, `_` and `-`");
            return Err(self.at(&written.name, message));
        }
        if let Some(limits) = &written.limits {
            limits.get_ref().check().map_err(|message| self.at(limits, message))?;
        }
        match written.kind {
            Kind::Command => self.command(written).map(ToolFile::Command),
            Kind::Mcp => self.server(written).map(ToolFile::Server),
        }
    }

    fn at<T>(&self, place: &Spanned<T>, message: impl Into<String>) -> Problem {
        Problem::at(self.path, line_of(self.text, place.span().start), message)
    }

    fn absent<T>(&self, place: Option<&Spanned<T>>, key: &str, why: &str) -> Result<(), Problem> {
        place.map_or(Ok(()), |place| Err(self.at(place, format!("{key}: {why}"))))
    }

    fn argv(&self, argv: Option<&Spanned<Vec<String>>>) -> Result<Vec<String>, Problem> {
        let argv = argv.ok_or_else(|| Problem::at(self.path, 1, "missing key `argv`: the command line, such as [\"wc\", \"-w\"]"))?;
        let words = argv.get_ref();
        let problem = match words.first() {
            None => "argv is empty: its first word is the program",
            Some(program) if program.trim().is_empty() => "argv: the first word, the program, is empty",
            Some(program) if places(program).any(|place| place != "tools") => "argv: the program itself cannot be an argument",
            Some(_) if words.iter().any(|word| word.contains('\0')) => "argv: a word holds a zero byte",
            Some(_) => return Ok(words.clone()),
        };
        Err(self.at(argv, problem))
    }

    fn command(&self, written: Written) -> Result<CommandFile, Problem> {
        let only = "only a server has it (kind = \"mcp\")";
        self.absent(written.url.as_ref(), "url", only)?;
        self.absent(written.key_env.as_ref(), "key_env", only)?;
        self.absent(written.tools.as_ref(), "tools", only)?;
        let argv = self.argv(written.argv.as_ref())?;
        let image = written.image.as_ref().map(|image| self.image(image)).transpose()?;
        let description =
            written.description.ok_or_else(|| Problem::at(self.path, 1, "missing key `description`: what the model reads"))?;
        if description.get_ref().trim().is_empty() || description.get_ref().len() > DESCRIPTION_LIMIT {
            return Err(self.at(&description, format!("description: 1 to {DESCRIPTION_LIMIT} bytes")));
        }
        let schema = match &written.schema {
            None => serde_json::json!({ "type": "object", "properties": {} }),
            Some(table) => self.schema(table)?,
        };
        let known = |place: &str| STANDING.contains(&place) || schema.get("properties").and_then(|all| all.get(place)).is_some();
        if let (Some(argv), Some(place)) = (&written.argv, argv.iter().flat_map(|word| places(word)).find(|place| !known(place))) {
            return Err(self.at(argv, format!("argv has a place for {place:?}, which schema.properties does not have")));
        }
        let stdin = match written.stdin.as_ref().map(|stdin| (stdin, stdin.get_ref().as_str())) {
            None => Input::Nothing,
            Some((_, "json")) => Input::Json,
            Some((stdin, text)) => match places(text).find(|place| !known(place)) {
                Some(place) => {
                    return Err(self.at(stdin, format!("stdin has a place for {place:?}, which schema.properties does not have")));
                }
                None => Input::Text(text.to_owned()),
            },
        };
        Ok(CommandFile {
            file: self.path.to_owned(),
            name: written.name.into_inner(),
            description: description.into_inner(),
            schema: Arguments(schema),
            argv,
            image,
            stdin,
            network: written.network,
            limits: written.limits.map(Spanned::into_inner).unwrap_or_default(),
        })
    }

    /// A name of an image: no option of a daemon begins with a letter or digit.
    fn image(&self, image: &Spanned<String>) -> Result<String, Problem> {
        if !cfg!(feature = "containers") {
            return Err(self.at(image, "image: this build lacks containers: build with --features containers"));
        }
        let name = image.get_ref();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
        let is_name =
            name.len() <= IMAGE_LIMIT && name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.bytes().all(is_plain);
        if is_name { Ok(name.clone()) } else { Err(self.at(image, format!("image {name:?}: a name such as \"alpine:3\""))) }
    }

    fn schema(&self, table: &Spanned<toml::Table>) -> Result<serde_json::Value, Problem> {
        let mut schema = serde_json::to_value(table.get_ref()).map_err(|error| self.at(table, format!("schema: {error}")))?;
        if let Some(object) = schema.as_object_mut() {
            object.entry("type").or_insert_with(|| "object".into());
            object.entry("properties").or_insert_with(|| serde_json::json!({}));
        }
        check_schema(&schema).map_err(|(key, message)| {
            // The line of the key at fault, where it can be found below the schema.
            let start = table.span().start;
            let offset = key.and_then(|key| self.text[start.min(self.text.len())..].find(&key)).map_or(start, |found| start + found);
            Problem::at(self.path, line_of(self.text, offset), format!("schema: {message}"))
        })?;
        Ok(schema)
    }

    fn server(&self, written: Written) -> Result<Server, Problem> {
        let only = "only a command has it; a server says itself what its tools are";
        self.absent(written.description.as_ref(), "description", only)?;
        self.absent(written.image.as_ref(), "image", only)?;
        self.absent(written.stdin.as_ref(), "stdin", only)?;
        self.absent(written.schema.as_ref(), "schema", only)?;
        let transport = match (&written.argv, &written.url) {
            (Some(argv), Some(_)) => return Err(self.at(argv, "a server has either `argv` or `url`")),
            (None, None) => return Err(Problem::at(self.path, 1, "a server needs `argv` (a program) or `url` (streamable HTTP)")),
            (Some(_), None) => {
                self.absent(written.key_env.as_ref(), "key_env", "programs get no keys; only a server with `url` has it")?;
                Transport::Program { argv: self.argv(written.argv.as_ref())?, network: written.network }
            }
            (None, Some(url)) => {
                if !url.get_ref().starts_with("http://") && !url.get_ref().starts_with("https://") {
                    return Err(self.at(url, "url: it must begin with http:// or https://"));
                }
                if let Some(key) = written.key_env.as_ref().filter(|key| !key.get_ref().starts_with(KEY_PREFIX)) {
                    return Err(self.at(key, format!("key_env: the variable's name must begin with {KEY_PREFIX}")));
                }
                Transport::Http { url: url.get_ref().clone(), key_env: written.key_env.map(Spanned::into_inner) }
            }
        };
        if !cfg!(feature = "mcp") {
            return Err(self.at(&written.name, "kind = \"mcp\": this build lacks it: build with --features mcp"));
        }
        Ok(Server {
            file: self.path.to_owned(),
            name: written.name.into_inner(),
            transport,
            tools: written.tools.map(Spanned::into_inner),
            limits: written.limits.map_or_else(server_limits, Spanned::into_inner),
        })
    }
}

/// Limits of a server that sets none: it lives as long as an episode.
fn server_limits() -> CommandLimits {
    CommandLimits { cpu_seconds: 600, ..CommandLimits::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::harness::parse_manifest;
    use std::collections::BTreeMap;

    fn read(text: &str) -> Result<Vec<ToolFile>, Vec<Problem>> {
        let (manifest, _) = parse_manifest("format = 1\nname = \"x\"\n").unwrap();
        read_all(&Harness { manifest, files: BTreeMap::from([("tools/t.toml".to_owned(), text.as_bytes().to_vec())]) })
    }

    fn problem(text: &str) -> String {
        read(text).unwrap_err()[0].to_string()
    }

    #[test]
    fn problems_name_file_and_line() {
        let head = "name = \"t\"\ndescription = \"d\"\n";
        assert!(
            problem("name = \"t\"\nargw = []\n").starts_with("tools/t.toml:2: unknown field"),
            "{}",
            problem("name = \"t\"\nargw = []\n")
        );
        assert_eq!(
            problem(&format!("{head}argv = [\"wc\", \"{{file}}\"]\n")),
            "tools/t.toml:3: argv has a place for \"file\", which schema.properties does not have"
        );
        let schema = "argv = [\"wc\"]\n[schema]\nrequired = [\"b\"]\n[schema.properties.a]\ntype = \"strin\"\n";
        assert!(problem(&format!("{head}{schema}")).contains("tools/t.toml:6: schema: "), "{}", problem(&format!("{head}{schema}")));
        for standing in STANDING {
            let chosen = format!("{head}argv = [\"{{tools}}/run\"]\n[schema.properties.{standing}]\ntype = \"string\"\n");
            let said = problem(&chosen);
            assert!(said.starts_with("tools/t.toml:4: schema: ") && said.contains("give the argument another name"), "{said}");
        }
        let limits = "argv = [\"wc\"]\n[limits]\nseconds = 0\n";
        assert!(problem(&format!("{head}{limits}")).contains("seconds is 0; it must be from 1"));
        assert!(problem("name = \"a b\"\n").starts_with("tools/t.toml:1: name"));
        assert!(
            problem("name = \"m\"\nkind = \"mcp\"\nurl = \"http://x/\"\nkey_env = \"OPENAI_API_KEY\"\n")
                .starts_with("tools/t.toml:4: key_env")
        );
        assert!(problem("name = \"m\"\nkind = \"mcp\"\n").contains("needs `argv`"));
    }

    #[test]
    fn a_command_and_a_server_are_read() {
        let text = "name = \"t\"\ndescription = \"d\"\nargv = [\"wc\", \"-{what}\"]\nstdin = \"{text}\"\n[schema.properties.what]\nenum = [\"w\", \"l\"]\n[schema.properties.text]\ntype = \"string\"\n";
        let ToolFile::Command(tool) = read(text).unwrap().remove(0) else { panic!("no command") };
        assert_eq!((tool.stdin, tool.limits), (Input::Text("{text}".into()), CommandLimits::default()));
        assert!(
            matches!(read("name = \"m\"\nkind = \"mcp\"\nargv = [\"x\"]\n").unwrap()[0], ToolFile::Server(_)) || cfg!(not(feature = "mcp"))
        );
    }
}
