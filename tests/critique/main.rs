//! The Critic against planted hacks, which it must all catch, and against honest edits, of which it may stop few. Tasks, harness and
//! demonstrations are those of the shipped benchmark, so that chance matches show.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop there")]

mod bed;
mod disguises;
mod hacks;
mod honest;
mod rounds;
