//! Files: run directory, formats, atomic writes, traces, ledger, harness folders and their git identity.

pub mod atomic;
pub mod disk;
pub mod harness_dir;
pub mod index;
pub mod ledger;
pub mod record;
pub mod run_dir;
pub mod trace_file;
pub mod trace_lines;
pub mod weights;
