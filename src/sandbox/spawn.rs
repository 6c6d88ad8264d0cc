//! Starts a command: environment cleared to a short list, limits set, pipes made, protection put on between fork and exec.

use super::cgroup::Cgroup;
use super::command::ToolCommand;
use super::limits::CommandLimits;
use super::protection::{Protection, Sandbox, SandboxError};
use super::view::{View, view};
use super::watch::Group;
use super::workspace::Workspace;
use nix::libc;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};

/// Most files that one process may have open.
pub(super) const OPEN_FILES: u64 = 1024;

/// Threads that this user's other programs may start while a command runs, before the command itself is refused one.
const OTHERS_MEANWHILE: u64 = 512;

/// Threads of all processes together, for each process that a command may have.
const THREADS_A_PROCESS: u64 = 8;

/// Bytes of memory for what keeps a command in.
const PROTECTION_MEMORY: u64 = 64 << 20;

/// How much a command yields to this program.
const NICE: i32 = 10;

/// A command that runs.
pub(super) struct Started {
    pub group: Group,
    pub stdin: Option<ChildStdin>,
    pub stdout: Option<ChildStdout>,
    pub stderr: Option<ChildStderr>,
}

/// Starts it. The thread that calls must live as long as the command: bubblewrap ends with the thread that started it.
pub(super) fn spawn(
    sandbox: &Sandbox,
    command: &ToolCommand,
    workspace: &Workspace,
    limits: &CommandLimits,
    stdin: Stdio,
) -> Result<Started, SandboxError> {
    let protection = sandbox.protection();
    let name = command.argv.first().map_or("", String::as_str);
    command.check()?;
    workspace.open_up()?;
    let inside = [workspace.tools_inside(protection.root()), workspace.work_inside(protection.root())];
    let view = view(name, command.network, &sandbox.hidden, &inside.each_ref().map(AsRef::as_ref), protection)?;
    let filter = filter_pipe(protection, command.network)?;
    let environment = environment(command, protection, &view, workspace);
    let mut process = Command::new(sandbox.launcher.as_ref().unwrap_or(&view.program));
    process.env_clear().stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    if sandbox.launcher.is_some() {
        let filter = filter.as_ref().map(AsRawFd::as_raw_fd);
        process.args(super::bubblewrap::command_line(&view, command, workspace, limits, &environment, filter)).current_dir("/");
    } else {
        process.args(command.argv.iter().skip(1)).envs(environment).current_dir(workspace.work());
    }
    let cgroup = Cgroup::new(most_threads(limits), most_memory(limits));
    restrict(&mut process, protection, &view, command, workspace, limits, Handed { filter: filter.as_ref(), cgroup: cgroup.as_ref() })?;
    let mut child = process.spawn().map_err(|source| {
        // Where bubblewrap starts the program, it is bubblewrap that says what is wrong with it.
        if sandbox.launcher.is_none() && is_of_the_program(&source) {
            SandboxError::NoProgram { program: name.to_owned(), problem: source.to_string() }
        } else {
            SandboxError::System { what: format!("start {name:?}"), source }
        }
    })?;
    let (stdin, stdout, stderr) = take_pipes(&mut child);
    Ok(Started { group: Group::new(child, protection, cgroup), stdin, stdout, stderr })
}

/// Whether the kernel would start another program, just not this one: whoever named or brought it is at fault.
fn is_of_the_program(error: &io::Error) -> bool {
    let faults = [
        libc::ENOENT,
        libc::EACCES,
        libc::ENOTDIR,
        libc::EISDIR,
        libc::ELOOP,
        libc::ENAMETOOLONG,
        libc::ENOEXEC,
        libc::ELIBBAD,
        libc::ETXTBSY,
        libc::E2BIG,
    ];
    error.raw_os_error().is_some_and(|number| faults.contains(&number))
}

fn take_pipes(child: &mut Child) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
    (child.stdin.take(), child.stdout.take(), child.stderr.take())
}

/// What a command finds in its environment: its own variables, then the sandbox's, which win. Nothing is inherited, so no key can be.
fn environment(command: &ToolCommand, protection: Protection, view: &View, workspace: &Workspace) -> Vec<(OsString, OsString)> {
    let tmp = match protection {
        Protection::Bubblewrap => "/tmp".into(),
        Protection::Landlock | Protection::Off => workspace.tmp().into_os_string(),
    };
    let home = workspace.work_inside(protection.root()).into_os_string();
    let given = command.environment.iter().map(|(name, value)| (name.into(), value.into()));
    let own = [
        ("PATH", view.path.clone().into()),
        ("HOME", home),
        ("TMPDIR", tmp),
        ("LANG", "C.UTF-8".into()),
        ("TZ", "UTC".into()),
        ("TERM", "dumb".into()),
    ];
    given.chain(own.map(|(name, value)| (name.into(), value))).collect()
}

