//! A running command seen from outside: all its processes, what they use together, and the one way to end them.

use super::cgroup::Cgroup;
use super::command::Stopped;
use super::disk::is_flooded;
use super::held::{Held, children_of, held_below};
use super::limits::CommandLimits;
use super::protection::Protection;
use super::workspace::Workspace;
use nix::libc;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, ExitStatus};
use std::time::Duration;

/// Between two looks at a command.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Processes below the first one that are the protection's own.
const OWN: usize = 1;

/// Most processes that are killed one by one; a group is killed as a whole.
const MOST_KILLED: usize = 256;

/// Processes inside that are tried as leaders of a group.
const FIRST_KILLED: usize = 16;

/// Orders to end before bubblewrap itself is killed.
const PATIENCE: u32 = 300;

/// Looks between two counts of the files in its workspace.
pub(super) const LOOKS_A_COUNT: u32 = 20;

/// Looks for the end of the processes after they were killed, 5 ms apart.
const LAST_LOOKS: u32 = 400;

/// The processes of one command. Ended when dropped.
pub(super) struct Group {
    child: Child,
    protection: Protection,
    status: Option<ExitStatus>,
    looks: u32,
    kills: u32,
    processor: Processor,
    /// Removed once they have ended.
    cgroup: Option<Cgroup>,
}

/// What the processes use together.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    processes: u32,
    cpu_ticks: u64,
    memory_bytes: u64,
}

/// Processor time by who was seen to use it: of a process whose parent does not wait for it the kernel tells nobody.
#[derive(Debug, Default)]
struct Processor {
    /// Own ticks by number and time of start, as last seen.
    seen: BTreeMap<(i32, u64), u64>,
    /// Ticks of those that are gone.
    gone: u64,
}

impl Processor {
    /// Ticks so far, with those of all that are there now.
    fn ticks(&mut self, now: BTreeMap<(i32, u64), u64>) -> u64 {
        self.gone += self.seen.iter().filter(|(process, _)| !now.contains_key(process)).map(|(_, ticks)| ticks).sum::<u64>();
        self.seen = now;
        self.gone + self.seen.values().sum::<u64>()
    }
}

impl Group {
    pub fn new(child: Child, protection: Protection, cgroup: Option<Cgroup>) -> Self {
        Self { child, protection, status: None, looks: 0, kills: 0, processor: Processor::default(), cgroup }
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().ok().flatten();
        }
        self.status
    }

    /// Whether the kernel ended one of its processes for want of memory.
    pub fn ran_out_of_memory(&self) -> bool {
        self.cgroup.as_ref().is_some_and(Cgroup::has_killed)
    }

    /// The limit that is passed, if one is.
    pub async fn passed(&mut self, limits: &CommandLimits, workspace: &Workspace) -> Option<Stopped> {
        self.looks += 1;
        let used = self.used(limits.processes);
        if used.processes > limits.processes {
            return Some(Stopped::Processes);
        }
        if used.memory_bytes > limits.memory_mb << 20 {
            return Some(Stopped::Memory);
        }
        if used.cpu_ticks > limits.cpu_seconds * ticks_a_second() {
            return Some(Stopped::Cpu);
        }
        if !self.looks.is_multiple_of(LOOKS_A_COUNT) {
            return None;
        }
        let found = descendants(self.child.id(), limits.processes as usize + OWN);
        is_flooded(workspace, found, limits.disk_mb << 20).await.then_some(Stopped::Disk)
    }

    /// Counts no further than one process more than allowed: a fork bomb must not make its watcher slow.
    fn used(&mut self, most: u32) -> Used {
        let (mut used, mut now) = (Used::default(), BTreeMap::new());
        let found = descendants(self.child.id(), most as usize + OWN);
        if found.len() > most as usize + OWN {
            return Used { processes: found.len() as u32, ..used };
        }
        for process in found {
            let Some(figures) = figures(process) else { continue };
            used.processes += 1;
            used.cpu_ticks += figures.own_ticks + figures.waited_ticks;
            used.memory_bytes += figures.memory_bytes;
            now.insert((process, figures.started), figures.own_ticks);
        }
        // Neither counts what was not used, and neither counts all.
        used.cpu_ticks = used.cpu_ticks.max(self.processor.ticks(now));
        used
    }

    /// Ends every process, at once.
    pub fn kill(&mut self) {
        if self.ended().is_some() {
            return;
        }
        let Ok(own) = i32::try_from(self.child.id()) else { return };
        match self.protection {
            // The first process inside takes all others with it, and bubblewrap ends when they are gone. Before it is there, and when it
            // does not help, bubblewrap itself.
            Protection::Bubblewrap => {
                self.kills += 1;
                let found = held_below(own, FIRST_KILLED);
                // A group dies at one stroke, faster than a namespace, which asks its processes one by one.
                found.iter().skip(OWN).for_each(Held::kill_group);
                match found.first() {
                    Some(inner) if self.kills < PATIENCE => inner.kill(),
                    Some(_) | None => drop(killpg(Pid::from_raw(own), Signal::SIGKILL)),
                }
            }
            // The keeper ends the group; what has left the group is found by descent.
            Protection::Landlock | Protection::Off => {
                let _ = kill(Pid::from_raw(own), Signal::SIGTERM);
                held_below(own, MOST_KILLED).iter().for_each(Held::kill);
            }
        }
    }

    /// Kills and waits until it is gone.
    pub async fn end(&mut self) {
        for _ in 0..LAST_LOOKS {
            self.kill();
            if self.ended().is_some() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(self.child.kill());
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..LAST_LOOKS {
            self.kill();
            if self.ended().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(self.child.kill());
    }
}

/// All processes below one, by what the kernel lists as their children, or the first so many; not the one itself. To be looked at, not to
/// be signalled: a number may be another process's by then.
fn descendants(root: u32, most: usize) -> Vec<i32> {
    let mut found: Vec<i32> = Vec::new();
    let mut next: Vec<i32> = i32::try_from(root).into_iter().collect();
    while let Some(process) = next.pop().filter(|_| found.len() <= most) {
        let children = children_of(process);
        found.extend(&children);
        next.extend(children);
    }
    found
}

/// One process's share.
struct Figures {
    own_ticks: u64,
    /// Of ended children that it waited for.
    waited_ticks: u64,
    started: u64,
    memory_bytes: u64,
}

/// From `/proc/<id>/stat` (proc(5)): times at fields 14 to 17, the start at 22, resident pages at 24. The pages of programs and libraries
/// are counted in each process that has them.
fn figures(process: i32) -> Option<Figures> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    Some(Figures {
        own_ticks: number(14) + number(15),
        waited_ticks: number(16) + number(17),
        started: number(22),
        memory_bytes: number(24).saturating_mul(page_bytes()),
    })
}

#[expect(unsafe_code, reason = "asks the C library for a constant of the machine")]
fn ticks_a_second() -> u64 {
    // SAFETY: a plain number in, a plain number out.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

#[expect(unsafe_code, reason = "asks the C library for a constant of the machine")]
fn page_bytes() -> u64 {
    // SAFETY: a plain number in, a plain number out.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}
