//! Trainable models that run inside this process: a llama-architecture model in f32 on the processor, with a prefix cache over
//! jobs and batched scoring of offered actions (`spec/coevolution.md`, "The embedded model"). Sole user of candle.
//!
//! Reading order: [`job`] (what is asked and answered), [`engine`] (how a batch of jobs becomes one pass), [`batch`],
//! [`prefix_cache`], [`plan`], [`forward`], [`attention`], [`matmul`], [`vocabulary`], [`sample`]; [`weights`] and [`tokenizer`] read the file.
//!
//! **Reproducibility.** Every output element is a chain of fused multiply-adds in ascending order of its reduction index (input
//! feature, head dimension, key position), whatever the batch, the tile it falls in, the thread that computes it or the place
//! where the cached prefix ends; masked keys add an exact zero. So a job's numbers are the same bits alone, in a batch, with or
//! without a cache hit, and with any number of threads; a test says so.

pub mod attention;
pub mod batch;
pub mod engine;
pub mod error;
pub mod forward;
pub mod generation;
pub mod job;
pub mod matmul;
pub mod model;
pub mod pack;
pub mod plan;
pub mod prefix_cache;
pub mod sample;
pub mod simd;
pub mod tokenizer;
pub mod vocabulary;
pub mod weights;

pub use engine::Engine;
pub use error::PolicyError;
pub use job::{Job, Meter, OptionScore, Output, Work};
pub use model::Policy;

#[cfg(test)]
mod tests;
