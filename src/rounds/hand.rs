//! Any role of a round played by hand: the open round as a folder for each role (`export`), and what was written there taken back
//! (`import`) by the checks that a model's words pass. Only what the meta-agent may see is laid out; nothing of `sealed/` is.

use super::Rounds;
use super::command::{id_of, taken_from};
use super::critique::first_review;
use super::error::RoundsError;
use super::evolve::Made;
use super::faults::Faults;
use super::rules::trace_at;
use crate::domain::diagnosis::{Diagnoses, Direction, Reviews};
use crate::domain::digest::Anchor;
use crate::domain::engine::Engine;
use crate::domain::gate::Demand;
use crate::domain::harness::Harness;
use crate::domain::history::History;
use crate::domain::id::{HarnessId, TaskId};
use crate::domain::manifest::CandidateManifest;
use crate::stages::critique::{self, Critique};
use crate::stages::evolve::Workshop;
use crate::stages::handwork::{self, Desired, JUSTIFIED, Place, Sheets, Shown, Transcript, Words};
use crate::stages::meta::{self, Ground};
use crate::stages::plan::landscape_markdown;
use crate::store::handed;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Says which round a folder is of.
const STAMP: &str = "folder.json";

/// Version of the stamp.
const STAMP_FORMAT: u32 = 1;

/// How a person ends work at an exported folder.
const ENDING: &str = "A folder whose `harness/` is left as it was makes no candidate. `harnessx import` takes back what was written.";

/// `folder.json`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stamp {
    format: u32,
    kind: String,
    round: u32,
    incumbent: HarnessId,
}

/// A round as files.
#[derive(Debug, Default)]
pub struct Exported {
    /// Round.
    pub round: u32,
    /// Folders of roles that can be played now.
    pub roles: Vec<String>,
    /// All files by their paths.
    pub files: Sheets,
}

/// What a folder says, checked, before any of it is put on file.
#[derive(Default)]
struct Written {
    diagnoses: Option<Diagnoses>,
    directions: Option<Vec<Direction>>,
    candidates: Option<Made>,
    reviews: Option<Reviews>,
}

