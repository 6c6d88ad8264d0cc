//! `promote`: copies a version of a run's harness into `harnesses/`. Reads `harness/` of the run; writes one new folder.

use super::failure::Exit;
use super::init::{place, refuse_existing};
use super::printer::Printer;
use super::show::repository;
use super::{Done, assets};
use crate::store::harness_dir;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Copy a harness that a run has evolved into harnesses/, in canonical form.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx promote --run runs/NAME household-evolved")]
pub(crate) struct PromoteArgs {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// A new name below harnesses/, or a path
    name: PathBuf,
    /// Which version: main, a round such as R2, a candidate, a commit
    #[arg(long, value_name = "REV", default_value = "main")]
    rev: String,
}

#[derive(Serialize)]
struct PromoteEvent<'a> {
    event: &'static str,
    path: &'a Path,
    harness: &'a str,
}

/// Runs the command.
pub(crate) fn promote(args: &PromoteArgs, printer: &Printer) -> Done {
    let path = place(&args.name, "harnesses");
    refuse_existing("harness", &path)?;
    let repo = repository(&args.run)?;
    let harness = assets::checked(&args.rev, repo.read(&args.rev)?, &[])?;
    harness_dir::write(&path, harness.assembly.canonical_manifest(), &harness.assembly.harness().files)?;
    printer.event(&PromoteEvent { event: "promote", path: &path, harness: harness.id.as_str() });
    printer.line(&format!("made harness {} ({})", path.display(), harness.id));
    printer.line(&format!("next: `harnessx check {}`", path.display()));
    Ok(Exit::Done)
}
