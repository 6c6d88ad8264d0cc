//! Harnesses and benchmarks by name or by path: a folder on disk, else the copy inside the binary.

use super::failure::Failure;
use crate::bench::Benchmark;
use crate::domain::harness::Harness;
use crate::domain::id::HarnessId;
use crate::domain::meta::Role;
use crate::runtime::assembly::Assembly;
use crate::store::atomic::read_text;
use crate::store::harness_dir;
use include_dir::{Dir, include_dir};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

static HARNESSES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/harnesses");
static BENCHMARKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/benchmarks");

/// A harness that passed its check, with its identity.
pub(crate) struct LoadedHarness {
    /// Checked and ordered.
    pub assembly: Assembly,
    /// Git tree id of the canonical form.
    pub id: HarnessId,
}

/// A folder on disk that `name` points to: itself, or below `under`.
fn folder(name: &str, under: &str, file: &str) -> Option<PathBuf> {
    [PathBuf::from(name), Path::new(under).join(name)].into_iter().find(|dir| dir.join(file).is_file())
}

/// Names of embedded folders that have this file.
fn names(dir: &Dir<'_>, file: &str) -> String {
    let is_one = |entry: &&Dir<'_>| entry.get_file(entry.path().join(file)).is_some();
    let names = dir.dirs().filter(is_one).filter_map(|entry| entry.path().file_name());
    names.map(|name| name.to_string_lossy().into_owned()).collect::<Vec<_>>().join(", ")
}

/// Roles of the meta-agent whose harnesses a folder has, each in a sub-folder; none where it is a harness itself.
pub(crate) fn roles(name: &str) -> Vec<Role> {
    if Path::new(name).join("harness.toml").is_file() {
        return Vec::new();
    }
    let is_there = |role: &Role| {
        let own = format!("{name}/{role}");
        folder(&own, "harnesses", "harness.toml").is_some() || embedded(&HARNESSES, &own).is_some()
    };
    Role::ALL.into_iter().filter(is_there).collect()
}

/// All files below an embedded folder, by path relative to it.
pub(crate) fn embedded(root: &Dir<'_>, name: &str) -> Option<BTreeMap<String, Vec<u8>>> {
    fn walk(dir: &Dir<'_>, base: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for file in dir.files() {
            let path = file.path().strip_prefix(base).unwrap_or(file.path());
            files.insert(path.to_string_lossy().into_owned(), file.contents().to_vec());
        }
        dir.dirs().for_each(|inner| walk(inner, base, files));
    }
    let dir = root.get_dir(name.trim_start_matches("harnesses/").trim_start_matches("benchmarks/"))?;
    let mut files = BTreeMap::new();
    walk(dir, dir.path(), &mut files);
    Some(files)
}

/// Finds, reads and checks a harness.
pub(crate) fn harness(name: &str) -> Result<LoadedHarness, Failure> {
    let (harness, lines) = match folder(name, "harnesses", "harness.toml") {
        Some(dir) => harness_dir::read(&dir)?,
        None if Path::new(name).is_dir() => harness_dir::read(Path::new(name))?,
        None => {
            let files = embedded(&HARNESSES, name).ok_or_else(|| {
                Failure::settings(format!("find harness {name:?}: no such folder, and no such name"))
                    .hint(format!("known names: {}", names(&HARNESSES, "harness.toml")))
            })?;
            harness_dir::from_files(files, Path::new(name))?
        }
    };
    checked(name, harness, &lines)
}

/// Checks a harness that was read from somewhere; `name` is for messages.
pub(crate) fn checked(name: &str, harness: Harness, lines: &[usize]) -> Result<LoadedHarness, Failure> {
    let assembly = Assembly::new(harness, lines).map_err(|problems| Failure::problems(name, &problems))?;
    let id = harness_dir::tree_id(assembly.canonical_manifest(), &assembly.harness().files)?;
    Ok(LoadedHarness { assembly, id })
}

/// Finds and reads a benchmark.
pub(crate) fn benchmark(name: &str) -> Result<Benchmark, Failure> {
    if let Some(dir) = folder(name, "benchmarks", "benchmark.toml") {
        return Ok(Benchmark::parse(&read_text(&dir.join("benchmark.toml"))?, &dir)?);
    }
    let files = embedded(&BENCHMARKS, name).ok_or_else(|| {
        Failure::settings(format!("find benchmark {name:?}: no such folder, and no such name"))
            .hint(format!("known names: {}", names(&BENCHMARKS, "benchmark.toml")))
    })?;
    let text = files.get("benchmark.toml").map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    Ok(Benchmark::parse(&text, Path::new(name))?)
}
