//! The one place that prints. Control characters of untrusted text are taken out here.

use super::failure::Failure;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Stdout and stderr of a command.
#[derive(Debug)]
pub(crate) struct Printer {
    json: bool,
    quiet: bool,
}

impl Printer {
    /// `json`: events on stdout; `quiet`: no notes.
    pub fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Whether a moving progress display makes sense.
    pub fn shows_progress(&self) -> bool {
        !self.quiet && !self.json && std::io::stderr().is_terminal()
    }

    /// A line of the result, for people: stdout, or stderr under `--json`.
    pub fn line(&self, text: &str) {
        let text = clean(text);
        // A closed pipe is the reader's choice, not an error of ours.
        let _ = if self.json { writeln!(std::io::stderr(), "{text}") } else { writeln!(std::io::stdout(), "{text}") };
    }

    /// A remark on the way: stderr, unless quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{}", clean(text));
        }
    }

    /// An event, under `--json` only.
    pub fn event<T: Serialize>(&self, event: &T) {
        if self.json
            && let Ok(text) = serde_json::to_string(event)
        {
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }

    /// Text as it is, to stdout: completions, exported files.
    pub fn raw(&self, bytes: &[u8]) {
        // Under `--json` stdout carries events only.
        let _ = if self.json { std::io::stderr().write_all(bytes) } else { std::io::stdout().write_all(bytes) };
    }

    /// What went wrong.
    pub fn failure(&self, failure: &Failure) {
        #[derive(Serialize)]
        struct ErrorEvent<'a> {
            event: &'static str,
            exit: u8,
            message: &'a str,
            hint: Option<&'a str>,
        }
        let (message, hint) = (failure.what.as_str(), failure.hint.as_deref());
        self.event(&ErrorEvent { event: "error", exit: failure.exit as u8, message, hint });
        let _ = writeln!(std::io::stderr(), "harnessx: failed to {}", clean(message));
        if let Some(hint) = hint {
            let _ = writeln!(std::io::stderr(), "  hint: {}", clean(hint));
        }
    }
}

/// The text without control characters other than newline and tab.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\r\nc\u{7}"), "a[31mb\nc");
    }
}
