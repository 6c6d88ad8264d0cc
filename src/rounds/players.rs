//! From a harness's identity to an agent that plays: harnesses are read from the run's repository, under the limits the gate compares at.

use super::error::RoundsError;
use crate::domain::harness::{Harness, Limits, Problem};
use crate::domain::id::{HarnessId, LimitsId};
use crate::runtime::assembly::Assembly;
use crate::runtime::tool_files::Workbench;
use crate::store::harness_dir::tree_id;
use crate::store::harness_repo::HarnessRepo;

/// A harness in canonical form that can be played.
pub(super) struct Known {
    pub id: HarnessId,
    pub assembly: Assembly,
}

impl Known {
    /// Checks a harness and names it.
    pub fn new(harness: Harness) -> Result<Self, RoundsError> {
        let unknown = || HarnessId::from("(new)");
        let assembly = assemble(harness, &unknown())?;
        let id = tree_id(assembly.canonical_manifest(), &assembly.harness().files)?;
        Ok(Self { id, assembly })
    }

    /// The harness with that identity.
    pub fn read(repo: &HarnessRepo, id: &HarnessId) -> Result<Self, RoundsError> {
        Ok(Self { id: id.clone(), assembly: assemble(repo.read(id.as_str())?, id)? })
    }

    /// The harness that identity names, under other limits than its own.
    pub fn under(repo: &HarnessRepo, id: &HarnessId, limits: &LimitsId) -> Result<Self, RoundsError> {
        let mut harness = repo.read(id.as_str())?;
        harness.manifest.slots.limits = limits_of(limits);
        Ok(Self { id: id.clone(), assembly: assemble(harness, id)? })
    }

    /// Name of the limits it declares.
    pub fn limits(&self) -> LimitsId {
        limits_id(&self.assembly.harness().manifest.slots.limits)
    }
}

/// What keeps a harness from being played here: what is wrong with it, and tools of it that do not start. `lines` are those of its
/// processors, where they are known.
pub(super) fn problems(harness: &Harness, lines: &[usize], workbench: &Workbench) -> Vec<Problem> {
    match Assembly::new(harness.clone(), lines) {
        Ok(assembly) => workbench.try_out(harness, &assembly.all_tool_files()),
        Err(problems) => problems,
    }
}

fn assemble(harness: Harness, id: &HarnessId) -> Result<Assembly, RoundsError> {
    Assembly::new(harness, &[]).map_err(|problems| {
        let problem = problems.into_iter().next().unwrap_or_else(|| Problem::at("harness.toml", 0, "unknown"));
        RoundsError::Unplayable { harness: id.clone(), problem }
    })
}

/// Equal limits have equal names; the name says them.
pub(super) fn limits_id(limits: &Limits) -> LimitsId {
    LimitsId(serde_json::to_string(limits).unwrap_or_default())
}

/// The limits that controls of a candidate play under, by its own and the incumbent's.
pub(super) fn control_of(candidate: &LimitsId, incumbent: &LimitsId) -> LimitsId {
    limits_id(&limits_of(candidate).loosest(&limits_of(incumbent)))
}

fn limits_of(id: &LimitsId) -> Limits {
    serde_json::from_str(id.as_str()).unwrap_or_default()
}
