//! What an instance has left of its fuel and time; read by the engine's interrupts.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Fuel and deadline of the event that is running.
pub(super) struct Gauge {
    started: Instant,
    fuel: AtomicU64,
    /// Nanoseconds after `started`.
    deadline: AtomicU64,
    tripped: AtomicBool,
    /// Calls of the environment's tools.
    calls: AtomicU32,
}

impl Gauge {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            fuel: AtomicU64::new(0),
            deadline: AtomicU64::new(0),
            tripped: AtomicBool::new(false),
            calls: AtomicU32::new(0),
        }
    }

    /// Fills up for one event.
    pub(super) fn fill(&self, fuel: u64, time: Duration) {
        self.fuel.store(fuel, Ordering::Relaxed);
        self.deadline.store(nanoseconds(self.started.elapsed() + time), Ordering::Relaxed);
        self.tripped.store(false, Ordering::Relaxed);
        self.calls.store(0, Ordering::Relaxed);
    }

    /// Time in which the script waited for the host does not count.
    pub(super) fn extend(&self, time: Duration) {
        self.deadline.fetch_add(nanoseconds(time), Ordering::Relaxed);
    }

    /// Counts a call of the environment's tools; gives those made before.
    pub(super) fn count_call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed)
    }

    /// Leaves nothing: the script is not wanted any more.
    pub(super) fn empty(&self) {
        self.fuel.store(0, Ordering::Relaxed);
    }

    /// One interrupt; true stops the script.
    pub(super) fn tick(&self) -> bool {
        let has_fuel = self.fuel.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |fuel| fuel.checked_sub(1)).is_ok();
        let is_late = nanoseconds(self.started.elapsed()) > self.deadline.load(Ordering::Relaxed);
        let stop = !has_fuel || is_late;
        if stop {
            self.tripped.store(true, Ordering::Relaxed);
        }
        stop
    }

    /// Whether the script was stopped.
    pub(super) fn has_tripped(&self) -> bool {
        self.tripped.load(Ordering::Relaxed)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
