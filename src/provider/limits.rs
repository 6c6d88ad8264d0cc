//! How many calls of one model may run at once, and how often they may start. Concurrency adapts: halved when
//! half of the answers in a window say that the server has too much to do, one more after each success; a refusal now and then says
//! nothing. Rates are token buckets that may run into debt, so a large request waits, never starves.

use super::spec::Limits;
use crate::clock::Clock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, info};

/// Fewest answers of a window: fewer say too little about the load.
const LEAST_WINDOW: usize = 16;

/// Seconds of unused rate that can be saved up.
const BURST_SECONDS: f64 = 5.0;

/// Lets calls of one model through.
#[derive(Debug)]
pub struct Limiter {
    places: Arc<Semaphore>,
    ceiling: usize,
    state: Mutex<State>,
    rates: Option<Mutex<Rates>>,
    clock: Clock,
}

#[derive(Debug)]
struct State {
    /// Places there are.
    limit: usize,
    /// Places taken away that are still in use: the next ones returned are withdrawn.
    owed: usize,
    /// Answers in the present window that served a call.
    served: usize,
    /// Answers in it that refused one.
    refused: usize,
    /// How often the limit was cut: refusals of calls begun before a cut are part of what it answered.
    cuts: u64,
}

impl State {
    /// Counts an answer; whether this window shows overload. A window is as many answers as calls may run at once.
    fn shows_overload(&mut self, load: Load) -> bool {
        match load {
            Load::Served => self.served += 1,
            Load::Overloaded => self.refused += 1,
            Load::Unknown => {}
        }
        let window = self.limit.max(LEAST_WINDOW);
        let overloaded = 2 * self.refused >= window;
        if overloaded || self.served + self.refused >= window {
            (self.served, self.refused) = (0, 0);
        }
        overloaded
    }
}

/// A place among the running calls. Give it back with [`Limiter::leave`]; a dropped one (a cancelled call) goes back unchanged.
#[derive(Debug)]
pub struct Place {
    permit: OwnedSemaphorePermit,
    cuts: u64,
}

/// How a call ended, as far as the load on the server is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// It was served.
    Served,
    /// The server refused it because it has too much to do.
    Overloaded,
    /// It says nothing about load.
    Unknown,
}

impl Limiter {
    /// Starts at the highest concurrency.
    pub fn new(limits: &Limits, clock: Clock) -> Self {
        let ceiling = limits.max_concurrency as usize;
        let is_rated = limits.requests_per_minute.is_some() || limits.tokens_per_minute.is_some();
        Self {
            places: Arc::new(Semaphore::new(ceiling)),
            ceiling,
            state: Mutex::new(State { limit: ceiling, owed: 0, served: 0, refused: 0, cuts: 0 }),
            rates: is_rated.then(|| {
                Mutex::new(Rates {
                    requests: limits.requests_per_minute.map(|rate| Bucket::new(f64::from(rate))),
                    tokens: limits.tokens_per_minute.map(|rate| Bucket::new(rate as f64)),
                    read_at: clock.milliseconds(),
                })
            }),
            clock,
        }
    }

    /// Waits for a place, then for the rates. `tokens` is a guess, settled by [`Limiter::settle`]. `None` only if the limiter is being torn down.
    pub async fn enter(&self, tokens: u64) -> Option<Place> {
        let permit = match self.places.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => self.places.clone().acquire_owned().await.ok()?,
        };
        let cuts = self.lock().cuts;
        if let Some(rates) = &self.rates {
            let wait = rates.lock().unwrap_or_else(PoisonError::into_inner).take(tokens as f64, self.clock.milliseconds());
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
        Some(Place { permit, cuts })
    }

    /// Corrects the token rate by what a call really took.
    pub fn settle(&self, guessed: u64, taken: u64) {
        if let Some(rates) = &self.rates {
            let mut rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(bucket) = &mut rates.tokens {
                bucket.level += guessed as f64 - taken as f64;
            }
        }
    }

