//! A planned death for crash tests: `HARNESSX_FAIL_AFTER=n` kills the process right after its n-th durable write, as SIGKILL would.
//! Debug builds only. A durable write is one call of [`written`]: a whole file, an appended line, a ref.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Durable writes of this process so far.
static WRITES: AtomicU64 = AtomicU64::new(0);

/// The write to die after; 0 for none.
static LAST: OnceLock<u64> = OnceLock::new();

/// Counts a durable write; does not come back from the one to die after.
pub(super) fn written() {
    if !cfg!(debug_assertions) {
        return;
    }
    let last = *LAST.get_or_init(|| std::env::var("HARNESSX_FAIL_AFTER").ok().and_then(|text| text.parse().ok()).unwrap_or(0));
    if WRITES.fetch_add(1, Ordering::Relaxed) + 1 == last {
        // No destructor and no other thread gets a word in.
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    }
}
