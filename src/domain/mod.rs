//! Plain data and pure functions: no IO, no clock, no chance. The vocabulary of `system.md` §1 as types.

pub mod conversation;
pub mod curves;
pub mod digest;
pub mod estimate;
pub mod event;
pub mod harness;
pub mod id;
pub mod interval;
pub mod message;
pub mod nearest;
pub mod outcome;
pub mod request;
pub mod task;
pub mod trace;
