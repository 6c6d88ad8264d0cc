//! `evolve` and `critique`: one stage of a run's open round, on the same files and with the same result as within `loop`.

use super::Done;
use super::assignment::Assignment;
use super::course::{Allowed, RestEvent, Task, whole, with_rounds};
use super::failure::{Exit, Failure};
use super::printer::Printer;
use super::show::round_number;
use crate::clock::Clock;
use crate::rounds::{Rest, Until, rules_on};
use crate::stages::critique::{Critique, terminal};
use crate::store::visible::Visible;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Propose candidates for a run's open round: typed edits with a manifest, each on a branch.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx evolve --run runs/NAME")]
pub(crate) struct EvolveArgs {
    /// Run directory that `loop` began
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
}

/// Look over the candidates of a run's open round: leaks, forged output, undeclared changes, invented evidence.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx critique --run runs/NAME")]
pub(crate) struct CritiqueArgs {
    /// Run directory that `loop` began
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Only repeat the rules, without a model, and print what they find; nothing is written
    #[arg(long)]
    rules: bool,
    /// With --rules: the round, as 3 or R3 [default: the latest with candidates]
    #[arg(long, requires = "rules")]
    round: Option<String>,
}

#[derive(Serialize)]
struct Looked<'a> {
    round: u32,
    #[serde(flatten)]
    critique: &'a Critique,
}

/// Runs `evolve`.
pub(crate) fn evolve(args: &EvolveArgs, printer: &Printer) -> Done {
    let round = advance(&args.run, Until::Evolved, printer)?;
    let visible = Visible::open(&args.run, "evolve", &Clock::system())?;
    for manifest in visible.candidates(round)? {
        printer.event_of("candidate", &manifest);
        printer.line(&format!("{}: {}", manifest.candidate_id, manifest.title));
    }
    Ok(Exit::Done)
}

/// Repeats the Critic's rules on a round's candidates.
fn rules(args: &CritiqueArgs, printer: &Printer) -> Done {
    let visible = Visible::open(&args.run, "critique", &Clock::system())?;
    let benchmark = Assignment::of_run(&args.run)?.benchmark;
    let asked = args.round.as_deref().map(round_number).transpose()?;
    let mut rounds = visible.rounds()?;
    if let Some(round) = asked {
        if !rounds.contains(&round) {
            let there = rounds.iter().map(|round| format!("R{round}")).collect::<Vec<_>>().join(", ");
            return Err(Failure::settings(format!("look over R{round}: the run has no such round")).hint(format!("it has {there}")));
        }
        rounds.retain(|other| *other == round);
    }
    rounds.reverse();
    for round in rounds {
        if let Some(found) = rules_on(&visible, &benchmark, round)? {
            printer.event_of("critique", &Looked { round, critique: &found });
            printer.line(&format!("R{round}, by the rules alone:\n{}", terminal(&found)));
            return Ok(Exit::Done);
        }
    }
    printer.line("no candidate to look over");
    Ok(Exit::Done)
}

/// Runs `critique`.
pub(crate) fn critique(args: &CritiqueArgs, printer: &Printer) -> Done {
    if args.rules {
        return rules(args, printer);
    }
    let round = advance(&args.run, Until::Critiqued, printer)?;
    let visible = Visible::open(&args.run, "critique", &Clock::system())?;
    match visible.find_json::<Critique>(&format!("R{round}/critique.json"))? {
        Some(critique) => {
            printer.event_of("critique", &Looked { round, critique: &critique });
            printer.line(&terminal(&critique));
        }
        None => printer.line("no candidate to look over"),
    }
    Ok(Exit::Done)
}

/// Takes the open round so far; its number.
fn advance(run: &Path, until: Until, printer: &Printer) -> Result<u32, Failure> {
    let assignment = Assignment::of_run(run)?;
    let closing = with_rounds(&assignment, Allowed::default(), &Task::Run(until), printer, whole)?;
    printer.event(&RestEvent::of(&closing));
    match closing.rest {
        Rest::Waiting => printer.line(&closing.reason),
        Rest::Over | Rest::Open => printer.note(&closing.reason),
    }
    Ok(closing.rounds.len() as u32)
}
