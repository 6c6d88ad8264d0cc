//! Stages: typed in, typed out. Reading settings and printing happen in their callers.

pub mod digest;
pub mod rollout;
