//! Branches and tags of a bare repository: one file each, holding a commit's id; packed ones are read too, since a person may run
//! `git gc` here.

use super::objects::part_path;
use super::{HarnessCommit, RepoError};
use crate::store::atomic::{FileError, write_via};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// A full ref name made of `refs/heads/` or `refs/tags/` and a short name.
///
/// # Errors
/// A name that is no ref, or could be taken for something else: letters, digits, `-`, `_`, `.` and `/` only.
pub(super) fn full(kind: &str, short: &str) -> Result<String, RepoError> {
    let is_plain = short.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter));
    let name = format!("refs/{kind}/{short}");
    if is_plain && git2::Reference::is_valid_name(&name) {
        return Ok(name);
    }
    Err(RepoError::Name { name: short.to_owned(), problem: "letters, digits, '-', '_', '.' and '/' only" })
}

/// Where a ref points to.
pub(super) fn read(dir: &Path, name: &str) -> Result<Option<HarnessCommit>, RepoError> {
    let path = dir.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => return Ok(Some(HarnessCommit(text.trim().to_owned()))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory) => {}
        Err(error) => return Err(FileError::io("read", &path)(error).into()),
    }
    Ok(packed(dir)?.remove(name))
}

/// Points a ref to a commit. It is no error if it points there already.
pub(super) fn write(dir: &Path, name: &str, at: &HarnessCommit) -> Result<(), RepoError> {
    if read(dir, name)?.as_ref() != Some(at) {
        write_via(&part_path(dir), &dir.join(name), format!("{}\n", at.0).as_bytes())?;
    }
    Ok(())
}

/// All refs of one folder such as `refs/tags`, by what follows it.
pub(super) fn list(dir: &Path, folder: &str) -> Result<BTreeMap<String, HarnessCommit>, RepoError> {
    let inside = |name: &str| name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
    let mut found: BTreeMap<String, HarnessCommit> = packed(dir)?.into_iter().filter_map(|(name, at)| Some((inside(&name)?, at))).collect();
    let path = dir.join(folder);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(FileError::io("read", &path)(error).into()),
    };
    for entry in entries {
        let entry = entry.map_err(FileError::io("read", &path))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_file()
            && let Some(at) = read(dir, &format!("{folder}/{name}"))?
        {
            found.insert(name, at);
        }
    }
    Ok(found)
}

/// Refs in `packed-refs`.
fn packed(dir: &Path) -> Result<BTreeMap<String, HarnessCommit>, RepoError> {
    let path = dir.join("packed-refs");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(FileError::io("read", &path)(error).into()),
    };
    let lines = text.lines().filter(|line| !line.starts_with(['#', '^']));
    Ok(lines.filter_map(|line| line.split_once(' ')).map(|(id, name)| (name.to_owned(), HarnessCommit(id.to_owned()))).collect())
}
