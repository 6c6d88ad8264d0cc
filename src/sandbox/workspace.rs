//! The one place that the commands of an episode may write to. A folder in the system's temporary folder, removed when dropped: `work` is the
//! commands' own, `tools` holds what the harness brings and is read-only inside, `tmp` is their TMPDIR where they have no /tmp of their own.

use super::owner::{is_ownerless, owner};
use super::protection::SandboxError;
use super::removal::remove;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// How each workspace's name begins, before its owner.
const PREFIX: &str = "harnessx-work-";

/// Tells the workspaces of one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Where commands with a root of their own find the files of the harness.
pub(super) const TOOLS_INSIDE: &str = "/tools";

/// Where they find their workspace.
pub(super) const WORK_INSIDE: &str = "/workspace";

/// Whose root folder a command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// One of its own: paths inside are other ones than outside.
    Own,
    /// The machine's.
    Machine,
}

/// A private folder.
#[derive(Debug)]
pub struct Workspace {
    base: PathBuf,
}

impl Workspace {
    /// Makes an empty one that only this user can enter.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn new() -> Result<Self, SandboxError> {
        let parent = parent();
        sweep(&parent);
        let private = |path: &Path| DirBuilder::new().mode(0o700).create(path);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let base = parent.join(format!("{PREFIX}{}-{number}", owner()));
            match private(&base) {
                Ok(()) => {
                    let made = Self { base };
                    for name in ["work", "tools", "tmp"] {
                        let path = made.base.join(name);
                        private(&path).map_err(SandboxError::system(format!("make {}", path.display())))?;
                    }
                    return Ok(made);
                }
                // Left by a process of the same number that was killed.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(SandboxError::System { what: format!("make {}", base.display()), source }),
            }
        }
    }

    /// Puts a file of the harness where commands can read and start it; `path` is relative and has passed the harness's own check.
    ///
    /// # Errors
    /// What the operating system refused.
    pub fn add_tool(&self, path: &str, bytes: &[u8]) -> Result<(), SandboxError> {
        let target = self.tools().join(path);
        let parent = target.parent().unwrap_or(&target);
        fs::create_dir_all(parent).map_err(SandboxError::system(format!("make {}", parent.display())))?;
        fs::write(&target, bytes).map_err(SandboxError::system(format!("write {}", target.display())))?;
        fs::set_permissions(&target, Permissions::from_mode(0o700)).map_err(SandboxError::system(format!("write {}", target.display())))
    }

    /// Gives its user the rights to it back that a command may have taken.
    pub(super) fn open_up(&self) -> Result<(), SandboxError> {
        for path in self.written() {
            let what = || SandboxError::system(format!("open {}", path.display()));
            fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(what())?;
        }
        Ok(())
    }

    /// What the commands write to, as this process sees it.
    pub fn work(&self) -> PathBuf {
        self.base.join("work")
    }

    pub(super) fn tools(&self) -> PathBuf {
        self.base.join("tools")
    }

    pub(super) fn tmp(&self) -> PathBuf {
        self.base.join("tmp")
    }

    /// The folders that commands may write to and that stay.
    pub(super) fn written(&self) -> [PathBuf; 2] {
        [self.work(), self.tmp()]
    }

    /// Under which names commands of either root may see them.
    pub(super) fn written_inside(&self) -> [PathBuf; 3] {
        [WORK_INSIDE.into(), self.work(), self.tmp()]
    }

    /// Where a command finds the files of the harness.
    pub fn tools_inside(&self, root: Root) -> PathBuf {
        match root {
            Root::Own => PathBuf::from(TOOLS_INSIDE),
            Root::Machine => self.tools(),
        }
    }

    /// Where a command finds its workspace.
    pub fn work_inside(&self, root: Root) -> PathBuf {
        match root {
            Root::Own => PathBuf::from(WORK_INSIDE),
            Root::Machine => self.work(),
        }
    }
}

/// Where workspaces are made: the system's temporary folder.
pub(super) fn parent() -> PathBuf {
    let dir = std::env::temp_dir();
    dir.canonicalize().unwrap_or(dir)
}

/// Whether a folder is a workspace, by its name.
pub(super) fn is_workspace(dir: &Path) -> bool {
    dir.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(PREFIX))
}

/// Removes what processes that were killed left, once in the life of this one. Another user's stays: nobody else can enter it.
fn sweep(parent: &Path) {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| {
        for entry in fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok) {
            let name = entry.file_name();
            let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
            let is_own = entry.metadata().is_ok_and(|data| data.is_dir() && data.uid() == nix::unistd::geteuid().as_raw());
            if is_own && maker.is_some_and(is_ownerless) {
                let _ = remove(&entry.path());
            }
        }
    });
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed lies in the temporary folder: the system's to clean.
        let _ = remove(&self.base);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_private_and_goes_away() {
        let one = Workspace::new().unwrap();
        let two = Workspace::new().unwrap();
        assert_ne!(one.work(), two.work());
        assert_eq!(fs::metadata(&one.base).unwrap().permissions().mode() & 0o777, 0o700);
        one.add_tool("deep/a.py", b"x").unwrap();
        let base = one.base.clone();
        drop(one);
        assert!(!base.exists());
    }
}
