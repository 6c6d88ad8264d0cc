//! The Evolver (`system.md` §6): from a landscape and what was mined from visible train traces to candidates, each a set of typed edits
//! on the incumbent with a change manifest. Pure and synchronous: nothing is read or written here, and everything drawn follows the seed.
//!
//! Reading order: this file (the interface), `experience` (what is kept of traces).

mod experience;

pub use experience::{Experience, ExperienceBuilder, Played, PlayedStep};

use crate::domain::digest::TaskDigest;
use crate::domain::harness::{Harness, Problem};
use crate::domain::id::{HarnessId, TaskId, VariantId};
use crate::domain::landscape::Landscape;
use crate::domain::manifest::CandidateManifest;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who proposes. All work from the same workshop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// Searches over native processors, parameters, mined patterns and demonstrations, steered by the landscape.
    #[default]
    Catalog,
    /// Control: valid random edits.
    Random,
    /// Control: independent proposals of the catalog, without what earlier rounds taught.
    BestOfN,
}

impl Engine {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Catalog, Self::Random, Self::BestOfN];

    /// Its name in settings and manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Random => "random",
            Self::BestOfN => "best-of-n",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Everything an engine works with in one round.
pub struct Workshop<'a> {
    /// Round.
    pub round: u32,
    /// Seed of all that is drawn.
    pub seed: u64,
    /// Most candidates wanted.
    pub count: usize,
    /// The variant to improve.
    pub variant: VariantId,
    /// Its incumbent.
    pub incumbent: &'a Harness,
    /// The incumbent's identity.
    pub parent: HarnessId,
    /// What fails and what was tried.
    pub landscape: &'a Landscape,
    /// Digests of the train tasks.
    pub digests: &'a [TaskDigest],
    /// What was kept of visible train traces.
    pub experience: &'a Experience,
    /// Problems of a harness; none: it can be played.
    pub check: &'a dyn Fn(&Harness) -> Vec<Problem>,
    /// Identity of a harness that passed the check; an error is a fragment.
    pub id_of: &'a dyn Fn(&Harness) -> Result<HarnessId, String>,
    /// Train tasks whose recorded episode would differ under a harness; an error is a fragment.
    pub replay: &'a dyn Fn(&Harness) -> Result<Vec<TaskId>, String>,
}

/// One candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposed {
    /// What is said of it.
    pub manifest: CandidateManifest,
    /// The incumbent with its edits.
    pub harness: Harness,
    /// Lines of `smoke.jsonl`, all passed.
    pub smoke: Vec<SmokeLine>,
}

/// One smoke check of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmokeLine {
    /// `assemble`, `synthetic` or `replay`.
    pub check: String,
    /// Whether it held.
    pub passed: bool,
    /// What was seen, in one line.
    pub seen: String,
}

/// Candidates of one round, at most as many as asked for, none of which a smoke check refuses. Empty: the round is idle.
pub fn evolve(engine: Engine, workshop: &Workshop<'_>) -> Vec<Proposed> {
    let (_, _) = (engine, workshop);
    Vec::new()
}
