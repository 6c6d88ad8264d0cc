//! `report`: a run for people. Reads the run directory (`report_source.rs`); writes one file, `report.html` of the run by default.

use super::Done;
use super::failure::{Exit, Failure};
use super::printer::Printer;
use super::report_source::read;
use crate::stages::report::{Control, html, job_summary, junit, markdown};
use crate::store::atomic::write_named;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Write a report of a run: what was gained, what it cost, what shipped and why.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx report --run runs/NAME")]
pub(crate) struct ReportArgs {
    /// Run directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// One page for a browser, JSON, Markdown, test-report XML of the train tasks, or Markdown for a job summary
    #[arg(long, value_enum, default_value = "html")]
    format: Format,
    /// Where to write; `-` is stdout [default: report.html (.json, .md …) in the run directory]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A run to compare engines with, such as one of the engine `random`; repeatable. What is not at equal budget is marked
    #[arg(long, value_name = "DIR")]
    control: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Html,
    Json,
    Md,
    Junit,
    Github,
}

impl Format {
    /// File in the run directory.
    fn file(self) -> &'static str {
        match self {
            Self::Html => "report.html",
            Self::Json => "report.json",
            Self::Md => "report.md",
            Self::Junit => "report.junit.xml",
            Self::Github => "report.summary.md",
        }
    }
}

/// Names of stdout. Opened by its path, what is printed later would be written over the report.
const STDOUT: [&str; 2] = ["-", "/dev/stdout"];

#[derive(Serialize)]
struct ReportEvent<'a> {
    event: &'static str,
    file: &'a Path,
    bytes: usize,
}

/// What would stand on stdout: an object, or text.
#[derive(Serialize)]
struct PrintedEvent<'a, T> {
    event: &'static str,
    report: &'a T,
}

/// Writes the page of a run that has just ended.
pub(super) fn write_page(run: &Path, printer: &Printer) -> Done {
    report(&ReportArgs { run: run.to_owned(), format: Format::Html, output: None, control: Vec::new() }, printer)
}

/// Runs the command.
pub(crate) fn report(args: &ReportArgs, printer: &Printer) -> Done {
    let mut report = read(&args.run)?;
    report.controls =
        args.control.iter().map(|dir| read(dir).map(|other| Control::beside(&other, &report))).collect::<Result<_, Failure>>()?;
    let text = match args.format {
        Format::Html => html(&report),
        Format::Md => markdown(&report),
        Format::Github => job_summary(&report),
        Format::Junit => junit(&report),
        Format::Json => {
            serde_json::to_string_pretty(&report).map_err(|error| Failure::new(Exit::Bug, format!("write the report as JSON: {error}")))?
        }
    };
    let file = args.output.clone().unwrap_or_else(|| args.run.join(args.format.file()));
    if STDOUT.iter().any(|name| file.as_os_str() == *name) {
        match args.format {
            Format::Json => printer.event(&PrintedEvent { event: "report", report: &report }),
            Format::Html | Format::Md | Format::Junit | Format::Github => {
                printer.event(&PrintedEvent { event: "report", report: &text });
            }
        }
        printer.raw(text.as_bytes());
        return Ok(Exit::Done);
    }
    write_named(&file, text.as_bytes())?;
    printer.event(&ReportEvent { event: "report", file: &file, bytes: text.len() });
    printer.line(&format!("report in {}", file.display()));
    Ok(Exit::Done)
}
