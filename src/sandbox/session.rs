//! A server that runs in the sandbox as long as an episode: its pipes go to whoever speaks its language, its limits are watched here.

use super::command::{Stopped, ToolCommand};
use super::limits::CommandLimits;
use super::protection::{Sandbox, SandboxError};
use super::spawn::{Started, spawn};
use super::watch::TICK;
use super::workspace::Workspace;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::task::JoinHandle;

/// A running server. Ended when dropped.
#[derive(Debug)]
pub struct Session {
    watcher: JoinHandle<()>,
    stopped: Arc<Mutex<Option<Stopped>>>,
}

impl Session {
    /// The limit that ended it, if one did.
    pub fn stopped(&self) -> Option<Stopped> {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The processes belong to the task, and end with it.
        self.watcher.abort();
    }
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
        workspace: &Workspace,
        limits: &CommandLimits,
    ) -> Result<(Receiver, Sender, Session), SandboxError> {
        let Started { mut group, stdin, stdout, stderr } = spawn(self, command, workspace, limits, Stdio::piped())?;
        let broken = || SandboxError::System { what: "talk to a server".to_owned(), source: std::io::ErrorKind::BrokenPipe.into() };
        let input = stdin.map(OwnedFd::from).ok_or_else(broken)?;
        let output = stdout.map(OwnedFd::from).ok_or_else(broken)?;
        let sender = Sender::from_owned_fd(input).map_err(SandboxError::system("talk to a server"))?;
        let receiver = Receiver::from_owned_fd(output).map_err(SandboxError::system("talk to a server"))?;
        let errors = stderr.map(OwnedFd::from).and_then(|fd| Receiver::from_owned_fd(fd).ok());
        let stopped = Arc::new(Mutex::new(None));
        let (limits, work, told) = (*limits, workspace.work(), stopped.clone());
        let watcher = tokio::spawn(async move {
            let drain = async {
                if let Some(mut errors) = errors {
                    let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
                }
                std::future::pending::<()>().await;
            };
            let watch = async {
                loop {
                    if group.ended().is_some() {
                        return None;
                    }
                    if let Some(limit) = group.passed(&limits, &work).await {
                        return Some(limit);
                    }
                    tokio::time::sleep(TICK).await;
                }
            };
            let limit = tokio::select! { () = drain => None, limit = watch => limit };
            *told.lock().unwrap_or_else(PoisonError::into_inner) = limit;
            group.end().await;
        });
        Ok((receiver, sender, Session { watcher, stopped }))
    }
}
