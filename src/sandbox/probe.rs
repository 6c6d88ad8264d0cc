//! What the machine offers for keeping commands in their place. Only looks; changes nothing.

use super::{ProcessError, run};
use std::path::Path;
use std::time::Duration;

/// Longest wait for one probe.
const DEADLINE: Duration = Duration::from_secs(10);

/// Whether `bwrap` can start a program in namespaces of its own.
///
/// # Errors
/// See [`ProcessError`].
pub fn bubblewrap() -> Result<(), ProcessError> {
    run("bwrap", &["--ro-bind", "/", "/", "--unshare-all", "true"], Path::new("/"), DEADLINE)
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