    /// Gives a place back and learns from how the call ended.
    pub fn leave(&self, place: Place, load: Load) {
        let mut state = self.lock();
        match load {
            Load::Overloaded if place.cuts == state.cuts => {
                if state.shows_overload(load) {
                    let limit = (state.limit / 2).max(1);
                    info!(from = state.limit, to = limit, "fewer calls at once: the server is overloaded");
                    let fewer = state.limit - limit;
                    let withdrawn = self.places.forget_permits(fewer);
                    state.owed += fewer - withdrawn;
                    state.limit = limit;
                    state.cuts += 1;
                }
            }
            Load::Unknown | Load::Overloaded => {}
            Load::Served => {
                state.shows_overload(load);
                if state.limit < self.ceiling {
                    state.limit += 1;
                    debug!(limit = state.limit, "one more call at once");
                    match state.owed {
                        0 => self.places.add_permits(1),
                        _ => state.owed -= 1,
                    }
                }
            }
        }
        if state.owed > 0 {
            state.owed -= 1;
            place.permit.forget();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Rates {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    read_at: u64,
}

impl Rates {
    /// Takes one request and its tokens; how long to wait before it may start.
    fn take(&mut self, tokens: f64, now: u64) -> Duration {
        let seconds = now.saturating_sub(self.read_at) as f64 / 1000.0;
        self.read_at = now;
        let requests = self.requests.as_mut().map_or(0.0, |bucket| bucket.take(1.0, seconds));
        let tokens = self.tokens.as_mut().map_or(0.0, |bucket| bucket.take(tokens, seconds));
        Duration::from_secs_f64(requests.max(tokens).clamp(0.0, 3600.0))
    }
}

/// A rate: fills steadily up to a few seconds' worth, and may go below zero, which is time to wait.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    level: f64,
}

impl Bucket {
    fn new(per_minute: f64) -> Self {
        let per_second = per_minute / 60.0;
        Self { per_second, level: (per_second * BURST_SECONDS).max(1.0) }
    }

    /// Seconds to wait.
    fn take(&mut self, amount: f64, seconds: f64) -> f64 {
        let full = (self.per_second * BURST_SECONDS).max(1.0);
        self.level = (self.level + seconds * self.per_second).min(full) - amount;
        (-self.level).max(0.0) / self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(max_concurrency: u32) -> Limiter {
        Limiter::new(&Limits { max_concurrency, ..Limits::default() }, Clock::stepped(0))
    }

    #[tokio::test]
    async fn a_burst_of_refusals_halves_once_and_successes_bring_it_back() {
        let limiter = limiter(32);
        let mut places = Vec::new();
        for _ in 0..32 {
            places.push(limiter.enter(0).await.unwrap());
        }
        for place in places {
            limiter.leave(place, Load::Overloaded);
        }
        assert_eq!((limiter.lock().limit, limiter.places.available_permits()), (16, 16));
        for _ in 0..16 {
            let place = limiter.enter(0).await.unwrap();
            limiter.leave(place, Load::Served);
        }
        assert_eq!((limiter.lock().limit, limiter.places.available_permits()), (32, 32));
    }

    #[tokio::test]
    async fn refusals_now_and_then_cost_nothing_and_lasting_ones_do() {
        let limiter = limiter(100);
        for index in 0..1000 {
            let place = limiter.enter(0).await.unwrap();
            limiter.leave(place, if index % 5 == 0 { Load::Overloaded } else { Load::Served });
        }
        assert_eq!(limiter.lock().limit, 100);
        for _ in 0..500 {
            let place = limiter.enter(0).await.unwrap();
            limiter.leave(place, Load::Overloaded);
        }
        assert_eq!((limiter.lock().limit, limiter.places.available_permits()), (1, 1));
    }

    #[tokio::test]
    async fn the_limit_never_falls_below_one() {
        let limiter = limiter(3);
        for _ in 0..50 {
            let place = limiter.enter(0).await.unwrap();
            limiter.leave(place, Load::Overloaded);
        }
        assert_eq!((limiter.lock().limit, limiter.places.available_permits()), (1, 1));
        drop(limiter.enter(0).await);
        assert_eq!(limiter.places.available_permits(), 1);
    }

    #[test]
    fn a_rate_lets_its_number_through_a_minute() {
        let mut bucket = Bucket::new(60.0);
        let waits: Vec<f64> = (0..8).map(|_| bucket.take(1.0, 0.0)).collect();
        assert_eq!(waits, [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
        assert!(bucket.take(1.0, 10.0) < f64::EPSILON);
    }
}
