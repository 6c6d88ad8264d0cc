//! Stages: typed in, typed out. Reading settings and printing happen in their callers.

pub mod critique;
pub mod digest;
pub mod evolve;
pub mod handwork;
pub mod meta;
pub mod plan;
pub mod replay;
pub mod report;
pub mod rollout;
pub mod simulate;
