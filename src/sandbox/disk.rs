//! What a command takes up on disk: all below the folders that it may write to, and what it removed there but holds open. A file that only a
//! mapping or a message between processes holds is not seen.

use super::workspace::Workspace;
use std::collections::BTreeSet;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// Most files in a workspace, and most that processes hold open.
const FILES: u64 = 50_000;

/// Whether a workspace holds more than so many bytes, or too many files, together with what `processes` hold open; counted beside the
/// runtime, which other episodes share. What cannot be counted is too much.
pub(super) async fn is_flooded(workspace: &Workspace, processes: Vec<i32>, most: u64) -> bool {
    if workspace.open_up().is_err() {
        return true;
    }
    let (written, inside) = (workspace.written(), workspace.written_inside());
    let count = move || {
        let mut count = Count { bytes: 0, files: 0, most };
        count.removed(&processes, &inside).is_err() || count.folders(written.to_vec()).is_err()
    };
    tokio::task::spawn_blocking(count).await.unwrap_or(true)
}

/// More than a workspace may hold, or something that cannot be counted.
struct TooMuch;

struct Count {
    bytes: u64,
    files: u64,
    most: u64,
}

impl Count {
    fn add(&mut self, bytes: u64) -> Result<(), TooMuch> {
        self.files += 1;
        self.bytes += bytes;
        if self.bytes <= self.most && self.files <= FILES { Ok(()) } else { Err(TooMuch) }
    }

    /// Links are not followed. A folder whose path is too long to be named cannot be read, so there is a bound to the depth.
    fn folders(&mut self, mut folders: Vec<PathBuf>) -> Result<(), TooMuch> {
        while let Some(folder) = folders.pop() {
            for entry in there(fs::read_dir(&folder))?.into_iter().flatten() {
                let entry: DirEntry = entry.map_err(|_| TooMuch)?;
                let Some(data) = there(entry.metadata())? else { continue };
                self.add(data.blocks() * 512)?;
                if data.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        Ok(())
    }

    /// Files without a name, by the names that they had. Processes that may not be looked into are passed over.
    fn removed(&mut self, processes: &[i32], folders: &[PathBuf]) -> Result<(), TooMuch> {
        let mut seen = BTreeSet::new();
        let mut looked = 0;
        let open = processes.iter().filter_map(|process| fs::read_dir(format!("/proc/{process}/fd")).ok()).flatten().flatten();
        for entry in open {
            looked += 1;
            let Ok(data) = fs::metadata(entry.path()) else { continue };
            let is_elsewhere = || fs::read_link(entry.path()).is_ok_and(|name| !folders.iter().any(|folder| name.starts_with(folder)));
            if data.is_file() && data.nlink() == 0 && !is_elsewhere() && seen.insert((data.dev(), data.ino())) {
                self.add(data.blocks() * 512)?;
            }
            if looked > FILES {
                return Err(TooMuch);
            }
        }
        Ok(())
    }
}

/// What was looked at, if it is still there.
fn there<T>(looked: io::Result<T>) -> Result<Option<T>, TooMuch> {
    match looked {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(_) => Err(TooMuch),
    }
}
