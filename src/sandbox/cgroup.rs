//! Where the kernel counts a command's processes and memory: a control group of its own with bounds that no bomb passes, so that the watcher that
//! ends it is never the one who must be faster, nor the one who must see all. Only who may make such a group has one, which is root; of anybody
//! else the kernel counts what the user runs (`spawn`). Kernel documentation: cgroup-v1/pids, cgroup-v1/memory and cgroup-v2.

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

/// A bound for trying whether one can be set.
const TRIED: u64 = 1 << 20;

/// Attempts, a millisecond apart, to remove a group whose last process is just ending.
const ATTEMPTS: u32 = 50;

/// What the kernel can count in a group, and the files that take the bound: of the second version, then of the first.
struct Counted {
    controller: &'static str,
    bounds: &'static [&'static str],
}

const PROCESSES: Counted = Counted { controller: "pids", bounds: &["pids.max"] };
const MEMORY: Counted = Counted { controller: "memory", bounds: &["memory.max", "memory.limit_in_bytes"] };

/// One command's groups: where both kinds are counted in one, a single one. Its processes must have ended by the time it is dropped.
pub(super) struct Cgroup {
    groups: Vec<Group>,
}

/// A group in one place. Removed when dropped.
struct Group {
    dir: PathBuf,
    processes: File,
}

impl Cgroup {
    /// A new group that may hold so many threads of all processes together and, where the kernel counts that here, so many bytes of memory,
    /// whether a process is seen to hold them or not. Nothing where this user may not make one.
    pub fn new(most_threads: u64, most_bytes: u64) -> Option<Self> {
        static PARENTS: OnceLock<[Option<PathBuf>; 2]> = OnceLock::new();
        let [processes, memory] = PARENTS.get_or_init(|| [parent(&PROCESSES), parent(&MEMORY)]);
        let processes = processes.as_ref()?;
        let first = Group::below(processes, &PROCESSES, most_threads).ok()?;
        let mut groups = Vec::new();
        match memory {
            Some(memory) if memory == processes => drop(first.bound(&MEMORY, most_bytes)),
            // A process is in one group of the second version only.
            Some(memory) if !(is_second(memory) && is_second(processes)) => groups.extend(Group::below(memory, &MEMORY, most_bytes).ok()),
            Some(_) | None => {}
        }
        groups.push(first);
        Some(Self { groups })
    }

    /// Who writes `0` to each of them joins.
    pub fn entrances(&self) -> Vec<RawFd> {
        self.groups.iter().map(|group| group.processes.as_raw_fd()).collect()
    }

    /// Whether the kernel ended a process for want of memory.
    pub fn has_killed(&self) -> bool {
        let files = self.groups.iter().flat_map(|group| ["memory.events", "memory.oom_control"].map(|name| group.dir.join(name)));
        let texts = files.filter_map(|file| fs::read_to_string(file).ok());
        texts.into_iter().any(|text| text.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0")))
    }
}

impl Group {
    fn below(parent: &Path, counted: &Counted, most: u64) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let dir = parent.join(format!("{PREFIX}{}-{}", owner(), NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&dir)?;
        let processes = OpenOptions::new().write(true).open(dir.join("cgroup.procs"));
        let ready = processes.map(|processes| Self { dir: dir.clone(), processes });
        if ready.is_err() {
            let _ = fs::remove_dir(&dir);
        }
        let group = ready?;
        group.bound(counted, most)?;
        Ok(group)
    }

    fn bound(&self, counted: &Counted, most: u64) -> io::Result<()> {
        let write = |name: &str, text: &str| OpenOptions::new().write(true).open(self.dir.join(name))?.write_all(text.as_bytes());
        let most = most.to_string();
        let mut answer = Err(io::ErrorKind::NotFound.into());
        for name in counted.bounds {
            answer = answer.or_else(|_: io::Error| write(name, &most));
        }
        // What is swapped out is held too; not every kernel counts that.
        let _ = write("memory.swap.max", "0");
        let _ = write("memory.memsw.limit_in_bytes", &most);
        answer
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..ATTEMPTS {
            if fs::remove_dir(&self.dir).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Whether a folder is of the second version.
fn is_second(dir: &Path) -> bool {
    dir.join("cgroup.controllers").exists()
}

/// The folder in which this process can make groups that count. What ended programs left there is removed.
fn parent(counted: &Counted) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let can_count = |place: &PathBuf| Group::below(place, counted, TRIED).is_ok();
    let parent = places(&mounts, &own, counted.controller).into_iter().find(can_count)?;
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

/// This process's own groups in which a controller may count, and what lies above each: version 2 makes none below a group with processes.
fn places(mounts: &str, own: &str, controller: &str) -> Vec<PathBuf> {
    let mut places = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let is_second = number == "0" && controllers.is_empty();
        if !is_second && !controllers.split(',').any(|known| known == controller) {
            continue;
        }
        for mount in mounts.lines() {
            let Some((before, after)) = mount.split_once(" - ") else { continue };
            let mut after = after.split(' ');
            let (kind, options) = (after.next().unwrap_or_default(), after.nth(1).unwrap_or_default());
            let counts =
                if is_second { kind == "cgroup2" } else { kind == "cgroup" && options.split(',').any(|option| option == controller) };
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
        let all = |own: &str| places(mounts, own, "pids").into_iter().map(|place| place.display().to_string()).collect::<Vec<_>>();
        assert_eq!(all("8:pids:/\n4:memory:/a/b\n"), ["/sys/fs/cgroup/pids"]);
        assert_eq!(all("0::/user/one\n"), ["/sys/fs/cgroup/unified/user/one", "/sys/fs/cgroup/unified/user"]);
        assert!(all("4:memory:/a/b\nnonsense\n").is_empty());
        assert_eq!(places(mounts, "8:pids:/\n4:memory:/a/b\n", "memory")[0], Path::new("/sys/fs/cgroup/memory/a/b"));
        let inside = "39 31 0:36 /docker/ab /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";
        assert_eq!(places(inside, "8:pids:/docker/ab/c\n", "pids")[0], Path::new("/sys/fs/cgroup/pids/c"));
    }

    #[test]
    fn a_folder_that_counts_nothing_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Group::below(dir.path(), &PROCESSES, 8).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn memory_that_no_process_is_seen_to_hold_is_bounded_where_the_kernel_counts_it() {
        let Some(group) = Cgroup::new(64, 64 << 20).filter(|_| parent(&MEMORY).is_some()) else {
            eprintln!("skipped: no memory is counted here");
            return;
        };
        assert!(!group.has_killed());
        let joins: Vec<String> = group.groups.iter().map(|group| format!("echo 0 > {}/cgroup.procs;", group.dir.display())).collect();
        let hold = "import mmap\nm = mmap.mmap(-1, 300 << 20)\nfor i in range(300):\n  m.write(bytes(1 << 20))\n  m.madvise(mmap.MADV_DONTNEED, i << 20, 1 << 20)";
        let script = format!("{} exec python3 -c '{hold}'", joins.concat());
        let status = std::process::Command::new("sh").args(["-c", &script]).status().unwrap();
        assert!(!status.success() && group.has_killed(), "{status:?}");
    }
}
