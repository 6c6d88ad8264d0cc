//! harnessx runs LLM agents under a harness, reads the traces, and evolves the harness.
//!
//! The plot: task → episode → trace → digest → landscape → candidate → verdict → gate decision → harness commit → next round.
//! Each arrow is a file under `runs/<name>/`.
//!
//! Layers, strictly downward: `cli → rounds → stages → runtime → bench → provider | script | store → policy | sandbox → net → clock → domain`.
//! Folders of one layer never import each other; `tests/layers.rs` checks it.
//!
//! Reading order: `domain` (the words), `runtime/episode.rs` (one episode, top to bottom), `runtime/hooks.rs` (the contract),
//! `stages/rollout.rs` (many episodes), `rounds/mod.rs` (the loop), `domain/gate` (the gate), `cli/loop.rs` (the command).

pub mod bench;
pub mod cli;
pub mod clock;
pub mod domain;
pub mod net;
pub mod policy;
pub mod provider;
pub mod rounds;
pub mod runtime;
pub mod sandbox;
pub mod script;
pub mod stages;
pub mod store;
