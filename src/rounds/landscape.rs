//! The Planner on the files of a run: reads overview, history and incumbent; writes `R<n>/landscape.{json,md}`, last of all.

use super::error::RoundsError;
use crate::domain::harness::Harness;
use crate::domain::history::{History, PastRound};
use crate::stages::plan::{PlanInput, Planned, components, landscape_markdown, plan};
use crate::store::run_dir::RunDir;
use crate::store::visible::Visible;

/// Plans a round from what was known when it began: its own decision, where there is one already, does not count. What a person or a model
/// said of it before stays: diagnoses and directions. A no-op writes nothing. `incumbent` is told the rounds so far.
///
/// # Errors
/// A round without an overview; another landscape than the one from which the round's candidates were made; what the operating system
/// refused.
pub fn plan_round<E: From<RoundsError>>(
    run: &RunDir,
    visible: &Visible,
    (round, threshold): (u32, f64),
    incumbent: impl FnOnce(&[PastRound]) -> Result<Harness, E>,
) -> Result<Planned, E> {
    let overview = visible.overview(round).map_err(RoundsError::from)?;
    let overview = overview.ok_or_else(|| RoundsError::Lost(format!("R{round}/overview.json")))?;
    let mut rounds = visible.past_rounds().map_err(RoundsError::from)?;
    rounds.retain(|past| past.round <= round);
    if let Some(last) = rounds.pop() {
        rounds.push(last.undecided());
    }
    let incumbent = incumbent(&rounds)?;
    let (history, components) = (History::new(&rounds), components());
    let input = PlanInput { history: &history, overview: &overview, incumbent: &incumbent, components: &components, threshold };
    let mut planned = plan(&input);
    if let Planned::Work(landscape) = &mut planned {
        let before = visible.landscape(round).map_err(RoundsError::from)?;
        if let Some(before) = &before {
            (landscape.diagnoses, landscape.directions) = (before.diagnoses.clone(), before.directions.clone());
        }
        if before.is_some_and(|before| before != **landscape) && has_candidates(visible, round)? {
            return Err(RoundsError::Planned(format!(
                "R{round} has its candidates, and they were made from another landscape than this: R{round}/landscape.md stays. What was \
                 learned since is in the landscape of the next round, which `harnessx plan` or `harnessx loop` writes once it is open"
            ))
            .into());
        }
        run.files(round).write_landscape(landscape, &landscape_markdown(landscape)).map_err(RoundsError::from)?;
    }
    Ok(planned)
}

/// Whether the Evolver has worked from the round's landscape.
fn has_candidates(visible: &Visible, round: u32) -> Result<bool, RoundsError> {
    Ok(visible.round(round)?.is_some() || visible.find_text(&format!("R{round}/evolved.json"))?.is_some())
}
