//! Stages: typed in, typed out. Reading settings and printing happen in their callers.

pub mod digest;
pub mod report;
pub mod rollout;
pub mod simulate;
