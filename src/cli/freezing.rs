//! Settings of a run that was begun: they stay as `run.toml` has them. `--force` changes those that leave what is on file true; what is
//! measured, and how the gate judges it, belongs to the run for good.

use super::assignment::Assignment;
use super::failure::Failure;
use crate::runtime::desk::Desk;
use crate::store::run_dir::{Difference, RunDir, RunDirError};

/// What `--force` may change in a plain run: which episodes are played. Those on file stay what they were.
pub(crate) const OF_PLAIN_RUN: [&str; 4] = ["split", "tasks", "limit", "rollouts"];

/// The same in a loop: when it ends, and when a person is asked.
pub(crate) const OF_LOOP: [&str; 2] = ["patience", "approve"];

/// The same in entries of `models`: how a server is reached and what it costs, not what it answers.
const OF_ENTRIES: [&str; 7] = ["api_key_env", "stream", "prices", "limits", "deadlines", "max_retries", "retry_pause"];

/// What the state of the gate was made with.
const OF_GATE: [&str; 7] = ["profile", "mode", "rounds", "budget", "alpha", "generalise", "heldout_veto"];

/// Freezes the settings in `run.toml`, or compares them with those frozen; with `force` those that may change do.
pub(crate) fn freeze(run: &RunDir, assignment: &Assignment, desk: &Desk, force: bool, free: &[&str]) -> Result<(), Failure> {
    let may_change = |difference: &Difference| may_change(&difference.path, free);
    let text = assignment.layered.frozen(assignment.facts(desk));
    run.freeze(&text, |difference| force && may_change(difference)).map_err(|error| {
        let RunDirError::Differs { differences, .. } = &error else { return error.into() };
        let hint = hint(differences.iter().filter(|difference| !may_change(difference)), free);
        Failure::settings(error.to_string()).hint(hint)
    })
}

fn may_change(path: &[String], free: &[&str]) -> bool {
    match path {
        [key] => free.contains(&key.as_str()),
        [models, _, field, ..] => models == "models" && OF_ENTRIES.contains(&field.as_str()),
        _ => false,
    }
}

/// What to do about settings that differ; `fixed` are those that nothing changes.
fn hint<'a>(fixed: impl Iterator<Item = &'a Difference>, free: &[&str]) -> String {
    let fixed: Vec<String> = fixed.map(Difference::key).collect();
    if fixed.is_empty() {
        return "use the old settings, name another --run, or go on with --force".to_owned();
    }
    let is_of_gate = fixed.iter().all(|key| OF_GATE.contains(&key.as_str()));
    let reason = if is_of_gate {
        "the gate's error rate and budget are spread over the whole run by them"
    } else {
        "results on file are of the old ones and must not speak for others"
    };
    format!("{} cannot change: {reason}; use a new --run, or the old settings (--force allows {})", fixed.join(", "), free.join(", "))
}