impl Rounds<'_> {
    /// The open round as folders, one a role that can still be played.
    ///
    /// # Errors
    /// The round is judged already, or has nothing to work on.
    pub fn export(&self, round: u32) -> Result<Exported, RoundsError> {
        let mut exported = Exported { round, ..Exported::default() };
        let incumbent = self.repo.read(self.incumbent().as_str())?;
        if self.is_evolved(round)? {
            self.export_critic(&mut exported)?;
        } else {
            self.export_makers(&mut exported, &incumbent)?;
        }
        if exported.roles.is_empty() {
            return Err(RoundsError::Hand(format!(
                "R{round} has nothing left to play: its candidates are judged, or it has no failures to work on"
            )));
        }
        let stamp = Stamp { format: STAMP_FORMAT, kind: "round".to_owned(), round, incumbent: self.incumbent() };
        exported.files.insert(STAMP.to_owned(), serde_json::to_vec_pretty(&stamp).unwrap_or_default());
        let roles: Vec<String> = exported.roles.iter().map(|role| format!("- `{role}/README.md`")).collect();
        let readme = include_str!("hand.md").replace("{round}", &round.to_string()).replace("{roles}", &roles.join("\n"));
        exported.files.insert("README.md".to_owned(), readme.into_bytes());
        Ok(exported)
    }

    /// Digester, Planner and Evolver.
    fn export_makers(&self, exported: &mut Exported, incumbent: &Harness) -> Result<(), RoundsError> {
        let round = exported.round;
        let Some(overview) = self.visible.overview(round)? else { return Ok(()) };
        let past = self.visible.past_rounds()?;
        let digests = super::propose::standing_digests(&History::new(&past));
        let transcripts = self.transcripts()?;
        let shown = Shown { round, overview: &overview, digests: &digests, transcripts: &transcripts, incumbent };
        let Some(landscape) = self.visible.landscape(round)? else { return Ok(()) };
        put(exported, "digester", handwork::digester(&shown));
        put(exported, "planner", handwork::planner(&shown, &landscape));
        for number in 1..=self.places_left() {
            let place = Place { format: 1, round, candidate: id_of(round, number), number };
            put(exported, &format!("evolver/{number}"), handwork::evolver(&shown, &landscape, &place, ENDING));
        }
        Ok(())
    }

    /// The Critic, unless it has spoken.
    fn export_critic(&self, exported: &mut Exported) -> Result<(), RoundsError> {
        let round = exported.round;
        let Some((manifests, rules)) = self.reviewable(round)? else { return Ok(()) };
        let landscape = self.visible.landscape(round)?.ok_or_else(|| RoundsError::Lost(format!("R{round}/landscape.json")))?;
        let mut pages = Vec::new();
        for manifest in manifests.iter().filter(|manifest| rules.ship_ranking.contains(&manifest.candidate_id)) {
            let patch = self.repo.diff(manifest.parent.as_str(), manifest.harness.as_str())?;
            pages.push((manifest.candidate_id.clone(), critique::page(manifest, &patch, &rules)));
        }
        put(exported, "critic", handwork::critic(&landscape, &pages, &rules, self.course.settings.engines.contains(Engine::Aegis)));
        Ok(())
    }

    /// Takes back what was written in an exported folder, all of it or nothing; a line for each thing taken.
    ///
    /// # Errors
    /// [`RoundsError::Refused`] with everything that is wrong.
    pub async fn import(&self, round: u32, dir: &Path) -> Result<Vec<String>, RoundsError> {
        self.check_stamp(round, dir)?;
        let (mut words, tasks) = (Words::default(), self.train_ids());
        let past = self.visible.past_rounds()?;
        let faults = Faults::default();
        let verify = |anchor: &Anchor, words: &str| faults.found(self.stands_at(&past, anchor, words)).unwrap_or(false);
        let is_evolved = self.is_evolved(round)?;
        let reviewable = if is_evolved { self.reviewable(round)? } else { None };
        let is_heard = reviewable.is_some();
        let candidates = reviewable.map(|(_, rules)| rules.ship_ranking).unwrap_or_default();
        let may_revise = self.course.settings.engines.contains(Engine::Aegis);
        let desired = Desired { ground: Ground { tasks: &tasks, verify: &verify }, candidates: &candidates, may_revise };
        let text = |name: &str, problems: &mut Vec<String>| {
            handed::text(&dir.join(name)).map_err(|error| problems.push(error.to_string())).ok().flatten()
        };
        let mut problems = Vec::new();
        let texts = ["digester/diagnoses.json", "planner/directions.json", "critic/reviews.json"].map(|name| text(name, &mut problems));
        let [diagnoses, directions, reviews] = &texts;
        if reviews.is_some() && !is_heard {
            problems.push(format!(
                "critic/reviews.json: R{round} has no Critic to play: it has spoken, or no candidate of the round is before it"
            ));
        }
        let mut written = Written {
            diagnoses: words.diagnoses(diagnoses.as_deref(), &desired),
            directions: words.directions(directions.as_deref(), &desired),
            reviews: words.reviews(reviews.as_deref().filter(|_| is_heard), &desired),
            candidates: None,
        };
        problems.extend(words.problems);
        written.candidates = self.candidates_in(round, dir, &desired.ground, &mut problems).await?;
        let is_late = is_evolved && (written.diagnoses.is_some() || written.directions.is_some() || written.candidates.is_some());
        if is_late {
            problems.push(format!("R{round} has its candidates already: only its Critic can still be played"));
        }
        faults.over(())?;
        if problems.is_empty() { self.put_on_file(round, written) } else { Err(RoundsError::Refused(problems)) }
    }

    fn check_stamp(&self, round: u32, dir: &Path) -> Result<(), RoundsError> {
        let missing = || RoundsError::Hand(format!("{} is no exported round: it has no {STAMP}", dir.display()));
        let text = handed::text(&dir.join(STAMP))?.ok_or_else(missing)?;
        let stamp: Stamp = serde_json::from_str(&text)
            .map_err(|error| RoundsError::Hand(format!("{} is no exported round: {STAMP}: {error}", dir.display())))?;
        let wanted = Stamp { format: STAMP_FORMAT, kind: "round".to_owned(), round, incumbent: self.incumbent() };
        if stamp == wanted { Ok(()) } else { Err(RoundsError::Hand(format!("{} is of another round: R{} is open", dir.display(), round))) }
    }

    /// Candidates of `evolver/<k>` whose harness was changed; `None` without any.
    async fn candidates_in(
        &self,
        round: u32,
        dir: &Path,
        ground: &Ground<'_>,
        problems: &mut Vec<String>,
    ) -> Result<Option<Made>, RoundsError> {
        let numbers: Vec<usize> =
            (1..=self.places_left()).filter(|number| dir.join(format!("evolver/{number}/harness")).exists()).collect();
        let Some(landscape) = self.visible.landscape(round)?.filter(|_| !numbers.is_empty()) else { return Ok(None) };
        let stock = self.stock(round, &landscape)?;
        let count = self.places_left();
        let work = async |workshop: &Workshop<'_>| {
            let mut made = Made::default();
            for number in numbers {
                let place = format!("evolver/{number}");
                let folder = dir.join(&place);
                let mut words = Words::default();
                match handed::text(&folder.join(JUSTIFIED)) {
                    Ok(text) => made.justified.extend(words.justified(&format!("{place}/"), text.as_deref(), ground)),
                    Err(error) => problems.push(error.to_string()),
                }
                problems.extend(words.problems);
                if handed::harness_files(&folder.join("harness")).is_ok_and(|files| files == stock.incumbent.folder()) {
                    continue;
                }
                match taken_from(&folder, "an edit by hand", number, &made.proposed, workshop) {
                    Ok(proposed) => made.proposed.push(proposed),
                    Err(problem) => problems.push(format!("{place}: {problem}")),
                }
            }
            Ok(made)
        };
        let made = self.at_workshop(&stock, (1, count), BTreeSet::new(), work).await?;
        if made.proposed.is_empty() && !made.justified.is_empty() {
            problems.push(format!("{JUSTIFIED} counts with a candidate of the same folder only, and no `harness/` was changed"));
        }
        Ok((!made.proposed.is_empty()).then_some(made))
    }

    fn put_on_file(&self, round: u32, written: Written) -> Result<Vec<String>, RoundsError> {
        let mut lines = Vec::new();
        if let Some(diagnoses) = &written.diagnoses {
            self.course.run.write_json(&format!("R{round}/diagnoses.json"), diagnoses)?;
            lines.push(format!("{} diagnoses, {} pieces of evidence dropped", diagnoses.diagnoses.len(), diagnoses.dropped));
        }
        let mut landscape = self.visible.landscape(round)?.unwrap_or_default();
        if let Some(said) = written.diagnoses {
            landscape.diagnoses = said.diagnoses;
            self.course.run.files(round).write_landscape(&landscape, &landscape_markdown(&landscape))?;
        }
        if let Some(directions) = written.directions {
            lines.push(format!("{} directions", directions.len()));
            landscape.directions = directions;
            self.course.run.files(round).write_landscape(&landscape, &landscape_markdown(&landscape))?;
        }
        if let Some(made) = &written.candidates {
            self.put_forward(round, made)?;
            self.say(round, "these are all its candidates: no engine makes more, nor are Digester and Planner asked");
            lines.extend(made.proposed.iter().map(|made| format!("{}: {}", made.manifest.candidate_id, made.manifest.title)));
        }
        if let Some(mut reviews) = written.reviews {
            let manifests = self.visible.candidates(round)?;
            for review in &mut reviews.reviews {
                let manifest = manifests.iter().find(|manifest| manifest.candidate_id == review.candidate);
                review.harness = manifest.map(|manifest| manifest.harness.clone());
            }
            self.course.run.write_json(&first_review(round), &reviews)?;
            let concern = if reviews.concern.is_some() { ", and a concern" } else { "" };
            lines.push(format!("{} reviews{concern}", reviews.reviews.len()));
        }
        for line in &lines {
            self.audited("import", round, "by hand", line.clone())?;
        }
        Ok(lines)
    }

    /// The candidates that a Critic can still be heard on, under the rules.
    fn reviewable(&self, round: u32) -> Result<Option<(Vec<CandidateManifest>, Critique)>, RoundsError> {
        let manifests = self.visible.candidates(round)?;
        let is_over =
            [format!("R{round}/critique.json"), first_review(round)].iter().any(|name| self.course.run.path().join(name).exists());
        if manifests.is_empty() || is_over {
            return Ok(None);
        }
        let rules = self.rules(round, &manifests)?;
        Ok((!rules.ship_ranking.is_empty()).then_some((manifests, rules)))
    }

    /// Candidates that the gate has room for.
    fn places_left(&self) -> usize {
        match self.gate.demand() {
            Demand::Candidates(room) => room,
            Demand::Round | Demand::Rollouts(_) | Demand::Confirmation(..) | Demand::Touched(_) => 0,
        }
    }

    /// Train tasks.
    pub(super) fn train_ids(&self) -> BTreeSet<TaskId> {
        self.train().map(|(_, task)| task.task.id.clone()).collect()
    }

    /// Visible traces that speak for the incumbent, in words: of tasks that fail first.
    pub(super) fn transcripts(&self) -> Result<Vec<Transcript>, RoundsError> {
        let past = self.visible.past_rounds()?;
        let mut found: BTreeMap<(bool, String), Transcript> = BTreeMap::new();
        for standing in History::new(&past).standings() {
            let (solved, scored) = standing.digest.solved_of();
            for rollout in &standing.digest.rollouts {
                let path = trace_at(&self.visible, standing.round, &rollout.trace)?;
                let text = meta::transcript(&path).map_err(|problem| RoundsError::Lost(format!("{}: {problem}", rollout.trace)))?;
                found.insert((solved == scored, rollout.trace.clone()), Transcript { name: rollout.trace.clone(), text });
            }
        }
        Ok(found.into_values().collect())
    }
}

fn put(exported: &mut Exported, role: &str, sheets: Sheets) {
    exported.roles.push(role.to_owned());
    exported.files.extend(sheets.into_iter().map(|(path, bytes)| (format!("{role}/{path}"), bytes)));
}
