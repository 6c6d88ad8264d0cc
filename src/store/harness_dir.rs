//! Harness folders: read, written in canonical form, and identified by their git tree id (`system.md` §2). With
//! [`super::harness_repo`] the sole user of git2.

use super::atomic::{FileError, write_whole};
use crate::domain::harness::{FILE_LIMIT, FILES_LIMIT, HARNESS_FILE, Harness, Manifest, PATH_LIMIT, Problem, TREE_LIMIT, parse_manifest};
use crate::domain::id::HarnessId;
use git2::{ObjectType, Oid};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A harness folder could not be read.
#[derive(Debug, thiserror::Error)]
pub enum HarnessError {
    /// The operating system refused.
    #[error("use a harness: {0}")]
    File(#[from] FileError),
    /// The folder is not a harness.
    #[error("read harness {}: {problem}", dir.display())]
    Content {
        /// The folder.
        dir: PathBuf,
        /// What and where.
        problem: Problem,
    },
    /// git refused.
    #[error("take the git tree id of a harness: {0}")]
    Git(#[from] git2::Error),
}

/// Reads a harness folder.
///
/// # Errors
/// See [`HarnessError`].
pub fn read(dir: &Path) -> Result<(Harness, Vec<usize>), HarnessError> {
    from_files(files(dir)?, dir)
}

/// The files of a harness folder by their paths in it. Hidden files, symbolic links and whatever else is no regular file are passed over.
///
/// # Errors
/// What the operating system refused; more or larger files than a harness may have.
pub fn files(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, FileError> {
    let mut files = BTreeMap::new();
    collect(dir, "", &mut files, &mut 0)?;
    Ok(files)
}

/// Makes a harness of files held in memory.
///
/// # Errors
/// A missing or bad `harness.toml`.
pub fn from_files(mut files: BTreeMap<String, Vec<u8>>, dir: &Path) -> Result<(Harness, Vec<usize>), HarnessError> {
    let content = |problem| HarnessError::Content { dir: dir.to_owned(), problem };
    let bytes = files
        .remove(HARNESS_FILE)
        .ok_or_else(|| content(Problem::at(HARNESS_FILE, 0, "not found; `harnessx init harness DIR` makes a new one")))?;
    let text = String::from_utf8(bytes).map_err(|_| content(Problem::at(HARNESS_FILE, 0, "not UTF-8 text")))?;
    let (manifest, lines): (Manifest, Vec<usize>) = parse_manifest(&text).map_err(content)?;
    Ok((Harness { manifest, files }, lines))
}

fn collect(dir: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>, total: &mut u64) -> Result<(), FileError> {
    let entries = fs::read_dir(dir).map_err(FileError::io("read", dir))?;
    for entry in entries {
        let entry = entry.map_err(FileError::io("read", dir))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(FileError::io("read", &entry.path()))?;
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
        let bad = |message: String| Err(FileError::Content { path: entry.path(), line: 0, message });
        if name.starts_with('.') || !(kind.is_dir() || kind.is_file()) {
            continue;
        }
        if path.len() > PATH_LIMIT {
            return bad(format!("a path of {} bytes; one of a harness has at most {PATH_LIMIT}", path.len()));
        }
        if kind.is_dir() {
            collect(&entry.path(), &path, files, total)?;
            continue;
        }
        let size = entry.metadata().map_err(FileError::io("read", &entry.path()))?.len();
        *total = total.saturating_add(size);
        if size > FILE_LIMIT {
            return bad(format!("{size} bytes; a file of a harness has at most {FILE_LIMIT}"));
        }
        if files.len() >= FILES_LIMIT || *total > TREE_LIMIT {
            return bad(format!("a harness has at most {FILES_LIMIT} files with {TREE_LIMIT} bytes in all"));
        }
        files.insert(path, fs::read(entry.path()).map_err(FileError::io("read", &entry.path()))?);
    }
    Ok(())
}

/// Git tree id of a folder with these files; `manifest` is the canonical `harness.toml`.
///
/// # Errors
/// What git refused.
pub fn tree_id(manifest: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<HarnessId, HarnessError> {
    let id = tree_of::<git2::Error>(&with_manifest(manifest, files), &mut |kind, bytes| Oid::hash_object(kind, bytes))?;
    Ok(HarnessId(id.to_string()))
}

/// All files of the folder, `harness.toml` among them.
pub(super) fn with_manifest<'a>(manifest: &'a str, files: &'a BTreeMap<String, Vec<u8>>) -> BTreeMap<&'a str, &'a [u8]> {
    let mut all: BTreeMap<&str, &[u8]> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    all.insert(HARNESS_FILE, manifest.as_bytes());
    all
}

/// Hands every git object of a folder to `put`, what is inside before what holds it; `put` answers with the object's id.
pub(super) fn tree_of<E>(files: &BTreeMap<&str, &[u8]>, put: &mut impl FnMut(ObjectType, &[u8]) -> Result<Oid, E>) -> Result<Oid, E> {
    let mut entries: BTreeMap<String, (&str, &str, Oid)> = BTreeMap::new();
    let mut folders: BTreeMap<&str, BTreeMap<&str, &[u8]>> = BTreeMap::new();
    for (path, bytes) in files {
        match path.split_once('/') {
            Some((folder, rest)) => {
                folders.entry(folder).or_default().insert(rest, bytes);
            }
            None => {
                entries.insert((*path).to_owned(), ("100644", path, put(ObjectType::Blob, bytes)?));
            }
        }
    }
    for (folder, files) in &folders {
        // Git sorts a folder as if its name ended in a slash.
        entries.insert(format!("{folder}/"), ("40000", folder, tree_of(files, put)?));
    }
    let mut tree = Vec::new();
    for (mode, name, id) in entries.values() {
        tree.extend_from_slice(format!("{mode} {name}\0").as_bytes());
        tree.extend_from_slice(id.as_bytes());
    }
    put(ObjectType::Tree, &tree)
}

/// Writes a harness in canonical form into an empty or new folder.
///
/// # Errors
/// What the operating system refused.
pub fn write(dir: &Path, manifest: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<(), HarnessError> {
    for (path, bytes) in files {
        write_whole(&dir.join(path), bytes)?;
    }
    write_whole(&dir.join(HARNESS_FILE), manifest.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_id_is_what_git_writes() {
        let files: BTreeMap<String, Vec<u8>> =
            [("prompts/a.md", "x"), ("prompts.md", "y"), ("tools/deep/t.js", "z")].map(|(path, text)| (path.into(), text.into())).into();
        let id = tree_id("format = 1\n", &files).unwrap();
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "format = 1\n", &files).unwrap();
        let repository = git2::Repository::init(dir.path()).unwrap();
        let mut index = repository.index().unwrap();
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
        assert_eq!(index.write_tree().unwrap().to_string(), id.as_str());
    }
}
