//! An Evolver's working copy of the incumbent: files in memory, nothing else. What is written there reaches no disk before it is a
//! candidate.

use super::window::lines_of;
use crate::domain::harness::{FILE_LIMIT, FILES_LIMIT, HARNESS_FILE, Harness, check_path};
use crate::stages::evolve::Workshop;
use crate::store::harness_dir::from_files;
use std::collections::BTreeMap;
use std::path::Path;

/// Most bytes of all files.
const BYTES: usize = 16 << 20;

/// The copy.
pub(super) struct Scratch {
    base: BTreeMap<String, Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Scratch {
    /// A copy of a harness.
    pub(super) fn of(harness: &Harness) -> Self {
        let files = harness.folder();
        Self { base: files.clone(), files }
    }

    /// Back to the incumbent.
    pub(super) fn reset(&mut self) {
        self.files.clone_from(&self.base);
    }

    /// Every file with its size; those that differ from the incumbent are marked.
    pub(super) fn list(&self) -> String {
        let line = |(path, bytes): (&String, &Vec<u8>)| {
            let mark = if self.base.get(path) == Some(bytes) { "" } else { "  (changed)" };
            format!("{path}  {} bytes{mark}\n", bytes.len())
        };
        self.files.iter().map(line).collect()
    }

    /// Lines of a text file.
    ///
    /// # Errors
    /// There is no such file, or it is no text.
    pub(super) fn read(&self, path: &str, from: usize, count: usize) -> Result<String, String> {
        let bytes = self.files.get(path).ok_or_else(|| format!("the harness has no file {path:?}"))?;
        let text = std::str::from_utf8(bytes).map_err(|_| format!("{path:?} is no text"))?;
        Ok(lines_of(text, from, count))
    }

    /// Writes a file.
    ///
    /// # Errors
    /// A path that a harness cannot have, or too much.
    pub(super) fn write(&mut self, path: &str, text: &str) -> Result<(), String> {
        if path != HARNESS_FILE {
            check_path(path)?;
        }
        if text.len() as u64 > FILE_LIMIT {
            return Err(format!("{} bytes; a file of a harness has at most {FILE_LIMIT}", text.len()));
        }
        if self.files.len() >= FILES_LIMIT && !self.files.contains_key(path) {
            return Err(format!("{FILES_LIMIT} files are there already"));
        }
        let others: usize = self.files.iter().filter(|(other, _)| *other != path).map(|(_, bytes)| bytes.len()).sum();
        if others + text.len() > BYTES {
            return Err(format!("the other files have {others} bytes, and this one {}; together at most {BYTES}", text.len()));
        }
        self.files.insert(path.to_owned(), text.as_bytes().to_vec());
        Ok(())
    }

    /// Removes a file.
    ///
    /// # Errors
    /// There is no such file, or a harness cannot be without it.
    pub(super) fn remove(&mut self, path: &str) -> Result<(), String> {
        if path == HARNESS_FILE {
            return Err(format!("a harness without {HARNESS_FILE} is none"));
        }
        self.files.remove(path).map(|_| ()).ok_or_else(|| format!("the harness has no file {path:?}"))
    }

    /// The harness that it makes, checked.
    ///
    /// # Errors
    /// Every problem, a line each with file, line and column.
    pub(super) fn harness(&self, workshop: &Workshop<'_>) -> Result<Harness, String> {
        let (harness, lines) = from_files(self.files.clone(), Path::new("harness")).map_err(|error| error.to_string())?;
        let problems = (workshop.check)(&harness, &lines);
        if problems.is_empty() {
            return Ok(harness);
        }
        Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::harness::parse_manifest;

    #[test]
    fn a_working_copy_is_bounded_and_goes_back_to_what_it_was() {
        let manifest = parse_manifest("format = 1\nname = \"x\"\n").unwrap().0;
        let harness = Harness { manifest, files: BTreeMap::new() };
        let mut scratch = Scratch::of(&harness);
        let large = "x".repeat(4 << 20);
        for at in 0..3 {
            scratch.write(&format!("skills/{at}.md"), &large).unwrap();
        }
        assert!(scratch.write("skills/3.md", &large).unwrap_err().contains("together at most"));
        assert!(scratch.write("skills/2.md", "short").is_ok() && scratch.list().contains("skills/2.md  5 bytes  (changed)"));
        assert!(scratch.write("skills/2.md", &format!("{large}x")).unwrap_err().contains("a file of a harness has at most"));
        scratch.reset();
        assert!(scratch.read("skills/2.md", 1, 1).unwrap_err().contains("no file"));
    }
}
