//! `check`: a harness or benchmark folder, a settings file, or agreement with recorded transcripts.

use super::failure::{Exit, Failure};
use super::finding::{containers, sandbox};
use super::printer::Printer;
use super::settings::{layered, model_spec};
use super::{Done, Shared, assets};
use crate::bench::household::replay;
use crate::domain::harness::Problem;
use crate::domain::meta::Role;
use crate::runtime::tool_files::{ToolFile, check_program};
use crate::sandbox::Containers;
use crate::script::declarations;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Check a harness, a benchmark or a settings file: errors with file and line, or "ok".
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx check harnesses/household-base")]
pub(crate) struct CheckArgs {
    /// Harness or benchmark: a folder or a name; or a settings file
    #[arg(required_unless_present = "types")]
    target: Option<String>,
    /// Print the TypeScript declarations of events, answers and helpers that scripts are written against
    #[arg(long, conflicts_with_all = ["target", "against"])]
    types: bool,
    /// Replay recorded transcripts in this folder against the benchmark's environment; exit 1 on any difference
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
}

#[derive(Serialize)]
struct Checked<'a> {
    event: &'static str,
    ok: bool,
    kind: &'static str,
    name: &'a str,
    /// Git tree id of a harness, digest of a benchmark, empty for settings.
    id: &'a str,
}

#[derive(Serialize)]
struct Types<'a> {
    event: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct Agreement {
    agreed: usize,
    total: usize,
    first_difference: Option<String>,
}

/// Runs the command.
pub(crate) fn check(args: &CheckArgs, printer: &Printer) -> Done {
    if args.types {
        types(printer);
        return Ok(Exit::Done);
    }
    let target = args.target.as_deref().unwrap_or_default();
    if let Some(dir) = &args.against {
        return against(target, dir, printer);
    }
    if Path::new(target).is_file() {
        return settings(target, printer);
    }
    let is_benchmark =
        Path::new(target).join("benchmark.toml").is_file() || Path::new("benchmarks").join(target).join("benchmark.toml").is_file();
    if is_benchmark {
        return benchmark(target, printer);
    }
    let roles = assets::roles(target);
    if !roles.is_empty() {
        return meta(target, &roles, printer);
    }
    match harness(target, printer) {
        Ok(exit) => Ok(exit),
        Err(failure) if failure.what.starts_with("find harness") => benchmark(target, printer).map_err(|_| failure),
        Err(failure) => Err(failure),
    }
}

fn harness(target: &str, printer: &Printer) -> Done {
    let harness = assets::harness(target)?;
    tools(target, &harness.assembly.all_tool_files(), printer)?;
    printer.event(&Checked { event: "check", ok: true, kind: "harness", name: target, id: harness.id.as_str() });
    printer.line(&format!("ok: harness {target} ({})", harness.id));
    Ok(Exit::Done)
}

/// The meta-agent's harnesses in a folder, one a role; all are checked.
fn meta(target: &str, roles: &[Role], printer: &Printer) -> Done {
    let missing: Vec<&str> = Role::ALL.iter().filter(|role| !roles.contains(role)).map(|role| role.as_str()).collect();
    if !missing.is_empty() {
        printer.note(&format!("{target} has no harness for: {}", missing.join(", ")));
    }
    let target = target.trim_end_matches('/');
    let wrong = roles.iter().filter_map(|role| harness(&format!("{target}/{role}"), printer).err());
    let wrong = wrong.reduce(|first, next| Failure { what: format!("{}\n{}", first.what, next.what), ..first });
    wrong.map_or(Ok(Exit::Done), Err)
}

/// What an author of scripts needs to know, as one `.d.ts` file.
fn types(printer: &Printer) {
    let text = declarations();
    printer.event(&Types { event: "types", text: &text });
    printer.line(text.trim_end());
}

/// Programs of command tools and servers, and images where a daemon can say, must be here; what would keep them in, is said.
fn tools(target: &str, files: &[ToolFile], printer: &Printer) -> Result<(), Failure> {
    let daemon = if files.iter().any(|file| file.image().is_some()) { Containers::find().ok() } else { None };
    let check_image = |file: &ToolFile| match (file.image(), &daemon) {
        (Some(image), Some(daemon)) => daemon.check_image(image).map_err(|error| error.to_string()),
        (Some(_), None) | (None, _) => Ok(()),
    };
    let problem = |file: &ToolFile| Some(Problem::at(file.file(), 0, check_program(file).and_then(|()| check_image(file)).err()?));
    let problems: Vec<Problem> = files.iter().filter_map(problem).collect();
    if !problems.is_empty() {
        return Err(Failure::problems(target, &problems));
    }
    let mut findings = Vec::new();
    if files.iter().any(ToolFile::needs_sandbox) {
        findings.extend(sandbox(layered(&Shared::default())?.settings.sandbox));
    }
    if files.iter().any(|file| file.image().is_some()) {
        findings.push(containers());
    }
    for finding in findings {
        printer.note(&format!("{}: {}", finding.name, finding.found));
        if let (false, Some(cure)) = (finding.ok, &finding.cure) {
            printer.note(&format!("  cure: {cure}"));
        }
    }
    Ok(())
}

fn benchmark(target: &str, printer: &Printer) -> Done {
    let benchmark = assets::benchmark(target)?;
    if let Some(harness) = &benchmark.default_harness {
        assets::harness(harness)?;
    }
    let digest = benchmark.digest.to_string();
    printer.event(&Checked { event: "check", ok: true, kind: "benchmark", name: &benchmark.name, id: &digest });
    printer.line(&format!("ok: benchmark {} ({} tasks)", benchmark.name, benchmark.tasks.len()));
    Ok(Exit::Done)
}

/// Keys, values and model specs; the models themselves are not opened.
fn settings(target: &str, printer: &Printer) -> Done {
    let layered = layered(&Shared { config: Some(PathBuf::from(target)), ..Shared::default() })?;
    for (role, spec) in &layered.settings.model {
        model_spec(*role, spec, &layered.settings).map_err(|failure| layered.failure(&["model", role.as_str()], &failure.what))?;
    }
    for (name, entry) in &layered.settings.models {
        entry.check().map_err(|problem| layered.failure(&["models", name], &format!("model {name}: {problem}")))?;
    }
    printer.event(&Checked { event: "check", ok: true, kind: "settings", name: target, id: "" });
    printer.line(&format!("ok: settings {target}"));
    Ok(Exit::Done)
}

fn against(target: &str, dir: &Path, printer: &Printer) -> Done {
    if target != "household" && assets::benchmark(target)?.name != "household" {
        return Err(Failure::settings(format!("check {target} against {}: only household has transcripts", dir.display())));
    }
    let found = replay(dir).map_err(|error| Failure::settings(error.to_string()))?;
    if found.total == 0 {
        return Err(Failure::settings(format!("check {target} against {}: no transcripts found there", dir.display()))
            .hint("a transcript is NAME.transcript.json beside NAME.tw-pddl, each also as .gz"));
    }
    let first_difference = found.first_difference.map(|difference| difference.to_string());
    let agreement = Agreement { agreed: found.agreed, total: found.total, first_difference };
    printer.event(&agreement);
    printer.line(&format!("{}/{} steps agree", agreement.agreed, agreement.total));
    if let Some(difference) = &agreement.first_difference {
        printer.line(&format!("first difference: {difference}"));
        return Ok(Exit::Threshold);
    }
    Ok(Exit::Done)
}
