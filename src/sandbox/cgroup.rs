//! Where the kernel counts a command's processes: a control group of its own with a bound that no fork bomb passes, so that the watcher that
//! ends it is never the one who must be faster. Only who may make such a group has one, which is root; of anybody else the kernel counts
//! what the user runs (`spawn`). Kernel documentation: cgroup-v1/pids and cgroup-v2.

use super::owner::{is_ownerless, owner};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How each group's name begins, before its owner.
const PREFIX: &str = "harnessx-";

/// Attempts, a millisecond apart, to remove a group whose last process is just ending.
const ATTEMPTS: u32 = 50;

/// One command's group. Removed when dropped; its processes must have ended by then.
pub(super) struct Cgroup {
    dir: PathBuf,
    processes: File,
}

impl Cgroup {
    /// A new group that may hold so many threads of all processes together; nothing where this user may not make one.
    pub fn new(most_threads: u64) -> Option<Self> {
        static PARENT: OnceLock<Option<PathBuf>> = OnceLock::new();
        let parent = PARENT.get_or_init(parent).as_ref()?;
        Self::below(parent, most_threads).ok()
    }

    fn below(parent: &Path, most_threads: u64) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let dir = parent.join(format!("{PREFIX}{}-{}", owner(), NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&dir)?;
        let open = |name: &str| OpenOptions::new().write(true).open(dir.join(name));
        let ready = open("cgroup.procs").and_then(|processes| {
            open("pids.max")?.write_all(most_threads.to_string().as_bytes())?;
            Ok(processes)
        });
        if ready.is_err() {
            let _ = fs::remove_dir(&dir);
        }
        Ok(Self { processes: ready?, dir })
    }

    /// Who writes `0` to it joins.
    pub fn entrance(&self) -> RawFd {
        self.processes.as_raw_fd()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..ATTEMPTS {
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The folder in which this process can make groups that count. What ended programs left there is removed.
fn parent() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let parent = places(&mounts, &own).into_iter().find(|place| Cgroup::below(place, 1).is_ok())?;
    for entry in fs::read_dir(&parent).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if maker.is_some_and(is_ownerless) {
            // One that is not empty stays.
            let _ = fs::remove_dir(entry.path());
        }
    }
    Some(parent)
}

/// This process's own groups that may count processes, and what lies above each: version 2 makes none below a group with processes.
fn places(mounts: &str, own: &str) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let is_second = number == "0" && controllers.is_empty();
        if !is_second && !controllers.split(',').any(|controller| controller == "pids") {
            continue;
        }
        for mount in mounts.lines() {
            let Some((before, after)) = mount.split_once(" - ") else { continue };
            let mut after = after.split(' ');
            let (kind, options) = (after.next().unwrap_or_default(), after.nth(1).unwrap_or_default());
            let counts = if is_second { kind == "cgroup2" } else { kind == "cgroup" && options.split(',').any(|option| option == "pids") };
            let mut before = before.split(' ').skip(3);
            let (Some(root), Some(at), true) = (before.next(), before.next(), counts) else { continue };
            let below = path.strip_prefix(root).unwrap_or_default().trim_start_matches('/');
            let below = Path::new(below);
            places.push(Path::new(at).iter().chain(below).collect());
            places.extend(below.parent().map(|above| Path::new(at).iter().chain(above).collect()));
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_looked_for_where_processes_are_counted() {
        let mounts = "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
                      40 31 0:35 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:7 - cgroup2 cgroup2 rw\n";
        let all = |own: &str| places(mounts, own).into_iter().map(|place| place.display().to_string()).collect::<Vec<_>>();
        assert_eq!(all("8:pids:/\n4:memory:/a/b\n"), ["/sys/fs/cgroup/pids"]);
        assert_eq!(all("0::/user/one\n"), ["/sys/fs/cgroup/unified/user/one", "/sys/fs/cgroup/unified/user"]);
        assert!(all("4:memory:/a/b\nnonsense\n").is_empty());
        let inside = "39 31 0:36 /docker/ab /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
        assert_eq!(places(inside, "8:pids:/docker/ab/c\n")[0], Path::new("/sys/fs/cgroup/pids/c"));
    }

    #[test]
    fn a_folder_that_counts_nothing_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Cgroup::below(dir.path(), 8).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
