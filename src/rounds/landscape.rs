//! The Planner on the files of a run: reads overview, history and incumbent; writes `R<n>/landscape.{json,md}`, last of all.

use super::error::RoundsError;
use crate::domain::harness::Harness;
use crate::domain::history::{History, PastRound};
use crate::stages::plan::{PlanInput, Planned, components, landscape_markdown, plan};
use crate::store::run_dir::RunDir;
use crate::store::visible::Visible;

/// Plans a round from what was known when it began: its own decision, where there is one already, does not count. A no-op writes nothing.
/// `incumbent` is told the rounds so far.
///
/// # Errors
/// A round without an overview; what the operating system refused.
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
    let planned = plan(&input);
    if let Planned::Work(landscape) = &planned {
        run.files(round).write_landscape(landscape, &landscape_markdown(landscape)).map_err(RoundsError::from)?;
    }
    Ok(planned)
}
