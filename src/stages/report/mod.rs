//! The report of a run: one page that people like to look at, and the same as Markdown, for a job summary, and as `JUnit` XML; JSON is
//! [`Report`] itself. Typed in, text out: the caller reads the run and writes the file. For people only: engines never read it.
//!
//! Reading order: `input` (what there may be), `answers` (the first screen in words), `page` (sections in order), then a section each.

mod answers;
mod compared;
mod cost;
mod cost_chart;
mod decisions;
#[cfg(test)]
mod fixture;
mod input;
mod junit;
mod markdown;
mod page;
mod proposers;
mod put_back;
mod reading;
mod success_chart;
mod table;
mod tasks;
#[cfg(test)]
mod tests;

pub use compared::Control;
pub use input::{Candidate, Cell, Comparison, Counts, REPORT_FORMAT, Report, Round, RunFacts, Spent, TrainTask, Use};
pub use junit::junit;
pub use markdown::{job_summary, markdown};
pub use page::html;
pub use put_back::{By, PutBack};
pub use reading::{BYTES_A_TOKEN, Reading};
