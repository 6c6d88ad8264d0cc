//! Progress of episodes: a bar at a terminal, else a line now and then; events under `--json`.

use super::printer::Printer;
use crate::clock::Clock;
use crate::domain::figures::{grouped, money, time, tokens};
use crate::domain::outcome::Outcome;
use crate::stages::rollout::{Progress, Sum, Tally};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::sync::Mutex;

/// Progress at a terminal, or a line now and then.
pub(crate) struct Display<'a> {
    bar: ProgressBar,
    printer: &'a Printer,
    clock: &'a Clock,
    wanted: usize,
    began: u64,
    state: Mutex<State>,
}

/// Lines of progress where there is no bar.
const LINES: usize = 5;

/// How often a bar's words are renewed.
const MESSAGES: usize = 500;

#[derive(Default)]
struct State {
    sum: Sum,
    /// Episodes that were played since the display began.
    played: usize,
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
    pub fn new(wanted: usize, clock: &'a Clock, printer: &'a Printer) -> Self {
        let bar = if printer.shows_progress() { ProgressBar::new(wanted as u64) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{wide_bar}\n{wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, printer, clock, wanted, began: clock.milliseconds(), state: Mutex::default() }
    }

    /// Takes note of what happened.
    pub fn show(&self, progress: &Progress<'_>) {
        let (key, result, is_new) = match progress {
            Progress::Retried(key, result) => {
                let why = result.end.fault().unwrap_or_else(|| result.end.to_string());
                self.printer.note(&format!("trying {} (rollout {}) again: {why}", key.task, key.replicate));
                return;
            }
            Progress::Kept(key, result) => (*key, *result, false),
            Progress::Finished(key, result) => (*key, *result, true),
        };
        if is_new {
            let (task, replicate) = (key.task.as_str(), key.replicate);
            self.printer.event(&EpisodeEvent { event: "episode", task, replicate, outcome: &result.outcome, steps: result.steps });
        }
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.sum.add(key, result);
        state.played += usize::from(is_new);
        let done = state.sum.count();
        self.bar.set_position(done as u64);
        // A terminal that cannot move its cursor has no bar, but lines.
        let has_lines = self.bar.is_hidden();
        let every = (self.wanted / if has_lines { LINES } else { MESSAGES }).max(1);
        // Rates are added up over all tasks: not for every episode.
        if (done.is_multiple_of(every) || done == self.wanted) && (is_new || !has_lines) {
            let words = words(&state.sum.tally(), self.wanted, state.played, self.clock.milliseconds().saturating_sub(self.began));
            if has_lines {
                self.printer.note(&words);
            } else {
                self.bar.set_message(words);
            }
        }
    }

    /// Clears the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// `played` episodes took so many `milliseconds`.
fn words(tally: &Tally, wanted: usize, played: usize, milliseconds: u64) -> String {
    let done = tally.scored + tally.missing;
    let rate = tally.pass_rate.map_or_else(|| "nothing scored".to_owned(), |share| format!("{share} solved"));
    let missing = if tally.missing == 0 { String::new() } else { format!(", {} missing", tally.missing) };
    let (tokens, money) = (tokens(tally.usage.tokens()), money(tally.usage.cost));
    let (mut speed, mut left) = (String::new(), String::new());
    if played > 0 {
        let each = milliseconds.max(1) as f64 / played as f64;
        let rate = 60_000.0 / each;
        speed = if rate < 10.0 { format!(", {rate:.1} a minute") } else { format!(", {} a minute", grouped(rate as u64)) };
        left = format!(", {} left", time((each * wanted.saturating_sub(done) as f64) as u64));
    }
    // What matters most first: a narrow terminal cuts the end.
    format!("{done}/{wanted} episodes{left}, {rate}{missing}, {tokens}, {money}{speed}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::interval::wilson;
    use crate::domain::request::Usage;

    #[test]
    fn progress_says_how_well_at_what_price_and_how_long_still() {
        let usage = Usage { input_tokens: 12_000, output_tokens: 345, cost: 0.5, ..Usage::default() };
        let tally = Tally { tasks: 10, scored: 10, solved: 3, missing: 2, pass_rate: wilson(3.0, 10), usage, ..Tally::default() };
        let line = "12/40 episodes, 28 s left, 30.0 % [10.8–60.3] solved, 2 missing, 12 K tokens, $0.50, 60 a minute";
        assert_eq!(words(&tally, 40, 6, 6_000), line);
        assert_eq!(words(&Tally::default(), 4, 0, 0), "0/4 episodes, nothing scored, 0 tokens, $0.00");
    }
}
