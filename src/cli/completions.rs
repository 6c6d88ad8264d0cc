//! `completions`: shell completions on stdout.

use super::failure::Exit;
use super::printer::Printer;
use clap::{Args, Command};

/// Write shell completions to stdout.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx completions bash > ~/.local/share/bash-completion/completions/harnessx")]
pub(crate) struct CompletionsArgs {
    /// Which shell
    shell: clap_complete::Shell,
}

/// Runs the command.
pub(crate) fn completions(args: &CompletionsArgs, command: &mut Command, printer: &Printer) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "harnessx", &mut script);
    printer.raw(&script);
    Exit::Done
}
