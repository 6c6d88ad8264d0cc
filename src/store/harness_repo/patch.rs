//! The unified patch from one set of files to another, in git's format.

use super::RepoError;
use git2::{DiffLineType, DiffOptions, Patch};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The patch that leads from some files to others, file by file in order of path; empty where they are equal. Bytes that are not UTF-8 are
/// replaced; a binary file is named only.
///
/// # Errors
/// What git refused.
pub fn patch(from: &BTreeMap<String, Vec<u8>>, to: &BTreeMap<String, Vec<u8>>) -> Result<String, RepoError> {
    let paths: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let mut text = String::new();
    for path in paths {
        let (old, new) = (from.get(path), to.get(path));
        if old != new {
            one_file(path, old, new, &mut text)?;
        }
    }
    Ok(text)
}

fn one_file(path: &str, old: Option<&Vec<u8>>, new: Option<&Vec<u8>>, text: &mut String) -> Result<(), RepoError> {
    let (mode, before, after) = match (old.is_some(), new.is_some()) {
        (false, _) => ("new file mode 100644\n", "/dev/null".to_owned(), format!("b/{path}")),
        (true, false) => ("deleted file mode 100644\n", format!("a/{path}"), "/dev/null".to_owned()),
        (true, true) => ("", format!("a/{path}"), format!("b/{path}")),
    };
    // Writing into a String cannot fail.
    let _ = write!(text, "diff --git a/{path} b/{path}\n{mode}");
    let (old, new) = (old.map_or(&[][..], Vec::as_slice), new.map_or(&[][..], Vec::as_slice));
    let git = |source| RepoError::Git { action: "compare", what: path.to_owned(), source };
    let mut options = DiffOptions::new();
    let mut hunks = Patch::from_buffers(old, None, new, None, Some(&mut options)).map_err(git)?;
    let mut is_first = true;
    hunks
        .print(&mut |_, _, line| {
            let kind = line.origin_value();
            if kind == DiffLineType::Binary {
                let _ = writeln!(text, "Binary files {before} and {after} differ");
            } else if kind != DiffLineType::FileHeader {
                if std::mem::take(&mut is_first) {
                    let _ = write!(text, "--- {before}\n+++ {after}\n");
                }
                if matches!(kind, DiffLineType::Context | DiffLineType::Addition | DiffLineType::Deletion) {
                    text.push(line.origin());
                }
                text.push_str(&String::from_utf8_lossy(line.content()));
            }
            true
        })
        .map_err(git)
}
