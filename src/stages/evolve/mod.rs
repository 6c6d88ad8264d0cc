//! The Evolver (`system.md` §6): from a landscape and what was mined from visible train traces to candidates, each a set of typed edits
//! on the incumbent with a change manifest. Pure and synchronous: nothing is read or written here, and everything drawn follows the seed.
//!
//! Reading order: this file (the interface, and how candidates are chosen), `experience` (what is kept of traces), `lessons` (what it
//! teaches: forms of actions, plans, whereabouts), `ideas` (what could be proposed), `shelf` (scripts that it may put in), `steer` (what is
//! tried first), `smoke`, `statement` (the manifest); `submission` takes candidates that others made: a meta-agent, a program, a person.

mod experience;
mod ideas;
mod lessons;
mod plans;
mod random;
mod shelf;
mod smoke;
mod statement;
mod steer;
mod submission;
mod templates;
mod transcripts;
mod whereabouts;

pub use experience::{Experience, ExperienceBuilder, Played, PlayedStep};
pub use smoke::smoke;
pub use submission::{Statement, Submission, accept};

use crate::clock::seeded;
use crate::domain::digest::TaskDigest;
use crate::domain::edit::Bundle;
use crate::domain::engine::Engine;
use crate::domain::harness::{Harness, Problem};
use crate::domain::id::{Digest, HarnessId, TaskId, VariantId};
use crate::domain::landscape::Landscape;
use crate::domain::manifest::CandidateManifest;
use crate::runtime::native;
use ideas::{Idea, Sources, ideas};
use lessons::Lessons;
use rand_chacha::ChaCha8Rng;
use random::random;
use serde::{Deserialize, Serialize};
use statement::{Subject, statement};
use std::collections::BTreeSet;
use steer::{drawn, steered};

/// How the catalog is searched. All ways work from the same workshop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Steered by the landscape.
    Steered,
    /// Control: valid random edits.
    Random,
    /// Control: independent proposals, without what earlier rounds taught.
    BestOfN,
}

impl Search {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Steered, Self::Random, Self::BestOfN];

    /// The engine that searches so.
    pub fn engine(self) -> Engine {
        match self {
            Self::Steered => Engine::Catalog,
            Self::Random => Engine::Random,
            Self::BestOfN => Engine::BestOfN,
        }
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
    /// Number of the first of them in the round, from 1.
    pub first: usize,
    /// The variant to improve.
    pub variant: VariantId,
    /// Its incumbent.
    pub incumbent: &'a Harness,
    /// The incumbent's identity.
    pub parent: HarnessId,
    /// Candidates that wait before the gate already.
    pub waiting: &'a BTreeSet<HarnessId>,
    /// What fails and what was tried.
    pub landscape: &'a Landscape,
    /// Digests of the train tasks.
    pub digests: &'a [TaskDigest],
    /// What was kept of visible train traces.
    pub experience: &'a Experience,
    /// Problems of a harness, given the lines of its processors where they are known; none: it can be played.
    pub check: &'a dyn Fn(&Harness, &[usize]) -> Vec<Problem>,
    /// Identity of a harness; an error is a fragment that says why it cannot be played.
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

/// Candidates of one round, at most as many as asked for, each of which passed its smoke test. Empty: the round is idle.
pub fn evolve(search: Search, workshop: &Workshop<'_>) -> Vec<Proposed> {
    let engine = search.engine();
    let lessons = Lessons::of(workshop.experience, workshop.incumbent);
    let sources = Sources { incumbent: workshop.incumbent, lessons: &lessons, digests: workshop.digests };
    let mut chosen = Chosen { engine, workshop, tag: &lessons.tag, proposed: Vec::new() };
    match search {
        Search::Steered => {
            for idea in steered(ideas(&sources), workshop, &mut chance(engine, workshop, 0)) {
                if !chosen.has_component(&idea.component) {
                    chosen.offer(idea);
                }
            }
        }
        Search::Random => random(&sources, &mut chance(engine, workshop, 0)).into_iter().for_each(|idea| chosen.offer(idea)),
        Search::BestOfN => {
            for number in 0..workshop.count {
                let before = chosen.proposed.len();
                for idea in drawn(ideas(&sources), |idea| idea.weight, &mut chance(engine, workshop, number)) {
                    if chosen.proposed.len() == before {
                        chosen.offer(idea);
                    }
                }
            }
        }
    }
    chosen.proposed
}

/// The chance of one proposal: nothing but engine, seed, round, variant and number decides it.
fn chance(engine: Engine, workshop: &Workshop<'_>, number: usize) -> ChaCha8Rng {
    let numbers = [workshop.seed.to_le_bytes(), u64::from(workshop.round).to_le_bytes(), (number as u64).to_le_bytes()].concat();
    seeded(&Digest::of_parts(&[b"evolve", engine.as_str().as_bytes(), &numbers, workshop.variant.as_str().as_bytes()]))
}

/// Candidates so far.
struct Chosen<'a> {
    engine: Engine,
    workshop: &'a Workshop<'a>,
    tag: &'a str,
    proposed: Vec<Proposed>,
}

impl Chosen<'_> {
    fn has_component(&self, component: &str) -> bool {
        self.proposed.iter().any(|proposed| proposed.manifest.component == component)
    }

    /// Takes an idea as a candidate where one more is wanted, its edits fit, it makes a harness that is not there yet, and the smoke test
    /// passes.
    fn offer(&mut self, idea: Idea) {
        if self.proposed.len() >= self.workshop.count {
            return;
        }
        let bundle = Bundle { name: idea.component.clone(), edits: idea.edits.clone() };
        let Ok(harness) = bundle.apply(self.workshop.incumbent, &native::groups()) else { return };
        let Ok(id) = fresh(&harness, self.workshop, &self.proposed) else { return };
        let (lines, touched) = smoke(&harness, self.workshop);
        if lines.iter().any(|line| !line.passed) {
            return;
        }
        let touched = touched.into_iter().collect();
        let number = self.workshop.first + self.proposed.len();
        let subject = Subject { engine: self.engine, number, idea, harness: &harness, id, touched: &touched, tag: self.tag };
        let manifest = statement(subject, self.workshop);
        self.proposed.push(Proposed { manifest, harness, smoke: lines });
    }
}

/// The identity of a harness that is neither the incumbent nor there already; else why it is no candidate.
fn fresh(harness: &Harness, workshop: &Workshop<'_>, proposed: &[Proposed]) -> Result<HarnessId, String> {
    let id = (workshop.id_of)(harness)?;
    if id == workshop.parent {
        return Err("it is the incumbent: nothing is changed".to_owned());
    }
    if workshop.waiting.contains(&id) || proposed.iter().any(|other| other.manifest.harness == id) {
        return Err("another candidate makes the same harness".to_owned());
    }
    Ok(id)
}

#[cfg(test)]
mod tests;
