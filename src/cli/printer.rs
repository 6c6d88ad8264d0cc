//! The one place that prints. Text that others wrote is made harmless here.

use super::Output;
use super::failure::{Exit, Failure};
use crate::domain::untrusted::paragraphs;
use serde::Serialize;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

#[derive(Serialize)]
struct ErrorEvent<'a> {
    event: &'static str,
    exit: u8,
    message: &'a str,
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume: Option<&'a str>,
}

/// Stdout and stderr of a command.
#[derive(Debug)]
pub(crate) struct Printer {
    output: Output,
    /// What stdout refused first.
    lost: OnceLock<String>,
}

impl Printer {
    /// `json`: events on stdout; `quiet`: no notes.
    pub fn new(output: Output) -> Self {
        Self { output, lost: OnceLock::new() }
    }

    /// What was printed and did not get out, if anything: to be asked last.
    pub fn lost(&self) -> Option<Failure> {
        self.lost.get().map(|error| {
            Failure::new(Exit::Outside, format!("write to standard output: {error}"))
                .hint("give it a place that takes what is written; the same command prints it again")
        })
    }

    /// Writes to stdout.
    fn out(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        self.keep(out.write_all(bytes).and_then(|()| out.flush()));
    }

    /// A closed pipe is the reader's choice, not an error of ours; anything else is told of in the end.
    fn keep(&self, written: std::io::Result<()>) {
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            let _ = self.lost.set(error.to_string());
        }
    }

    /// Whether a moving progress display makes sense.
    pub fn shows_progress(&self) -> bool {
        // A log on stderr would be written across a moving display.
        let Output { json, quiet, verbose } = self.output;
        !quiet && !json && verbose == 0 && std::io::stderr().is_terminal()
    }

    /// A line of the result, for people: stdout, or stderr under `--json`.
    pub fn line(&self, text: &str) {
        self.raw(format!("{}\n", paragraphs(text)).as_bytes());
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
            self.out(format!("{text}\n").as_bytes());
        }
    }

    /// The same for a value that other files hold too, under a name.
    pub fn event_of<T: Serialize>(&self, event: &'static str, of: &T) {
        #[derive(Serialize)]
        struct Named<'a, T> {
            event: &'static str,
            #[serde(flatten)]
            of: &'a T,
        }
        self.event(&Named { event, of });
    }

    /// Text as it is, to stdout: completions, exported files.
    pub fn raw(&self, bytes: &[u8]) {
        // Under `--json` stdout carries events only.
        if self.output.json {
            let _ = std::io::stderr().write_all(bytes);
        } else {
            self.out(bytes);
        }
    }

    /// What went wrong.
    pub fn failure(&self, failure: &Failure) {
        let Failure { exit, what, hint } = failure;
        let resume =
            (*exit == Exit::Interrupted).then(|| command_line(std::env::args_os().map(|word| word.to_string_lossy().into_owned())));
        self.event(&ErrorEvent { event: "error", exit: *exit as u8, message: what, hint: hint.as_deref(), resume: resume.as_deref() });
        let _ = writeln!(std::io::stderr(), "harnessx: failed to {}", paragraphs(what));
        if let Some(hint) = hint {
            let _ = writeln!(std::io::stderr(), "  hint: {}", paragraphs(hint));
        }
        if let Some(resume) = resume {
            let _ = writeln!(std::io::stderr(), "  continue: {}", paragraphs(&resume));
        }
    }

    /// Arguments that are none, or that ask for help: in the words of their parser, which knows the right stream.
    pub fn arguments(&self, error: &clap::Error) {
        if error.use_stderr() {
            let words = error.render().to_string();
            let message = words.trim().strip_prefix("error: ").unwrap_or(words.trim());
            self.event(&ErrorEvent { event: "error", exit: Exit::Usage as u8, message, hint: None, resume: None });
            let _ = error.print();
        } else {
            self.keep(error.print());
        }
    }
}

/// Words as a shell reads them back.
fn command_line(words: impl Iterator<Item = String>) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@%+".contains(letter);
    let quoted = |word: String| {
        if !word.is_empty() && word.chars().all(is_plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
    };
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_given_to_a_shell_again() {
        let words = ["harnessx", "run", "--set", "a=[\"b c\"]", "", "it's", "--max-time", "1s"].map(str::to_owned);
        assert_eq!(command_line(words.into_iter()), r#"harnessx run --set 'a=["b c"]' '' 'it'\''s' --max-time 1s"#);
    }
}
