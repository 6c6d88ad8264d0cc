//! The meta-agent (`system.md` §6): Digester, Planner, Evolver, Critic — and `single`, who does all — as sessions of a model. A session is
//! an episode under a harness of its own (`harnesses/meta/<role>`), in a workroom whose tools hold the rules: what may be read, where may be
//! written, what counts as said. Whatever a model says becomes a typed artifact or is dropped; code checks every place it points to.
//!
//! Reading order: this file (who sits, on what), `roles` (what each is asked and what comes of it), `brief` (what each is shown first),
//! `session` (one sitting), `room` (the tools at work), `tool` and `arguments` (their list, and with what they are called), `files`, `natives`
//! and `scratch` (what they read and write), `said` (what was said), `checks` (what must hold of it), `ended` (how a sitting ended),
//! `window` (the cap on what a model sees).

mod arguments;
mod brief;
mod checks;
mod ended;
mod files;
mod natives;
mod roles;
mod room;
mod said;
mod scratch;
mod session;
mod tool;
mod window;

pub use checks::{Ground, order_of, review_of};
pub use ended::{Ended, ended};
pub use files::transcript;
pub use natives::listed as natives;
pub use roles::{Judged, Revision, diagnose, direct, propose, propose_all, review, revise};
pub use said::Said;
pub use session::MetaError;

pub use crate::domain::meta::Role;

use crate::domain::digest::Anchor;
use crate::domain::id::{HarnessId, TaskId};
use crate::runtime::assembly::Assembly;
use crate::runtime::desk::Desk;
use crate::store::audit::Audit;
use crate::store::run_dir::RoundDir;
use crate::store::visible::Visible;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The harness that a role works under.
pub struct Member {
    /// Checked and ordered.
    pub assembly: Assembly,
    /// Its identity.
    pub harness: HarnessId,
}

/// The harnesses of the roles that a run needs.
pub type Staff = BTreeMap<Role, Member>;

/// What every session of a round stands on.
#[derive(Clone, Copy)]
pub struct Office<'a> {
    /// The models: `meta` plays.
    pub desk: &'a Desk,
    /// Who works under which harness.
    pub staff: &'a Staff,
    /// Round.
    pub round: u32,
    /// Where sessions are kept, as episodes.
    pub sessions: &'a RoundDir,
    /// What may be read of the run; refusals are on record.
    pub visible: &'a Visible,
    /// Where every access is put down.
    pub audit: &'a Audit,
    /// Train tasks.
    pub tasks: &'a BTreeSet<TaskId>,
    /// Visible traces that speak for the incumbent: their names in anchors, and where they lie.
    pub traces: &'a BTreeMap<String, PathBuf>,
    /// Whether these words stand verbatim at this place of a visible trace; empty words: whether there is such a place.
    pub verify: &'a dyn Fn(&Anchor, &str) -> bool,
    /// Tokens that sessions side by side may take together, beside the limits of their harnesses; `None` without such a bound.
    pub allowance: Option<u64>,
}

impl Office<'_> {
    /// The same for each of so many sessions that are not to take more together.
    #[must_use]
    pub fn shared(&self, among: usize) -> Self {
        Self { allowance: self.allowance.map(|all| all / among.max(1) as u64), ..*self }
    }
}
