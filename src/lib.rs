//! harnessx: run LLM agents under a harness, read the traces, evolve the harness.
pub mod clock;
pub mod domain;
pub mod net;
pub mod provider;
pub mod runtime;
