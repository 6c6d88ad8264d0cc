//! A table of figures with their limits, for the benches that exit with 1 when one is passed.

use std::fmt::Write;

/// Rows so far.
#[derive(Default)]
pub struct Table {
    pub text: String,
    /// Whether a figure is over its limit.
    pub is_over: bool,
}

impl Table {
    pub fn row(&mut self, what: &str, figure: f64, limit: f64, unit: &str) {
        let verdict = if figure <= limit { "ok" } else { "OVER" };
        self.is_over |= figure > limit;
        let _ = writeln!(self.text, "{what:<42} {figure:>9.3} {unit:<6} (limit {limit}) {verdict}");
    }
}
