//! `doctor`: what works on this machine, each "no" with its cure. Done (0) when a run with the default local model can start here
//! now; else 4, since the cure lies outside. What only other ways of running need is reported and changes nothing.

use super::failure::{Exit, Failure};
use super::finding::{Finding, findings};
use super::printer::Printer;
use super::settings::layered;
use super::{Done, Shared};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Say what works on this machine, with a cure for what does not; exit 4 if the default local model cannot run.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx doctor")]
pub(crate) struct DoctorArgs {
    /// Settings file (TOML): its models' key variables are looked at too
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Serialize)]
struct FindingEvent<'a> {
    event: &'static str,
    #[serde(flatten)]
    finding: &'a Finding,
}

#[derive(Serialize)]
struct DoctorEvent {
    event: &'static str,
    ready: bool,
}

/// Runs the command.
pub(crate) fn doctor(args: &DoctorArgs, printer: &Printer) -> Done {
    let layered = layered(&Shared { config: args.config.clone(), ..Shared::default() })?;
    let findings = findings(&layered.settings);
    for finding in &findings {
        printer.event(&FindingEvent { event: "finding", finding });
        printer.line(&format!("{}  {}: {}", if finding.ok { "yes" } else { "no " }, finding.name, finding.found));
        if let Some(cure) = &finding.cure {
            printer.line(&format!("     cure: {cure}"));
        }
    }
    let missing = findings.iter().find(|finding| finding.needed && !finding.ok);
    printer.event(&DoctorEvent { event: "doctor", ready: missing.is_none() });
    match missing {
        None => {
            printer.line("The default local model can run here: harnessx run --bench household --limit 8");
            Ok(Exit::Done)
        }
        Some(finding) => Err(Failure::new(Exit::Outside, format!("find what the default local model needs: {}", finding.name))
            .hint(finding.cure.clone().unwrap_or_default())),
    }
}
