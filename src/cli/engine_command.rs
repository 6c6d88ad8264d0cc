//! The program of the engine `command` as settings name it: its words, the files among them, its limits.

use super::failure::Failure;
use super::settings::Settings;
use crate::domain::harness::FILE_LIMIT;
use crate::rounds::{EngineCommand, Word};
use crate::sandbox::{CommandLimits, find_program};
use crate::store::atomic::FileError;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// What a program that makes candidates may use where nothing else is set: an agent that builds and tries things, not a single tool call.
const LIMITS: CommandLimits =
    CommandLimits { seconds: 600, cpu_seconds: 2400, memory_mb: 4096, processes: 64, output_bytes: 64 << 10, disk_mb: 256 };

/// Ends of names of variables that hold secrets.
const KEY_ENDINGS: [&str; 5] = ["_KEY", "_TOKEN", "_SECRET", "_PASSWORD", "_CREDENTIALS"];

/// Limits that may be set beside time and output; absent: [`LIMITS`].
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EngineLimits {
    /// Megabytes of memory.
    memory_mb: Option<u64>,
    /// Processes at once.
    processes: Option<u32>,
    /// Megabytes on disk.
    disk_mb: Option<u64>,
}

/// A command line that no shell reads.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a command line: a text, or a list of words")]
pub(crate) enum CommandLine {
    /// Word by word.
    Words(Vec<String>),
    /// Split at blanks.
    Line(String),
}

impl CommandLine {
    fn words(&self) -> Vec<String> {
        match self {
            Self::Words(words) => words.clone(),
            Self::Line(line) => line.split_whitespace().map(str::to_owned).collect(),
        }
    }
}

/// The program that the settings name, if they do; it must be here.
pub(crate) fn engine_command(settings: &Settings) -> Result<Option<EngineCommand>, Failure> {
    let keys = &settings.evolution;
    let Some(mut words) = keys.engine_command.as_ref().map(CommandLine::words) else { return Ok(None) };
    let line = words.join(" ");
    let bad = |problem: String| Failure::settings(format!("read engine_command {line:?}: {problem}"));
    let Some(program) = words.first_mut() else { return Err(bad("it names no program".to_owned())) };
    if program.contains('/') {
        *program = placed(program).ok_or_else(|| bad("no such program on this machine".to_owned()))?;
    }
    if find_program(program).is_none() {
        return Err(bad("no such program on this machine".to_owned()).hint("name a program in PATH, or the path of an executable file"));
    }
    if line.contains(['"', '\'']) && matches!(keys.engine_command, Some(CommandLine::Line(_))) {
        return Err(bad("no shell reads it, so quotes do not hold words together".to_owned())
            .hint("put the line into a script, or set a list of words: --set 'engine_command=[\"sh\", \"-c\", \"a b\"]'"));
    }
    let more = keys.engine_limits.unwrap_or_default();
    let limits = CommandLimits {
        seconds: keys.engine_seconds.unwrap_or(LIMITS.seconds),
        cpu_seconds: keys.engine_seconds.map_or(LIMITS.cpu_seconds, |seconds| seconds.saturating_mul(4).clamp(1, 14_400)),
        output_bytes: keys.engine_output.unwrap_or(LIMITS.output_bytes),
        memory_mb: more.memory_mb.unwrap_or(LIMITS.memory_mb),
        processes: more.processes.unwrap_or(LIMITS.processes),
        disk_mb: more.disk_mb.unwrap_or(LIMITS.disk_mb),
    };
    limits.check().map_err(|problem| Failure::settings(format!("read limits of engine_command: {problem}")))?;
    let words = words.into_iter().enumerate().map(|(at, word)| if at == 0 { Ok(Word::Plain(word)) } else { word_of(word) });
    let environment = environment(keys.engine_env.as_deref().unwrap_or_default(), &settings.key_names())?;
    let network = keys.engine_network.unwrap_or(false);
    Ok(Some(EngineCommand { line, words: words.collect::<Result<_, _>>()?, limits, network, environment }))
}

/// The absolute path of a program. A link stays one: a virtual environment's interpreter is one.
fn placed(program: &str) -> Option<String> {
    let path = Path::new(program);
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some(dir.join(path.file_name()?).display().to_string())
}

/// Variables to hand on, as they are set. One that holds a key stays outside: what runs in a sandbox has read what strangers wrote.
fn environment(names: &[String], keys: &BTreeSet<&str>) -> Result<Vec<(String, String)>, Failure> {
    let bad = |name: &str, problem: &str| Failure::settings(format!("read engine_env {name:?}: {problem}"));
    let value_of = |name: &String| {
        let is_key = keys.contains(name.as_str()) || KEY_ENDINGS.iter().any(|ending| name.to_ascii_uppercase().ends_with(ending));
        if is_key {
            let hint = "have a gateway on this machine hold the key, and name the variable of its address, such as OPENAI_BASE_URL";
            return Err(bad(name, "by its name it holds a key, and keys never enter a sandbox").hint(hint));
        }
        let value = std::env::var(name).map_err(|_| bad(name, "not set, or not text").hint(format!("export {name}=…")))?;
        Ok((name.clone(), value))
    };
    names.iter().map(value_of).collect()
}

/// An argument; the path of a file becomes the file.
fn word_of(word: String) -> Result<Word, Failure> {
    let path = Path::new(&word);
    let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_file()) else { return Ok(Word::Plain(word)) };
    let size = path.metadata().map_err(FileError::io("read", path))?.len();
    if size > FILE_LIMIT {
        let hint = "make it executable and name it as the program: the folder that a program lies in is shown";
        return Err(Failure::settings(format!("read {word}: {size} bytes; a file given to a program has at most {FILE_LIMIT}")).hint(hint));
    }
    let bytes = std::fs::read(path).map_err(FileError::io("read", path))?;
    Ok(Word::File { name: name.to_owned(), bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_files_become_files_and_others_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.py");
        std::fs::write(&path, "print(1)").unwrap();
        let word = word_of(path.display().to_string()).unwrap();
        assert_eq!(word, Word::File { name: "agent.py".into(), bytes: b"print(1)".to_vec() });
        assert_eq!(word_of("--fast".into()).unwrap(), Word::Plain("--fast".into()));
        assert_eq!(CommandLine::Line(" a  b ".into()).words(), ["a", "b"]);
    }
}