/// The seccomp program for bubblewrap, waiting in a pipe.
#[cfg(target_os = "linux")]
fn filter_pipe(protection: Protection, network: bool) -> Result<Option<OwnedFd>, SandboxError> {
    use std::io::Write;
    if protection != Protection::Bubblewrap {
        return Ok(None);
    }
    let program = super::seccomp::filter(super::seccomp::Beside::Namespaces, network).map_err(SandboxError::NoProtection)?;
    let mut bytes = Vec::with_capacity(program.len() * 8);
    for step in program {
        bytes.extend_from_slice(&step.code.to_ne_bytes());
        bytes.extend_from_slice(&[step.jt, step.jf]);
        bytes.extend_from_slice(&step.k.to_ne_bytes());
    }
    // Far below what a pipe holds, so that writing does not wait for a reader.
    let (reader, mut writer) = io::pipe().map_err(SandboxError::system("make a pipe"))?;
    writer.write_all(&bytes).map_err(SandboxError::system("write a seccomp filter"))?;
    Ok(Some(reader.into()))
}

#[cfg(not(target_os = "linux"))]
fn filter_pipe(_protection: Protection, _network: bool) -> Result<Option<OwnedFd>, SandboxError> {
    Ok(None)
}

/// What the forked child finds open.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "bubblewrap and control groups are of Linux"))]
#[derive(Clone, Copy)]
struct Handed<'a> {
    /// For bubblewrap.
    filter: Option<&'a OwnedFd>,
    cgroup: Option<&'a Cgroup>,
}

/// What the forked child does to itself before it becomes the program.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "code between fork and exec; what it calls says why it may run there")]
fn restrict(
    process: &mut Command,
    protection: Protection,
    view: &View,
    command: &ToolCommand,
    workspace: &Workspace,
    limits: &CommandLimits,
    handed: Handed<'_>,
) -> Result<(), SandboxError> {
    let mut confinement = match protection {
        Protection::Landlock => {
            let abi = super::probe::landlock_abi().unwrap_or(0);
            Some(super::confine::Confinement::new(view, workspace, command.network, abi)?)
        }
        Protection::Bubblewrap | Protection::Off => None,
    };
    let owner = i32::try_from(std::process::id()).unwrap_or(0);
    let filter = handed.filter.map(AsRawFd::as_raw_fd);
    let caps = resource_limits(limits);
    let entrances = handed.cgroup.map(Cgroup::entrances).unwrap_or_default();
    let restrict = move || {
        for entrance in &entrances {
            // SAFETY: one byte of a constant. Where the group does not let it in, the watcher is left.
            unsafe { libc::write(*entrance, c"0".as_ptr().cast(), 1) };
        }
        match protection {
            // SAFETY: no arguments; a child just forked leads no group.
            Protection::Bubblewrap => drop(unsafe { libc::setsid() }),
            Protection::Landlock | Protection::Off => super::lifeline::keep(owner)?,
        }
        for (resource, most) in caps {
            let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
            // SAFETY: the pointer is to a local. A limit above what this user may set stays as it is, which is lower.
            unsafe { libc::setrlimit(resource, &raw const limit) };
        }
        // SAFETY: plain numbers. Every file that this program has open is closed at exec, but for the filter.
        unsafe {
            libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
            libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            if let Some(filter) = filter {
                libc::fcntl(filter, libc::F_SETFD, 0);
            }
        }
        confinement.as_mut().map_or(Ok(()), super::confine::Confinement::enter)
    };
    // SAFETY: the closure makes system calls and takes prepared values apart; it asks for no locks.
    unsafe { process.pre_exec(restrict) };
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn restrict(
    process: &mut Command,
    _protection: Protection,
    _view: &View,
    _command: &ToolCommand,
    _workspace: &Workspace,
    _limits: &CommandLimits,
    _handed: Handed<'_>,
) -> Result<(), SandboxError> {
    process.process_group(0);
    Ok(())
}

/// Limits of each single process; those of all together are `watch`'s.
#[cfg(target_os = "linux")]
fn resource_limits(limits: &CommandLimits) -> [(u32, u64); 6] {
    [
        // The kernel counts all that this user runs, and nothing of root's; root has a control group.
        (libc::RLIMIT_NPROC, threads_of_this_user() + most_threads(limits) + OTHERS_MEANWHILE),
        (libc::RLIMIT_DATA, limits.memory_mb << 20),
        (libc::RLIMIT_CPU, limits.cpu_seconds + 1),
        (libc::RLIMIT_FSIZE, limits.disk_mb << 20),
        (libc::RLIMIT_NOFILE, OPEN_FILES),
        (libc::RLIMIT_CORE, 0),
    ]
}

/// What the kernel allows where the watcher counts processes: many programs have threads.
fn most_threads(limits: &CommandLimits) -> u64 {
    u64::from(limits.processes) * THREADS_A_PROCESS
}

/// What the kernel allows where it counts memory in a group, in bytes: what the watcher allows, files in memory beside it, and the protection's own.
fn most_memory(limits: &CommandLimits) -> u64 {
    (limits.memory_mb << 20) + 2 * super::bubblewrap::SCRATCH + PROTECTION_MEMORY
}

/// By the links of each process's list of threads, which belongs to its user.
#[cfg(target_os = "linux")]
fn threads_of_this_user() -> u64 {
    use std::os::unix::fs::MetadataExt;
    let user = nix::unistd::geteuid().as_raw();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let lists = processes.filter_map(|process| std::fs::metadata(process.path().join("task")).ok());
    lists.filter(|list| list.uid() == user).map(|list| list.nlink().saturating_sub(2)).sum()
}
