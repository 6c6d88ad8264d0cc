//! The keeper of a command that has no namespaces: a forked copy of the child that stays behind, outlives nobody, and ends the whole
//! process group when the command ends, when it is told to (SIGTERM), or when this program is gone. Runs between fork and exec: system calls
//! only, no memory is asked for.

use nix::libc;
use std::io;

/// How often the keeper looks whether this program is still there, in nanoseconds.
const LOOK: i64 = 100_000_000;

/// Ended processes that are reaped between two looks at the orders: a fork bomb makes them faster than they can be reaped.
const REAPED_A_LOOK: u32 = 64;

/// Attempts, a millisecond apart, to see the last process of a group end.
const ATTEMPTS: u32 = 2000;

/// Forks: returns in the new child, which leads a process group of its own; the caller's process becomes the keeper and never returns.
#[expect(
    unsafe_code,
    reason = "fork, wait and kill between fork and exec have no safe form; every pointer is to a local that outlives its call"
)]
pub(super) fn keep(owner: i32) -> io::Result<()> {
    // SAFETY: called in a child that has one thread and will only make system calls until exec or _exit.
    unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGCHLD);
        libc::sigaddset(&raw mut signals, libc::SIGTERM);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut());
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        let keeper = libc::getpid();
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                libc::sigprocmask(libc::SIG_UNBLOCK, &raw const signals, std::ptr::null_mut());
                libc::setpgid(0, 0);
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
                if libc::getppid() == keeper { Ok(()) } else { libc::_exit(137) }
            }
            child => {
                libc::setpgid(child, child);
                // Or a reader of the command's output would never see its end.
                libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0);
                let status = watch(child, owner, &signals);
                end(child);
                libc::_exit(status);
            }
        }
    }
}

/// Waits for the command, for the order to stop it, or for the owner's end; answers with the exit status to pass on.
#[expect(unsafe_code, reason = "see `keep`")]
unsafe fn watch(child: i32, owner: i32, signals: &libc::sigset_t) -> i32 {
    let mut pause = libc::timespec { tv_sec: 0, tv_nsec: LOOK };
    loop {
        // SAFETY: pointers to locals; a null pointer means that nothing is to be written.
        let signal = unsafe { libc::sigtimedwait(signals, std::ptr::null_mut(), &raw const pause) };
        pause.tv_nsec = 0;
        for _ in 0..REAPED_A_LOOK {
            let mut status = 0;
            // SAFETY: as above.
            let ended = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
            if ended == child && libc::WIFEXITED(status) {
                return libc::WEXITSTATUS(status);
            } else if ended == child && libc::WIFSIGNALED(status) {
                return 128 + libc::WTERMSIG(status);
            } else if ended <= 0 {
                pause.tv_nsec = LOOK;
                break;
            }
        }
        // SAFETY: no arguments.
        if signal == libc::SIGTERM || unsafe { libc::getppid() } != owner {
            return 137;
        }
    }
}

/// Kills the group until nobody is left.
#[expect(unsafe_code, reason = "see `keep`")]
unsafe fn end(child: i32) {
    let pause = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    let mut has_group = true;
    for _ in 0..ATTEMPTS {
        // SAFETY: plain numbers, and pointers to locals.
        unsafe {
            // Once the group is gone its number may be given to another one.
            has_group = has_group && libc::kill(-child, libc::SIGKILL) == 0;
            let left = libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG);
            if left == -1 {
                return;
            } else if left == 0 {
                libc::nanosleep(&raw const pause, std::ptr::null_mut());
            }
        }
    }
}
