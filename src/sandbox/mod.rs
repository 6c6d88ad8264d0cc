//! The only door to processes. Four ways through it: [`program`] for the user's own clients, [`Sandbox::run`] for one command of an agent or
//! a harness, [`Sandbox::open`] for a server that lives as long as an episode, [`Containers::run`] for a command that names an image. The
//! last three see system folders or the image's, and one workspace, never the run directory, the user's home, keys, or other episodes
//! (`scripts.md`, tool sandbox).
//!
//! Reading order: [`protection`] (what keeps a command in), [`limits`], [`workspace`], `view` (what it sees), `bubblewrap` or `confine` (how it is
//! kept in), `spawn` (how it starts), `cgroup` (how many processes it can have at all), `watch` and `disk` (how it is stopped), [`command`]
//! (one command from start to end), `containers` (the same by a daemon; sole user of bollard), `owner` (whose something that was left is).

mod apart;
mod bubblewrap;
mod cgroup;
pub mod command;
#[cfg(target_os = "linux")]
mod confine;
#[cfg_attr(not(feature = "containers"), path = "no_containers.rs")]
pub mod containers;
mod disk;
mod held;
#[cfg(target_os = "linux")]
mod lifeline;
pub mod limits;
mod owner;
pub mod probe;
pub mod program;
pub mod protection;
mod removal;
#[cfg(target_os = "linux")]
mod seccomp;
pub mod session;
mod spawn;
mod view;
mod watch;
pub mod worker;
pub mod workspace;

pub use apart::apart;
pub use command::{End, Finished, Stopped, ToolCommand};
pub use containers::Containers;
pub use limits::CommandLimits;
pub use owner::is_gone;
pub use program::{ProcessError, run};
pub use protection::{Protection, Sandbox, SandboxError, Wanted};
pub use session::Session;
pub use view::{find_program, is_of_the_system};
pub use workspace::{Root, Workspace};
