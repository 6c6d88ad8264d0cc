//! A process held so that no other can be taken for it: a number is given anew once its process is gone, and a busy machine comes round
//! within seconds. A signal that goes by what was looked up a moment ago could hit a stranger.

use nix::sys::signal::{Signal as Sent, killpg};
use nix::unistd::Pid as Number;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::os::fd::OwnedFd;

/// One process, whatever becomes of its number.
pub(super) struct Held {
    id: i32,
    handle: OwnedFd,
}

impl Held {
    fn open(id: i32) -> Option<Self> {
        let handle = pidfd_open(Pid::from_raw(id)?, PidfdFlags::empty()).ok()?;
        Some(Self { id, handle })
    }

    /// Whether it has not ended; what cannot be asked has.
    fn is_alive(&self) -> bool {
        let mut asked = [PollFd::new(&self.handle, PollFlags::IN)];
        poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready == 0)
    }

    /// Ends it.
    pub fn kill(&self) {
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Ends the group that it leads, if it leads one. It is stopped first, so that it is still there, and the group with it its own.
    pub fn kill_group(&self) {
        let stopped = pidfd_send_signal(&self.handle, Signal::STOP);
        if stopped.is_ok() && self.is_alive() {
            let _ = killpg(Number::from_raw(self.id), Sent::SIGKILL);
        }
    }
}

/// Processes below one, parents first, or the first so many; not the one itself, which must be a child of this program that nobody has
/// waited for. Each is a child of one that was there when it was looked at.
pub(super) fn held_below(root: i32, most: usize) -> Vec<Held> {
    let mut found: Vec<Held> = Vec::new();
    let mut at = 0;
    for child in children_of(root) {
        found.extend(Held::open(child).filter(|held| parent_of(child) == Some(root) && held.is_alive()));
    }
    while at < found.len() && found.len() < most {
        let parent = found[at].id;
        for child in children_of(parent) {
            let held = Held::open(child).filter(|held| parent_of(child) == Some(parent) && held.is_alive());
            found.extend(held.filter(|_| found[at].is_alive()));
        }
        at += 1;
    }
    found
}

/// What the kernel lists as the children of a process.
pub(super) fn children_of(process: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let lists = threads.filter_map(Result::ok).filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<i32>>()).collect()
}

/// Field 4 of `/proc/<id>/stat` (proc(5)).
fn parent_of(process: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn what_is_held_is_below_and_is_no_stranger() {
        let mut stranger = Command::new("sleep").arg("30").spawn().unwrap();
        let mut shell = Command::new("sh").args(["-c", "sleep 30 & sleep 30 & wait"]).stdout(Stdio::null()).spawn().unwrap();
        let root = i32::try_from(shell.id()).unwrap();
        let mut found = Vec::new();
        for _ in 0..200 {
            found = held_below(root, 100);
            if found.len() == 2 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(found.len(), 2);
        found.iter().for_each(Held::kill);
        assert!(shell.wait().unwrap().success());
        assert!(found.iter().all(|held| !held.is_alive()), "both have ended, and their numbers say nothing any more");
        found.iter().for_each(Held::kill_group);
        assert!(stranger.try_wait().unwrap().is_none(), "nobody else was hit");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
