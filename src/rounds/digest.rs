//! Digests on file: one page a task, the overview and the regressions of each round, and the ledgers that follow from all of them.

use super::error::RoundsError;
use crate::domain::history::History;
use crate::domain::id::TaskId;
use crate::domain::reputation::{rejected_candidates, scoreboard, ship_outcomes};
use crate::stages::digest::{digest_task, overview, overview_markdown, regressions_markdown, task_markdown};
use crate::store::run_dir::RunDir;
use crate::store::visible::Visible;
use std::collections::BTreeMap;

/// Digests a round, and before it every earlier one that was left without: what came before is part of what is said of it. `watch` is told
/// after each task how many of how many are done.
///
/// # Errors
/// A trace that cannot be read; what the operating system refused.
pub fn digest_up_to(run: &RunDir, visible: &Visible, round: u32, watch: &dyn Fn(usize, usize)) -> Result<(), RoundsError> {
    let mut due = Vec::new();
    for earlier in visible.rounds()? {
        if earlier == round || (earlier < round && visible.overview(earlier)?.is_none()) {
            due.push(earlier);
        }
    }
    for round in &due {
        digest_round(run, visible, *round, watch)?;
    }
    let rounds = visible.past_rounds()?;
    write_ledgers(run, &History::new(&rounds))?;
    for round in due {
        let history = History::new(&rounds[..rounds.partition_point(|past| past.round <= round)]);
        let overview = overview(&history);
        run.files(round).write_regressions(&regressions_markdown(&history.declines()))?;
        run.files(round).write_overview(&overview, &overview_markdown(&overview))?;
    }
    Ok(())
}

/// Digests every task with a finished episode of the round.
fn digest_round(run: &RunDir, visible: &Visible, round: u32, watch: &dyn Fn(usize, usize)) -> Result<(), RoundsError> {
    let mut traces: BTreeMap<TaskId, BTreeMap<u32, String>> = BTreeMap::new();
    for line in visible.episodes(round)? {
        traces.entry(line.key.task).or_default().insert(line.key.replicate, line.trace);
    }
    let folder = run.path().join(format!("R{round}"));
    let all = traces.len();
    for (done, (task, rollouts)) in traces.into_iter().enumerate() {
        let rollouts: Vec<(u32, String)> = rollouts.into_iter().collect();
        let digest = digest_task(&folder, &task, &rollouts)?;
        run.files(round).write_digest(&digest, &task_markdown(&digest))?;
        watch(done + 1, all);
    }
    Ok(())
}

/// Rewrites what is derived from all rounds.
///
/// # Errors
/// What the operating system refused.
pub(super) fn write_ledgers(run: &RunDir, history: &History<'_>) -> Result<(), RoundsError> {
    run.write_task_history(&history.lines())?;
    run.write_ship_outcomes(&ship_outcomes(history))?;
    run.write_rejected(&rejected_candidates(history))?;
    Ok(run.write_scoreboard(&scoreboard(history))?)
}
