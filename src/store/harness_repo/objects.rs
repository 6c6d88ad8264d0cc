//! The object database of a bare repository. Read by libgit2, loose or packed; written here as loose objects, each a whole file renamed
//! into place, so that a kill leaves nothing half-written and no configuration of the machine has a say.

use super::RepoError;
use crate::domain::harness::FILE_LIMIT;
use crate::store::atomic::{FileError, write_via};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use git2::{ObjectType, Odb, OdbLookupFlags, Oid};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Deepest folder of a harness that is read.
const DEPTH_LIMIT: u32 = 100;

/// Objects of one repository.
pub(super) struct Objects {
    dir: PathBuf,
    odb: Odb<'static>,
}

/// Where a file of the repository is written before it is renamed into place: git passes over it there.
pub(super) fn part_path(dir: &Path) -> PathBuf {
    dir.join(format!("incoming.{}.part", std::process::id()))
}

impl Objects {
    /// Opens the objects of the repository at `dir`.
    pub fn open(dir: &Path) -> Result<Self, RepoError> {
        let path = dir.join("objects");
        fs::create_dir_all(&path).map_err(FileError::io("create", &path))?;
        let text = path.to_str().ok_or_else(|| RepoError::Name { name: path.display().to_string(), problem: "not UTF-8" })?;
        let odb = Odb::new().and_then(|odb| odb.add_disk_alternate(text).map(|()| odb)).map_err(RepoError::git("open", text))?;
        Ok(Self { dir: dir.to_owned(), odb })
    }

    /// Writes an object that is not there yet.
    pub fn write(&self, kind: ObjectType, bytes: &[u8]) -> Result<Oid, RepoError> {
        let id = Oid::hash_object(kind, bytes).map_err(RepoError::git("hash", kind))?;
        if self.odb.exists_ext(id, OdbLookupFlags::NO_REFRESH) {
            return Ok(id);
        }
        let hex = id.to_string();
        let path = self.dir.join("objects").join(&hex[..2]).join(&hex[2..]);
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        let packed = write!(encoder, "{kind} {}\0", bytes.len()).and_then(|()| encoder.write_all(bytes)).and_then(|()| encoder.finish());
        write_via(&part_path(&self.dir), &path, &packed.map_err(FileError::io("write", &path))?)?;
        Ok(id)
    }

    /// Kind and bytes of an object.
    pub fn read(&self, id: Oid) -> Result<(ObjectType, Vec<u8>), RepoError> {
        let object = self.odb.read(id).map_err(RepoError::git("read", id))?;
        Ok((object.kind(), object.data().to_vec()))
    }

    /// The one object whose id begins with some hex digits.
    pub fn find(&self, prefix: &str) -> Option<Oid> {
        let is_hex = (4..=40).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
        let short = is_hex.then(|| Oid::from_str(prefix).ok())??;
        self.odb.exists_prefix(short, prefix.len()).ok()
    }

    /// Every file of a tree, by path.
    pub fn files(&self, tree: Oid) -> Result<BTreeMap<String, Vec<u8>>, RepoError> {
        let mut files = BTreeMap::new();
        self.collect(tree, "", DEPTH_LIMIT, &mut files)?;
        Ok(files)
    }

    fn collect(&self, tree: Oid, prefix: &str, depth: u32, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), RepoError> {
        let damaged = |problem: String| RepoError::Damaged { object: tree.to_string(), problem };
        let (kind, bytes) = self.read(tree)?;
        if kind != ObjectType::Tree || depth == 0 {
            return Err(damaged(format!("a {kind} where a folder of a harness belongs")));
        }
        for (mode, name, id) in entries(&bytes).ok_or_else(|| damaged("not a git tree".to_owned()))? {
            let path = format!("{prefix}{name}");
            if name.starts_with('.') || name.contains(['/', '\\']) || name.chars().any(char::is_control) {
                return Err(damaged(format!("{path:?} is no path of a harness")));
            }
            match mode {
                "40000" => self.collect(id, &format!("{path}/"), depth - 1, files)?,
                "100644" => {
                    let (size, kind) = self.odb.read_header(id).map_err(RepoError::git("read", id))?;
                    if kind != ObjectType::Blob || size as u64 > FILE_LIMIT {
                        return Err(damaged(format!("{path}: a {kind} of {size} bytes; a file of a harness has at most {FILE_LIMIT}")));
                    }
                    files.insert(path, self.read(id)?.1);
                }
                other => return Err(damaged(format!("{path}: mode {other}; a harness has plain files and folders only"))),
            }
        }
        Ok(())
    }
}

/// Mode, name and id of each entry of a tree; `None` where the bytes are none.
fn entries(mut bytes: &[u8]) -> Option<Vec<(&str, &str, Oid)>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == 0)?;
        let (mode, name) = std::str::from_utf8(&bytes[..end]).ok()?.split_once(' ')?;
        let id = bytes.get(end + 1..end + 21)?;
        found.push((mode, name, Oid::from_bytes(id).ok()?));
        bytes = &bytes[end + 21..];
    }
    Some(found)
}
