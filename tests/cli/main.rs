//! The commands as a user meets them: a fresh folder, a scripted or random model, or a server on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop there")]

mod check;
mod disk;
mod faults;
mod kill;
mod loopback;
mod report;
mod run;
mod test_run;
