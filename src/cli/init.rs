//! `init`: a new harness, benchmark or settings file from the templates inside the binary. Overwrites nothing.

use super::failure::{Exit, Failure};
use super::printer::Printer;
use super::{Done, assets};
use crate::store::atomic::write_whole;
use clap::{Args, Subcommand};
use include_dir::{Dir, include_dir};
use serde::Serialize;
use std::path::{Path, PathBuf};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/cli/templates");

/// Stands in templates for the name of what is made.
const NAME: &str = "NAME";

/// Make a new harness, benchmark or settings file from a template.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx init harness mine")]
pub(crate) struct InitArgs {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// A harness folder with a system prompt
    #[command(after_help = "Example: harnessx init harness mine && harnessx check mine")]
    Harness {
        /// A name (makes harnesses/NAME) or a folder (with a slash)
        #[arg(value_name = "NAME|DIR")]
        target: PathBuf,
    },
    /// A benchmark folder with generated household tasks
    #[command(after_help = "Example: harnessx init benchmark mine && harnessx check mine")]
    Benchmark {
        /// A name (makes benchmarks/NAME) or a folder (with a slash)
        #[arg(value_name = "NAME|DIR")]
        target: PathBuf,
    },
    /// A settings file for --config
    #[command(after_help = "Example: harnessx init settings && harnessx check settings.toml")]
    Settings {
        /// Where to write it
        #[arg(value_name = "FILE", default_value = "settings.toml")]
        target: PathBuf,
    },
}

#[derive(Serialize)]
struct InitEvent<'a> {
    event: &'static str,
    kind: &'static str,
    path: &'a Path,
}

/// Runs the command.
pub(crate) fn init(args: &InitArgs, printer: &Printer) -> Done {
    let (kind, path) = match &args.kind {
        Kind::Harness { target } => ("harness", place(target, "harnesses")),
        Kind::Benchmark { target } => ("benchmark", place(target, "benchmarks")),
        Kind::Settings { target } => ("settings", target.clone()),
    };
    refuse_existing(kind, &path)?;
    let next = match &args.kind {
        Kind::Settings { .. } => {
            write(&path, include_bytes!("templates/settings.toml"), "")?;
            format!("harnessx run --config {}", path.display())
        }
        Kind::Harness { .. } => {
            make_folder(kind, &path)?;
            format!("harnessx run --bench household --model random --limit 8 --harness {}", path.display())
        }
        Kind::Benchmark { .. } => {
            make_folder(kind, &path)?;
            format!("harnessx run --model random --limit 8 --bench {}", path.display())
        }
    };
    printer.event(&InitEvent { event: "init", kind, path: &path });
    printer.line(&format!("made {kind} {}", path.display()));
    printer.line(&format!("next: edit it, then `harnessx check {}`, then `{next}`", path.display()));
    Ok(Exit::Done)
}

/// A plain name goes below the folder of its kind; a path stays as it is.
pub(crate) fn place(target: &Path, below: &str) -> PathBuf {
    let is_name = target.components().count() == 1 && !target.as_os_str().to_string_lossy().contains(['/', '.']);
    if is_name { Path::new(below).join(target) } else { target.to_owned() }
}

/// An empty folder may be filled; anything else that is there stays as it is.
pub(crate) fn refuse_existing(kind: &str, path: &Path) -> Result<(), Failure> {
    let is_free = !path.exists() || std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none() && kind != "settings");
    if is_free {
        return Ok(());
    }
    Err(Failure::settings(format!("make {kind} {}: it is there already", path.display())).hint("name another place, or remove it first"))
}

fn make_folder(kind: &'static str, path: &Path) -> Result<(), Failure> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.is_empty() || !name.chars().all(|letter| letter.is_alphanumeric() || "-_.".contains(letter)) {
        return Err(
            Failure::settings(format!("make {kind} {}: {name:?} is no name", path.display())).hint("use letters, digits, '-', '_' and '.'")
        );
    }
    let files = assets::embedded(&TEMPLATES, kind).unwrap_or_default();
    // The file that makes the folder what it is comes last.
    for (file, text) in files.iter().rev() {
        write(&path.join(file), text, &name)?;
    }
    Ok(())
}

/// Writes one template with the name filled in.
fn write(path: &Path, template: &[u8], name: &str) -> Result<(), Failure> {
    Ok(write_whole(path, String::from_utf8_lossy(template).replace(NAME, name).as_bytes())?)
}
