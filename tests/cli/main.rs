//! The commands as a user meets them: a fresh folder, a scripted or random model, or a server on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up should stop there")]

mod bad_input;
mod by_hand;
mod check;
mod command_engine;
mod compared;
mod disk;
mod doctor;
mod engines;
mod estimate;
mod example_scripts;
mod explored;
mod faults;
mod gate;
mod help;
mod init;
mod interrupted;
mod kill;
mod loopback;
mod looped;
mod meta;
mod meta_ends;
mod meta_model;
mod meta_revised;
mod meta_scope;
mod meta_script;
mod output;
mod plan;
mod report;
mod run;
mod script;
mod structure;
#[cfg(feature = "otel")]
mod telemetry;
mod test_run;
mod tool_key;
mod tools;
mod versions;
