//! One episode: the step loop, the pipeline of processors, the hook contract, slots and native processors (`system.md` §3, §4).

pub mod native;
pub mod processor;
pub mod template;
