//! harnessx: run LLM agents under a harness, read the traces, evolve the harness.

pub mod policy;
