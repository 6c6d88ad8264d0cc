//! Who reads which file of a harness: a file is one of examples only where a `few_shot` reads it and nothing else could.

use super::pieces::texts_in;
use crate::domain::harness::{HARNESS_FILE, Harness, Manifest, ProcessorSpec, parse_manifest};
use crate::domain::structure::parted;
use crate::runtime::native;
use std::collections::BTreeSet;

/// The readers of a harness's files.
pub(super) struct Readers<'a> {
    /// Files that a `few_shot` reads.
    examples: BTreeSet<String>,
    /// Texts that other processors are given: one may be a path, or how the paths of a folder of notes (`*.md`) begin.
    others: BTreeSet<String>,
    /// Scripts and tools, which may name a file in any way.
    code: Vec<&'a str>,
}

impl<'a> Readers<'a> {
    /// Of a harness and of its agents.
    pub fn of(harness: &'a Harness) -> Self {
        let code = harness.files.keys().filter(|path| ["tools/", "processors/"].iter().any(|folder| parted(path).1.starts_with(folder)));
        let code = code.filter_map(|path| harness.text(path)).collect();
        let mut readers = Self { examples: BTreeSet::new(), others: BTreeSet::new(), code };
        readers.add("", &harness.manifest);
        for agent in harness.manifest.agents.values() {
            let folder = format!("{}/", agent.harness.trim_end_matches('/'));
            let manifest = harness.text(&format!("{folder}{HARNESS_FILE}")).and_then(|text| parse_manifest(text).ok());
            if let Some((manifest, _)) = manifest {
                readers.add(&folder, &manifest);
            }
        }
        readers
    }

    fn add(&mut self, folder: &str, manifest: &Manifest) {
        for spec in &manifest.processors {
            let params = completed(spec);
            let file = params.get("file").and_then(toml::Value::as_str).filter(|_| spec.native.as_deref() == Some("few_shot"));
            if let Some(file) = file {
                self.examples.insert(format!("{folder}{file}"));
                continue;
            }
            let mut texts = Vec::new();
            texts_in(&toml::Value::Table(params.clone()), &mut texts);
            self.others.extend(texts.iter().filter(|text| !text.is_empty()).map(|text| format!("{folder}{text}")));
        }
    }

    /// Whether a file is shown as examples and is nothing else.
    pub fn is_for_examples(&self, path: &str) -> bool {
        self.examples.contains(path) && !self.is_read_otherwise(path)
    }

    /// Whether something else than a `few_shot` could read a file.
    pub fn is_read_otherwise(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_note = path.strip_suffix(".md").is_some();
        parted(path).1.starts_with("skills/")
            || self.others.iter().any(|text| path == text || (is_note && path.starts_with(text.as_str())))
            || self.code.iter().any(|text| text.contains(name))
    }
}

/// All parameters of a processor; those given, where it is a script.
fn completed(spec: &ProcessorSpec) -> toml::Table {
    let native = spec.native.as_deref().and_then(native::find);
    native.and_then(|native| (native.complete)(&spec.params).ok()).unwrap_or_else(|| spec.params.clone())
}
