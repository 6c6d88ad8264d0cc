//! A server that runs in the sandbox as long as an episode: its pipes go to whoever speaks its language, its limits are watched here. Its workspace
//! stays until it has ended.

use super::command::{Stopped, ToolCommand};
use super::limits::CommandLimits;
use super::protection::{Sandbox, SandboxError};
use super::spawn::{Started, spawn};
use super::watch::{Group, TICK};
use super::workspace::Workspace;
use std::convert::Infallible;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::oneshot;

/// A running server. Ended when dropped.
#[derive(Debug)]
pub struct Session {
    /// Nothing is sent: that it is gone is what the watcher waits for.
    _held: oneshot::Sender<Infallible>,
    stopped: Arc<Mutex<Option<Stopped>>>,
}

impl Session {
    /// The limit that ended it, if one did.
    pub fn stopped(&self) -> Option<Stopped> {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server and where it runs: dropped in this order, also where the runtime ends first.
struct Running {
    group: Group,
    workspace: Arc<Workspace>,
}

impl Sandbox {
    /// Starts a server: its stdout, its stdin, and the handle that keeps it alive. What it writes to stderr is dropped. The limit on wall
    /// time is the caller's affair.
    ///
    /// # Errors
    /// As [`Sandbox::run`].
    pub fn open(
        &self,
        command: &ToolCommand,
        workspace: &Arc<Workspace>,
        limits: &CommandLimits,
    ) -> Result<(Receiver, Sender, Session), SandboxError> {
        let Started { group, stdin, stdout, stderr } = spawn(self, command, workspace, limits, Stdio::piped())?;
        let broken = || SandboxError::System { what: "talk to a server".to_owned(), source: std::io::ErrorKind::BrokenPipe.into() };
        let input = stdin.map(OwnedFd::from).ok_or_else(broken)?;
        let output = stdout.map(OwnedFd::from).ok_or_else(broken)?;
        let sender = Sender::from_owned_fd(input).map_err(SandboxError::system("talk to a server"))?;
        let receiver = Receiver::from_owned_fd(output).map_err(SandboxError::system("talk to a server"))?;
        let errors = stderr.map(OwnedFd::from).and_then(|fd| Receiver::from_owned_fd(fd).ok());
        let stopped = Arc::new(Mutex::new(None));
        let (limits, told) = (*limits, stopped.clone());
        let (held, let_go) = oneshot::channel();
        let mut running = Running { group, workspace: workspace.clone() };
        tokio::spawn(async move {
            let drain = async {
                if let Some(mut errors) = errors {
                    let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
                }
                std::future::pending::<()>().await;
            };
            let watch = async {
                loop {
                    if running.group.ended().is_some() {
                        return None;
                    }
                    if let Some(limit) = running.group.passed(&limits, &running.workspace).await {
                        return Some(limit);
                    }
                    tokio::time::sleep(TICK).await;
                }
            };
            let limit = tokio::select! { () = drain => None, limit = watch => limit, _ = let_go => None };
            *told.lock().unwrap_or_else(PoisonError::into_inner) = limit;
            running.group.end().await;
        });
        Ok((receiver, sender, Session { _held: held, stopped }))
    }
}
