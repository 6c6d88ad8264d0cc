//! What every command that plays episodes needs of the process: an async runtime, Ctrl-C, open files.

use super::failure::{Exit, Failure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set by Ctrl-C: no further episode is started.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The async runtime; with it, the number of open files is raised to what the system allows: each live episode holds a connection and a
/// trace.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // Best effort: too few are an error where a file cannot be opened.
    let _ = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Outside, format!("start the async runtime: {error}")))
}

/// Whether Ctrl-C was pressed.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Waits for Ctrl-C twice: the first one only keeps further episodes from starting.
pub(crate) async fn second_interrupt() {
    let _ = tokio::signal::ctrl_c().await;
    INTERRUPTED.store(true, Ordering::Relaxed);
    let _ = tokio::signal::ctrl_c().await;
}
