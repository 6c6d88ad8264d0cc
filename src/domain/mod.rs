//! Plain data and pure functions: no IO, no clock, no chance. The vocabulary of `system.md` §1 as types.

pub mod conversation;
pub mod curves;
pub mod digest;
pub mod edit;
pub mod estimate;
pub mod event;
pub mod figures;
pub mod gate;
pub mod harness;
pub mod history;
pub mod id;
pub mod interval;
pub mod landscape;
pub mod ledger;
pub mod manifest;
pub mod message;
pub mod nearest;
pub mod outcome;
pub mod reputation;
pub mod request;
pub mod round;
pub mod structure;
pub mod task;
pub mod trace;
pub mod untrusted;
