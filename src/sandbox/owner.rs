//! Whose something left on this machine is: folders, control groups and containers bear the process that made them, so that what a killed one
//! left can be told from what is in use.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs;

/// This process: its number, and that of the namespace in which the number means it, since folders and daemons may be shared by several.
pub(super) fn owner() -> String {
    of(std::process::id())
}

fn of(process: u32) -> String {
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let digits: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    format!("{process}.{digits}")
}

/// Whether the process that an owner means is known to be no more; one of another namespace is not.
pub(super) fn is_ownerless(owner: &str) -> bool {
    let process = owner.split_once('.').and_then(|(process, _)| process.parse().ok());
    process.is_some_and(|process| of(process) == owner && is_gone(process))
}

/// Whether no process of this namespace has a number.
pub fn is_gone(process: u32) -> bool {
    i32::try_from(process).is_ok_and(|process| process > 0 && kill(Pid::from_raw(process), None) == Err(Errno::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_of_a_dead_process_is_ownerless() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let process = child.id();
        child.wait().unwrap();
        assert!(is_gone(process) && is_ownerless(&of(process)));
        assert!(!is_ownerless(&owner()), "this one is here");
        assert!(!is_ownerless(&format!("{process}.1")), "another namespace's");
        assert!(!["", "x", "0.1", "-1.1", &process.to_string()].into_iter().any(is_ownerless));
        assert!(!is_gone(0) && !is_gone(u32::MAX));
    }
}
