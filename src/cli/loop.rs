//! `loop`: baseline, then rounds of digest, plan, evolve, critique and gate, until the rounds, the patience or a budget is used up. Reads
//! harness, benchmark and model; writes the whole run directory.

use super::assignment::Assignment;
use super::course::{Allowed, RestEvent, Task, foresee, with_rounds};
use super::failure::{Exit, Failure};
use super::loop_settings::LoopFlags;
use super::printer::Printer;
use super::report::write_page;
use super::report_source::put_back;
use super::{Done, Shared};
use crate::domain::figures::count;
use crate::domain::interval::Share;
use crate::domain::round::RoundRecord;
use crate::rounds::{Arms, Closing, Compared, Rest, Rounds, RoundsError, Until};
use crate::stages::report::PutBack;
use crate::stages::rollout::Tally;
use crate::store::run_dir::RunDir;
use clap::Args;
use serde::Serialize;
use std::path::Path;

/// Evolve a harness: play, read the traces, propose edits, judge them, and ship only what is better.
#[derive(Debug, Args)]
#[command(after_help = "Example: harnessx loop --profile quick --model local:smollm2 --yes")]
// What a loop refuses (see `Assignment::of_loop`) is not offered.
#[command(mut_arg("split", |flag| flag.hide(true)), mut_arg("tasks", |flag| flag.hide(true)), mut_arg("rollouts", |flag| flag.hide(true)))]
pub(crate) struct LoopArgs {
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    flags: LoopFlags,
    #[command(flatten)]
    allowed: Allowed,
}

#[derive(Serialize)]
struct DoneEvent<'a> {
    event: &'static str,
    reason: &'a str,
    rounds: usize,
    shipped: usize,
    /// Of these, taken back since.
    undone: usize,
    heldout_before: Option<Share>,
    heldout_after: Option<Share>,
    chooser_before: Option<Share>,
    chooser_after: Option<Share>,
    gain: Option<f64>,
}

/// Runs the command.
pub(crate) fn run_loop(args: &LoopArgs, printer: &Printer) -> Done {
    let assignment = Assignment::of_loop(&args.shared, &args.flags)?;
    foresee(&assignment, printer)?;
    let task = Task::Run(Until::End);
    let (closing, compared) = with_rounds(&assignment, args.allowed, &task, printer, summary)?;
    if closing.rest == Rest::Waiting {
        printer.event(&RestEvent::of(&closing));
        printer.line(&closing.reason);
        printer.line("the same command continues");
        return Ok(Exit::Done);
    }
    tell(&closing, &compared, undone(&assignment.dir, &closing)?, printer);
    printer.line(&format!("everything is in {}; what is where: INDEX.md; the rounds: journal.md", assignment.dir.display()));
    let exit = write_page(&assignment.dir, printer)?;
    // Once more: now the report is there too.
    RunDir::open(&assignment.dir)?.write_index()?;
    Ok(exit)
}

async fn summary(rounds: &Rounds<'_>, closing: Closing) -> Result<(Closing, Compared), RoundsError> {
    let compared = if closing.rest == Rest::Waiting { Compared::default() } else { rounds.compared().await? };
    Ok((closing, compared))
}

/// Ships that were taken back since.
fn undone(run: &Path, closing: &Closing) -> Result<usize, Failure> {
    let records: Vec<&RoundRecord> = closing.rounds.iter().collect();
    let back = put_back(run, &records)?;
    let is_undone = |record: &&&RoundRecord| PutBack::of_ships(&back, record.round).is_some();
    Ok(records.iter().filter(is_undone).map(|record| record.shipped.len()).sum())
}

fn tell(closing: &Closing, compared: &Compared, undone: usize, printer: &Printer) {
    let shipped: usize = closing.rounds.iter().map(|round| round.shipped.len()).sum();
    let share = |tally: &Option<Tally>| tally.as_ref().and_then(|tally| tally.pass_rate);
    let mean = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    let gain = mean(&compared.differences);
    printer.event(&DoneEvent {
        event: "done",
        reason: &closing.reason,
        rounds: closing.rounds.len().saturating_sub(1),
        shipped,
        undone,
        heldout_before: compared.before.model.pass_rate,
        heldout_after: compared.after.model.pass_rate,
        chooser_before: share(&compared.before.chooser),
        chooser_after: share(&compared.after.chooser),
        gain,
    });
    let since = if undone == 0 { String::new() } else { format!(", {undone} of them undone since") };
    printer.line(&format!("ended: {}; {} shipped{since}", closing.reason, count(shipped as u64, "edit")));
    printer.line(&format!("held-out tasks, never seen by evolution: before {}", shown(&compared.before)));
    printer.line(&format!("                                          after {}", shown(&compared.after)));
    if let Some(gain) = gain {
        printer.line(&format!("gain on held-out tasks: {:+.1} points over {} tasks", 100.0 * gain, compared.differences.len()));
    }
    if let Some(share) = &compared.share {
        printer.line(&share.to_string());
    }
}

fn shown(arms: &Arms) -> String {
    let share = |share: Option<Share>| share.map_or_else(|| "nothing scored".to_owned(), |share| share.to_string());
    let chooser = arms.chooser.as_ref().map_or_else(String::new, |tally| format!(" (a random chooser: {})", share(tally.pass_rate)));
    format!("{} of {} tasks{chooser}", share(arms.model.pass_rate), arms.model.tasks)
}
