//! Scripted processors and composed tools (`scripts.md`): JavaScript that people or the meta-agent wrote, run in workers that are copies of
//! this program and have given up every other right. A script's instance lives in one worker, with a runtime of its own.
//!
//! `protocol`: what host and worker say. Host: `pool` (workers and their threads), `instance` (one script of one episode), `view` (what a
//! script is shown), `action` (what it answered), `declarations` (types for authors). Worker: `worker` (the loop), `engine` (one runtime),
//! `module` (its text as it is run), `gauge` (fuel and time), `api` and `prelude.js` (the helpers), `check`, `kept` and `globals` (static checks).

mod action;
mod api;
mod check;
mod declarations;
mod engine;
mod gauge;
mod globals;
mod instance;
mod kept;
mod module;
mod pool;
mod protocol;
#[cfg(test)]
mod tests;
mod view;
mod worker;

pub use declarations::declarations;
pub use instance::{Instance, ToolStep, Waiting};
pub use pool::{Pool, PoolSettings, ScriptError, allow_unconfined};
pub use protocol::{Card, FaultKind, Kind, Remark, ScriptFault, ScriptLimits};
pub use worker::serve;

/// The hidden subcommand that makes this program a worker.
pub const WORKER: &str = "script-worker";
