//! The command line of bubblewrap: new namespaces of every kind, a root of nothing but what the view shows, one writable workspace.

use super::command::ToolCommand;
use super::limits::CommandLimits;
use super::view::View;
use super::workspace::{TOOLS_INSIDE, WORK_INSIDE, Workspace};
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// Bytes of memory that /tmp and /dev/shm may hold, each.
pub(super) const SCRATCH: u64 = 64 << 20;

/// What follows bubblewrap itself on the command line. `environment` is that of the command: bubblewrap has none, since it runs outside. `filter`
/// is the file descriptor of a seccomp program.
pub(super) fn command_line(
    view: &View,
    command: &ToolCommand,
    workspace: &Workspace,
    limits: &CommandLimits,
    environment: &[(OsString, OsString)],
    filter: Option<i32>,
) -> Vec<OsString> {
    let mut line: Vec<OsString> = Vec::new();
    let scratch = SCRATCH.min(limits.memory_mb << 20).to_string();
    // Seen as nobody, so that nothing inside looks as if it were root.
    let namespaces =
        "--unshare-user --unshare-all --uid 65534 --gid 65534 --hostname sandbox --die-with-parent --new-session --cap-drop ALL";
    put(&mut line, namespaces.split(' '));
    if command.network {
        put(&mut line, ["--share-net"]);
    }
    put(&mut line, ["--proc", "/proc", "--dev", "/dev", "--size", &scratch, "--tmpfs", "/dev/shm", "--size", &scratch, "--tmpfs", "/tmp"]);
    for path in &view.shown {
        let is_link = fs::symlink_metadata(path).is_ok_and(|data| data.is_symlink());
        match fs::read_link(path) {
            // A link at the root, such as /bin to usr/bin; deeper ones are shown as what they point to.
            Ok(target) if is_link && path.parent() == Some(Path::new("/")) => {
                line.extend(["--symlink".into(), target.into_os_string(), path.into()]);
            }
            Ok(_) | Err(_) => line.extend(["--ro-bind-try".into(), path.into(), path.into()]),
        }
    }
    line.extend(["--bind".into(), workspace.work().into_os_string(), WORK_INSIDE.into()]);
    line.extend(["--ro-bind".into(), workspace.tools().into_os_string(), TOOLS_INSIDE.into()]);
    put(&mut line, ["--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK_INSIDE]);
    for (name, value) in environment {
        line.extend(["--setenv".into(), name.clone(), value.clone()]);
    }
    if let Some(filter) = filter {
        put(&mut line, ["--seccomp", &filter.to_string()]);
    }
    put(&mut line, ["--"]);
    line.push(view.program.clone().into_os_string());
    line.extend(command.argv.iter().skip(1).map(OsString::from));
    line
}

fn put<'a>(line: &mut Vec<OsString>, words: impl IntoIterator<Item = &'a str>) {
    line.extend(words.into_iter().map(OsString::from));
}
