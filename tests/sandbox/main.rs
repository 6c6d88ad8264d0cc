//! The hostile suite of the command sandbox: what a command tries, and whether it gets out. Run with `--nocapture` for the table. Each
//! protection that this machine offers is tried; one that it does not offer is said and passed over.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop there")]
#![expect(clippy::print_stdout, reason = "the table is what the suite reports")]

mod bed;
#[cfg(feature = "containers")]
mod containers;
#[cfg(feature = "containers")]
mod daemon;
mod escapes;
mod floods;
mod ordinary;
