//! In the place of `containers` where this build lacks it: there is never a daemon.

use super::command::{Finished, ToolCommand};
use super::limits::CommandLimits;
use super::protection::SandboxError;
use super::workspace::Workspace;
use std::fmt;

/// How to get containers, in one sentence.
pub const CURE: &str = "build with --features containers";

/// There is none.
#[derive(Clone, Debug)]
pub enum Containers {}

impl Containers {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn find() -> Result<Self, SandboxError> {
        Err(SandboxError::NoProtection(format!("this build has no containers; {CURE}")))
    }

    /// See `containers`.
    ///
    /// # Errors
    /// None: there is no such value.
    pub fn check_image(&self, _image: &str) -> Result<(), SandboxError> {
        match *self {}
    }

    /// See `containers`.
    ///
    /// # Errors
    /// None: there is no such value.
    #[expect(clippy::unused_async, reason = "as the other one")]
    pub async fn run(
        &self,
        _image: &str,
        _command: &ToolCommand,
        _workspace: &Workspace,
        _limits: &CommandLimits,
    ) -> Result<Finished, SandboxError> {
        match *self {}
    }
}

impl fmt::Display for Containers {
    fn fmt(&self, _out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
