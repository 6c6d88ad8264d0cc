//! A settings file with its text, so that what is wrong in it is said with its line; and the words of the reader without its own types.

use super::failure::Failure;
use crate::domain::harness::line_of;
use crate::domain::nearest::with_nearest;
use crate::store::atomic::read_text;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// What types of this program are called in a message.
const EXPECTED: [(&str, &str); 12] = [
    ("u32", "a whole number from 0"),
    ("u64", "a whole number from 0"),
    ("usize", "a whole number from 0"),
    ("i64", "a whole number"),
    ("f64", "a number"),
    ("a string", "a text"),
    ("a boolean", "true or false"),
    ("a sequence", "a list"),
    ("a map", "a table"),
    ("struct ModelEntry", "a table"),
    ("struct Sampling", "a table"),
    ("string or table", "a name"),
];

/// A settings file as it was read.
pub(super) struct SettingsFile {
    path: PathBuf,
    text: String,
}

impl SettingsFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<(Self, toml::Table), Failure> {
        let file = Self { path: path.to_owned(), text: read_text(path)? };
        let table = file.text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| line_of(&file.text, span.start));
            Failure::settings(format!("read {}:{line}: {}", path.display(), error.message().trim()))
        })?;
        Ok((file, table))
    }

    /// The name that origins have of it.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// File and line of the innermost key of a path that stands in it.
    pub fn place(&self, path: &[&str]) -> String {
        let line = DeTable::parse(&self.text).ok().and_then(|root| line_at(&self.text, root.get_ref(), path));
        line.map_or_else(|| self.name(), |line| format!("{}:{line}", self.name()))
    }
}

fn line_at(text: &str, table: &DeTable<'_>, path: &[&str]) -> Option<usize> {
    let (first, rest) = path.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref().as_ref() == *first)?;
    let inner = value.get_ref().as_table().and_then(|inner| line_at(text, inner, rest));
    inner.or_else(|| Some(line_of(text, key.span().start)))
}

/// A message of the reader in plain words, and the keys that lead to what it speaks of.
pub(super) fn plain_words(error: &toml::de::Error) -> (String, Vec<String>) {
    let message = error.message().trim();
    let whole = error.to_string();
    let place = whole.strip_prefix(error.message()).unwrap_or_default();
    let mut path: Vec<String> = place.split('`').nth(1).map(|path| path.split('.').map(str::to_owned).collect()).unwrap_or_default();
    if let Some(field) = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next()) {
        path.push(field.to_owned());
    }
    let near = with_nearest(message);
    let plain = near.rsplit_once(", expected ").and_then(|(found, expected)| {
        let (_, words) = EXPECTED.iter().find(|(name, _)| *name == expected)?;
        Some(format!("{found}, expected {words}"))
    });
    let said = format!("{} {}", plain.unwrap_or(near), place.trim());
    (said.trim().replace('\n', " "), path)
}
