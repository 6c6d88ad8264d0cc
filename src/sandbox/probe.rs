//! What the machine offers for keeping commands in their place. Only looks; changes nothing.

use super::cgroup::Cgroup;
use super::program::{ProcessError, run};
use super::view::in_path;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for one probe.
const DEADLINE: Duration = Duration::from_secs(10);

/// Whether `bwrap` can start a program in namespaces of its own.
///
/// # Errors
/// See [`ProcessError`].
pub fn bubblewrap() -> Result<(), ProcessError> {
    launcher().map(drop)
}

/// The same; where it lies, so that what is started later is what was tried.
pub(super) fn launcher() -> Result<PathBuf, ProcessError> {
    let name = "bwrap";
    let absent = || ProcessError::Start { program: name.to_owned(), source: std::io::ErrorKind::NotFound.into() };
    let path = in_path(name).ok_or_else(absent)?;
    let arguments = "--unshare-user --unshare-all --uid 65534 --gid 65534 --cap-drop ALL --ro-bind / / --proc /proc true";
    run(path.to_str().ok_or_else(absent)?, &arguments.split(' ').collect::<Vec<_>>(), Path::new("/"), DEADLINE)?;
    Ok(path)
}

/// Whether this user may make user namespaces.
///
/// # Errors
/// See [`ProcessError`].
pub fn user_namespaces() -> Result<(), ProcessError> {
    run("unshare", &["--user", "--map-root-user", "true"], Path::new("/"), DEADLINE)
}

/// Whether a program is here and answers `--version`.
///
/// # Errors
/// See [`ProcessError`].
pub fn answers(program: &str) -> Result<(), ProcessError> {
    run(program, &["--version"], Path::new("/"), DEADLINE)
}

/// First version of landlock that keeps files from being emptied; older ones do not protect.
const LANDLOCK_SINCE: i64 = 3;

/// Whether landlock and seccomp together can keep a command in.
///
/// # Errors
/// A fragment that says what is missing.
pub fn fallback() -> Result<(), String> {
    match landlock_abi() {
        Some(abi) if abi >= LANDLOCK_SINCE => seccomp(),
        Some(abi) => Err(format!("landlock has version {abi}, commands need {LANDLOCK_SINCE} or newer")),
        None => Err("the kernel offers no landlock".to_owned()),
    }
}

/// What bounds the processes of a command where the watcher is too slow.
///
/// # Errors
/// A fragment that says why nothing does.
pub fn process_bound() -> Result<&'static str, String> {
    if Cgroup::new(1, 1 << 20).is_some() {
        Ok("a control group for each command")
    } else if nix::unistd::geteuid().is_root() {
        Err("only a watcher: root has no limit of its own, and no control group can be made here".to_owned())
    } else {
        Ok("a limit on all that this user runs")
    }
}

/// Whether the kernel filters system calls, and a filter can be made for this processor.
///
/// # Errors
/// A fragment that says what is missing.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "a system call that only asks whether an action is known; the pointer is to a local")]
pub fn seccomp() -> Result<(), String> {
    use nix::libc;
    super::seccomp::filter(super::seccomp::Beside::Namespaces, false)?;
    let action: u32 = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the kernel reads four bytes from the pointer, which outlives the call.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    if answer == 0 { Ok(()) } else { Err(format!("the kernel filters no system calls: {}", std::io::Error::last_os_error())) }
}

/// Seccomp is Linux's.
#[cfg(not(target_os = "linux"))]
pub fn seccomp() -> Result<(), String> {
    Err("only Linux filters system calls".to_owned())
}

/// Version of the kernel's Landlock interface; `None` where the kernel has none or it is off.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "a system call that only asks for a version number; no memory is passed")]
pub fn landlock_abi() -> Option<i64> {
    /// `LANDLOCK_CREATE_RULESET_VERSION` of `linux/landlock.h`.
    const VERSION: u32 = 1;
    // SAFETY: with this flag the kernel takes a null pointer and length 0, and writes nothing.
    let answer = unsafe { nix::libc::syscall(nix::libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) };
    Some(answer).filter(|abi| *abi > 0)
}

/// Landlock is Linux's.
#[cfg(not(target_os = "linux"))]
pub fn landlock_abi() -> Option<i64> {
    None
}
