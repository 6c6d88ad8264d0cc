//! `man`: manual pages, one a command, made from the same words as `--help`.

use super::Done;
use super::failure::{Exit, Failure};
use super::printer::Printer;
use crate::store::atomic::write_whole;
use clap::{Args, Command};
use clap_mangen::Man;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Write man pages into a folder, or the main page to stdout.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx man ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Folder for all pages
    dir: Option<PathBuf>,
}

#[derive(Serialize)]
struct ManEvent<'a> {
    event: &'static str,
    dir: &'a Path,
    pages: usize,
}

/// Runs the command.
pub(crate) fn man(args: &ManArgs, mut command: Command, printer: &Printer) -> Done {
    command.build();
    let Some(dir) = &args.dir else {
        printer.raw(&page(&command)?);
        return Ok(Exit::Done);
    };
    let pages = write(&command, dir)?;
    printer.event(&ManEvent { event: "man", dir, pages });
    printer.line(&format!("{pages} pages in {}", dir.display()));
    Ok(Exit::Done)
}

/// Writes the page of a command and of all below it; how many.
fn write(command: &Command, dir: &Path) -> Result<usize, Failure> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    write_whole(&dir.join(format!("{name}.1")), &page(command)?)?;
    let below = command.get_subcommands().filter(|inner| inner.get_name() != "help");
    below.map(|inner| write(inner, dir)).sum::<Result<usize, Failure>>().map(|count| count + 1)
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let made = Man::new(command.clone()).render(&mut text);
    made.map_err(|error| Failure::new(Exit::Bug, format!("write the man page of {}: {error}", command.get_name())))?;
    Ok(text)
}
