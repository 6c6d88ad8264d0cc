//! Progress of episodes: a bar at a terminal, else a line now and then; events under `--json`.

use super::printer::Printer;
use crate::domain::outcome::Outcome;
use crate::stages::rollout::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::sync::Mutex;

/// Progress at a terminal, or a line now and then.
pub(crate) struct Display<'a> {
    bar: ProgressBar,
    printer: &'a Printer,
    wanted: usize,
    state: Mutex<(usize, usize, usize)>,
}

#[derive(Serialize)]
struct EpisodeEvent<'a> {
    event: &'static str,
    task: &'a str,
    replicate: u32,
    #[serde(flatten)]
    outcome: &'a Outcome,
    steps: u32,
}

impl<'a> Display<'a> {
    /// `wanted` episodes in all.
    pub fn new(wanted: usize, printer: &'a Printer) -> Self {
        let bar = if printer.shows_progress() { ProgressBar::new(wanted as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} episodes  {msg}  {elapsed} (left {eta})") {
            bar.set_style(style);
        }
        Self { bar, printer, wanted, state: Mutex::new((0, 0, 0)) }
    }

    /// Takes note of what happened.
    pub fn show(&self, progress: &Progress<'_>) {
        let (result, key) = match progress {
            Progress::Retried(key, result) => {
                self.printer.note(&format!("retrying {} (rollout {}): {:?}", key.task, key.replicate, result.end));
                return;
            }
            Progress::Kept(result) => (*result, None),
            Progress::Finished(key, result) => (*result, Some(*key)),
        };
        if let Some(key) = key {
            let (task, replicate) = (key.task.as_str(), key.replicate);
            self.printer.event(&EpisodeEvent { event: "episode", task, replicate, outcome: &result.outcome, steps: result.steps });
        }
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.0 += 1;
        state.1 += usize::from(result.outcome == Outcome::Solved);
        state.2 += usize::from(matches!(result.outcome, Outcome::Error { .. }));
        self.bar.set_message(format!("{} solved, {} missing", state.1, state.2));
        self.bar.set_position(state.0 as u64);
        let every = (self.wanted / 5).max(1);
        if !self.printer.shows_progress() && key.is_some() && state.0.is_multiple_of(every) {
            self.printer.note(&format!("{}/{} episodes, {} solved, {} missing", state.0, self.wanted, state.1, state.2));
        }
    }

    /// Clears the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
