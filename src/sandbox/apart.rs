//! A future run to its end on a thread of its own, for callers that cannot wait: inside a runtime or without one.

use std::io;
use tokio::runtime::Builder;

/// Runs it; the caller stands still meanwhile.
///
/// # Errors
/// No thread or no runtime can be had, or the work broke.
pub fn apart<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let alone = || Ok(Builder::new_current_thread().enable_all().build()?.block_on(work()));
        let thread = std::thread::Builder::new().spawn_scoped(scope, alone)?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the work broke")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn work_is_waited_for_within_a_runtime() {
        let waited = async || {
            tokio::time::sleep(Duration::from_millis(1)).await;
            7
        };
        assert_eq!(apart(waited).unwrap(), 7);
    }
}
