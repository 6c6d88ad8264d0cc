//! Time and seeded chance, injected: the only module that reads the time of day, and whatever of time reaches a record. (How long a process is
//! waited for is measured where it is waited for.) Tests take a clock that moves by fixed steps.

use crate::domain::id::Digest;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where time comes from. Cheap to clone; clones of a stepped clock share their steps.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's.
    System {
        /// Zero of the monotonic milliseconds.
        start: Instant,
    },
    /// For tests: every reading moves it on by `step_ms`, from 2000-01-01T00:00:00Z.
    Stepped {
        /// Milliseconds so far.
        now_ms: Arc<AtomicU64>,
        /// Milliseconds a reading.
        step_ms: u64,
    },
}

/// 2000-01-01T00:00:00Z in Unix milliseconds: the wall time at which a stepped clock starts.
const STEPPED_EPOCH_MS: u64 = 946_684_800_000;

impl Clock {
    /// The machine's clock, counting from now.
    pub fn system() -> Self {
        Self::System { start: Instant::now() }
    }

    /// A clock that moves by `step_ms` with every reading; 0 stands still.
    pub fn stepped(step_ms: u64) -> Self {
        Self::Stepped { now_ms: Arc::default(), step_ms }
    }

    /// Milliseconds since the clock was made; never goes back.
    pub fn milliseconds(&self) -> u64 {
        match self {
            Self::System { start } => start.elapsed().as_millis() as u64,
            Self::Stepped { now_ms, step_ms } => now_ms.fetch_add(*step_ms, Ordering::Relaxed),
        }
    }

    /// Milliseconds since 1970, by the wall clock.
    pub fn unix_milliseconds(&self) -> u64 {
        match self {
            Self::System { .. } => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
            Self::Stepped { .. } => STEPPED_EPOCH_MS + self.milliseconds(),
        }
    }

    /// The wall time as RFC 3339 text in UTC with milliseconds, such as `2026-01-31T12:00:00.250Z`.
    pub fn wall_text(&self) -> String {
        let now = self.unix_milliseconds();
        let (days, rest) = (now / 86_400_000, now % 86_400_000);
        let (year, month, day) = date_of(days);
        let (seconds, milliseconds) = (rest / 1000, rest % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
    }
}

/// The instant `after` from now, for deadlines on async work.
pub fn deadline(after: Duration) -> tokio::time::Instant {
    tokio::time::Instant::now() + after
}

/// A generator whose stream depends on the digest alone.
pub fn seeded(digest: &Digest) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(digest.0)
}

/// A generator whose stream depends on the number alone.
pub fn seeded_by(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Year, month and day of a day counted from 1970-01-01 (the usual civil-from-days arithmetic, years from March).
fn date_of(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, from 1970 on; `month` 1 to 12, `day` 1 to 31.
pub fn days_to(year: u64, month: u64, day: u64) -> u64 {
    let shifted_year = year - u64::from(month <= 2);
    let era = shifted_year / 400;
    let year_of_era = shifted_year % 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).saturating_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn a_stepped_clock_tells_the_same_times_in_every_run() {
        let clock = Clock::stepped(1500);
        assert_eq!(clock.wall_text(), "2000-01-01T00:00:00.000Z");
        assert_eq!(clock.wall_text(), "2000-01-01T00:00:01.500Z");
        assert_eq!(clock.clone().milliseconds(), 3000);
    }

    #[test]
    fn days_and_dates_are_inverse() {
        for days in (0..60_000).step_by(13) {
            let (year, month, day) = date_of(days);
            assert_eq!(days_to(year, month, day), days);
        }
        assert_eq!(date_of(11_016), (2000, 2, 29));
    }

    #[test]
    fn equal_seeds_give_equal_streams() {
        let digest = Digest::of(b"seed");
        assert_eq!(seeded(&digest).next_u64(), seeded(&digest).next_u64());
        assert_ne!(seeded_by(1).next_u64(), seeded_by(2).next_u64());
    }
}
