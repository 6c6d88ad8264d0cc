//! The one place that prints. Text that others wrote is made harmless here.

use super::Output;
use super::failure::Failure;
use crate::domain::untrusted::paragraphs;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Stdout and stderr of a command.
#[derive(Debug)]
pub(crate) struct Printer {
    output: Output,
}

impl Printer {
    /// `json`: events on stdout; `quiet`: no notes.
    pub fn new(output: Output) -> Self {
        Self { output }
    }

    /// Whether a moving progress display makes sense.
    pub fn shows_progress(&self) -> bool {
        // A log on stderr would be written across a moving display.
        let Output { json, quiet, verbose } = self.output;
        !quiet && !json && verbose == 0 && std::io::stderr().is_terminal()
    }

    /// A line of the result, for people: stdout, or stderr under `--json`.
    pub fn line(&self, text: &str) {
        let text = paragraphs(text);
        // A closed pipe is the reader's choice, not an error of ours.
        let _ = if self.output.json { writeln!(std::io::stderr(), "{text}") } else { writeln!(std::io::stdout(), "{text}") };
    }

    /// A remark on the way: stderr, unless quiet.
    pub fn note(&self, text: &str) {
        if !self.output.quiet {
            let _ = writeln!(std::io::stderr(), "{}", paragraphs(text));
        }
    }

    /// Something that is not as it should be, but stops nothing.
    #[cfg(feature = "otel")]
    pub fn warning(&self, message: &str) {
        #[derive(Serialize)]
        struct WarningEvent<'a> {
            event: &'static str,
            message: &'a str,
        }
        self.event(&WarningEvent { event: "warning", message });
        let _ = writeln!(std::io::stderr(), "warning: {}", paragraphs(message));
    }

    /// Asks the person at the terminal. Without one, and under `--json`, which is for programs, the answer is no.
    pub fn confirm(&self, question: &str) -> bool {
        if self.output.json || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return false;
        }
        let _ = write!(std::io::stderr(), "{} [y/N] ", paragraphs(question));
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
    }

    /// An event, under `--json` only.
    pub fn event<T: Serialize>(&self, event: &T) {
        if self.output.json
            && let Ok(text) = serde_json::to_string(event)
        {
            let _ = writeln!(std::io::stdout(), "{text}");
        }
    }

    /// Text as it is, to stdout: completions, exported files.
    pub fn raw(&self, bytes: &[u8]) {
        // Under `--json` stdout carries events only.
        let _ = if self.output.json { std::io::stderr().write_all(bytes) } else { std::io::stdout().write_all(bytes) };
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
        let _ = writeln!(std::io::stderr(), "harnessx: failed to {}", paragraphs(message));
        if let Some(hint) = hint {
            let _ = writeln!(std::io::stderr(), "  hint: {}", paragraphs(hint));
        }
    }
}
