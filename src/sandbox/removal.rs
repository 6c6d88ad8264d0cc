//! Removes a workspace whatever a command made of it: folders that nobody may enter, and folders so deep that no path names them.

use nix::libc;
use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Removes a folder of this user's. Folders in it are moved up before they are emptied, so that depth costs neither stack nor open files.
///
/// # Errors
/// What the operating system said where something is left.
pub(super) fn remove(base: &Path) -> io::Result<()> {
    let mut folders = vec![base.to_owned()];
    let mut number = 0_u64;
    // What cannot be removed keeps the folder that it is in, and so in the end this one, which says so.
    while let Some(folder) = folders.pop() {
        let entries: Vec<fs::DirEntry> = fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok).collect();
        for entry in entries {
            let path = entry.path();
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let _ = fs::remove_file(&path);
                continue;
            }
            let mut place = base.join(number.to_string());
            // What an earlier attempt left.
            while fs::symlink_metadata(&place).is_ok() {
                number += 1;
                place = base.join(number.to_string());
            }
            if open_up(&path).and_then(|()| fs::rename(&path, &place)).is_ok() {
                folders.push(place);
            }
        }
        if folder != base {
            let _ = fs::remove_dir(&folder);
        }
    }
    fs::remove_dir(base)
}

/// Lets this user list, enter and change a folder. A link in its place is not followed.
fn open_up(folder: &Path) -> io::Result<()> {
    let held = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW).open(folder)?;
    fs::set_permissions(format!("/proc/self/fd/{}", held.as_raw_fd()), Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_and_deep_folders_go_and_what_links_mean_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (base, kept) = (dir.path().join("base"), dir.path().join("kept"));
        fs::create_dir_all(base.join("0/1/2")).unwrap();
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(&kept, base.join("0/link")).unwrap();
        fs::set_permissions(base.join("0/1"), Permissions::from_mode(0o000)).unwrap();
        // Deeper than a path can name and than files may be open: each folder is put above the others.
        let name = "d".repeat(200);
        fs::create_dir(dir.path().join("top")).unwrap();
        for _ in 0..3000 {
            fs::create_dir(dir.path().join("next")).unwrap();
            fs::rename(dir.path().join("top"), dir.path().join("next").join(&name)).unwrap();
            fs::rename(dir.path().join("next"), dir.path().join("top")).unwrap();
        }
        fs::rename(dir.path().join("top"), base.join("deep")).unwrap();
        remove(&base).unwrap();
        assert!(!base.exists() && kept.join("file").exists());
    }
}
