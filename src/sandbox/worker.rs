//! Workers: copies of this program that run what others wrote. Starting and killing one, and, inside it, giving up every right that its
//! work does not need, before the first byte of a script is read (`scripts.md`). One socket is all that a worker has.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    /// The program.
    pub path: PathBuf,
    /// What makes it a worker.
    pub arguments: Vec<String>,
}

/// What a worker is kept in by, as it found when it gave up its rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protections {
    /// Resource limits: memory, CPU, no files to open or write, no processes.
    pub limits: bool,
    /// Landlock: no file system, and no network where the kernel's version covers it.
    pub landlock: bool,
    /// A list of the system calls that are left; no others are made.
    pub system_calls: bool,
}

impl Protections {
    /// Whether something of the kernel's keeps the worker from files and network.
    pub fn is_confined(&self) -> bool {
        self.landlock || self.system_calls
    }
}

impl fmt::Display for Protections {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.limits, "resource limits"), (self.landlock, "landlock"), (self.system_calls, "a system call filter")];
        let there: Vec<&str> = parts.into_iter().filter(|(is_there, _)| *is_there).map(|(_, name)| name).collect();
        out.write_str(if there.is_empty() { "nothing" } else { "" })?;
        out.write_str(&there.join(", "))
    }
}

/// A running worker; killed when dropped.
pub struct Worker {
    child: Child,
    stream: UnixStream,
}

impl Worker {
    /// Starts a worker without environment, in the root folder; its only file is a socket, as its standard input.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(program: &WorkerProgram) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let child = Command::new(&program.path)
            .args(&program.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, stream: ours })
    }

    /// Sends bytes; a worker that does not read them is late.
    ///
    /// # Errors
    /// What the operating system says; `WouldBlock` or `TimedOut` when it is late.
    pub fn send(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<()> {
        self.stream.set_write_timeout(Some(left(deadline)?))?;
        self.stream.write_all(bytes)
    }

    /// Fills `bytes` with what the worker sends.
    ///
    /// # Errors
    /// What the operating system says; `WouldBlock` or `TimedOut` when it is late, `UnexpectedEof` when it is gone.
    pub fn receive(&mut self, bytes: &mut [u8], deadline: Instant) -> io::Result<()> {
        let mut filled = 0;
        while filled < bytes.len() {
            self.stream.set_read_timeout(Some(left(deadline)?))?;
            match self.stream.read(&mut bytes[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The worker's end of its socket. What was inherited beside it is closed: to be called before anything else is opened.
///
/// # Errors
/// What the operating system says.
pub fn parent() -> io::Result<UnixStream> {
    #[cfg(target_os = "linux")]
    linux::close_inherited();
    Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
}

#[cfg(target_os = "linux")]
pub use linux::confine;

/// Elsewhere than on Linux there is nothing to give up with.
#[cfg(not(target_os = "linux"))]
pub fn confine(_memory: u64) -> Protections {
    Protections::default()
}

#[cfg(target_os = "linux")]
mod linux {
    use super::Protections;
    use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus};
    use nix::libc;
    use nix::sys::resource::{Resource, setrlimit};
    use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};
    use std::collections::BTreeMap;

    /// CPU time of one worker in seconds: a backstop, should its parent be gone.
    const CPU_SECONDS: u64 = 24 * 3600;

    /// Gives up all rights but computing and the open socket, each as far as the kernel has the means. `memory` is in bytes of address
    /// space.
    pub fn confine(memory: u64) -> Protections {
        die_with_parent();
        let (memory_and_more, landlock) = (limit(memory), restrict());
        // Landlock opens a descriptor for its rules, so files are limited after it; the filter lets no limit be changed.
        let files = setrlimit(Resource::RLIMIT_NOFILE, 0, 0).is_ok();
        Protections { limits: memory_and_more && files, landlock, system_calls: filter() }
    }

    #[expect(unsafe_code, reason = "a system call that takes three numbers; no memory is passed")]
    pub(super) fn close_inherited() {
        // SAFETY: nothing of this process's own is open yet behind the standard streams.
        unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    }

    #[expect(unsafe_code, reason = "a system call that takes two numbers; no memory is passed")]
    fn die_with_parent() {
        // SAFETY: the option takes a signal number and touches no memory.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    }

    fn limit(memory: u64) -> bool {
        let limits = [
            (Resource::RLIMIT_AS, memory),
            (Resource::RLIMIT_CPU, CPU_SECONDS),
            (Resource::RLIMIT_FSIZE, 0),
            (Resource::RLIMIT_NPROC, 0),
            (Resource::RLIMIT_CORE, 0),
        ];
        limits.into_iter().all(|(resource, most)| setrlimit(resource, most, most).is_ok())
    }

    /// No file may be opened in any way and no port be bound or connected to.
    fn restrict() -> bool {
        let abi = ABI::V5;
        let ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(abi))
            .and_then(|ruleset| ruleset.handle_access(AccessNet::from_all(abi)))
            .and_then(Ruleset::create);
        let status = ruleset.and_then(landlock::RulesetCreated::restrict_self);
        status.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
    }

    /// Memory, the open socket, the clock and the end; everything else is answered with an error.
    fn filter() -> bool {
        let Some(program) = program() else { return false };
        seccompiler::apply_filter(&program).is_ok()
    }

    fn program() -> Option<BpfProgram> {
        let plain = [
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_readv,
            libc::SYS_writev,
            libc::SYS_recvfrom,
            libc::SYS_sendto,
            libc::SYS_close,
            libc::SYS_munmap,
            libc::SYS_mremap,
            libc::SYS_madvise,
            libc::SYS_brk,
            libc::SYS_futex,
            libc::SYS_exit,
            libc::SYS_exit_group,
            libc::SYS_rt_sigreturn,
            libc::SYS_rt_sigprocmask,
            libc::SYS_sigaltstack,
            libc::SYS_clock_gettime,
            libc::SYS_getrandom,
            libc::SYS_sched_yield,
            libc::SYS_restart_syscall,
        ];
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = plain.into_iter().map(|call| (call, Vec::new())).collect();
        // Memory that is both new and executable is never wanted.
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            let masked = SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64);
            let data_only = SeccompCondition::new(2, SeccompCmpArgLen::Dword, masked, 0).ok()?;
            rules.insert(call, vec![SeccompRule::new(vec![data_only]).ok()?]);
        }
        let refuse = SeccompAction::Errno(libc::EPERM as u32);
        let arch = std::env::consts::ARCH.try_into().ok()?;
        SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch).ok()?.try_into().ok()
    }
}
