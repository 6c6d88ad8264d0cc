//! One episode: the step loop, the pipeline of processors, the hook contract, slots and native processors (`system.md` §3, §4).

pub mod assembly;
mod ballot;
mod call_ids;
#[cfg(test)]
mod contract_tests;
pub mod desk;
mod draft;
pub mod episode;
mod ground;
mod hooks;
pub mod native;
pub mod processor;
mod rejection;
mod scripted;
mod station;
mod sub_agent;
pub mod template;
pub mod tool_files;
mod tool_hooks;
pub mod tools;
pub mod trace_log;
