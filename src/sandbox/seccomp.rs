//! The system calls that no command may make. A list of what is refused: everything else is kept in by namespaces or landlock. Refused calls
//! fail with ENOSYS, so that libraries fall back to older ways.

use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule};
use std::collections::BTreeMap;

/// What else keeps the command in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Namespaces: the filter only keeps the kernel's surface small.
    Namespaces,
    /// Landlock: the filter must also close what landlock leaves open.
    Landlock {
        /// Landlock keeps signals in (version 6 or newer).
        signals: bool,
    },
}

/// Changing the machine, looking into other processes, memory that no process is seen to hold, and corners of the kernel with a history of holes.
const ALWAYS: [i64; 49] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_clone3,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_shmget,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// Landlock looks at opening files and at signals only: not at modes, owners and times of files, nor at who belongs to which process group, nor
/// at memory and queues shared by name.
const BESIDE_LANDLOCK: [i64; 29] = [
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_inotify_add_watch,
    libc::SYS_ioprio_set,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgget,
    libc::SYS_process_madvise,
    libc::SYS_removexattr,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_semget,
    libc::SYS_setpgid,
    libc::SYS_setpriority,
    libc::SYS_setsid,
    libc::SYS_setxattr,
    SETXATTRAT,
    REMOVEXATTRAT,
];

/// Newer than the constants of the C library.
const FCHMODAT2: i64 = 452;
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;

/// The same, by path, where the machine still has the old calls.
#[cfg(target_arch = "x86_64")]
const OLD: [i64; 6] = [libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat];
#[cfg(not(target_arch = "x86_64"))]
const OLD: [i64; 0] = [];

/// Signals, where landlock does not keep them in.
const SIGNALS: [i64; 6] = [
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
];

/// Second numbering of the same calls on this machine.
const X32: i64 = 0x4000_0000;

/// The flags of `clone` that make namespaces.
const NAMESPACES: [i32; 8] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
    0x80, // CLONE_NEWTIME
];

/// The filter for one command.
///
/// # Errors
/// A fragment: this machine's kind of processor is not known to the compiler of filters.
pub(super) fn filter(beside: Beside, network: bool) -> Result<BpfProgram, String> {
    let arch = std::env::consts::ARCH.try_into().map_err(|error| format!("no seccomp filters for this processor: {error}"))?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALWAYS.iter().map(|call| (*call, Vec::new())).collect();
    let mut conditional = vec![(libc::SYS_socket, vec![families(beside, network)])];
    conditional.push((libc::SYS_clone, NAMESPACES.iter().map(|flag| vec![has_bits(0, *flag as u64)]).collect()));
    if let Beside::Landlock { signals } = beside {
        rules.extend(BESIDE_LANDLOCK.iter().chain(&OLD).map(|call| (*call, Vec::new())));
        if !signals {
            rules.extend(SIGNALS.iter().map(|call| (*call, Vec::new())));
        }
        conditional.push((libc::SYS_prlimit64, vec![vec![is_not(0, 0)]]));
        // Times through an open file only, never by path.
        conditional.push((libc::SYS_utimensat, vec![vec![is_not(1, 0)]]));
    }
    for (call, alternatives) in conditional {
        let alternatives: Result<Vec<SeccompRule>, String> = alternatives.into_iter().map(rule).collect();
        rules.insert(call, alternatives?);
    }
    if cfg!(target_arch = "x86_64") {
        let again: Vec<(i64, Vec<SeccompRule>)> = rules.iter().map(|(call, alternatives)| (call | X32, alternatives.clone())).collect();
        rules.extend(again);
    }
    let refuse = SeccompAction::Errno(libc::ENOSYS as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).map_err(|error| error.to_string())?;
    filter.try_into().map_err(|error: seccompiler::BackendError| error.to_string())
}

type Condition = Result<SeccompCondition, seccompiler::BackendError>;

fn rule(all: Vec<Condition>) -> Result<SeccompRule, String> {
    let all: Result<Vec<SeccompCondition>, _> = all.into_iter().collect();
    all.and_then(SeccompRule::new).map_err(|error| error.to_string())
}

fn is_not(argument: u8, value: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, value)
}

fn has_bits(argument: u8, bits: u64) -> Condition {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bits), bits)
}

/// Holds for a socket of a family that is not allowed. With the machine's network, local sockets would reach its daemons; without, and
/// without a network namespace, no socket is harmless.
fn families(beside: Beside, network: bool) -> Vec<Condition> {
    let allowed: &[i32] = match (beside, network) {
        (_, true) => &[libc::AF_INET, libc::AF_INET6],
        (Beside::Namespaces, false) => &[libc::AF_INET, libc::AF_INET6, libc::AF_UNIX],
        // None: no family has this number.
        (Beside::Landlock { .. }, false) => &[0xffff],
    };
    let differs = |family: &i32| SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, *family as u64);
    allowed.iter().map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_compiles() {
        for beside in [Beside::Namespaces, Beside::Landlock { signals: true }, Beside::Landlock { signals: false }] {
            for network in [false, true] {
                assert!(filter(beside, network).unwrap().len() > 50);
            }
        }
    }
}
