//! Files: run directory, formats, atomic writes, traces, ledgers, harness folders, the repository of harnesses, and what stages may read.

pub mod atomic;
pub mod audit;
pub mod disk;
pub mod episode_folders;
mod fail_point;
pub mod handed;
pub mod harness_dir;
pub mod harness_repo;
pub mod index;
pub mod ledger;
pub mod ledgers;
pub mod past_rounds;
pub mod record;
pub mod round_files;
pub mod run_dir;
pub mod sealed;
pub mod trace_file;
pub mod trace_lines;
pub mod versioned;
pub mod visible;
pub mod weights;
