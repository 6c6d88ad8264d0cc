//! The fallback without bubblewrap: landlock for files and signals, seccomp for what landlock leaves open, no capabilities. The files are
//! chosen before the fork; the forked child only puts itself under them.

use super::protection::SandboxError;
use super::seccomp::{Beside, filter};
use super::view::{DEVICES, View};
use super::workspace::Workspace;
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
    Scope, path_beneath_rules,
};
use nix::libc;
use seccompiler::BpfProgram;
use std::io;

/// Harmless facts about the machine that programs ask for.
const FACTS: [&str; 5] = ["/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/sys/vm/overcommit_memory"];

/// First version of landlock that keeps signals in.
pub(super) const SIGNALS_SINCE: i64 = 6;

/// Rules that wait for the child.
pub(super) struct Confinement {
    ruleset: Option<RulesetCreated>,
    filter: BpfProgram,
}

impl Confinement {
    /// Prepares the rules of one command.
    pub fn new(view: &View, workspace: &Workspace, network: bool, abi: i64) -> Result<Self, SandboxError> {
        let refuse = |problem: String| SandboxError::NoProtection(problem);
        let ruleset = rules(view, workspace).map_err(|error| refuse(error.to_string()))?;
        let filter = filter(Beside::Landlock { signals: abi >= SIGNALS_SINCE }, network).map_err(refuse)?;
        Ok(Self { ruleset: Some(ruleset), filter })
    }

    /// In the child, just before the program: from here on there is no way back.
    pub fn enter(&mut self) -> io::Result<()> {
        drop_capabilities()?;
        let ruleset = self.ruleset.take().ok_or(io::ErrorKind::InvalidInput)?;
        let status = ruleset.restrict_self().map_err(|_| io::Error::from(io::ErrorKind::PermissionDenied))?;
        if status.ruleset == RulesetStatus::NotEnforced || !status.no_new_privs {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        seccompiler::apply_filter(&self.filter).map_err(|_| io::Error::from(io::ErrorKind::PermissionDenied))
    }
}

fn rules(view: &View, workspace: &Workspace) -> Result<RulesetCreated, RulesetError> {
    let abi = ABI::V6;
    let all = AccessFs::from_all(abi);
    let read = AccessFs::from_read(abi);
    let device = AccessFs::ReadFile | AccessFs::WriteFile;
    let ruleset =
        Ruleset::default().set_compatibility(CompatLevel::BestEffort).handle_access(all)?.scope(Scope::from_all(abi))?.create()?;
    ruleset
        .add_rules(path_beneath_rules(&view.shown, read))?
        .add_rules(path_beneath_rules([workspace.tools()], read))?
        .add_rules(path_beneath_rules(FACTS, AccessFs::ReadFile))?
        .add_rules(path_beneath_rules(DEVICES, device))?
        .add_rules(path_beneath_rules([workspace.work(), workspace.tmp()], all))
}

/// Gives up every capability for good, so that root is an ordinary owner of its files.
#[expect(
    unsafe_code,
    reason = "the C library has no safe call for capabilities; the two structures live on the stack until the call returns"
)]
fn drop_capabilities() -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3` of `linux/capability.h`.
    const VERSION: u32 = 0x2008_0522;
    let header: [u32; 2] = [VERSION, 0];
    let none = [0_u32; 6];
    for capability in 0..64 {
        // SAFETY: plain numbers only. A number that the kernel does not know, or a user without the right, has nothing to lose.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    // SAFETY: header and data have the sizes that version 3 prescribes (8 and 24 bytes), and outlive the call.
    let answer = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
