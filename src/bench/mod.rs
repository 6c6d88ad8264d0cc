//! Benchmarks: environments and verifiers, one folder per benchmark.

pub mod household;
